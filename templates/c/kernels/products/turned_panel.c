/* The panel of w^T: depth rows of what w has as columns, for its rows c, c + 1, ... */
INLINE void turned_panel(int vectors, int rows, int depth, const real *w, int w_pitch,
                         real *panel) {
  for (int v = 0; v < vectors; v++)
    for (int i = 0; i < depth; i += LANES) {
      vec square[LANES];
      for (int r = 0; r < (int)LANES; r++) {
        int row = v * (int)LANES + r;
        square[r] = row < rows ? load(w + row * w_pitch + i) : fill(0);
      }
      turn(square);
      for (int r = 0; r < (int)LANES; r++)
        store(panel + (i + r) * vectors * (int)LANES + v * LANES, square[r]);
    }
}
