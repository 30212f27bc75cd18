/* RUN np=1 quick -- integers packed at 0 to 32 bits come back, read one by one or by the fastest loop, and broken heads
 * are told. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "lake/bits.h"

enum { MOST = 700 };

static uint32_t draw(uint64_t *state, unsigned bits)
{
    *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return bits == 0 ? 0 : (uint32_t)(*state >> 32) >> (32 - bits);
}

static void store(void *raw, size_t i, uint32_t width, uint32_t value)
{
    if (width == 1)
        ((uint8_t *)raw)[i] = (uint8_t)value;
    else if (width == 2)
        ((uint16_t *)raw)[i] = (uint16_t)value;
    else
        ((uint32_t *)raw)[i] = value;
}

static void come_back(unsigned asked, uint32_t width, size_t n)
{
    uint32_t raw[MOST], wide[MOST], most = 0;
    uint8_t narrow[MOST], *stored = calloc(1, bits_bound(n, width) + BITS_SLACK);
    uint64_t state = asked * 64 + width + n;
    unsigned bits;
    int64_t low;
    for (size_t i = 0; i < n; i++) {
        wide[i] = i == n / 2 && asked > 0 ? UINT32_MAX >> (32 - asked) : draw(&state, asked);
        most = wide[i] > most ? wide[i] : most;
        store(raw, i, width, wide[i]);
    }
    size_t size = bits_pack(stored, raw, n, width, false);
    assert_true(size <= bits_bound(n, width));
    assert_true(bits_head(stored, size, n, width, &bits, &low));
    assert_int_equal(bits, asked);
    assert_int_equal(low, 0);
    memset(stored + size, 0xa5, BITS_SLACK); /* what stands behind is no part of it */
    uint32_t got[MOST];
    assert_int_equal(bits_unpack_32(got, stored, n, bits, width), most);
    assert_memory_equal(got, wide, n * sizeof *wide);
    for (size_t i = 0; width == 1 && i < n; i++)
        assert_true(bits == 0 || bits_get(stored + BITS_HEAD, i, bits) == wide[i]);
    if (width == 1) {
        bits_unpack_8(narrow, stored, n, bits);
        assert_memory_equal(narrow, raw, n);
    }
    assert_false(bits_head(stored, size - 1, n, width, &bits, &low));
    if (n >= 8 && asked > 0) { /* of fewer, a bit more or less takes no byte more */
        assert_false(bits_head(stored, size, n + 64, width, &bits, &low));
        stored[0]++;
        assert_false(bits_head(stored, size, n, width, &bits, &low));
        stored[0]--;
    }
    stored[14] = 1;
    assert_false(bits_head(stored, size, n, width, &bits, &low));
    free(stored);
}

static void every_width_comes_back(void **state)
{
    (void)state;
    for (uint32_t width = 1; width <= 4; width *= 2)
        for (unsigned bits = 0; bits <= 8 * width; bits++)
            for (size_t n = 1; n <= MOST; n += n < 20 ? 3 : 97)
                come_back(bits, width, n);
}

static void labels_begin_where_they_do(void **state)
{
    (void)state;
    int8_t label[130];
    uint8_t stored[256] = {0}, out[130];
    unsigned bits;
    int64_t low;
    for (int most = -1; most <= 126; most += 127)
        for (int least = -1; least <= most; least++) {
            for (int i = 0; i < 130; i++)
                label[i] = (int8_t)(least + i % (most - least + 1));
            label[7] = (int8_t)most;
            size_t size = bits_pack(stored, label, 130, 1, true);
            assert_true(bits_head(stored, size, 130, 1, &bits, &low));
            assert_true(bits <= 7 + (least < 0));
            bits_unpack_8(out, stored, 130, bits);
            for (int i = 0; i < 130; i++)
                assert_int_equal((int8_t)(out[i] + low), label[i]);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_width_comes_back),
        cmocka_unit_test(labels_begin_where_they_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
