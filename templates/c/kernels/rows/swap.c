/* Turn `rows` rows of `width` numbers into as many columns, for each of `count` blocks of
 * them. */
INLINE void swap(int count, int rows, int width, const real *from, int pitch, real *to,
                 int to_pitch) {
  for (int i = 0; i < count; i++, from += rows * pitch, to += width * to_pitch)
    for (int c = 0; c < width; c++)
      for (int r = 0; r < rows; r++) to[c * to_pitch + r] = from[r * pitch + c];
}
