INLINE vec vsign(vec x) {
  vec y = pick(HOLDS(x > 0), fill(1), pick(HOLDS(x < 0), fill(-1), fill(0)));
  return pick(HOLDS(x != x), x, y);
}
