/* g = beta g + alpha x^T dy, g_bias likewise with the sum of dy over the samples. */
INLINE void gradient(int n, const real *x, int x_pitch, int in, const real *dy, int pitch,
                     int out, real *g, int g_pitch, real *g_bias, real *panel, real beta,
                     real alpha) {
  int c = 0;
#ifdef _OPENMP
  if (pitch > STRIDE && panel && may_share()) {
#pragma omp parallel for schedule(static)
    for (int strip = 0; strip < out; strip += 2 * LANES) {
      real own[PANEL];
      if (strip + (int)LANES < out)
        gradient_strip(2, strip, n, x, x_pitch, in, dy, pitch, out, g, g_pitch, g_bias, beta,
                       alpha, own);
      else
        gradient_strip(1, strip, n, x, x_pitch, in, dy, pitch, out, g, g_pitch, g_bias, beta,
                       alpha, own);
    }
    return;
  }
#endif
  for (; c + (int)LANES < out; c += 2 * LANES)
    gradient_strip(2, c, n, x, x_pitch, in, dy, pitch, out, g, g_pitch, g_bias, beta, alpha,
                   panel);
  if ((out + (int)LANES - 1) / (int)LANES % 2)
    gradient_strip(1, c, n, x, x_pitch, in, dy, pitch, out, g, g_pitch, g_bias, beta, alpha,
                   panel);
}
