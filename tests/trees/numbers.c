/* RUN np=1 quick -- sigmoid, logarithm and rounding against long double and their own bounds. */
#include "check.h"

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "device/tree_math.h"
#include "trees/trees_priv.h"

static void sigmoid_is_within_1e15(void **state)
{
    (void)state;
    double worst = 0, before = 0;
    for (int64_t margin = -(INT64_C(800) << 20); margin <= INT64_C(800) << 20; margin += 104729) {
        double p = trees_probability(margin);
        long double right = 1.0L / (1.0L + expl(-(long double)margin * 0x1p-20L));
        double error = (double)fabsl(((long double)p - right) / (right > 0x1p-1000L ? right : 1.0L));
        worst = error > worst ? error : worst;
        assert_true(p >= before && p <= 1);
        before = p;
    }
    if (worst > 1e-15)
        fail_msg("the worst relative error is %g", worst);
    assert_true(trees_probability(0) == 0.5);
    assert_true(trees_probability(INT64_MAX) == 1);
}

/* Whatever instruction set makes them, and however many at a time. */
static void many_chances_are_those_of_one(void **state)
{
    (void)state;
    enum { N = 1000 };
    int64_t margin[N];
    float chance[N];
    for (int64_t i = 0; i < N; i++)
        margin[i] = (int64_t)((dp_random_unit(1, 3, (uint64_t)i) - 0.5) * ldexp(1, 20 + (int)(i % 44)));
    margin[0] = INT64_MIN;
    margin[1] = INT64_MAX;
    for (int64_t n = 0; n <= N; n += n < 20 ? 1 : 245) {
        trees_chances(margin, n, chance);
        for (int64_t i = 0; i < n; i++)
            assert_true(chance[i] == (float)trees_probability(margin[i]));
    }
}

static void logarithm_is_near(void **state)
{
    (void)state;
    for (int i = 0; i < 200000; i++) {
        double x = exp(60 * (dp_random_unit(1, 1, (uint64_t)i) - 0.5));
        if (i % 3 == 0)
            x = 1 + (dp_random_unit(1, 2, (uint64_t)i) - 0.5) * 0x1p-10;
        long double right = logl((long double)x);
        assert_true(fabsl((long double)tree_log(x) - right) <= 4e-16L * (fabsl(right) > 1e-3L ? fabsl(right) : 1e-3L));
    }
    assert_true(tree_log(1) == 0);
}

/* Every draw is one of the two neighbours, and over many draws the mean is the number. */
static void rounding_keeps_the_mean(void **state)
{
    (void)state;
    static const double values[] = {0, 0.25, -0.25, 1.75, -3.999, 31, -31, 16383, -16383, 1e-4, 254.5};
    enum { DRAWS = 100000 };
    for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
        double sum = 0, low = floor(values[v]), part = values[v] - low;
        for (uint64_t i = 0; i < DRAWS; i++) {
            int32_t q = tree_round(values[v], tree_mix(99, i) & 0xFFFFFF);
            assert_true(q == low || (part > 0 && q == low + 1));
            sum += q - values[v];
        }
        /* five standard errors of a coin with this chance */
        assert_true(fabs(sum / DRAWS) <= 5 * sqrt(part * (1 - part) / DRAWS) + 1e-6);
    }
}

static void leaves_are_rounded_and_bounded(void **state)
{
    (void)state;
    assert_int_equal(tree_leaf(-(INT64_C(3) << 40), INT64_C(2) << 40, 0x1p-40, 0x1p-40, 0, 1, 0.5),
                     (int32_t)(0.5 * (1 << 20)));
    assert_int_equal(tree_leaf(INT64_C(1) << 60, 0, 0x1p-40, 0x1p-40, 0, 0, 1), 0);
    assert_int_equal(tree_leaf(-(INT64_C(1) << 60), 1, 0x1p-40, 0x1p-40, 0, 0, 1), 1 << 30);
    assert_int_equal(tree_leaf(0, 0, 0x1p-40, 0x1p-40, 0, 0, 1), 0);
    for (int i = 0; i < 1000; i++) {
        int64_t g = (int64_t)(dp_random_u64(5, 1, (uint64_t)i) >> 20) - (INT64_C(1) << 43);
        int64_t h = (int64_t)(dp_random_u64(5, 2, (uint64_t)i) >> 20);
        double right = -0.1 * ((double)g * 0x1p-40) / ((double)h * 0x1p-40 + 1) * 0x1p20;
        assert_true(fabs(tree_leaf(g, h, 0x1p-40, 0x1p-40, 0, 1, 0.1) - right) <= 0.5 + 1e-6);
    }
}

static void sizes_are_classes(void **state)
{
    (void)state;
    for (int i = 0; i < 100000; i++) {
        double x = exp(-11 * dp_random_unit(3, 1, (uint64_t)i));
        uint32_t size = tree_size(x);
        double value = (double)tree_size_value((int)size) * 0x1p-22;
        assert_true(size < TREE_SIZES && value <= x && x < value * (65.0 / 64.0));
    }
    assert_int_equal(tree_size(0), 0);
    assert_int_equal(tree_size(0x1p-40), 0);
    assert_int_equal(tree_size(1), TREE_SIZES - 1);
    assert_int_equal(tree_size(1.5), TREE_SIZES - 1);
}

/* Chances rise with size up to certainty, a row counts the inverse of its chance, and as many rows are drawn on average
 * as were wanted: for few large and many small rows, all of one size, empty classes, and more wanted than there are. */
static void chances_add_up(void **state)
{
    (void)state;
    TreeDraw draw;
    for (uint64_t round = 0; round < 200; round++) {
        int64_t count[TREE_SIZES] = {0}, rows = 0;
        double expected = 0, share = round < 10 ? 0.9 : dp_random_unit(8, 1, round);
        for (int k = 0; k < TREE_SIZES; k++) {
            if (round % 4 != 3 ? dp_random_unit(9, round, (uint64_t)k) < 0.5 : k == (int)round)
                count[k] =
                    (int64_t)exp(20 * dp_random_unit(10, round, (uint64_t)k) * (round % 2 ? 1.0 : 1 - k / 1030.0));
            rows += count[k];
        }
        int64_t wanted = (int64_t)((double)rows * share) + 1, limit = trees_draw_by_size(&draw, count, wanted);
        for (int k = 0; k < TREE_SIZES; k++) {
            double chance = (double)draw.below[k] * 0x1p-53;
            assert_true(chance > 0 && chance <= 1 && fabs(chance * draw.times[k] - 1) < 1e-15);
            assert_true(k == 0 || draw.below[k] >= draw.below[k - 1]);
            assert_true(chance == 1 || fabs((double)tree_size_value(k) * draw.times[k] / (double)limit - 1) <=
                                           1e-15 + 2 / (double)draw.below[k]);
            expected += chance * (double)count[k];
        }
        assert_true(expected <= (double)wanted + 1e-6 * (double)wanted);
        /* the limit is rounded up by less than 1 */
        double most = (double)(wanted < rows ? wanted : rows);
        assert_true(expected >= most * (1 - 1 / (double)limit) * (1 - 1e-9));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sigmoid_is_within_1e15),
        cmocka_unit_test(many_chances_are_those_of_one),
        cmocka_unit_test(logarithm_is_near),
        cmocka_unit_test(rounding_keeps_the_mean),
        cmocka_unit_test(leaves_are_rounded_and_bounded),
        cmocka_unit_test(sizes_are_classes),
        cmocka_unit_test(chances_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
