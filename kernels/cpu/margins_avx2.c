/* kernels/cpu/margins_avx2.c -- margins with AVX2: the search tree of borders is looked up in registers, compares
 * make masks by vpmovmskb, and leaves lie in byte planes, so
 * that a table of 64 leaves is four tables of 16 for vpshufb. Bytes are added as 16-bit lanes, all of them and their
 * high halves: exact for PENDING_MAX trees. */
#include <immintrin.h>

#include "device/backend.h"

#define HAVE_SEARCH
static inline __m256 eight_of(const float *level, __m256i i)
{
    return _mm256_permutevar8x32_ps(_mm256_loadu_ps(level), i);
}

/* The borders that eight lanes look at, at level l; i: the turns so far. Up to 32 they are looked up in registers. */
static inline __m256 border_at(const float *search, int l, __m256i i)
{
    const float *level = search + (1 << l);
    __m256 third = _mm256_castsi256_ps(_mm256_slli_epi32(i, 28)); /* bit 3 as a sign, and bit 4 */
    __m256 fourth = _mm256_castsi256_ps(_mm256_slli_epi32(i, 27));
    if (l == 0)
        return _mm256_set1_ps(*level);
    if (l <= 3)
        return eight_of(level, i);
    if (l > 5)
        return _mm256_i32gather_ps(level, i, 4);
    __m256 low = _mm256_blendv_ps(eight_of(level, i), eight_of(level + 8, i), third);
    if (l == 4)
        return low;
    return _mm256_blendv_ps(low, _mm256_blendv_ps(eight_of(level + 16, i), eight_of(level + 24, i), third), fourth);
}

static inline __attribute__((always_inline)) void search_levels(const float *search, int levels, const float *value,
                                                                int rows, int32_t *below)
{
    for (int r = 0; r < rows; r += 8) {
        __m256 v = _mm256_loadu_ps(value + r);
        __m256i turns = _mm256_setzero_si256(), found = turns;
#pragma GCC unroll 8
        for (int l = 0; l < levels; l++) {
            __m256i right = _mm256_castps_si256(_mm256_cmp_ps(border_at(search, l, turns), v, _CMP_LT_OQ));
            turns = _mm256_or_si256(turns, _mm256_and_si256(right, _mm256_set1_epi32(1 << l)));
            found = _mm256_or_si256(found, _mm256_and_si256(right, _mm256_set1_epi32(1 << (levels - 1 - l))));
        }
        _mm256_storeu_si256((__m256i *)(void *)(below + r), found);
    }
}

/* Constant numbers of levels for the compiler where they are many. */
static void search_values(const float *search, int levels, const float *value, int rows, int32_t *below)
{
    switch (levels) {
    case 4:
        search_levels(search, 4, value, rows, below);
        break;
    case 5:
        search_levels(search, 5, value, rows, below);
        break;
    case 6:
        search_levels(search, 6, value, rows, below);
        break;
    case 7:
        search_levels(search, 7, value, rows, below);
        break;
    case 8:
        search_levels(search, 8, value, rows, below);
        break;
    default:
        search_levels(search, levels, value, rows, below);
    }
}

#define HAVE_COMPARE
static inline uint64_t compare_64(const uint8_t *place, uint8_t flip, uint8_t least)
{
    const __m256i off = _mm256_set1_epi8((char)flip), limit = _mm256_set1_epi8((char)least);
    __m256i low = _mm256_sub_epi8(_mm256_loadu_si256((const __m256i *)(const void *)place), off);
    __m256i high = _mm256_sub_epi8(_mm256_loadu_si256((const __m256i *)(const void *)(place + 32)), off);
    low = _mm256_cmpeq_epi8(_mm256_max_epu8(low, limit), low);
    high = _mm256_cmpeq_epi8(_mm256_max_epu8(high, limit), high);
    return (uint32_t)_mm256_movemask_epi8(low) | (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32;
}

#define HAVE_SUMS
enum { PENDING_MAX = 256, PLANES = 4, HALVES = 2 };
typedef struct Sums {
    __m256i all[PLANES][HALVES], odd[PLANES][HALVES]; /* 16-bit lanes: both rows of a lane modulo 2^16, the odd row */
    int64_t total[64];
    int pending;
} Sums;

static void clear_pending(Sums *sums)
{
    for (int p = 0; p < PLANES; p++)
        for (int h = 0; h < HALVES; h++)
            sums->all[p][h] = sums->odd[p][h] = _mm256_setzero_si256();
    sums->pending = 0;
}

static void sums_begin(Sums *sums, const TreePlan *plan)
{
    for (int r = 0; r < 64; r++)
        sums->total[r] = plan->plane_bias;
    clear_pending(sums);
}

static void sums_end(Sums *sums)
{
    for (int p = 0; p < PLANES && sums->pending > 0; p++)
        for (int h = 0; h < HALVES; h++) {
            uint16_t even[16], odd[16];
            __m256i low = _mm256_sub_epi16(sums->all[p][h], _mm256_slli_epi16(sums->odd[p][h], 8));
            _mm256_storeu_si256((__m256i *)(void *)even, low);
            _mm256_storeu_si256((__m256i *)(void *)odd, sums->odd[p][h]);
            for (int i = 0; i < 16; i++) {
                sums->total[32 * h + 2 * i] += (int64_t)even[i] << 8 * p;
                sums->total[32 * h + 2 * i + 1] += (int64_t)odd[i] << 8 * p;
            }
        }
    clear_pending(sums);
}

/* A table of 64 bytes at 32 indexes below 64: vpshufb sees the low four bits, two blends the others. */
static inline __m256i look_up(const uint8_t *table, __m256i index)
{
    __m256i part[4];
    for (int k = 0; k < 4; k++) {
        __m128i bytes = _mm_load_si128((const __m128i *)(const void *)(table + 16 * k));
        part[k] = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(bytes), index);
    }
    __m256i fourth = _mm256_slli_epi16(index, 3), fifth = _mm256_slli_epi16(index, 2); /* to the sign of the byte */
    return _mm256_blendv_epi8(_mm256_blendv_epi8(part[0], part[1], fourth),
                              _mm256_blendv_epi8(part[2], part[3], fourth), fifth);
}

/* Deeper than 6: byte by byte. */
static void add_bytes(Sums *sums, const TreePlan *plan, const TreePlanTree *tree, const uint8_t index[64])
{
    for (int p = 0; p < tree->planes; p++) {
        const uint8_t *plane = plan->plane + tree->plane + (p << tree->depth);
        for (int r = 0; r < 64; r++)
            sums->total[r] += (int64_t)plane[index[r]] << 8 * p;
    }
}

static void sums_add(Sums *sums, const TreePlan *plan, const TreePlanTree *tree, const uint8_t index[64])
{
    if (tree->depth > 6) {
        add_bytes(sums, plan, tree, index);
        return;
    }
    for (int h = 0; h < HALVES; h++) {
        __m256i at = _mm256_loadu_si256((const __m256i *)(const void *)(index + 32 * h));
        for (int p = 0; p < tree->planes; p++) {
            __m256i leaf = look_up(plan->plane + tree->plane + 64 * p, at);
            sums->all[p][h] = _mm256_add_epi16(sums->all[p][h], leaf);
            sums->odd[p][h] = _mm256_add_epi16(sums->odd[p][h], _mm256_srli_epi16(leaf, 8));
        }
    }
    if (++sums->pending == PENDING_MAX)
        sums_end(sums);
}

#include "kernels/cpu/margins_body.h"

void margins_avx2(const TreeMargins *job)
{
    margins_plain(job);
}
