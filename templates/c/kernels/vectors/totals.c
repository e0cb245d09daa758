/* LANES vectors -> one, whose lanes are their totals */
INLINE vec totals(vec *v) {
  for (int half = LANES / 2; half; half /= 2)
    for (int i = 0; i < half; i++)
      v[i] = low(v[i], v[i + half]) + high(v[i], v[i + half]);
  return v[0];
}
