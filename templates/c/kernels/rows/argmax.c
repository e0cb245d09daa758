/* the index of the largest of `width` numbers, the first of equals; NaN counts as the
 * largest */
INLINE int argmax(const real *row, int width) {
  int best = 0;
  for (int i = 1; i < width; i++)
    if (row[i] > row[best] || (row[i] != row[i] && row[best] == row[best])) best = i;
  return best;
}
