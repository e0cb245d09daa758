/* log sum exp of a row of `width` numbers, without overflow */
INLINE double logsumexp(const real *row, int width) {
  vec sum = fill(0);
  real top = row[0];
  for (int i = 1; i < width; i++) top = row[i] > top || row[i] != row[i] ? row[i] : top;
  for (int i = 0; i < width; i += LANES)
    sum += first(vexp(load(row + i) - top), width - i);
  return top + log(total(sum));
}
