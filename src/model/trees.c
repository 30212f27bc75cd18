/* The family "trees": gradient boosting over the features that data gives one at a time. */
#include "model/trees_priv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/spill.h"

/* The matrix of data that stays the same, between two models. */
typedef struct Ready {
    TreesMatrix *matrix;
    int64_t rows, bins;
} Ready;

/* Learning holds matrix, training and the data's labels; a finished or loaded model holds learned and scorer. */
typedef struct Trees {
    TreesOptions options;
    uint64_t seed;
    Device *device;
    ModelLimits limits;
    TreesMatrix *matrix;
    void **ready; /* a Ready; NULL: nothing is kept */
    TreesTraining *training;
    const uint8_t *part;   /* of the data's rows; borrowed */
    const dp_shelf *shelf; /* of the data's rows */
    int64_t rows;
    int8_t *rise;           /* [features] of the options */
    const TreesModel *from; /* learning goes on from it; borrowed, NULL: it begins */
    bool ranks;
    TreesModel learned;
    TreesScorer *scorer;
} Trees;

/* Rows scored at a time, and their margins of all outputs; features of a model that may have bins. */
enum { BATCH = 4096, MARGINS = 1 << 15, BINNED_MAX = 1024 };

static const CfgSection section = {.path = "model", .rows = trees_rows, .when = "model.family = trees"};

static void drop_ready(void **ready)
{
    Ready *kept = *ready;
    if (kept)
        trees_matrix_free(&kept->matrix);
    dp_free(ready);
}

static void family_keep_ready(void *self, void **ready)
{
    ((Trees *)self)->ready = ready;
}

/* Gives the matrix back, or frees it. */
static void let_matrix_go(Trees *trees)
{
    Ready *kept = NULL;
    if (trees->ready && trees->matrix && !*trees->ready && dp_new(&kept, 1) == DP_OK) {
        *kept = (Ready){trees->matrix, trees->rows, trees->options.bins};
        *trees->ready = kept;
        trees->matrix = NULL;
    }
    trees_matrix_free(&trees->matrix);
}

static void family_free(void **self)
{
    Trees *trees = *self;
    if (!trees)
        return;
    trees_training_free(&trees->training);
    let_matrix_go(trees);
    trees_scorer_free(&trees->scorer);
    trees_model_free(&trees->learned);
    dp_free(&trees->rise);
    dp_free(self);
}

static dp_status family_build(void **self, const Config *config, uint64_t seed, Device *device)
{
    Trees *trees = NULL;
    DP_TRY(dp_new(&trees, 1));
    *self = trees;
    trees->seed = seed;
    trees->device = device;
    trees->learned.outputs = 1; /* until learning begins */
    dp_status st = config_bind(config, &section, &trees->options);
    if (st == DP_OK)
        st = trees_options_check(&trees->options);
    if (st != DP_OK)
        family_free(self);
    return st;
}

/* ---- learning ---- */

static void family_limit(void *self, const ModelLimits *limits)
{
    ((Trees *)self)->limits = *limits;
}

/* Trees of a step. */
static int outputs_of(const Data *data)
{
    return data_kind(data) == DATA_CLASS ? data_classes(data)->n : 1;
}

static int64_t family_need(const void *self, const Data *data, int ranks)
{
    const Trees *trees = self;
    TreesNeed need =
        trees_memory_need(data_rows_n(data), data_features_n(data), outputs_of(data), &trees->options, ranks);
    return need.rows + need.levels;
}

/* What the process holds already is not for learning; the limit's last sixteenth is always. */
static TreesLimits limits_now(const Trees *trees)
{
    int64_t most = trees->limits.memory, left = most - dp_memory_now();
    return (TreesLimits){
        .memory = left > most / 16 ? left : most / 16, .scratch = trees->limits.scratch, .shelf = trees->shelf};
}

/* One column of floats at a time is in memory, never the table; in a file too where the data's rows are. */
static dp_status fill_matrix(Trees *trees, Data *data, const Comm *comm)
{
    dp_shelf *shelf = data_shelf(data);
    dp_status st = DP_OK;
    float *values = NULL;
    uint8_t *use = NULL;
    int features;
    size_t rows = (size_t)trees->rows;
    TreesLimits limits = limits_now(trees);
    limits.outputs = outputs_of(data);
    DP_GO(data_plan(data, comm));
    dp_memory_settle();
    features = data_features_n(data);
    DP_GO_ALL(comm, dp_shelf_new(shelf, &use, rows));
    DP_GO_ALL(comm, trees_matrix_build_within(&trees->matrix, trees->rows, features, (int)trees->options.bins,
                                              trees->device, &limits));
    DP_GO_ALL(comm, dp_shelf_new(shelf, &values, rows));
    for (size_t i = 0; i < rows; i++) {
        dp_shelf_step(shelf, (int64_t)i);
        use[i] = trees->part[i] == DATA_TRAIN;
    }
    for (int j = 0; j < features; j++) {
        DP_GO(data_feature(data, j, values, comm));
        if (trees->from)
            trees_matrix_set_as(trees->matrix, j, values, use, trees->from, comm);
        else
            DP_GO(trees_matrix_set(trees->matrix, j, values, use, comm));
    }
done:
    dp_shelf_free(shelf, &values);
    dp_shelf_free(shelf, &use);
    dp_memory_settle();
    return st;
}

/* Local. rise of the columns that a list names. */
static dp_status note_direction(int8_t *rise, const char *key, const CfgList *list, int direction, const Data *data)
{
    int features = data_features_n(data);
    for (size_t i = 0; i < list->n; i++) {
        int j = 0;
        while (j < features && strcmp(data_feature_name(data, j), list->items[i]) != 0)
            j++;
        if (j == features || rise[j] != 0)
            return dp_fail(DP_ERR_CONFIG, "model-14", "%s: '%s' %s", key, list->items[i],
                           j == features ? "is none of data.columns"
                                         : "is named twice; a score rises or falls with it");
        rise[j] = (int8_t)direction;
    }
    return DP_OK;
}

static dp_status take_directions(Trees *trees, const Data *data)
{
    const TreesOptions *o = &trees->options;
    if (o->rising.n + o->falling.n == 0)
        return DP_OK;
    DP_TRY(dp_new(&trees->rise, (size_t)data_features_n(data)));
    DP_TRY(note_direction(trees->rise, "model.monotone.up", &o->rising, 1, data));
    DP_TRY(note_direction(trees->rise, "model.monotone.down", &o->falling, -1, data));
    trees->options.rise = trees->rise;
    return DP_OK;
}

/* The kept matrix, where it was made from as many rows with as many bins. */
static bool take_ready(Trees *trees)
{
    Ready *kept = trees->ready ? *trees->ready : NULL;
    if (kept && !trees->from && kept->rows == trees->rows && kept->bins == trees->options.bins) {
        trees->matrix = kept->matrix;
        kept->matrix = NULL;
    }
    if (kept)
        drop_ready(trees->ready);
    return trees->matrix != NULL;
}

static void family_rank(void *self)
{
    ((Trees *)self)->ranks = true;
}

static void family_go_on(void *self, const void *from)
{
    Trees *trees = self;
    trees->from = &((const Trees *)from)->learned;
    trees->options.trees += trees->from->n_trees / trees->from->outputs;
}

static const TreesLoss loss_of_kind[] = {
    [DATA_FLAG] = TREES_LOGLOSS, [DATA_NUMBER] = TREES_SQUARED, [DATA_CLASS] = TREES_SOFTMAX};

static dp_status family_begin(void *self, Data *data, const Comm *comm)
{
    Trees *trees = self;
    trees->options.from = trees->from;
    trees->rows = data_rows_n(data);
    trees->part = data_part(data);
    trees->shelf = data_shelf(data);
    _Static_assert(DATA_TRAIN == 0 && DATA_VALID == 1, "the parts of the data are handed to trees as they are");
    TreesRows rows = {.n = trees->rows,
                      .label = data_label(data),
                      .target = data_target(data),
                      .class_id = data_class_id(data),
                      .classes = data_classes(data)->n,
                      .weight = data_weight(data),
                      .part = trees->part,
                      .group = data_group(data),
                      .row = data_row(data)};
    trees->options.loss = trees->ranks ? TREES_RANKING : loss_of_kind[data_kind(data)];
    if (comm_any(comm, !take_ready(trees))) {
        trees_matrix_free(&trees->matrix);
        DP_TRY(fill_matrix(trees, data, comm));
    }
    DP_TRY_ALL(comm, take_directions(trees, data));
    DP_TRY(trees_training_begin(&trees->training, trees->matrix, &rows, &trees->options, trees->seed, trees->device,
                                comm));
    return DP_OK;
}

static const TreesModel *current(const Trees *trees)
{
    return trees->training ? trees_training_model(trees->training) : &trees->learned;
}

static int64_t family_steps(const void *self)
{
    return current(self)->n_trees / current(self)->outputs;
}

static int family_outputs(const void *self)
{
    return current(self)->outputs;
}

static dp_status family_step(void *self, bool *more, const Comm *comm)
{
    Trees *trees = self;
    bool grew = false;
    DP_TRY(trees_training_step(trees->training, &grew, comm));
    *more = grew && family_steps(self) < trees->options.trees;
    return DP_OK;
}

static int64_t family_steps_max(const void *self)
{
    return ((const Trees *)self)->options.trees;
}

/* score [n][outputs] of rows whose margins of an output lie together, those of the next `pitch` further. */
static void scores_of(const TreesModel *m, const int64_t *margin, int64_t pitch, int64_t n, float *score)
{
    int64_t own[TREES_MAX_OUTPUTS];
    double value[TREES_MAX_OUTPUTS];
    if (m->loss == TREES_LOGLOSS) {
        trees_chances(margin, n, score);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        for (int k = 0; k < m->outputs; k++)
            own[k] = margin[k * pitch + i];
        trees_score(m, own, value);
        for (int k = 0; k < m->outputs; k++)
            *score++ = (float)value[k];
    }
}

static void family_scores(const void *self, int64_t from, int64_t n, float *score)
{
    const Trees *trees = self;
    const TreesModel *m = trees_training_model(trees->training);
    trees_training_rest(trees->training);
    scores_of(m, trees_training_margins(trees->training) + from, trees->rows, n, score);
    for (int64_t i = 0; i < n; i++)
        if (trees->part[from + i] > DATA_VALID)
            memset(score + i * m->outputs, 0, (size_t)m->outputs * sizeof *score);
}

static void family_cut(void *self, int64_t n)
{
    trees_training_cut(((Trees *)self)->training, (int)n);
}

static dp_status family_finish(void *self, const Comm *comm)
{
    Trees *trees = self;
    DP_TRY_ALL(comm, trees_model_copy(&trees->learned, trees_training_model(trees->training)));
    trees_training_free(&trees->training);
    let_matrix_go(trees);
    trees->part = NULL;
    trees->shelf = NULL;
    trees->rows = 0;
    DP_TRY_ALL(comm, trees_scorer_build(&trees->scorer, &trees->learned, trees->device));
    return DP_OK;
}

/* ---- using ---- */

/* Rows whose margins are asked for at a time: on the stack, or as many as a card wants. */
typedef struct Batch {
    int64_t rows, *margin, *large, small[MARGINS];
} Batch;

static void batch_take(Batch *batch, const Trees *trees, int64_t n)
{
    const int64_t outputs = trees->learned.outputs, fit = outputs == 1 ? BATCH : MARGINS / outputs;
    const int64_t wanted = trees->device ? device_rows_at_once(trees->device) : 1;
    const int64_t most = wanted > BATCH ? wanted : fit;
    batch->rows = n < most ? n : most;
    batch->large = batch->rows > fit ? malloc((size_t)(batch->rows * outputs) * sizeof *batch->large) : NULL;
    batch->margin = batch->large ? batch->large : batch->small;
    if (!batch->large && batch->rows > fit)
        batch->rows = fit;
}

static void family_predict(const void *self, Tensor x, float *score)
{
    const Trees *trees = self;
    const float *row = x.data;
    const int64_t n = x.shape[0];
    Batch batch;
    batch_take(&batch, trees, n);
    for (int64_t i = 0; i < n; i += batch.rows) {
        int64_t rows = n - i < batch.rows ? n - i : batch.rows;
        trees_margins(trees->scorer, row + i * x.stride[0], rows, x.stride[0], batch.margin);
        scores_of(&trees->learned, batch.margin, rows, rows, score + i * trees->learned.outputs);
    }
    free(batch.large);
}

static void family_predict_columns(const void *self, const float *const *value, int64_t first, int64_t n, float *score)
{
    const Trees *trees = self;
    Batch batch;
    batch_take(&batch, trees, n);
    for (int64_t i = 0; i < n; i += batch.rows) {
        int64_t rows = n - i < batch.rows ? n - i : batch.rows;
        trees_margins_columns(trees->scorer, value, first + i, rows, batch.margin);
        scores_of(&trees->learned, batch.margin, rows, rows, score + i * trees->learned.outputs);
    }
    free(batch.large);
}

static const int32_t *family_bins(const void *self, int *n)
{
    const int32_t *feature = trees_scorer_features(((const Trees *)self)->scorer, n);
    *n = *n > BINNED_MAX ? 0 : *n;
    return feature;
}

static void family_bin(const void *self, int k, const float *value, int64_t n, uint8_t *bin)
{
    trees_scorer_bin(((const Trees *)self)->scorer, k, value, n, bin);
}

static void family_predict_bins(const void *self, const uint8_t *const *bin, int64_t n, float *score)
{
    const Trees *trees = self;
    const uint8_t *at[BINNED_MAX];
    int features;
    Batch batch;
    batch_take(&batch, trees, n);
    trees_scorer_features(trees->scorer, &features);
    for (int64_t i = 0; i < n; i += batch.rows) {
        int64_t rows = n - i < batch.rows ? n - i : batch.rows;
        for (int k = 0; k < features; k++)
            at[k] = bin[k] + i;
        trees_margins_bins(trees->scorer, at, rows, batch.margin);
        scores_of(&trees->learned, batch.margin, rows, rows, score + i * trees->learned.outputs);
    }
    free(batch.large);
}

/* Rows of one class, gathered: what they contribute to its margin, put back where they came from. */
static dp_status explain_class(const Trees *trees, int output, Tensor x, const uint8_t *guess, float *gathered,
                               double *given, double *phi)
{
    const int64_t inputs = trees->learned.n_features, width = inputs + 1;
    int64_t n = 0;
    for (int64_t i = 0; i < x.shape[0]; i++)
        if (guess[i] == output)
            memcpy(gathered + n++ * inputs, (const float *)x.data + i * x.stride[0], (size_t)inputs * sizeof *gathered);
    if (n == 0)
        return DP_OK;
    DP_TRY(trees_contributions_to(trees->scorer, output, gathered, n, inputs, given));
    n = 0;
    for (int64_t i = 0; i < x.shape[0]; i++)
        if (guess[i] == output)
            memcpy(phi + i * width, given + n++ * width, (size_t)width * sizeof *phi);
    return DP_OK;
}

/* Of several classes: each row to the margin of its likeliest. */
static dp_status explain_classes(const Trees *trees, Tensor x, double *phi)
{
    const size_t n = (size_t)x.shape[0], outputs = (size_t)trees->learned.outputs;
    const size_t inputs = (size_t)trees->learned.n_features;
    float *score = NULL, *gathered = NULL;
    double *given = NULL;
    uint8_t *guess = NULL;
    dp_status st = DP_OK;
    DP_GO(dp_new(&score, n * outputs));
    DP_GO(dp_new(&guess, n));
    DP_GO(dp_new(&gathered, n * inputs));
    DP_GO(dp_new(&given, n * (inputs + 1)));
    family_predict(trees, x, score);
    for (size_t i = 0; i < n; i++)
        guess[i] = (uint8_t)model_likeliest(score + i * outputs, (int)outputs);
    for (int k = 0; k < (int)outputs; k++)
        DP_GO(explain_class(trees, k, x, guess, gathered, given, phi));
done:
    dp_free(&score);
    dp_free(&guess);
    dp_free(&gathered);
    dp_free(&given);
    return st;
}

static dp_status family_explain(const void *self, Tensor x, double *phi)
{
    const Trees *trees = self;
    if (trees->learned.outputs > 1)
        return explain_classes(trees, x, phi);
    const double unit = ldexp(1, trees->learned.scale);
    const int64_t width = trees->learned.n_features + INT64_C(1);
    DP_TRY(trees_contributions(trees->scorer, x.data, x.shape[0], x.stride[0], phi));
    for (int64_t i = 0; i < x.shape[0] * width && trees->learned.scale != 0; i++)
        phi[i] *= unit;
    return DP_OK;
}

static bool family_gains(const void *self, double *gain)
{
    return trees_model_gains(current(self), gain);
}

static void family_shape(const void *self, char out[64])
{
    const TreesModel *m = current(self);
    int n = snprintf(out, 64, "%d x depth %d", m->n_trees / m->outputs, m->depth);
    if (m->outputs > 1)
        snprintf(out + n, 64 - (size_t)n, " x %d classes", m->outputs);
}

/* ---- arrays ---- */

static dp_status model_put(const TreesModel *m, ModelArrays *arrays)
{
    static const uint8_t growths[] = {TREES_SYMMETRIC, TREES_DEPTHWISE}; /* stored: 0, 1 */
    int64_t nodes = m->n_trees ? m->node_at[m->n_trees] : 0, leaves = m->n_trees ? m->leaf_at[m->n_trees] : 0;
    const uint8_t *growth = memchr(growths, m->growth, sizeof growths);
    int64_t code = growth - growths;
    DP_TRY(model_arrays_put(arrays, "trees.bias", TENSOR_I64, m->bias, m->outputs));
    if (m->loss != TREES_LOGLOSS) { /* as in files that know nothing else */
        static const char *const codes[] = {[TREES_SQUARED] = "\1", [TREES_SOFTMAX] = "\2", [TREES_RANKING] = "\3"};
        DP_TRY(model_arrays_put(arrays, "trees.loss", TENSOR_U8, codes[m->loss], 1));
        DP_TRY(model_arrays_put(arrays, "trees.scale", TENSOR_I32, &m->scale, 1));
    }
    DP_TRY(model_arrays_put(arrays, "trees.growth", TENSOR_U8, code == 0 ? "\0" : "\1", 1));
    DP_TRY(model_arrays_put(arrays, "trees.border_at", TENSOR_I32, m->border_at, m->n_features + INT64_C(1)));
    DP_TRY(model_arrays_put(arrays, "trees.border", TENSOR_F32, m->border, m->border_at[m->n_features]));
    DP_TRY(model_arrays_put(arrays, "trees.depth", TENSOR_I32, m->tree_depth, m->n_trees));
    DP_TRY(model_arrays_put(arrays, "trees.node_feature", TENSOR_I32, m->node_feature, nodes));
    DP_TRY(model_arrays_put(arrays, "trees.node_border", TENSOR_I32, m->node_border, nodes));
    DP_TRY(model_arrays_put(arrays, "trees.node_missing_right", TENSOR_U8, m->node_missing_right, nodes));
    DP_TRY(model_arrays_put(arrays, "trees.leaf", TENSOR_I32, m->leaf, leaves));
    DP_TRY(model_arrays_put(arrays, "trees.cover", TENSOR_I64, m->cover, leaves));
    return DP_OK;
}

/* features: -1 where the arrays say how many. */
static dp_status model_take(TreesModel *m, ModelArrays *arrays, int64_t features)
{
    dp_status st = DP_OK;
    int64_t n = 0;
    int64_t *bias = NULL;
    uint8_t *growth = NULL, *loss = NULL;
    int32_t *scale = NULL;
    *m = (TreesModel){0};
    DP_GO(model_arrays_take(arrays, "trees.bias", TENSOR_I64, &bias, -1, &n));
    DP_GO(n < 1 || n > TREES_MAX_OUTPUTS ? dp_fail(DP_ERR_DATA, "model-05", "start values of %lld outputs: not 1 .. %d",
                                                   (long long)n, (int)TREES_MAX_OUTPUTS)
                                         : DP_OK);
    m->outputs = (int32_t)n;
    memcpy(m->bias, bias, (size_t)n * sizeof *bias);
    if (model_arrays_has(arrays, "trees.loss")) {
        DP_GO(model_arrays_take(arrays, "trees.loss", TENSOR_U8, &loss, 1, NULL));
        DP_GO(model_arrays_take(arrays, "trees.scale", TENSOR_I32, &scale, 1, NULL));
        DP_GO(loss[0] != TREES_SQUARED && loss[0] != TREES_SOFTMAX && loss[0] != TREES_RANKING
                  ? dp_fail(DP_ERR_DATA, "model-05", "trees of loss %d, unknown to this release", loss[0])
                  : DP_OK);
        m->loss = (TreesLoss)loss[0];
        m->scale = *scale;
    }
    DP_GO(model_arrays_take(arrays, "trees.growth", TENSOR_U8, &growth, 1, NULL));
    DP_GO(growth[0] > 1 ? dp_fail(DP_ERR_DATA, "model-05", "trees grow in way %d, unknown to this release", growth[0])
                        : DP_OK);
    m->growth = growth[0] == 0 ? TREES_SYMMETRIC : TREES_DEPTHWISE;
    DP_GO(
        model_arrays_take(arrays, "trees.border_at", TENSOR_I32, &m->border_at, features < 0 ? -1 : features + 1, &n));
    DP_GO(n < 1 || n > INT32_MAX ? dp_fail(DP_ERR_DATA, "model-05", "the model has no features") : DP_OK);
    m->n_features = (int32_t)(n - 1);
    DP_GO(model_arrays_take(arrays, "trees.border", TENSOR_F32, &m->border,
                            m->border_at[m->n_features] < 0 ? 0 : m->border_at[m->n_features], NULL));
    DP_GO(model_arrays_take(arrays, "trees.depth", TENSOR_I32, &m->tree_depth, -1, &n));
    DP_GO(n > 1 << 24 ? dp_fail(DP_ERR_DATA, "model-05", "%lld trees are absurd", (long long)n) : DP_OK);
    m->n_trees = (int32_t)n;
    for (int32_t t = 0; t < m->n_trees; t++)
        m->depth = m->tree_depth[t] > m->depth ? m->tree_depth[t] : m->depth;
    DP_GO(trees_model_lay_out(m));
    DP_GO(model_arrays_take(arrays, "trees.node_feature", TENSOR_I32, &m->node_feature, m->node_at[n], NULL));
    DP_GO(model_arrays_take(arrays, "trees.node_border", TENSOR_I32, &m->node_border, m->node_at[n], NULL));
    DP_GO(
        model_arrays_take(arrays, "trees.node_missing_right", TENSOR_U8, &m->node_missing_right, m->node_at[n], NULL));
    DP_GO(model_arrays_take(arrays, "trees.leaf", TENSOR_I32, &m->leaf, m->leaf_at[n], NULL));
    DP_GO(model_arrays_take(arrays, "trees.cover", TENSOR_I64, &m->cover, m->leaf_at[n], NULL));
    DP_GO(trees_model_check(m));
done:
    dp_free(&bias);
    dp_free(&growth);
    dp_free(&loss);
    dp_free(&scale);
    if (st != DP_OK)
        trees_model_free(m);
    return st;
}

static dp_status family_save(const void *self, ModelArrays *arrays)
{
    return model_put(current(self), arrays);
}

static dp_status family_load(void **self, ModelArrays *arrays, int inputs, Device *device)
{
    dp_status st = DP_OK;
    Trees *trees = NULL;
    DP_TRY(dp_new(&trees, 1));
    trees->device = device;
    DP_GO(model_take(&trees->learned, arrays, inputs));
    trees->options.trees = trees->learned.n_trees / trees->learned.outputs;
    DP_GO(trees_scorer_build(&trees->scorer, &trees->learned, device));
    *self = trees;
    return DP_OK;
done:
    *self = trees;
    family_free(self);
    return st;
}

/* Beside what a file holds: what the splits gained. */
static dp_status family_state_save(const void *self, ModelArrays *arrays)
{
    const TreesModel *m = current(self);
    DP_TRY(model_put(m, arrays));
    return model_arrays_put(arrays, "trees.node_gain", TENSOR_F64, m->node_gain,
                            m->n_trees ? m->node_at[m->n_trees] : 0);
}

static dp_status take_state(TreesModel *learned, ModelArrays *arrays)
{
    DP_TRY(model_take(learned, arrays, -1));
    return model_arrays_take(arrays, "trees.node_gain", TENSOR_F64, &learned->node_gain,
                             learned->n_trees ? learned->node_at[learned->n_trees] : 0, NULL);
}

/* Margins are not part of the state: they are computed again from the bins, on any number of ranks. */
static dp_status family_state_load(void *self, ModelArrays *arrays, const Comm *comm)
{
    Trees *trees = self;
    TreesModel learned = {0};
    dp_status st = DP_OK;
    DP_GO_ALL(comm, take_state(&learned, arrays));
    DP_GO(trees_training_resume(trees->training, &learned, comm));
done:
    trees_model_free(&learned);
    return st;
}

static dp_status family_export_onnx(const void *self, OnnxGraph *graph, const char *x, int ml_version)
{
    return model_trees_onnx(current(self), graph, x, ml_version);
}

const ModelFamily model_trees = {
    .name = "trees",
    .step_name = "tree",
    .build = family_build,
    .free = family_free,
    .keep_ready = family_keep_ready,
    .drop_ready = drop_ready,
    .limit = family_limit,
    .need = family_need,
    .go_on = family_go_on,
    .rank = family_rank,
    .begin = family_begin,
    .step = family_step,
    .steps = family_steps,
    .steps_max = family_steps_max,
    .outputs = family_outputs,
    .scores = family_scores,
    .cut = family_cut,
    .state_save = family_state_save,
    .state_load = family_state_load,
    .finish = family_finish,
    .predict = family_predict,
    .predict_columns = family_predict_columns,
    .explain = family_explain,
    .bins = family_bins,
    .bin = family_bin,
    .predict_bins = family_predict_bins,
    .shape = family_shape,
    .gains = family_gains,
    .save = family_save,
    .load = family_load,
    .export_onnx = family_export_onnx,
};
