INLINE vec load(const real *p) {
#if VECTOR_BYTES
  return *(const vec *)p;
#else
  return *p;
#endif
}

INLINE void store(real *p, vec v) {
#if VECTOR_BYTES
  *(vec *)p = v;
#else
  *p = v;
#endif
}

INLINE vec fill(real x) { return x - (vec){0}; }

INLINE bits bits_of(vec v) {
  bits b;
  memcpy(&b, &v, sizeof b);
  return b;
}

INLINE vec with_bits(bits b) {
  vec v;
  memcpy(&v, &b, sizeof v);
  return v;
}
