#if REAL_BYTES == 8
INLINE vec verf(vec x) { EACH(erf, x); }
#else
/* erf |x| = |x| + |x| p(x^2) up to 0.93, relative error 1.7e-8; from there on 1 - e^(-|x| -
 * |x| q(|x|)), relative error 3e-9. */
INLINE vec verf(vec x) {
  bits sign = bits_of(x) & 0x80000000u;
  vec a = with_bits(bits_of(x) ^ sign), w = x * x;
  a = pick(HOLDS(a > 4.0f), fill(4.0f), a); /* where erf is 1 to within 2^-25 */
  vec p = w * -0.0005953742f + 0.0049859406f;
  p = p * w - 0.02676172f;
  p = p * w + 0.112816826f;
  p = p * w - 0.3761248f;
  p = p * w + 0.12837915f;
  vec q = a * -0.00021364502f + 0.0032121448f;
  q = q * a - 0.02288092f;
  q = q * a + 0.10524768f;
  q = q * a + 0.63572913f;
  q = q * a + 0.12851115f;
  vec y = pick(HOLDS(a < 0.93f), a + a * p, 1.0f - vexp(-a - a * q));
  return with_bits(bits_of(y) | sign);
}
#endif
