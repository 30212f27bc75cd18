#include "trees/chances.h"

#include "trees/trees.h"

double trees_probability(int64_t margin)
{
    return tree_sigmoid(tree_margin(margin));
}

void trees_chances(const int64_t *margin, int64_t n, float *chance)
{
#if defined __x86_64__
    if (__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
        chances_avx512(margin, n, chance);
        return;
    }
#endif
    chances_loop(margin, n, chance);
}
