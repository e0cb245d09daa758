/* U[0, 1) */
static double uniform(uint64_t key, uint64_t index) {
  return (double)(drawn(key, index) >> 11) / 9007199254740992.0;
}
