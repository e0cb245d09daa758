#if REAL_BYTES == 8
INLINE vec vsin(vec x) { EACH(sin, x); }
#else
INLINE vec sin_by_libm(vec x) { EACH(sin, x); }
INLINE vec vsin(vec x) {
  if (any_far(x)) return sin_by_libm(x);
  return pick(HOLDS(x == 0.0f), x, sine(x, 0)); /* sin -0 is -0 */
}
#endif
