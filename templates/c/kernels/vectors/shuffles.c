#if LANES > 1
#ifdef __clang__
#define SHUFFLED(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLED(a, b, ...) __builtin_shuffle(a, b, (mask){__VA_ARGS__})
#endif

/* a0 b0 a1 b1 ... of the lower halves */
INLINE vec low(vec a, vec b) {
#if LANES == 16
  return SHUFFLED(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
#elif LANES == 8
  return SHUFFLED(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
#elif LANES == 4
  return SHUFFLED(a, b, 0, 4, 1, 5);
#else
  return SHUFFLED(a, b, 0, 2);
#endif
}

/* the same of the upper halves */
INLINE vec high(vec a, vec b) {
#if LANES == 16
  return SHUFFLED(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
#elif LANES == 8
  return SHUFFLED(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
#elif LANES == 4
  return SHUFFLED(a, b, 2, 6, 3, 7);
#else
  return SHUFFLED(a, b, 1, 3);
#endif
}
#else
#define low(a, b) (a)
#define high(a, b) (b)
#endif
