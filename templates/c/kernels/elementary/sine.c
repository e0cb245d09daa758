#if REAL_BYTES == 4
/* x = n pi / 2 + r + e, |r| <= pi / 4: pi / 2 in four parts, of which n times the first
 * three are exact up to |x| = 12000, and e what r has lost by rounding. The quadrant n +
 * `ahead` says whether it is sin r or cos r, and the sign. */
INLINE vec sine(vec x, word ahead) {
  vec z = x * 0.636619772f + ROUND, n = z - ROUND;
  vec high = x - n * 1.5703125f - n * 4.83751297e-4f, near = high - n * 7.54953362e-8f;
  vec low = n * 2.563344e-12f - (high - near - n * 7.54953362e-8f);
  vec r = near - low, e = near - r - low;
  vec w = r * r, s = w * -0.00019514958f + 0.008332158f, c = w * 2.4432786e-5f - 0.0013887313f;
  s = r + (r * w * (s * w - 0.16666655f) + e);
  c = (1.0f - 0.5f * w) + (w * w * (c * w + 0.041666646f) - r * e);
  bits quadrant = bits_of(z) + ahead;
  vec y = pick(-(mask)(quadrant & 1u), c, s);
  return with_bits(bits_of(y) ^ (quadrant & 2u) << 30);
}

INLINE bool any_far(vec x) {
  return total(keep(HOLDS(with_bits(bits_of(x) & 0x7fffffffu) > 12000.0f), fill(1.0f))) > 0;
}
#endif
