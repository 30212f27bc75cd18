/* What `dipper lake show` says of each column. */
#include "app/table.h"

#include "base/clock.h"
#include "base/text.h"

dp_status table_as_of(int64_t *as_of, const char *at)
{
    *as_of = DP_TIME_MISSING;
    if (at && !dp_time_read(as_of, at))
        return dp_fail(DP_ERR_USAGE, "app-10", "'%s' is not a time: --at 2026-11-20 or 2026-11-20T14:05:33Z", at);
    return DP_OK;
}

static bool is_numeric(LakeType type)
{
    return type == LAKE_NUMBER || type == LAKE_NUMBER32 || type == LAKE_LABEL;
}

static void print_about(char *out, size_t room, const LakeProfile *p, LakeType type)
{
    char a[32], b[32], c[32];
    int64_t known = p->rows - p->missing;
    if (known == 0) {
        snprintf(out, room, "-");
    } else if (is_numeric(type)) {
        dp_number_print(a, p->low);
        dp_number_print(b, p->high);
        dp_number_print(c, p->mean);
        snprintf(out, room, "%s .. %s   mean %s", a, b, c);
    } else if (type == LAKE_TIME) {
        dp_time_print(a, p->first);
        dp_time_print(b, p->last);
        snprintf(out, room, "%s .. %s", a, b);
    } else if (type == LAKE_TEXT) {
        snprintf(out, room, "%.1f bytes each", (double)p->bytes / (double)known);
    } else {
        dp_count_print(a, p->distinct);
        snprintf(out, room, "%s value%s   most often %s, %.1f %%", a, p->distinct == 1 ? "" : "s",
                 p->n_top > 0 ? p->top[0].text : "-",
                 p->n_top > 0 ? 100.0 * (double)p->top[0].rows / (double)known : 0.0);
    }
}

dp_status table_print_profile(App *app, const LakeProfile *profile, const LakeTable *table)
{
    const LakeSchema *schema = lake_schema(table);
    char about[256], rows[32];
    dp_count_print(rows, schema->n > 0 ? profile[0].rows : 0);
    DP_TRY(app_print(app, "\n%-20s %-9s %-8s %8s   %s rows seen\n", "column", "type", "unit", "missing", rows));
    for (int c = 0; c < schema->n; c++) {
        const LakeColumn *column = &schema->columns[c];
        print_about(about, sizeof about, &profile[c], column->type);
        DP_TRY(app_print(app, "%-20s %-9s %-8s %6.2f %%   %s\n", column->name, lake_type_name(column->type),
                         column->unit ? column->unit : "",
                         profile[c].rows > 0 ? 100.0 * (double)profile[c].missing / (double)profile[c].rows : 0.0,
                         about));
    }
    return DP_OK;
}

static json_t *most_frequent(const LakeProfile *p)
{
    json_t *list = json_array();
    for (int i = 0; i < p->n_top; i++)
        json_array_append_new(list,
                              json_pack("{s:s, s:I}", "value", p->top[i].text, "rows", (json_int_t)p->top[i].rows));
    return list;
}

json_t *table_profile_json(const LakeProfile *profile, const LakeTable *table)
{
    const LakeSchema *schema = lake_schema(table);
    json_t *list = json_array();
    for (int c = 0; c < schema->n; c++) {
        const LakeProfile *p = &profile[c];
        LakeType type = schema->columns[c].type;
        json_t *row = json_pack("{s:s, s:s, s:I, s:I, s:I}", "name", schema->columns[c].name, "type",
                                lake_type_name(type), "rows", (json_int_t)p->rows, "missing", (json_int_t)p->missing,
                                "distinct", (json_int_t)p->distinct);
        if (schema->columns[c].unit)
            json_object_set_new(row, "unit", json_string(schema->columns[c].unit));
        if (is_numeric(type)) {
            json_object_set_new(row, "low", app_json_number(p->low));
            json_object_set_new(row, "high", app_json_number(p->high));
            json_object_set_new(row, "mean", app_json_number(p->mean));
        }
        if (type == LAKE_CATEGORY || type == LAKE_CODE)
            json_object_set_new(row, "most", most_frequent(p));
        json_array_append_new(list, row);
    }
    return list;
}
