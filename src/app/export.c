/* dipper lake export: rows as CSV (RFC 4180) or JSON lines. Numbers are written so that reading gives the same bits. */
#include "app/table.h"

#include <stdlib.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/publish.h"
#include "base/text.h"

typedef struct Export {
    App *app;
    const LakeSchema *schema;
    int *columns, n;
    bool json;
    int64_t left; /* rows still wanted; < 0: all */
    dp_buf line;
    dp_publish *file; /* NULL: stdout */
} Export;

/* The columns of --columns, or all. */
static dp_status choose_columns(Export *e, const char *list)
{
    const char *names[1024];
    DP_TRY(dp_new(&e->columns, (size_t)e->schema->n + (list ? strlen(list) : 0) + 1));
    for (int c = 0; !list && c < e->schema->n; c++)
        e->columns[e->n++] = c;
    while (list && *list) {
        size_t length = strcspn(list, ",");
        char name[96];
        snprintf(name, sizeof name, "%.*s", (int)length, list);
        int at = lake_schema_find(e->schema, name);
        if (at < 0) {
            int n = e->schema->n < 1024 ? e->schema->n : 1024;
            for (int c = 0; c < n; c++)
                names[c] = e->schema->columns[c].name;
            const char *near = dp_nearest(name, names, (size_t)n);
            return dp_fail(DP_ERR_USAGE, "app-10", "--columns: no column '%s'%s%s%s", name,
                           near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
        }
        e->columns[e->n++] = at;
        list += length + (list[length] == ',');
    }
    return DP_OK;
}

static dp_status choose_format(Export *e, const char *format)
{
    if (!format || strcmp(format, "csv") == 0)
        return DP_OK;
    e->json = strcmp(format, "jsonl") == 0;
    if (!e->json)
        return dp_fail(DP_ERR_USAGE, "app-10", "--format %s is not known here: csv or jsonl", format);
    return DP_OK;
}

static dp_status add_csv(dp_buf *line, const char *text, size_t size)
{
    if (!memchr(text, '"', size) && !memchr(text, ',', size) && !memchr(text, '\n', size) && !memchr(text, '\r', size))
        return dp_buf_add(line, text, size);
    DP_TRY(dp_buf_add(line, "\"", 1));
    for (size_t i = 0; i < size; i++)
        DP_TRY(dp_buf_add(line, text[i] == '"' ? "\"\"" : &text[i], text[i] == '"' ? 2 : 1));
    return dp_buf_add(line, "\"", 1);
}

static dp_status add_json(dp_buf *line, const char *text, size_t size)
{
    DP_TRY(dp_buf_add(line, "\"", 1));
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\')
            DP_TRY(dp_buf_print(line, "\\%c", c));
        else if (c < 0x20)
            DP_TRY(dp_buf_print(line, "\\u%04x", c));
        else
            DP_TRY(dp_buf_add(line, &text[i], 1));
    }
    return dp_buf_add(line, "\"", 1);
}

static dp_status add_text(Export *e, const char *text, size_t size)
{
    if (size == 0)
        return e->json ? dp_buf_text(&e->line, "null") : DP_OK;
    return e->json ? add_json(&e->line, text, size) : add_csv(&e->line, text, size);
}

static dp_status add_number(Export *e, double value, int digits)
{
    if (isnan(value))
        return e->json ? dp_buf_text(&e->line, "null") : DP_OK;
    if (!isfinite(value) && e->json)
        return dp_buf_text(&e->line, value > 0 ? "1e999" : "-1e999");
    /* The shortest of 6 digits and all digits that reads back the same. */
    char text[40];
    snprintf(text, sizeof text, "%.6g", value);
    if (digits > 9 ? strtod(text, NULL) != value : strtof(text, NULL) != (float)value)
        snprintf(text, sizeof text, "%.*g", digits, value);
    return dp_buf_text(&e->line, text);
}

static dp_status add_value(Export *e, const LakeValues *v, int32_t i)
{
    char time[32];
    switch (v->type) {
    case LAKE_NUMBER:
        return add_number(e, v->number[i], 17);
    case LAKE_NUMBER32:
        return add_number(e, (double)v->number32[i], 9);
    case LAKE_LABEL:
        return add_number(e, v->label[i] < 0 ? NAN : v->label[i], 17);
    case LAKE_TIME:
        if (v->time[i] == DP_TIME_MISSING)
            return add_text(e, "", 0);
        dp_time_print(time, v->time[i]);
        return add_text(e, time, strlen(time));
    case LAKE_TEXT:
        return add_text(e, v->text + v->text_at[i], (size_t)(v->text_at[i + 1] - v->text_at[i]));
    default:
        return add_text(e, v->dict->bytes + v->dict->offset[v->code[i]],
                        v->dict->offset[v->code[i] + 1] - v->dict->offset[v->code[i]]);
    }
}

static dp_status put(Export *e)
{
    if (e->file)
        return dp_publish_write(e->file, e->line.data, e->line.size);
    return app_print_bytes(e->app, e->line.data, e->line.size);
}

static dp_status put_head(Export *e)
{
    if (e->json)
        return DP_OK;
    e->line.size = 0;
    for (int k = 0; k < e->n; k++)
        DP_TRY(dp_buf_print(&e->line, "%s%s", k ? "," : "", e->schema->columns[e->columns[k]].name));
    DP_TRY(dp_buf_text(&e->line, "\n"));
    return put(e);
}

static dp_status add_row(Export *e, const LakeBlock *block, int32_t i)
{
    if (e->json)
        DP_TRY(dp_buf_text(&e->line, "{"));
    for (int k = 0; k < e->n; k++) {
        if (k)
            DP_TRY(dp_buf_text(&e->line, ","));
        if (e->json)
            DP_TRY(dp_buf_print(&e->line, "\"%s\":", e->schema->columns[e->columns[k]].name));
        DP_TRY(add_value(e, &block->column[k], i));
    }
    return dp_buf_text(&e->line, e->json ? "}\n" : "\n");
}

static dp_status put_block(Export *e, const LakeBlock *block)
{
    e->line.size = 0;
    for (int32_t i = 0; i < block->rows && e->left != 0; i++, e->left -= e->left > 0)
        DP_TRY(add_row(e, block, i));
    return put(e);
}

static dp_status open_file(Export *e, const char *out)
{
    if (!out)
        return DP_OK;
    const char *slash = strrchr(out, '/');
    char folder[1024];
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - out) + 1 : 1, slash ? out : ".");
    return dp_publish_open(&e->file, folder, slash ? slash + 1 : out);
}

dp_status table_export(App *app, LakeTable *table)
{
    Export e = {.app = app, .schema = lake_schema(table), .left = app->args.limit};
    LakeWhere where = {0};
    LakeScan *scan = NULL;
    const LakeBlock *block;
    LakeQuery query = {.whole = true};
    dp_status st = DP_OK;
    DP_GO(choose_format(&e, app->args.format));
    DP_GO(choose_columns(&e, app->args.columns));
    DP_GO(table_as_of(&query.as_of, app->args.at));
    if (app->args.where)
        DP_GO(lake_where_parse(&where, e.schema, app->args.where));
    query.columns = e.columns;
    query.n_columns = e.n;
    query.where = where.n > 0 ? &where : NULL;
    DP_GO(lake_scan(&scan, table, &query, app->comm));
    DP_GO(open_file(&e, app->args.out));
    DP_GO(put_head(&e));
    while (e.left != 0) {
        DP_GO(lake_next(scan, &block));
        if (!block)
            break;
        DP_GO(put_block(&e, block));
    }
    if (e.file)
        DP_GO(dp_publish_end(&e.file, DP_PUBLISH_REPLACE, NULL));
done:
    dp_publish_drop(&e.file);
    lake_scan_close(&scan);
    lake_where_free(&where);
    dp_free(&e.columns);
    dp_buf_free(&e.line);
    return st;
}
