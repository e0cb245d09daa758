/* N(0, 1), Box and Muller 1958 */
static double normal(uint64_t key, uint64_t index) {
  double u = uniform(key, 2 * index), v = uniform(key, 2 * index + 1);
  return sqrt(-2 * log(1 - u)) * cos(2 * 3.141592653589793 * v);
}
