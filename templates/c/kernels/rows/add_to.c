/* g = beta g + alpha made */
INLINE void add_to(real *g, vec made, real beta, real alpha) {
  store(g, beta ? load(g) * beta + made * alpha : made * alpha);
}
