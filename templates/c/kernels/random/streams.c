#define GOLDEN UINT64_C(0x9E3779B97F4A7C15)

static uint64_t mix(uint64_t z) {
  z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
  return z ^ (z >> 31);
}

static uint64_t hashed(uint64_t hash, const char *text) {
  for (; *text; text++) hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001B3);
  return hash;
}

static uint64_t named(const char *stream) {
  return hashed(UINT64_C(0xCBF29CE484222325), stream);
}

static uint64_t keyed(uint64_t seed, uint64_t hash) { return mix(seed + GOLDEN * hash); }

static uint64_t drawn(uint64_t key, uint64_t index) { return mix(key + (index + 1) * GOLDEN); }
