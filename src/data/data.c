/* data.c -- opening: which rows, which part; and their features, one column at a time. */
#include "data/data.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "comm/exact.h"
#include "data_priv.h"

enum { SPAN = 128, BLOCK = 65536 };
/* Bytes that the room takes of a row at its height, of which most is the leak check's; of a row of a slice while its
 * tuple is looked for on other ranks. */
enum { ROW_BYTES = 96, SLICED_BYTES = 128, LIMIT_PARTS = 4 };
static const char *const part_names[] = {"train", "valid", "test"};

/* ---- columns ---- */

dp_status data_find_column(int *column, const Data *data, const char *key, const char *name)
{
    *column = lake_schema_find(data->schema, name);
    if (*column >= 0)
        return DP_OK;
    const char *near = NULL, **names = NULL;
    DP_TRY(dp_new(&names, (size_t)data->schema->n));
    for (int c = 0; c < data->schema->n; c++)
        names[c] = data->schema->columns[c].name;
    near = dp_nearest(name, names, (size_t)data->schema->n);
    dp_free(&names);
    return dp_fail(DP_ERR_CONFIG, "data-02", "%s: table %s has no column '%s'%s%s%s", key, data->table_name, name,
                   near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
}

static bool is_category(LakeType type)
{
    return type == LAKE_CATEGORY || type == LAKE_CODE;
}

static bool is_number(LakeType type)
{
    return type == LAKE_NUMBER || type == LAKE_NUMBER32;
}

/* Is a value of this column known when its row is made? */
static bool known_with_row(const LakeSchema *schema, const LakeColumn *column)
{
    return !column->known_at || (schema->time && strcmp(column->known_at, schema->time) == 0) ||
           (schema->recorded && strcmp(column->known_at, schema->recorded) == 0);
}

/* Local. May this column be an input? */
static dp_status check_input(const Data *data, int column)
{
    const LakeColumn *c = &data->schema->columns[column];
    if (column == data->label)
        return dp_fail(DP_ERR_CONFIG, "data-03",
                       "data.columns: the label '%s' is also an input; a model would only copy it: take it out",
                       c->name);
    if (!known_with_row(data->schema, c))
        return dp_fail(DP_ERR_CONFIG, "data-03",
                       "data.columns: '%s' becomes known at '%s', after the row itself, so it cannot be an input; take "
                       "it out",
                       c->name, c->known_at);
    if (!is_number(c->type) && !is_category(c->type))
        return dp_fail(DP_ERR_CONFIG, "data-03",
                       "data.columns: '%s' is of type %s; inputs are numbers, categories and codes", c->name,
                       lake_type_name(c->type));
    return DP_OK;
}

static dp_status find_inputs(Data *data, const DataOptions *options)
{
    DP_TRY(dp_new(&data->features, options->columns.n));
    for (size_t i = 0; i < options->columns.n; i++) {
        DataFeature *f = &data->features[data->n_features];
        DP_TRY(data_find_column(&f->column, data, "data.columns", options->columns.items[i]));
        DP_TRY(check_input(data, f->column));
        for (int j = 0; j < data->n_features; j++)
            if (data->features[j].column == f->column)
                return dp_fail(DP_ERR_CONFIG, "data-03", "data.columns: '%s' is named twice; once is enough",
                               options->columns.items[i]);
        f->encode = is_number(data->schema->columns[f->column].type) ? DATA_PLAIN : DATA_TARGET;
        data->n_features++;
    }
    data->n_columns = data->n_features;
    return DP_OK;
}

/* Local. A weight may become known later than its row, as the label may; it must not be an input by name. */
static dp_status find_weight(Data *data, const DataOptions *options)
{
    int column;
    if (!options->weight || !*options->weight)
        return DP_OK;
    DP_TRY(data_find_column(&column, data, "data.weight", options->weight));
    LakeType type = data->schema->columns[column].type;
    if (!is_number(type) || column == data->label)
        return dp_fail(DP_ERR_CONFIG, "data-03", "data.weight: '%s' is %s; it must be a number of its own",
                       options->weight, column == data->label ? "the label" : lake_type_name(type));
    data->weight = data->schema->columns[column].name;
    return DP_OK;
}

/* Local. The label's column, or that of which it is the first digits, and its kind. */
static dp_status find_label(Data *data, const char *name)
{
    int digits;
    data->label = lake_schema_find(data->schema, name);
    if (data->label < 0)
        data->label = data_find_prefix(data->schema, name, &digits);
    if (data->label < 0)
        return data_find_column(&data->label, data, "data.label", name);
    LakeType type = data->schema->columns[data->label].type;
    if (type != LAKE_LABEL && !is_number(type) && !is_category(type))
        return dp_fail(DP_ERR_CONFIG, "data-03",
                       "data.label: '%s' is of type %s; give it `type: label` (1 and 0), `type: number`, or `type: "
                       "category` or `code` (classes) in the table's config",
                       name, lake_type_name(type));
    data->kind = type == LAKE_LABEL ? DATA_FLAG : is_number(type) ? DATA_NUMBER : DATA_CLASS;
    return DP_OK;
}

/* Local. All that can be wrong with the options, before a row is read. */
static dp_status check_options(Data *data, const DataOptions *options, const SplitOptions *split, int *part_column)
{
    *part_column = -1;
    DP_TRY(find_label(data, options->label));
    DP_TRY(find_weight(data, options));
    DP_TRY(find_inputs(data, options));
    if (data->encode.half_life > 0 && data->encode.half_life < 0.05)
        return dp_fail(DP_ERR_CONFIG, "data-16", "model.categories.half_life: %g %% is too short; 5%% .. 100%%, or 0",
                       100 * data->encode.half_life);
    DP_TRY(split_check(split, data->schema));
    if (split->column) {
        DP_TRY(data_find_column(part_column, data, "split.column", split->column));
        if (!is_category(data->schema->columns[*part_column].type))
            return dp_fail(DP_ERR_CONFIG, "data-03",
                           "split.column: '%s' is of type %s, not a category of train, valid, "
                           "test",
                           split->column, lake_type_name(data->schema->columns[*part_column].type));
    }
    DP_TRY(dp_new(&data->apart, split->apart.n));
    for (size_t i = 0; i < split->apart.n; i++)
        DP_TRY(data_find_column(&data->apart[data->n_apart++], data, "split.apart", split->apart.items[i]));
    data->time = data->schema->time ? lake_schema_find(data->schema, data->schema->time) : -1;
    data->id = data->schema->id ? lake_schema_find(data->schema, data->schema->id) : -1;
    const LakeColumn *label = &data->schema->columns[data->label];
    data->known = known_with_row(data->schema, label) ? -1 : lake_schema_find(data->schema, label->known_at);
    return DP_OK;
}

/* ---- reading the rows ---- */

/* What the opening scan asks for, by place among its columns; -1: not asked. */
typedef struct Opening {
    int columns[5], n_columns;
    int *asked; /* columns and the apart columns after them */
    int label, time, id, known, part;
    WordCache *cache; /* [n_apart + 1]: the apart columns, the id */
    uint64_t *words;  /* [65536] */
    bool tuples;
} Opening;

static int ask(Opening *opening, int column)
{
    if (column < 0)
        return -1;
    opening->columns[opening->n_columns] = column;
    return opening->n_columns++;
}

/* Local. In files: room for all, once. */
static dp_status make_rows(DataRows *rows, int64_t n, bool time, bool tuples)
{
    size_t room = (size_t)n;
    DP_TRY(dp_shelf_new(rows->shelf, &rows->number, room));
    DP_TRY(dp_shelf_new(rows->shelf, &rows->row, room));
    DP_TRY(dp_shelf_new(rows->shelf, &rows->label, room));
    DP_TRY(dp_shelf_new(rows->shelf, &rows->part, room));
    if (time)
        DP_TRY(dp_shelf_new(rows->shelf, &rows->time, room));
    if (tuples)
        DP_TRY(dp_shelf_new(rows->shelf, &rows->tuple, room));
    rows->room = n;
    return DP_OK;
}

/* Local. In memory. */
static dp_status grow_rows(DataRows *rows, int64_t n, bool time, bool tuples)
{
    int64_t room = rows->room ? rows->room : 1 << 16;
    while (room < n)
        room += room / 2;
    if (n <= rows->room)
        return DP_OK;
    size_t from = (size_t)rows->room, to = (size_t)room;
    DP_TRY(dp_resize(&rows->number, from, to));
    DP_TRY(dp_resize(&rows->row, from, to));
    DP_TRY(dp_resize(&rows->label, from, to));
    DP_TRY(dp_resize(&rows->part, from, to));
    if (time)
        DP_TRY(dp_resize(&rows->time, from, to));
    if (tuples)
        DP_TRY(dp_resize(&rows->tuple, from, to));
    rows->room = room;
    return DP_OK;
}

/* The part that a word of split.column means; DATA_NONE for any other. */
static uint8_t part_of_word(const LakeValues *values, int32_t i)
{
    uint32_t code = values->code[i];
    const char *text = values->dict->bytes + values->dict->offset[code];
    size_t size = values->dict->offset[code + 1] - values->dict->offset[code];
    for (uint8_t p = 0; p < 3; p++)
        if (size == strlen(part_names[p]) && memcmp(text, part_names[p], size) == 0)
            return p;
    return DATA_NONE;
}

/* Local. Identities of the rows kept of a block: kept [n] are their places in it. */
static dp_status read_identities(Data *data, Opening *opening, const LakeBlock *block, const int32_t *kept, int64_t n)
{
    uint64_t *row = data->rows.row + data->rows.n;
    if (opening->id < 0) {
        for (int64_t i = 0; i < n; i++)
            row[i] = dp_hash64(&data->rows.number[data->rows.n + i], sizeof(int64_t), 0);
        return DP_OK;
    }
    DP_TRY(
        column_words(&opening->cache[data->n_apart], &block->column[opening->id], 0, block->rows, opening->words, 1));
    for (int64_t i = 0; i < n; i++)
        row[i] = opening->words[kept[i]];
    return DP_OK;
}

static dp_status read_tuples(Data *data, Opening *opening, const LakeBlock *block, const int32_t *kept, int64_t n)
{
    dp_key128 *tuple = data->rows.tuple + data->rows.n;
    for (int64_t i = 0; i < n; i++)
        tuple[i] = (dp_key128){0, 0};
    for (int a = 0; a < data->n_apart; a++) {
        const LakeValues *values = &block->column[opening->n_columns + a];
        DP_TRY(column_words(&opening->cache[a], values, 0, block->rows, opening->words, 1));
        for (int64_t i = 0; i < n; i++) {
            uint64_t words[3] = {tuple[i].low, tuple[i].high, opening->words[kept[i]]};
            tuple[i] = dp_hash128(words, sizeof words, 0);
        }
    }
    return DP_OK;
}

static bool has_label(const LakeValues *label, int32_t i)
{
    if (label->type == LAKE_NUMBER)
        return label->number[i] == label->number[i];
    if (label->type == LAKE_NUMBER32)
        return label->number32[i] == label->number32[i];
    if (is_category(label->type))
        return label->dict->offset[label->code[i] + 1] > label->dict->offset[label->code[i]];
    return label->label[i] >= 0;
}

/* Local. The rows of a block whose label is there and known when: kept [rows], their places. Returns how many. */
static int64_t labelled_rows(int32_t *kept, const Opening *opening, const LakeBlock *block)
{
    const LakeValues *label = &block->column[opening->label];
    const int64_t *known = opening->known >= 0 ? block->column[opening->known].time : NULL;
    int64_t n = 0;
    for (int32_t i = 0; i < block->rows; i++) {
        kept[n] = i;
        n += has_label(label, i) && (!known || known[i] != DP_TIME_MISSING);
    }
    return n;
}

/* Local. The labelled rows of one block. */
static dp_status read_block(Data *data, Opening *opening, const LakeBlock *block, int32_t *kept, int64_t *unlabelled)
{
    DataRows *rows = &data->rows;
    const LakeValues *label = &block->column[opening->label];
    int64_t n = labelled_rows(kept, opening, block);
    DP_TRY(grow_rows(rows, rows->n + n, opening->time >= 0, opening->tuples));
    dp_shelf_rest(rows->shelf);
    *unlabelled += block->rows - n;
    for (int64_t i = 0; i < n; i++) {
        int64_t to = rows->n + i;
        rows->number[to] = block->row ? block->row[kept[i]] : block->first_row + kept[i];
        rows->label[to] = data->kind == DATA_FLAG ? label->label[kept[i]] : 0; /* others come later */
        if (rows->label[to] > 1)
            return dp_fail(DP_ERR_DATA, "data-04", "label '%s' is %d in row %lld of %s; it must be 0, 1 or missing",
                           data->schema->columns[data->label].name, rows->label[to], (long long)rows->number[to],
                           data->table_name);
        if (opening->time >= 0)
            rows->time[to] = block->column[opening->time].time[kept[i]];
        if (opening->part >= 0)
            rows->part[to] = part_of_word(&block->column[opening->part], kept[i]);
    }
    DP_TRY(read_identities(data, opening, block, kept, n));
    if (opening->tuples)
        DP_TRY(read_tuples(data, opening, block, kept, n));
    rows->n += n;
    return DP_OK;
}

static dp_status read_blocks(Data *data, Opening *opening, LakeScan *scan, int64_t *unlabelled)
{
    int32_t *kept = NULL;
    dp_status st = DP_OK;
    const LakeBlock *block = NULL;
    DP_GO(dp_new(&kept, BLOCK));
    DP_GO(dp_new(&opening->words, BLOCK));
    DP_GO(dp_new(&opening->cache, (size_t)data->n_apart + 1));
    for (;;) {
        DP_GO(lake_next(scan, &block));
        if (!block)
            break;
        DP_GO(read_block(data, opening, block, kept, unlabelled));
    }
    if (data->rows.n > UINT32_MAX)
        st = dp_fail(DP_ERR_AGAIN, "data-13", "a rank would hold %lld rows; use more ranks", (long long)data->rows.n);
done:
    dp_free(&kept);
    dp_free(&opening->words);
    for (int a = 0; opening->cache && a <= data->n_apart; a++)
        word_cache_free(&opening->cache[a]);
    dp_free(&opening->cache);
    return st;
}

/* Collective. How many rows of this rank have a label. */
static dp_status count_labelled(int64_t *n, Data *data, const Comm *comm)
{
    Opening opening = {0};
    LakeScan *scan = NULL;
    int32_t *kept = NULL;
    dp_status st = DP_OK;
    *n = 0;
    opening.label = ask(&opening, data->label);
    opening.known = ask(&opening, data->known);
    DP_GO_ALL(comm, dp_new(&kept, BLOCK));
    DP_GO(data_scan(&scan, data, opening.columns, opening.n_columns, comm));
    for (const LakeBlock *block = NULL; st == DP_OK && (st = lake_next(scan, &block)) == DP_OK && block;)
        *n += labelled_rows(kept, &opening, block);
    DP_GO_ALL(comm, st);
done:
    lake_scan_close(&scan);
    dp_free(&kept);
    return st;
}

/* Collective. Do the rows of every rank stand in memory, or in files? Where that is not plain from the table's size
 * the labels are counted first: files are made once, at their size. */
static dp_status choose_shelf(Data *data, const DataOptions *options, const Comm *comm)
{
    int64_t most = lake_facts(data->table).rows / comm_size(comm) + 1, room = options->memory / LIMIT_PARTS, n;
    data->rows.shelf = &data->shelf;
    data->rows.slices = 1;
    if (options->memory == 0 || most <= room / ROW_BYTES)
        return DP_OK;
    DP_TRY(count_labelled(&n, data, comm));
    most = n;
    comm_max_i64(comm, &most, 1);
    if (most <= room / ROW_BYTES)
        return DP_OK;
    data->shelf.folder = options->scratch;
    data->rows.slices = (int)(most / (room / SLICED_BYTES + 1)) + 1;
    return comm_agree(comm, make_rows(&data->rows, n, data->time >= 0, data->n_apart > 0));
}

static dp_status read_rows(Data *data, int part_column, int64_t *unlabelled, const Comm *comm)
{
    Opening opening = {.tuples = data->n_apart > 0};
    LakeScan *scan = NULL;
    dp_status st = DP_OK;
    opening.label = ask(&opening, data->label);
    opening.time = ask(&opening, data->time);
    opening.id = ask(&opening, data->id);
    opening.known = ask(&opening, data->known);
    opening.part = ask(&opening, part_column);
    DP_GO_ALL(comm, dp_new(&opening.asked, (size_t)(opening.n_columns + data->n_apart)));
    memcpy(opening.asked, opening.columns, (size_t)opening.n_columns * sizeof *opening.asked);
    for (int a = 0; a < data->n_apart; a++)
        opening.asked[opening.n_columns + a] = data->apart[a];
    DP_GO(data_scan(&scan, data, opening.asked, opening.n_columns + data->n_apart, comm));
    DP_GO_ALL(comm, read_blocks(data, &opening, scan, unlabelled));
done:
    lake_scan_close(&scan);
    dp_free(&opening.asked);
    return st;
}

/* ---- parts ---- */

/* Collective. Counts, and the times that each part really spans. */
static void count_parts(Data *data, int64_t unlabelled, const Comm *comm)
{
    DataFacts *f = &data->facts;
    int64_t sums[7] = {0}, first[3], last[3];
    for (int p = 0; p < 3; p++) {
        first[p] = INT64_MAX;
        last[p] = DP_TIME_MISSING;
    }
    sums[6] = unlabelled;
    for (int64_t i = 0; i < data->rows.n; i++) {
        dp_shelf_step(&data->shelf, i);
        int p = data->rows.part[i];
        if (p == DATA_NONE) {
            sums[6]++;
            continue;
        }
        sums[p]++;
        sums[3 + p] += data->rows.label[i];
        if (data->rows.time && data->rows.time[i] != DP_TIME_MISSING) {
            first[p] = data->rows.time[i] < first[p] ? data->rows.time[i] : first[p];
            last[p] = data->rows.time[i] > last[p] ? data->rows.time[i] : last[p];
        }
    }
    comm_sum_i64(comm, sums, 7);
    comm_min_i64(comm, first, 3);
    comm_max_i64(comm, last, 3);
    for (int p = 0; p < 3; p++) {
        f->rows[p] = sums[p];
        f->positives[p] = sums[3 + p];
        f->from[p] = last[p] == DP_TIME_MISSING ? DP_TIME_MISSING : first[p];
        f->to[p] = last[p];
    }
    f->left_out = sums[6];
}

/* Collective. The first and last time of all labelled rows, for messages. */
static void span_of_rows(char span[SPAN], const DataRows *rows, const Comm *comm)
{
    int64_t first = INT64_MAX, last = DP_TIME_MISSING, n = rows->n;
    for (int64_t i = 0; rows->time && i < rows->n; i++) {
        dp_shelf_step(rows->shelf, i);
        if (rows->time[i] != DP_TIME_MISSING) {
            first = rows->time[i] < first ? rows->time[i] : first;
            last = rows->time[i] > last ? rows->time[i] : last;
        }
    }
    comm_min_i64(comm, &first, 1);
    comm_max_i64(comm, &last, 1);
    comm_sum_i64(comm, &n, 1);
    char from[32], to[32], count[32];
    dp_count_print(count, n);
    snprintf(span, SPAN, "%s rows with a label", count);
    if (last == DP_TIME_MISSING)
        return;
    dp_time_print(from, first);
    dp_time_print(to, last);
    snprintf(span, SPAN, "%s rows with a label, %s .. %s", count, from, to);
}

/* The same on every rank. */
static dp_status check_parts(const Data *data, const SplitOptions *split, char windows[3][80], const char *span)
{
    const DataFacts *f = &data->facts;
    const CfgPart *parts[3] = {&split->train, &split->valid, &split->test};
    for (int p = 0; p < 3; p++) {
        bool wanted = p == DATA_TRAIN || (!split->column && parts[p]->kind != CFG_PART_NONE);
        if (wanted && f->rows[p] == 0)
            return dp_fail(DP_ERR_DATA, "data-05", "split.%s%s%s%s has no row; table %s has %s%s", part_names[p],
                           windows[p][0] ? " (" : "", windows[p], windows[p][0] ? ")" : "", data->table_name, span,
                           split->apart.n ? " (rows that split.apart parts were left out)" : "");
    }
    if (data->kind != DATA_FLAG)
        return DP_OK;
    if (f->positives[DATA_TRAIN] == 0 || f->positives[DATA_TRAIN] == f->rows[DATA_TRAIN])
        return dp_fail(
            DP_ERR_DATA, "data-06",
            "label '%s' is %d in all %lld rows of train: there is nothing to tell apart; widen split.train or "
            "look at the label (`dipper lake show` counts its values)",
            data->schema->columns[data->label].name, f->positives[DATA_TRAIN] > 0, (long long)f->rows[DATA_TRAIN]);
    return DP_OK;
}

/* Local. Only rows of a part stay. */
static dp_status keep_parts(DataRows *rows)
{
    int64_t n = 0;
    for (int64_t i = 0; i < rows->n; i++) {
        dp_shelf_step(rows->shelf, i);
        if (rows->part[i] != DATA_NONE) {
            rows->number[n] = rows->number[i];
            rows->row[n] = rows->row[i];
            rows->label[n] = rows->label[i];
            if (rows->time)
                rows->time[n] = rows->time[i];
            if (rows->class_id)
                rows->class_id[n] = rows->class_id[i];
            rows->part[n++] = rows->part[i];
        }
    }
    size_t room = (size_t)rows->room, kept = (size_t)(n > 0 ? n : 1);
    if (rows->room > 0 && !rows->shelf->folder) {
        DP_TRY(dp_resize(&rows->number, room, kept));
        DP_TRY(dp_resize(&rows->row, room, kept));
        DP_TRY(dp_resize(&rows->label, room, kept));
        DP_TRY(dp_resize(&rows->part, room, kept));
        rows->room = (int64_t)kept;
    }
    rows->n = n;
    return DP_OK;
}

/* ---- numbers beside the rows ---- */

/* Collective. A column of numbers of the kept rows; each within 0 or more (weights) and finite. */
static dp_status read_numbers(double **to, Data *data, const char *key, const char *column, double least,
                              const Comm *comm)
{
    dp_status st = DP_OK;
    /* not NULL on a rank without rows */
    DP_TRY_ALL(comm, dp_shelf_new(&data->shelf, to, (size_t)data->rows.n + 1));
    DP_TRY(data_number(data, column, *to, comm));
    for (int64_t i = 0; i < data->rows.n && st == DP_OK; i++) {
        dp_shelf_step(&data->shelf, i);
        if (!(isfinite((*to)[i]) && (*to)[i] >= least))
            st = dp_fail(DP_ERR_DATA, "data-15", "%s: '%s' is %g in row %lld of %s; it must be a finite number%s", key,
                         column, (*to)[i], (long long)data->rows.number[i], data->table_name,
                         least < 0 ? "" : ", 0 or more");
    }
    return comm_agree(comm, st);
}

/* Collective. The mean of train, and the yes-or-no view of numbers: above it. */
static void look_at_numbers(Data *data, const Comm *comm)
{
    ExactSum sum = {{0}, 0, 0};
    DataRows *rows = &data->rows;
    int64_t count[3] = {0};
    for (int64_t i = 0; i < rows->n; i++) {
        dp_shelf_step(rows->shelf, i);
        if (rows->part[i] == DATA_TRAIN)
            exact_add(&sum, rows->target[i]);
    }
    comm_sum_exact(comm, &sum, 1);
    data->mean = exact_value(&sum) / (double)data->facts.rows[DATA_TRAIN];
    for (int64_t i = 0; i < rows->n; i++) {
        dp_shelf_step(rows->shelf, i);
        rows->label[i] = rows->target[i] > data->mean;
        count[rows->part[i]] += rows->label[i];
        if (rows->part[i] == DATA_TRAIN)
            data->farthest = fmax(data->farthest, fabs(rows->target[i] - data->mean));
    }
    comm_max_f64(comm, &data->farthest, 1);
    comm_sum_i64(comm, count, 3);
    memcpy(data->facts.positives, count, sizeof count);
}

static dp_status read_targets(Data *data, const Comm *comm)
{
    if (data->weight)
        DP_TRY(read_numbers(&data->rows.weight, data, "data.weight", data->weight, 0, comm));
    if (data->kind != DATA_NUMBER)
        return DP_OK;
    DP_TRY(
        read_numbers(&data->rows.target, data, "data.label", data->schema->columns[data->label].name, -INFINITY, comm));
    look_at_numbers(data, comm);
    return DP_OK;
}

static dp_status open_rows(Data *data, const DataOptions *options, const SplitOptions *split, int part_column,
                           const Comm *comm)
{
    char windows[3][80], span[SPAN];
    int64_t unlabelled = 0;
    DP_TRY(choose_shelf(data, options, comm));
    DP_TRY(read_rows(data, part_column, &unlabelled, comm));
    DP_TRY(split_into_parts(&data->rows, split, windows, comm));
    count_parts(data, unlabelled, comm);
    span_of_rows(span, &data->rows, comm);
    DP_TRY(check_parts(data, split, windows, span));
    dp_shelf_free(&data->shelf, &data->rows.tuple);
    if (data->kind == DATA_CLASS) {
        int64_t left_out = data->facts.left_out;
        DP_TRY_ALL(comm, keep_parts(&data->rows));
        DP_TRY(classes_read(data, options->label, comm));
        count_parts(data, comm_rank(comm) == 0 ? left_out : 0, comm);
        DP_TRY(check_parts(data, split, windows, span));
    }
    dp_shelf_free(&data->shelf, &data->rows.time); /* not needed any more */
    DP_TRY_ALL(comm, keep_parts(&data->rows));
    return read_targets(data, comm);
}

dp_status data_open(Data **data, LakeTable *table, const DataOptions *data_options, const SplitOptions *split,
                    const EncodeOptions *encode, uint64_t seed, int threads, const Comm *comm)
{
    int part_column = -1;
    dp_status st = DP_OK;
    *data = NULL;
    DP_GO_ALL(comm, dp_new(data, 1));
    **data = (Data){.table = table,
                    .schema = lake_schema(table),
                    .table_name = lake_facts(table).name,
                    .as_of = data_options->as_of,
                    .threads = threads,
                    .seed = seed,
                    .encode = *encode};
    DP_GO_ALL(comm, check_options(*data, data_options, split, &part_column));
    DP_GO(open_rows(*data, data_options, split, part_column, comm));
    DP_GO(data_read_groups(*data, &data_options->group, split->time_zone, comm));
done:
    if (st != DP_OK)
        data_close(data);
    return st;
}

void data_close(Data **data)
{
    Data *d = *data;
    if (d) {
        data_inputs_free(&d->inputs);
        data_classes_free(&d->classes);
        for (int t = 0; d->timeline && t < d->n_timelines; t++)
            timeline_free(&d->timeline[t]);
        dp_free(&d->timeline);
        dp_free(&d->features);
        dp_free(&d->apart);
        dp_shelf_free(&d->shelf, &d->rows.number);
        dp_shelf_free(&d->shelf, &d->rows.row);
        dp_shelf_free(&d->shelf, &d->rows.time);
        dp_shelf_free(&d->shelf, &d->rows.label);
        dp_shelf_free(&d->shelf, &d->rows.target);
        dp_shelf_free(&d->shelf, &d->rows.class_id);
        dp_shelf_free(&d->shelf, &d->rows.weight);
        dp_shelf_free(&d->shelf, &d->rows.group);
        dp_shelf_free(&d->shelf, &d->rows.part);
        dp_shelf_free(&d->shelf, &d->rows.tuple);
        dp_shelf_clear(&d->shelf);
    }
    dp_free(data);
}

DataFacts data_facts(const Data *data)
{
    return data->facts;
}

int64_t data_rows_n(const Data *data)
{
    return data->rows.n;
}

dp_shelf *data_shelf(const Data *data)
{
    return data->rows.shelf;
}

const uint8_t *data_part(const Data *data)
{
    return data->rows.part;
}

const int8_t *data_label(const Data *data)
{
    return data->rows.label;
}

DataKind data_kind(const Data *data)
{
    return data->kind;
}

const char *data_label_unit(const Data *data)
{
    return data->schema->columns[data->label].unit;
}

const double *data_target(const Data *data)
{
    return data->rows.target;
}

const double *data_weight(const Data *data)
{
    return data->rows.weight;
}

const uint64_t *data_row(const Data *data)
{
    return data->rows.row;
}

const int64_t *data_row_number(const Data *data)
{
    return data->rows.number;
}

const LakeSchema *data_schema(const Data *data)
{
    return data->schema;
}
