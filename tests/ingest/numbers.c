/* RUN np=1 quick -- every spelling of a number gives the bits that strtod and strtof give, on each instruction set. */
#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "ingest/ingest_priv.h"

enum { N = 1 << 16, ROUNDS = 12, WIDTH = 40 };

static char text[INGEST_PAD + N * WIDTH + INGEST_PAD];
static uint32_t before[N], end[N];
static double value[N], again[N];
static int32_t slow[N], slow_again[N];

static uint64_t draw(uint64_t i, uint64_t what)
{
    return dp_random_u64(11, what, i);
}

/* Short and long digits, signs, marks in all places, exponents, denormals, whole doubles to the last digit, rubbish. */
static int spell(char *out, uint64_t i)
{
    uint64_t a = draw(i, 1), b = draw(i, 2);
    double d;
    memcpy(&d, &a, sizeof d);
    switch (b % 12) {
    case 0:
        return snprintf(out, WIDTH, "%lld", (long long)(int64_t)(a >> (b >> 8) % 64));
    case 1:
        return snprintf(out, WIDTH, "%.*f", (int)(b >> 8) % 10, (double)(a >> 20) / 1e5);
    case 2:
        return snprintf(out, WIDTH, "-%.*f", (int)(b >> 8) % 8, (double)(a >> 40) / 1e3);
    case 3:
        return snprintf(out, WIDTH, "%.17g", isfinite(d) ? d : 1);
    case 4:
        return snprintf(out, WIDTH, "%.9g", (double)(float)(a >> 11) * 0x1p-60);
    case 5:
        return snprintf(out, WIDTH, "%llue%d", (unsigned long long)(a % 100000), (int)(b >> 8) % 700 - 350);
    case 6:
        return snprintf(out, WIDTH, "%llu.%llu", (unsigned long long)(a % 1000),
                        (unsigned long long)(b >> 8) % 1000000000);
    case 7:
        return snprintf(out, WIDTH, "%s",
                        (const char *[]){"",
                                         ".",
                                         "-",
                                         "-.",
                                         "1.",
                                         ".5",
                                         "-.5",
                                         "1..2",
                                         "--1",
                                         "+3",
                                         "1-",
                                         "0x10",
                                         "nan",
                                         "inf",
                                         "1e",
                                         "1e+",
                                         " 7",
                                         "7 ",
                                         "1,5",
                                         "-0",
                                         "9007199254740993",
                                         "9007199254740992",
                                         "00000000000000000001",
                                         "1_000"}[a % 24]);
    case 8: /* the middle of two floats, and just beside */
        return snprintf(out, WIDTH, "%.12f",
                        ((double)(a % 1000003 | 1 << 23) + 0.5 * (double)(b >> 9 & 1)) / (1 << 20));
    case 9:
        return snprintf(out, WIDTH, "%016llu", (unsigned long long)(a % 10000000000000000u));
    case 10:
        return snprintf(out, WIDTH, "%.15g", (double)(a >> 11) * 0x1p-53);
    default:
        return snprintf(out, WIDTH, "%llu", (unsigned long long)(a % 1000));
    }
}

static IngestFields make(uint64_t round)
{
    uint32_t at = 0;
    char *to = text + INGEST_PAD;
    for (uint32_t r = 0; r < N; r++) {
        before[r] = at - 1;
        at += (uint32_t)spell(to + at, round * N + r);
        end[r] = at;
        to[at++] = ',';
    }
    return (IngestFields){.text = to, .before = before, .end = end, .before_stride = 1, .end_stride = 1, .rows = N};
}

static bool is_plain_grammar(const char *s, size_t n)
{
    size_t i = n > 0 && (*s == '-' || *s == '+'), digits = 0;
    for (; i < n && s[i] >= '0' && s[i] <= '9'; i++)
        digits++;
    if (i < n && s[i] == '.')
        for (i++; i < n && s[i] >= '0' && s[i] <= '9'; i++)
            digits++;
    if (digits == 0)
        return false;
    if (i < n && (s[i] == 'e' || s[i] == 'E')) {
        i += 1 + (i + 1 < n && (s[i + 1] == '-' || s[i + 1] == '+'));
        size_t first = i;
        for (; i < n && s[i] >= '0' && s[i] <= '9'; i++)
            ;
        if (i == first)
            return false;
    }
    return i == n;
}

static void check_slow(const char *s, size_t n, const IngestNumbers *rule)
{
    char copy[WIDTH + 1];
    size_t skip = 0, size = n;
    double d, f;
    memcpy(copy, s, n);
    copy[n] = '\0';
    while (skip < size && s[skip] == ' ')
        skip++;
    while (size > skip && s[size - 1] == ' ')
        size--;
    IngestReason reason = ingest_number_read(&d, s, n, rule, false),
                 reason_f = ingest_number_read(&f, s, n, rule, true);
    if (!is_plain_grammar(s + skip, size - skip)) {
        assert_int_equal(reason, BAD_NUMBER);
        return;
    }
    double expected = strtod(copy, NULL), expected_f = (double)strtof(copy, NULL);
    assert_int_equal(reason, isinf(expected) ? BAD_OVERFLOW : BAD_NOT);
    assert_memory_equal(&d, &expected, sizeof d);
    assert_int_equal(reason_f, isinf(expected_f) ? BAD_OVERFLOW : BAD_NOT);
    assert_memory_equal(&f, &expected_f, sizeof f);
}

static void the_bits_of_strtod(void **state)
{
    (void)state;
    const IngestNumbers rule = {.decimal = '.', .c = newlocale(LC_ALL_MASK, "C", (locale_t)0)};
    const IngestIsa *sets[2] = {&ingest_isa_scalar, ingest_isa()};
    int64_t fast = 0;
    for (uint64_t round = 0; round < ROUNDS; round++) {
        IngestFields fields = make(round);
        bool single = round % 2 != 0;
        int32_t n = sets[0]->numbers(value, &fields, '.', single, slow);
        int32_t m = sets[1]->numbers(again, &fields, '.', single, slow_again);
        assert_int_equal(n, m);
        assert_memory_equal(slow, slow_again, (size_t)n * sizeof *slow);
        for (int32_t r = 0, k = 0; r < N; r++) {
            uint32_t size;
            const char *s = ingest_field(&fields, r, &size);
            bool left = k < n && slow[k] == r;
            k += left;
            if (left || size == 0) {
                assert_true(size == 0 ? isnan(value[r]) && isnan(again[r]) : true);
                check_slow(s, size, &rule);
                continue;
            }
            double expected = strtod(s, NULL);
            float rounded = (float)value[r], expected_float = strtof(s, NULL);
            assert_memory_equal(&value[r], &expected, sizeof expected);
            assert_memory_equal(&again[r], &expected, sizeof expected);
            if (single)
                assert_memory_equal(&rounded, &expected_float, sizeof rounded);
            fast++;
        }
    }
    assert_true(fast > ROUNDS * N / 3);
    freelocale(rule.c);
}

static void grouping_and_comma(void **state)
{
    (void)state;
    const struct {
        const char *text;
        char decimal;
        const char *group;
        double value;
        IngestReason reason;
    } cases[] = {
        {"1.234.567,5", ',', ".", 1234567.5, BAD_NOT},
        {"1 234", '.', " ", 1234, BAD_NOT},
        {"-12'345.5", '.', "'", -12345.5, BAD_NOT},
        {"1\xC2\xA0"
         "234",
         '.', "\xC2\xA0", 1234, BAD_NOT},
        {"12.34", ',', ".", 0, BAD_NUMBER},
        {".123", ',', ".", 0, BAD_NUMBER},
        {"1234.567", ',', ".", 0, BAD_NUMBER},
        {"1..234", ',', ".", 0, BAD_NUMBER},
        {"1.234.", ',', ".", 0, BAD_NUMBER},
        {"1,5", '.', "", 0, BAD_NUMBER},
        {"1,5", ',', "", 1.5, BAD_NOT},
        {"1,5e3", ',', ".", 1500, BAD_NOT},
        {"1e400", '.', "", 0, BAD_OVERFLOW},
        {"1e-400", '.', "", 0, BAD_NOT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        IngestNumbers rule = {.decimal = cases[i].decimal, .c = newlocale(LC_ALL_MASK, "C", (locale_t)0)};
        double d = -1;
        strcpy(rule.group, cases[i].group);
        assert_int_equal(ingest_number_read(&d, cases[i].text, strlen(cases[i].text), &rule, false), cases[i].reason);
        assert_true(cases[i].reason != BAD_NOT || d == cases[i].value);
        freelocale(rule.c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_bits_of_strtod), cmocka_unit_test(grouping_and_comma)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
