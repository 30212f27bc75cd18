/* RUN np=1,2,4 quick -- split.apart keeps, of each tuple, what its rule says, on any number of ranks; days are those of
 * the time zone; values are one where they are equal. */
#include "check.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "data/data_priv.h"

static Comm *comm;

enum { N = 2000, TUPLES = 2000, DAYS = 90 };

/* Row i of the whole. Dates, so that the earliest row of a tuple is often one of several. */
static int64_t time_of(int64_t i)
{
    return (int64_t)dp_random_below(1, 1, (uint64_t)i, DAYS) * DP_DAY;
}

static uint64_t row_of(int64_t i)
{
    return dp_random_u64(1, 2, (uint64_t)i);
}

static uint64_t tuple_of(int64_t i)
{
    double u = dp_random_unit(1, 3, (uint64_t)i);
    return (uint64_t)(u * u * TUPLES);
}

/* Days 0 .. 29 train, 30 .. 59 valid, 60 .. 79 test, the rest nothing. */
static DataPart window_of(int64_t i)
{
    int64_t day = time_of(i) / DP_DAY;
    return day < 30 ? DATA_TRAIN : day < 60 ? DATA_VALID : day < 80 ? DATA_TEST : DATA_NONE;
}

/* By the words of the rule. */
static DataPart expected(int64_t i)
{
    DataPart part = window_of(i);
    for (int64_t j = 0; j < N && part != DATA_TRAIN && part != DATA_NONE; j++) {
        if (j == i || tuple_of(j) != tuple_of(i) || window_of(j) == DATA_NONE)
            continue;
        if (window_of(j) < part)
            return DATA_NONE; /* it stands in an earlier part */
        bool before = time_of(j) < time_of(i) || (time_of(j) == time_of(i) && row_of(j) < row_of(i));
        if (window_of(j) == part && before)
            return DATA_NONE; /* and the earliest row is kept */
    }
    return part;
}

static CfgPart days(int64_t from, int64_t to)
{
    return (CfgPart){.kind = CFG_PART_DATES, .from = from * DP_DAY, .to = (to + 1) * DP_DAY - 1};
}

static void apart_is_the_rule(void **state)
{
    (void)state;
    static const char *const columns[] = {"goods"};
    static int64_t number[N], time[N];
    static uint64_t row[N];
    static int8_t label[N];
    static uint8_t part[N];
    static dp_key128 tuple[N];
    char windows[3][80];
    int64_t counts[4] = {0};
    DataRows rows = {
        .number = number, .row = row, .time = time, .label = label, .part = part, .tuple = tuple, .slices = 3};
    SplitOptions split = {.train = days(0, 29), .valid = days(30, 59), .test = days(60, 79), .apart = {columns, 1}};
    for (int64_t i = 0; i < N; i++)
        if ((int)dp_random_below(1, 4, (uint64_t)i, (uint64_t)comm_size(comm)) == comm_rank(comm)) {
            uint64_t goods = tuple_of(i);
            number[rows.n] = i;
            row[rows.n] = row_of(i);
            time[rows.n] = time_of(i);
            tuple[rows.n++] = dp_hash128(&goods, sizeof goods, 0);
        }
    assert_ok(split_into_parts(&rows, &split, windows, comm));
    for (int64_t i = 0; i < rows.n; i++) {
        assert_int_equal(part[i], expected(number[i]));
        counts[part[i]]++;
    }
    comm_sum_i64(comm, counts, 4);
    assert_true(counts[DATA_VALID] > 10 && counts[DATA_TEST] > 3);
    assert_string_equal(windows[DATA_TEST], "1970-03-02 .. 1970-03-21");
}

/* An hour a row; Taipei's days begin at 16:00 UTC. */
static void days_are_those_of_the_zone(void **state)
{
    (void)state;
    enum { HOURS = 24 * DAYS };
    static int64_t number[HOURS], time[HOURS];
    static uint64_t row[HOURS];
    static uint8_t part[HOURS];
    char windows[3][80];
    CfgPart ten = {.kind = CFG_PART_DAYS, .count = 10};
    SplitOptions by_dates = {
        .train = days(10, 29), .valid = days(30, 59), .test = days(60, 79), .time_zone = "Asia/Taipei"};
    SplitOptions back = {.train = ten, .valid = ten, .test = ten, .time_zone = "Asia/Taipei"};
    DataRows rows = {.number = number, .row = row, .time = time, .part = part};
    for (int64_t i = comm_rank(comm); i < HOURS; i += comm_size(comm))
        time[rows.n++] = i * 3600 * DP_SECOND;
    assert_ok(split_into_parts(&rows, &by_dates, windows, comm));
    for (int64_t i = 0; i < rows.n; i++) {
        int64_t day = (time[i] / DP_SECOND + 8 * 3600) / 86400;
        assert_int_equal(part[i], day < 10   ? DATA_NONE
                                  : day < 30 ? DATA_TRAIN
                                  : day < 60 ? DATA_VALID
                                  : day < 80 ? DATA_TEST
                                             : DATA_NONE);
    }
    assert_ok(split_into_parts(&rows, &back, windows, comm)); /* the last row is of day DAYS there */
    for (int64_t i = 0; i < rows.n; i++) {
        int64_t before = DAYS - (time[i] / DP_SECOND + 8 * 3600) / 86400;
        assert_int_equal(part[i], before < 10   ? DATA_TEST
                                  : before < 20 ? DATA_VALID
                                  : before < 30 ? DATA_TRAIN
                                                : DATA_NONE);
    }
}

static void equal_values_are_one_word(void **state)
{
    (void)state;
    static const double number[] = {0.0, -0.0, 1.5, NAN, -NAN, -1.5};
    static const float number32[] = {-0.0f, 0.0f, 1.5f, NAN, NAN, -1.5f};
    LakeValues wide = {.type = LAKE_NUMBER, .number = number}, narrow = {.type = LAKE_NUMBER32, .number32 = number32};
    WordCache cache = {0};
    uint64_t a[6], b[12];
    assert_ok(column_words(&cache, &wide, 0, 6, a, 1));
    assert_ok(column_words(&cache, &narrow, 0, 6, b, 2));
    assert_true(a[0] == a[1] && a[3] == a[4] && a[2] != a[5] && a[0] != a[2] && a[3] != a[0]);
    for (int i = 0; i < 6; i++)
        assert_true(a[i] == b[2 * i]);
    /* Two partitions number their texts differently. */
    static const uint32_t offset1[] = {0, 0, 1, 3}, offset2[] = {0, 0, 2, 3}, code1[] = {0, 1, 2}, code2[] = {0, 2, 1};
    LakeDict dict1 = {.n = 3, .offset = offset1, .bytes = "axy", .serial = 1};
    LakeDict dict2 = {.n = 3, .offset = offset2, .bytes = "xya", .serial = 2};
    LakeValues first = {.type = LAKE_CATEGORY, .code = code1, .dict = &dict1};
    LakeValues second = {.type = LAKE_CATEGORY, .code = code2, .dict = &dict2};
    assert_ok(column_words(&cache, &first, 0, 3, a, 1));
    assert_ok(column_words(&cache, &second, 0, 3, b, 1));
    for (int i = 0; i < 3; i++)
        assert_true(a[i] == b[i] && a[i] != a[(i + 1) % 3]);
    word_cache_free(&cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(apart_is_the_rule),
        cmocka_unit_test(days_are_those_of_the_zone),
        cmocka_unit_test(equal_values_are_one_word),
    };
    if (comm_open(&comm, NULL) != DP_OK)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    comm_close(&comm);
    return failed;
}
