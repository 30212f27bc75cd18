/* RUN np=1,2,3 -- the leak check cries for copied labels and for a column that gives the label away, and for nothing
 * else: not for strong honest columns, repeated goods, or a handful of copies. */
#include "check.h"

#include "base/rng.h"
#include "data/data.h"
#include "table.h"

static Comm *comm;
static char lake[64];

enum { ROWS = 6000, COLUMNS = 7 };
enum { ID, AT, FAULT, OFFICE, IMPORTER, HS6, VALUE };
static LakeColumn columns[COLUMNS] = {
    COLUMN("id", LAKE_TEXT),         COLUMN("at", LAKE_TIME),           COLUMN("fault", LAKE_LABEL),
    COLUMN("office", LAKE_CATEGORY), COLUMN("importer", LAKE_CATEGORY), COLUMN("hs6", LAKE_CODE, .digits = 6),
    COLUMN("value", LAKE_NUMBER),
};
static LakeSchema schema = {.columns = columns, .n = COLUMNS};

typedef struct World {
    const char *name;
    double copied;                               /* share of rows whose goods are those of an earlier row */
    bool label_too;                              /* ... and their label */
    double office_risk;                          /* of office 0: 0.1 elsewhere */
    enum { HONEST, DUTY, STATUS, NOTE } planted; /* what an inspection writes into `value`, or the office */
} World;

/* What the inspection leaves behind: a number above 0 only where it found something; one of several numbers that stand
 * for results; a word. A few are wrong. */
static void plant(char cell[32], const World *world, uint64_t i, bool label)
{
    static const int found[3] = {3, 17, 40}, clean[3] = {1, 22, 60};
    bool told = dp_random_unit(11, 20, i) < 0.99 ? label : !label;
    uint64_t k = dp_random_below(11, 21, i, 3);
    if (world->planted == DUTY)
        sprintf(cell, "%.2f", told ? 1e-3 + 1e4 * dp_random_unit(11, 22, i) : 0);
    else if (world->planted == STATUS)
        sprintf(cell, "%d", told ? found[k] : clean[k]);
    else
        sprintf(cell, "%s%d", told ? "seized" : "released", (int)k);
}

static double draw(uint64_t stream, uint64_t i)
{
    return dp_random_unit(11, stream, i);
}

static bool hit(const World *world, uint64_t i)
{
    return draw(1, i) < (draw(3, i) < 0.3 ? world->office_risk : 0.1);
}

static void print_row(char cell[COLUMNS][32], const World *world, uint64_t i)
{
    /* Goods come from a pool that all rows draw from, where they are copied. */
    bool copied = draw(2, i) < world->copied;
    uint64_t goods = copied ? dp_random_below(11, 9, i, 300) : i + 1000;
    bool label = hit(world, copied && world->label_too ? goods : i);
    sprintf(cell[ID], "D%d", (int)i);
    dp_time_print(cell[AT], (int64_t)i * DP_DAY / 20);
    sprintf(cell[FAULT], "%d", label);
    sprintf(cell[OFFICE], "%d", draw(3, copied && world->label_too ? goods : i) < 0.3 ? 0 : 1 + (int)(9 * draw(4, i)));
    sprintf(cell[IMPORTER], "%d", (int)(200 * draw(5, i)));
    sprintf(cell[HS6], "%06d", (int)(100 * draw(6, goods)));
    sprintf(cell[VALUE], "%.4f", 1e6 * draw(7, goods));
    if (world->planted != HONEST)
        plant(cell[world->planted == NOTE ? OFFICE : VALUE], world, i, label);
}

static const char *const all_columns[] = {"office", "importer", "hs6", "value"};

static void check(DataLeaks *leaks, const World *world, size_t n_inputs)
{
    static char text[ROWS][COLUMNS][32];
    static const char *cells[ROWS * COLUMNS];
    LakeTable *table = NULL;
    Data *data = NULL;
    for (uint64_t i = 0; i < ROWS; i++) {
        print_row(text[i], world, i);
        for (int c = 0; c < COLUMNS; c++)
            cells[i * COLUMNS + (uint64_t)c] = text[i][c];
    }
    schema.id = columns[ID].name;
    schema.time = columns[AT].name;
    write_table(lake, world->name, &schema, cells, ROWS, 1000, comm);
    DataOptions options = {
        .table = world->name, .label = "fault", .columns = {all_columns, n_inputs}, .as_of = DP_TIME_MISSING};
    SplitOptions split = {.train = {.kind = CFG_PART_DAYS, .count = 200},
                          .valid = {.kind = CFG_PART_DAYS, .count = 50},
                          .test = {.kind = CFG_PART_DAYS, .count = 50}};
    EncodeOptions encode = {.prior_weight = 10};
    assert_ok(lake_open(&table, lake, world->name, comm));
    assert_ok(data_open(&data, table, &options, &split, &encode, 7, 1, comm));
    assert_ok(data_leaks(leaks, data, comm));
    data_close(&data);
    lake_close(&table);
}

static void honest_data_is_not_suspected(void **state)
{
    (void)state;
    static const World honest[] = {
        {.name = "plain", .office_risk = 0.1},
        {.name = "strong", .office_risk = 0.7},
        {.name = "repeated-goods", .copied = 0.6, .office_risk = 0.5},
    };
    DataLeaks leaks;
    for (size_t w = 0; w < sizeof honest / sizeof *honest; w++) {
        check(&leaks, &honest[w], 4);
        if (leaks.suspicious)
            fail_msg("%s: %s has AUC %g", honest[w].name, leaks.tuple, leaks.lookup_auc);
        assert_string_equal(leaks.tuple, "all inputs");
        assert_false(leaks.gives_away);
        if (honest[w].office_risk > 0.4)
            assert_string_equal(leaks.column, "office");
    }
    /* Goods that come again with a label of their own: seen, and no better than a coin. */
    assert_true(leaks.share_seen < 0.5 && leaks.lookup_auc > 0.4 && leaks.lookup_auc < 0.6);
}

/* A coarse tuple that all rows share with train is a small honest model, however good. */
static void a_good_column_is_not_suspected(void **state)
{
    (void)state;
    static const World coarse = {.name = "coarse", .office_risk = 0.6};
    DataLeaks leaks;
    check(&leaks, &coarse, 1);
    assert_true(leaks.share_seen == 1 && leaks.lookup_auc > 0.7);
    assert_false(leaks.suspicious);
}

static void a_column_that_gives_the_label_away_is_found(void **state)
{
    (void)state;
    static const World planted[] = {
        {.name = "duty", .office_risk = 0.5, .planted = DUTY},
        {.name = "status", .office_risk = 0.5, .planted = STATUS},
        {.name = "note", .office_risk = 0.5, .planted = NOTE},
    };
    for (size_t w = 0; w < sizeof planted / sizeof *planted; w++) {
        DataLeaks leaks;
        check(&leaks, &planted[w], 4);
        if (!leaks.gives_away)
            fail_msg("%s: %s alone has AUC %g", planted[w].name, leaks.column, leaks.column_auc);
        assert_string_equal(leaks.column, planted[w].planted == NOTE ? "office" : "value");
        assert_true(leaks.column_auc > 0.95);
    }
}

static void copied_labels_are_found(void **state)
{
    (void)state;
    static const World copied = {.name = "copied", .copied = 0.5, .label_too = true, .office_risk = 0.4};
    DataLeaks leaks;
    check(&leaks, &copied, 4);
    assert_true(leaks.suspicious && leaks.lookup_auc > 0.65);
    assert_non_null(strstr(leaks.tuple, "value"));
    assert_true(leaks.share_seen > 0.4 && leaks.share_seen < 0.6 && leaks.share_same > 0.95 * leaks.share_seen);
}

static void a_few_copies_are_no_alarm(void **state)
{
    (void)state;
    static const World few = {.name = "few", .copied = 0.08, .label_too = true, .office_risk = 0.5};
    DataLeaks leaks;
    check(&leaks, &few, 4);
    assert_false(leaks.suspicious);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(honest_data_is_not_suspected),
        cmocka_unit_test(a_good_column_is_not_suspected),
        cmocka_unit_test(a_column_that_gives_the_label_away_is_found),
        cmocka_unit_test(copied_labels_are_found),
        cmocka_unit_test(a_few_copies_are_no_alarm),
    };
    if (comm_open(&comm, NULL) != DP_OK)
        return 1;
    make_lake(lake, comm);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    remove_lake(lake, comm);
    comm_close(&comm);
    return failed;
}
