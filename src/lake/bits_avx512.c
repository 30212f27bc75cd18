/* 64 elements of up to 8 bits, or 16 of up to 16, in three instructions each: one gathers their bytes highest first,
 * one shifts every element to its place, one masks. */
#include "lake/bits.h"

#include <immintrin.h>

/* 8 elements of b bits are b bytes: as a number, the last element is lowest. */
static __m512i reverse_groups(unsigned bits)
{
    uint8_t from[64];
    for (unsigned i = 0; i < 64; i++)
        from[i] = (uint8_t)(i % 8 < bits ? i / 8 * bits + bits - 1 - i % 8 : 0);
    return _mm512_loadu_si512(from);
}

static __m512i shifts_of_8(unsigned bits)
{
    uint8_t by[64];
    for (unsigned i = 0; i < 64; i++)
        by[i] = (uint8_t)((7 - i % 8) * bits);
    return _mm512_loadu_si512(by);
}

static inline __m512i next_64(const uint8_t *in, __m512i reverse, __m512i by, __m512i mask)
{
    __m512i bytes = _mm512_permutexvar_epi8(reverse, _mm512_loadu_si512(in));
    return _mm512_and_si512(_mm512_multishift_epi64_epi8(by, bytes), mask);
}

void bits_unpack_8_avx512(uint8_t *out, const uint8_t *in, size_t n, unsigned bits)
{
    const __m512i reverse = reverse_groups(bits), by = shifts_of_8(bits);
    const __m512i mask = _mm512_set1_epi8((char)((1u << bits) - 1));
    size_t i = 0;
    for (; i + 64 <= n; i += 64, in += 8 * (size_t)bits)
        _mm512_storeu_si512(out + i, next_64(in, reverse, by, mask));
    for (size_t k = 0; i < n; i++, k++)
        out[i] = (uint8_t)bits_get(in, k, bits);
}

static uint32_t unpack_narrow(uint32_t *out, const uint8_t *in, size_t n, unsigned bits)
{
    const __m512i reverse = reverse_groups(bits), by = shifts_of_8(bits);
    const __m512i mask = _mm512_set1_epi8((char)((1u << bits) - 1));
    __m512i most = _mm512_setzero_si512();
    size_t i = 0;
    uint32_t greatest = 0;
    for (; i + 64 <= n; i += 64, in += 8 * (size_t)bits) {
        __m512i v = next_64(in, reverse, by, mask);
        most = _mm512_max_epu8(most, v);
        _mm512_storeu_si512(out + i, _mm512_cvtepu8_epi32(_mm512_castsi512_si128(v)));
        _mm512_storeu_si512(out + i + 16, _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32(v, 1)));
        _mm512_storeu_si512(out + i + 32, _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32(v, 2)));
        _mm512_storeu_si512(out + i + 48, _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32(v, 3)));
    }
    uint8_t lanes[64];
    _mm512_storeu_si512(lanes, most);
    for (int k = 0; k < 64; k++)
        greatest = lanes[k] > greatest ? lanes[k] : greatest;
    for (size_t k = 0; i < n; i++, k++) {
        out[i] = bits_get(in, k, bits);
        greatest = out[i] > greatest ? out[i] : greatest;
    }
    return greatest;
}

/* An element of up to 16 bits lies within 4 bytes; 16 of them are 2 b bytes. */
static uint32_t unpack_wide(uint32_t *out, const uint8_t *in, size_t n, unsigned bits)
{
    uint8_t from[64];
    uint32_t left[16];
    for (unsigned i = 0; i < 16; i++) {
        left[i] = i * bits % 8;
        for (unsigned k = 0; k < 4; k++)
            from[4 * i + k] = (uint8_t)(i * bits / 8 + 3 - k);
    }
    const __m512i reverse = _mm512_loadu_si512(from), by = _mm512_loadu_si512(left);
    const __m128i right = _mm_cvtsi32_si128((int)(32 - bits));
    __m512i most = _mm512_setzero_si512();
    size_t i = 0;
    for (; i + 16 <= n; i += 16, in += 2 * (size_t)bits) {
        __m512i v = _mm512_permutexvar_epi8(reverse, _mm512_loadu_si512(in));
        v = _mm512_srl_epi32(_mm512_sllv_epi32(v, by), right);
        most = _mm512_max_epu32(most, v);
        _mm512_storeu_si512(out + i, v);
    }
    uint32_t greatest = _mm512_reduce_max_epu32(most);
    for (size_t k = 0; i < n; i++, k++) {
        out[i] = bits_get(in, k, bits);
        greatest = out[i] > greatest ? out[i] : greatest;
    }
    return greatest;
}

uint32_t bits_unpack_32_avx512(uint32_t *out, const uint8_t *in, size_t n, unsigned bits)
{
    return bits <= 8 ? unpack_narrow(out, in, n, bits) : unpack_wide(out, in, n, bits);
}
