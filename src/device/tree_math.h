/* device/tree_math.h -- the fixed sequences of IEEE operations that make a model the same bits everywhere.
 *
 * Only + - * / on double (each correctly rounded by IEEE 754), comparisons and integer operations; no library
 * function, no fused multiply-add (-ffp-contract=off, --fmad=false). No branch, so that loops over them vectorise and
 * every instruction set gives the same bits. */
#ifndef DIPPER_DEVICE_TREE_MATH_H
#define DIPPER_DEVICE_TREE_MATH_H

#include <stdint.h>
#include <string.h>

#ifdef __CUDACC__
#define TREE_INLINE static __host__ __device__ __forceinline__
#else
#define TREE_INLINE static inline
#endif

TREE_INLINE uint64_t tree_bits(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

TREE_INLINE double tree_double(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* A number's key sorts as it does: -0 is +0, infinities are the largest finite numbers. No key is 2^32 - 1. */
TREE_INLINE uint32_t tree_key(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7FFFFFFF) == 0x7F800000)
        bits--;
    if (bits == 0x80000000)
        bits = 0;
    return bits & 0x80000000 ? ~bits : bits | 0x80000000;
}

/* Adding 1.5 * 2^52 leaves a double's nearest integer in its low bits. */
#define TREE_MAGIC 0x1.8p52

/* e^-a for a >= 0, within 1 unit in the last place; a above 700 counts as 700. e^-a = 2^k e^r, |r| <= ln 2 / 2, where
 * ln 2 is cut in two parts (Cody & Waite 1980) so that k times the high one is exact; Taylor's series to r^13 / 13!,
 * whose rest is below 2^-58. */
TREE_INLINE double tree_exp_minus(double a)
{
    double x = a > 700.0 ? -700.0 : -a;
    double t = x * 0x1.71547652b82fep+0 + TREE_MAGIC, k = t - TREE_MAGIC;
    double r = (x - k * 0x1.62e42fefa0000p-1) - k * 0x1.cf79abc9e3b3ap-40;
    double q = 0x1.6124613a86d09p-33; /* 1 / 13! */
    q = q * r + 0x1.1eed8eff8d898p-29;
    q = q * r + 0x1.ae64567f544e4p-26;
    q = q * r + 0x1.27e4fb7789f5cp-22;
    q = q * r + 0x1.71de3a556c734p-19;
    q = q * r + 0x1.a01a01a01a01ap-16;
    q = q * r + 0x1.a01a01a01a01ap-13;
    q = q * r + 0x1.6c16c16c16c17p-10;
    q = q * r + 0x1.1111111111111p-7;
    q = q * r + 0x1.5555555555555p-5;
    q = q * r + 0x1.5555555555555p-3;
    q = q * r + 0.5;
    q = q * r * r + r + 1.0;
    return tree_double(tree_bits(q) + (tree_bits(t) << 52));
}

/* 1 / (1 + e^-x), within 1e-15. */
TREE_INLINE double tree_sigmoid(double x)
{
    double e = tree_exp_minus(x < 0 ? -x : x), d = 1.0 / (1.0 + e);
    return x < 0 ? e * d : d;
}

/* Natural logarithm of a normal x > 0, within 2 units in the last place of the larger part: x = 2^k m, m in [sqrt 1/2,
 * sqrt 2), log m = 2 artanh((m - 1) / (m + 1)) by its series to the 23rd power, whose rest is below 2^-60. */
TREE_INLINE double tree_log(double x)
{
    uint64_t bits = tree_bits(x), shifted = bits - UINT64_C(0x3fe6a09e667f3bcd);
    int64_t k = (int64_t)shifted >> 52;
    double m = tree_double(bits - ((uint64_t)k << 52)), s = (m - 1.0) / (m + 1.0), z = s * s, q = 1.0 / 23.0;
    for (int i = 21; i >= 3; i -= 2)
        q = q * z + 1.0 / (double)i;
    return (double)k * 0x1.62e42fefa0000p-1 + ((double)k * 0x1.cf79abc9e3b3ap-40 + 2.0 * s * (z * q) + 2.0 * s);
}

/* A margin (or a leaf) in counts of 2^-20 as a number. */
TREE_INLINE double tree_margin(int64_t counts)
{
    return (double)counts * 0x1p-20;
}

/* x as a count of the units that `scale` of make 1, to the nearest. |x * scale| < 2^51. */
TREE_INLINE int64_t tree_fixed(double x, double scale)
{
    return (int64_t)(tree_bits(x * scale + TREE_MAGIC) - tree_bits(TREE_MAGIC));
}

/* 64 random bits, a function of (key, row) alone. Source: D. Stafford's mix 13, the finaliser of splitmix64; the key
 * of a tree comes from Philox. */
TREE_INLINE uint64_t tree_mix(uint64_t key, uint64_t row)
{
    uint64_t z = row ^ key;
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* x rounded down or up at random with the chances that keep its mean: floor(x + u), u = 24 random bits / 2^24.
 * |x| <= 16383. Adding 32768 makes the conversion's cut a floor. */
TREE_INLINE int32_t tree_round(double x, uint64_t random24)
{
    return (int32_t)(x + ((double)(int32_t)(uint32_t)random24 * 0x1p-24 + 32768.0)) - 32768;
}

/* The size class of |g| as a share of the largest there can be: 64 classes an octave from 2^-16 on, what is smaller is
 * class 0. A class's value counts 2^-22 and is at most its members' size (class 0 aside), by less than a part in 64. */
enum { TREE_SIZES = 16 * 64 + 1 };
TREE_INLINE uint32_t tree_size(double share)
{
    double x = share < 0x1p-16 ? 0x1p-16 : share > 1.0 ? 1.0 : share;
    return (uint32_t)(tree_bits(x) >> 46) - (1007U << 6);
}
TREE_INLINE int64_t tree_size_value(int size)
{
    return (int64_t)(64 + (size & 63)) << (size >> 6);
}

/* A sum of gradients, l1 nearer to 0: the soft threshold. Unchanged where l1 is 0. */
TREE_INLINE double tree_shrink(double g, double l1)
{
    double a = (g < 0 ? -g : g) - l1;
    a = a > 0 ? a : 0;
    return g < 0 ? -a : a;
}

/* The term of one side of a split, or of a node: S(G)^2 / (H + l2), S the soft threshold, in levels times their units.
 */
TREE_INLINE double tree_score(int64_t g, int64_t h, double g_unit, double h_unit, double l1, double l2)
{
    double gd = tree_shrink((double)g * g_unit, l1), hd = (double)h * h_unit;
    return gd * gd / (hd + l2);
}

/* What a side would add before the rate, within low .. high; and its term when it adds v, which need not be the best.
 */
TREE_INLINE double tree_value(int64_t g, int64_t h, double g_unit, double h_unit, double l1, double l2, double low,
                              double high)
{
    double v = -tree_shrink((double)g * g_unit, l1) / ((double)h * h_unit + l2);
    v = v < low ? low : v;
    return v > high ? high : v;
}
TREE_INLINE double tree_score_at(int64_t g, int64_t h, double g_unit, double h_unit, double l1, double l2, double v)
{
    double gd = (double)g * g_unit, hd = (double)h * h_unit + l2;
    return -(2.0 * (gd * v + l1 * (v < 0 ? -v : v)) + hd * v * v);
}
/* A split must be better than its node by this factor, which is far above rounding and far below any use. */
#define TREE_GAIN_LEAST (1.0 + 0x1p-40)

/* A leaf in counts of 2^-20: -rate S(G) / (H + l2) to the nearest, within +-2^30; sums in counts of their units. */
TREE_INLINE int32_t tree_leaf(int64_t g, int64_t h, double g_unit, double h_unit, double l1, double l2, double rate)
{
    double hd = (double)h * h_unit + l2, gd = tree_shrink((double)g * g_unit, l1);
    double v = hd > 0 ? -(rate * gd) / hd * 0x1p20 : 0;
    v = v > 0x1p30 ? 0x1p30 : v < -0x1p30 ? -0x1p30 : v;
    return (int32_t)tree_fixed(v, 1.0);
}

#endif
