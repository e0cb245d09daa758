/* dL/dx = (dy - mean(dy) - y mean(dy y)) scale, where means are over the rows */
OUTLINE void normalize_features_back(int n, int width, int pitch, const real *dy, const real *y,
                                     const real *scale, real *dx) {
  for (int c = 0; c < width; c += LANES) {
    vec sum = fill(0), dot = fill(0);
    for (int s = 0, at = c; s < n; s++, at += pitch) {
      sum += load(dy + at);
      dot += load(dy + at) * load(y + at);
    }
    sum /= (real)n;
    dot /= (real)n;
    for (int s = 0, at = c; s < n; s++, at += pitch)
      store(dx + at, (load(dy + at) - sum - load(y + at) * dot) * load(scale + c));
  }
}
