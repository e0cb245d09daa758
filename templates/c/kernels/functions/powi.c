/* x to a whole power */
INLINE vec powi(vec x, int n) {
  vec y = fill(1);
  for (int i = n < 0 ? -n : n; i; i /= 2, x *= x)
    if (i % 2) y *= x;
  if (n < 0) return 1 / y;
  return y;
}
