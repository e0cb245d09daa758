INLINE vec vpow(vec x, vec y) {
  real lane[LANES], power[LANES];
  store(lane, x);
  store(power, y);
  for (int i = 0; i < (int)LANES; i++) lane[i] = (real)pow(lane[i], power[i]);
  return load(lane);
}
