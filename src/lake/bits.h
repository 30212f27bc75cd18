/* bits.h -- small integers at their least number of bits (bits.c). */
#ifndef DIPPER_LAKE_BITS_H
#define DIPPER_LAKE_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Unpacking reads up to BITS_SLACK bytes behind the stored ones. */
enum { BITS_HEAD = 21, BITS_SLACK = 64 };

/* Local. Room that bits_pack may take for n elements of `width` bytes (1, 2 or 4). */
size_t bits_bound(size_t n, uint32_t width);
/* Local. Bytes of n elements of so many bits, the head included. */
size_t bits_size(size_t n, unsigned bits);
/* Local. Packs; returns the bytes stored. sign: of width 1, the elements are int8. */
size_t bits_pack(void *stored, const void *raw, size_t n, uint32_t width, bool sign);
/* Local. Is `stored` [size] what bits_pack makes of n elements? Its bits an element and what is added to each. */
bool bits_head(const void *stored, size_t size, size_t n, uint32_t width, unsigned *bits, int64_t *low);
/* Local. Elements of at most 8 bits, without the least one added. */
void bits_unpack_8(uint8_t *out, const void *stored, size_t n, unsigned bits);
/* Local. Elements of any bits; returns the greatest. width: of the stream. */
uint32_t bits_unpack_32(uint32_t *out, const void *stored, size_t n, unsigned bits, uint32_t width);

/* Local. Element i of packed bits, 1 .. 32 each. */
uint32_t bits_get(const uint8_t *in, size_t i, unsigned bits);

#if defined __x86_64__
/* bits_avx512.c; bits 1 .. 8, 1 .. 16. */
static inline bool bits_has_avx512(void)
{
    return __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512bw");
}
void bits_unpack_8_avx512(uint8_t *out, const uint8_t *in, size_t n, unsigned bits);
uint32_t bits_unpack_32_avx512(uint32_t *out, const uint8_t *in, size_t n, unsigned bits);
#endif

#endif
