#if REAL_BYTES == 4
/* (e^(kr) - 1) / k for |kr| <= ln 2 / 2, k a power of two: r + r^2 q(r), relative error
 * 1.4e-8. */
INLINE vec expm1_over(vec r, float k) {
  vec w = r * r, even = r * (0.166665465f * k * k) + 0.49999997f * k;
  vec odd = r * (0.00836626533f * k * k * k * k) + 0.0416674353f * k * k * k;
  return r + w * (even + w * (odd + w * (0.00138706795f * k * k * k * k * k)));
}
#endif
