/* Whether threads may share a product. A forked child has none but the one that forked, and
 * libgomp would wait for those of its parent for ever: where they began, there alone. */
#ifdef _OPENMP
INLINE bool may_share(void) {
#ifdef _WIN32
  return true; /* nothing forks */
#else
  extern int getpid(void); /* unistd.h has names that a network may have */
  static int first;
  int began, own = getpid();
#pragma omp atomic read
  began = first;
  if (!began) {
#pragma omp atomic write
    first = own;
  }
  return !began || began == own;
#endif
}
#endif
