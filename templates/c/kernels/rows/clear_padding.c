/* Clear what lies behind the numbers of each row, where a NaN may have been left. */
INLINE void clear_padding(int n, int width, real *to, int pitch) {
  for (int s = 0; s < n; s++, to += pitch)
    for (int c = width; c < pitch; c++) to[c] = 0;
}
