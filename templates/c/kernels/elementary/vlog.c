#if REAL_BYTES == 8
INLINE vec vlog(vec x) { EACH(log, x); }
#else
INLINE vec vlog(vec x) {
  bits up = (bits)HOLDS(x < 1.17549435e-38f) & (24u << 23); /* subnormal: first times 2^24 */
  vec u = x * with_bits(up + 0x3f800000u);
  bits k = TO_UNIT(u);
  return log_of(u, with_bits(bits_of(u) + k) - 1.0f, k + up);
}
#endif
