/* Some samples by one or two vectors of outputs: the sums stay in registers. `more` adds to
 * what is in y, `last` finishes it. */
INLINE void product_tile(int rows, int vectors, const real *x, int x_pitch, int depth,
                         const real *w, int w_pitch, bool more, bool last, struct finish finish,
                         real *y, int pitch) {
  vec sum[TILE][2];
  for (int r = 0; r < rows; r++)
    for (int v = 0; v < vectors; v++)
      sum[r][v] = more          ? load(y + r * pitch + v * LANES)
                  : finish.bias ? load(finish.bias + v * LANES)
                                : fill(0);
  for (int i = 0; i < depth; i++)
    for (int r = 0; r < rows; r++)
      for (int v = 0; v < vectors; v++)
        sum[r][v] += x[r * x_pitch + i] * load(w + i * w_pitch + v * LANES);
  for (int r = 0; r < rows; r++)
    for (int v = 0; v < vectors; v++) {
      int at = r * pitch + v * (int)LANES;
      store(y + at, last ? finished(finish, sum[r][v], at) : sum[r][v]);
    }
}
