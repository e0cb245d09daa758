static uint64_t numbered(uint64_t hash, uint32_t number) {
  char digits[11], *first = digits + 10;
  for (*first = 0; number || !*first; number /= 10) *--first = (char)('0' + number % 10);
  return hashed(hash, first);
}
