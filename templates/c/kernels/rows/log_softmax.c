/* y = z - log sum exp z, by rows; the padding becomes 0 */
INLINE void log_softmax(int n, const real *z, int width, int pitch, real *y) {
  for (int s = 0; s < n; s++, z += pitch, y += pitch) {
    real by = (real)logsumexp(z, width);
    for (int i = 0; i < width; i += LANES)
      store(y + i, first(load(z + i) - by, width - i));
  }
}
