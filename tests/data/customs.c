/* RUN np=1,2,4 -- the customs pack: known counts of its tuple-disjoint split, and its published split is reported. */
#include "check.h"

#include <zlib.h>

#include "data/data.h"
#include "table.h"

static Comm *comm;
static char lake[64];

enum { MOST = 60000, COLUMNS = 22, PIECE = 4000 };

static LakeColumn columns[COLUMNS] = {
    COLUMN("declaration_id", LAKE_TEXT),   COLUMN("date", LAKE_TIME),
    COLUMN("office_id", LAKE_CATEGORY),    COLUMN("process_type", LAKE_CATEGORY),
    COLUMN("import_type", LAKE_CATEGORY),  COLUMN("import_use", LAKE_CATEGORY),
    COLUMN("payment_type", LAKE_CATEGORY), COLUMN("mode_of_transport", LAKE_CATEGORY),
    COLUMN("declarant_id", LAKE_CATEGORY), COLUMN("importer_id", LAKE_CATEGORY),
    COLUMN("seller_id", LAKE_CATEGORY),    COLUMN("courier_id", LAKE_CATEGORY),
    COLUMN("hs6", LAKE_CODE, .digits = 6), COLUMN("departure", LAKE_CATEGORY),
    COLUMN("origin", LAKE_CATEGORY),       COLUMN("tax_rate", LAKE_NUMBER),
    COLUMN("tax_type", LAKE_CATEGORY),     COLUMN("origin_indicator", LAKE_CATEGORY),
    COLUMN("net_mass", LAKE_NUMBER),       COLUMN("item_price", LAKE_NUMBER),
    COLUMN("fraud", LAKE_LABEL),           COLUMN("critical_fraud", LAKE_LABEL),
};
static LakeSchema schema = {.columns = columns, .n = COLUMNS};

/* The pack's files hold no quotes: a cell ends at a comma. */
static int64_t read_file(const char *path, const char **cells, int64_t rows)
{
    char line[4096];
    gzFile file = gzopen(path, "rb");
    assert_non_null(file);
    assert_non_null(gzgets(file, line, sizeof line)); /* the header */
    while (gzgets(file, line, sizeof line)) {
        char *at = strdup(line);
        at[strcspn(at, "\r\n")] = '\0';
        for (int c = 0; c < COLUMNS; c++) {
            cells[rows * COLUMNS + c] = at;
            at += strcspn(at, ",");
            if (*at)
                *at++ = '\0';
        }
        rows++;
        assert_true(rows < MOST);
    }
    gzclose(file);
    return rows;
}

static void write_customs(const char *folder)
{
    static const char *cells[(int64_t)MOST * COLUMNS];
    static const char *const files[] = {"train", "valid", "test"};
    int64_t rows = 0;
    for (int f = 0; f < 3 && comm_rank(comm) == 0; f++) {
        char path[4200];
        snprintf(path, sizeof path, "%s/customs/df_syn_%s_eng.csv.gz", folder, files[f]);
        rows = read_file(path, cells, rows);
    }
    schema.id = columns[0].name;
    schema.time = columns[1].name;
    write_table(lake, "customs", &schema, cells, rows, PIECE, comm);
}

static const char *const inputs[] = {
    "office_id",    "process_type", "import_type", "import_use",       "payment_type", "mode_of_transport",
    "declarant_id", "importer_id",  "seller_id",   "courier_id",       "hs6",          "departure",
    "origin",       "tax_rate",     "tax_type",    "origin_indicator", "net_mass",     "item_price"};
static const char *const goods[] = {"hs6", "departure", "origin", "tax_type", "tax_rate", "net_mass", "item_price"};

static CfgPart dates(const char *from, const char *to)
{
    CfgPart part = {.kind = CFG_PART_DATES};
    assert_true(dp_time_read(&part.from, from) && dp_time_read(&part.to, to));
    part.to += DP_DAY - 1;
    return part;
}

static void open_customs(Data **data, LakeTable **table, bool apart)
{
    DataOptions options = {.table = "customs",
                           .label = "fraud",
                           .columns = {inputs, sizeof inputs / sizeof *inputs},
                           .as_of = DP_TIME_MISSING};
    SplitOptions split = {.train = dates("2020-01-01", "2020-12-31"),
                          .valid = dates("2021-01-01", "2021-03-31"),
                          .test = dates("2021-04-01", "2021-06-30"),
                          .apart = {goods, apart ? sizeof goods / sizeof *goods : 0}};
    EncodeOptions encode = {.prior_weight = 10};
    assert_ok(lake_open(table, lake, "customs", comm));
    assert_ok(data_open(data, *table, &options, &split, &encode, 7, 1, comm));
}

static void the_published_split_is_reported(void **state)
{
    (void)state;
    LakeTable *table;
    Data *data;
    DataLeaks leaks;
    open_customs(&data, &table, false);
    DataFacts f = data_facts(data);
    assert_true(f.rows[0] == 37385 && f.rows[1] == 8134 && f.rows[2] == 8481 && f.left_out == 0);
    assert_true(f.positives[0] == 8114 && f.positives[1] == 1704 && f.positives[2] == 1835);
    assert_ok(data_leaks(&leaks, data, comm));
    assert_true(leaks.suspicious);
    assert_true(leaks.lookup_auc > 0.9 && leaks.share_seen > 0.8 && leaks.share_same > 0.75);
    assert_non_null(strstr(leaks.tuple, "item_price"));
    data_close(&data);
    lake_close(&table);
}

static void the_disjoint_split_is_what_is_known_and_clean(void **state)
{
    (void)state;
    LakeTable *table;
    Data *data;
    DataLeaks leaks;
    open_customs(&data, &table, true);
    DataFacts f = data_facts(data);
    assert_true(f.rows[0] == 37385 && f.rows[1] == 1330 && f.rows[2] == 1193);
    assert_true(f.positives[1] == 287 && f.positives[2] == 252);
    assert_ok(data_leaks(&leaks, data, comm));
    assert_false(leaks.suspicious);
    assert_true(leaks.share_seen == 0 && leaks.lookup_auc == 0.5);
    data_close(&data);
    lake_close(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_split_is_reported),
        cmocka_unit_test(the_disjoint_split_is_what_is_known_and_clean),
    };
    const char *folder = getenv("DIPPER_DATA");
    if (!folder || access(folder, R_OK) != 0) {
        puts("skipped: no data (DIPPER_DATA)");
        return 77;
    }
    if (comm_open(&comm, NULL) != DP_OK)
        return 1;
    make_lake(lake, comm);
    write_customs(folder);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    remove_lake(lake, comm);
    comm_close(&comm);
    return failed;
}
