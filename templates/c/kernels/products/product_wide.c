/* y = x w for n samples, w (in, out); with `turned`, w is (out, in) in memory.
 * With -fopenmp, threads share the strips, each computed as by one thread, so that the result
 * is the same, to the bit, for any number of them. */
INLINE void product(int n, const real *x, int x_pitch, int in, const real *w, int w_pitch,
                    bool turned, int out, struct finish finish, real *y, int pitch,
                    real *panel) {
  int c = 0;
#ifdef _OPENMP
  if (in * w_pitch > CACHED && n >= TILE && may_share()) {
#pragma omp parallel for schedule(static)
    for (int strip = 0; strip < out; strip += 2 * LANES) {
      real own[PANEL];
      if (strip + (int)LANES < out)
        product_strip(2, strip, n, x, x_pitch, in, w, w_pitch, turned, out, finish, y, pitch,
                      own);
      else
        product_strip(1, strip, n, x, x_pitch, in, w, w_pitch, turned, out, finish, y, pitch,
                      own);
    }
    return;
  }
#endif
  for (; c + (int)LANES < out; c += 2 * LANES)
    product_strip(2, c, n, x, x_pitch, in, w, w_pitch, turned, out, finish, y, pitch, panel);
  if ((out + (int)LANES - 1) / (int)LANES % 2)
    product_strip(1, c, n, x, x_pitch, in, w, w_pitch, turned, out, finish, y, pitch, panel);
}
