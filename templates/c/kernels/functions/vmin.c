/* the smaller one; NaN where either is */
INLINE vec vmin(vec a, vec b) { return pick(HOLDS(a <= b) | HOLDS(a != a), a, b); }
