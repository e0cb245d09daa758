/* y = kind(x W^T + b) for the few outputs of a narrow layer; w is W, (out, in). The rows of y
 * are not padded: LANES numbers of it are made at a time. */
INLINE void narrow(int n, const real *x, int x_pitch, int in, const real *w, int w_pitch,
                   const real *bias, int out, enum activation kind, real *y) {
  int group = (int)LANES / out ? (int)LANES / out : 1, s = 0;
  for (; group > 1 && s + group <= n; s += group) {
    vec sum[LANES];
    for (int q = 0; q < (int)LANES; q++) {
      sum[q] = fill(0);
      if (q < group * out)
        for (int i = 0; i < in; i += LANES)
          sum[q] += load(x + (s + q / out) * x_pitch + i) * load(w + q % out * w_pitch + i);
    }
    store(y + s * out, totals(sum));
  }
  for (; s < n; s++)
    for (int o = 0; o < out; o++) {
      vec sum = fill(0);
      for (int i = 0; i < in; i += LANES)
        sum += load(x + s * x_pitch + i) * load(w + o * w_pitch + i);
      y[s * out + o] = total(sum);
    }
  if (bias)
    for (s = 0; s < n; s++)
      for (int o = 0; o < out; o++) y[s * out + o] += bias[o];
  for (int at = 0; at < n * out; at += LANES) store(y + at, activated(kind, load(y + at)));
}
