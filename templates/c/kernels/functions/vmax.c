/* the larger one; NaN where either is */
INLINE vec vmax(vec a, vec b) { return pick(HOLDS(a >= b) | HOLDS(a != a), a, b); }
