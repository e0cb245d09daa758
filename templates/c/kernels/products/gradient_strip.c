/* The outputs c, c + 1, ... of `gradient`, by tiles of about equal size. */
INLINE void gradient_strip(int vectors, int c, int n, const real *x, int x_pitch, int in,
                           const real *dy, int pitch, int out, real *g, int g_pitch,
                           real *g_bias, real beta, real alpha, real *panel) {
  int tiles = (in + TILE - 1) / TILE, rows = in / tiles, longer = in % tiles, i = 0;
  const real *d = dy + c;
  int d_pitch = pitch;
  (void)panel;
  if (g_bias) gradient_row(vectors, out - c, n, d, d_pitch, g_bias + c, beta, alpha);
  for (int t = 0; t < longer; t++, i += rows + 1)
    gradient_tile(rows + 1, vectors, out - c, n, x + i, x_pitch, d, d_pitch,
                  g + i * g_pitch + c, g_pitch, beta, alpha);
  for (int t = longer; t < tiles; t++, i += rows)
    gradient_tile(rows, vectors, out - c, n, x + i, x_pitch, d, d_pitch, g + i * g_pitch + c,
                  g_pitch, beta, alpha);
}
