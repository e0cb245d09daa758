/* y[r] = x . w[r] for the rows of w, LANES of them at a time: for one sample. */
INLINE void dots(const real *x, int in, const real *w, int w_pitch, int rows,
                 struct finish finish, real *y) {
  for (int r = 0; r < rows; r += LANES) {
    vec sum[LANES];
    for (int q = 0; q < (int)LANES; q++) {
      sum[q] = fill(0);
      if (r + q < rows)
        for (int i = 0; i < in; i += LANES)
          sum[q] += load(x + i) * load(w + (r + q) * w_pitch + i);
    }
    store(y + r, finished(finish, totals(sum), r));
  }
}
