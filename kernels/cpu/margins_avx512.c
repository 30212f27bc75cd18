/* kernels/cpu/margins_avx512.c -- margins with AVX-512, VBMI and GFNI.
 *
 * A tile of 512 rows: floats are transposed 16 x 16, searched 16 at a time to places of a byte, compared 64 at a time
 * to masks of a bit a row. The leaf index of 64 rows is one bit-matrix transpose of the masks of a tree's levels
 * (index_of); a table of 64 leaf bytes is one register, looked up for 64 rows at once; bytes are added as 16-bit
 * lanes, all of them and their high halves. In a symmetric tree a level is one mask. In a depth-wise tree the mask of a
 * level is chosen among its nodes' masks by multiplexers, 512 rows at a time.
 *
 * Measured, 200 symmetric trees of depth 6, 32 columns, one thread: tests/bench/trees/README.md. */
#include <immintrin.h>
#include <string.h>

#include "kernels/cpu/margins.h"

enum { TILE = PLAN_TILE, LANES = 16, BLOCKS = TILE / 64, SUMS_MAX = 256, PLANES = 4 };
#define INLINE static inline __attribute__((always_inline))

/* ---- floats to places ---- */

/* 16 rows x 16 columns from x to out [16][TILE]; rows past n and columns outside `mask` are 0. */
static void transpose_16(const float *x, int64_t stride, int n, __mmask16 mask, float *out)
{
    __m512 r[16], t[16];
    for (int i = 0; i < 16; i++)
        r[i] = i < n ? _mm512_maskz_loadu_ps(mask, x + i * stride) : _mm512_setzero_ps();
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
    /* r[4 k + j]: rows 4 k .. 4 k + 3 of column j of each group of four columns */
    for (int i = 0; i < 16; i += 4) {
        __m512d a = _mm512_castps_pd(t[i]), b = _mm512_castps_pd(t[i + 1]);
        __m512d c = _mm512_castps_pd(t[i + 2]), d = _mm512_castps_pd(t[i + 3]);
        r[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, c));
        r[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, c));
        r[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(b, d));
        r[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(b, d));
    }
    for (int j = 0; j < 4; j++) {
        __m512 a = _mm512_shuffle_f32x4(r[j], r[4 + j], 0x88), b = _mm512_shuffle_f32x4(r[j], r[4 + j], 0xdd);
        __m512 c = _mm512_shuffle_f32x4(r[8 + j], r[12 + j], 0x88), d = _mm512_shuffle_f32x4(r[8 + j], r[12 + j], 0xdd);
        _mm512_store_ps(out + (int64_t)j * TILE, _mm512_shuffle_f32x4(a, c, 0x88));
        _mm512_store_ps(out + (int64_t)(4 + j) * TILE, _mm512_shuffle_f32x4(b, d, 0x88));
        _mm512_store_ps(out + (int64_t)(8 + j) * TILE, _mm512_shuffle_f32x4(a, c, 0xdd));
        _mm512_store_ps(out + (int64_t)(12 + j) * TILE, _mm512_shuffle_f32x4(b, d, 0xdd));
    }
}

/* The border that each lane looks at, at level l of the search tree; i: the turns so far, bit k that at level k. */
INLINE __m512 look_up(const float *search, int l, __m512i i)
{
    const float *level = search + (1 << l);
    if (l == 0)
        return _mm512_set1_ps(*level);
    if (l <= 4)
        return _mm512_permutexvar_ps(i, _mm512_loadu_ps(level));
    if (l == 5)
        return _mm512_permutex2var_ps(_mm512_loadu_ps(level), i, _mm512_loadu_ps(level + 16));
    __mmask16 fifth = _mm512_test_epi32_mask(i, _mm512_set1_epi32(32));
    __m512 low = _mm512_permutex2var_ps(_mm512_loadu_ps(level), i, _mm512_loadu_ps(level + 16));
    __m512 high = _mm512_permutex2var_ps(_mm512_loadu_ps(level + 32), i, _mm512_loadu_ps(level + 48));
    __m512 first = _mm512_mask_blend_ps(fifth, low, high);
    if (l == 6)
        return first;
    low = _mm512_permutex2var_ps(_mm512_loadu_ps(level + 64), i, _mm512_loadu_ps(level + 80));
    high = _mm512_permutex2var_ps(_mm512_loadu_ps(level + 96), i, _mm512_loadu_ps(level + 112));
    __mmask16 sixth = _mm512_test_epi32_mask(i, _mm512_set1_epi32(64));
    return _mm512_mask_blend_ps(sixth, first, _mm512_mask_blend_ps(fifth, low, high));
}

INLINE __m128i turns_of(const float *search, int levels, __m512 v)
{
    __m512i i = _mm512_setzero_si512();
#pragma GCC unroll 8
    for (int l = 0; l < levels; l++) {
        __mmask16 right = _mm512_cmp_ps_mask(look_up(search, l, i), v, _CMP_LT_OQ);
        i = _mm512_mask_or_epi32(i, right, i, _mm512_set1_epi32(1 << l));
    }
    return _mm512_cvtepi32_epi8(i);
}

/* Places of `blocks` times 64 values. The turns come out first = lowest; a bit matrix puts them in order. */
INLINE void search_column(const float *search, int levels, const float *values, int blocks, uint8_t *place)
{
    uint64_t reverse = 0;
    for (int bit = 0; bit < levels; bit++)
        reverse |= UINT64_C(1) << (8 * (7 - bit) + (levels - 1 - bit));
    for (int at = 0; at < 64 * blocks; at += 64) {
        __m512 v[4];
        uint64_t number = 0;
        for (int k = 0; k < 4; k++) {
            v[k] = _mm512_loadu_ps(values + at + k * LANES);
            number |= (uint64_t)_mm512_cmp_ps_mask(v[k], v[k], _CMP_ORD_Q) << k * LANES;
        }
        __m512i turns = _mm512_castsi128_si512(turns_of(search, levels, v[0]));
        turns = _mm512_inserti32x4(turns, turns_of(search, levels, v[1]), 1);
        turns = _mm512_inserti32x4(turns, turns_of(search, levels, v[2]), 2);
        turns = _mm512_inserti32x4(turns, turns_of(search, levels, v[3]), 3);
        __m512i found = _mm512_gf2p8affine_epi64_epi8(turns, _mm512_set1_epi64((int64_t)reverse), 0);
        _mm512_store_si512(place + at, _mm512_maskz_add_epi8(number, found, _mm512_set1_epi8(1)));
    }
}

static void search_any(const float *search, int levels, const float *values, int blocks, uint8_t *place)
{
    switch (levels) {
    case 0:
        search_column(search, 0, values, blocks, place);
        break;
    case 1:
        search_column(search, 1, values, blocks, place);
        break;
    case 2:
        search_column(search, 2, values, blocks, place);
        break;
    case 3:
        search_column(search, 3, values, blocks, place);
        break;
    case 4:
        search_column(search, 4, values, blocks, place);
        break;
    case 5:
        search_column(search, 5, values, blocks, place);
        break;
    case 6:
        search_column(search, 6, values, blocks, place);
        break;
    case 7:
        search_column(search, 7, values, blocks, place);
        break;
    default:
        search_column(search, 8, values, blocks, place);
    }
}

/* All features of a tile: place [features][TILE]; columns: room for 16 of them. */
static void find_places_of_rows(const TreeMargins *job, int64_t from, int n, float *columns, uint8_t *place)
{
    const TreePlan *plan = job->plan;
    const float *x = job->x + from * job->stride;
    int64_t stride = job->stride;
    int blocks = (n + 63) / 64;
    for (int f = 0; f < plan->features;) {
        int first = plan->column[f], width = plan->columns - first < 16 ? plan->columns - first : 16;
        __mmask16 mask = (__mmask16)((1u << width) - 1);
        for (int row = 0; row < 64 * blocks; row += 16)
            transpose_16(x + row * stride + first, stride, n - row, mask, columns + row);
        for (; f < plan->features && plan->column[f] < first + 16; f++)
            search_any(plan->search + (int64_t)f * PLAN_SEARCH, plan->levels[f],
                       columns + (int64_t)(plan->column[f] - first) * TILE, blocks, place + (int64_t)f * TILE);
    }
}

/* The same from columns; the last rows are padded to a block with zeros. */
static void find_places_of_columns(const TreeMargins *job, int64_t from, int n, float *padded, uint8_t *place)
{
    const TreePlan *plan = job->plan;
    int blocks = (n + 63) / 64;
    size_t behind = (size_t)(64 * blocks - n);
    for (int f = 0; f < plan->features; f++, place += TILE) {
        if (job->place) {
            memcpy(place, job->place[f] + job->first + from, (size_t)n);
            memset(place + n, 0, behind);
            continue;
        }
        const float *values = job->value[plan->column[f]] + job->first + from;
        if (behind > 0) {
            memcpy(padded, values, (size_t)n * sizeof *padded);
            memset(padded + n, 0, behind * sizeof *padded);
            values = padded;
        }
        search_any(plan->search + (int64_t)f * PLAN_SEARCH, plan->levels[f], values, blocks, place);
    }
}

/* ---- leaves ---- */

/* Byte r = the index of row r, from the masks of the levels: level l of depth d in 64-bit word 8 - d + l, other words
 * zero. The bytes of the words are gathered to 8 x 8 bit matrices of 8 rows each, which one affine product with the
 * identity transposes (it takes a matrix's rows from the highest byte down, hence the word order). */
INLINE __m512i index_of(__m512i words)
{
    const __m512i gather =
        _mm512_set_epi8(63, 55, 47, 39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22, 14, 6, 61, 53, 45, 37, 29, 21, 13, 5, 60,
                        52, 44, 36, 28, 20, 12, 4, 59, 51, 43, 35, 27, 19, 11, 3, 58, 50, 42, 34, 26, 18, 10, 2, 57, 49,
                        41, 33, 25, 17, 9, 1, 56, 48, 40, 32, 24, 16, 8, 0);
    const __m512i identity = _mm512_set1_epi64((int64_t)UINT64_C(0x8040201008040201));
    return _mm512_gf2p8affine_epi64_epi8(identity, _mm512_permutexvar_epi8(gather, words), 0);
}

INLINE __m512i look_up_leaves(const uint8_t *table, int depth, __m512i index)
{
    if (depth <= 6)
        return _mm512_permutexvar_epi8(index, _mm512_load_si512(table));
    __m512i low = _mm512_permutex2var_epi8(_mm512_load_si512(table), index, _mm512_load_si512(table + 64));
    if (depth == 7)
        return low;
    __m512i high = _mm512_permutex2var_epi8(_mm512_load_si512(table + 128), index, _mm512_load_si512(table + 192));
    return _mm512_mask_blend_epi8(_mm512_movepi8_mask(index), low, high);
}

/* Sums of bytes of 64 rows: 16-bit lanes of all (even rows' bytes plus 256 times odd rows', modulo 2^16) and of the odd
 * rows' alone. Exact for SUMS_MAX trees. */
typedef struct Sums {
    __m512i all[PLANES], odd[PLANES];
} Sums;

INLINE void add_leaves(Sums *sums, const uint8_t *table, int depth, int planes, __m512i index)
{
    int width = depth > 6 ? 1 << depth : 64;
#pragma GCC unroll 4
    for (int p = 0; p < planes; p++) {
        __m512i leaf = look_up_leaves(table + p * width, depth, index);
        sums->all[p] = _mm512_add_epi16(sums->all[p], leaf);
        sums->odd[p] = _mm512_add_epi16(sums->odd[p], _mm512_srli_epi16(leaf, 8));
    }
}

INLINE void clear_sums(Sums *sums)
{
    for (int p = 0; p < PLANES; p++)
        sums->all[p] = sums->odd[p] = _mm512_setzero_si512();
}

/* total[row] += the sums, which become zero. */
static void flush_sums(Sums *sums, int planes, int64_t total[64])
{
    for (int p = 0; p < planes; p++) {
        uint16_t even[32], odd[32];
        _mm512_storeu_si512(even, _mm512_sub_epi16(sums->all[p], _mm512_slli_epi16(sums->odd[p], 8)));
        _mm512_storeu_si512(odd, sums->odd[p]);
        for (int i = 0; i < 32; i++) {
            total[2 * i] += (int64_t)even[i] << 8 * p;
            total[2 * i + 1] += (int64_t)odd[i] << 8 * p;
        }
    }
    clear_sums(sums);
}

/* ---- symmetric trees: 64 rows, a mask a condition ---- */

/* The masks of conditions c .. end - 1, which are of one feature and flip; four at a time, as stores allow. */
INLINE void compare_64(const uint8_t *least, int c, int end, __m512i v, uint64_t *mask)
{
    for (; c + 4 <= end; c += 4) {
        uint64_t a = _mm512_cmpge_epu8_mask(v, _mm512_set1_epi8((char)least[c]));
        uint64_t b = _mm512_cmpge_epu8_mask(v, _mm512_set1_epi8((char)least[c + 1]));
        uint64_t d = _mm512_cmpge_epu8_mask(v, _mm512_set1_epi8((char)least[c + 2]));
        uint64_t e = _mm512_cmpge_epu8_mask(v, _mm512_set1_epi8((char)least[c + 3]));
        mask[c] = a;
        mask[c + 1] = b;
        mask[c + 2] = d;
        mask[c + 3] = e;
    }
    for (; c < end; c++)
        mask[c] = _mm512_cmpge_epu8_mask(v, _mm512_set1_epi8((char)least[c]));
}

static void find_masks_64(const TreePlan *plan, const uint8_t *place, uint64_t *mask)
{
    const __m512i one = _mm512_set1_epi8(1);
    for (int f = 0; f < plan->features; f++) {
        __m512i v = _mm512_load_si512(place + (int64_t)f * TILE);
        const int32_t *at = plan->condition_at + 2 * f;
        compare_64(plan->least, at[0], at[1], v, mask);
        compare_64(plan->least, at[1], at[2], _mm512_sub_epi8(v, one), mask);
    }
    mask[plan->conditions] = 0;
}

/* at [depth]: the words of the levels, kept in mask registers (compilers make them anew for every tree otherwise). */
INLINE __m512i index_symmetric(const uint64_t *mask, const int32_t *node, int depth, const __mmask8 *at)
{
    __m512i words = _mm512_setzero_si512();
    for (int l = 0; l < depth; l++)
        words = _mm512_mask_set1_epi64(words, at[l], (int64_t)mask[node[l]]);
    return index_of(words);
}

/* Trees first .. end - 1 have the same number of planes, and `depth` where it is a constant (0: their own). */
INLINE void run_symmetric(const TreePlan *plan, int first, int end, int planes, int depth, const uint64_t *mask,
                          int64_t total[64])
{
    int d = depth > 0 ? depth : plan->tree[first].depth;
    __mmask8 at[PLAN_PLANES_DEPTH];
    for (int l = 0; l < d; l++) {
        at[l] = (__mmask8)(1 << (8 - d + l));
        __asm__("" : "+Yk"(at[l]));
    }
    while (first < end) {
        int stop = end - first < SUMS_MAX ? end : first + SUMS_MAX;
        Sums sums, out; /* sums stay in registers: nobody has their address */
        clear_sums(&sums);
        for (; first < stop; first++) {
            const TreePlanTree *tree = &plan->tree[first];
            add_leaves(&sums, plan->plane + tree->plane, d, planes,
                       index_symmetric(mask, plan->node + tree->node, d, at));
        }
        out = sums;
        flush_sums(&out, planes, total);
    }
}

static void run_symmetric_any(const TreePlan *plan, int first, int end, const uint64_t *mask, int64_t total[64])
{
    int planes = plan->tree[first].planes, depth = plan->tree[first].depth;
    if (planes == 3 && depth == 6)
        run_symmetric(plan, first, end, 3, 6, mask, total);
    else if (planes == 2 && depth == 6)
        run_symmetric(plan, first, end, 2, 6, mask, total);
    else
        run_symmetric(plan, first, end, planes, 0, mask, total);
}

static void deep_symmetric(const TreePlan *plan, const TreePlanTree *tree, const uint64_t *mask, int64_t total[64])
{
    uint16_t index[64] = {0};
    for (int l = 0; l < tree->depth; l++) {
        uint64_t right = mask[plan->node[tree->node + l]];
        for (int r = 0; r < 64; r++)
            index[r] = (uint16_t)(2 * index[r] + (right >> r & 1));
    }
    for (int r = 0; r < 64; r++)
        total[r] += plan->leaf[tree->leaf + index[r]];
}

/* Asks for 64 rows of the next tile while this one is computed: the processor foresees neither a tile nor so many
 * columns. Wide rows, of which little may be used, are left to it. (Not inlined it would be gone: it has no result.) */
INLINE void fetch_next(const TreeMargins *job, int64_t from)
{
    const TreePlan *plan = job->plan;
    int64_t end = from + 64 < job->n ? from + 64 : job->n;
    if (from >= job->n || (job->x && job->stride > 128))
        return;
    if (job->x)
        for (int64_t at = from * job->stride; at < end * job->stride; at += LANES)
            _mm_prefetch((const char *)(job->x + at), _MM_HINT_T1);
    for (int f = 0; job->value && f < plan->features; f++)
        for (int64_t at = from; at < end; at += LANES)
            _mm_prefetch((const char *)(job->value[plan->column[f]] + job->first + at), _MM_HINT_T1);
    for (int f = 0; job->place && f < plan->features; f++)
        _mm_prefetch((const char *)(job->place[f] + job->first + from), _MM_HINT_T1);
}

/* Rows from .. from + n - 1 of the job; n at most TILE. */
static void symmetric_tile(const TreeMargins *job, int64_t from, int n, const uint8_t *place, uint64_t *mask,
                           int64_t *margin)
{
    const TreePlan *plan = job->plan;
    for (int at = 0; at < n; at += 64) {
        int64_t total[64];
        for (int r = 0; r < 64; r++)
            total[r] = plan->plane_bias;
        find_masks_64(plan, place + at, mask);
        fetch_next(job, from + TILE + at);
        for (int first = 0, end; first < plan->trees; first = end) {
            end = plan->tree[first].run_end;
            if (plan->tree[first].planes > 0)
                run_symmetric_any(plan, first, end, mask, total);
            else
                for (int t = first; t < end; t++)
                    deep_symmetric(plan, &plan->tree[t], mask, total);
        }
        memcpy(margin + at, total, (size_t)(n - at < 64 ? n - at : 64) * sizeof *total);
    }
}

/* ---- depth-wise trees: 512 rows, a mask of 512 bits a condition ---- */

/* A condition's 8 words lie side by side, so that they are written as one cache line. */
static void find_masks_512(const TreePlan *plan, const uint8_t *place, uint64_t *mask)
{
    const __m512i one = _mm512_set1_epi8(1);
    for (int f = 0; f < plan->features; f++) {
        __m512i v[BLOCKS];
        int c = plan->condition_at[2 * f], middle = plan->condition_at[2 * f + 1], end = plan->condition_at[2 * f + 2];
        for (int b = 0; b < BLOCKS; b++)
            v[b] = _mm512_load_si512(place + (int64_t)f * TILE + 64 * b);
        for (; c < end; c++) {
            __m512i least = _mm512_set1_epi8((char)plan->least[c]);
            if (c == middle)
                for (int b = 0; b < BLOCKS; b++)
                    v[b] = _mm512_sub_epi8(v[b], one);
            for (int b = 0; b < BLOCKS; b++)
                mask[(int64_t)c * BLOCKS + b] = _mm512_cmpge_epu8_mask(v[b], least);
        }
    }
    memset(mask + (int64_t)plan->conditions * BLOCKS, 0, BLOCKS * sizeof *mask);
}

/* Bits of right where turn is 1, of left where it is 0. */
INLINE __m512i choose(__m512i turn, __m512i left, __m512i right)
{
    return _mm512_ternarylogic_epi64(turn, right, left, 0xca);
}
INLINE __m512i mask_of(const uint64_t *mask, int32_t condition)
{
    return _mm512_load_si512(mask + (int64_t)condition * BLOCKS);
}

/* The mask of a level with 2^k nodes, node [2^k]; turn points at the level before, the one that parts neighbours. */
INLINE __m512i choose_1(const uint64_t *mask, const int32_t *node, const __m512i *turn)
{
    return choose(turn[0], mask_of(mask, node[0]), mask_of(mask, node[1]));
}
INLINE __m512i choose_2(const uint64_t *mask, const int32_t *node, const __m512i *turn)
{
    return choose(turn[-1], choose_1(mask, node, turn), choose_1(mask, node + 2, turn));
}
INLINE __m512i choose_3(const uint64_t *mask, const int32_t *node, const __m512i *turn)
{
    return choose(turn[-2], choose_2(mask, node, turn), choose_2(mask, node + 4, turn));
}
INLINE __m512i choose_4(const uint64_t *mask, const int32_t *node, const __m512i *turn)
{
    return choose(turn[-3], choose_3(mask, node, turn), choose_3(mask, node + 8, turn));
}
static __m512i choose_5(const uint64_t *mask, const int32_t *node, const __m512i *turn)
{
    return choose(turn[-4], choose_4(mask, node, turn), choose_4(mask, node + 16, turn));
}
static __m512i choose_6(const uint64_t *mask, const int32_t *node, const __m512i *turn)
{
    return choose(turn[-5], choose_5(mask, node, turn), choose_5(mask, node + 32, turn));
}
static __m512i choose_7(const uint64_t *mask, const int32_t *node, const __m512i *turn)
{
    return choose(turn[-6], choose_6(mask, node, turn), choose_6(mask, node + 64, turn));
}

/* turn [depth]: the mask of the rows that go right at each level. */
static void find_turns(const uint64_t *mask, const int32_t *node, int depth, __m512i *turn)
{
    if (depth > 0)
        turn[0] = mask_of(mask, node[0]);
    if (depth > 1)
        turn[1] = choose_1(mask, node + 1, turn);
    if (depth > 2)
        turn[2] = choose_2(mask, node + 3, turn + 1);
    if (depth > 3)
        turn[3] = choose_3(mask, node + 7, turn + 2);
    if (depth > 4)
        turn[4] = choose_4(mask, node + 15, turn + 3);
    if (depth > 5)
        turn[5] = choose_5(mask, node + 31, turn + 4);
    if (depth > 6)
        turn[6] = choose_6(mask, node + 63, turn + 5);
    if (depth > 7)
        turn[7] = choose_7(mask, node + 127, turn + 6);
}

/* word [8] 64-bit words each: block b's words become one register, out[b]. */
static void transpose_words(const __m512i word[8], __m512i out[8])
{
    __m512i low[4], high[4];
    for (int i = 0; i < 4; i++) {
        low[i] = _mm512_unpacklo_epi64(word[2 * i], word[2 * i + 1]);
        high[i] = _mm512_unpackhi_epi64(word[2 * i], word[2 * i + 1]);
    }
    for (int odd = 0; odd < 2; odd++) {
        const __m512i *t = odd ? high : low;
        __m512i a = _mm512_shuffle_i64x2(t[0], t[1], 0x88), b = _mm512_shuffle_i64x2(t[0], t[1], 0xdd);
        __m512i c = _mm512_shuffle_i64x2(t[2], t[3], 0x88), d = _mm512_shuffle_i64x2(t[2], t[3], 0xdd);
        out[odd] = _mm512_shuffle_i64x2(a, c, 0x88);
        out[2 + odd] = _mm512_shuffle_i64x2(b, d, 0x88);
        out[4 + odd] = _mm512_shuffle_i64x2(a, c, 0xdd);
        out[6 + odd] = _mm512_shuffle_i64x2(b, d, 0xdd);
    }
}

INLINE void add_depthwise(const TreePlan *plan, const TreePlanTree *tree, int planes, const uint64_t *mask,
                          Sums sums[BLOCKS])
{
    __m512i word[8], block[8];
    for (int i = 0; i < 8 - tree->depth; i++)
        word[i] = _mm512_setzero_si512();
    find_turns(mask, plan->node + tree->node, tree->depth, word + 8 - tree->depth);
    transpose_words(word, block);
    for (int b = 0; b < BLOCKS; b++)
        add_leaves(&sums[b], plan->plane + tree->plane, tree->depth, planes, index_of(block[b]));
}

INLINE void run_depthwise(const TreePlan *plan, int first, int end, int planes, const uint64_t *mask, int64_t *total)
{
    Sums sums[BLOCKS];
    for (int b = 0; b < BLOCKS; b++)
        clear_sums(&sums[b]);
    for (int t = first; t < end; t++) {
        add_depthwise(plan, &plan->tree[t], planes, mask, sums);
        if ((t - first) % SUMS_MAX == SUMS_MAX - 1 || t == end - 1)
            for (int b = 0; b < BLOCKS; b++)
                flush_sums(&sums[b], planes, total + 64 * b);
    }
}

static void run_depthwise_any(const TreePlan *plan, int first, int end, const uint64_t *mask, int64_t *total)
{
    switch (plan->tree[first].planes) {
    case 2:
        run_depthwise(plan, first, end, 2, mask, total);
        break;
    case 3:
        run_depthwise(plan, first, end, 3, mask, total);
        break;
    default:
        run_depthwise(plan, first, end, plan->tree[first].planes, mask, total);
    }
}

static void deep_depthwise(const TreePlan *plan, const TreePlanTree *tree, int n, const uint64_t *mask, int64_t *total)
{
    for (int r = 0; r < n; r++) {
        int64_t node = 0;
        for (int l = 0; l < tree->depth; l++) {
            int64_t c = plan->node[tree->node + node];
            node = 2 * node + 1 + (int64_t)(mask[c * BLOCKS + r / 64] >> r % 64 & 1);
        }
        total[r] += plan->leaf[tree->leaf + node - ((INT64_C(1) << tree->depth) - 1)];
    }
}

static void depthwise_tile(const TreePlan *plan, int n, const uint8_t *place, uint64_t *mask, int64_t *margin)
{
    int64_t total[TILE];
    for (int r = 0; r < TILE; r++)
        total[r] = plan->plane_bias;
    find_masks_512(plan, place, mask);
    for (int first = 0, end; first < plan->trees; first = end) {
        end = plan->tree[first].run_end;
        if (plan->tree[first].planes > 0)
            run_depthwise_any(plan, first, end, mask, total);
        else
            for (int t = first; t < end; t++)
                deep_depthwise(plan, &plan->tree[t], n, mask, total);
    }
    memcpy(margin, total, (size_t)n * sizeof *total);
}

void margins_avx512(const TreeMargins *job)
{
    const TreePlan *plan = job->plan;
    float *columns = job->scratch;
    uint8_t *place = (uint8_t *)(columns + 16 * TILE);
    uint64_t *mask = (uint64_t *)(place + (int64_t)plan->features * TILE);
    for (int64_t at = 0; at < job->n; at += TILE) {
        int n = (int)(job->n - at < TILE ? job->n - at : TILE);
        (job->x ? find_places_of_rows : find_places_of_columns)(job, at, n, columns, place);
        if (plan->symmetric)
            symmetric_tile(job, at, n, place, mask, job->margin + at);
        else {
            for (int b = 0; b < BLOCKS; b++)
                fetch_next(job, at + TILE + 64 * b);
            depthwise_tile(plan, n, place, mask, job->margin + at);
        }
    }
}
