/* ingest/isa_numbers.h -- plain numbers with 16-byte vectors; included by the files of the instruction sets that have
 * SSE 4.1. The last 16 bytes up to the field's end are loaded, what lies before the field becomes zeros, the digits
 * before the decimal mark move one place over it, and three multiply-adds make two numbers of eight digits. */
#ifndef DIPPER_INGEST_ISA_NUMBERS_H
#define DIPPER_INGEST_ISA_NUMBERS_H

#include <immintrin.h>
#include <math.h>

#include "ingest/ingest_priv.h"

/* Row p of 17: how bytes move when the decimal mark stands at byte p; 16: there is none. */
#define ISA_MOVE(p, i) ((i) == 0 && (p) < 16 ? (char)0x80 : (char)((p) < 16 && (i) <= (p) ? (i)-1 : (i)))
#define ISA_ROW(p)                                                                                                     \
    {                                                                                                                  \
        ISA_MOVE(p, 0), ISA_MOVE(p, 1), ISA_MOVE(p, 2), ISA_MOVE(p, 3), ISA_MOVE(p, 4), ISA_MOVE(p, 5),                \
            ISA_MOVE(p, 6), ISA_MOVE(p, 7), ISA_MOVE(p, 8), ISA_MOVE(p, 9), ISA_MOVE(p, 10), ISA_MOVE(p, 11),          \
            ISA_MOVE(p, 12), ISA_MOVE(p, 13), ISA_MOVE(p, 14), ISA_MOVE(p, 15)                                         \
    }
static const char isa_move[17][16] __attribute__((aligned(16))) = {
    ISA_ROW(0), ISA_ROW(1),  ISA_ROW(2),  ISA_ROW(3),  ISA_ROW(4),  ISA_ROW(5),  ISA_ROW(6),  ISA_ROW(7), ISA_ROW(8),
    ISA_ROW(9), ISA_ROW(10), ISA_ROW(11), ISA_ROW(12), ISA_ROW(13), ISA_ROW(14), ISA_ROW(15), ISA_ROW(16)};
/* 16 bytes from isa_keep + size keep the last `size` of 16. */
static const uint8_t isa_keep[32] = {0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,
                                     255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255};

static inline bool isa_number(double *value, const char *p, uint32_t size, __m128i decimal)
{
    const char *end = p + size;
    bool minus = *p == '-';
    size -= minus;
    if (size - 1 > 15)
        return false;
    __m128i keep = _mm_loadu_si128((const __m128i *)(isa_keep + size));
    __m128i v = _mm_loadu_si128((const __m128i *)(end - 16));
    uint32_t mark = (uint32_t)_mm_movemask_epi8(_mm_and_si128(_mm_cmpeq_epi8(v, decimal), keep));
    v = _mm_and_si128(_mm_sub_epi8(v, _mm_set1_epi8('0')), keep);
    __m128i over = _mm_subs_epu8(v, _mm_set1_epi8(9));
    uint32_t odd = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(over, _mm_setzero_si128())) ^ 0xFFFFu;
    if (odd != mark || (mark & (mark - 1)) != 0 || (size == 1 && mark))
        return false;
    uint32_t place = (uint32_t)__builtin_ctz(mark | 0x10000u);
    v = _mm_shuffle_epi8(v, _mm_load_si128((const __m128i *)isa_move[place]));
    v = _mm_maddubs_epi16(v, _mm_set1_epi16(0x010A));
    v = _mm_madd_epi16(v, _mm_set1_epi32(0x00010064));
    v = _mm_packus_epi32(v, v);
    v = _mm_madd_epi16(v, _mm_set1_epi32(0x00012710));
    uint64_t two = (uint64_t)_mm_cvtsi128_si64(v);
    uint64_t whole = (two & 0xFFFFFFFFu) * 100000000u + (two >> 32);
    if (whole > UINT64_C(1) << 53)
        return false;
    double d = (double)(int64_t)whole / ingest_tens[mark ? 15 - place : 0];
    *value = minus ? -d : d;
    return true;
}

static inline int32_t isa_numbers_as(double *value, const IngestFields *fields, char decimal, bool single,
                                     int32_t *slow)
{
    const __m128i mark = _mm_set1_epi8(decimal);
    int32_t n = 0;
    for (int32_t r = 0; r < fields->rows; r++) {
        uint32_t size;
        const char *p = ingest_field(fields, r, &size);
        value[r] = NAN;
        if (size > 0 && (!isa_number(&value[r], p, size, mark) || (single && ingest_between_floats(value[r]))))
            slow[n++] = r;
    }
    return n;
}

static int32_t isa_numbers(double *value, const IngestFields *fields, char decimal, bool single, int32_t *slow)
{
    return single ? isa_numbers_as(value, fields, decimal, true, slow)
                  : isa_numbers_as(value, fields, decimal, false, slow);
}

#endif
