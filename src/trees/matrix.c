#include <string.h>

#include "trees/trees_priv.h"

/* Where arrays of a number a row lie: a folder, or NULL for memory. */
static const char *folder_of(const TreesMatrix *m)
{
    return trees_matrix_in_files(m) ? m->limits.scratch : NULL;
}

dp_status trees_matrix_build_within(TreesMatrix **matrix, int64_t rows, int features, int bins, Device *device,
                                    const TreesLimits *limits)
{
    TreesMatrix *m = NULL;
    dp_status st = DP_OK;
    size_t cells;
    *matrix = NULL;
    if (rows < 0 || rows > INT32_MAX - 2 * TREE_PAD || features < 1 || features >= 1 << 20 || bins < 3 ||
        bins > TREES_MAX_BINS)
        return dp_fail(DP_ERR_USAGE, "trees-01",
                       "a matrix of %lld rows x %d features x %d bins cannot be made: at most 2,147,483,000 rows a "
                       "rank, 1 to 1,048,575 features, 3 to %d bins",
                       (long long)rows, features, bins, TREES_MAX_BINS);
    DP_GO(dp_new(&m, 1));
    m->device = device;
    m->limits = *limits;
    m->n = rows;
    m->pitch = (rows + 63) / 64 * 64 + TREE_PAD;
    m->features = features;
    m->bins = bins;
    DP_GO(dp_bytes_of(&cells, (size_t)m->pitch, (size_t)features));
    DP_GO(dp_spill_open(&m->memory, cells, folder_of(m)));
    m->column = m->memory.data;
    DP_GO(dp_new(&m->border, (size_t)features * TREES_MAX_BINS));
    DP_GO(dp_new(&m->borders, (size_t)features));
    DP_GO(dp_new(&m->splits, (size_t)features));
    *matrix = m;
    m = NULL;
done:
    trees_matrix_free(&m);
    return st;
}

dp_status trees_matrix_build(TreesMatrix **matrix, int64_t rows, int features, int bins, Device *device)
{
    return trees_matrix_build_within(matrix, rows, features, bins, device, &(TreesLimits){0});
}

static void free_keys(TreesKeys *keys)
{
    dp_spill_close(&keys->memory);
    keys->key = keys->spare = NULL;
}

void trees_matrix_free(TreesMatrix **matrix)
{
    TreesMatrix *m = *matrix;
    if (m) {
        dp_spill_close(&m->memory);
        dp_free(&m->border);
        dp_free(&m->borders);
        dp_free(&m->splits);
        free_keys(&m->keys);
    }
    dp_free(matrix);
}

/* Local. The memory for sorting is there while columns come in. */
static dp_status take_keys(TreesMatrix *matrix)
{
    TreesKeys *keys = &matrix->keys;
    const int64_t run = trees_rows_at_once(matrix, 2 * sizeof *keys->key);
    size_t bytes;
    if (keys->key || matrix->n == 0)
        return DP_OK;
    DP_TRY(dp_bytes_of(&bytes, (size_t)matrix->n, 2 * sizeof *keys->key));
    DP_TRY(dp_spill_open(&keys->memory, bytes, folder_of(matrix)));
    keys->key = keys->memory.data;
    keys->spare = keys->key + matrix->n;
    keys->runs = device_threads(matrix->device);
    if (matrix->n / run >= keys->runs)
        keys->runs = (int)(matrix->n / run + 1 < TREES_RUNS_MAX ? matrix->n / run + 1 : TREES_RUNS_MAX);
    return DP_OK;
}

/* Local. Bins of a feature whose borders stand; some rows at a time, where not all of them are in memory. */
static void bin_column(TreesMatrix *matrix, int feature, const float *values)
{
    uint8_t *column = matrix->column + feature * matrix->pitch;
    int64_t at_once = trees_matrix_in_files(matrix) ? trees_rows_at_once(matrix, sizeof *values) / 64 * 64 : matrix->n;
    for (int64_t from = 0; from < matrix->n; from += at_once) {
        int64_t n = matrix->n - from < at_once ? matrix->n - from : at_once;
        device_tree_ops(matrix->device)
            ->bin(device_context(matrix->device), values + from, n, matrix->border + (size_t)feature * TREES_MAX_BINS,
                  matrix->borders[feature], column + from);
        dp_shelf_rest(matrix->limits.shelf);
        dp_spill_rest(&matrix->memory, (size_t)(feature * matrix->pitch + from), (size_t)n);
    }
    if (++matrix->features_set >= matrix->features)
        free_keys(&matrix->keys);
}

/* Collective. The borders of a column, and whether a node can be split by it. */
static dp_status set_borders(TreesMatrix *matrix, int feature, const float *values, const uint8_t *use,
                             const Comm *comm)
{
    TreeKeyColumn there = {.value = values, .use = use, .n = matrix->n};
    TreesColumn column = {.values = values, .use = use, .n = matrix->n, .shelf = matrix->limits.shelf};
    TreesBorders borders;
    if (device_tree_ops(matrix->device)->take_keys(device_context(matrix->device), &there))
        column.there = &there;
    DP_TRY_ALL(comm, column.there ? DP_OK : take_keys(matrix));
    DP_TRY(trees_borders_find(&borders, &column, matrix->bins - 1, matrix->device, &matrix->keys, comm));
    memcpy(matrix->border + (size_t)feature * TREES_MAX_BINS, borders.border,
           (size_t)borders.n * sizeof *borders.border);
    matrix->borders[feature] = borders.n;
    matrix->splits[feature] = borders.n > 0 || (borders.missing > 0 && borders.present > 0);
    if (!column.there && matrix->n > 0)
        trees_keys_rest(&matrix->keys, 0, matrix->n);
    return DP_OK;
}

dp_status trees_device_stands(const Device *device)
{
    return device_tree_ops(device)->lost(device_context(device))
               ? dp_fail(DP_ERR_AGAIN, "trees-10",
                         "the GPU failed while it trained; the same command goes on from the last checkpoint, with "
                         "job.device=cpu without it")
               : DP_OK;
}

dp_status trees_matrix_set(TreesMatrix *matrix, int feature, const float *values, const uint8_t *use, const Comm *comm)
{
    const TreeOps *ops = device_tree_ops(matrix->device);
    const DeviceContext *context = device_context(matrix->device);
    const size_t bytes = (size_t)matrix->n * sizeof *values;
    dp_status st = DP_OK;
    if (!matrix->limits.shelf) { /* a device with memory of its own does all of this there */
        ops->hold(context, values, bytes);
        ops->put(context, values, bytes);
    }
    DP_GO(set_borders(matrix, feature, values, use, comm));
    bin_column(matrix, feature, values);
    DP_GO_ALL(comm, trees_device_stands(matrix->device));
done:
    ops->release(context, values);
    return st;
}

void trees_matrix_set_as(TreesMatrix *matrix, int feature, const float *values, const uint8_t *use,
                         const TreesModel *model, const Comm *comm)
{
    const int32_t *at = model->border_at + feature;
    int64_t count[2] = {0, 0}; /* present, missing */
    matrix->borders[feature] = at[1] - at[0];
    if (at[1] > at[0])
        memcpy(matrix->border + (size_t)feature * TREES_MAX_BINS, model->border + at[0],
               (size_t)(at[1] - at[0]) * sizeof *model->border);
    for (int64_t i = 0; i < matrix->n; i++) {
        dp_shelf_step(matrix->limits.shelf, i);
        count[values[i] != values[i]] += !use || use[i];
    }
    comm_sum_i64(comm, count, 2);
    matrix->splits[feature] = at[1] > at[0] || (count[0] > 0 && count[1] > 0);
    bin_column(matrix, feature, values);
}
