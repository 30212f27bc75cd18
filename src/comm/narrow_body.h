/* comm/narrow_body.h -- the text of narrow.c's loops, compiled once an instruction set; compilers vectorise them.
 *
 * A block of numbers travels in 1, 2, 4 or 8 bytes each, whichever holds them all; a word before it says which. */
#ifndef DIPPER_COMM_NARROW_BODY_H
#define DIPPER_COMM_NARROW_BODY_H

#include "comm_priv.h"

static int width_of(const int64_t *values, size_t n)
{
    uint64_t one = 0, two = 0, four = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t v = (uint64_t)values[i];
        one |= v + 0x80; /* without a carry past the width where the number fits */
        two |= v + 0x8000;
        four |= v + 0x80000000;
    }
    return one <= UINT8_MAX ? 1 : two <= UINT16_MAX ? 2 : four <= UINT32_MAX ? 4 : 8;
}

#define BY_WIDTH(NUMBER, name)                                                                                         \
    static void narrow_##name(const int64_t *restrict values, size_t n, NUMBER *restrict out)                          \
    {                                                                                                                  \
        for (size_t i = 0; i < n; i++)                                                                                 \
            out[i] = (NUMBER)values[i];                                                                                \
    }                                                                                                                  \
    static void add_##name(int64_t *restrict values, size_t n, const NUMBER *restrict in)                              \
    {                                                                                                                  \
        for (size_t i = 0; i < n; i++)                                                                                 \
            values[i] += in[i];                                                                                        \
    }
BY_WIDTH(int8_t, i8)
BY_WIDTH(int16_t, i16)
BY_WIDTH(int32_t, i32)
BY_WIDTH(int64_t, i64)

static size_t words_of(size_t n, int width)
{
    return (n * (size_t)width + sizeof(int64_t) - 1) / sizeof(int64_t);
}

static int64_t *narrow(const int64_t *values, size_t n, int64_t *out)
{
    int width = width_of(values, n);
    void *to = out + 1;
    *out = width;
    if (width == 1)
        narrow_i8(values, n, to);
    else if (width == 2)
        narrow_i16(values, n, to);
    else if (width == 4)
        narrow_i32(values, n, to);
    else
        narrow_i64(values, n, to);
    return out + 1 + words_of(n, width);
}

static const int64_t *add_narrow(int64_t *values, size_t n, const int64_t *in)
{
    int width = (int)*in;
    const void *from = in + 1;
    if (width == 1)
        add_i8(values, n, from);
    else if (width == 2)
        add_i16(values, n, from);
    else if (width == 4)
        add_i32(values, n, from);
    else
        add_i64(values, n, from);
    return in + 1 + words_of(n, width);
}

#endif
