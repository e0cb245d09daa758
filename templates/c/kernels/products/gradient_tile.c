/* The gradient of `rows` rows of a weight, in registers throughout; `left` numbers of a row are
 * no padding. */
INLINE void gradient_tile(int rows, int vectors, int left, int n, const real *x, int x_pitch,
                          const real *dy, int pitch, real *g, int g_pitch, real beta,
                          real alpha) {
  vec sum[TILE][2];
  for (int r = 0; r < rows; r++)
    for (int v = 0; v < vectors; v++) sum[r][v] = fill(0);
  for (int s = 0; s < n; s++)
    for (int r = 0; r < rows; r++)
      for (int v = 0; v < vectors; v++)
        sum[r][v] += x[s * x_pitch + r] * load(dy + s * pitch + v * LANES);
  for (int r = 0; r < rows; r++)
    for (int v = 0; v < vectors; v++)
      accumulate(g + r * g_pitch + v * LANES, first(sum[r][v], left - v * (int)LANES), beta,
                 alpha);
}
