/* dL/dx = (dy - mean(dy) - y mean(dy y)) scale, by rows; the padding becomes 0 */
OUTLINE void normalize_rows_back(int n, int width, int pitch, const real *dy, const real *y,
                                 const real *scale, real *dx) {
  for (int s = 0; s < n; s++, dy += pitch, y += pitch, dx += pitch) {
    vec sum = fill(0), dot = fill(0);
    for (int c = 0; c < width; c += LANES) {
      vec d = first(load(dy + c), width - c);
      sum += d;
      dot += d * load(y + c);
    }
    real mean = total(sum) / (real)width, along = total(dot) / (real)width;
    for (int c = 0; c < width; c += LANES)
      store(dx + c, first((load(dy + c) - mean - load(y + c) * along) * scale[s], width - c));
  }
}
