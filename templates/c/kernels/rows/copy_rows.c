/* Copy n rows of `width` numbers; each begins a pitch behind the one before. */
INLINE void copy_rows(int n, int width, const real *from, int pitch, real *to, int to_pitch) {
  for (int s = 0; s < n; s++, from += pitch, to += to_pitch)
    memcpy(to, from, (size_t)width * sizeof *to);
}
