/* v where m holds, else 0 */
INLINE vec keep(mask m, vec v) { return with_bits((bits)m & bits_of(v)); }
