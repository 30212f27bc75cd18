/* RUN np=1,2,4 quick -- each measure equals scikit-learn's, its interval DeLong's or numpy's bootstrap's, and no bit
 * depends on the number of ranks or on the order of the rows. */
#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "metric/metric.h"

static Comm *comm, *alone;

enum { N_GOLDEN = 1000, MOST = 6000 };
static const struct {
    const char *name;
    double value, low, high;
    double difference, difference_low, difference_high;
} golden[] = {
#include "sklearn.h"
};

static const char *const measures[] = {
    "auc",   "average_precision", "precision@5%", "recall@10%", "revenue@5%", "logloss",
    "brier", "calibration",       "ndcg@10",      "ndcg@5%"};
enum { N_MEASURES = sizeof measures / sizeof *measures };

/* Rows with room: all of them, or this rank's share. */
typedef struct Table {
    float score[MOST], other[MOST];
    int8_t label[MOST];
    uint64_t row[MOST];
    double revenue[MOST];
    uint64_t group[MOST];
    int64_t n;
} Table;

static MetricRows rows_of(const Table *t)
{
    return (MetricRows){
        .score = t->score, .label = t->label, .row = t->row, .revenue = t->revenue, .group = t->group, .n = t->n};
}

static void copy_row(Table *to, const Table *from, int64_t i)
{
    to->score[to->n] = from->score[i];
    to->other[to->n] = from->other[i];
    to->label[to->n] = from->label[i];
    to->row[to->n] = from->row[i];
    to->group[to->n] = from->group[i];
    to->revenue[to->n++] = from->revenue[i];
}

/* `levels` distinct scores: 1 = constant, 64 = a first tree, many = no ties. */
static void make_table(Table *t, int64_t n, uint64_t levels, uint64_t seed)
{
    t->n = n;
    for (int64_t i = 0; i < n; i++) {
        uint64_t k = (uint64_t)i;
        double risk = dp_random_unit(seed, 1, k), guess = dp_random_unit(seed, 2, k);
        t->label[i] = risk > 0.8;
        t->group[i] = dp_random_u64(seed, 4, dp_random_below(seed, 5, k, 1 + k % 90));
        t->score[i] = (float)(floor((0.6 * risk + 0.4 * guess) * (double)levels) / (double)levels);
        t->other[i] = (float)(floor((0.5 * risk + 0.5 * dp_random_unit(seed, 3, k)) * (double)levels) / (double)levels);
        if (t->score[i] == 0 && k % 2)
            t->score[i] = -0.0f; /* the same score */
        t->row[i] = dp_random_u64(seed, 4, k);
        t->revenue[i] = risk > 0.7 ? floor(dp_random_unit(seed, 5, k) * 1e7) / 64 : NAN;
    }
}

/* This rank's part of a shuffled table: shares of very different size, none on the last rank where there are three. */
static void deal(Table *mine, const Table *all, uint64_t seed)
{
    int size = comm_size(comm);
    int owners = size > 2 ? size - 1 : size;
    static int64_t order[MOST];
    mine->n = 0;
    for (int64_t i = 0; i < all->n; i++)
        order[i] = i;
    for (int64_t i = all->n - 1; i > 0; i--) {
        int64_t j = (int64_t)dp_random_below(seed, 9, (uint64_t)i, (uint64_t)i + 1), swap = order[i];
        order[i] = order[j];
        order[j] = swap;
    }
    for (int64_t i = 0; i < all->n; i++) {
        double u = dp_random_unit(seed, 8, (uint64_t)order[i]);
        if ((int)(u * u * owners) == comm_rank(comm))
            copy_row(mine, all, order[i]);
    }
}

/* An interval is an oracle's: of AUC to the last digits, of 200 replicates against 2,000 others within their noise. */
static void check_interval(const char *name, const MetricValue *got, double low, double high)
{
    double room = strcmp(name, "auc") == 0 ? 1e-9 : 0.25 * (high - low);
    if (fabs(got->low - low) > room || fabs(got->high - high) > room)
        fail_msg("%s is %g within %g .. %g; the oracle says %g .. %g", name, got->value, got->low, got->high, low,
                 high);
}

static void values_are_those_of_scikit_learn(void **state)
{
    (void)state;
    static Table all, mine;
    uint64_t x = 12345;
    all.n = N_GOLDEN;
    for (int i = 0; i < N_GOLDEN; i++) {
        x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint64_t s = 1 + (x >> 40) % 31;
        all.score[i] = (float)s / 32;
        all.other[i] = (float)(1 + (2 * s + (x >> 46) % 31) / 3) / 32;
        all.label[i] = (x >> 20) % 64 < 8 + s;
        all.revenue[i] = all.label[i] * (double)((x >> 25) % 1000);
        all.row[i] = (uint64_t)i;
    }
    deal(&mine, &all, 3);
    MetricRows rows = rows_of(&mine), other = rows;
    other.score = mine.other;
    for (size_t g = 0; g < sizeof golden / sizeof *golden; g++) {
        Metric metric;
        MetricValue full, difference;
        double value;
        assert_ok(metric_parse(&metric, golden[g].name));
        assert_ok(metric_value(&value, &metric, &rows, comm));
        if (fabs(value - golden[g].value) > 1e-12)
            fail_msg("%s is %.17g, scikit-learn says %.17g", golden[g].name, value, golden[g].value);
        assert_ok(metric_compute(&full, &metric, &rows, comm));
        assert_memory_equal(&full.value, &value, sizeof value);
        check_interval(golden[g].name, &full, golden[g].low, golden[g].high);
        assert_ok(metric_compare(&difference, &metric, &rows, &other, comm));
        if (fabs(difference.value - golden[g].difference) > 1e-12)
            fail_msg("%s differs by %.17g, not %.17g", golden[g].name, difference.value, golden[g].difference);
        check_interval(golden[g].name, &difference, golden[g].difference_low, golden[g].difference_high);
    }
}

static void no_bit_depends_on_the_ranks(void **state)
{
    (void)state;
    static Table all, mine;
    static const uint64_t levels[] = {1, 7, 64, 1u << 20};
    for (size_t l = 0; l < sizeof levels / sizeof *levels; l++) {
        make_table(&all, l == 3 ? MOST : 1500, levels[l], 40 + l);
        deal(&mine, &all, 17);
        MetricRows rows_all = rows_of(&all), rows_mine = rows_of(&mine), other_all = rows_all, other_mine = rows_mine;
        other_all.score = all.other;
        other_mine.score = mine.other;
        for (int m = 0; m < N_MEASURES; m++) {
            Metric metric;
            MetricValue one, dealt, one_difference, dealt_difference;
            double value;
            assert_ok(metric_parse(&metric, measures[m]));
            assert_ok(metric_compute(&one, &metric, &rows_all, alone));
            assert_ok(metric_compute(&dealt, &metric, &rows_mine, comm));
            assert_ok(metric_value(&value, &metric, &rows_mine, comm));
            assert_ok(metric_compare(&one_difference, &metric, &rows_all, &other_all, alone));
            assert_ok(metric_compare(&dealt_difference, &metric, &rows_mine, &other_mine, comm));
            if (memcmp(&one, &dealt, sizeof one) || memcmp(&one_difference, &dealt_difference, sizeof one) ||
                memcmp(&value, &one.value, sizeof value))
                fail_msg("%s of %d levels: one rank %.17g (%.17g .. %.17g), %d ranks %.17g (%.17g .. %.17g)",
                         measures[m], (int)levels[l], one.value, one.low, one.high, comm_size(comm), dealt.value,
                         dealt.low, dealt.high);
            assert_false(isnan(one.value));
            if (levels[l] == 1 && metric.kind == METRIC_AUC)
                assert_true(one.value == 0.5); /* +0 and -0 everywhere */
        }
    }
}

/* DeLong by its definition, every pair of a hit and a miss. */
static double psi(float hit, float miss)
{
    return hit > miss ? 1 : hit == miss ? 0.5 : 0;
}

static void delong_by_pairs(const Table *t, const float *a, const float *b, double *auc, double *variance)
{
    double sum[2] = {0, 0}, square[2] = {0, 0}, n[2] = {0, 0};
    for (int64_t i = 0; i < t->n; i++)
        n[t->label[i]]++;
    for (int64_t i = 0; i < t->n; i++) {
        int hit = t->label[i];
        double place = 0;
        for (int64_t j = 0; j < t->n; j++)
            if (t->label[j] != hit)
                place +=
                    hit ? psi(b[i], b[j]) - (a ? psi(a[i], a[j]) : 0) : psi(b[j], b[i]) - (a ? psi(a[j], a[i]) : 0);
        place /= n[1 - hit];
        sum[hit] += place;
        square[hit] += place * place;
    }
    *auc = sum[1] / n[1];
    *variance = 0;
    for (int hit = 0; hit < 2; hit++)
        *variance += (square[hit] - sum[hit] * sum[hit] / n[hit]) / (n[hit] - 1) / n[hit];
}

static void delong_is_that_of_all_pairs(void **state)
{
    (void)state;
    static Table all, mine;
    Metric auc;
    MetricValue value;
    double expected, variance;
    make_table(&all, 700, 40, 5);
    deal(&mine, &all, 6);
    MetricRows rows = rows_of(&mine), other = rows;
    other.score = mine.other;
    assert_ok(metric_parse(&auc, "auc"));
    assert_ok(metric_compute(&value, &auc, &rows, comm));
    delong_by_pairs(&all, NULL, all.score, &expected, &variance);
    assert_true(fabs(value.value - expected) < 1e-12);
    assert_true(fabs((value.high - value.low) / 2 - 1.959963984540054 * sqrt(variance)) < 1e-10);
    assert_ok(metric_compare(&value, &auc, &rows, &other, comm));
    delong_by_pairs(&all, all.score, all.other, &expected, &variance);
    assert_true(fabs(value.value - expected) < 1e-12);
    assert_true(fabs((value.high - value.low) / 2 - 1.959963984540054 * sqrt(variance)) < 1e-10);
    assert_ok(metric_compare(&value, &auc, &rows, &rows, comm));
    assert_true(value.value == 0 && value.low == 0 && value.high == 0);
}

/* The bootstrap of a share is as wide as the binomial says, of a mean as wide as its standard error. */
static void bootstrap_is_as_wide_as_theory(void **state)
{
    (void)state;
    static Table all, mine;
    Metric metric;
    MetricValue value;
    double sum = 0, square = 0;
    make_table(&all, MOST, 1u << 20, 21);
    for (int64_t i = 0; i < all.n; i++)
        all.score[i] = (float)dp_random_unit(1, 77, (uint64_t)i); /* precision of a blind model */
    deal(&mine, &all, 22);
    MetricRows rows = rows_of(&mine);
    assert_ok(metric_parse(&metric, "precision@50%"));
    assert_ok(metric_compute(&value, &metric, &rows, comm));
    double p = value.value, expected = 2 * 1.96 * sqrt(p * (1 - p) / (MOST / 2.0));
    assert_true(fabs((value.high - value.low) / expected - 1) < 0.3);
    assert_ok(metric_parse(&metric, "brier"));
    assert_ok(metric_compute(&value, &metric, &rows, comm));
    for (int64_t i = 0; i < all.n; i++) {
        double loss = pow((double)all.score[i] - all.label[i], 2);
        sum += loss;
        square += loss * loss;
    }
    expected = 2 * 1.96 * sqrt((square / MOST - pow(sum / MOST, 2)) / MOST);
    assert_true(fabs((value.high - value.low) / expected - 1) < 0.3);
}

/* The calibration error of a calibrated model is noise alone, and more of it in each replicate: its interval must reach
 * far below the value all the same. */
static void calibrated_scores_may_be_perfect(void **state)
{
    (void)state;
    static Table all, mine;
    Metric metric;
    MetricValue value;
    make_table(&all, MOST, 1u << 20, 61);
    for (int64_t i = 0; i < all.n; i++)
        all.label[i] = dp_random_unit(2, 78, (uint64_t)i) < (double)all.score[i];
    deal(&mine, &all, 62);
    MetricRows rows = rows_of(&mine);
    assert_ok(metric_parse(&metric, "calibration"));
    assert_ok(metric_compute(&value, &metric, &rows, comm));
    assert_true(value.value < 0.02 && value.low < 0.6 * value.value && value.high < 0.03);
}

static void what_has_no_value_is_nan(void **state)
{
    (void)state;
    static Table all, mine;
    for (int label = 0; label < 2; label++)
        for (int64_t n = 0; n <= 300; n += 300) {
            make_table(&all, n, 50, 31);
            for (int64_t i = 0; i < n; i++)
                all.label[i] = (int8_t)label;
            deal(&mine, &all, 32);
            MetricRows rows = rows_of(&mine);
            for (int m = 0; m < N_MEASURES; m++) {
                Metric metric;
                MetricValue value;
                assert_ok(metric_parse(&metric, measures[m]));
                assert_ok(metric_compute(&value, &metric, &rows, comm));
                bool no_hits = label == 0 && (metric.kind == METRIC_AVERAGE_PRECISION ||
                                              metric.kind == METRIC_RECALL_AT || metric.kind == METRIC_NDCG);
                assert_int_equal(isnan(value.value), n == 0 || metric.kind == METRIC_AUC || no_hits);
                assert_int_equal(isnan(value.low), isnan(value.value));
            }
        }
}

static void bad_rows_and_names_are_refused(void **state)
{
    (void)state;
    static Table all, mine;
    Metric metric;
    double value;
    make_table(&all, 200, 50, 51);
    deal(&mine, &all, 52);
    MetricRows rows = rows_of(&mine);
    bool me = comm_rank(comm) == 0;
    float kept = mine.score[0];
    assert_ok(metric_parse(&metric, "auc"));
    mine.score[0] = me ? NAN : kept;
    assert_fails(metric_value(&value, &metric, &rows, comm), DP_ERR_USAGE, "metric-02");
    mine.score[0] = me ? 1.5f : kept;
    assert_ok(metric_value(&value, &metric, &rows, comm));
    assert_ok(metric_parse(&metric, "logloss"));
    assert_fails(metric_value(&value, &metric, &rows, comm), DP_ERR_USAGE, "metric-02");
    mine.score[0] = kept;
    if (me)
        mine.label[0] = -1;
    assert_fails(metric_value(&value, &metric, &rows, comm), DP_ERR_USAGE, "metric-03");
    rows.revenue = NULL;
    assert_ok(metric_parse(&metric, "revenue@5%"));
    assert_fails(metric_value(&value, &metric, &rows, comm), DP_ERR_USAGE, "metric-04");

    rows.group = NULL;
    assert_ok(metric_parse(&metric, "ndcg@10"));
    assert_fails(metric_value(&value, &metric, &rows, comm), DP_ERR_USAGE, "metric-06");

    assert_ok(metric_parse(&metric, "precision@0.05"));
    assert_true(metric.cut == 0.05 && metric.higher_is_better);
    static const char *const wrong[] = {
        "",           "acu",           "auc@5%", "precision", "precision@",   "precision@0%", "recall@101%",
        "recall@5%%", "precision@nan", "ndcg@0", "ndcg@-3",   "precision@10", "loglos"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_fails(metric_parse(&metric, wrong[i]), DP_ERR_CONFIG, "metric-01");
    assert_non_null(strstr(dp_error_last()->text, "did you mean 'logloss'?"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_those_of_scikit_learn), cmocka_unit_test(no_bit_depends_on_the_ranks),
        cmocka_unit_test(delong_is_that_of_all_pairs),      cmocka_unit_test(bootstrap_is_as_wide_as_theory),
        cmocka_unit_test(calibrated_scores_may_be_perfect), cmocka_unit_test(what_has_no_value_is_nan),
        cmocka_unit_test(bad_rows_and_names_are_refused),
    };
    if (comm_open(&comm, NULL) != DP_OK || comm_open_alone(&alone, NULL) != DP_OK)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    comm_close(&alone);
    comm_close(&comm);
    return failed;
}
