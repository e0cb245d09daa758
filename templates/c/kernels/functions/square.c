INLINE vec square(vec x) { return x * x; }
