/* Write COUNT samples to standard output, three floats each: a point of the unit square, and whether
   it lies in the disk of area 1/2 around its middle.  make_data COUNT SEED > samples.bin */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* U[0, 1), by Knuth's multiplier */
static float drawn(uint64_t *state) {
  *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (float)(*state >> 40) / 16777216.0f;
}

int main(int count, char **given) {
  if (count != 3) return fprintf(stderr, "usage: make_data COUNT SEED > samples.bin\n"), 2;
  uint64_t state = strtoull(given[2], NULL, 10);
  for (long left = atol(given[1]); left > 0; left--) {
    float x0 = drawn(&state), x1 = drawn(&state);
    float a = x0 - 0.5f, b = x1 - 0.5f;
    float row[3] = {x0, x1, a * a + b * b < 0.159154943f}; /* 1 / (2 pi) */
    if (fwrite(row, sizeof row, 1, stdout) != 1) return 1;
  }
  return 0;
}
