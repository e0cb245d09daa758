#if REAL_BYTES == 8
INLINE vec vexpm1(vec x) { EACH(expm1, x); }
#else
/* e^x - 1 = (2^n - 1) + 2^n d, e^x = 2^n (1 + d); from n = 128 on a last factor of 2 is left
 * over. */
INLINE vec vexpm1(vec x) {
  bits sign = bits_of(x) & 0x80000000u; /* of the result too, and of its 0 */
  x = pick(HOLDS(x < -18.0f), fill(-18.0f), x); /* where it is -1 to within 2^-25 */
  x = pick(HOLDS(x > 89.0f), fill(89.0f), x);
  vec z = x * 1.44269504f + (ROUND + 127.0f), n = z - (ROUND + 127.0f);
  vec r = x - n * 0.693359375f + n * 2.12194440e-4f; /* ln 2 in two parts */
  vec d = expm1_over(r, 1.0f), over = pick(HOLDS(n > 127.0f), fill(2.0f), fill(1.0f));
  vec s = with_bits((bits_of(z) << 23) - ((bits)HOLDS(n > 127.0f) & (1u << 23)));
  vec y = ((s - 1.0f) + s * d) * over;
  return with_bits(bits_of(y) | sign);
}
#endif
