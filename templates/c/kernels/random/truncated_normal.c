/* N(0, 1); what is beyond two standard deviations is drawn again */
static double truncated_normal(uint64_t seed, const char *stream, uint64_t index) {
  double z = normal(keyed(seed, named(stream)), index);
  for (uint32_t attempt = 1; fabs(z) > 2; attempt++)
    z = normal(keyed(seed, numbered(hashed(named(stream), "/"), attempt)), index);
  return z;
}
