#if REAL_BYTES == 8
INLINE vec vexp(vec x) { EACH(exp, x); }
#else
/* e^x = 2^m 2^m e^r, m = x / (2 ln 2) rounded, |r| <= ln 2: the step of two binades costs
 * one more coefficient, and buys a product that overflows and goes subnormal (rounding once)
 * by itself. */
INLINE vec vexp(vec x) {
  bits size = bits_of(x) & 0x7fffffffu; /* |x| up to 128, where e^x is long 0 or infinity */
  x = with_bits(bits_of(x) ^ ((bits)HOLDS(with_bits(size) > 128.0f) & (size ^ 0x43000000u)));
  vec z = x * 0.72134752f + (ROUND + 127.0f), m = z - (ROUND + 127.0f);
  vec r = x - m * 1.38671875f + m * 4.2438888e-4f; /* 2 ln 2 in two parts, the first exact */
  vec p = r * 0.000196297493f + 0.00141047779f, s = with_bits(bits_of(z) << 23);
  p = p * r + 0.00833593495f;
  p = p * r + 0.041661229f;
  p = p * r + 0.16666618f;
  p = p * r + 0.500000358f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  return p * s * s;
}
#endif
