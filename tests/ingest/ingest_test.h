/* tests/ingest/ingest_test.h -- files in a folder of the test's own, ingested by the ranks of the test, read back. */
#ifndef DIPPER_TEST_INGEST_H
#define DIPPER_TEST_INGEST_H

#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/publish.h"
#include "config/config.h"
#include "ingest/ingest.h"
#include "lake/lake.h"

static Comm *comm;
static char folder[64];

static const CfgRow head_rows[] = {
    {"kind", CFG_NAME, 0, .help = "kind"}, {"name", CFG_NAME, 8, .help = "name"}, {.key = NULL}};

/* Collective. */
static inline int begin(void)
{
    if (comm_open(&comm, NULL) != DP_OK)
        return 1;
    if (comm_rank(comm) == 0) {
        strcpy(folder, "/tmp/dipper-ingest-XXXXXX");
        if (!mkdtemp(folder))
            return 1;
    }
    comm_share(comm, folder, sizeof folder, 0);
    return 0;
}

static inline int end(int failed)
{
    char command[128];
    comm_wait_all(comm);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (comm_rank(comm) == 0 && system(command) != 0)
        failed++;
    comm_close(&comm);
    return failed;
}

/* Collective. A file in the folder, written by rank 0. */
static inline const char *put(const char *name, const void *data, size_t size)
{
    static char path[8][160];
    static int next;
    char *p = path[next++ % 8];
    snprintf(p, sizeof path[0], "%s/%s", folder, name);
    if (comm_rank(comm) == 0)
        assert_ok(dp_publish_bytes(folder, name, data, size, DP_PUBLISH_REPLACE, NULL));
    comm_wait_all(comm);
    return p;
}

static inline const char *put_text(const char *name, const char *text)
{
    return put(name, text, strlen(text));
}

typedef struct Ready {
    Config *config;
    IngestOptions *options;
} Ready;

/* The sections of a table's config. The status is that of ingest_options. */
static inline dp_status ready(Ready *r, const char *yaml)
{
    static CfgSection sections[16];
    static CfgKind kind = {"table", "a table", sections, 0};
    dp_buf text = {0};
    sections[0] = (CfgSection){"", head_rows, NULL};
    memcpy(sections + 1, ingest_sections, ingest_sections_n * sizeof *sections);
    kind.n = 1 + ingest_sections_n;
    *r = (Ready){0};
    assert_ok(dp_buf_print(&text, "kind: table\nname: t\n%s", yaml));
    assert_ok(config_parse(&r->config, "t.yaml", text.data, text.size, NULL, 0, &kind, 1));
    dp_buf_free(&text);
    return ingest_options(&r->options, r->config);
}

static inline void unready(Ready *r)
{
    ingest_options_free(&r->options);
    config_free(&r->config);
}

/* Collective. */
static inline dp_status ingest_with(IngestResult *result, const char *yaml, const char *table, const char *const *files,
                                    size_t n, int threads)
{
    Ready r;
    char lake[96];
    snprintf(lake, sizeof lake, "%s/lake", folder);
    assert_ok(ready(&r, yaml));
    dp_status st = ingest_files(result, r.options, lake, table, files, n, LAKE_ZSTD, threads, comm);
    unready(&r);
    return st;
}

static inline dp_status ingest_one(IngestResult *result, const char *yaml, const char *table, const char *file)
{
    return ingest_with(result, yaml, table, &file, 1, 1);
}

static inline void print_value(dp_buf *out, const LakeValues *v, int32_t r)
{
    char time[32];
    const LakeDict *d = v->dict;
    switch (v->type) {
    case LAKE_NUMBER:
        assert_ok(isnan(v->number[r]) ? DP_OK : dp_buf_print(out, "%.17g", v->number[r]));
        break;
    case LAKE_NUMBER32:
        assert_ok(isnan(v->number32[r]) ? DP_OK : dp_buf_print(out, "%.9g", (double)v->number32[r]));
        break;
    case LAKE_TIME:
        if (v->time[r] != DP_TIME_MISSING)
            dp_time_print(time, v->time[r]);
        assert_ok(v->time[r] == DP_TIME_MISSING ? DP_OK : dp_buf_text(out, time));
        break;
    case LAKE_LABEL:
        assert_ok(v->label[r] < 0 ? DP_OK : dp_buf_print(out, "%d", v->label[r]));
        break;
    case LAKE_TEXT:
        assert_ok(dp_buf_add(out, v->text + v->text_at[r], (size_t)(v->text_at[r + 1] - v->text_at[r])));
        break;
    default:
        assert_ok(dp_buf_add(out, d->bytes + d->offset[v->code[r]], d->offset[v->code[r] + 1] - d->offset[v->code[r]]));
    }
}

/* Collective. All rows with all versions, fields joined by |, a line each. */
static inline void read_back(dp_buf *out, LakeFacts *facts, const char *table)
{
    char lake[96];
    int columns[64];
    LakeTable *t = NULL;
    LakeScan *scan = NULL;
    const LakeBlock *block;
    snprintf(lake, sizeof lake, "%s/lake", folder);
    assert_ok(lake_open(&t, lake, table, comm));
    int n = lake_schema(t)->n;
    for (int c = 0; c < n; c++)
        columns[c] = c;
    LakeQuery query = {
        .columns = columns, .n_columns = n, .as_of = DP_TIME_MISSING, .all_versions = true, .whole = true};
    assert_ok(lake_scan(&scan, t, &query, comm));
    for (;;) {
        assert_ok(lake_next(scan, &block));
        if (!block)
            break;
        for (int32_t r = 0; r < block->rows; r++)
            for (int c = 0; c < n; c++) {
                print_value(out, &block->column[c], r);
                assert_ok(dp_buf_text(out, c < n - 1 ? "|" : "\n"));
            }
    }
    lake_scan_close(&scan);
    *facts = lake_facts(t);
    lake_close(&t);
}

/* Collective. The table's rows are this text. */
static inline void assert_rows(const char *table, const char *expected)
{
    dp_buf out = {0};
    LakeFacts facts;
    read_back(&out, &facts, table);
    assert_string_equal(out.data ? out.data : "", expected);
    dp_buf_free(&out);
}

typedef struct BadText {
    dp_buf text;
} BadText;

static inline bool add_bad(void *self, const LakeBadRow *bad)
{
    BadText *b = self;
    assert_ok(dp_buf_print(&b->text, "%lld %s %s ", (long long)bad->row, bad->reason,
                           bad->column && *bad->column ? bad->column : "-"));
    assert_ok(dp_buf_add(&b->text, bad->raw, (size_t)bad->raw_size));
    assert_ok(dp_buf_text(&b->text, "\n"));
    return true;
}

/* Collective. The table's quarantine: line, reason, column, raw bytes. */
static inline void assert_bad(const char *table, const char *expected)
{
    char lake[96];
    LakeTable *t = NULL;
    BadText bad = {0};
    snprintf(lake, sizeof lake, "%s/lake", folder);
    assert_ok(lake_open(&t, lake, table, comm));
    assert_ok(lake_quarantine(t, add_bad, &bad));
    assert_string_equal(bad.text.data ? bad.text.data : "", expected);
    dp_buf_free(&bad.text);
    lake_close(&t);
}

/* Collective. Nothing of the table can be seen. */
static inline void assert_no_table(const char *table)
{
    char lake[96];
    LakeTable *t = NULL;
    snprintf(lake, sizeof lake, "%s/lake", folder);
    assert_int_equal(lake_open(&t, lake, table, comm), DP_ERR_NO_INPUT);
}

#endif
