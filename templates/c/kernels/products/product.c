/* y = x w for n samples, w (in, out); with `turned`, w is (out, in) in memory. */
INLINE void product(int n, const real *x, int x_pitch, int in, const real *w, int w_pitch,
                    bool turned, int out, struct finish finish, real *y, int pitch,
                    real *panel) {
  int c = 0;
  for (; c + (int)LANES < out; c += 2 * LANES)
    product_strip(2, c, n, x, x_pitch, in, w, w_pitch, turned, out, finish, y, pitch, panel);
  if ((out + (int)LANES - 1) / (int)LANES % 2)
    product_strip(1, c, n, x, x_pitch, in, w, w_pitch, turned, out, finish, y, pitch, panel);
}
