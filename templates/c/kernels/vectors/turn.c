/* LANES vectors as the rows of a square -> its columns */
INLINE void turn(vec *v) {
  for (int done = 1; done < (int)LANES; done *= 2) {
    vec w[LANES];
    for (int i = 0; i < (int)LANES / 2; i++) {
      w[2 * i] = low(v[i], v[i + LANES / 2]);
      w[2 * i + 1] = high(v[i], v[i + LANES / 2]);
    }
    for (int i = 0; i < (int)LANES; i++) v[i] = w[i];
  }
}
