INLINE vec vabs(vec x) { return pick(HOLDS(x < 0), -x, x); }
