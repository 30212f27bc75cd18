/* rows.h -- the table of rows.c and refused.c: goods lines made of formulas, and ways to split it. */
#ifndef DIPPER_TEST_DATA_ROWS_H
#define DIPPER_TEST_DATA_ROWS_H

#include "base/rng.h"
#include "data/data.h"
#include "table.h"

static Comm *comm;
static char lake[64];

enum { ROWS = 3000, CORRECTS = 50, PIECE = 400, COLUMNS = 17, INPUTS = 9, FEATURES = 32 };
enum {
    ID,
    AT,
    RESULT_AT,
    FAULT,
    VALUE,
    MASS,
    HS6,
    IMPORTER,
    MODE,
    CONSTANT,
    EMPTY,
    EMPTY_TEXT,
    PART,
    COINS,
    CHANGED,
    CHAPTER,
    DUTY
};

static LakeColumn columns[COLUMNS] = {
    COLUMN("id", LAKE_TEXT),
    COLUMN("at", LAKE_TIME),
    COLUMN("result_at", LAKE_TIME),
    COLUMN("fault", LAKE_LABEL, .known_at = (char *)(uintptr_t) "result_at"),
    COLUMN("value", LAKE_NUMBER),
    COLUMN("mass", LAKE_NUMBER32, .unit = (char *)(uintptr_t) "kg"),
    COLUMN("hs6", LAKE_CODE, .digits = 6),
    COLUMN("importer", LAKE_CATEGORY),
    COLUMN("mode", LAKE_CATEGORY),
    COLUMN("constant", LAKE_NUMBER),
    COLUMN("empty", LAKE_NUMBER),
    COLUMN("empty_text", LAKE_CATEGORY),
    COLUMN("part", LAKE_CATEGORY),
    COLUMN("coins", LAKE_LABEL),
    COLUMN("changed", LAKE_TIME),
    COLUMN("chapter", LAKE_CATEGORY),
    COLUMN("duty", LAKE_NUMBER),
};
static LakeSchema schema = {.columns = columns, .n = COLUMNS};
static const char *const inputs[INPUTS] = {"value",    "mass",  "hs6",        "importer", "mode",
                                           "constant", "empty", "empty_text", "part"};
static const char *const goods[] = {"hs6", "value", "mass"};

static inline void print_cell(char *out, int c, uint64_t i);

/* A fault, and the duty, hang on chapter and mode together, on neither alone. */
static inline bool is_bad_pair(uint64_t i)
{
    char hs6[32], mode[32];
    print_cell(hs6, HS6, i);
    print_cell(mode, MODE, i);
    return (hs6[1] + strlen(mode)) % 2 == 0;
}

static inline void print_cell(char *out, int c, uint64_t i)
{
    uint64_t copy = i % 5 == 0 ? i / 2 : i; /* goods of earlier rows come again */
    double u = dp_random_unit(1, (uint64_t)c, c == VALUE || c == MASS || c == HS6 ? copy : i);
    static const char *const modes[] = {"sea", "air", "road", ""};
    static const char *const parts[] = {"train", "valid", "test", "neither"};
    int64_t time = dp_days_of_date(2024, 1, 1) * DP_DAY + (int64_t)(i * 365 / ROWS) * DP_DAY;
    out[0] = '\0';
    bool corrects = i % CORRECTS == 7; /* the row before it */
    if (c == ID)
        sprintf(out, "D%05d", (int)i - corrects);
    else if (c == RESULT_AT && u > 0.95)
        return; /* a result that nobody knows when */
    else if (c == AT || c == RESULT_AT || c == CHANGED)
        dp_time_print(out, time + (c == RESULT_AT ? (int64_t)(u * 30) : c == CHANGED && corrects ? 9 : 0) * DP_DAY);
    else if (c == FAULT && u < 0.9)
        sprintf(out, "%d", u < (is_bad_pair(i) ? 0.4 : 0.1));
    else if (c == COINS)
        sprintf(out, "%d", u < 0.5);
    else if ((c == VALUE || c == MASS) && u > 0.05)
        sprintf(out, "%.3f", 1000 * u);
    else if (c == DUTY && u > 0.1)
        sprintf(out, "%.3f", 1e6 + (is_bad_pair(i) ? 2000 : 0) + 5000 * u * u);
    else if (c == HS6)
        sprintf(out, "%06d", 10000 * (int)(30 * u * u) + 100 * ((int)(3000 * u) % 3) + 7);
    else if (c == CHAPTER) {
        print_cell(out, HS6, i);
        out[2] = '\0';
    }
    if (c == IMPORTER)
        sprintf(out, "importer %d", (int)(600 * u * u * u));
    else if (c == MODE)
        strcpy(out, modes[(int)(4 * u)]);
    else if (c == CONSTANT)
        strcpy(out, "1");
    else if (c == PART)
        strcpy(out, parts[(int)(4 * u * u)]);
}

/* Collective. The table; shuffled: in another order of rows. */
static inline void write_rows(const char *name, bool shuffled)
{
    static char text[ROWS][COLUMNS][32];
    static const char *cells[ROWS * COLUMNS];
    for (uint64_t i = 0; i < ROWS; i++)
        for (int c = 0; c < COLUMNS; c++) {
            uint64_t from = shuffled ? (i * 1237 + 11) % ROWS : i;
            print_cell(text[i][c], c, from);
            cells[i * COLUMNS + (uint64_t)c] = text[i][c];
        }
    schema.id = columns[ID].name;
    schema.time = columns[AT].name;
    schema.recorded = columns[CHANGED].name;
    write_table(lake, name, &schema, cells, ROWS, PIECE, comm);
}

static inline CfgPart part_of(CfgPartKind kind, int count, double share)
{
    return (CfgPart){.kind = kind, .count = count, .share = share};
}

static const DataOptions usual = {
    .table = "rows", .label = "fault", .columns = {inputs, INPUTS}, .as_of = DP_TIME_MISSING};
static const EncodeOptions encode = {.prior_weight = 5, .half_life = 0.1, .pairs = 3, .parts = 3, .memory = 1 << 20};
static const EncodeOptions by_digits = {
    .prior_weight = 5, .half_life = 0.1, .pairs = 3, .parts = 3, .memory = 1 << 20, .digits = 2};

/* The ways to split, each with what the others need not have. */
static inline SplitOptions way(int which)
{
    switch (which) {
    case 0:
        return (SplitOptions){.train = part_of(CFG_PART_MONTHS, 7, 0),
                              .valid = part_of(CFG_PART_MONTHS, 2, 0),
                              .test = part_of(CFG_PART_DAYS, 61, 0),
                              .apart = {goods, 3}};
    case 1:
        return (SplitOptions){.train = part_of(CFG_PART_SHARE, 0, 0.6),
                              .valid = part_of(CFG_PART_SHARE, 0, 0.2),
                              .test = part_of(CFG_PART_SHARE, 0, 0.2)};
    case 2:
        return (SplitOptions){.train = part_of(CFG_PART_SHARE, 0, 0.6),
                              .valid = part_of(CFG_PART_SHARE, 0, 0.1),
                              .test = part_of(CFG_PART_SHARE, 0, 0.2),
                              .apart = {goods, 3}};
    default:
        return (SplitOptions){.column = "part", .apart = {goods, 3}};
    }
}
enum { WAYS = 4 };

#endif
