/* dx = kind'(dy W), from dy = dL/d(x W^T + b); w is W^T, (in, out). */
INLINE void back(int n, const real *dy, int pitch, int out, const real *w, int in,
                 enum activation kind, const real *x, real *dx, int x_pitch, real *panel) {
  struct finish finish = {NULL, kind, x};
  if (n > 2)
    product(n, dy, pitch, out, w, pitch, true, in, finish, dx, x_pitch, panel);
  else
    for (int s = 0; s < n; s++) {
      finish.y = x ? x + s * x_pitch : NULL;
      dots(dy + s * pitch, out, w, pitch, in, finish, dx + s * x_pitch);
    }
}
