/* trees/chances.h -- margins to chances, many at a time: the same loop, and the same bits, with each instruction set.
 */
#ifndef DIPPER_TREES_CHANCES_H
#define DIPPER_TREES_CHANCES_H

#include "device/tree_math.h"

static inline void chances_loop(const int64_t *margin, int64_t n, float *chance)
{
    for (int64_t i = 0; i < n; i++)
        chance[i] = (float)tree_sigmoid(tree_margin(margin[i]));
}

#if defined __x86_64__
void chances_avx512(const int64_t *margin, int64_t n, float *chance);
#endif

#endif
