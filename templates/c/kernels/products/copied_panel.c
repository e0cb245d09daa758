/* The panel of what columns have: `depth` pieces of them, one behind the other. */
INLINE void copied_panel(int vectors, int depth, const real *b, int b_pitch, real *panel) {
  for (int i = 0; i < depth; i++)
    for (int v = 0; v < vectors; v++)
      store(panel + (i * vectors + v) * LANES, load(b + i * b_pitch + v * LANES));
}
