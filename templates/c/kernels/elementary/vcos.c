#if REAL_BYTES == 8
INLINE vec vcos(vec x) { EACH(cos, x); }
#else
INLINE vec cos_by_libm(vec x) { EACH(cos, x); }
INLINE vec vcos(vec x) { return any_far(x) ? cos_by_libm(x) : sine(x, 1); }
#endif
