/* One sample: four sums at once, since each would wait for itself. */
INLINE void product_row(int vectors, const real *x, int depth, const real *w, int w_pitch,
                        bool more, bool last, struct finish finish, real *y) {
  vec sum[4][2];
  int i = 0;
  for (int q = 0; q < 4; q++)
    for (int v = 0; v < vectors; v++) sum[q][v] = fill(0);
  for (int v = 0; v < vectors; v++) {
    if (more) sum[0][v] = load(y + v * LANES);
    else if (finish.bias) sum[0][v] = load(finish.bias + v * LANES);
  }
  for (; i + 4 <= depth; i += 4, w += 4 * w_pitch)
    for (int q = 0; q < 4; q++)
      for (int v = 0; v < vectors; v++)
        sum[q][v] += x[i + q] * load(w + q * w_pitch + v * LANES);
  for (; i < depth; i++, w += w_pitch)
    for (int v = 0; v < vectors; v++) sum[0][v] += x[i] * load(w + v * LANES);
  for (int v = 0; v < vectors; v++) {
    vec z = (sum[0][v] + sum[1][v]) + (sum[2][v] + sum[3][v]);
    store(y + v * LANES, last ? finished(finish, z, v * LANES) : z);
  }
}
