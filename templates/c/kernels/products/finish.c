/* What is done to a product before it is stored: a bias is added and `kind` applied, or, for a
 * derivative, it goes through the activation whose result was y. */
struct finish {
  const real *bias;
  enum activation kind;
  const real *y;
};

INLINE vec finished(struct finish finish, vec z, int at) {
  return finish.y ? through(finish.kind, z, load(finish.y + at)) : activated(finish.kind, z);
}
