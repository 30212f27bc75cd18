/* Rows as CSV and JSON lines. A block is cut into pieces that threads write side by side; the pieces go out in order.
 */
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lake/print.h"
#include "lake/scan_priv.h"

typedef struct Exporter {
    const LakeSchema *schema;
    const LakeExport *options;
    dp_status (*write)(void *self, const char *bytes, size_t n);
    void *self;
    dp_buf *piece; /* [pieces] */
    dp_buf *names; /* [columns]: "\"name\":" for JSON */
    int pieces;
    dp_error error;
} Exporter;

static dp_status add_text(dp_buf *out, LakeForm form, const char *text, size_t size)
{
    if (size == 0)
        return form == LAKE_JSONL ? dp_buf_add(out, "null", 4) : DP_OK;
    return form == LAKE_JSONL ? print_json_text(out, text, size) : print_csv_text(out, text, size);
}

static dp_status add_number(dp_buf *out, LakeForm form, double value, bool single)
{
    char text[32];
    if (isnan(value))
        return form == LAKE_JSONL ? dp_buf_add(out, "null", 4) : DP_OK;
    if (isinf(value))
        return form == LAKE_JSONL ? dp_buf_text(out, value > 0 ? "1e999" : "-1e999")
                                  : dp_buf_text(out, value > 0 ? "inf" : "-inf");
    return dp_buf_add(out, text, single ? print_float(text, (float)value) : print_double(text, value));
}

static dp_status add_value(dp_buf *out, LakeForm form, const LakeValues *v, int32_t i)
{
    char time[40];
    switch (v->type) {
    case LAKE_NUMBER:
        return add_number(out, form, v->number[i], false);
    case LAKE_NUMBER32:
        return add_number(out, form, (double)v->number32[i], true);
    case LAKE_LABEL:
        return add_number(out, form, v->label[i] < 0 ? NAN : v->label[i], false);
    case LAKE_TIME:
        if (v->time[i] == DP_TIME_MISSING)
            return add_text(out, form, "", 0);
        dp_time_print(time, v->time[i]);
        if (!strchr(time, 'T')) /* midnight: one form for the whole column */
            memcpy(time + strlen(time), "T00:00:00Z", sizeof "T00:00:00Z");
        return add_text(out, form, time, strlen(time));
    case LAKE_TEXT:
        return add_text(out, form, v->text + v->text_at[i], (size_t)(v->text_at[i + 1] - v->text_at[i]));
    case LAKE_CATEGORY:
    case LAKE_CODE:
        return add_text(out, form, v->dict->bytes + v->dict->offset[v->code[i]],
                        v->dict->offset[v->code[i] + 1] - v->dict->offset[v->code[i]]);
    }
    return DP_OK;
}

static dp_status add_rows(const Exporter *e, dp_buf *out, const LakeBlock *block, int32_t from, int32_t to)
{
    LakeForm form = e->options->form;
    int n = e->options->query.n_columns;
    out->size = 0;
    for (int32_t i = from; i < to; i++) {
        if (form == LAKE_JSONL)
            DP_TRY(dp_buf_add(out, "{", 1));
        for (int k = 0; k < n; k++) {
            if (k > 0)
                DP_TRY(dp_buf_add(out, ",", 1));
            if (form == LAKE_JSONL)
                DP_TRY(dp_buf_add(out, e->names[k].data, e->names[k].size));
            DP_TRY(add_value(out, form, &block->column[k], i));
        }
        DP_TRY(dp_buf_text(out, form == LAKE_CSV ? "\n" : "}\n"));
    }
    return DP_OK;
}

/* All pieces of the block's first `rows` rows. */
static dp_status write_block(Exporter *e, const LakeBlock *block, int32_t rows)
{
    e->error.status = DP_OK;
#pragma omp parallel for schedule(static) num_threads(e->pieces) if (e->pieces > 1)
    for (int p = 0; p < e->pieces; p++) {
        int32_t from = (int32_t)((int64_t)rows * p / e->pieces), to = (int32_t)((int64_t)rows * (p + 1) / e->pieces);
        if (add_rows(e, &e->piece[p], block, from, to) != DP_OK)
#pragma omp critical(lake_export_error)
            e->error = *dp_error_last();
    }
    return e->error.status == DP_OK ? DP_OK : dp_fail_as(&e->error);
}

static dp_status put_head(const Exporter *e, dp_buf *line)
{
    for (int k = 0; k < e->options->query.n_columns; k++) {
        const char *name = e->schema->columns[e->options->query.columns[k]].name;
        DP_TRY(dp_buf_print(&e->names[k], "\"%s\":", name));
        DP_TRY(dp_buf_print(line, "%s%s", k ? "," : "", name));
    }
    DP_TRY(dp_buf_text(line, "\n"));
    return e->options->form == LAKE_CSV ? e->write(e->self, line->data, line->size) : DP_OK;
}

/* Whole rows only: every rank but 0 has none, so that the order of the table is the order of writing. */
static dp_status put_rows(Exporter *e, LakeScan *scan, int64_t *rows)
{
    const LakeBlock *block;
    int64_t limit = e->options->limit;
    while (limit < 0 || *rows < limit) {
        DP_TRY(lake_next(scan, &block));
        if (!block)
            return DP_OK;
        int32_t n = limit >= 0 && limit - *rows < block->rows ? (int32_t)(limit - *rows) : block->rows;
        DP_TRY(write_block(e, block, n));
        for (int p = 0; p < e->pieces; p++)
            if (e->piece[p].size > 0)
                DP_TRY(e->write(e->self, e->piece[p].data, e->piece[p].size));
        *rows += n;
    }
    return DP_OK;
}

static dp_status run_export(Exporter *e, LakeScan *scan, int64_t *rows)
{
    dp_buf line = {0};
    dp_status st = DP_OK;
    e->pieces = e->options->query.threads < 1 ? 1 : e->options->query.threads;
    DP_GO(dp_new(&e->piece, (size_t)e->pieces));
    DP_GO(dp_new(&e->names, (size_t)e->options->query.n_columns));
    DP_GO(put_head(e, &line));
    DP_GO(put_rows(e, scan, rows));
done:
    for (int p = 0; e->piece && p < e->pieces; p++)
        dp_buf_free(&e->piece[p]);
    for (int k = 0; e->names && k < e->options->query.n_columns; k++)
        dp_buf_free(&e->names[k]);
    dp_free(&e->piece);
    dp_free(&e->names);
    dp_buf_free(&line);
    return st;
}

dp_status lake_export(LakeTable *table, const LakeExport *options,
                      dp_status (*write)(void *self, const char *bytes, size_t n), void *self, int64_t *rows,
                      const Comm *comm)
{
    Exporter e = {.schema = &table->manifest.schema, .options = options, .write = write, .self = self};
    LakeQuery query = options->query;
    LakeScan *scan = NULL;
    dp_status st = DP_OK;
    *rows = 0;
    query.whole = true;
    DP_GO(lake_scan(&scan, table, &query, comm));
    DP_GO_ALL(comm, comm_rank(comm) == 0 ? run_export(&e, scan, rows) : DP_OK);
    comm_share(comm, rows, sizeof *rows, 0);
done:
    lake_scan_close(&scan);
    return st;
}
