/* The profile of each column: what is missing, the range, the most frequent. */
#include "app/table.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/text.h"

/* Distinct texts with their counts: open addressing by hash, bounded. */
typedef struct ProfileCounter {
    struct Seen {
        uint64_t hash;
        int64_t n;
        char text[64];
    } * slot; /* [2 * PROFILE_DISTINCT_MAX], n 0: free */
} ProfileCounter;

static void count_text(ColumnProfile *p, const char *text, size_t size, int64_t n)
{
    size_t room = 2 * (size_t)PROFILE_DISTINCT_MAX;
    uint64_t hash = dp_hash64(text, size, 0);
    struct Seen *slot = p->counter->slot;
    for (size_t i = hash % room;; i = (i + 1) % room) {
        if (slot[i].n > 0 && slot[i].hash == hash) {
            slot[i].n += n;
            return;
        }
        if (slot[i].n > 0)
            continue;
        if (p->distinct == PROFILE_DISTINCT_MAX) {
            p->more = true;
            return;
        }
        slot[i].hash = hash;
        slot[i].n = n;
        snprintf(slot[i].text, sizeof slot[i].text, "%.*s", (int)size, text);
        p->distinct++;
        return;
    }
}

/* Codes of a block are counted first, then their texts: a text is looked up once a block, not once a row. */
static dp_status add_codes(ColumnProfile *p, const LakeValues *values, int32_t rows)
{
    int64_t *count = NULL;
    DP_TRY(dp_new(&count, values->dict->n));
    for (int32_t i = 0; i < rows; i++)
        count[values->code[i]]++;
    p->missing += count[0];
    for (uint32_t c = 1; c < values->dict->n; c++)
        if (count[c] > 0)
            count_text(p, values->dict->bytes + values->dict->offset[c],
                       values->dict->offset[c + 1] - values->dict->offset[c], count[c]);
    dp_free(&count);
    return DP_OK;
}

static void add_number(ColumnProfile *p, double value)
{
    if (isnan(value)) {
        p->missing++;
        return;
    }
    p->low = p->rows == p->missing || value < p->low ? value : p->low;
    p->high = p->rows == p->missing || value > p->high ? value : p->high;
    p->sum += value;
}

static void add_time(ColumnProfile *p, int64_t time)
{
    if (time == DP_TIME_MISSING) {
        p->missing++;
        return;
    }
    p->first = p->rows == p->missing || time < p->first ? time : p->first;
    p->last = p->rows == p->missing || time > p->last ? time : p->last;
}

static dp_status add_values(ColumnProfile *p, const LakeValues *values, int32_t rows)
{
    if (values->type == LAKE_CATEGORY || values->type == LAKE_CODE) {
        p->rows += rows;
        return add_codes(p, values, rows);
    }
    for (int32_t i = 0; i < rows; i++, p->rows++) {
        if (values->type == LAKE_NUMBER)
            add_number(p, values->number[i]);
        else if (values->type == LAKE_NUMBER32)
            add_number(p, (double)values->number32[i]);
        else if (values->type == LAKE_LABEL)
            add_number(p, values->label[i] < 0 ? NAN : values->label[i]);
        else if (values->type == LAKE_TIME)
            add_time(p, values->time[i]);
        else {
            p->missing += values->text_at[i + 1] == values->text_at[i];
            p->bytes += values->text_at[i + 1] - values->text_at[i];
        }
    }
    return DP_OK;
}

static void find_most(ColumnProfile *p)
{
    for (size_t i = 0; p->counter && i < 2 * (size_t)PROFILE_DISTINCT_MAX; i++) {
        const struct Seen *seen = &p->counter->slot[i];
        if (seen->n > p->most || (seen->n == p->most && seen->n > 0 && strcmp(seen->text, p->frequent) < 0)) {
            p->most = seen->n;
            memcpy(p->frequent, seen->text, sizeof p->frequent);
        }
    }
}

dp_status table_as_of(int64_t *as_of, const char *at)
{
    *as_of = DP_TIME_MISSING;
    if (at && !dp_time_read(as_of, at))
        return dp_fail(DP_ERR_USAGE, "app-10", "'%s' is not a time: --at 2026-11-20 or 2026-11-20T14:05:33Z", at);
    return DP_OK;
}

dp_status table_profile(ColumnProfile **profile, LakeTable *table, const char *at, const Comm *comm)
{
    const LakeSchema *schema = lake_schema(table);
    LakeScan *scan = NULL;
    const LakeBlock *block;
    int *columns = NULL;
    LakeQuery query = {.n_columns = schema->n, .whole = true};
    dp_status st = DP_OK;
    DP_GO(table_as_of(&query.as_of, at));
    DP_GO(dp_new(profile, (size_t)schema->n));
    DP_GO(dp_new(&columns, (size_t)schema->n));
    for (int c = 0; c < schema->n; c++) {
        columns[c] = c;
        if (schema->columns[c].type == LAKE_CATEGORY || schema->columns[c].type == LAKE_CODE) {
            DP_GO(dp_new(&(*profile)[c].counter, 1));
            DP_GO(dp_new(&(*profile)[c].counter->slot, 2 * (size_t)PROFILE_DISTINCT_MAX));
        }
    }
    query.columns = columns;
    DP_GO(lake_scan(&scan, table, &query, comm));
    for (;;) {
        DP_GO(lake_next(scan, &block));
        if (!block)
            break;
        for (int c = 0; c < schema->n; c++)
            DP_GO(add_values(&(*profile)[c], &block->column[c], block->rows));
    }
    for (int c = 0; c < schema->n; c++)
        find_most(&(*profile)[c]);
done:
    lake_scan_close(&scan);
    dp_free(&columns);
    return st;
}

void table_profile_free(ColumnProfile **profile, const LakeTable *table)
{
    for (int c = 0; *profile && c < lake_schema(table)->n; c++) {
        if ((*profile)[c].counter)
            dp_free(&(*profile)[c].counter->slot);
        dp_free(&(*profile)[c].counter);
    }
    dp_free(profile);
}

static bool is_numeric(LakeType type)
{
    return type == LAKE_NUMBER || type == LAKE_NUMBER32 || type == LAKE_LABEL;
}

static void print_about(char *out, size_t room, const ColumnProfile *p, LakeType type)
{
    char a[32], b[32], c[32];
    int64_t known = p->rows - p->missing;
    if (known == 0) {
        snprintf(out, room, "-");
    } else if (is_numeric(type)) {
        dp_number_print(a, p->low);
        dp_number_print(b, p->high);
        dp_number_print(c, p->sum / (double)known);
        snprintf(out, room, "%s .. %s   mean %s", a, b, c);
    } else if (type == LAKE_TIME) {
        dp_time_print(a, p->first);
        dp_time_print(b, p->last);
        snprintf(out, room, "%s .. %s", a, b);
    } else if (type == LAKE_TEXT) {
        snprintf(out, room, "%.1f bytes each", (double)p->bytes / (double)known);
    } else {
        dp_count_print(a, p->distinct);
        snprintf(out, room, "%s%s values   most often %s, %.1f %%", p->more ? "over " : "", a, p->frequent,
                 100.0 * (double)p->most / (double)known);
    }
}

dp_status table_profile_print(App *app, const ColumnProfile *profile, const LakeTable *table)
{
    const LakeSchema *schema = lake_schema(table);
    char about[200], rows[32];
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

json_t *table_profile_json(const ColumnProfile *profile, const LakeTable *table)
{
    const LakeSchema *schema = lake_schema(table);
    json_t *list = json_array();
    for (int c = 0; c < schema->n; c++) {
        const ColumnProfile *p = &profile[c];
        LakeType type = schema->columns[c].type;
        json_t *row = json_pack("{s:s, s:s, s:I, s:I}", "name", schema->columns[c].name, "type", lake_type_name(type),
                                "rows", (json_int_t)p->rows, "missing", (json_int_t)p->missing);
        if (schema->columns[c].unit)
            json_object_set_new(row, "unit", json_string(schema->columns[c].unit));
        if (is_numeric(type) && p->rows > p->missing) {
            json_object_set_new(row, "low", app_json_number(p->low));
            json_object_set_new(row, "high", app_json_number(p->high));
            json_object_set_new(row, "mean", app_json_number(p->sum / (double)(p->rows - p->missing)));
        }
        if (p->counter) {
            json_object_set_new(row, "distinct", json_integer(p->distinct));
            json_object_set_new(row, "most", json_string(p->frequent));
        }
        json_array_append_new(list, row);
    }
    return list;
}
