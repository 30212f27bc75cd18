/* group.c -- the groups that rows are ranked in: what inspectors choose from together, like a day of an office. */
#include <string.h>

#include "base/zone.h"
#include "data_priv.h"

/* Local. A group may be made of anything but texts and labels; a time counts by its day. */
static dp_status find_columns(int *columns, const Data *data, const CfgList *group)
{
    for (size_t i = 0; i < group->n; i++) {
        DP_TRY(data_find_column(&columns[i], data, "data.group", group->items[i]));
        LakeType type = data->schema->columns[columns[i]].type;
        if (type == LAKE_TEXT || type == LAKE_LABEL || columns[i] == data->label)
            return dp_fail(DP_ERR_CONFIG, "data-03",
                           "data.group: '%s' is %s; a group is made of categories, codes, numbers and days",
                           group->items[i], columns[i] == data->label ? "the label" : lake_type_name(type));
    }
    return DP_OK;
}

static void take_days(uint64_t *words, const LakeValues *values, int32_t rows, const dp_zone *zone)
{
    for (int32_t i = 0; i < rows; i++)
        words[i] = values->time[i] == DP_TIME_MISSING ? UINT64_MAX : (uint64_t)dp_zone_day(zone, values->time[i]);
}

/* What reading a column takes. */
typedef struct Reading {
    dp_zone *zone;
    WordCache cache;
    uint64_t *words; /* [VISIT_ROWS] */
} Reading;

/* Local. One column's values into the hashes of the kept rows. */
static dp_status add_column(Data *data, Visit *visit, Reading *reading)
{
    for (;;) {
        DP_TRY(visit_next(visit, data));
        if (!visit->block)
            return DP_OK;
        const LakeValues *values = &visit->block->column[0];
        if (values->type == LAKE_TIME)
            take_days(reading->words, values, visit->block->rows, reading->zone);
        else
            DP_TRY(column_words(&reading->cache, values, 0, visit->block->rows, reading->words, 1));
        for (int32_t i = 0; i < visit->n; i++) {
            uint64_t *to = &data->rows.group[visit->at + i];
            uint64_t both[2] = {*to, reading->words[visit->pick ? visit->pick[i] : i]};
            *to = dp_hash64(both, sizeof both, 0);
        }
    }
}

static dp_status read_column(Data *data, int column, Reading *reading, const Comm *comm)
{
    Visit visit = {0};
    dp_status st = DP_OK;
    DP_GO(visit_open(&visit, data, &column, 1, comm));
    DP_GO_ALL(comm, add_column(data, &visit, reading));
done:
    visit_close(&visit);
    word_cache_free(&reading->cache);
    return st;
}

dp_status data_read_groups(Data *data, const CfgList *group, const char *zone, const Comm *comm)
{
    int *columns = NULL;
    Reading reading = {0};
    dp_status st = DP_OK;
    if (group->n == 0)
        return DP_OK;
    DP_GO_ALL(comm, dp_new(&columns, group->n));
    DP_GO_ALL(comm, find_columns(columns, data, group));
    DP_GO_ALL(comm, dp_zone_build(&reading.zone, zone ? zone : "UTC"));
    DP_GO_ALL(comm, dp_new(&reading.words, VISIT_ROWS));
    /* not NULL on a rank without rows */
    DP_GO_ALL(comm, dp_shelf_new(&data->shelf, &data->rows.group, (size_t)data->rows.n + 1));
    for (size_t i = 0; i < group->n; i++)
        DP_GO(read_column(data, columns[i], &reading, comm));
done:
    dp_free(&columns);
    dp_zone_free(&reading.zone);
    dp_free(&reading.words);
    return st;
}

const uint64_t *data_group(const Data *data)
{
    return data->rows.group;
}
