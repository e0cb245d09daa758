/* The gradient of a bias: four sums at once, as in product_row. */
INLINE void gradient_row(int vectors, int left, int n, const real *dy, int pitch, real *g,
                         real beta, real alpha) {
  vec sum[4][2];
  int s = 0;
  for (int q = 0; q < 4; q++)
    for (int v = 0; v < vectors; v++) sum[q][v] = fill(0);
  for (; s + 4 <= n; s += 4, dy += 4 * pitch)
    for (int q = 0; q < 4; q++)
      for (int v = 0; v < vectors; v++) sum[q][v] += load(dy + q * pitch + v * LANES);
  for (; s < n; s++, dy += pitch)
    for (int v = 0; v < vectors; v++) sum[0][v] += load(dy + v * LANES);
  for (int v = 0; v < vectors; v++) {
    vec all = (sum[0][v] + sum[1][v]) + (sum[2][v] + sum[3][v]);
    accumulate(g + v * LANES, first(all, left - v * (int)LANES), beta, alpha);
  }
}
