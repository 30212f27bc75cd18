/* table.h -- tables of a temporary lake from texts, a cell each, as a file would hold them. */
#ifndef DIPPER_TEST_DATA_TABLE_H
#define DIPPER_TEST_DATA_TABLE_H

#include "check.h"

#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lake/lake.h"

/* A column as a literal. */
#define COLUMN(n, t, ...)                                                                                              \
    {                                                                                                                  \
        .name = (char *)(uintptr_t)(n), .type = (t), .low = NAN, .high = NAN, __VA_ARGS__                              \
    }

/* One partition's columns in memory. */
typedef struct Cells {
    LakeValues values[40];
    LakeDict dict[40];
    void *owned[200];
    int n_owned;
} Cells;

static inline void *cells_new(Cells *cells, size_t n, size_t size)
{
    void *p = calloc(n + 1, size);
    assert_non_null(p);
    cells->owned[cells->n_owned++] = p;
    return p;
}

/* Texts one after the other: offsets [n + 1], bytes. */
static inline char *join_texts(Cells *cells, int64_t *at, const char *const *cell, int32_t n, int columns)
{
    for (int32_t i = 0; i < n; i++)
        at[i + 1] = at[i] + (int64_t)strlen(cell[(int64_t)i * columns]);
    char *text = cells_new(cells, (size_t)at[n], 1);
    for (int32_t i = 0; i < n; i++)
        memcpy(text + at[i], cell[(int64_t)i * columns], (size_t)(at[i + 1] - at[i]));
    return text;
}

/* A dictionary with an entry a row; code 0 is the missing value. */
static inline void fill_codes(Cells *cells, int c, const char *const *cell, int32_t n, int columns)
{
    int64_t *at = cells_new(cells, (size_t)n + 1, sizeof *at);
    uint32_t *code = cells_new(cells, (size_t)n, sizeof *code);
    uint32_t *offset = cells_new(cells, (size_t)n + 2, sizeof *offset);
    char *bytes = join_texts(cells, at, cell, n, columns);
    for (int32_t i = 0; i < n; i++) {
        offset[i + 2] = (uint32_t)at[i + 1];
        code[i] = *cell[(int64_t)i * columns] ? (uint32_t)i + 1 : 0;
    }
    cells->dict[c] = (LakeDict){.n = (uint32_t)n + 1, .offset = offset, .bytes = bytes, .serial = c};
    cells->values[c].code = code;
    cells->values[c].dict = &cells->dict[c];
}

static inline void fill_column(Cells *cells, int c, LakeType type, const char *const *cell, int32_t n, int columns)
{
    LakeValues *v = &cells->values[c];
    double *number = cells_new(cells, (size_t)n, sizeof *number);
    float *number32 = cells_new(cells, (size_t)n, sizeof *number32);
    int64_t *time = cells_new(cells, (size_t)n + 1, sizeof *time);
    int8_t *label = cells_new(cells, (size_t)n, 1);
    *v = (LakeValues){.type = type};
    for (int32_t i = 0; i < n; i++) {
        const char *text = cell[(int64_t)i * columns];
        number[i] = *text ? strtod(text, NULL) : NAN;
        number32[i] = (float)number[i];
        label[i] = (int8_t)(*text ? atoi(text) : -1);
        if (type == LAKE_TIME) {
            time[i] = DP_TIME_MISSING;
            assert_true(*text == '\0' || dp_time_read(&time[i], text));
        }
    }
    v->number = type == LAKE_NUMBER ? number : NULL;
    v->number32 = type == LAKE_NUMBER32 ? number32 : NULL;
    v->time = type == LAKE_TIME ? time : NULL;
    v->label = type == LAKE_LABEL ? label : NULL;
    if (type == LAKE_TEXT) {
        v->text = join_texts(cells, time, cell, n, columns);
        v->text_at = time;
    }
    if (type == LAKE_CATEGORY || type == LAKE_CODE)
        fill_codes(cells, c, cell, n, columns);
}

/* Collective. Rank 0 writes cells [rows][schema->n] in partitions of `piece` rows. */
static inline void write_table(const char *lake, const char *name, const LakeSchema *schema, const char *const *cells,
                               int64_t rows, int32_t piece, const Comm *comm)
{
    LakeWriter *writer = NULL;
    dp_digest source;
    bool known;
    int64_t snapshot;
    double sync_s;
    assert_ok(dp_digest_of(&source, name, strlen(name)));
    assert_ok(lake_write(&writer, lake, name, schema, LAKE_ZSTD, 1, &source, &known, comm));
    for (int64_t first = 0, order = 0; first < rows && comm_rank(comm) == 0; first += piece, order++) {
        int32_t n = (int32_t)(rows - first < piece ? rows - first : piece);
        Cells *part = calloc(1, sizeof *part);
        assert_non_null(part);
        for (int c = 0; c < schema->n; c++)
            fill_column(part, c, schema->columns[c].type, cells + first * schema->n + c, n, schema->n);
        assert_ok(lake_write_partition(writer, order, &(LakeRows){.rows = n, .column = part->values}));
        for (int i = 0; i < part->n_owned; i++)
            free(part->owned[i]);
        free(part);
    }
    assert_ok(lake_commit(&writer, NULL, &snapshot, &sync_s, comm));
}

/* Collective. A new folder of rank 0, the same text on every rank; out holds 64 bytes. */
static inline void make_lake(char *out, const Comm *comm)
{
    strcpy(out, "/tmp/dipper-data-XXXXXX");
    if (comm_rank(comm) == 0)
        assert_non_null(mkdtemp(out));
    comm_share(comm, out, 64, 0);
}

static inline int remove_one(const char *path, const struct stat *stat, int kind, struct FTW *ftw)
{
    (void)stat, (void)kind, (void)ftw;
    return remove(path);
}

static inline void remove_lake(const char *path, const Comm *comm)
{
    comm_wait_all(comm);
    if (comm_rank(comm) == 0)
        nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
