/* RUN np=1,2,3,4 quick -- parts, features, contract and leaks of a table are the same on any number of ranks and for
 * any order of its rows; the contract encodes as training did. */
#include "check.h"

#include "metric/metric.h"
#include "rows.h"

static Comm *alone;

/* Everything a Data says, by row identity, so that two can be compared. */
typedef struct Seen {
    int64_t n;
    struct SeenRow {
        uint64_t row;
        int8_t label;
        uint8_t part;
        float x[FEATURES];
        double revenue;
        char slice[16];
    } row[ROWS];
    DataFacts facts;
    DataLeaks leaks;
    DataInputs inputs;
} Seen;

static int compare_rows(const void *a, const void *b)
{
    uint64_t x = ((const struct SeenRow *)a)->row, y = ((const struct SeenRow *)b)->row;
    return (x > y) - (x < y);
}

static void look_with(Seen *seen, const char *name, const SplitOptions *split, const DataOptions *options,
                      const EncodeOptions *categories, const Comm *c)
{
    LakeTable *table = NULL;
    Data *data = NULL;
    static float x[ROWS];
    static double revenue[ROWS];
    uint32_t *code = NULL, n_names;
    dp_buf names = {0};
    memset(seen, 0, sizeof *seen);
    assert_ok(lake_open(&table, lake, name, c));
    assert_ok(data_open(&data, table, options, split, categories, 7, 1, c));
    seen->n = data_rows_n(data);
    assert_ok(data_plan(data, c));
    assert_true(data_features_n(data) <= FEATURES);
    for (int j = 0; j < data_features_n(data); j++) {
        assert_ok(data_feature(data, j, x, c));
        for (int64_t i = 0; i < seen->n; i++)
            seen->row[i].x[j] = x[i];
    }
    assert_ok(data_number(data, "value", revenue, c));
    assert_ok(data_slice(data, "hs2", &code, &names, &n_names, c));
    for (int64_t i = 0; i < seen->n; i++) {
        seen->row[i].row = data_row(data)[i];
        seen->row[i].label = data_label(data)[i];
        seen->row[i].part = data_part(data)[i];
        seen->row[i].revenue = revenue[i];
        const char *at = names.data;
        for (uint32_t k = 0; k < code[i]; k++)
            at += strlen(at) + 1;
        assert_int_equal(strlen(at), 2);
        strcpy(seen->row[i].slice, at);
    }
    seen->facts = data_facts(data);
    assert_ok(data_leaks(&seen->leaks, data, c));
    assert_ok(data_inputs(&seen->inputs, data));
    assert_true((data_shelf(data)->folder != NULL) == (options->memory > 0));
    dp_shelf_free(data_shelf(data), &code);
    dp_buf_free(&names);
    data_close(&data);
    lake_close(&table);
    qsort(seen->row, (size_t)seen->n, sizeof *seen->row, compare_rows);
}

static void look(Seen *seen, const char *name, const SplitOptions *split, const DataOptions *options, const Comm *c)
{
    look_with(seen, name, split, options, &encode, c);
}

/* NaN is NaN, whatever its bits; all else bit for bit. */
static void same_row(const struct SeenRow *a, const struct SeenRow *b)
{
    assert_true(a->label == b->label && a->part == b->part);
    assert_string_equal(a->slice, b->slice);
    assert_true((isnan(a->revenue) && isnan(b->revenue)) || a->revenue == b->revenue);
    for (int j = 0; j < FEATURES; j++)
        if (!(isnan(a->x[j]) && isnan(b->x[j])) && memcmp(&a->x[j], &b->x[j], sizeof(float)) != 0)
            fail_msg("feature %d: %.9g and %.9g", j, (double)a->x[j], (double)b->x[j]);
}

/* mine: a rank's share of what `all` is the whole of. */
static void same_data(const Seen *mine, const Seen *all)
{
    int64_t n = mine->n;
    for (int64_t i = 0; i < mine->n; i++) {
        const struct SeenRow *found = bsearch(&mine->row[i], all->row, (size_t)all->n, sizeof *all->row, compare_rows);
        assert_non_null(found);
        same_row(&mine->row[i], found);
    }
    comm_sum_i64(comm, &n, 1);
    assert_int_equal(n, all->n);
    assert_memory_equal(&mine->facts, &all->facts, sizeof mine->facts);
    assert_memory_equal(&mine->leaks, &all->leaks, sizeof mine->leaks);
    assert_int_equal(mine->inputs.n, all->inputs.n);
    for (int j = 0; j < mine->inputs.n; j++) {
        const DataInput *a = &mine->inputs.input[j], *b = &all->inputs.input[j];
        assert_string_equal(a->name, b->name);
        assert_true(a->n == b->n && a->encode == b->encode && a->type == b->type);
        if (a->encode == DATA_PLAIN)
            continue;
        assert_true(a->missing == b->missing && a->unseen == b->unseen);
        assert_memory_equal(a->value, b->value, (size_t)a->n * sizeof *a->value);
        if (a->encode == DATA_COMBINED) {
            assert_true(a->parts == b->parts && memcmp(a->part, b->part, sizeof a->part) == 0);
            assert_memory_equal(a->key, b->key, (size_t)a->n * sizeof *a->key);
            continue;
        }
        assert_memory_equal(a->text_at, b->text_at, (size_t)(a->n + 1) * sizeof *a->text_at);
        assert_memory_equal(a->text, b->text, (size_t)a->text_at[a->n]);
    }
}

static void all_is_the_same_on_any_ranks_and_in_any_order(void **state)
{
    (void)state;
    static Seen one, dealt;
    for (int w = 0; w <= WAYS + 1; w++) {
        SplitOptions split = way(w % WAYS);
        DataOptions options = usual;
        if (w == WAYS) /* the first way, as of a day on which some results were not known yet */
            options.as_of = dp_days_of_date(2024, 12, 15) * DP_DAY;
        if (w > WAYS) /* means of a number instead of hit rates */
            options.label = "duty";
        look_with(&one, "rows", &split, &options, &by_digits, alone);
        look_with(&dealt, "rows", &split, &options, &by_digits, comm);
        same_data(&dealt, &one);
        data_inputs_free(&dealt.inputs);
        look_with(&dealt, "shuffled", &split, &options, &by_digits, comm);
        same_data(&dealt, &one);
        data_inputs_free(&dealt.inputs);
        if (w == 0) { /* rows in files, tuples a part at a time */
            options.memory = 1 << 17;
            options.scratch = lake;
            look_with(&dealt, "shuffled", &split, &options, &by_digits, comm);
            same_data(&dealt, &one);
            data_inputs_free(&dealt.inputs);
        }
        for (int p = 0; p < 3; p++)
            assert_true(one.facts.rows[p] > 30 && one.facts.positives[p] > 3);
        if (w == WAYS)
            assert_true(one.facts.to[DATA_TEST] <= options.as_of &&
                        one.facts.to[DATA_TEST] > options.as_of - 9 * DP_DAY);
        data_inputs_free(&one.inputs);
    }
}

static int find_input(const char *name)
{
    for (int j = 0; j < INPUTS; j++)
        if (strcmp(inputs[j], name) == 0)
            return j;
    return -1;
}

static void windows_are_whole_days_back_from_the_latest_label(void **state)
{
    (void)state;
    static Seen seen;
    SplitOptions split = way(0);
    char text[32];
    look(&seen, "rows", &split, &usual, alone);
    dp_time_print(text, seen.facts.to[DATA_TEST]);
    assert_string_equal(text, "2024-12-30"); /* 2024 has 366 days, the rows fill 365 */
    dp_time_print(text, seen.facts.from[DATA_TEST]);
    assert_true(strcmp(text, "2024-10-31") >= 0 && strcmp(text, "2024-11-03") < 0);
    assert_true(seen.facts.to[DATA_VALID] < seen.facts.from[DATA_TEST]);
    assert_true(seen.facts.to[DATA_TRAIN] < seen.facts.from[DATA_VALID]);
    assert_int_equal(seen.facts.rows[0] + seen.facts.rows[1] + seen.facts.rows[2] + seen.facts.left_out,
                     ROWS - ROWS / CORRECTS);
    data_inputs_free(&seen.inputs);
}

static void labels_that_are_not_known_are_left_out(void **state)
{
    (void)state;
    static Seen seen;
    SplitOptions split = way(1);
    int64_t unknown = 0;
    look(&seen, "rows", &split, &usual, alone);
    for (uint64_t i = 0; i < ROWS; i++) {
        char id[32], label[32], known[32];
        struct SeenRow key;
        print_cell(id, ID, i);
        print_cell(label, FAULT, i);
        print_cell(known, RESULT_AT, i);
        if (i % CORRECTS == 7 || (i + 1) % CORRECTS == 7)
            continue; /* one id, two rows */
        key.row = dp_hash64(id, strlen(id), 0);
        bool kept = bsearch(&key, seen.row, (size_t)seen.n, sizeof key, compare_rows) != NULL;
        assert_int_equal(kept, *label && *known);
        unknown += *label && !*known;
    }
    assert_true(unknown > 50);
    data_inputs_free(&seen.inputs);
}

/* No tuple of goods in two parts; in valid and test of a split by time, one row each. */
static void apart_means_apart(void **state)
{
    (void)state;
    static Seen seen;
    int value = find_input("value"), mass = find_input("mass"), hs6 = find_input("hs6");
    for (int w = 0; w < 3; w += 2) {
        SplitOptions split = way(w);
        int64_t together = 0;
        look(&seen, "rows", &split, &usual, alone);
        /* hs6 is a statistic in x; value and mass decide: they are drawn with it. */
        for (int64_t i = 0; i < seen.n; i++)
            for (int64_t j = 0; j < i; j++) {
                const struct SeenRow *a = &seen.row[i], *b = &seen.row[j];
                if (a->x[value] == b->x[value] && a->x[mass] == b->x[mass]) {
                    assert_true(a->part == b->part && (w > 0 || a->part == DATA_TRAIN));
                    together++;
                }
            }
        assert_true(together > 20 && hs6 >= 0);
        data_inputs_free(&seen.inputs);
    }
}

/* What makes the label is found, and what says it again or hangs on chance is not. */
/* The name of the combination that is chosen first for a label. */
static void first_chosen(const char *label, const char *name)
{
    static Seen seen;
    SplitOptions split = way(1);
    DataOptions options = usual;
    options.label = label;
    look(&seen, "rows", &split, &options, comm);
    assert_true(seen.inputs.n > INPUTS);
    assert_string_equal(seen.inputs.input[INPUTS].name, name);
    data_inputs_free(&seen.inputs);
}

static void pairs_that_tell_are_chosen(void **state)
{
    (void)state;
    static Seen seen;
    SplitOptions split = way(1);
    EncodeOptions none = encode;
    int before;
    first_chosen("duty", "hs6 x mode");
    look(&seen, "rows", &split, &usual, comm);
    int categories = 0, combined = 0;
    for (int j = 0; j < INPUTS; j++)
        categories += seen.inputs.input[j].encode == DATA_TARGET;
    assert_true(seen.inputs.columns == INPUTS && seen.inputs.n > INPUTS);
    const DataInput *first = &seen.inputs.input[INPUTS];
    assert_string_equal(first->name, "hs6 x mode");
    assert_true(first->n > 20 && first->parts == 2);
    for (int j = INPUTS; j < seen.inputs.n; j++)
        combined += strstr(seen.inputs.input[j].name, " lately") == NULL;
    assert_true(combined >= 1 && combined <= 3);
    assert_int_equal(seen.inputs.n - INPUTS, categories + 2 * combined);
    assert_string_equal(seen.inputs.input[INPUTS + combined].name, "hs6 lately");
    before = seen.inputs.n;
    data_inputs_free(&seen.inputs);
    none.memory = 100; /* none fits */
    look_with(&seen, "rows", &split, &usual, &none, comm);
    assert_int_equal(seen.inputs.n, before - 2 * combined);
    data_inputs_free(&seen.inputs);
    none.pairs = 0;
    none.half_life = 0;
    look_with(&seen, "rows", &split, &usual, &none, comm);
    assert_int_equal(seen.inputs.n, INPUTS);
    data_inputs_free(&seen.inputs);
}

/* The statistics of a code by its first digits are those of a column that holds these digits, but for codes that train
 * has not. */
static void codes_count_by_their_first_digits(void **state)
{
    (void)state;
    static const char *const both[] = {"hs6", "chapter"};
    static Seen seen;
    DataOptions options = usual;
    SplitOptions split = way(1);
    EncodeOptions alone_and_short = {.prior_weight = 5, .digits = 2};
    enum { CODE, SHORT, BY_2, BY_4, ALL };
    int64_t differ = 0;
    options.columns = (CfgList){both, 2};
    look_with(&seen, "rows", &split, &options, &alone_and_short, comm);
    assert_int_equal(seen.inputs.n, ALL);
    assert_string_equal(seen.inputs.input[BY_2].name, "hs6 to 2 digits");
    assert_string_equal(seen.inputs.input[BY_4].name, "hs6 to 4 digits");
    assert_int_equal(seen.inputs.input[BY_2].n, seen.inputs.input[CODE].n);
    for (int64_t i = 0; i < seen.n; i++) {
        const struct SeenRow *r = &seen.row[i];
        bool new_code = r->part != DATA_TRAIN && r->x[CODE] == seen.inputs.input[CODE].unseen;
        if (!new_code)
            assert_true(r->x[BY_2] == r->x[SHORT]);
        assert_true(r->x[BY_4] == r->x[CODE]); /* what follows the fourth digit is the same in all */
        differ += r->x[CODE] != r->x[SHORT];
    }
    comm_sum_i64(comm, &differ, 1);
    assert_true(differ > ROWS / 2);
    data_inputs_free(&seen.inputs);
    alone_and_short.digits = 6;
    look_with(&seen, "rows", &split, &options, &alone_and_short, comm);
    assert_int_equal(seen.inputs.n, 2);
    data_inputs_free(&seen.inputs);
}

/* A label drawn by coin: what other rows say of a category must not tell it, whatever the order. Without the order
 * (statistics that hold the row's own label) this AUC is far above one half. */
static void check_coins(const EncodeOptions *categories)
{
    static Seen seen;
    static float score[ROWS];
    static int8_t label[ROWS];
    static uint64_t row[ROWS];
    DataOptions options = usual;
    SplitOptions split = way(0);
    Metric auc;
    options.label = "coins";
    split.train.count = 9;
    look_with(&seen, "rows", &split, &options, categories, comm);
    assert_ok(metric_parse(&auc, "auc"));
    for (int j = 0; j < seen.inputs.n; j++) {
        MetricRows rows = {.score = score, .label = label, .row = row};
        MetricValue value;
        if (seen.inputs.input[j].encode == DATA_PLAIN)
            continue;
        assert_true(seen.inputs.input[j].parts <= 1); /* no pair tells of coins */
        for (int64_t i = 0; i < seen.n; i++)
            if (seen.row[i].part == DATA_TRAIN) {
                score[rows.n] = seen.row[i].x[j];
                label[rows.n] = seen.row[i].label;
                row[rows.n++] = seen.row[i].row;
            }
        assert_ok(metric_compute(&value, &auc, &rows, comm));
        double se = (value.high - value.low) / 2 / 1.96;
        assert_true(fabs(value.value - 0.5) < 4 * se && se < 0.05);
    }
    data_inputs_free(&seen.inputs);
}

static void coins_cannot_be_told_from_the_past(void **state)
{
    (void)state;
    EncodeOptions drawn = encode;
    check_coins(&encode);
    drawn.order = DATA_DRAWN;
    check_coins(&drawn);
    drawn.orders = 4;
    check_coins(&drawn);
}

static void the_contract_encodes_as_training_did(void **state)
{
    (void)state;
    static Seen seen;
    static float x[65536][FEATURES];
    LakeTable *table = NULL;
    Data *data = NULL;
    DataEncoder *encoder = NULL;
    LakeScan *scan = NULL;
    const LakeBlock *block;
    const int *wanted;
    SplitOptions split = way(1);
    int64_t at = 0;
    look_with(&seen, "rows", &split, &usual, &by_digits, comm);
    assert_ok(lake_open(&table, lake, "rows", comm));
    assert_ok(data_open(&data, table, &usual, &split, &by_digits, 7, 1, comm));
    assert_ok(data_encoder_build(&encoder, &seen.inputs, lake_schema(table), &wanted));
    assert_ok(data_scan(&scan, data, wanted, INPUTS, comm));
    for (;;) {
        assert_ok(lake_next(scan, &block));
        if (!block)
            break;
        assert_ok(data_encode(encoder, block->column, tensor_matrix(TENSOR_F32, x, block->rows, FEATURES)));
        for (int32_t i = 0; i < block->rows; i++) {
            struct SeenRow *found, key;
            int64_t number = block->row ? block->row[i] : block->first_row + i;
            if (at == data_rows_n(data) || data_row_number(data)[at] != number)
                continue;
            key.row = data_row(data)[at++];
            found = bsearch(&key, seen.row, (size_t)seen.n, sizeof key, compare_rows);
            assert_non_null(found);
            for (int j = 0; j < seen.inputs.n; j++)
                if (found->part != DATA_TRAIN || seen.inputs.input[j].encode == DATA_PLAIN)
                    assert_true((isnan(found->x[j]) && isnan(x[i][j])) ||
                                memcmp(&found->x[j], &x[i][j], sizeof(float)) == 0);
        }
    }
    assert_int_equal(at, data_rows_n(data));
    const DataInput *mode = &seen.inputs.input[find_input("mode")];
    const DataInput *empty = &seen.inputs.input[find_input("empty_text")];
    assert_true(mode->n == 3 && mode->missing != mode->unseen);
    assert_true(empty->n == 0);
    lake_scan_close(&scan);
    data_encoder_free(&encoder);
    data_encoder_free(&encoder);
    data_close(&data);
    data_close(&data);
    lake_close(&table);
    data_inputs_free(&seen.inputs);
}

static void a_table_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    static Seen seen;
    LakeColumn other_columns[COLUMNS];
    LakeSchema other = {.columns = other_columns, .n = COLUMNS};
    DataEncoder *encoder = NULL;
    const int *wanted;
    SplitOptions split = way(1);
    memcpy(other_columns, columns, sizeof columns);
    look(&seen, "rows", &split, &usual, alone);
    other_columns[VALUE].type = LAKE_NUMBER32; /* as good as the other kind of number */
    assert_ok(data_encoder_build(&encoder, &seen.inputs, &other, &wanted));
    data_encoder_free(&encoder);
    other_columns[MASS].unit = NULL;
    other_columns[MODE].type = LAKE_TEXT;
    other_columns[HS6].name = (char *)(uintptr_t) "hs";
    assert_fails(data_encoder_build(&encoder, &seen.inputs, &other, &wanted), DP_ERR_DATA, "data-10");
    assert_null(encoder);
    assert_non_null(strstr(dp_error_last()->text, "'mass' is in no unit, not kg; 'hs6' is not there; 'mode' is of type "
                                                  "text, not category"));
    data_inputs_free(&seen.inputs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_is_the_same_on_any_ranks_and_in_any_order),
        cmocka_unit_test(windows_are_whole_days_back_from_the_latest_label),
        cmocka_unit_test(labels_that_are_not_known_are_left_out),
        cmocka_unit_test(apart_means_apart),
        cmocka_unit_test(pairs_that_tell_are_chosen),
        cmocka_unit_test(codes_count_by_their_first_digits),
        cmocka_unit_test(coins_cannot_be_told_from_the_past),
        cmocka_unit_test(the_contract_encodes_as_training_did),
        cmocka_unit_test(a_table_that_does_not_fit_is_refused),
    };
    if (comm_open(&comm, NULL) != DP_OK || comm_open_alone(&alone, NULL) != DP_OK)
        return 1;
    make_lake(lake, comm);
    write_rows("rows", false);
    write_rows("shuffled", true);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    remove_lake(lake, comm);
    comm_close(&alone);
    comm_close(&comm);
    return failed;
}
