/* comm/exact.h -- sums of doubles that do not depend on their order, hence on ranks or threads.
 *
 * Every finite double is an integer multiple of 2^-1074; ExactSum holds such integers in 32-bit limbs with room for
 * carries. Adding is exact; reading rounds once. Source: U. Kulisch, "Computer Arithmetic and Validity" (2008). */
#ifndef DIPPER_COMM_EXACT_H
#define DIPPER_COMM_EXACT_H

#include <stdint.h>

#include "comm/comm.h"

enum { EXACT_LIMBS = 70 };

/* {0} is the sum of nothing. */
typedef struct ExactSum {
    int64_t limb[EXACT_LIMBS]; /* limb i counts 2^(32 i - 1088) */
    int32_t adds;              /* since the carries were last passed on */
    int32_t special;           /* bit 0: a NaN was added, 1: +Inf, 2: -Inf */
} ExactSum;

/* Local. */
void exact_add(ExactSum *sum, double value);
void exact_join(ExactSum *sum, const ExactSum *other);
/* Local. The sum, within one unit in the last place, a function of the exact sum alone. NaN when a NaN was added or
 * infinities of both signs. */
double exact_value(const ExactSum *sum);

/* Collective. n sums over all ranks, in place; the same bits on any number of ranks. */
void comm_sum_exact(const Comm *comm, ExactSum *sums, size_t n);

#endif
