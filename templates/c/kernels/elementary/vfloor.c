INLINE vec vfloor(vec x) { EACH(floor, x); }
