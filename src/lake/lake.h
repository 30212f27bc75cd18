/* lake/lake.h -- tables: folders of immutable HDF5 partitions and numbered manifests (bytes: FORMAT.md).
 *
 * A reader opens a snapshot (the newest manifest, or a named one) and sees whole deliveries or nothing of them. A
 * writer writes partitions on any number of ranks, then makes the next manifest by link(); when another writer was
 * first it makes the one after. Writing calls HDF5, so one thread of a process writes; reading does not: chunks are
 * read with pread where the partition's index says, checked, and unpacked by `threads`.
 *
 * Versions: in a table with an id, a later row of the same id replaces it from its recorded time on; a delete mark ends
 * it. A read names its as-of: the latest version recorded at or before it is seen, and a value whose known_at column
 * is missing or later than the as-of is missing. */
#ifndef DIPPER_LAKE_LAKE_H
#define DIPPER_LAKE_LAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/status.h"
#include "comm/comm.h"

typedef enum LakeType {
    LAKE_NUMBER,   /* double in the file and in blocks; NaN = missing */
    LAKE_NUMBER32, /* float; NaN = missing */
    LAKE_TIME,     /* int64 microseconds UTC; DP_TIME_MISSING */
    LAKE_CATEGORY, /* code into the partition's dictionary; code 0 = missing */
    LAKE_CODE,     /* as category: text of digits with leading zeros */
    LAKE_TEXT,     /* offsets + UTF-8 bytes; missing = empty */
    LAKE_LABEL     /* int8: 0, 1, ... ; -1 = missing */
} LakeType;

typedef struct LakeColumn {
    char *name; /* name grammar, also '_' */
    LakeType type;
    char *unit;       /* "kg"; NULL */
    char *about;      /* NULL */
    char *known_at;   /* name of a time column; NULL: known when the row was recorded */
    double low, high; /* range of numbers; NaN: open */
    int digits;       /* of a code; 0: any */
} LakeColumn;

typedef struct LakeSchema {
    LakeColumn *columns;
    int n;
    /* Names of columns; NULL where the table has none. Without id the row number is the id and there is no as-of. */
    char *id, *time, *recorded;
} LakeSchema;

void lake_schema_free(LakeSchema *schema);
dp_status lake_schema_copy(LakeSchema *to, const LakeSchema *from);
/* Local. Position of a column, -1 if there is none. */
int lake_schema_find(const LakeSchema *schema, const char *name);
const char *lake_type_name(LakeType type);
/* Local. false: no type has that name. */
bool lake_type_of(LakeType *type, const char *name);

/* ---- reading ---- */

/* A snapshot of a table, the same on every rank. */
typedef struct LakeTable LakeTable;

typedef struct LakeFacts {
    const char *name;
    int64_t snapshot; /* the manifest's number: declarations@418 */
    int64_t rows;     /* versions stored, tombstones included */
    int64_t bytes;    /* of the partitions on disk */
    int partitions, deliveries;
    int64_t quarantined;
    int64_t first, last; /* of the time column; DP_TIME_MISSING without one */
    dp_digest content;   /* of the ordered partition digests: the same on any number of ranks */
} LakeFacts;

/* Collective. address: "declarations" (newest) or "declarations@418". Rank 0 reads the manifest and shares it.
 * Fails: NO_INPUT no such table or snapshot (with the nearest name), DATA broken manifest, DENIED. */
dp_status lake_open(LakeTable **table, const char *lake, const char *address, const Comm *comm);
void lake_close(LakeTable **table);
const LakeSchema *lake_schema(const LakeTable *table);
LakeFacts lake_facts(const LakeTable *table);

/* One column of a block. Which pointer is set follows from the type. All belong to the scan. */
typedef struct LakeDict {
    uint32_t n;             /* codes 0 .. n-1; 0 is missing (empty text) */
    const uint32_t *offset; /* [n + 1] into bytes */
    const char *bytes;
    int64_t serial; /* differs between dictionaries: remap tables can be kept per serial */
} LakeDict;
typedef struct LakeValues {
    LakeType type;
    const double *number;
    const float *number32;
    const int64_t *time;
    const uint32_t *code;
    const LakeDict *dict;
    const int8_t *label;
    const int64_t *text_at; /* [rows + 1] into text */
    const char *text;
} LakeValues;

/* Up to 65,536 rows of one partition. */
typedef struct LakeBlock {
    int64_t first_row; /* row number in the table (snapshot order) of row 0; rows of a block are consecutive
                          unless `row` is set */
    int32_t rows;
    const int64_t *row;       /* [rows] row numbers where some rows were left out (where, as-of); else NULL */
    const LakeValues *column; /* in the order asked for */
    const uint8_t *deleted; /* [rows] 1 = delete mark, where all versions were asked for and there is any; else NULL */
    /* [bins->n] bytes of each row, where bins were asked for and stand beside the partition; else NULL. Up to 64 bytes
     * behind the last row may be read. The columns they stand for are then not set. */
    const uint8_t *const *bin;
} LakeBlock;

/* Bins of a table for one model: bytes made from its columns once, stored beside the partitions (lake_bins_write). */
typedef struct LakeBins {
    dp_digest set; /* what made them. Those of another set, and broken ones, are as if they were not there */
    int n;         /* columns of bins */
    int instead;   /* of a query: the first so many columns are not read where there are bins */
} LakeBins;

/* A condition, `column op value`, joined by and. */
typedef enum LakeOp { LAKE_EQ, LAKE_NE, LAKE_LT, LAKE_LE, LAKE_GT, LAKE_GE } LakeOp;
typedef struct LakeWhere {
    struct LakeTerm {
        int column;
        LakeOp op;
        double number; /* numbers, labels */
        int64_t time;  /* times */
        char *text;    /* categories, codes, text */
    } * terms;
    int n;
} LakeWhere;
/* Local. Parses "hs6 = 090111 and value > 1e6". Fails CONFIG/USAGE naming the unknown column. */
dp_status lake_where_parse(LakeWhere *where, const LakeSchema *schema, const char *text);
void lake_where_free(LakeWhere *where);

typedef struct LakeQuery {
    const int *columns; /* positions in the schema */
    int n_columns;
    const LakeWhere *where; /* NULL: all */
    int64_t as_of;          /* microseconds; DP_TIME_MISSING: everything recorded */
    bool all_versions;      /* corrections and tombstones too, as stored: as_of is not used */
    int threads;            /* decompressing; 0 or 1: none beside the caller */
    bool whole;             /* every rank reads all rows; false: each rank its own consecutive share (by blocks) */
    const LakeBins *bins;   /* NULL: none. Not used where a column has known_at and there is an as-of */
} LakeQuery;

typedef struct LakeScan LakeScan;

/* Collective (resolving versions exchanges ids). The first scan of a snapshot with versions resolves them once; the
 * table keeps the result. */
dp_status lake_scan(LakeScan **scan, LakeTable *table, const LakeQuery *query, const Comm *comm);
/* Local. *block = the next block, valid until the next call; NULL at the end. The blocks after it are read and
 * decompressed meanwhile. Fails DATA on a partition whose bytes do not fit their digest or layout. */
dp_status lake_next(LakeScan *scan, const LakeBlock **block);
void lake_scan_close(LakeScan **scan);
/* Local. Rows this rank would see at most: for sizing. */
int64_t lake_scan_rows(const LakeScan *scan);

/* ---- writing ---- */

/* What one delivery adds. */
typedef struct LakeWriter LakeWriter;

/* Rows to write, column by column, as LakeValues of `rows` rows; dictionary codes refer to `dict`. Text columns carry
 * text_at/text. */
typedef struct LakeRows {
    int32_t rows;
    const LakeValues *column; /* [schema.n] in schema order */
    const uint8_t *deleted;   /* [rows] 1 = tombstone; NULL: none */
} LakeRows;

typedef struct LakeBadRow {
    int64_t row;                        /* line of the input, from 1 */
    const char *file, *column, *reason; /* reason: a stable word, "number", "range", "encoding" */
    const char *raw;
    int32_t raw_size;
} LakeBadRow;

typedef enum LakeCompress { LAKE_ZSTD, LAKE_DEFLATE, LAKE_PLAIN } LakeCompress;

/* Collective. Starts a delivery to a table, which is made if it is not there. An existing table must have the same
 * schema or a subset of it (columns may be added; older partitions then read as missing). Fails DATA naming the
 * columns that do not fit. source: digest of the inputs and of the config, by which a repeated delivery is known;
 * *known is set, and no writer made, when the table has it already. */
dp_status lake_write(LakeWriter **writer, const char *lake, const char *table, const LakeSchema *schema,
                     LakeCompress compress, int threads, const dp_digest *source, bool *known, const Comm *comm);
/* Local, one thread at a time. Writes one partition with the bad rows put aside under the same order. order: its place
 * among all partitions of the delivery (file and segment), >= 0, unique over ranks; the table's row order follows it.
 * rows->rows may be 0 (a segment of bad rows). All columns of a partition are in memory at once. */
dp_status lake_write_partition(LakeWriter *writer, int64_t order, const LakeRows *rows);
/* Local. Is this partition there already, from an earlier start of the same delivery that was stopped? Partitions are
 * published one by one under names that follow from source and order, so a delivery goes on where it was; its rows and
 * bad rows come from the partition, which then counts as written. A second process on the same delivery fails in
 * lake_write with DP_ERR_AGAIN. */
bool lake_write_has(LakeWriter *writer, int64_t order);
/* Local. Rows and bad rows of the partitions this rank has written or found so far; either may be NULL. */
void lake_write_counts(const LakeWriter *writer, int64_t *rows, int64_t *bad);
/* Local. Puts a bad row aside. It is stored in the partition of that order, so it comes before its
 * lake_write_partition; where that never comes, lake_commit writes a partition without rows. Texts are cut to 1,024
 * bytes, raw to 65,536. */
dp_status lake_write_bad(LakeWriter *writer, int64_t order, const LakeBadRow *bad);
/* Collective. Makes the delivery visible; about: one line for `lake show` (JSON object text or NULL). Frees *writer. On
 * failure, nothing is visible. snapshot: out. sync_seconds: out, the most of any rank. */
dp_status lake_commit(LakeWriter **writer, const char *about, int64_t *snapshot, double *sync_seconds,
                      const Comm *comm);
/* Collective. Ends without a commit. keep: leaves the partitions for the next start (a stop); otherwise they are
 * removed (a failure). Takes NULL. */
void lake_abandon(LakeWriter **writer, bool keep, const Comm *comm);

/* ---- bins ---- */

/* Makes bin [bins->n][block->rows] from the columns of a block. By one thread at a time. */
typedef dp_status (*LakeBinner)(void *self, const LakeBlock *block, uint8_t *const *bin);
/* Collective. Makes the bins of every partition of the snapshot that has none of this set yet; columns: what `make`
 * wants to see. *made: partitions that got some, *bytes: of all of the set. Each is published whole; they are no part
 * of the table's content, and can be removed at any time (the folder bins-... of the table). */
dp_status lake_bins_write(LakeTable *table, const LakeBins *bins, const int *columns, int n_columns, int threads,
                          LakeBinner make, void *self, int64_t *made, int64_t *bytes, const Comm *comm);

/* ---- for people and other programs ---- */

typedef enum LakeForm {
    LAKE_CSV,  /* RFC 4180 with a header line; missing is empty */
    LAKE_JSONL /* an object a line; missing is null */
} LakeForm;

typedef struct LakeExport {
    LakeQuery query; /* threads also write the lines; whole is taken as true */
    LakeForm form;
    int64_t limit; /* rows at most; < 0: all */
} LakeExport;
/* Collective. Rows as text, in table order, in pieces of whole lines to `write` on rank 0 (one stream has one writer;
 * the threads of that rank make the text, the other ranks wait). Numbers are the shortest decimals that read back to
 * the same bits (JSON has no infinity: 1e999), times are ISO 8601 in UTC. *rows: how many.
 */
dp_status lake_export(LakeTable *table, const LakeExport *options,
                      dp_status (*write)(void *self, const char *bytes, size_t n), void *self, int64_t *rows,
                      const Comm *comm);

enum { LAKE_TOP = 5, LAKE_TOP_TEXT = 64 };

/* What a column holds. */
typedef struct LakeProfile {
    int64_t rows, missing;
    double low, high, mean; /* numbers and labels; NaN: no value */
    int64_t first, last;    /* times; DP_TIME_MISSING: no value */
    int64_t distinct;       /* values that differ: exact for categories and codes, else within about 2 % */
    int64_t bytes;          /* of texts */
    int n_top;              /* categories, codes: the most frequent, ties in the order of their bytes */
    struct LakeTop {
        char text[LAKE_TOP_TEXT]; /* cut to 63 bytes at a whole character */
        int64_t rows;
    } top[LAKE_TOP];
} LakeProfile;
/* Collective. One pass over the rows of the query (its columns are not used) by all ranks; the same on any number of
 * them. *profile [schema.n], complete on every rank (free with dp_free). */
dp_status lake_profile(LakeProfile **profile, LakeTable *table, const LakeQuery *query, const Comm *comm);

/* Collective. Re-reads every digest of the snapshot: files, chunks, dictionaries, counts. *faults: how many were found,
 * each said on the log. */
dp_status lake_verify(const LakeTable *table, int64_t *faults, const Comm *comm);

/* Local, rank 0. Names of the tables of a lake (free with dp_buf_free): zero-terminated, one after the other. */
dp_status lake_list(const char *lake, dp_buf *names);

/* One delivery of a snapshot, for `lake show`. */
typedef struct LakeDelivery {
    int64_t snapshot; /* the first that has it */
    int64_t when;     /* microseconds */
    int64_t rows, bad, bytes;
    int partitions;
    dp_digest source;
    const char *about; /* as given to lake_commit; NULL */
} LakeDelivery;
/* Local. Newest first. The array is the table's. */
const LakeDelivery *lake_deliveries(const LakeTable *table, size_t *n);

/* Local. Calls `take` with the rows that were put aside, in the table's order, until it returns false or all are told.
 * The row's texts are valid during the call. */
dp_status lake_quarantine(const LakeTable *table, bool (*take)(void *self, const LakeBadRow *bad), void *self);

/* Local. Name and version of the library that the files are made with: "HDF5 1.10.8". out holds 32 bytes. */
void lake_library(char *out);

extern const dp_help_row lake_help[];

#endif
