/* data/data.h -- from a table to what a model learns from: splits, leak check, encoders, features.
 *
 * Each rank holds its own rows (a consecutive share of the table). Features are read one at a time, so that a column of
 * floats, never the table, is in memory. */
#ifndef DIPPER_DATA_DATA_H
#define DIPPER_DATA_DATA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/spill.h"
#include "base/status.h"
#include "comm/comm.h"
#include "config/config.h"
#include "lake/lake.h"
#include "tensor/tensor.h"

typedef enum DataPart { DATA_TRAIN, DATA_VALID, DATA_TEST, DATA_NONE } DataPart;

/* What a label says, by the type of its column; a loss goes with it. */
typedef enum DataKind {
    DATA_FLAG,   /* type label: 1 or 0 */
    DATA_NUMBER, /* type number: as it is */
    DATA_CLASS   /* type category or code: one of several */
} DataKind;

const char *data_kind_name(DataKind kind); /* "a number" */

/* The classes of a label, by name. */
enum { DATA_CLASSES_MAX = 256 };
typedef struct DataClasses {
    int n; /* 2 .. DATA_CLASSES_MAX; 0: there are none */
    char *text;
    size_t size;       /* of text: the names, each ended by a zero byte */
    const char **name; /* [n] into text, ascending by bytes */
} DataClasses;
/* Local. A copy of n names, each ended by a zero byte. Fails DATA on one class, too many, or names not ascending. */
dp_status data_classes_build(DataClasses *classes, const char *text, size_t size);
void data_classes_free(DataClasses *classes);
/* Local. Are they the same ones, or both none? */
bool data_classes_same(const DataClasses *a, const DataClasses *b);

/* Section "data". */
typedef struct DataOptions {
    const char *table; /* "declarations", "declarations@418" */
    const char *label;
    const char *weight; /* column; NULL */
    CfgList columns;
    CfgList group; /* columns whose tuple makes a group of rows that are ranked together; a time counts by its day */
    int64_t as_of; /* DP_TIME_MISSING: all that is recorded */
    /* Not from the config: what a rank may hold, 0: no limit. Where the rows would take more than a quarter of it, all
     * that is a number a row lies in files of the scratch folder; what is learned stays the same. */
    int64_t memory;
    const char *scratch;
} DataOptions;
/* Section "split". Months and days are whole ones of the time zone, counted back from the day of the latest labelled
 * row: test is the newest part. All parts are said in one way: months and days, dates, shares (by hash of the row's
 * identity, or of the apart tuple), or by a column. Valid and test may be absent. */
typedef struct SplitOptions {
    CfgPart train, valid, test;
    const char *column;    /* a column that says train, valid, test; NULL */
    const char *time_zone; /* whose days and months are meant; NULL: UTC */
    CfgList apart; /* columns whose tuple must not stand in two parts: rows of valid whose tuple stands in train,
                      and of test whose tuple stands in train or valid, are left out, and one row a tuple stays
                      there (the earliest). With shares tuples stay together instead, and none is left out */
    int64_t folds; /* how many times the split is repeated for judging a way of learning; 0: once */
    /* Not from the config: 0: the split as it is written; 1 .. folds: a fold of it. By time fold 1 is the split itself,
     * each further one has its valid and test earlier by the length of test (valid, without test) and a train that
     * begins where it always does: rolling origin, growing window. By shares fold k takes the k-th part of all rows (or
     * apart tuples) as test and shares the others out to train and valid. */
    int64_t fold;
} SplitOptions;
/* Section "model.categories". */
typedef enum DataOrder { DATA_BY_TIME, DATA_DRAWN } DataOrder;
typedef struct EncodeOptions {
    double prior_weight; /* of the base rate in a target statistic */
    int order;           /* DataOrder: which rows come before a row; a table without time is always drawn */
    int64_t orders;      /* draws whose statistics are averaged; 0 is 1 */
    double half_life;    /* of a label in the second statistic of each category, as a share of train's time; 0: none */
    int64_t pairs;       /* combinations of categories, at most */
    int64_t parts;       /* columns that one may have, 2 or 3 */
    int64_t memory;      /* bytes of all combinations' tables in the model */
    int64_t digits;      /* codes are also seen by their first so many digits, twice so many, ...; 0: only whole */
} EncodeOptions;
extern const CfgRow data_rows[], split_rows[], encode_rows[];

/* ---- the input contract: what a model wants of a table, and how it turns it into floats ---- */

/* What one feature is made of. */
typedef enum DataEncode {
    DATA_PLAIN,   /* the number, as float (round to nearest); missing = NaN */
    DATA_TARGET,  /* a category's target statistic (hits + prior_weight * base) / (count + prior_weight), as float;
                     base: (all hits + 0.5) / (all rows + 1) of train. Of a label that is a number: its mean,
                     c + (sum + prior_weight * base) / (count + prior_weight) with sums of y - c over the category's
                     rows, base: (sum over all) / (all rows + 1), c: the mean of train */
    DATA_COMBINED /* the same of a combination of one to three categories, whose labels may count by their age, or of
                     all codes that begin alike */
} DataEncode;
enum { DATA_PARTS = 3 };

typedef struct DataInput {
    char *name; /* of the column; of a combination: "origin x hs6", "importer lately", "hs6 to 4 digits" */
    LakeType type;
    char *unit; /* NULL */
    DataEncode encode;
    /* DATA_TARGET: the frozen statistics of all train rows, sorted by bytes of the category's text. */
    int64_t n;        /* categories, or combinations */
    int64_t *text_at; /* [n + 1] into text */
    char *text;
    float *value; /* [n] */
    float missing, unseen;
    /* DATA_COMBINED: the same of combinations, keys ascending. A row's key is ((c0 * (n1 + 1)) + c1) * (n2 + 1) + c2:
     * cj its category's place in the table of input part[j], nj for a missing one. Where a part is unseen, so is the
     * row; missing is not used. */
    int parts, part[DATA_PARTS];
    uint64_t *key; /* [n] */
} DataInput;
typedef struct DataInputs {
    DataInput *input; /* feature j comes from input j */
    int n;
    int columns; /* the first so many are columns of the table, the others combinations of them */
} DataInputs;
void data_inputs_free(DataInputs *inputs);

/* Turns blocks of a scan into rows of floats; keeps a remap table a dictionary. */
typedef struct DataEncoder DataEncoder;
/* Local. Fails DATA naming every column that the table lacks or has with another type or unit. *columns (borrowed,
 * [inputs->columns]): what to ask the scan for, in this order. */
dp_status data_encoder_build(DataEncoder **encoder, const DataInputs *inputs, const LakeSchema *schema,
                             const int **columns);
void data_encoder_free(DataEncoder **encoder);
/* Local. Fills x, float32 [rows][inputs]. values: block->column + where the inputs begin in the query. */
dp_status data_encode(DataEncoder *encoder, const LakeValues *values, Tensor x);

/* ---- the rows to learn from ---- */

typedef struct Data Data;

typedef struct DataFacts {
    int64_t rows[3], positives[3]; /* over all ranks, by DataPart */
    int64_t left_out;              /* without label (or not known when), outside the split, or not apart */
    int largest;                   /* the most frequent class of train */
    int64_t unseen;                /* of these: of valid and test, of a class that train does not have */
    int64_t from[3], to[3];        /* of the time column; DP_TIME_MISSING without one */
} DataFacts;

/* Collective. Reads label, time, id and the apart columns; decides the part of each row. The table is borrowed. Fails
 * CONFIG (columns that are not there, a label that is an input, an input that becomes known after its row), DATA (one
 * class only in train, too many, an empty part, a label that is neither 0 nor 1). Rows of valid and test of a class
 * that train does not have are left out. */
dp_status data_open(Data **data, LakeTable *table, const DataOptions *data_options, const SplitOptions *split,
                    const EncodeOptions *encode, uint64_t seed, int threads, const Comm *comm);
void data_close(Data **data);
DataFacts data_facts(const Data *data);

/* Local. This rank's rows that are in a part, in table order. Arrays belong to the data. */
int64_t data_rows_n(const Data *data);
/* Local. Where arrays of a number a row lie, these and what is made beside them: loops over all rows let go of them
 * (dp_shelf_step). Belongs to the data. */
dp_shelf *data_shelf(const Data *data);
const uint8_t *data_part(const Data *data); /* DataPart */
DataKind data_kind(const Data *data);
const char *data_label_unit(const Data *data); /* NULL: none */
/* 0, 1. Of numbers: above the mean of train; of classes: the most frequent one of train (the first by name where
 * several are), which statistics of categories look at. The leak check looks at these labels. */
const int8_t *data_label(const Data *data);
const DataClasses *data_classes(const Data *data); /* of train */
const uint8_t *data_class_id(const Data *data);    /* of each row; NULL where there are no classes */
const double *data_target(const Data *data);       /* the numbers; NULL where labels are flags */
const double *data_weight(const Data *data);       /* finite, 0 or more; NULL: all 1 */
const uint64_t *data_group(const Data *data);      /* hash of the group; NULL: data.group names none */
const uint64_t *data_row(const Data *data);        /* identity: hash of the id, or the row number */
const int64_t *data_row_number(const Data *data);  /* in the table: for joins with a scan */
int data_columns_n(const Data *data);              /* inputs that are columns */

/* Local, before the plan. Features are those of a model's contract (copied): its columns in its order, and hit rates
 * from its frozen tables, for rows of train as for all others. Fails CONFIG naming the columns that data.columns and
 * the model do not share, DATA naming those whose type or unit differ. */
dp_status data_inherit(Data *data, const DataInputs *inputs);

/* Collective, before the first feature; a second call does nothing. Decides which combinations become features (section
 * "model.categories"): greedily those that explain most of what single categories leave unexplained in train. */
dp_status data_plan(Data *data, const Comm *comm);
/* Local. Columns first, then combinations: these, and names (borrowed), after the plan. */
int data_features_n(const Data *data);
const char *data_feature_name(const Data *data, int j);

/* Collective. A scan of the data's own table, with the as-of, threads and shares it was opened with: every row of
 * data_row_number comes in one of this rank's blocks, in that order. columns: positions in the schema. For models that
 * are to see the same rows. */
dp_status data_scan(LakeScan **scan, Data *data, const int *columns, int n_columns, const Comm *comm);
/* Local. Schema of that table. */
const LakeSchema *data_schema(const Data *data);

/* Collective. Feature j of this rank's rows: values [data_rows_n]; combinations after the columns they are made of.
 * Categories: train rows see only the labels of train
 * rows strictly before them in time, and known before it where the label has a known_at (without a time column: before
 * them in a seeded order); valid and test rows see the frozen table. Routed over ranks by hash of the category, never
 * gathered. */
dp_status data_feature(Data *data, int j, float *values, const Comm *comm);
/* Local, after all features were read. The contract with its frozen tables, complete on every rank. */
dp_status data_inputs(DataInputs *inputs, const Data *data);

/* Collective. A column of this rank's rows as text codes for slices (*names: zero-terminated texts one after the other,
 * sorted, the same on every rank, "" = missing; *code [rows], free with dp_shelf_free), or as doubles (revenue; missing
 * = NaN). "hs2" means the first two digits of a code column "hs6". Fails CONFIG where there is no such column. */
dp_status data_slice(Data *data, const char *column, uint32_t **code, dp_buf *names, uint32_t *n, const Comm *comm);
dp_status data_number(Data *data, const char *column, double *values, const Comm *comm);
/* Collective. The same of this rank's rows at[0 .. n - 1], 0 where nothing is written: what inspections recovered. */
dp_status data_revenue(Data *data, const char *column, const int64_t *at, int64_t n, double *value, const Comm *comm);
/* Local. Can the column be one? Fails as they do: to be asked before anything is learned. */
dp_status data_slice_check(const Data *data, const char *column);
dp_status data_number_check(const Data *data, const char *column);

/* ---- the leak check: run on every training ---- */

typedef struct DataLeaks {
    double share_same; /* of test rows whose tuple stands in train with the same label */
    double share_seen; /* of test rows whose tuple stands in train */
    double lookup_auc; /* of a bare lookup of those tuples: mean train label, base rate where unseen */
    bool suspicious;   /* the tuple decides the label, in rows enough to matter: the rule stands in leaks.c */
    char tuple[256];   /* its columns: "all inputs", "tax_rate, net_mass, value" */
    char column[65];   /* the input that says most alone; "" without rows of both classes */
    double column_auc; /* its AUC alone, on test; NaN */
    bool gives_away;   /* it says more than can be known before an inspection: the rule stands in singles.c */
} DataLeaks;
/* Collective. Looks at the tuples of all inputs, of the apart columns, of the numbers (copies of goods lines show
 * there), of numbers and codes, of codes and categories. Reports the worst suspicious one; where none is, the apart
 * columns or all inputs. Looks at each input alone too. Without rows of test, valid is looked at. */
dp_status data_leaks(DataLeaks *leaks, Data *data, const Comm *comm);

extern const dp_help_row data_help[];

#endif
