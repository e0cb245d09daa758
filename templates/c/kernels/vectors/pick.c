/* a where m holds, else b */
INLINE vec pick(mask m, vec a, vec b) {
  return with_bits(bits_of(b) ^ ((bits)m & (bits_of(a) ^ bits_of(b))));
}
