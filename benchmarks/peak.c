/* The float32 peak of one core in fused multiply-adds, in GFLOP/s: best of many trials.

   Each accumulator is one vector register and waits for nothing but itself; there are more
   of them than a core has multiply-adds in flight (latency times units: 8 to 10), and
   few enough to stay in registers. A multiply-add counts as two operations. */

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#if defined(__AVX512F__)
enum { LANES = 16, ACCUMULATORS = 24 }; /* of 32 registers */
#elif defined(__AVX__)
enum { LANES = 8, ACCUMULATORS = 12 }; /* of 16 */
#elif defined(__ARM_NEON)
enum { LANES = 4, ACCUMULATORS = 24 }; /* of 32 */
#else
enum { LANES = 4, ACCUMULATORS = 12 }; /* of 16 */
#endif
enum { STEPS = 200000 };

typedef float vector __attribute__((vector_size(4 * LANES)));

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Seconds that STEPS rounds of ACCUMULATORS multiply-adds take. */
static double trial(float seed, float *sink)
{
    vector sum[ACCUMULATORS], factor, term;
    for (int lane = 0; lane < LANES; lane++) {
        factor[lane] = 1.0f - seed; /* near 1: neither overflow nor subnormal numbers */
        term[lane] = seed;
    }
    for (int i = 0; i < ACCUMULATORS; i++)
        sum[i] = term * (float)(i + 1);
    double start = now();
    for (long step = 0; step < STEPS; step++) {
#pragma GCC unroll 32
        for (int i = 0; i < ACCUMULATORS; i++)
            sum[i] = sum[i] * factor + term;
    }
    double seconds = now() - start;
    vector all = sum[0];
    for (int i = 1; i < ACCUMULATORS; i++)
        all += sum[i];
    *sink += all[0];
    return seconds;
}

int main(int count, char **arguments)
{
    double limit = count > 1 ? atof(arguments[1]) : 2.0, best = 0.0;
    float sink = 0.0f;
    double end = now() + limit;
    do {
        double seconds = trial(1e-3f, &sink);
        double rate = 2.0 * LANES * ACCUMULATORS * STEPS / seconds * 1e-9;
        if (rate > best)
            best = rate;
    } while (now() < end);
    printf("%.2f %d\n", best, 32 * LANES);
    return sink == 12345.0f;
}
