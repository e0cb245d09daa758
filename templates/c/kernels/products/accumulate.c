/* g = beta g + alpha sum: where beta is 0, g need not be a number */
INLINE void accumulate(real *g, vec sum, real beta, real alpha) {
  store(g, beta != 0 ? beta * load(g) + alpha * sum : alpha * sum);
}
