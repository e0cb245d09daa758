/* `vectors` of outputs, of `depth` inputs: the samples one by one, or by tiles of them. */
INLINE void product_block(int vectors, int n, const real *x, int x_pitch, int depth,
                          const real *b, int b_pitch, bool more, bool last,
                          struct finish finish, real *y, int pitch) {
  const real *by = finish.y;
  if (n < TILE)
    for (int s = 0; s < n; s++) {
      finish.y = by ? by + s * pitch : NULL;
      product_row(vectors, x + s * x_pitch, depth, b, b_pitch, more, last, finish,
                  y + s * pitch);
    }
  else
    for (int s = 0; s < n; s += TILE) {
      finish.y = by ? by + s * pitch : NULL;
      product_tile(TILE, vectors, x + s * x_pitch, x_pitch, depth, b, b_pitch, more, last,
                   finish, y + s * pitch, pitch);
    }
}
