#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>

#include "kernels/cpu/tree_loops.h"

/* ---- floats to bins ---- */

/* Table of level l of a search tree over 2^levels - 1 borders, by position 0 .. 2^l - 1. */
static __m512 level_table(const float *border, int n_borders, int levels, int level, int first)
{
    float table[16];
    for (int i = 0; i < 16; i++) {
        int at = (2 * (first + i) + 1) * (1 << (levels - 1 - level)) - 1;
        table[i] = first + i < 1 << level && at < n_borders ? border[at] : __builtin_inff();
    }
    return _mm512_loadu_ps(table);
}

/* All of a search tree in registers: a level of up to 16 nodes is one, the last three are 2, 4 and 8. */
typedef struct SearchTree {
    __m512 top[5], five[2], six[4], seven[8];
} SearchTree;

static inline __m512 look_up(const SearchTree *tree, int level, __m512i at)
{
    if (level < 5)
        return _mm512_permutexvar_ps(at, tree->top[level]);
    if (level == 5)
        return _mm512_permutex2var_ps(tree->five[0], at, tree->five[1]);
    __mmask16 upper = _mm512_test_epi32_mask(at, _mm512_set1_epi32(32));
    const __m512 *t = level == 6 ? tree->six : tree->seven;
    __m512 found =
        _mm512_mask_blend_ps(upper, _mm512_permutex2var_ps(t[0], at, t[1]), _mm512_permutex2var_ps(t[2], at, t[3]));
    if (level == 6)
        return found;
    __m512 rest =
        _mm512_mask_blend_ps(upper, _mm512_permutex2var_ps(t[4], at, t[5]), _mm512_permutex2var_ps(t[6], at, t[7]));
    return _mm512_mask_blend_ps(_mm512_test_epi32_mask(at, _mm512_set1_epi32(64)), found, rest);
}

/* 16 values at a time walk down the tree together: no gather, no branch. */
__attribute__((always_inline)) static inline void bin_levels(const float *values, int64_t n, const SearchTree *tree,
                                                             const int levels, uint8_t *bins)
{
    const __m512i one = _mm512_set1_epi32(1);
    for (int64_t i = 0; i < n; i += 16) {
        __mmask16 some = n - i < 16 ? (__mmask16)((1U << (n - i)) - 1) : 0xFFFF;
        __m512 v = _mm512_maskz_loadu_ps(some, values + i);
        __m512i at = _mm512_setzero_si512();
        for (int level = 0; level < levels; level++) {
            __mmask16 above = _mm512_cmp_ps_mask(look_up(tree, level, at), v, _CMP_LT_OQ);
            at = _mm512_add_epi32(at, at);
            at = _mm512_mask_add_epi32(at, above, at, one);
        }
        at = _mm512_maskz_add_epi32(_mm512_cmp_ps_mask(v, v, _CMP_ORD_Q), at, one);
        _mm512_mask_cvtepi32_storeu_epi8(bins + i, some, at);
    }
}

#define HAVE_BIN
static void loop_bin(const float *values, int64_t n, const float *border, int n_borders, uint8_t *bins)
{
    SearchTree tree;
    int levels = n_borders > 127 ? 8 : n_borders > 31 ? 7 : 5;
    for (int l = 0; l < 5; l++)
        tree.top[l] = level_table(border, n_borders, levels, l, 0);
    for (int i = 0; i < 2 && levels > 5; i++)
        tree.five[i] = level_table(border, n_borders, levels, 5, 16 * i);
    for (int i = 0; i < 4 && levels > 6; i++)
        tree.six[i] = level_table(border, n_borders, levels, 6, 16 * i);
    for (int i = 0; i < 8 && levels > 7; i++)
        tree.seven[i] = level_table(border, n_borders, levels, 7, 16 * i);
    if (levels == 5)
        bin_levels(values, n, &tree, 5, bins);
    else if (levels == 7)
        bin_levels(values, n, &tree, 7, bins);
    else
        bin_levels(values, n, &tree, 8, bins);
}

/* ---- partition ---- */

/* 16 rows: gather their bins (4 bytes each, of which one counts; columns are padded), compare, and store those that
 * stay and those that go from registers: compressing into memory is many times slower. Whole registers are stored; in
 * front they overwrite only rows already read, and near the end of `right` a mask keeps to its own part. */
#define HAVE_PARTITION
enum { PARTITION_AHEAD = 48 };
static int64_t loop_partition(const uint8_t *column, int bin, bool missing_right, uint32_t *index, int64_t n,
                              uint32_t *right)
{
    const __m512i byte = _mm512_set1_epi32(0xFF), shift = _mm512_set1_epi32(missing_right);
    const __m512i limit = _mm512_set1_epi32(bin - (missing_right ? 1 : 0));
    int64_t stay = 0, go = 0;
    for (int64_t i = 0; i < n; i += 16) {
        int m = n - i < 16 ? (int)(n - i) : 16;
        __mmask16 some = (__mmask16)((1U << m) - 1);
        for (int k = 0; k < 16; k++)
            __builtin_prefetch(column + index[i + PARTITION_AHEAD + k]);
        __m512i rows = _mm512_maskz_loadu_epi32(some, index + i);
        __m512i b = _mm512_i32gather_epi32(rows, column, 1);
        b = _mm512_and_si512(_mm512_sub_epi32(b, shift), byte);
        __mmask16 goes = _mm512_mask_cmpgt_epi32_mask(some, b, limit), stays = (__mmask16)(some & ~goes);
        int n_goes = __builtin_popcount(goes), n_stays = m - n_goes;
        __m512i going = _mm512_maskz_compress_epi32(goes, rows), staying = _mm512_maskz_compress_epi32(stays, rows);
        if (m == 16)
            _mm512_storeu_si512(index + stay, staying);
        else
            _mm512_mask_storeu_epi32(index + stay, (__mmask16)((1U << n_stays) - 1), staying);
        if (go + 16 <= n)
            _mm512_storeu_si512(right + go, going);
        else
            _mm512_mask_storeu_epi32(right + go, (__mmask16)((1U << n_goes) - 1), going);
        stay += n_stays;
        go += n_goes;
    }
    return stay;
}

/* A whole register is stored: past the list's end lies what is written next, but for the last rows of the stretch,
 * which are masked. */
#define HAVE_LIST
static int64_t loop_list(const TreePair *pair, int64_t from, int64_t to, uint32_t *drawn)
{
    const __m512i none = _mm512_set1_epi32(TREE_NOT_DRAWN), step = _mm512_set1_epi32(16);
    __m512i rows = _mm512_add_epi32(_mm512_set1_epi32((int)from),
                                    _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
    int64_t n = 0, size = to - from;
    for (int64_t i = 0; i < size; i += 16) {
        __mmask16 some = size - i < 16 ? (__mmask16)((1U << (size - i)) - 1) : 0xFFFF;
        __mmask16 in = _mm512_mask_cmpneq_epi32_mask(some, _mm512_maskz_loadu_epi32(some, pair + from + i), none);
        int n_in = __builtin_popcount(in);
        __mmask16 keep = n + 16 <= size ? 0xFFFF : (__mmask16)((1U << n_in) - 1);
        _mm512_mask_storeu_epi32(drawn + n, keep, _mm512_maskz_compress_epi32(in, rows));
        rows = _mm512_add_epi32(rows, step);
        n += n_in;
    }
    return n;
}

/* ---- a tree's leaves ---- */

/* Which of the rows at .. at + 63 go right. */
#define HAVE_GOES
static inline uint64_t walk_goes(const WalkNode *node, int64_t at)
{
    __m512i bins = _mm512_sub_epi8(_mm512_loadu_si512(node->column + at), _mm512_set1_epi8((char)node->shift));
    return _mm512_cmpge_epu8_mask(bins, _mm512_set1_epi8((char)node->least)) & node->live;
}

/* The leaves of 64 rows from a word a level, a byte of them. */
static inline __m512i leaf_byte(const uint64_t *right, int levels)
{
    const __m512i one = _mm512_set1_epi8(1);
    __m512i leaf = _mm512_setzero_si512();
    for (int level = 0; level < levels; level++) {
        leaf = _mm512_add_epi8(leaf, leaf);
        leaf = _mm512_mask_add_epi8(leaf, right[level], leaf, one);
    }
    return leaf;
}

static inline void walk_write(const uint64_t *right, int depth, uint16_t *leaf, int n)
{
    int above = depth > 8 ? depth - 8 : 0;
    uint64_t some = n < 64 ? (UINT64_C(1) << n) - 1 : UINT64_MAX;
    __m512i low = leaf_byte(right + above, depth - above), high = leaf_byte(right, above);
    __m512i first = _mm512_cvtepu8_epi16(_mm512_castsi512_si256(low));
    __m512i second = _mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64(low, 1));
    if (above) {
        first = _mm512_or_si512(first, _mm512_slli_epi16(_mm512_cvtepu8_epi16(_mm512_castsi512_si256(high)), 8));
        second =
            _mm512_or_si512(second, _mm512_slli_epi16(_mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64(high, 1)), 8));
    }
    _mm512_mask_storeu_epi16(leaf, (__mmask32)some, first);
    _mm512_mask_storeu_epi16(leaf + 32, (__mmask32)(some >> 32), second);
}

#include "kernels/cpu/tree_loops_body.h"

const CpuLoops cpu_loops_avx512 = LOOPS_TABLE("avx512", margins_avx512);
