#if REAL_BYTES == 4
/* u = 2^e m with 0.6875 < m <= 1.375: the bits to add to those of u, -e << 23, to have m. */
#define TO_UNIT(u) ((0x3fb00000u - bits_of(u)) & 0xff800000u)

/* log u = log(1 + f) + e ln 2, k = -e << 23: f + f^2 q(f), relative error 2.9e-8. The shift
 * copies the sign, as gcc and clang promise. With -e, log1p(-0) is -0. */
INLINE vec log_of(vec u, vec f, bits k) {
  vec e = with_bits((bits)((mask)k >> 23) + 0x4b400000u) - ROUND;
  vec w = f * f, q = f * 0.109608933f - 0.15061003f;
  q = q * w + (f * 0.145740896f - 0.164649591f);
  q = q * w + (f * 0.199784264f - 0.250057608f);
  q = q * w + (f * 0.333337218f - 0.499999583f);
  vec y = (f + w * q) - e * 0.693147182f;
  y = pick(HOLDS(u > 0.0f), y, /* log 0 is -infinity, below it NaN */
           with_bits(0xff800000u | ((bits)HOLDS(u < 0.0f) & 0x400000u)));
  return pick(HOLDS(u <= 3.40282347e38f), y, u); /* infinity and NaN are their own */
}
#endif
