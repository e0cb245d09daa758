/* The outputs c, c + 1, ... of `product`: `vectors` of them. */
INLINE void product_strip(int vectors, int c, int n, const real *x, int x_pitch, int in,
                          const real *w, int w_pitch, bool turned, int out,
                          struct finish finish, real *y, int pitch, real *panel) {
  int blocks = (in + DEPTH - 1) / DEPTH, deepest = (in + blocks - 1) / blocks;
  struct finish here = {finish.bias ? finish.bias + c : NULL, finish.kind,
                        finish.y ? finish.y + c : NULL};
  for (int k = 0; k < in; k += deepest) {
    int depth = in - k < deepest ? in - k : deepest, b_pitch = w_pitch;
    const real *b = w + k * w_pitch + c;
    if (turned) {
      turned_panel(vectors, out - c, depth, w + c * w_pitch + k, w_pitch, panel);
      b = panel;
      b_pitch = vectors * LANES;
    }
    product_block(vectors, n, x + k, x_pitch, depth, b, b_pitch, k > 0, k + depth == in, here,
                  y + c, pitch);
  }
}
