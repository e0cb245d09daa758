/* The largest error of an emitted net's functions of float32 vectors, over all 2^32 inputs.

   This file is compiled in two ways. With -DSOURCE='"net.c"' it is a library with one build of that
   net's functions, named by -DFUNCTIONS='F(exp) F(tanh)'. Without, it is the program

       ulp FUNCTION STRIDE LIBRARY...

   that walks the inputs, every STRIDE-th of them and the special ones, and compares each library
   with the double-precision libm. It prints a line for each library:

       name  largest error in ulp  where  found  expected  zeros with the wrong sign

   An error is |found - exact| / (distance of floats at exact); that distance is 2^-149 where the
   result is subnormal. Infinity counts as 2^128, the next float had the exponents gone on, on both
   sides: so an overflow is judged as a rounding is. NaN has to meet NaN. The libm's own error, near
   2^-52 of the result, is 4e-9 ulp. */

enum { BLOCK = 4096 };

#ifdef SOURCE

#include SOURCE

#define F(f)                                              \
    void ulp_##f(const float *x, float *y);               \
    void ulp_##f(const float *x, float *y)                \
    {                                                     \
        for (int i = 0; i < BLOCK; i += (int)LANES)       \
            store(y + i, v##f(load(x + i)));              \
    }
FUNCTIONS

#else

#include <dlfcn.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }

static const struct {
    const char *name;
    double (*exact)(double);
    int odd; /* f(-0) is -0 */
} FUNCTIONS[] = {
    {"exp", exp, 0}, {"log", log, 0}, {"log1p", log1p, 1}, {"tanh", tanh, 1}, {"sigmoid", sigmoid, 0},
    {"expm1", expm1, 1}, {"erf", erf, 1}, {"sin", sin, 1}, {"cos", cos, 0}};

enum { MOST = 64 };
static struct {
    void (*run)(const float *, float *);
    double ulp;
    float at, found;
    int wrong_zeros;
} builds[MOST];
static int count, function;

static double clipped(double x)
{
    return x > 0x1p128 ? 0x1p128 : x < -0x1p128 ? -0x1p128 : x;
}

/* One over the distance of floats at x. */
static double per_ulp(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, 8);
    int exponent = (int)(bits >> 52 & 2047) - 1023 - 23;
    exponent = exponent < -149 ? -149 : exponent > 104 ? 104 : exponent;
    bits = (uint64_t)(1023 - exponent) << 52;
    memcpy(&x, &bits, 8);
    return x;
}

static double error(float found, double exact, double scale)
{
    double value = found > FLT_MAX ? 0x1p128 : found < -FLT_MAX ? -0x1p128 : found;
    return fabs(value - exact) * scale;
}

static void compare(const float *x)
{
    static double exact[BLOCK], scale[BLOCK];
    static float found[BLOCK];
    for (int i = 0; i < BLOCK; i++) {
        exact[i] = clipped(FUNCTIONS[function].exact(x[i]));
        scale[i] = per_ulp(exact[i]);
    }
    for (int b = 0; b < count; b++) {
        builds[b].run(x, found);
        int worse = 0; /* a loop without branches finds blocks worth another look */
        for (int i = 0; i < BLOCK; i++)
            worse |= !(error(found[i], exact[i], scale[i]) <= builds[b].ulp);
        for (int i = 0; worse && i < BLOCK; i++) {
            double e = error(found[i], exact[i], scale[i]);
            if (isnan(found[i]) || isnan(exact[i]))
                e = isnan(found[i]) && isnan(exact[i]) ? 0 : INFINITY;
            if (e > builds[b].ulp) {
                builds[b].ulp = e;
                builds[b].at = x[i];
                builds[b].found = found[i];
            }
        }
        for (int i = 0; FUNCTIONS[function].odd && i < BLOCK; i++)
            builds[b].wrong_zeros += x[i] == 0 && !signbit(found[i]) != !signbit(x[i]);
    }
}

static float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, 4);
    return x;
}

int main(int arguments, char **argument)
{
    static const uint32_t SPECIAL[] = {
        0, 1, 2, 0x7fffff, 0x800000, 0x800001,            /* zero, the least and normal numbers */
        0x3f7fffff, 0x3f800000, 0x3f800001,               /* 1 and its neighbours */
        0x7f7fffff, 0x7f800000, 0x7f800001, 0x7fc00000,   /* the largest, infinity, NaN */
        0x42b17217, 0x42b17218, 0x42aeac50};              /* where exp overflows, is subnormal */
    enum { SPECIALS = sizeof SPECIAL / sizeof *SPECIAL };
    static float x[BLOCK];
    if (arguments < 4 || arguments - 3 > MOST) return 2;
    uint64_t stride = strtoull(argument[2], NULL, 10);
    while (strcmp(FUNCTIONS[function].name, argument[1]))
        if (++function == sizeof FUNCTIONS / sizeof *FUNCTIONS) return 2;
    char name[32] = "ulp_";
    strcat(name, FUNCTIONS[function].name);
    for (; count < arguments - 3; count++) {
        void *library = dlopen(argument[3 + count], RTLD_NOW | RTLD_LOCAL);
        void *found = library ? dlsym(library, name) : NULL;
        if (!stride || !found) return 2;
        memcpy(&builds[count].run, &found, sizeof found); /* C has no cast for this */
    }

    for (int i = 0; i < BLOCK; i++)
        x[i] = float_of(SPECIAL[i / 2 % SPECIALS] ^ (uint32_t)(i & 1) << 31);
    compare(x);
    for (uint64_t bits = 0; bits >> 32 == 0;) {
        for (int i = 0; i < BLOCK; i++, bits += stride)
            x[i] = float_of(bits >> 32 == 0 ? (uint32_t)bits : 0);
        compare(x);
    }
    for (int b = 0; b < count; b++)
        printf("%s %.4f %.9g %.9g %.9g %d\n", argument[3 + b], builds[b].ulp, builds[b].at,
               builds[b].found, FUNCTIONS[function].exact(builds[b].at), builds[b].wrong_zeros);
    return 0;
}

#endif
