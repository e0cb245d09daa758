/* one instruction for all lanes, where nobody asks for errno (-fno-math-errno) */
#if REAL_BYTES == 8
INLINE vec vsqrt(vec x) { EACH(sqrt, x); }
#else
INLINE vec vsqrt(vec x) { EACH(sqrtf, x); }
#endif
