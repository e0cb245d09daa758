/* Write 0 with probability `rate`, else 1 / (1 - rate), for rows `first`, first + 1, ... */
INLINE void drop(real *mask, int n, int width, int pitch, uint64_t key, size_t first,
                 double rate) {
  for (int s = 0; s < n; s++)
    for (int c = 0; c < width; c++) {
      double u = uniform(key, ((uint64_t)first + (uint64_t)s) * (uint64_t)width + (uint64_t)c);
      mask[s * pitch + c] = u >= rate ? (real)(1 / (1 - rate)) : 0;
    }
}
