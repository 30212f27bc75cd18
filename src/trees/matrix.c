#include <string.h>

#include "trees/trees_priv.h"

dp_status trees_matrix_build(TreesMatrix **matrix, int64_t rows, int features, int bins, Device *device)
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
    m->n = rows;
    m->pitch = (rows + 63) / 64 * 64 + TREE_PAD;
    m->features = features;
    m->bins = bins;
    DP_GO(dp_bytes_of(&cells, (size_t)m->pitch, (size_t)features));
    DP_GO(dp_new(&m->column, cells));
    DP_GO(dp_new(&m->border, (size_t)features * TREES_MAX_BINS));
    DP_GO(dp_new(&m->borders, (size_t)features));
    DP_GO(dp_new(&m->splits, (size_t)features));
    *matrix = m;
    m = NULL;
done:
    trees_matrix_free(&m);
    return st;
}

void trees_matrix_free(TreesMatrix **matrix)
{
    TreesMatrix *m = *matrix;
    if (m) {
        dp_free(&m->column);
        dp_free(&m->border);
        dp_free(&m->borders);
        dp_free(&m->splits);
        dp_free(&m->keys.key);
        dp_free(&m->keys.spare);
    }
    dp_free(matrix);
}

/* Local. The memory for sorting is there while columns come in. */
static dp_status take_keys(TreesMatrix *matrix)
{
    if (!matrix->keys.key && matrix->n > 0) {
        DP_TRY(dp_new(&matrix->keys.key, (size_t)matrix->n));
        DP_TRY(dp_new(&matrix->keys.spare, (size_t)matrix->n));
    }
    return DP_OK;
}

dp_status trees_matrix_set(TreesMatrix *matrix, int feature, const float *values, const uint8_t *use, const Comm *comm)
{
    TreesColumn column = {.values = values, .use = use, .n = matrix->n};
    TreesBorders borders;
    float *border = matrix->border + (size_t)feature * TREES_MAX_BINS;
    DP_TRY_ALL(comm, take_keys(matrix));
    DP_TRY(
        trees_borders_find(&borders, &column, matrix->bins - 1, device_threads(matrix->device), &matrix->keys, comm));
    memcpy(border, borders.border, (size_t)borders.n * sizeof *border);
    matrix->borders[feature] = borders.n;
    matrix->splits[feature] = borders.n > 0 || (borders.missing > 0 && borders.present > 0);
    device_tree_ops(matrix->device)
        ->bin(device_context(matrix->device), values, matrix->n, border, borders.n,
              matrix->column + feature * matrix->pitch);
    if (++matrix->features_set >= matrix->features) {
        dp_free(&matrix->keys.key);
        dp_free(&matrix->keys.spare);
    }
    return DP_OK;
}
