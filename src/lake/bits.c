/* Small integers at as many bits as the greatest of a chunk needs: the layout of HDF5's own scale-offset filter (6), so
 * every HDF5 tool reads it. Of codes that are about equally frequent zstd saves little more, and takes ten times as
 * long to read. Source: H5Zscaleoffset.c of HDF5 1.10.
 *
 *     0   4  bits of an element, b: 0 .. 8 * width     5   8  least element, int64
 *     4   1  8                                         13  8  0
 *     21     elements less the least one, b bits each, highest bit first; where b is 8 * width, as they are */
#include "lake/bits.h"

#include <string.h>

static int64_t element(const void *raw, size_t i, uint32_t width, bool sign)
{
    switch (width) {
    case 1:
        return sign ? ((const int8_t *)raw)[i] : ((const uint8_t *)raw)[i];
    case 2:
        return ((const uint16_t *)raw)[i];
    default:
        return ((const uint32_t *)raw)[i];
    }
}

static unsigned bits_of(uint64_t value)
{
    return value == 0 ? 0 : 64 - (unsigned)__builtin_clzll(value);
}

size_t bits_bound(size_t n, uint32_t width)
{
    return BITS_HEAD + n * width + 1;
}

size_t bits_size(size_t n, unsigned bits)
{
    return BITS_HEAD + n * bits / 8 + 1;
}

/* Local. Bits from the highest down; the accumulator holds fewer than 8 between elements. */
static void put_bits(uint8_t *out, const void *raw, size_t n, uint32_t width, bool sign, int64_t low, unsigned bits)
{
    uint64_t held = 0;
    unsigned have = 0;
    for (size_t i = 0; i < n; i++) {
        held = held << bits | (uint64_t)(element(raw, i, width, sign) - low);
        for (have += bits; have >= 8; have -= 8)
            *out++ = (uint8_t)(held >> (have - 8));
    }
    *out = (uint8_t)(held << (8 - have)); /* the one byte more that HDF5 keeps */
}

size_t bits_pack(void *stored, const void *raw, size_t n, uint32_t width, bool sign)
{
    uint8_t *out = stored;
    int64_t low = n > 0 ? element(raw, 0, width, sign) : 0, high = low;
    for (size_t i = 1; i < n; i++) {
        int64_t v = element(raw, i, width, sign);
        low = v < low ? v : low;
        high = v > high ? v : high;
    }
    low = sign ? low : 0; /* codes begin at 0: nothing has to be added to them again */
    uint32_t bits = bits_of((uint64_t)(high - low));
    if (bits == 8 * width)
        low = 0;
    memset(out, 0, BITS_HEAD);
    memcpy(out, &bits, 4);
    out[4] = 8;
    memcpy(out + 5, &low, 8);
    if (bits == 8 * width) {
        memcpy(out + BITS_HEAD, raw, n * width);
        out[BITS_HEAD + n * width] = 0;
    } else
        put_bits(out + BITS_HEAD, raw, n, width, sign, low, bits);
    return bits_size(n, bits);
}

bool bits_head(const void *stored, size_t size, size_t n, uint32_t width, unsigned *bits, int64_t *low)
{
    static const char zero[8];
    uint32_t b;
    if (size < BITS_HEAD)
        return false;
    memcpy(&b, stored, 4);
    memcpy(low, (const char *)stored + 5, 8);
    *bits = b;
    return b <= 8 * width && ((const char *)stored)[4] == 8 && memcmp((const char *)stored + 13, zero, 8) == 0 &&
           size == bits_size(n, b);
}

/* ---- back ---- */

uint32_t bits_get(const uint8_t *in, size_t i, unsigned bits)
{
    uint64_t word;
    memcpy(&word, in + i * bits / 8, sizeof word);
    return (uint32_t)(__builtin_bswap64(word) << (i * bits % 8) >> (64 - bits));
}

static void unpack_8_scalar(uint8_t *restrict out, const uint8_t *in, size_t n, unsigned bits)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)bits_get(in, i, bits);
}

static uint32_t unpack_32_scalar(uint32_t *restrict out, const uint8_t *in, size_t n, unsigned bits)
{
    uint32_t most = 0;
    for (size_t i = 0; i < n; i++) {
        out[i] = bits_get(in, i, bits);
        most = out[i] > most ? out[i] : most;
    }
    return most;
}

void bits_unpack_8(uint8_t *out, const void *stored, size_t n, unsigned bits)
{
    const uint8_t *in = (const uint8_t *)stored + BITS_HEAD;
    if (bits == 0)
        memset(out, 0, n);
    else if (bits == 8)
        memcpy(out, in, n);
#if defined __x86_64__
    else if (bits_has_avx512())
        bits_unpack_8_avx512(out, in, n, bits);
#endif
    else
        unpack_8_scalar(out, in, n, bits);
}

/* Elements that are stored as they are. */
static uint32_t widen_16(uint32_t *restrict out, const uint8_t *in, size_t n)
{
    uint32_t most = 0;
    for (size_t i = 0; i < n; i++) {
        uint16_t v;
        memcpy(&v, in + 2 * i, sizeof v);
        out[i] = v;
        most = v > most ? v : most;
    }
    return most;
}

static uint32_t widen_32(uint32_t *out, const uint8_t *in, size_t n)
{
    uint32_t most = 0;
    memcpy(out, in, n * sizeof *out);
    for (size_t i = 0; i < n; i++)
        most = out[i] > most ? out[i] : most;
    return most;
}

uint32_t bits_unpack_32(uint32_t *out, const void *stored, size_t n, unsigned bits, uint32_t width)
{
    const uint8_t *in = (const uint8_t *)stored + BITS_HEAD;
    if (bits == 0) {
        memset(out, 0, n * sizeof *out);
        return 0;
    }
    if (bits == 8 * width && width > 1) /* bytes from the lowest, not bits from the highest */
        return width == 2 ? widen_16(out, in, n) : widen_32(out, in, n);
#if defined __x86_64__
    if (bits <= 16 && bits_has_avx512())
        return bits_unpack_32_avx512(out, in, n, bits);
#endif
    return unpack_32_scalar(out, in, n, bits);
}
