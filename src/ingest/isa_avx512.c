/* Separators by 64 bytes a step, without a loop over bits: the offsets of a step are compressed under its mask. Called
 * only where the processor has AVX-512 with VBMI2. */
#include "ingest/ingest_priv.h"

#include <immintrin.h>

#include "ingest/isa_numbers.h"

static uint64_t prefix_xor(uint64_t bits)
{
    return (uint64_t)_mm_cvtsi128_si64(_mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)bits), _mm_set1_epi8(-1), 0));
}

/* Writes 16, 32, 48 or 64 offsets; `at` has room for all that can still come. */
static inline void put(uint32_t *at, __m512i packed, uint32_t n, __m512i base)
{
    _mm512_storeu_si512(at, _mm512_add_epi32(base, _mm512_cvtepu8_epi32(_mm512_castsi512_si128(packed))));
    if (n > 16)
        _mm512_storeu_si512(at + 16,
                            _mm512_add_epi32(base, _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32(packed, 1))));
    if (n > 32)
        _mm512_storeu_si512(at + 32,
                            _mm512_add_epi32(base, _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32(packed, 2))));
    if (n > 48)
        _mm512_storeu_si512(at + 48,
                            _mm512_add_epi32(base, _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32(packed, 3))));
}

static const uint8_t places[64] __attribute__((aligned(64))) = {
    0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
    22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
    44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63};

static IngestFound find(uint32_t *at, const char *text, size_t size, char delimiter, bool quotes)
{
    const __m512i quote = _mm512_set1_epi8('"'), newline = _mm512_set1_epi8('\n');
    const __m512i mark = _mm512_set1_epi8(delimiter ? delimiter : '\n'), place = _mm512_load_si512(places);
    IngestFound found = {0};
    uint64_t inside = 0, any_quote = 0, any_nul = 0, any_wide = 0;
    for (size_t i = 0; i < size; i += 64) {
        uint64_t valid = size - i >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << (size - i)) - 1;
        __m512i v = _mm512_maskz_loadu_epi8(valid, text + i);
        uint64_t q = _mm512_cmpeq_epi8_mask(v, quote), n = _mm512_cmpeq_epi8_mask(v, newline);
        uint64_t d = _mm512_cmpeq_epi8_mask(v, mark);
        any_nul |= _mm512_testn_epi8_mask(v, v) & valid;
        any_wide |= _mm512_movepi8_mask(v);
        any_quote |= q;
        uint64_t in = quotes ? prefix_xor(q) ^ inside : 0;
        inside = (uint64_t)((int64_t)in >> 63);
        n &= ~in;
        d = (d & ~in) | n;
        uint32_t k = (uint32_t)__builtin_popcountll(d);
        put(at + found.n, _mm512_maskz_compress_epi8(d, place), k, _mm512_set1_epi32((int)i));
        found.n += k;
        found.newlines += (uint32_t)__builtin_popcountll(n);
    }
    found.quotes = any_quote != 0;
    found.nul = any_nul != 0;
    found.wide = any_wide != 0;
    return found;
}

static void count(const char *text, size_t size, int64_t *quotes, int64_t *newlines)
{
    const __m512i quote = _mm512_set1_epi8('"'), newline = _mm512_set1_epi8('\n');
    int64_t q = 0, n = 0;
    for (size_t i = 0; i < size; i += 64) {
        uint64_t valid = size - i >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << (size - i)) - 1;
        __m512i v = _mm512_maskz_loadu_epi8(valid, text + i);
        q += __builtin_popcountll(_mm512_cmpeq_epi8_mask(v, quote));
        n += __builtin_popcountll(_mm512_cmpeq_epi8_mask(v, newline));
    }
    *quotes = q;
    *newlines = n;
}

const IngestIsa ingest_isa_avx512 = {"avx512", find, count, isa_numbers};
