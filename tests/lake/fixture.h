/* fixture.h -- a table whose every value is a function of its row number, so that what is read can be checked anywhere.
 */
#ifndef DIPPER_TEST_LAKE_FIXTURE_H
#define DIPPER_TEST_LAKE_FIXTURE_H

#include "check.h"

#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/rng.h"
#include "lake/lake.h"

enum { F_ID, F_AT, F_CHANGED, F_VALUE, F_MASS, F_OFFICE, F_HS6, F_GOODS, F_FAULT, F_COLUMNS };

#define F_COLUMN(n, t)                                                                                                 \
    {                                                                                                                  \
        .name = (char *)(uintptr_t)(n), .type = (t), .low = NAN, .high = NAN                                           \
    }

/* A schema of literals: not to be freed. */
static inline LakeSchema fixture_schema(LakeColumn columns[F_COLUMNS])
{
    static const char *const names[F_COLUMNS] = {"id",     "at",  "changed", "value", "mass",
                                                 "office", "hs6", "goods",   "fault"};
    static const LakeType types[F_COLUMNS] = {LAKE_TEXT,     LAKE_TIME, LAKE_TIME, LAKE_NUMBER, LAKE_NUMBER32,
                                              LAKE_CATEGORY, LAKE_CODE, LAKE_TEXT, LAKE_LABEL};
    for (int i = 0; i < F_COLUMNS; i++)
        columns[i] = (LakeColumn)F_COLUMN(names[i], types[i]);
    columns[F_MASS].unit = (char *)(uintptr_t) "kg";
    columns[F_MASS].about = (char *)(uintptr_t) "net mass";
    return (LakeSchema){.columns = columns,
                        .n = F_COLUMNS,
                        .id = columns[F_ID].name,
                        .time = columns[F_AT].name,
                        .recorded = columns[F_CHANGED].name};
}

static inline uint64_t f_random(int column, int64_t row)
{
    return dp_random_u64(7, (uint64_t)column, (uint64_t)row);
}

static inline double f_value(int64_t row)
{
    static const double special[] = {-0.0, 5e-324, -2.5e-310, INFINITY, -INFINITY, 1.7976931348623157e308, 0.1};
    if (row % 11 == 3)
        return NAN;
    return row % 97 < 7 ? special[row % 97] : (double)(f_random(F_VALUE, row) % 1000000) / 8;
}

static inline float f_mass(int64_t row)
{
    return row % 13 == 5 ? NAN : row % 101 == 0 ? -0.0f : (float)(f_random(F_MASS, row) % 4096) / 16;
}

static inline int64_t f_at(int64_t row)
{
    return row % 17 == 2 ? DP_TIME_MISSING : (int64_t)(row * 1000003) - 500 * DP_DAY;
}

static inline int64_t f_changed(int64_t row)
{
    return row * DP_SECOND;
}

static inline int8_t f_fault(int64_t row)
{
    return (int8_t)((int64_t)(f_random(F_FAULT, row) % 3) - 1);
}

/* Texts: their size is returned; "" is missing. */
static inline size_t f_office(char *out, int64_t row)
{
    return row % 19 == 1 ? 0 : (size_t)sprintf(out, "Zoll %d", (int)(f_random(F_OFFICE, row) % 40));
}

static inline size_t f_hs6(char *out, int64_t row)
{
    return (size_t)sprintf(out, "%06d", (int)(f_random(F_HS6, row) % 5000));
}

static inline size_t f_goods(char *out, int64_t row)
{
    static const char text[] = "Kaffee, nicht ger\xc3\xb6stet \xe8\x8c\xb6 \"a\", b\nc";
    return row % 7 == 0 ? 0 : (size_t)sprintf(out, "%.*s%lld", (int)(row % 3 ? 24 : 5), text, (long long)row);
}

static inline size_t f_id(char *out, int64_t row)
{
    return (size_t)sprintf(out, "D%09lld", (long long)row);
}

/* Rows of the fixture in memory. */
typedef struct Fixture {
    LakeRows rows;
    LakeValues values[F_COLUMNS];
    LakeDict dict[2];
    int64_t *at, *changed, *text_at[2];
    double *value;
    float *mass;
    uint32_t *code[2], *offset[2];
    int8_t *fault;
    dp_buf text[2], words[2];
} Fixture;

static inline void fixture_text(Fixture *f, int which, int column, size_t (*make)(char *, int64_t), int64_t row, int i)
{
    char out[128];
    assert_ok(dp_buf_add(&f->text[which], out, make(out, row)));
    f->text_at[which][i + 1] = (int64_t)f->text[which].size;
    f->values[column].text_at = f->text_at[which];
    f->values[column].text = f->text[which].data;
}

/* Dictionaries with an entry a row and an unused one: the lake must make its own of them. */
static inline void fixture_code(Fixture *f, int which, size_t (*make)(char *, int64_t), int64_t row, int i)
{
    char out[128];
    assert_ok(dp_buf_add(&f->words[which], out, make(out, row)));
    f->offset[which][i + 3] = (uint32_t)f->words[which].size;
    f->code[which][i] = (uint32_t)i + 2;
}

static inline void fixture_build(Fixture *f, int64_t first, int32_t n)
{
    *f = (Fixture){.rows = {.rows = n}};
    assert_ok(dp_new(&f->at, (size_t)n + 1));
    assert_ok(dp_new(&f->changed, (size_t)n + 1));
    assert_ok(dp_new(&f->value, (size_t)n + 1));
    assert_ok(dp_new(&f->mass, (size_t)n + 1));
    assert_ok(dp_new(&f->fault, (size_t)n + 1));
    for (int k = 0; k < 2; k++) {
        assert_ok(dp_new(&f->text_at[k], (size_t)n + 1));
        assert_ok(dp_new(&f->code[k], (size_t)n + 1));
        assert_ok(dp_new(&f->offset[k], (size_t)n + 3));
        assert_ok(dp_buf_text(&f->words[k], "unused"));
        assert_ok(dp_buf_text(&f->text[k], ""));
        f->offset[k][2] = 6;
    }
    for (int i = 0; i < F_COLUMNS; i++) {
        LakeColumn columns[F_COLUMNS];
        f->values[i].type = fixture_schema(columns).columns[i].type;
    }
    for (int i = 0; i < n; i++) {
        int64_t row = first + i;
        f->at[i] = f_at(row);
        f->changed[i] = f_changed(row);
        f->value[i] = f_value(row);
        f->mass[i] = f_mass(row);
        f->fault[i] = f_fault(row);
        fixture_text(f, 0, F_ID, f_id, row, i);
        fixture_text(f, 1, F_GOODS, f_goods, row, i);
        fixture_code(f, 0, f_office, row, i);
        fixture_code(f, 1, f_hs6, row, i);
    }
    for (int k = 0; k < 2; k++) {
        f->dict[k] = (LakeDict){.n = (uint32_t)n + 2, .offset = f->offset[k], .bytes = f->words[k].data};
        f->values[k ? F_HS6 : F_OFFICE].code = f->code[k];
        f->values[k ? F_HS6 : F_OFFICE].dict = &f->dict[k];
        f->values[k ? F_GOODS : F_ID].text_at = f->text_at[k];
        f->values[k ? F_GOODS : F_ID].text = f->text[k].data;
    }
    f->values[F_AT].time = f->at;
    f->values[F_CHANGED].time = f->changed;
    f->values[F_VALUE].number = f->value;
    f->values[F_MASS].number32 = f->mass;
    f->values[F_FAULT].label = f->fault;
    f->rows.column = f->values;
}

static inline void fixture_free(Fixture *f)
{
    dp_free(&f->at);
    dp_free(&f->changed);
    dp_free(&f->value);
    dp_free(&f->mass);
    dp_free(&f->fault);
    for (int k = 0; k < 2; k++) {
        dp_free(&f->text_at[k]);
        dp_free(&f->code[k]);
        dp_free(&f->offset[k]);
        dp_buf_free(&f->words[k]);
        dp_buf_free(&f->text[k]);
    }
}

static inline void same_text(const char *text, size_t size, const char *expected, size_t n)
{
    assert_int_equal(size, n);
    if (n > 0)
        assert_memory_equal(text, expected, n);
}

static inline void same_code(const LakeValues *v, int i, const char *expected, size_t n)
{
    const LakeDict *d = v->dict;
    assert_in_range(v->code[i], 0, d->n - 1);
    assert_int_equal(v->code[i] == 0, n == 0);
    same_text(d->bytes + d->offset[v->code[i]], d->offset[v->code[i] + 1] - d->offset[v->code[i]], expected, n);
}

/* Value i of a column must be that of `row`, to the bit. */
static inline void fixture_same(int column, const LakeValues *v, int i, int64_t row)
{
    char out[128];
    double x = f_value(row);
    float y = f_mass(row);
    switch (column) {
    case F_AT:
        assert_true(v->time[i] == f_at(row));
        break;
    case F_CHANGED:
        assert_true(v->time[i] == f_changed(row));
        break;
    case F_VALUE:
        assert_memory_equal(&v->number[i], &x, sizeof x);
        break;
    case F_MASS:
        assert_memory_equal(&v->number32[i], &y, sizeof y);
        break;
    case F_FAULT:
        assert_int_equal(v->label[i], f_fault(row));
        break;
    case F_OFFICE:
        same_code(v, i, out, f_office(out, row));
        break;
    case F_HS6:
        same_code(v, i, out, f_hs6(out, row));
        break;
    case F_ID:
    case F_GOODS: {
        size_t n = column == F_ID ? f_id(out, row) : f_goods(out, row);
        same_text(v->text + v->text_at[i], (size_t)(v->text_at[i + 1] - v->text_at[i]), out, n);
        break;
    }
    }
}

static inline void fixture_block_same(const LakeBlock *block, const int *columns, int n)
{
    for (int i = 0; i < block->rows; i++) {
        int64_t row = block->row ? block->row[i] : block->first_row + i;
        for (int k = 0; k < n; k++)
            fixture_same(columns[k], &block->column[k], i, row);
    }
}

static inline int fixture_remove(const char *path, const struct stat *info, int type, struct FTW *ftw)
{
    (void)info;
    (void)type;
    (void)ftw;
    return remove(path);
}

/* A folder of this test alone, the same on every rank. */
static inline void fixture_folder(char path[64], const Comm *comm)
{
    snprintf(path, 64, "/tmp/dipper-lake-XXXXXX");
    if (comm_rank(comm) == 0)
        assert_non_null(mkdtemp(path));
    comm_share(comm, path, 64, 0);
}

static inline void fixture_sweep(const char *path, const Comm *comm)
{
    comm_wait_all(comm);
    if (comm_rank(comm) == 0)
        nftw(path, fixture_remove, 16, FTW_DEPTH | FTW_PHYS);
}

/* Writes fixture rows first .. first + parts * each as one delivery: part p by rank p % size. */
static inline void fixture_deliver(const char *lake, const char *table, int64_t first, int parts, int32_t each,
                                   LakeCompress compress, const char *name, const Comm *comm)
{
    LakeColumn columns[F_COLUMNS];
    LakeSchema schema = fixture_schema(columns);
    dp_digest source;
    LakeWriter *writer = NULL;
    bool known;
    int64_t snapshot;
    assert_ok(dp_digest_of(&source, name, strlen(name)));
    assert_ok(lake_write(&writer, lake, table, &schema, compress, 2, &source, &known, comm));
    assert_false(known);
    for (int p = comm_rank(comm); p < parts; p += comm_size(comm)) {
        Fixture f;
        fixture_build(&f, first + (int64_t)p * each, each);
        assert_ok(lake_write_partition(writer, p, &f.rows));
        fixture_free(&f);
    }
    assert_ok(lake_commit(&writer, NULL, &snapshot, NULL, comm));
}

#endif
