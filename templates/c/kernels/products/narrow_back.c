/* dx = kind'(dy W), from dy = dL/d(x W^T + b) of a narrow layer; w is W, (out, in). */
INLINE void narrow_back(int n, const real *dy, int out, const real *w, int w_pitch, int in,
                        enum activation kind, const real *x, real *dx, int x_pitch) {
  struct finish finish = {NULL, kind, x};
  product(n, dy, out, out, w, w_pitch, false, in, finish, dx, x_pitch, NULL);
}
