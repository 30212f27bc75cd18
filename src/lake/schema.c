#include "lake/lake_priv.h"

#include <math.h>
#include <string.h>

#include "base/text.h"

static const char *const type_names[] = {"number", "number32", "time", "category", "code", "text", "label"};

const char *lake_type_name(LakeType type)
{
    return (size_t)type < sizeof type_names / sizeof *type_names ? type_names[type] : "unknown";
}

bool lake_type_of(LakeType *type, const char *name)
{
    for (size_t i = 0; i < sizeof type_names / sizeof *type_names; i++)
        if (strcmp(type_names[i], name) == 0) {
            *type = (LakeType)i;
            return true;
        }
    return false;
}

bool type_is_coded(LakeType type)
{
    return type == LAKE_CATEGORY || type == LAKE_CODE;
}

void lake_schema_free(LakeSchema *schema)
{
    for (int i = 0; i < schema->n; i++) {
        dp_free(&schema->columns[i].name);
        dp_free(&schema->columns[i].unit);
        dp_free(&schema->columns[i].about);
        dp_free(&schema->columns[i].known_at);
    }
    dp_free(&schema->columns);
    dp_free(&schema->id);
    dp_free(&schema->time);
    dp_free(&schema->recorded);
    *schema = (LakeSchema){0};
}

static dp_status copy_column(LakeColumn *to, const LakeColumn *from)
{
    *to = (LakeColumn){.type = from->type, .low = from->low, .high = from->high, .digits = from->digits};
    DP_TRY(dp_copy_text(&to->name, from->name));
    DP_TRY(dp_copy_text(&to->unit, from->unit));
    DP_TRY(dp_copy_text(&to->about, from->about));
    return dp_copy_text(&to->known_at, from->known_at);
}

static dp_status copy_roles(LakeSchema *to, const LakeSchema *from)
{
    DP_TRY(dp_copy_text(&to->id, from->id));
    DP_TRY(dp_copy_text(&to->time, from->time));
    return dp_copy_text(&to->recorded, from->recorded);
}

dp_status lake_schema_copy(LakeSchema *to, const LakeSchema *from)
{
    dp_status st = DP_OK;
    *to = (LakeSchema){0};
    DP_GO(dp_new(&to->columns, (size_t)from->n));
    for (; to->n < from->n; to->n++)
        DP_GO(copy_column(&to->columns[to->n], &from->columns[to->n]));
    DP_GO(copy_roles(to, from));
done:
    if (st != DP_OK)
        lake_schema_free(to);
    return st;
}

int lake_schema_find(const LakeSchema *schema, const char *name)
{
    for (int i = 0; name && i < schema->n; i++)
        if (strcmp(schema->columns[i].name, name) == 0)
            return i;
    return -1;
}

static dp_status check_role(const LakeSchema *schema, const char *what, const char *name, bool is_time)
{
    int at = lake_schema_find(schema, name);
    if (!name)
        return DP_OK;
    if (at < 0 || (is_time && schema->columns[at].type != LAKE_TIME))
        return dp_fail(DP_ERR_CONFIG, "lake-06", "rows.%s names '%s', which is no %scolumn of the table", what, name,
                       is_time ? "time " : "");
    return DP_OK;
}

dp_status schema_check(const LakeSchema *schema)
{
    if (schema->n <= 0 || schema->n > 65535)
        return dp_fail(DP_ERR_CONFIG, "lake-06", "a table of %d columns cannot be; give it 1 to 65,535", schema->n);
    for (int i = 0; i < schema->n; i++) {
        const LakeColumn *c = &schema->columns[i];
        if (!dp_name_is_good(c->name))
            return dp_fail(DP_ERR_CONFIG, "lake-08",
                           "'%s' is no name of a column; use small letters, digits, '_', '-' and '.', at most 64",
                           c->name);
        if (lake_schema_find(schema, c->name) != i)
            return dp_fail(DP_ERR_CONFIG, "lake-06", "the column '%s' stands twice in the table", c->name);
        if ((size_t)c->type >= sizeof type_names / sizeof *type_names)
            return dp_fail(DP_ERR_USAGE, "lake-06", "the column '%s' has an unknown type", c->name);
        if ((c->unit && !dp_utf8_is_good(c->unit, strlen(c->unit))) ||
            (c->about && !dp_utf8_is_good(c->about, strlen(c->about))))
            return dp_fail(DP_ERR_CONFIG, "lake-06", "unit or description of '%s' is not UTF-8", c->name);
        int known = lake_schema_find(schema, c->known_at);
        if (c->known_at && (known < 0 || schema->columns[known].type != LAKE_TIME))
            return dp_fail(DP_ERR_CONFIG, "lake-06", "known_at of '%s' names '%s', which is no time column", c->name,
                           c->known_at);
    }
    DP_TRY(check_role(schema, "id", schema->id, false));
    DP_TRY(check_role(schema, "time", schema->time, true));
    return check_role(schema, "recorded", schema->recorded, true);
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : !a && !b;
}

static dp_status role_fits(const char *role, const char *have, const char *next, const char *name)
{
    if (same_text(have, next))
        return DP_OK;
    return dp_fail(DP_ERR_DATA, "lake-06",
                   "the table %s has %s%s as its %s and this delivery %s%s; a table keeps its roles: name it the same, "
                   "or write a new table",
                   name, have ? "'" : "", have ? have : "nothing", role, next ? "'" : "", next ? next : "nothing");
}

dp_status schema_fits(const LakeSchema *table, const LakeSchema *next, const char *name, bool strict)
{
    dp_buf faults = {0};
    dp_status st = DP_OK;
    for (int i = 0; i < table->n; i++) {
        const LakeColumn *a = &table->columns[i];
        int at = lake_schema_find(next, a->name);
        const LakeColumn *b = at < 0 ? NULL : &next->columns[at];
        if (!b && strict)
            DP_GO(dp_buf_print(&faults, "%s'%s' is missing", faults.size ? ", " : "", a->name));
        else if (b && a->type != b->type)
            DP_GO(dp_buf_print(&faults, "%s'%s' is %s, not %s", faults.size ? ", " : "", a->name,
                               lake_type_name(b->type), lake_type_name(a->type)));
        else if (b && !same_text(a->unit, b->unit))
            DP_GO(dp_buf_print(&faults, "%s'%s' is in %s, not %s", faults.size ? ", " : "", a->name,
                               b->unit ? b->unit : "no unit", a->unit ? a->unit : "no unit"));
    }
    if (faults.size)
        DP_GO(
            dp_fail(DP_ERR_DATA, "lake-06",
                    "this delivery does not fit the table %s: %s; give its columns as `dipper lake show %s` has them, "
                    "or write a new table",
                    name, faults.data, name));
    DP_GO(role_fits("id", table->id, next->id, name));
    DP_GO(role_fits("time", table->time, next->time, name));
    DP_GO(role_fits("recorded time", table->recorded, next->recorded, name));
done:
    dp_buf_free(&faults);
    return st;
}

dp_status schema_join(LakeSchema *joined, const LakeSchema *table, const LakeSchema *next)
{
    dp_status st = DP_OK;
    *joined = (LakeSchema){0};
    DP_GO(dp_new(&joined->columns, (size_t)table->n + (size_t)next->n));
    for (int i = 0; i < table->n; i++) {
        int at = lake_schema_find(next, table->columns[i].name);
        joined->n++;
        DP_GO(copy_column(&joined->columns[joined->n - 1], at < 0 ? &table->columns[i] : &next->columns[at]));
    }
    for (int i = 0; i < next->n; i++)
        if (lake_schema_find(table, next->columns[i].name) < 0) {
            joined->n++;
            DP_GO(copy_column(&joined->columns[joined->n - 1], &next->columns[i]));
        }
    DP_GO(copy_roles(joined, next));
done:
    if (st != DP_OK)
        lake_schema_free(joined);
    return st;
}
