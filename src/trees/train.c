/* Training: what stands between trees. Margins, the start value, leaf values, the model's arrays. */
#include <math.h>
#include <string.h>

#include "device/tree_math.h"
#include "trees/objective.h"

void trees_score(const TreesModel *model, const int64_t *margin, double *score)
{
    const double unit = ldexp(1, model->scale - TREES_LEAF_BITS);
    double number[TREES_MAX_OUTPUTS];
    for (int k = 0; k < model->outputs; k++)
        number[k] = (double)margin[k] * unit;
    trees_objective(model->loss)->score(number, model->outputs, score);
}

/* ---- begin ---- */

/* Local. Rows outside of train weigh nothing. weighted: some rank has weights; one without rows has no array of them.
 */
static dp_status take_weights(TreesTraining *t, bool weighted)
{
    if (!weighted)
        return DP_OK;
    DP_TRY(dp_new(&t->row_weight, (size_t)t->rows.n + 1));
    for (int64_t i = 0; i < t->rows.n; i++) {
        double w = t->rows.weight[i];
        if (trees_in_train(t, i) && !(w >= 0 && w <= TREES_MAX_WEIGHT))
            return dp_fail(DP_ERR_DATA, "trees-09", "row %lld of this rank has weight %g; weights lie within 0 .. %g",
                           (long long)i, w, TREES_MAX_WEIGHT);
        t->row_weight[i] = trees_in_train(t, i) ? w : 0;
    }
    return DP_OK;
}

static dp_status take_borders(TreesModel *model, const TreesMatrix *matrix)
{
    size_t n = 0;
    DP_TRY(dp_new(&model->border_at, (size_t)matrix->features + 1));
    for (int f = 0; f < matrix->features; f++)
        model->border_at[f + 1] = model->border_at[f] + matrix->borders[f];
    DP_TRY(dp_new(&model->border, (size_t)model->border_at[matrix->features] + 1));
    for (int f = 0; f < matrix->features; f++)
        for (int b = 0; b < matrix->borders[f]; b++)
            model->border[n++] = matrix->border[(size_t)f * TREES_MAX_BINS + (size_t)b];
    model->n_features = matrix->features;
    return DP_OK;
}

/* Levels of the deepest tree: those that are grown, and those that were learned before. */
static int64_t depth_most(const TreesTraining *t)
{
    const TreesModel *from = t->options.from;
    return from && from->depth > t->options.depth ? from->depth : t->options.depth;
}

/* Local. All memory but the histograms'. */
static dp_status take_memory(TreesTraining *t, const Comm *comm)
{
    const TreesMatrix *m = t->matrix;
    size_t nodes = (size_t)1 << (depth_most(t) - 1), features = (size_t)m->features;
    size_t places = t->options.growth == TREES_SYMMETRIC ? (size_t)depth_most(t) : 2 * nodes;
    size_t shards = (size_t)t->shards, stretch = (size_t)device_threads(m->device);
    if (t->options.growth == TREES_LEAFWISE) {
        nodes = nodes > (size_t)t->options.leaves ? nodes : (size_t)t->options.leaves;
        DP_TRY(trees_leaves_room(&t->open, t->options.leaves));
    }
    t->nodes_max = (int)nodes;
    DP_TRY(trees_rows_take(t));
    if (t->options.sample_rows < 1) {
        DP_TRY(dp_new(&t->draw, 1));
        DP_TRY(dp_new(&t->sizes, TREE_SIZES));
    }
    DP_TRY(dp_new(&t->shard_from, shards + 1));
    for (size_t s = 0; s <= shards; s++)
        t->shard_from[s] = m->n * (int64_t)s / (int64_t)shards;
    DP_TRY(dp_new(&t->learn, nodes * shards));
    DP_TRY(dp_new(&t->next_learn, nodes * shards));
    DP_TRY(dp_new(&t->segment, nodes * stretch));
    DP_TRY(dp_new(&t->which, nodes));
    DP_TRY(dp_new(&t->place, nodes));
    DP_TRY(dp_new(&t->next_place, nodes));
    DP_TRY(dp_new(&t->left_lighter, nodes));
    DP_TRY(dp_new(&t->cut, nodes * stretch));
    DP_TRY(dp_new(&t->split, nodes));
    DP_TRY(dp_new(&t->sibling, nodes * (size_t)trees_slots(t)));
    DP_TRY(dp_new(&t->exchange, 3 * nodes));
    if (t->options.rise) {
        DP_TRY(dp_new(&t->bounds, 2 * nodes));
        DP_TRY(dp_new(&t->halves, nodes));
        DP_TRY(dp_new(&t->sides, 4 * nodes));
        DP_TRY(dp_new(&t->middle, (size_t)1 << t->options.depth));
    }
    DP_TRY(dp_new(&t->feature_id, features));
    DP_TRY(dp_new(&t->feature_at, features + 1));
    DP_TRY(dp_new(&t->level_score, 2 * features * TREES_MAX_BINS));
    DP_TRY(dp_new(&t->share.first, (size_t)comm_size(comm) + 1));
    DP_TRY(dp_new(&t->share.counts, (size_t)comm_size(comm)));
    DP_TRY(dp_new(&t->leaf_sum, 6 * nodes + 1));
    DP_TRY(dp_new(&t->leaf_value, 2 * nodes));
    DP_TRY(dp_new(&t->draft.feature, places));
    DP_TRY(dp_new(&t->draft.bin, places));
    return dp_new(&t->draft.missing_right, places);
}

/* Collective. How much memory the histograms of a level may take: the least that a rank has for them, and at least what
 * one node after the other needs (built and summed, twice each, and twice kept). One message moves at most 2^31 - 1
 * numbers. */
static dp_status share_memory(TreesTraining *t, const Comm *comm)
{
    int64_t bins = 0, least, limit = t->matrix->limits.memory > 0 ? t->matrix->limits.memory / 2 : INT64_MAX;
    for (int f = 0; f < t->matrix->features; f++)
        bins += t->matrix->borders[f] + 2;
    bins *= trees_slots(t);
    least = 6 * 2 * bins;
    t->cells_most = trees_levels_most(&t->matrix->limits) / (int64_t)sizeof(int64_t);
    comm_min_i64(comm, &t->cells_most, 1);
    comm_min_i64(comm, &limit, 1);
    t->cells_most = t->cells_most > least ? t->cells_most : least;
    if (2 * bins > INT32_MAX || least > limit / (int64_t)sizeof(int64_t))
        return dp_fail(DP_ERR_USAGE, "trees-03",
                       "%lld bins of all features need histograms of %.3g GiB a node; use fewer bins (model.bins) or "
                       "features, or give the job more memory (job.memory)",
                       (long long)bins, (double)least * 8 / (double)(1 << 30));
    return DP_OK;
}

/* Local. Stretches of rows: one a thread, or, where rows lie in files, so short ones that those of all threads fit in
 * memory; but no more than there is room for in the lists of a level's nodes. */
static int shards_of(const TreesTraining *t)
{
    const TreesMatrix *m = t->matrix;
    const int threads = device_threads(m->device);
    const int64_t per_node = 2 * (int64_t)sizeof(TreeSegment) << (t->options.depth - 1);
    int64_t shards = m->n / 1024 + 1 < threads ? m->n / 1024 + 1 : threads, more, most;
    if (trees_matrix_in_files(m)) {
        more = m->n / trees_rows_at_once(m, trees_training_row_bytes(t)) + 1;
        most = m->limits.memory / 8 / per_node;
        more = more < most ? more : most;
        shards = more > shards ? more : shards;
    }
    return (int)shards;
}

static dp_status check_rows(const TreesRows *rows, const TreesMatrix *matrix)
{
    if (rows->n != matrix->n || matrix->features_set < matrix->features)
        return dp_fail(DP_ERR_INTERNAL, "trees-04",
                       "training on %lld rows of a matrix with %lld, %d of %d features set", (long long)rows->n,
                       (long long)matrix->n, matrix->features_set, matrix->features);
    return DP_OK;
}

/* Local. Every row of a stretch at the start values. */
static void start_margins(TreesTraining *t, const TreesStretch *stretch)
{
    for (int k = 0; k < t->model.outputs; k++)
        for (int64_t i = stretch->from; i < stretch->to; i++)
            t->margins[k * t->rows.n + i] = t->model.bias[k];
}

/* Local. Bins in blocks, and every row's margin at the start value. */
static void start_rows(TreesTraining *t)
{
    TreesStretch stretch = {0};
    while (trees_next_stretch(t, &stretch)) {
        t->ops->transpose(t->context, &t->bins, stretch.from, stretch.to, t->block);
        start_margins(t, &stretch);
        for (int64_t i = stretch.from; i < stretch.to && t->one; i++)
            t->one[i] = 1;
    }
}

/* Local. What goes on must go on as it began. */
static dp_status check_from(const TreesModel *from, const TreesOptions *options)
{
    static const char *const growths[] = {"symmetric", "depth or leaf"};
    bool symmetric = options->growth == TREES_SYMMETRIC;
    if (!from)
        return DP_OK;
    if ((from->growth == TREES_SYMMETRIC) != symmetric)
        return dp_fail(
            DP_ERR_CONFIG, "trees-11",
            "the trees of the model to go on from grew with model.growth: %s; a model has one way of growing",
            growths[symmetric]);
    return from->loss == (TreesLoss)options->loss
               ? DP_OK
               : dp_fail(DP_ERR_CONFIG, "trees-12",
                         "the model to go on from lowers another loss than this training; learning goes on with the "
                         "same train.loss");
}

/* Collective. One rank has nobody to wait for, and devices that sum by themselves do not wait long. */
static void choose_groups(TreesTraining *t, const Comm *comm)
{
    int64_t threads = device_threads(t->matrix->device);
    comm_sum_i64(comm, &threads, 1);
    t->groups = t->share.ranks == 1 || t->joined
                    ? 1
                    : trees_histograms_groups((double)t->train_rows * t->options.sample_rows / (double)threads);
}

static dp_status begin(TreesTraining *t, const Comm *comm)
{
    DP_TRY_ALL(comm, check_rows(&t->rows, t->matrix));
    DP_TRY_ALL(comm, trees_options_check(&t->options));
    DP_TRY_ALL(comm, check_from(t->options.from, &t->options));
    t->rows_least = t->options.min_rows > 1 ? t->options.min_rows : 0; /* a side of one level has a row */
    DP_TRY(share_memory(t, comm));
    bool weighted = comm_any(comm, t->rows.weight != NULL);
    DP_TRY_ALL(comm, take_weights(t, weighted));
    t->model.outputs = 1;
    DP_TRY(t->objective->begin(t, comm));
    if (t->options.from) {
        memcpy(t->model.bias, t->options.from->bias, sizeof t->model.bias);
        t->model.scale = t->options.from->scale;
    }
    t->shards = shards_of(t);
    DP_TRY_ALL(comm, take_memory(t, comm));
    DP_TRY_ALL(comm, take_borders(&t->model, t->matrix));
    t->share.rank = comm_rank(comm);
    t->share.ranks = comm_size(comm);
    t->model.loss = t->objective->loss;
    t->model.growth = t->options.growth == TREES_SYMMETRIC ? TREES_SYMMETRIC : TREES_DEPTHWISE;
    t->bins = (TreeBins){
        .n = t->matrix->n, .features = t->matrix->features, .column = t->matrix->column, .pitch = t->matrix->pitch};
    t->bins.block = t->block;
    trees_join_devices(t, comm);
    choose_groups(t, comm);
    start_rows(t);
    trees_rows_hold(t);
    t->bins.kept = t->ops->keep(t->context, &t->bins);
    trees_rows_rest(t, 0, t->rows.n);
    return t->options.from ? trees_training_resume(t, t->options.from, comm) : DP_OK;
}

dp_status trees_training_begin(TreesTraining **training, const TreesMatrix *matrix, const TreesRows *rows,
                               const TreesOptions *options, uint64_t seed, Device *device, const Comm *comm)
{
    TreesTraining *t = NULL;
    dp_status st = DP_OK;
    *training = NULL;
    DP_GO_ALL(comm, dp_new(&t, 1));
    t->options = *options;
    t->seed = seed;
    t->matrix = matrix;
    t->rows = *rows;
    t->objective = trees_objective((TreesLoss)options->loss);
    t->ops = device_tree_ops(device);
    t->context = device_context(device);
    DP_GO(begin(t, comm));
    *training = t;
    t = NULL;
done:
    trees_training_free(&t);
    return st;
}

void trees_training_free(TreesTraining **training)
{
    TreesTraining *t = *training;
    if (t) {
        t->ops->leave(t->context);
        if (t->objective->end)
            t->objective->end(t);
        t->ops->drop(t->context, t->bins.kept);
        trees_rows_let_go(t);
        TreesCells *const cells[] = {&t->local[0], &t->local[1], &t->built[0], &t->built[1], &t->now, &t->next};
        for (size_t i = 0; i < sizeof cells / sizeof *cells; i++)
            trees_cells_free(t, cells[i]);
        void *const owned[] = {
            &t->row_weight, &t->learn,        &t->next_learn,    &t->segment,      &t->place,
            &t->next_place, &t->cut,          &t->split,         &t->sibling,      &t->exchange,
            &t->bounds,     &t->halves,       &t->sides,         &t->middle,       &t->feature_id,
            &t->feature_at, &t->level_score,  &t->share.first,   &t->share.counts, &t->leaf_sum,
            &t->open,       &t->pool,         &t->draw,          &t->sizes,        &t->shard_from,
            &t->leaf_value, &t->left_lighter, &t->draft.feature, &t->draft.bin,    &t->draft.missing_right,
            &t->which};
        for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
            dp_free(owned[i]);
        dp_spill_close(&t->memory);
        trees_model_free(&t->model);
    }
    dp_free(training);
}

/* ---- a step ---- */

/* Local. Room for one tree more. */
static dp_status grow_model(TreesTraining *t)
{
    TreesModel *m = &t->model;
    int depth = t->draft.depth;
    int64_t nodes = t->nodes_used + (m->growth == TREES_SYMMETRIC ? depth : (1 << depth) - 1);
    int64_t leaves = t->leaves_used + (1 << depth);
#define GROW(field, old, n) DP_TRY(dp_resize(&m->field, (size_t)(old), (size_t)(n)))
    if (m->n_trees + 1 > t->trees_room) {
        int32_t room = 2 * t->trees_room + 64;
        bool first = t->trees_room == 0;
        GROW(tree_depth, t->trees_room, room);
        GROW(node_at, first ? 0 : t->trees_room + 1, room + 1);
        GROW(leaf_at, first ? 0 : t->trees_room + 1, room + 1);
        t->trees_room = room;
    }
    if (nodes > t->nodes_room) {
        int64_t room = 2 * nodes + 1024;
        GROW(node_feature, t->nodes_room, room);
        GROW(node_border, t->nodes_room, room);
        GROW(node_missing_right, t->nodes_room, room);
        GROW(node_gain, t->nodes_room, room);
        t->nodes_room = room;
    }
    if (leaves > t->leaves_room) {
        int64_t room = 2 * leaves + 1024;
        GROW(leaf, t->leaves_room, room);
        GROW(cover, t->leaves_room, room);
        t->leaves_room = room;
    }
#undef GROW
    return DP_OK;
}

/* The score of the rows in leaves first .. first + n - 1. */
static double worth_of(const TreesTraining *t, int first, int n)
{
    int64_t g = 0, h = 0;
    for (int i = first; i < first + n; i++) {
        g += t->leaf_sum[3 * i];
        h += t->leaf_sum[3 * i + 1];
    }
    return h + t->options.l2 > 0
               ? tree_score(g, h, 1 / t->g_sum_scale, 1 / t->h_sum_scale, t->options.l1, t->options.l2)
               : 0;
}

/* What the splits of the tree in the draft gained, from the exact sums of its leaves. */
static void note_gains(TreesTraining *t, double *gain)
{
    int depth = t->draft.depth;
    bool symmetric = t->model.growth == TREES_SYMMETRIC;
    for (int level = 0; level < depth; level++) {
        int leaves = 1 << (depth - level);
        if (symmetric)
            gain[level] = 0;
        for (int k = 0; k < 1 << level; k++) {
            double won = worth_of(t, k * leaves, leaves / 2) + worth_of(t, k * leaves + leaves / 2, leaves / 2) -
                         worth_of(t, k * leaves, leaves);
            if (symmetric)
                gain[level] += won;
            else
                gain[(1 << level) - 1 + k] = t->draft.feature[(1 << level) - 1 + k] < 0 ? 0 : won;
        }
    }
}

static void add_tree(TreesTraining *t)
{
    TreesModel *m = &t->model;
    int depth = t->draft.depth;
    int nodes = m->growth == TREES_SYMMETRIC ? depth : (1 << depth) - 1;
    int64_t at = t->nodes_used, leaf = t->leaves_used;
    for (int i = 0; i < nodes; i++) {
        int32_t f = t->draft.feature[i];
        m->node_feature[at + i] = f;
        m->node_border[at + i] = f < 0 ? -1 : m->border_at[f] + t->draft.bin[i] - 1;
        m->node_missing_right[at + i] = t->draft.missing_right[i];
    }
    for (int i = 0; i < 1 << depth; i++) {
        m->leaf[leaf + i] = t->leaf_value[i];
        m->cover[leaf + i] = t->leaf_sum[3 * i + 2];
    }
    note_gains(t, m->node_gain + at);
    m->tree_depth[m->n_trees] = depth;
    m->node_at[m->n_trees] = at;
    m->leaf_at[m->n_trees] = leaf;
    m->n_trees++;
    m->node_at[m->n_trees] = t->nodes_used = at + nodes;
    m->leaf_at[m->n_trees] = t->leaves_used = leaf + (1 << depth);
    m->depth = depth > m->depth ? depth : m->depth;
}

/* Local. The leaf of every row of a stretch, drawn or not: a walk of the tree costs less than taking all rows along. */
static void find_rows_leaves(TreesTraining *t, const TreesDraft *tree, const TreesStretch *stretch)
{
    TreeWalk job = {.bins = &t->bins,
                    .from = stretch->from,
                    .to = stretch->to,
                    .symmetric = t->options.growth == TREES_SYMMETRIC,
                    .depth = tree->depth,
                    .feature = tree->feature,
                    .bin = tree->bin,
                    .missing_right = tree->missing_right,
                    .leaf = t->leaf};
    t->ops->walk(t->context, &job);
}

/* Collective. Leaf values from the exact sums of the true gradients of all train rows, drawn or not. `mine`, this
 * rank's status, goes along with the sums. */
static dp_status find_leaves(TreesTraining *t, dp_status mine, const Comm *comm)
{
    int leaves = 1 << t->draft.depth;
    int64_t *failed = t->leaf_sum + 3 * leaves;
    TreesStretch stretch = {0};
    memset(t->leaf_sum, 0, 3 * (size_t)leaves * sizeof *t->leaf_sum);
    while (trees_next_stretch(t, &stretch)) {
        TreeLeafSums job = {.loss = trees_loss(t, stretch.from, stretch.to),
                            .g_scale = t->g_sum_scale,
                            .h_scale = t->h_sum_scale,
                            .leaf = t->leaf + stretch.from,
                            .leaves = leaves,
                            .sum = t->leaf_sum};
        find_rows_leaves(t, &t->draft, &stretch);
        t->ops->leaf_sums(t->context, &job);
    }
    *failed = mine != DP_OK;
    comm_sum_i64(comm, t->leaf_sum, 3 * (size_t)leaves + 1);
    if (*failed)
        return comm_agree(comm, mine);
    for (int i = 0; i < leaves; i++) {
        t->leaf_value[i] = tree_leaf(t->leaf_sum[3 * i], t->leaf_sum[3 * i + 1], 1 / t->g_sum_scale, 1 / t->h_sum_scale,
                                     t->options.l1, t->options.l2, t->options.learning_rate);
    }
    if (t->options.rise)
        trees_order_leaves(t);
    return DP_OK;
}

static void add_leaves(TreesTraining *t, const TreesStretch *stretch)
{
    TreeAddLeaves job = {.n = stretch->to - stretch->from,
                         .part = t->rows.part + stretch->from,
                         .leaf = t->leaf + stretch->from,
                         .value = t->leaf_value,
                         .leaves = 2 * t->nodes_max,
                         .margin = t->margin + stretch->from};
    t->ops->add_leaves(t->context, &job);
}

dp_status trees_training_step(TreesTraining *t, bool *grew, const Comm *comm)
{
    const int before = t->model.n_trees / t->model.outputs;
    bool one = false;
    *grew = false;
    if (t->objective->gradients) /* which the host computes */
        trees_margins_fetch(t);
    if (t->objective->prepare)
        DP_TRY(t->objective->prepare(t, comm));
    for (int k = 0; k < t->model.outputs; k++) {
        t->margin = t->margins + k * t->rows.n;
        DP_TRY(trees_grow(t, t->model.n_trees, &one, comm));
        *grew |= one;
        if (!one && t->model.outputs == 1)
            break; /* beside other trees one without a split keeps its place */
        DP_TRY(find_leaves(t, grow_model(t), comm));
        add_tree(t);
        TreesStretch stretch = {0};
        while (trees_next_stretch(t, &stretch))
            add_leaves(t, &stretch);
    }
    if (!*grew)
        trees_training_cut(t, before);
    return comm_agree(comm, trees_device_stands(t->matrix->device));
}

const int64_t *trees_training_margins(const TreesTraining *t)
{
    trees_margins_fetch(t);
    return t->margins;
}

void trees_training_rest(const TreesTraining *t)
{
    trees_rows_rest(t, 0, t->rows.n);
}

const TreesModel *trees_training_model(const TreesTraining *t)
{
    return &t->model;
}

/* ---- earlier and later ---- */

/* Local. Adds (sign 1) or takes away (-1) what tree i gives every row. */
static void apply_tree(TreesTraining *t, int i, int sign)
{
    const TreesModel *m = &t->model;
    int64_t at = m->node_at[i];
    int n = (int)(m->node_at[i + 1] - at), leaves = 1 << m->tree_depth[i];
    TreesStretch stretch = {0};
    for (int k = 0; k < n; k++) {
        int32_t f = m->node_feature[at + k];
        t->draft.bin[k] = f < 0 ? 0 : m->node_border[at + k] - m->border_at[f] + 1;
    }
    TreesDraft tree = {.depth = m->tree_depth[i],
                       .feature = m->node_feature + at,
                       .bin = t->draft.bin,
                       .missing_right = m->node_missing_right + at};
    t->margin = t->margins + i % m->outputs * t->rows.n;
    for (int k = 0; k < leaves; k++)
        t->leaf_value[k] = sign * m->leaf[m->leaf_at[i] + k];
    while (trees_next_stretch(t, &stretch)) {
        find_rows_leaves(t, &tree, &stretch);
        add_leaves(t, &stretch);
    }
}

void trees_training_cut(TreesTraining *t, int n)
{
    TreesModel *m = &t->model;
    while (m->n_trees > n * m->outputs && m->n_trees > 0) {
        apply_tree(t, m->n_trees - 1, -1);
        m->n_trees--;
    }
    t->nodes_used = m->n_trees ? m->node_at[m->n_trees] : 0;
    t->leaves_used = m->n_trees ? m->leaf_at[m->n_trees] : 0;
    m->depth = 0;
    for (int i = 0; i < m->n_trees; i++)
        m->depth = m->tree_depth[i] > m->depth ? m->tree_depth[i] : m->depth;
}

/* Local. Was it learned from this data with these options? */
static dp_status check_learned(const TreesTraining *t, const TreesModel *learned)
{
    const TreesModel *m = &t->model;
    bool same = learned->n_features == m->n_features && learned->growth == m->growth && learned->loss == m->loss &&
                learned->outputs == m->outputs && learned->scale == m->scale &&
                memcmp(learned->bias, m->bias, sizeof m->bias) == 0 && learned->depth <= depth_most(t) &&
                memcmp(learned->border_at, m->border_at, ((size_t)m->n_features + 1) * sizeof *m->border_at) == 0 &&
                memcmp(learned->border, m->border, (size_t)m->border_at[m->n_features] * sizeof *m->border) == 0;
    return same ? DP_OK
                : dp_fail(DP_ERR_DATA, "trees-06",
                          "the checkpoint's trees were learned from other data or with other options: their borders, "
                          "start value or growth differ; start a new run");
}

dp_status trees_training_resume(TreesTraining *t, const TreesModel *learned, const Comm *comm)
{
    TreesModel own = {0};
    TreesStretch stretch = {0};
    DP_TRY_ALL(comm, check_learned(t, learned));
    dp_status copied = trees_model_copy(&own, learned);
    if (copied == DP_OK && !own.node_gain && own.n_trees > 0)
        copied = dp_new(&own.node_gain, (size_t)own.node_at[own.n_trees]);
    DP_TRY_ALL(comm, copied);
    trees_model_free(&t->model);
    t->model = own;
    t->trees_room = own.n_trees;
    t->nodes_room = t->nodes_used = own.n_trees ? own.node_at[own.n_trees] : 0;
    t->leaves_room = t->leaves_used = own.n_trees ? own.leaf_at[own.n_trees] : 0;
    while (trees_next_stretch(t, &stretch))
        start_margins(t, &stretch);
    trees_margins_put(t);
    for (int i = 0; i < own.n_trees; i++)
        apply_tree(t, i, 1);
    return DP_OK;
}
