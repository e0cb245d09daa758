#if REAL_BYTES == 8
INLINE real logistic(real x) { return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x)); }
INLINE vec vsigmoid(vec x) { EACH(logistic, x); }
#else
/* 1 / (1 + e^-x), e^-x = 2^n (1 + d), both sides of the division times 2^-32 so that 2^n, n
 * <= 151, stays a float. The sum is ordered so that at every n at most one large term is
 * rounded. */
INLINE vec vsigmoid(vec x) {
  x = pick(HOLDS(x > 64.0f), fill(64.0f), x);
  x = pick(HOLDS(x < -105.0f), fill(-105.0f), x);
  vec z = x * -1.44269504f + (ROUND + 95.0f), n = z - (ROUND + 95.0f);
  vec r = n * -0.693359375f - x + n * 2.12194440e-4f; /* ln 2 in two parts */
  vec s = with_bits(bits_of(z) << 23), d = expm1_over(r, 1.0f);
  return 2.32830644e-10f / (s + (s * d + 2.32830644e-10f));
}
#endif
