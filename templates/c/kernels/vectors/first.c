/* the first lanes of v, 0 in the others */
INLINE vec first(vec v, int count) {
  static const whole ones[2 * 16] = {-1, -1, -1, -1, -1, -1, -1, -1,
                                      -1, -1, -1, -1, -1, -1, -1, -1};
  bits b;
  if (count >= (int)LANES) return v;
  memcpy(&b, ones + 16 - count, sizeof b);
  return with_bits(b & bits_of(v));
}
