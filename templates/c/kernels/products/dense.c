/* y = kind(x W^T + b); w is W^T, (in, out) with rows as long as those of y. */
INLINE void dense(int n, const real *x, int x_pitch, int in, const real *w,
                  const real *bias, int out, enum activation kind, real *y, int pitch,
                  real *panel) {
  struct finish finish = {bias, kind, NULL};
  product(n, x, x_pitch, in, w, pitch, false, out, finish, y, pitch, panel);
}
