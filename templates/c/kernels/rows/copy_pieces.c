/* Copy `count` pieces of `piece` numbers from rows of `wide` pieces to rows of `to_wide`. */
INLINE void copy_pieces(int count, int piece, const real *from, int wide, int pitch, real *to,
                        int to_wide, int to_pitch) {
  for (int i = 0; i < count; i++) {
    const real *source = from + i / wide * pitch + i % wide * piece;
    real *target = to + i / to_wide * to_pitch + i % to_wide * piece;
    for (int c = 0; c < piece; c++) target[c] = source[c];
  }
}
