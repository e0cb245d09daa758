/* A function of libm, lane by lane. */
#define EACH(function, x)                                                 \
  real lane[LANES];                                                       \
  store(lane, x);                                                         \
  for (int i = 0; i < (int)LANES; i++) lane[i] = (real)function(lane[i]); \
  return load(lane)
