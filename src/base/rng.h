/* base/rng.h -- random numbers that are a pure function of (seed, stream, item): the same on any rank, thread or
 * order of asking. Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC11 (Philox-4x32-10). */
#ifndef DIPPER_BASE_RNG_H
#define DIPPER_BASE_RNG_H

#include <stdint.h>

/* Local. Four words for one (seed, stream, item). A stream is a purpose: a tree, an epoch, a column. */
void dp_random_words(uint32_t out[4], uint64_t seed, uint64_t stream, uint64_t item);
/* Local. The first 64 bits of the same. */
uint64_t dp_random_u64(uint64_t seed, uint64_t stream, uint64_t item);
/* Local. Uniform in [0, 1), a multiple of 2^-53. */
double dp_random_unit(uint64_t seed, uint64_t stream, uint64_t item);
/* Local. Uniform in 0 .. n-1 without bias beyond 2^-64 * n. n > 0. */
uint64_t dp_random_below(uint64_t seed, uint64_t stream, uint64_t item, uint64_t n);

#endif
