INLINE vec vsquare(vec x) { return x * x; }
