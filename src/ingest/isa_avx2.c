/* Separators by 32 bytes a step, plain numbers by 16 digits a step. Called only where the processor has AVX2. */
#include "ingest/ingest_priv.h"

#include <immintrin.h>
#include <math.h>

#include "ingest/isa_numbers.h"

static uint64_t mask64(__m256i low, __m256i high, __m256i what)
{
    return (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(low, what)) |
           (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(high, what)) << 32;
}

static uint64_t prefix_xor(uint64_t bits)
{
    return (uint64_t)_mm_cvtsi128_si64(_mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)bits), _mm_set1_epi8(-1), 0));
}

static IngestFound find(uint32_t *at, const char *text, size_t size, char delimiter, bool quotes)
{
    const __m256i quote = _mm256_set1_epi8('"'), newline = _mm256_set1_epi8('\n');
    const __m256i mark = _mm256_set1_epi8(delimiter ? delimiter : '\n'), zero = _mm256_setzero_si256();
    IngestFound found = {0};
    uint64_t inside = 0, any_quote = 0, any_nul = 0, any_wide = 0;
    for (size_t i = 0; i < size; i += 64) { /* reads into the pad */
        __m256i low = _mm256_loadu_si256((const __m256i *)(text + i));
        __m256i high = _mm256_loadu_si256((const __m256i *)(text + i + 32));
        uint64_t valid = size - i >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << (size - i)) - 1;
        uint64_t q = mask64(low, high, quote) & valid, n = mask64(low, high, newline) & valid;
        uint64_t d = mask64(low, high, mark) & valid;
        any_nul |= mask64(low, high, zero) & valid;
        any_wide |=
            ((uint64_t)(uint32_t)_mm256_movemask_epi8(low) | (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32) &
            valid;
        any_quote |= q;
        uint64_t in = quotes ? prefix_xor(q) ^ inside : 0;
        inside = (uint64_t)((int64_t)in >> 63);
        n &= ~in;
        d = (d & ~in) | n;
        found.newlines += (uint32_t)__builtin_popcountll(n);
        for (; d; d &= d - 1)
            at[found.n++] = (uint32_t)i + (uint32_t)__builtin_ctzll(d);
    }
    found.quotes = any_quote != 0;
    found.nul = any_nul != 0;
    found.wide = any_wide != 0;
    return found;
}

static void count(const char *text, size_t size, int64_t *quotes, int64_t *newlines)
{
    const __m256i quote = _mm256_set1_epi8('"'), newline = _mm256_set1_epi8('\n');
    int64_t q = 0, n = 0;
    size_t i = 0;
    for (; i + 64 <= size; i += 64) {
        __m256i low = _mm256_loadu_si256((const __m256i *)(text + i));
        __m256i high = _mm256_loadu_si256((const __m256i *)(text + i + 32));
        q += __builtin_popcountll(mask64(low, high, quote));
        n += __builtin_popcountll(mask64(low, high, newline));
    }
    for (; i < size; i++) {
        q += text[i] == '"';
        n += text[i] == '\n';
    }
    *quotes = q;
    *newlines = n;
}

const IngestIsa ingest_isa_avx2 = {"avx2", find, count, isa_numbers};
