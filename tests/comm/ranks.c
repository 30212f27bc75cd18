/* RUN np=1,2,3,4 quick -- collectives, agreement on failures, and sums that no order can change. */
#include "check.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "comm/comm.h"
#include "comm/exact.h"

static Comm *comm;

static void one_failure_is_everyones(void **state)
{
    (void)state;
    int last = comm_size(comm) - 1;
    dp_status mine = comm_rank(comm) == last ? dp_fail(DP_ERR_DATA, "test-01", "row 7 is broken") : DP_OK;
    assert_fails(comm_agree(comm, mine), DP_ERR_DATA, "test-01");
    assert_non_null(strstr(dp_error_last()->text, "row 7 is broken"));
    assert_ok(comm_agree(comm, DP_OK));
}

static void blocks_reach_their_rank(void **state)
{
    (void)state;
    int size = comm_size(comm), rank = comm_rank(comm);
    size_t send_bytes[8], got_bytes[8], at = 0;
    char send[64], *got = NULL;
    for (int r = 0; r < size; r++) {
        send_bytes[r] = (size_t)((rank + r) % 3);
        memset(send + at, rank * 8 + r, send_bytes[r]);
        at += send_bytes[r];
    }
    assert_ok(comm_exchange(comm, send, send_bytes, &got, got_bytes));
    at = 0;
    for (int r = 0; r < size; r++) {
        assert_int_equal(got_bytes[r], (rank + r) % 3);
        for (size_t i = 0; i < got_bytes[r]; i++)
            assert_int_equal(got[at++], r * 8 + rank);
    }
    dp_free(&got);
    size_t starts[9];
    assert_ok(comm_collect_any(comm, send, (size_t)rank, &got, starts));
    assert_int_equal(starts[size], (size_t)size * (size_t)(size - 1) / 2);
    dp_free(&got);
    int64_t before = 10 + rank, total = comm_prefix_i64(comm, &before);
    assert_int_equal(total, 10 * size + size * (size - 1) / 2);
    assert_int_equal(before, 10 * rank + rank * (rank - 1) / 2);
}

/* The same 4,000 numbers of wild sizes, dealt out over the ranks: the sum is the same bits, and right. */
static void exact_sums_ignore_order(void **state)
{
    (void)state;
    enum { N = 4000 };
    ExactSum dealt = {0}, alone = {0}, halves[2];
    memset(halves, 0, sizeof halves);
    for (int i = 0; i < N; i++) {
        double x = ldexp(dp_random_unit(1, 2, (uint64_t)i) - 0.5, (int)(dp_random_u64(1, 3, (uint64_t)i) % 1800) - 900);
        exact_add(&alone, x);
        exact_add(&halves[i % 2], x);
        if (i % comm_size(comm) == comm_rank(comm))
            exact_add(&dealt, x);
    }
    comm_sum_exact(comm, &dealt, 1);
    exact_join(&halves[0], &halves[1]);
    double a = exact_value(&alone), d = exact_value(&dealt), h = exact_value(&halves[0]);
    assert_memory_equal(&a, &d, sizeof a);
    assert_memory_equal(&a, &h, sizeof a);
    ExactSum tiny = {0};
    exact_add(&tiny, 1e308);
    exact_add(&tiny, DBL_TRUE_MIN);
    exact_add(&tiny, -1e308);
    assert_true(exact_value(&tiny) == DBL_TRUE_MIN);
    exact_add(&tiny, INFINITY);
    assert_true(isinf(exact_value(&tiny)));
    exact_add(&tiny, -INFINITY);
    assert_true(isnan(exact_value(&tiny)));
}

static void take_number(void *sample, const void *items, int64_t i)
{
    *(int64_t *)sample = ((const int64_t *)items)[i];
}

static int compare_numbers(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Rank r holds r + 1 of so many thirds of the numbers 0 .. : the samples' order statistics are those of all. */
static void samples_cut_evenly(void **state)
{
    (void)state;
    enum { N = 30000 };
    static int64_t items[N];
    int size = comm_size(comm);
    int64_t n = 0, n_samples = 0, bytes = 0;
    char *samples = NULL;
    for (int64_t i = 0; i < N; i++)
        if ((int)(i * i % (size * (size + 1) / 2)) >= comm_rank(comm) * (comm_rank(comm) + 1) / 2 &&
            (int)(i * i % (size * (size + 1) / 2)) < (comm_rank(comm) + 1) * (comm_rank(comm) + 2) / 2)
            items[n++] = i;
    CommOrder order = {
        .items = items, .n = n, .size = sizeof *items, .sample = take_number, .compare = compare_numbers};
    assert_ok(comm_sample(comm, &order, &samples, &n_samples));
    assert_true(n_samples >= 50 * size && n_samples <= 64 * size + size);
    const int64_t *all = (const int64_t *)(const void *)samples;
    for (int64_t k = 1; k < n_samples; k++)
        assert_true(all[k] > all[k - 1]);
    for (int64_t k = 0; k < n_samples; k++)
        assert_true(llabs(all[k] - N * k / n_samples) < N / 32);
    for (int64_t k = 0; k < n_samples; k++)
        bytes += all[k] * (k + 1);
    int64_t least = bytes, most = bytes;
    comm_min_i64(comm, &least, 1);
    comm_max_i64(comm, &most, 1);
    assert_int_equal(least, most);
    dp_free(&samples);
    order.n = 0;
    assert_ok(comm_sample(comm, &order, &samples, &n_samples));
    assert_int_equal(n_samples, 0);
    dp_free(&samples);
}

/* Number i of a rank: of 1 to 62 bits, long and short ones in turn. */
static int64_t number_of(int rank, size_t i)
{
    return (int64_t)dp_random_u64(7, (uint64_t)rank, i) >> (2 + dp_random_below(8, (uint64_t)rank, i / 300, 61));
}

/* Parts of all sizes, none among them, and longer than what is moved at once; at once, or while others calls are made.
 */
static void parts_are_summed(void **state)
{
    (void)state;
    enum { LONG = 100000 };
    int size = comm_size(comm), rank = comm_rank(comm), counts[8];
    for (int round = 0; round < 16; round++) {
        size_t all = 0, before = 0;
        for (int r = 0; r < size; r++) {
            uint64_t kind = dp_random_below(5, (uint64_t)round, (uint64_t)r, 3);
            counts[r] = kind == 0 ? 0 : (int)dp_random_below(6, (uint64_t)round, (uint64_t)r, kind == 1 ? 9 : LONG);
            before += r < rank ? (size_t)counts[r] : 0;
            all += (size_t)counts[r];
        }
        int64_t *values = NULL, *mine = NULL;
        assert_ok(dp_new(&values, all));
        assert_ok(dp_new(&mine, (size_t)counts[rank]));
        for (size_t i = 0; i < all; i++)
            values[i] = number_of(rank, i);
        if (round % 2)
            comm_reduce_scatter_i64(comm, values, mine, counts);
        else {
            comm_reduce_scatter_begin(comm, values, mine, counts);
            for (int k = 0; k < round * (rank + 1); k++)
                comm_reduce_scatter_progress(comm);
            assert_true(comm_any(comm, rank == size - 1));
            comm_reduce_scatter_progress(comm);
            comm_reduce_scatter_end(comm);
        }
        for (int i = 0; i < counts[rank]; i++) {
            int64_t sum = 0;
            for (int r = 0; r < size; r++)
                sum += number_of(r, before + (size_t)i);
            assert_int_equal(mine[i], sum);
        }
        dp_free(&values);
        dp_free(&mine);
    }
}

/* Record k: the highest first number is that of rank k % size, or of all, where the second decides; the third says
 * whose record it is. */
static void best_records_win(void **state)
{
    (void)state;
    enum { N = 40, WIDTH = 3 };
    int64_t record[N][WIDTH];
    int size = comm_size(comm), rank = comm_rank(comm);
    for (int k = 0; k < N; k++) {
        record[k][0] = k % 2 ? 7 : k % size == rank;
        record[k][1] = (rank + k) % size - 1;
        record[k][2] = rank;
    }
    comm_best(comm, record[0], N, WIDTH);
    for (int k = 0; k < N; k++)
        assert_int_equal(record[k][2], k % 2 ? (size - k % size) % size : k % size);
}

/* Even and odd ranks work apart: sums, prefixes and failures stay in their part. */
static void parts_work_apart(void **state)
{
    (void)state;
    Comm *part = NULL;
    int size = comm_size(comm), rank = comm_rank(comm), group = rank % 2;
    int64_t sum = rank, members = (size + 1 - group) / 2, before = 1, want = 0;
    assert_ok(comm_split(&part, comm, 5 * group));
    assert_int_equal(comm_size(part), members);
    assert_int_equal(comm_rank(part), rank / 2);
    assert_int_equal(comm_local_rank(part), comm_local_rank(comm));
    assert_null(comm_log(part));
    for (int r = group; r < size; r += 2)
        want += r;
    comm_sum_i64(part, &sum, 1);
    assert_int_equal(sum, want);
    int64_t values[4] = {rank, rank, rank, rank}, mine = -1;
    int counts[4] = {1, 1, 1, 1};
    comm_reduce_scatter_i64(part, values, &mine, counts);
    assert_int_equal(mine, want);
    comm_prefix_i64(part, &before);
    assert_int_equal(before, rank / 2);
    if (group == 1) /* the other part does nothing meanwhile */
        assert_fails(comm_agree(part, dp_fail(DP_ERR_DATA, "test-02", "odd")), DP_ERR_DATA, "test-02");
    comm_close(&part);
    assert_null(part);
    assert_ok(comm_agree(comm, DP_OK));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_failure_is_everyones), cmocka_unit_test(blocks_reach_their_rank),
        cmocka_unit_test(exact_sums_ignore_order),  cmocka_unit_test(samples_cut_evenly),
        cmocka_unit_test(parts_are_summed),         cmocka_unit_test(parts_work_apart),
        cmocka_unit_test(best_records_win),
    };
    if (comm_open(&comm, NULL) != DP_OK)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    comm_close(&comm);
    return failed;
}
