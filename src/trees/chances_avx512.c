/* Only this instruction set makes eight doubles of eight 64-bit integers at once. */
#include "trees/chances.h"

void chances_avx512(const int64_t *margin, int64_t n, float *chance)
{
    chances_loop(margin, n, chance);
}
