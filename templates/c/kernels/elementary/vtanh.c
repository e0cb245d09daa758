#if REAL_BYTES == 8
INLINE vec vtanh(vec x) { EACH(tanh, x); }
#else
/* tanh |x| = (1 - e^-2|x|) / (1 + e^-2|x|), e^-2|x| = 2^n (1 + 2d); both sides halved. Each
 * side is one rounding of n's and d's parts, the lower below 1 where |x| is small: hence
 * under 2 ulp. */
INLINE vec vtanh(vec x) {
  bits sign = bits_of(x) & 0x80000000u;
  vec a = with_bits(bits_of(x) ^ sign);
  a = pick(HOLDS(a > 9.25f), fill(9.25f), a); /* where tanh is 1 to within 2^-25 */
  vec z = a * -2.88539008f + (ROUND + 127.0f), n = z - (ROUND + 127.0f);
  vec s = with_bits(bits_of(z) << 23), d = expm1_over(n * -0.346573591f - a, 2.0f);
  vec t = ((0.5f - 0.5f * s) - s * d) / ((0.5f + 0.5f * s) + s * d);
  return with_bits(bits_of(t) | sign);
}
#endif
