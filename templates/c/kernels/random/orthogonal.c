/* Orthonormal rows or columns, the fewer, of a (rows, columns) matrix: the Q of a normal
 * one, by Gram and Schmidt, twice. q[i * fewer + j] is number i of vector j. */
static void orthogonal(double *q, uint64_t key, int longer, int fewer) {
  for (int i = 0; i < longer * fewer; i++) q[i] = normal(key, (uint64_t)i);
  for (int j = 0; j < fewer; j++) {
    double size = 0;
    for (int again = 0; again < 2; again++)
      for (int k = 0; k < j; k++) {
        double dot = 0;
        for (int i = 0; i < longer; i++) dot += q[i * fewer + k] * q[i * fewer + j];
        for (int i = 0; i < longer; i++) q[i * fewer + j] -= dot * q[i * fewer + k];
      }
    for (int i = 0; i < longer; i++) size += q[i * fewer + j] * q[i * fewer + j];
    for (int i = 0; i < longer; i++) q[i * fewer + j] /= sqrt(size);
  }
}
