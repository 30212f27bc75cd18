#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "kernels/cpu/tree_loops.h"

static inline uint32_t goes_of_32(const WalkNode *node, int64_t at)
{
    __m256i bins = _mm256_sub_epi8(_mm256_loadu_si256((const __m256i *)(const void *)(node->column + at)),
                                   _mm256_set1_epi8((char)node->shift));
    return (uint32_t)_mm256_movemask_epi8(
        _mm256_cmpeq_epi8(_mm256_max_epu8(bins, _mm256_set1_epi8((char)node->least)), bins));
}

/* Which of the rows at .. at + 63 go right. */
#define HAVE_GOES
static inline uint64_t walk_goes(const WalkNode *node, int64_t at)
{
    return (goes_of_32(node, at) | (uint64_t)goes_of_32(node, at + 32) << 32) & node->live;
}

/* All ones where the byte's bit is set. */
static inline __m256i spread(uint32_t bits)
{
    const __m256i of_byte = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
    const __m256i bit = _mm256_set1_epi64x((int64_t)0x8040201008040201);
    return _mm256_cmpeq_epi8(_mm256_and_si256(_mm256_shuffle_epi8(_mm256_set1_epi32((int)bits), of_byte), bit), bit);
}

/* The leaves of 64 rows from a word a level. */
static inline void walk_write(const uint64_t *right, int depth, uint16_t *leaf, int n)
{
    uint8_t byte[2][64];
    for (int half = 0; half < 64; half += 32) {
        __m256i low = _mm256_setzero_si256(), high = low;
        for (int level = 0; level < depth; level++) {
            __m256i *to = level < depth - 8 ? &high : &low;
            *to = _mm256_sub_epi8(_mm256_add_epi8(*to, *to), spread((uint32_t)(right[level] >> half)));
        }
        _mm256_storeu_si256((__m256i *)(void *)(byte[0] + half), low);
        _mm256_storeu_si256((__m256i *)(void *)(byte[1] + half), high);
    }
    for (int i = 0; i < n; i++)
        leaf[i] = (uint16_t)(byte[0][i] | byte[1][i] << 8);
}

#include "kernels/cpu/tree_loops_body.h"

const CpuLoops cpu_loops_avx2 = LOOPS_TABLE("avx2", margins_avx2);
