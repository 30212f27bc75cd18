/* Where the arrays lie that hold a number a row, and how many rows are worked on at once. In memory there is one
 * stretch of rows. When they pass the limit they lie in files of the scratch folder, and each step of a tree goes
 * through them a stretch at a time, letting go of one before the next; nothing of it changes what is learned. */
#include "trees/objective.h"

/* A quarter of the limit is for the histograms of a level, a quarter for the rows of a stretch; the rest is for what
 * else there is: a column being sorted, lists of segments, buffers. */
enum { LIMIT_PARTS = 4, PAIR_BYTES = sizeof(TreePair) };
/* Histograms of a level without a limit. */
#define LEVELS_MOST (INT64_C(1) << 30)

/* Bytes a row: bins twice, margin, chance, gradient pair, leaf, two lists. */
int64_t trees_row_bytes(int features)
{
    return 2 * (int64_t)features + 8 + 8 + 4 + 2 + 4 + 4;
}

/* Cells of a level's histograms when all its nodes are done at once: those built from rows, their sums over ranks, the
 * level above and the level itself. */
static double level_cells(int features, const TreesOptions *o, int ranks)
{
    double all = 2.0 * features * (double)o->bins, own = all / ranks, pairs = 1;
    for (int64_t level = 2; level < o->depth; level++)
        pairs *= 2;
    if (o->min_rows > 1)
        all *= 2, own *= 2;
    if (o->growth == TREES_LEAFWISE)
        return all + (ranks > 1 ? own : 0) + 2 * own * (double)o->leaves;
    return pairs * (all + (ranks > 1 ? own : 0) + 3 * own);
}

int64_t trees_levels_most(const TreesLimits *limits)
{
    return limits->memory > 0 ? limits->memory / LIMIT_PARTS : LEVELS_MOST;
}

/* Bytes more of a row that has several margins: these, and log_sum. */
static int64_t more_outputs(int outputs)
{
    return outputs > 1 ? 8 * (int64_t)outputs : 0;
}

TreesNeed trees_memory_need(int64_t rows, int features, int outputs, const TreesOptions *options, int ranks)
{
    double cells = level_cells(features, options, ranks) * sizeof(int64_t);
    return (TreesNeed){
        .rows = rows * (trees_row_bytes(features) + more_outputs(outputs) + (options->min_rows > 1 ? PAIR_BYTES : 0)),
        .levels = cells < (double)LEVELS_MOST ? (int64_t)cells : LEVELS_MOST};
}

bool trees_matrix_in_files(const TreesMatrix *m)
{
    return m->limits.scratch && m->limits.memory > 0 &&
           m->n * (trees_row_bytes(m->features) + more_outputs(m->limits.outputs)) >
               m->limits.memory - m->limits.memory / LIMIT_PARTS;
}

int64_t trees_rows_at_once(const TreesMatrix *m, int64_t bytes)
{
    int64_t rows = m->limits.memory / LIMIT_PARTS / device_threads(m->device) / bytes;
    if (!trees_matrix_in_files(m))
        return INT32_MAX;
    return rows > 4096 ? rows : 4096;
}

/* ---- of a training ---- */

/* Takes its part of the one piece of memory. */
static void *cut_off(TreesTraining *t, size_t *at, size_t bytes)
{
    void *part = (char *)t->memory.data + *at;
    *at += (bytes + 63) / 64 * 64;
    return part;
}

int64_t trees_training_row_bytes(const TreesTraining *t)
{
    int64_t given = t->objective->gradients ? (int64_t)(2 * sizeof *t->g - sizeof *t->chance) : 0;
    return trees_row_bytes(t->matrix->features) + more_outputs(t->model.outputs) + given +
           (t->rows_least > 0 ? PAIR_BYTES : 0);
}

dp_status trees_rows_take(TreesTraining *t)
{
    const TreesMatrix *m = t->matrix;
    const size_t n = (size_t)m->n, padded = n + TREE_PAD, outputs = (size_t)t->model.outputs;
    size_t bytes, at = 0;
    /* the matrix has one of the two copies of bins */
    DP_TRY(dp_bytes_of(&bytes, padded, (size_t)(trees_training_row_bytes(t) - m->features)));
    DP_TRY(dp_spill_open(&t->memory, bytes + 11 * 64, trees_matrix_in_files(m) ? m->limits.scratch : NULL));
    t->block = cut_off(t, &at, n * (size_t)m->features + TREE_PAD);
    t->margin = t->margins = cut_off(t, &at, n * outputs * sizeof *t->margins);
    if (t->objective->gradients) {
        t->g = cut_off(t, &at, n * sizeof *t->g);
        t->h = cut_off(t, &at, n * sizeof *t->h);
    } else {
        t->chance = cut_off(t, &at, n * sizeof *t->chance);
    }
    if (outputs > 1)
        t->log_sum = cut_off(t, &at, n * sizeof *t->log_sum);
    t->pair = cut_off(t, &at, n * sizeof *t->pair);
    if (t->rows_least > 0)
        t->one = cut_off(t, &at, n * sizeof *t->one);
    t->leaf = cut_off(t, &at, n * sizeof *t->leaf);
    t->index = cut_off(t, &at, padded * sizeof *t->index);
    t->scratch = cut_off(t, &at, padded * sizeof *t->scratch);
    return DP_OK;
}

/* Rows from .. to - 1 of an array with `size` bytes a row. */
static void rest_array(const TreesTraining *t, const void *array, size_t size, int64_t from, int64_t to)
{
    size_t begin = (size_t)((const char *)array - (const char *)t->memory.data);
    dp_spill_rest(&t->memory, begin + (size_t)from * size, (size_t)(to - from) * size);
}

void trees_rows_rest(const TreesTraining *t, int64_t from, int64_t to)
{
    const TreesMatrix *m = t->matrix;
    dp_shelf_rest(m->limits.shelf);
    if (!t->memory.in_file)
        return;
    for (int f = 0; f < m->features; f++)
        dp_spill_rest(&m->memory, (size_t)(f * m->pitch + from), (size_t)(to - from));
    for (int b = 0; b * TREE_BLOCK < m->features; b++)
        rest_array(t, tree_block(&t->bins, b), (size_t)tree_block_width(&t->bins, b), from, to);
    for (int k = 0; k < t->model.outputs; k++)
        rest_array(t, t->margins + k * t->rows.n, sizeof *t->margins, from, to);
    if (t->log_sum)
        rest_array(t, t->log_sum, sizeof *t->log_sum, from, to);
    if (t->g) {
        rest_array(t, t->g, sizeof *t->g, from, to);
        rest_array(t, t->h, sizeof *t->h, from, to);
    } else {
        rest_array(t, t->chance, sizeof *t->chance, from, to);
    }
    rest_array(t, t->pair, sizeof *t->pair, from, to);
    if (t->one)
        rest_array(t, t->one, sizeof *t->one, from, to);
    rest_array(t, t->leaf, sizeof *t->leaf, from, to);
    rest_array(t, t->index, sizeof *t->index, from, to);
    rest_array(t, t->scratch, sizeof *t->scratch, from, to);
}

bool trees_next_stretch(const TreesTraining *t, TreesStretch *stretch)
{
    if (stretch->end > 0)
        trees_rows_rest(t, stretch->from, stretch->to);
    stretch->first = stretch->end;
    stretch->end = stretch->first + device_threads(t->matrix->device);
    stretch->end = stretch->end < t->shards ? stretch->end : t->shards;
    stretch->from = t->shard_from[stretch->first];
    stretch->to = t->shard_from[stretch->end];
    return stretch->first < t->shards;
}

/* ---- on a device with memory of its own ---- */

static void hold_array(const TreesTraining *t, const void *array, size_t bytes)
{
    if (!array || bytes == 0)
        return;
    t->ops->hold(t->context, array, bytes);
    t->ops->put(t->context, array, bytes);
}

void trees_rows_hold(TreesTraining *t)
{
    const size_t n = (size_t)t->rows.n;
    if (t->memory.in_file || n == 0)
        return;
    t->ops->hold(t->context, t->memory.data, t->memory.bytes);
    t->ops->put(t->context, t->block, n * (size_t)t->matrix->features);
    if (t->one)
        t->ops->put(t->context, t->one, n * sizeof *t->one);
    trees_margins_put(t);
    hold_array(t, t->rows.part, n * sizeof *t->rows.part);
    hold_array(t, t->rows.row, n * sizeof *t->rows.row);
    hold_array(t, t->rows.label, n * sizeof *t->rows.label);
    hold_array(t, t->row_weight, n * sizeof *t->row_weight);
}

void trees_rows_let_go(TreesTraining *t)
{
    const void *const held[] = {t->memory.data, t->rows.part, t->rows.row, t->rows.label, t->row_weight};
    for (size_t i = 0; i < sizeof held / sizeof *held; i++)
        if (held[i])
            t->ops->release(t->context, held[i]);
}

static size_t margins_bytes(const TreesTraining *t)
{
    return (size_t)t->rows.n * (size_t)t->model.outputs * sizeof *t->margins;
}

void trees_margins_put(const TreesTraining *t)
{
    t->ops->put(t->context, t->margins, margins_bytes(t));
}

void trees_margins_fetch(const TreesTraining *t)
{
    t->ops->fetch(t->context, t->margins, margins_bytes(t));
}
