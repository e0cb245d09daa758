#if REAL_BYTES == 8
INLINE vec vlog1p(vec x) { EACH(log1p, x); }
#else
/* As vlog, with f = (1 + x) 2^-e - 1 = x 2^-e - (1 - 2^-e), which 1 + x rounded has no part in.
 * 2^-e is half of 2^(1-e), which is still a float (0) at e = 128. */
INLINE vec vlog1p(vec x) {
  vec u = x + 1.0f;
  bits k = TO_UNIT(u);
  vec f = with_bits(bits_of(x) + k) - (1.0f - 0.5f * with_bits(k + 0x40000000u));
  return log_of(u, f, k);
}
#endif
