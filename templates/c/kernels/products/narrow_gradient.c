/* The same for a narrow layer, whose weight is (out, in). */
INLINE void narrow_gradient(int n, const real *x, int x_pitch, int in, const real *dy,
                            int out, real *g, int g_pitch, real *g_bias, real beta,
                            real alpha) {
  gradient(n, dy, out, out, x, x_pitch, in, g, g_pitch, NULL, NULL, beta, alpha);
  for (int o = 0; g_bias && o < out; o++) {
    real sum[4] = {0};
    int s = 0;
    for (; s + 4 <= n; s += 4)
      for (int q = 0; q < 4; q++) sum[q] += dy[(s + q) * out + o];
    for (; s < n; s++) sum[0] += dy[s * out + o];
    sum[0] = alpha * ((sum[0] + sum[1]) + (sum[2] + sum[3]));
    g_bias[o] = beta != 0 ? beta * g_bias[o] + sum[0] : sum[0];
  }
}
