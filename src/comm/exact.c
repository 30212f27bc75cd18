#include "comm/exact.h"

#include <math.h>
#include <string.h>

/* 2^(32 i - BIAS) is the unit of limb i; 1088 = 34 * 32 lies below the smallest denormal, 2^-1074. */
enum { BIAS = 1088, CARRY_EVERY = 1 << 29 };

static void pass_carries(ExactSum *sum)
{
    int64_t carry = 0;
    for (int i = 0; i < EXACT_LIMBS; i++) {
        int64_t value = sum->limb[i] + carry;
        carry = value >> 32; /* arithmetic shift: floor, so every limb but the last ends in 0 .. 2^32-1 */
        sum->limb[i] = i + 1 < EXACT_LIMBS ? value - carry * (INT64_C(1) << 32) : value;
    }
    sum->adds = 0;
}

void exact_add(ExactSum *sum, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    int exponent = (int)(bits >> 52 & 0x7FF);
    uint64_t mantissa = bits & ((UINT64_C(1) << 52) - 1);
    if (exponent == 0x7FF) {
        sum->special |= mantissa ? 1 : bits >> 63 ? 4 : 2;
        return;
    }
    if (exponent > 0)
        mantissa |= UINT64_C(1) << 52;
    else
        exponent = 1;
    /* value = mantissa * 2^(exponent - 1075); position of its lowest bit above 2^-BIAS: */
    unsigned at = (unsigned)(exponent - 1075 + BIAS), limb = at / 32, shift = at % 32;
    uint64_t low = mantissa << shift, high = shift ? mantissa >> (64 - shift) : 0;
    int64_t sign = bits >> 63 ? -1 : 1;
    sum->limb[limb] += sign * (int64_t)(low & 0xFFFFFFFF);
    sum->limb[limb + 1] += sign * (int64_t)(low >> 32);
    sum->limb[limb + 2] += sign * (int64_t)high;
    if (++sum->adds >= CARRY_EVERY)
        pass_carries(sum);
}

void exact_join(ExactSum *sum, const ExactSum *other)
{
    ExactSum carried = *other;
    pass_carries(&carried);
    pass_carries(sum);
    for (int i = 0; i < EXACT_LIMBS; i++)
        sum->limb[i] += carried.limb[i];
    sum->special |= carried.special;
    pass_carries(sum);
}

double exact_value(const ExactSum *sum)
{
    ExactSum s = *sum;
    double value = 0;
    bool negative;
    if (s.special & 1 || (s.special & 6) == 6)
        return NAN;
    if (s.special)
        return s.special & 2 ? INFINITY : -INFINITY;
    pass_carries(&s);
    negative = s.limb[EXACT_LIMBS - 1] < 0;
    if (negative) {
        for (int i = 0; i < EXACT_LIMBS; i++)
            s.limb[i] = -s.limb[i];
        pass_carries(&s);
    }
    /* Now a plain base-2^32 number. From the lowest limb up each step rounds once, but a lower limb is under one unit
     * of the next, so only the last additions matter: the result is within one unit in the last place and, being a
     * function of the canonical limbs alone, the same however the sum was formed. */
    for (int i = 0; i < EXACT_LIMBS; i++)
        if (s.limb[i] != 0)
            value += ldexp((double)s.limb[i], 32 * i - BIAS);
    return negative ? -value : value;
}

void comm_sum_exact(const Comm *comm, ExactSum *sums, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int64_t special[3] = {sums[i].special & 1, sums[i].special >> 1 & 1, sums[i].special >> 2 & 1};
        pass_carries(&sums[i]);
        comm_sum_i64(comm, sums[i].limb, EXACT_LIMBS);
        comm_max_i64(comm, special, 3);
        sums[i].special = (int32_t)(special[0] | special[1] << 1 | special[2] << 2);
        pass_carries(&sums[i]);
    }
}
