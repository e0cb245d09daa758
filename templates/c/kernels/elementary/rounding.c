#if REAL_BYTES == 4
#if __FLT_EVAL_METHOD__ == 1 || __FLT_EVAL_METHOD__ == 2
#error "floats must be computed as floats (x86: -msse2 -mfpmath=sse)"
#endif

/* x + ROUND - ROUND is x rounded to an integer, for |x| < 2^22, and x + ROUND has that
 * integer in its low bits; with ROUND + 127 it is an exponent's field, and << 23 makes
 * 2^integer. */
#define ROUND 12582912.0f /* 1.5 * 2^23 */
#endif
