/* RUN np=1,2,4 quick -- the riskiest rows are those of a full sort, on any number of ranks; reasons are the largest. */
#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "score/score_priv.h"

enum { ROWS = 5000, BEST = 25 };
static Comm *comm;

/* Few distinct scores, so that ties must be told apart by the row. */
static float score_of(int64_t row)
{
    return (float)(dp_random_below(1, 2, (uint64_t)row, 40)) / 40;
}

static int riskier(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    if (score_of(x) != score_of(y))
        return score_of(x) > score_of(y) ? -1 : 1;
    return x < y ? -1 : 1;
}

static void top_is_that_of_a_sort(void **state)
{
    (void)state;
    Top top;
    ScoreTop *shown = NULL;
    int n = 0;
    static int64_t order[ROWS];
    assert_ok(top_build(&top, BEST));
    for (int64_t row = comm_rank(comm); row < ROWS; row += comm_size(comm)) {
        top_offer(&top, row, score_of(row), 0);
        for (int i = 0; i < top.n; i++)
            if (top.best[i].row == row)
                snprintf(top.best[i].shown.row, sizeof top.best[i].shown.row, "R%d", (int)row);
    }
    for (int i = 0; i < ROWS; i++)
        order[i] = i;
    qsort(order, ROWS, sizeof *order, riskier);
    assert_ok(top_gather(&shown, &n, &top, comm));
    assert_int_equal(n, BEST);
    for (int i = 0; i < n; i++) {
        assert_int_equal(atoi(shown[i].row + 1), order[i]);
        assert_true(shown[i].score == score_of(order[i]));
    }
    dp_free(&shown);
    top_free(&top);
}

static void nothing_is_a_top_too(void **state)
{
    (void)state;
    Top top;
    ScoreTop *shown = NULL;
    int n = -1;
    assert_ok(top_build(&top, 0));
    top_offer(&top, 1, 0.5f, 0);
    assert_ok(top_gather(&shown, &n, &top, comm));
    assert_int_equal(n, 0);
    dp_free(&shown);
    top_free(&top);
}

static void reasons_are_the_largest(void **state)
{
    (void)state;
    const double phi[6] = {0.1, -0.7, 0, 0.7, -0.2, 0};
    Reason reason[5];
    reasons_pick(reason, 5, phi, 6);
    const int want[5] = {1, 3, 4, 0, -1};
    for (int k = 0; k < 5; k++)
        assert_int_equal(reason[k].input, want[k]);
    assert_true(reason[0].amount == -0.7f);
    assert_true(isnan(reason[4].amount));
}

static void values_are_cut_between_letters(void **state)
{
    (void)state;
    char out[8];
    const char text[] = "\xe6\xb5\xb7\xe5\x85\xb3\xe6\xb5\xb7"; /* three letters of three bytes */
    const int64_t at[3] = {0, 9, 9};
    LakeValues values = {.type = LAKE_TEXT, .text = text, .text_at = at};
    value_print(out, sizeof out, &values, 0);
    assert_string_equal(out, "\xe6\xb5\xb7\xe5\x85\xb3");
    value_print(out, sizeof out, &values, 1);
    assert_string_equal(out, "missing");
    const double number[2] = {1204, NAN};
    values = (LakeValues){.type = LAKE_NUMBER, .number = number};
    value_print(out, sizeof out, &values, 0);
    assert_string_equal(out, "1,204");
    value_print(out, sizeof out, &values, 1);
    assert_string_equal(out, "missing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(top_is_that_of_a_sort),
        cmocka_unit_test(nothing_is_a_top_too),
        cmocka_unit_test(reasons_are_the_largest),
        cmocka_unit_test(values_are_cut_between_letters),
    };
    if (comm_open(&comm, NULL) != DP_OK)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    comm_close(&comm);
    return failed;
}
