/* dipper lake export: chosen rows of a table as CSV or JSON lines, to stdout or a file; and the profile of columns. */
#include "app/table.h"

#include <string.h>

#include "base/memory.h"
#include "base/publish.h"
#include "base/text.h"

typedef struct Target {
    App *app;
    dp_publish *file; /* NULL: stdout */
} Target;

/* The columns of --columns, or all. */
static dp_status choose_columns(int **columns, int *n, const LakeSchema *schema, const char *list)
{
    const char **names = NULL;
    dp_status st = DP_OK;
    DP_GO(dp_new(columns, (size_t)schema->n + (list ? strlen(list) : 0) + 1));
    DP_GO(dp_new(&names, (size_t)schema->n));
    for (int c = 0; c < schema->n; c++) {
        names[c] = schema->columns[c].name;
        if (!list)
            (*columns)[(*n)++] = c;
    }
    while (list && *list) {
        size_t length = strcspn(list, ",");
        char name[96];
        snprintf(name, sizeof name, "%.*s", (int)length, list);
        int at = lake_schema_find(schema, name);
        const char *near = dp_nearest(name, names, (size_t)schema->n);
        if (at < 0)
            DP_GO(dp_fail(DP_ERR_USAGE, "app-10", "--columns: no column '%s'%s%s%s", name,
                          near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : ""));
        (*columns)[(*n)++] = at;
        list += length + (list[length] == ',');
    }
done:
    dp_free(&names);
    return st;
}

static dp_status choose_form(LakeForm *form, const char *format)
{
    *form = format && strcmp(format, "jsonl") == 0 ? LAKE_JSONL : LAKE_CSV;
    if (!format || *form == LAKE_JSONL || strcmp(format, "csv") == 0)
        return DP_OK;
    return dp_fail(DP_ERR_USAGE, "app-10", "--format %s is not known here: csv or jsonl", format);
}

static dp_status put(void *self, const char *bytes, size_t n)
{
    Target *to = self;
    return to->file ? dp_publish_write(to->file, bytes, n) : app_print_bytes(to->app, bytes, n);
}

dp_status table_export(App *app, LakeTable *table)
{
    Target to = {.app = app};
    LakeExport options = {.limit = app->args.limit, .query.threads = run_threads(0, app->comm)};
    LakeWhere where = {0};
    int *columns = NULL;
    int64_t rows;
    dp_status st = DP_OK;
    DP_GO(choose_form(&options.form, app->args.format));
    DP_GO(choose_columns(&columns, &options.query.n_columns, lake_schema(table), app->args.columns));
    DP_GO(table_as_of(&options.query.as_of, app->args.at));
    if (app->args.where)
        DP_GO(lake_where_parse(&where, lake_schema(table), app->args.where));
    options.query.columns = columns;
    options.query.where = where.n > 0 ? &where : NULL;
    if (app->args.out)
        DP_GO(app_open_out(&to.file, app->args.out));
    DP_GO(lake_export(table, &options, put, &to, &rows, app->comm));
    if (to.file)
        DP_GO(dp_publish_end(&to.file, DP_PUBLISH_REPLACE, NULL));
done:
    dp_publish_drop(&to.file);
    lake_where_free(&where);
    dp_free(&columns);
    return st;
}
