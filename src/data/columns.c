/* columns.c -- columns of the rows that are in a part: numbers, categories, features. */
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "data_priv.h"

dp_status data_scan(LakeScan **scan, Data *data, const int *columns, int n_columns, const Comm *comm)
{
    LakeQuery query = {.columns = columns, .n_columns = n_columns, .as_of = data->as_of, .threads = data->threads};
    return lake_scan(scan, data->table, &query, comm);
}

/* ---- visiting the kept rows ---- */

dp_status visit_open(Visit *visit, Data *data, const int *columns, int n_columns, const Comm *comm)
{
    *visit = (Visit){0};
    DP_TRY_ALL(comm, dp_new(&visit->pick_room, VISIT_ROWS));
    return data_scan(&visit->scan, data, columns, n_columns, comm);
}

void visit_close(Visit *visit)
{
    lake_scan_close(&visit->scan);
    dp_free(&visit->pick_room);
    visit->block = NULL;
}

/* Local. Which rows of a block, whose own numbers are listed, are kept: both ascend. */
static void pick_listed(Visit *visit, const LakeBlock *block, const int64_t *number, int64_t left)
{
    for (int32_t i = 0; i < block->rows && visit->n < left; i++)
        if (block->row[i] == number[visit->n])
            visit->pick_room[visit->n++] = i;
    visit->pick = visit->n == block->rows ? NULL : visit->pick_room;
}

static void pick_consecutive(Visit *visit, const LakeBlock *block, const int64_t *number, int64_t left)
{
    int64_t end = block->first_row + block->rows;
    if (left >= block->rows && number[0] == block->first_row && number[block->rows - 1] == end - 1) {
        visit->n = block->rows;
        return;
    }
    while (visit->n < left && number[visit->n] < end) {
        visit->pick_room[visit->n] = (int32_t)(number[visit->n] - block->first_row);
        visit->n++;
    }
    visit->pick = visit->pick_room;
}

dp_status visit_next(Visit *visit, const Data *data)
{
    do {
        visit->at += visit->n;
        visit->n = 0;
        visit->pick = NULL;
        dp_shelf_rest(&data->shelf);
        DP_TRY(lake_next(visit->scan, &visit->block));
        const LakeBlock *block = visit->block;
        int64_t left = data->rows.n - visit->at;
        if (!block || left == 0)
            continue;
        if (block->row)
            pick_listed(visit, block, data->rows.number + visit->at, left);
        else
            pick_consecutive(visit, block, data->rows.number + visit->at, left);
    } while (visit->block && visit->n == 0);
    if (!visit->block && visit->at != data->rows.n)
        return dp_fail(DP_ERR_INTERNAL, "data-14", "a scan of %s gave %lld of %lld rows", data->table_name,
                       (long long)visit->at, (long long)data->rows.n);
    return DP_OK;
}

/* ---- numbers ---- */

static void take_floats(float *to, const Visit *visit)
{
    const LakeValues *v = &visit->block->column[0];
    int32_t n = visit->n;
    const int32_t *pick = visit->pick;
    if (v->type == LAKE_NUMBER && !pick)
        for (int32_t i = 0; i < n; i++)
            to[i] = (float)v->number[i];
    else if (v->type == LAKE_NUMBER)
        for (int32_t i = 0; i < n; i++)
            to[i] = (float)v->number[pick[i]];
    else if (!pick)
        memcpy(to, v->number32, (size_t)n * sizeof *to);
    else
        for (int32_t i = 0; i < n; i++)
            to[i] = v->number32[pick[i]];
}

static double double_at(const LakeValues *v, int32_t i)
{
    switch (v->type) {
    case LAKE_NUMBER:
        return v->number[i];
    case LAKE_NUMBER32:
        return (double)v->number32[i];
    default:
        return v->label[i] < 0 ? NAN : v->label[i];
    }
}

static void take_doubles(double *to, const Visit *visit)
{
    for (int32_t i = 0; i < visit->n; i++)
        to[i] = double_at(&visit->block->column[0], visit->pick ? visit->pick[i] : i);
}

static void take_times(int64_t *to, const Visit *visit)
{
    for (int32_t i = 0; i < visit->n; i++)
        to[i] = visit->block->column[0].time[visit->pick ? visit->pick[i] : i];
}

/* Where a column's values go; one of them is set. */
typedef struct Taken {
    float *floats;
    double *doubles;
    int64_t *times;
} Taken;

static dp_status take_blocks(Taken to, Visit *visit, const Data *data)
{
    for (;;) {
        DP_TRY(visit_next(visit, data));
        if (!visit->block)
            return DP_OK;
        if (to.floats)
            take_floats(to.floats + visit->at, visit);
        else if (to.doubles)
            take_doubles(to.doubles + visit->at, visit);
        else if (to.times)
            take_times(to.times + visit->at, visit);
    }
}

static dp_status take_column(Taken to, Data *data, int column, const Comm *comm)
{
    Visit visit = {0};
    dp_status st = DP_OK;
    DP_GO(visit_open(&visit, data, &column, 1, comm));
    DP_GO_ALL(comm, take_blocks(to, &visit, data));
done:
    visit_close(&visit);
    return st;
}

dp_status data_times(int64_t *times, Data *data, int column, const Comm *comm)
{
    return take_column((Taken){.times = times}, data, column, comm);
}

static dp_status find_number(int *column, const Data *data, const char *name)
{
    DP_TRY(data_find_column(column, data, "evaluate.revenue", name));
    LakeType type = data->schema->columns[*column].type;
    return type == LAKE_NUMBER || type == LAKE_NUMBER32 || type == LAKE_LABEL
               ? DP_OK
               : dp_fail(DP_ERR_CONFIG, "data-03", "evaluate.revenue: column '%s' is of type %s, not a number", name,
                         lake_type_name(type));
}

dp_status data_number_check(const Data *data, const char *column)
{
    int c;
    return find_number(&c, data, column);
}

dp_status data_number(Data *data, const char *column, double *values, const Comm *comm)
{
    int c;
    DP_TRY(find_number(&c, data, column));
    return take_column((Taken){.doubles = values}, data, c, comm);
}

dp_status data_revenue(Data *data, const char *column, const int64_t *at, int64_t n, double *value, const Comm *comm)
{
    double *all = NULL;
    dp_shelf *shelf = data_shelf(data);
    dp_status st = DP_OK;
    DP_GO_ALL(comm, dp_shelf_new(shelf, &all, (size_t)data_rows_n(data)));
    DP_GO(data_number(data, column, all, comm));
    for (int64_t i = 0; i < n; i++) {
        dp_shelf_step(shelf, i);
        value[i] = isnan(all[at[i]]) ? 0 : all[at[i]];
    }
done:
    dp_shelf_free(shelf, &all);
    return st;
}

/* ---- categories ---- */

/* Codes of the partition's dictionary into ours; a dictionary comes with many blocks. */
typedef struct Remap {
    uint32_t *to, room;
    int64_t serial;
} Remap;

static dp_status remap_dictionary(Remap *remap, Categories *categories, const LakeDict *dict)
{
    if (remap->to && remap->serial == dict->serial)
        return DP_OK;
    if (dict->n > remap->room) {
        DP_TRY(dp_resize(&remap->to, remap->room, dict->n));
        remap->room = dict->n;
    }
    for (uint32_t c = 0; c < dict->n; c++)
        DP_TRY(categories_put(categories, dict->bytes + dict->offset[c], dict->offset[c + 1] - dict->offset[c],
                              &remap->to[c]));
    remap->serial = dict->serial;
    return DP_OK;
}

static dp_status take_categories(Categories *categories, Remap *remap, Visit *visit, const Data *data)
{
    for (;;) {
        DP_TRY(visit_next(visit, data));
        if (!visit->block)
            return DP_OK;
        const LakeValues *values = &visit->block->column[0];
        uint32_t *code = categories->code + visit->at;
        DP_TRY(remap_dictionary(remap, categories, values->dict));
        if (visit->pick)
            for (int32_t i = 0; i < visit->n; i++)
                code[i] = remap->to[values->code[visit->pick[i]]];
        else
            for (int32_t i = 0; i < visit->n; i++)
                code[i] = remap->to[values->code[i]];
    }
}

dp_status data_categories(Categories *categories, Data *data, int column, const Comm *comm)
{
    Visit visit = {0};
    Remap remap = {0};
    dp_status st = DP_OK;
    *categories = (Categories){.shelf = &data->shelf};
    DP_GO(visit_open(&visit, data, &column, 1, comm));
    st = dp_shelf_new(&data->shelf, &categories->code, (size_t)data->rows.n);
    if (st == DP_OK)
        st = take_categories(categories, &remap, &visit, data);
    DP_GO_ALL(comm, st);
done:
    visit_close(&visit);
    dp_free(&remap.to);
    if (st != DP_OK)
        categories_free(categories);
    return st;
}

/* Local. Without times a row's place in the order is a number drawn by the seed; 33 bits, so that it sorts in three
 * passes (the few that draw the same do not see each other). */
static void draw_order(int64_t *times, const Data *data, int draw)
{
    uint64_t stream = STREAM_ORDER + ((uint64_t)draw << 16);
    for (int64_t i = 0; i < data->rows.n; i++) {
        dp_shelf_step(&data->shelf, i);
        times[i] = (int64_t)(dp_random_u64(data->seed, stream, data->rows.row[i]) >> 31);
    }
}

/* Local. Packs what belongs to train rows to the front. */
static int64_t train_rows(uint32_t *rows, int64_t *times, int64_t *known, const Data *data)
{
    int64_t n = 0;
    for (int64_t i = 0; i < data->rows.n; i++) {
        dp_shelf_step(&data->shelf, i);
        if (data->rows.part[i] == DATA_TRAIN) {
            rows[n] = (uint32_t)i;
            times[n] = times[i];
            if (known)
                known[n] = known[i];
            n++;
        }
    }
    return n;
}

bool data_by_time(const Data *data)
{
    return data->time >= 0 && data->encode.order == DATA_BY_TIME;
}

/* Collective. One order: by time, or a draw. */
static dp_status build_timeline(Timeline *timeline, int draw, Data *data, const Comm *comm)
{
    size_t n = (size_t)data->rows.n;
    int64_t *times = NULL, *known = NULL;
    uint32_t *rows = NULL;
    bool by_time = data_by_time(data), knows = by_time && data->known >= 0;
    dp_shelf *shelf = &data->shelf;
    dp_status st = DP_OK;
    timeline->shelf = shelf;
    if ((st = dp_shelf_new(shelf, &times, n)) == DP_OK && (st = dp_shelf_new(shelf, &rows, n)) == DP_OK && knows)
        st = dp_shelf_new(shelf, &known, n + 1); /* not NULL without rows: all ranks go the same way */
    DP_GO_ALL(comm, st);
    if (by_time)
        DP_GO(data_times(times, data, data->time, comm));
    else
        draw_order(times, data, draw);
    if (knows)
        DP_GO(data_times(known, data, data->known, comm));
    DP_GO(timeline_build(timeline, rows, times, known, train_rows(rows, times, known, data), comm));
done:
    dp_shelf_free(shelf, &times);
    dp_shelf_free(shelf, &known);
    dp_shelf_free(shelf, &rows);
    return st;
}

/* Collective. Once, with the first category. */
static dp_status build_timelines(Data *data, const Comm *comm)
{
    int orders = data_by_time(data) || data->encode.orders < 1 ? 1 : (int)data->encode.orders;
    DP_TRY_ALL(comm, dp_new(&data->timeline, (size_t)orders));
    for (; data->n_timelines < orders; data->n_timelines++)
        DP_TRY(build_timeline(&data->timeline[data->n_timelines], data->n_timelines, data, comm));
    return DP_OK;
}

static dp_status category_feature(Data *data, int j, float *values, const Comm *comm)
{
    DataFeature *feature = &data->features[j];
    Categories categories = {0};
    TargetTable table = {0};
    TargetRows rows = {.shelf = &data->shelf,
                       .n = data->rows.n,
                       .part = data->rows.part,
                       .label = data->rows.label,
                       .target = data->rows.target};
    TargetRule rule = target_rule(data->encode.prior_weight, feature->lately ? data->encode.half_life : 0);
    dp_status st = DP_OK;
    if (!data->timeline)
        DP_GO(build_timelines(data, comm));
    rule.timeline = data->timeline;
    rule.n_timelines = data->n_timelines;
    if (data->rows.target)
        target_rule_numbers(&rule, data->facts.rows[DATA_TRAIN], data->mean, data->farthest);
    if (feature->encode == DATA_TARGET)
        DP_GO(data_categories(&categories, data, feature->column, comm));
    else
        DP_GO(data_combine(&categories, data, feature, comm));
    DP_GO(target_statistics(values, &table, &categories, &rows, &rule, comm));
    categories_free(&categories);
    DP_GO(inputs_freeze(&data->inputs.input[j], &table, &rule, comm));
    if (feature->digits > 0)
        DP_GO_ALL(comm, inputs_spread(&data->inputs.input[j], &data->inputs.input[feature->part[0]], feature->digits));
    feature->read = true;
done:
    categories_free(&categories);
    target_table_free(&table);
    return st;
}

dp_status data_feature(Data *data, int j, float *values, const Comm *comm)
{
    DataFeature *feature = &data->features[j];
    if (feature->encode != DATA_PLAIN && data->inherited)
        return inherited_feature(values, data, j, comm);
    if (feature->encode != DATA_PLAIN)
        return category_feature(data, j, values, comm);
    return take_column((Taken){.floats = values}, data, feature->column, comm);
}
