/* RUN np=1 quick -- hashes, random numbers, times and texts against published vectors. */
#include "check.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/rng.h"
#include "base/text.h"

/* FIPS 180-2, appendix B.1. */
static void sha256_of_abc(void **state)
{
    (void)state;
    dp_digest digest;
    char hex[DP_DIGEST_HEX];
    assert_ok(dp_digest_of(&digest, "abc", 3));
    dp_digest_print(hex, &digest);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    dp_digest again;
    assert_true(dp_digest_read(&again, hex));
    assert_true(dp_digest_same(&digest, &again));
    hex[5] = 'G';
    assert_false(dp_digest_read(&again, hex));
}

/* Random123's kat_vectors: philox4x32 10 rounds. */
static void philox_known_answers(void **state)
{
    (void)state;
    uint32_t w[4];
    dp_random_words(w, 0, 0, 0);
    assert_int_equal(w[0], 0x6627e8d5);
    assert_int_equal(w[3], 0x9b00dbd8);
    dp_random_words(w, UINT64_MAX, UINT64_MAX, UINT64_MAX);
    assert_int_equal(w[0], 0x408f276d);
    assert_int_equal(w[1], 0x41c83b0e);
}

static void times_go_both_ways(void **state)
{
    (void)state;
    char text[32];
    int64_t t;
    for (int64_t day = -719162; day < 2932896; day += 997) {
        int64_t back;
        dp_time_print(text, day * DP_DAY + 3723 * DP_SECOND + 5);
        assert_true(dp_time_read(&back, text));
        assert_int_equal(back, day * DP_DAY + 3723 * DP_SECOND + 5);
    }
    assert_true(dp_time_read(&t, "2024-02-29"));
    assert_false(dp_time_read(&t, "2023-02-29"));
    assert_false(dp_time_read(&t, "2023-13-01"));
    assert_true(dp_time_read(&t, "2024-03-31 12:30:00"));
    dp_time_print(text, dp_time_add_months(t, -1));
    assert_string_equal(text, "2024-02-29T12:30:00Z");
}

static void words_and_numbers(void **state)
{
    (void)state;
    static const char *const keys[] = {"depth", "learning_rate", "trees"};
    char text[32];
    assert_string_equal(dp_nearest("lerning_rate", keys, 3), "learning_rate");
    assert_string_equal(dp_nearest("detph", keys, 3), "depth");
    assert_null(dp_nearest("colour", keys, 3));
    dp_count_print(text, -1804112);
    assert_string_equal(text, "-1,804,112");
    dp_bytes_print(text, INT64_C(412) << 20);
    assert_string_equal(text, "412 MiB");
    assert_true(dp_name_is_good("risk-2026.v1"));
    assert_false(dp_name_is_good("../x"));
    assert_false(dp_name_is_good(""));
    assert_true(dp_utf8_is_good("na\xc3\xafve \xe6\xb5\xb7\xe5\x85\xb3", 13));
    assert_false(dp_utf8_is_good("\xc0\xaf", 2));
    assert_false(dp_utf8_is_good("\xed\xa0\x80", 3));
    assert_false(dp_utf8_is_good("abcdefgh\xe6\xb5", 10));
}

static void sizes_are_checked(void **state)
{
    (void)state;
    double *huge = NULL;
    dp_buf small = {.max = 8};
    assert_fails(dp_new(&huge, SIZE_MAX / 4), DP_ERR_AGAIN, "base-01");
    assert_ok(dp_buf_text(&small, "12345678"));
    assert_fails(dp_buf_text(&small, "9"), DP_ERR_AGAIN, "base-02");
    dp_buf_free(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_of_abc),      cmocka_unit_test(philox_known_answers),
        cmocka_unit_test(times_go_both_ways), cmocka_unit_test(words_and_numbers),
        cmocka_unit_test(sizes_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
