/* RUN np=1 quick -- every tree operation of a backend gives the reference's bits, on odd shapes. With arguments: names
 * of backends ("cuda") in place of the processor's. */
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "device/device.h"

enum { MOST_NODES = 5, SHAPES = 8 };

/* Rows, features, bins, levels and nodes; features above 32 make a second block, levels above 255 other cells. */
typedef struct Shape {
    int64_t n;
    int features, bins, levels, nodes;
} Shape;
static const Shape shapes[SHAPES] = {
    {1, 1, 3, 31, 1},      {15, 2, 2, 1, 1},        {17, 31, 256, 255, 2},   {1000, 32, 256, 31, 3},
    {4099, 33, 17, 63, 5}, {70001, 3, 256, 255, 2}, {2500, 65, 5, 16383, 4}, {140001, 2, 9, 300, 1},
};

typedef struct Case {
    Shape shape;
    TreeBins bins;
    uint8_t *column, *block, *part;
    int64_t *margin;
    int8_t *label;
    uint64_t *row;
    TreePair *pair;
    uint32_t *index;
    int32_t *id, *at;
    TreeFeatures features;
    TreeSegment segment[2 * MOST_NODES];
    int segments;
} Case;

static const char **names;
static int names_n;

static uint64_t draw(int stream, int64_t i)
{
    return dp_random_u64(77, (uint64_t)stream, (uint64_t)i);
}

/* Nodes hold consecutive stretches of the list, in two segments each; the list leaves out every eleventh row. */
static void list_rows(Case *c)
{
    int64_t listed = 0;
    for (int64_t i = 0; i < c->shape.n; i++)
        if (i % 11 != 10)
            c->index[listed++] = (uint32_t)i;
    for (int s = 0; s < 2 * c->shape.nodes; s++) {
        int64_t from = listed * s / (2 * c->shape.nodes), to = listed * (s + 1) / (2 * c->shape.nodes);
        c->segment[c->segments++] = (TreeSegment){.begin = from, .count = to - from, .node = s / 2};
    }
}

static void case_draw(Case *c, const Shape *shape)
{
    const DeviceContext plain = {.threads = 1};
    int64_t n = shape->n;
    int features = shape->features;
    *c = (Case){.shape = *shape};
    c->bins = (TreeBins){.n = n, .features = features, .pitch = n + TREE_PAD};
    assert_ok(dp_new(&c->column, (size_t)(c->bins.pitch * features)));
    assert_ok(dp_new(&c->block, (size_t)(n * features) + TREE_PAD));
    assert_ok(dp_new(&c->margin, (size_t)n));
    assert_ok(dp_new(&c->label, (size_t)n));
    assert_ok(dp_new(&c->part, (size_t)n));
    assert_ok(dp_new(&c->row, (size_t)n));
    assert_ok(dp_new(&c->pair, (size_t)n));
    assert_ok(dp_new(&c->index, (size_t)n + TREE_PAD));
    assert_ok(dp_new(&c->id, (size_t)features));
    assert_ok(dp_new(&c->at, (size_t)features + 1));
    for (int f = 0; f < features; f++)
        for (int64_t i = 0; i < n; i++)
            c->column[f * c->bins.pitch + i] =
                (uint8_t)(f == 1 ? shape->bins - 1 : (int)(draw(f, i) % (uint64_t)shape->bins));
    for (int64_t i = 0; i < n; i++) {
        c->margin[i] = (int64_t)(draw(500, i) % (40 << 20)) - (20 << 20);
        c->label[i] = (int8_t)(draw(501, i) & 1);
        c->part[i] = (uint8_t)(draw(502, i) % 5 == 0 ? 1 + draw(503, i) % 2 : 0);
        c->row[i] = draw(504, i);
        c->pair[i] = (uint32_t)((int)(draw(505, i) % (2 * (uint64_t)shape->levels + 1)) - shape->levels) << 16 |
                     (uint32_t)(draw(506, i) % ((uint64_t)shape->levels + 1));
    }
    c->bins.column = c->column;
    backend_reference.trees->transpose(&plain, &c->bins, 0, n, c->block);
    c->bins.block = c->block;
    int used = 0;
    for (int f = 0; f < features; f++)
        if (features < 33 || f % 3 != 1) { /* all of a block, or some of it */
            c->id[used] = f;
            c->at[used + 1] = c->at[used] + shape->bins;
            used++;
        }
    c->features = (TreeFeatures){.n = used, .id = c->id, .at = c->at};
    list_rows(c);
}

static void case_free(Case *c)
{
    void *const owned[] = {&c->column, &c->block, &c->margin, &c->label, &c->part,
                           &c->row,    &c->pair,  &c->index,  &c->id,    &c->at};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
        dp_free(owned[i]);
}

/* ---- an operation, done by a table into `out` (bytes) ---- */

typedef void (*Operation)(const TreeOps *ops, const DeviceContext *context, const Case *c, dp_buf *out);

static void *room(dp_buf *out, size_t size)
{
    size_t gap = (8 - out->size % 8) % 8; /* what begins here may be int64_t */
    assert_ok(dp_buf_reserve(out, gap + size + 8));
    memset(out->data + out->size, 0x5A, gap + size);
    out->size += gap;
    out->size += size;
    return out->data + out->size - size;
}

static void do_bin(const TreeOps *ops, const DeviceContext *context, const Case *c, dp_buf *out)
{
    static const int counts[] = {0, 1, 15, 16, 31, 32, 127, 128, 254, 255};
    float *values = NULL, border[255];
    int64_t n = c->shape.n;
    assert_ok(dp_new(&values, (size_t)n));
    for (int b = 0; b < 255; b++)
        border[b] = (float)(b - 100) * 0.5F;
    for (int64_t i = 0; i < n; i++) {
        uint64_t kind = draw(600, i) % 12;
        values[i] = kind == 0   ? NAN
                    : kind == 1 ? INFINITY
                    : kind == 2 ? -INFINITY
                    : kind == 3 ? -0.0F
                    : kind < 8  ? border[draw(601, i) % 255] /* on a border */
                                : (float)(int)(draw(602, i) % 400) * 0.37F - 70;
    }
    if (ops->hold) { /* a device bins what it holds */
        ops->hold(context, values, (size_t)n * sizeof *values);
        ops->put(context, values, (size_t)n * sizeof *values);
    }
    for (size_t k = 0; k < sizeof counts / sizeof *counts; k++)
        ops->bin(context, values, n, border, counts[k], room(out, (size_t)n));
    if (ops->release)
        ops->release(context, values);
    dp_free(&values);
}

static void do_transpose(const TreeOps *ops, const DeviceContext *context, const Case *c, dp_buf *out)
{
    int64_t n = c->shape.n, some = n / 3;
    uint8_t *block = room(out, (size_t)(n * c->shape.features));
    ops->transpose(context, &c->bins, 0, some, block); /* in two stretches */
    ops->transpose(context, &c->bins, some, n, block);
}

/* The log-loss, the same with weights of rows, and gradients that are given. */
enum { LOSSES = 3 };
typedef struct Given {
    double *weight, *g, *h;
} Given;

static TreeLoss loss_of(const Case *c, int way, Given *given)
{
    size_t n = (size_t)c->shape.n;
    TreeLoss loss = {.n = c->shape.n, .margin = c->margin, .label = c->label, .part = c->part, .weight = {1, 2.5}};
    memset(given, 0, sizeof *given);
    assert_ok(dp_new(&given->weight, n));
    assert_ok(dp_new(&given->g, n));
    assert_ok(dp_new(&given->h, n));
    for (int64_t i = 0; i < c->shape.n; i++) {
        given->weight[i] = c->part[i] == 0 ? (double)(draw(610, i) % 9) / 8 : 0;
        given->g[i] = c->part[i] == 0 ? ((double)(draw(611, i) % 2001) - 1000) * 0.0025 : 0;
        given->h[i] = c->part[i] == 0 ? (double)(draw(612, i) % 1001) * 0.000625 : 0;
    }
    if (way == 1)
        loss.row_weight = given->weight;
    if (way == 2) {
        loss.g = given->g;
        loss.h = given->h;
    }
    return loss;
}

static void given_free(Given *given)
{
    dp_free(&given->weight);
    dp_free(&given->g);
    dp_free(&given->h);
}

static void do_sizes(const TreeOps *ops, const DeviceContext *context, const Case *c, dp_buf *out)
{
    Given given;
    for (int way = 0; way < LOSSES; way++) {
        TreeSizes job = {.loss = loss_of(c, way, &given),
                         .scale = 1 / 2.5,
                         .h_scale = way == 0 ? 0 : 0.7,
                         .count = room(out, TREE_SIZES * sizeof(int64_t))};
        memset(job.count, 1, TREE_SIZES * sizeof(int64_t));
        ops->sizes(context, &job);
        given_free(&given);
    }
}

static void do_gradients(const TreeOps *ops, const DeviceContext *context, const Case *c, dp_buf *out)
{
    TreeDraw draw = {.key = 0xfedcba987654321, .scale = 1 / 2.5};
    Given given;
    for (int k = 0; k < TREE_SIZES; k++) {
        draw.below[k] = (UINT64_C(1) << 53) / (uint64_t)(k % 5 + 1); /* now and then for sure */
        draw.times[k] = 1.0 / (1 + k % 3);
    }
    for (int way = 0; way < LOSSES; way++) {
        TreeGradients job = {.loss = loss_of(c, way, &given),
                             .row = c->row,
                             .g_scale = c->shape.levels / 2.5,
                             .h_scale = c->shape.levels / 0.625,
                             .key = 0x123456789abcdef,
                             .pair = room(out, (size_t)c->shape.n * sizeof(TreePair))};
        job.loss.chance = way == 1 ? given.h : NULL; /* written here, read below */
        ops->gradients(context, &job);
        job.loss.chances_stand = way == 1;
        for (int64_t i = 0; i < c->shape.n; i++) /* those of other rows mean nothing */
            given.h[i] = c->part[i] == 0 ? given.h[i] : 0;
        memcpy(room(out, (size_t)c->shape.n * sizeof *given.h), given.h, (size_t)c->shape.n * sizeof *given.h);
        draw.h_scale = way == 0 ? 0 : 0.7;
        job.draw = &draw;
        job.pair = room(out, (size_t)c->shape.n * sizeof(TreePair));
        ops->gradients(context, &job);
        given_free(&given);
    }
}

/* Shards of odd sizes, one of them empty; what lies behind a shard's rows is nobody's. */
static void do_list(const TreeOps *ops, const DeviceContext *context, const Case *c, dp_buf *out)
{
    enum { SHARDS = 4 };
    int64_t n = c->shape.n, from[SHARDS + 1] = {0, n / 3, n / 3, n - n / 5, n};
    uint32_t *index = NULL;
    TreePair *pair = NULL;
    TreeSegment segment[SHARDS];
    assert_ok(dp_new(&index, (size_t)n + TREE_PAD));
    assert_ok(dp_new(&pair, (size_t)n));
    for (int64_t i = 0; i < n; i++)
        pair[i] = draw(507, i) % 3 == 0 ? c->pair[i] : TREE_NOT_DRAWN;
    TreeListing job = {.pair = pair, .shards = SHARDS, .from = from, .index = index, .segment = segment};
    ops->list(context, &job);
    for (int s = 0; s < SHARDS; s++) {
        const TreeSegment *mine = &segment[s];
        assert_true(mine->begin == from[s] && mine->begin + mine->count <= from[s + 1]);
        size_t size = (size_t)mine->count * sizeof *index;
        memcpy(room(out, sizeof mine->count), &mine->count, sizeof mine->count);
        memcpy(room(out, size), index + mine->begin, size);
    }
    dp_free(&index);
    dp_free(&pair);
}

static size_t cells_of(const Case *c)
{
    return 2 * (size_t)c->at[c->features.n] * (size_t)c->shape.nodes;
}

static void do_histogram(const TreeOps *ops, const DeviceContext *context, const Case *c, dp_buf *out)
{
    TreeHistogram job = {.bins = &c->bins,
                         .features = &c->features,
                         .pair = c->pair,
                         .levels = c->shape.levels,
                         .index = c->index,
                         .segment = c->segment,
                         .segments = c->segments,
                         .nodes = c->shape.nodes,
                         .out = room(out, cells_of(c) * sizeof(int64_t))};
    ops->histogram(context, &job);
    job.add = true; /* the first segment twice */
    job.segments = 1;
    ops->histogram(context, &job);
}

static void do_siblings(const TreeOps *ops, const DeviceContext *context, const Case *c, dp_buf *out)
{
    dp_buf parents = {0}, built = {0};
    TreeSibling sibling[MOST_NODES];
    int k = c->shape.nodes;
    do_histogram(backend_reference.trees, context, c, &parents);
    do_histogram(backend_reference.trees, context, c, &built);
    for (int i = 0; i < k; i++)
        sibling[i] =
            (TreeSibling){.parent = k - 1 - i, .built = i, .smaller = 2 * i + i % 2, .larger = 2 * i + 1 - i % 2};
    TreeSiblings job = {.features = &c->features,
                        .first = 0,
                        .last = c->features.n,
                        .parents = (const int64_t *)(const void *)parents.data,
                        .built = (const int64_t *)(const void *)built.data,
                        .out = room(out, 2 * cells_of(c) * sizeof(int64_t)),
                        .n_parents = k,
                        .n_built = k,
                        .n_out = 2 * k,
                        .sibling = sibling,
                        .siblings = k};
    ops->siblings(context, &job);
    dp_buf_free(&parents);
    dp_buf_free(&built);
}

static TreeScores scores_of(const Case *c, const dp_buf *histogram)
{
    return (TreeScores){.features = &c->features,
                        .first = 0,
                        .last = c->features.n,
                        .histogram = (const int64_t *)(const void *)histogram->data,
                        .nodes = c->shape.nodes,
                        .g_unit = 1.0 / c->shape.levels,
                        .h_unit = 0.25 / c->shape.levels,
                        .l2 = 0.7,
                        .h_least = c->shape.levels / 2 + 1};
}

/* The same where slots are nodes and what stands for their rows by turns; false: there is one node alone. */
static bool few_rows(TreeScores *job)
{
    job->nodes /= 2;
    job->rows_least = 40;
    return job->nodes > 0;
}

/* The soft threshold, and features that rise and fall within bounds that bind now and then. */
typedef struct Bounds {
    double *bounds;
    int8_t *rise;
} Bounds;

static Bounds constrain(TreeScores *job)
{
    Bounds b = {NULL, NULL};
    int features = job->features->id[job->features->n - 1] + 1;
    assert_ok(dp_new(&b.bounds, 2 * (size_t)job->nodes));
    assert_ok(dp_new(&b.rise, (size_t)features));
    for (int k = 0; k < job->nodes; k++) {
        b.bounds[2 * k] = k % 3 == 0 ? -INFINITY : -0.4 + 0.1 * (k % 5);
        b.bounds[2 * k + 1] = k % 4 == 1 ? INFINITY : 0.05 * (k % 7);
    }
    for (int f = 0; f < features; f++)
        b.rise[f] = (int8_t)(f % 3 - 1);
    job->l1 = 0.3;
    job->bounds = b.bounds;
    job->rise = b.rise;
    return b;
}

static void bounds_free(Bounds *b)
{
    dp_free(&b->bounds);
    dp_free(&b->rise);
}

static void do_best_splits(const TreeOps *ops, const DeviceContext *context, const Case *c, dp_buf *out)
{
    dp_buf histogram = {0};
    do_histogram(backend_reference.trees, context, c, &histogram);
    TreeScores job = scores_of(c, &histogram);
    ops->best_splits(context, &job, room(out, (size_t)c->shape.nodes * sizeof(TreeSplit)));
    Bounds bounds = constrain(&job);
    ops->best_splits(context, &job, room(out, (size_t)c->shape.nodes * sizeof(TreeSplit)));
    if (few_rows(&job))
        ops->best_splits(context, &job, room(out, (size_t)job.nodes * sizeof(TreeSplit)));
    bounds_free(&bounds);
    dp_buf_free(&histogram);
}

static void do_level_scores(const TreeOps *ops, const DeviceContext *context, const Case *c, dp_buf *out)
{
    dp_buf histogram = {0};
    size_t n = 2 * (size_t)c->at[c->features.n];
    do_histogram(backend_reference.trees, context, c, &histogram);
    TreeScores job = scores_of(c, &histogram);
    double *total = room(out, (n + 1) * sizeof(double));
    memset(total, 0, (n + 1) * sizeof(double));
    ops->level_scores(context, &job, total, total + n);
    Bounds bounds = constrain(&job);
    for (int few = 0; few < 2; few++) {
        total = room(out, (n + 1) * sizeof(double));
        memset(total, 0, (n + 1) * sizeof(double));
        if (!few || few_rows(&job))
            ops->level_scores(context, &job, total, total + n);
    }
    bounds_free(&bounds);
    dp_buf_free(&histogram);
}

/* Cuts of every kind: by missing alone, by the last bin, missing left and right. */
static TreeCut cut_of(const Case *c, int s)
{
    return (TreeCut){.segment = c->segment[s],
                     .feature = s % c->shape.features,
                     .bin = s % 4 == 0 ? 0 : (s * 5) % c->shape.bins,
                     .missing_right = s % 4 == 0 ? false : s % 2};
}

static void do_partition(const TreeOps *ops, const DeviceContext *context, const Case *c, dp_buf *out)
{
    TreeCut cut[2 * MOST_NODES];
    uint32_t *scratch = NULL, *index = room(out, ((size_t)c->shape.n + TREE_PAD) * sizeof *index);
    assert_ok(dp_new(&scratch, (size_t)c->shape.n + TREE_PAD));
    memcpy(index, c->index, ((size_t)c->shape.n + TREE_PAD) * sizeof *index);
    for (int s = 0; s < c->segments; s++)
        cut[s] = cut_of(c, s);
    TreePartition job = {.bins = &c->bins, .index = index, .scratch = scratch, .cut = cut, .cuts = c->segments};
    ops->partition(context, &job);
    int64_t *left = room(out, (size_t)c->segments * sizeof *left);
    for (int s = 0; s < c->segments; s++)
        left[s] = cut[s].left;
    dp_free(&scratch);
}

/* Leaves by a walk through a tree whose nodes are drawn. */
static void walk(const TreeOps *ops, const DeviceContext *context, const Case *c, bool symmetric, int depth,
                 uint16_t *leaf)
{
    enum { NODES = (1 << 11) - 1 };
    int32_t feature[NODES], bin[NODES];
    uint8_t missing_right[NODES];
    for (int i = 0; i < NODES; i++) {
        feature[i] = i % 5 == 3 ? -1 : (int32_t)(draw(700, i) % (uint64_t)c->shape.features);
        bin[i] = (int32_t)(draw(701, i) % (uint64_t)c->shape.bins);
        missing_right[i] = draw(702, i) & 1;
    }
    TreeWalk job = {.bins = &c->bins,
                    .symmetric = symmetric,
                    .to = c->shape.n / 3,
                    .depth = depth,
                    .feature = feature,
                    .bin = bin,
                    .missing_right = missing_right,
                    .leaf = leaf};
    ops->walk(context, &job); /* in two stretches */
    job.from = job.to;
    job.to = c->shape.n;
    ops->walk(context, &job);
}

static void do_walk(const TreeOps *ops, const DeviceContext *context, const Case *c, dp_buf *out)
{
    static const int depths[] = {1, 4, 8, 9, 11}; /* up to 8 levels all nodes are looked at, below only those held */
    for (size_t i = 0; i < sizeof depths / sizeof *depths; i++) {
        walk(ops, context, c, true, depths[i], room(out, (size_t)c->shape.n * sizeof(uint16_t)));
        walk(ops, context, c, false, depths[i], room(out, (size_t)c->shape.n * sizeof(uint16_t)));
    }
}

static void do_leaves(const TreeOps *ops, const DeviceContext *context, const Case *c, dp_buf *out)
{
    size_t n = (size_t)c->shape.n;
    uint16_t *leaf = NULL;
    int32_t value[16];
    assert_ok(dp_new(&leaf, n));
    walk(backend_reference.trees, context, c, false, 4, leaf);
    Given given;
    for (int way = 0; way < LOSSES; way++) {
        TreeLeafSums sums = {.loss = loss_of(c, way, &given),
                             .g_scale = 0x1p37,
                             .h_scale = 0x1p39,
                             .leaf = leaf,
                             .leaves = 16,
                             .sum = room(out, 48 * sizeof(int64_t))};
        memset(sums.sum, 1, 48 * sizeof(int64_t));
        ops->leaf_sums(context, &sums);
        given_free(&given);
    }
    for (int i = 0; i < 16; i++)
        value[i] = (int32_t)draw(703, i);
    int64_t *margin = room(out, n * sizeof *margin);
    memcpy(margin, c->margin, n * sizeof *margin);
    TreeAddLeaves add = {
        .n = c->shape.n, .part = c->part, .leaf = leaf, .value = value, .leaves = 16, .margin = margin};
    ops->add_leaves(context, &add);
    dp_free(&leaf);
}

/* ---- the comparison ---- */

/* Arguments stay with a device that has memory of its own; one that is given up there has lost them. */
static void hold_case(const TreeOps *ops, const DeviceContext *context, const Case *c)
{
    const size_t n = (size_t)c->shape.n;
    const struct {
        const void *array;
        size_t bytes;
    } held[] = {
        {c->block, n * (size_t)c->shape.features},
        {c->margin, n * sizeof *c->margin},
        {c->label, n},
        {c->part, n},
        {c->row, n * sizeof *c->row},
        {c->pair, n * sizeof *c->pair},
        {c->index, (n + TREE_PAD) * sizeof *c->index},
    };
    for (size_t i = 0; i < sizeof held / sizeof *held; i++) {
        ops->hold(context, held[i].array, held[i].bytes);
        ops->put(context, held[i].array, held[i].bytes);
    }
}

/* One device's bytes against the reference's. threads 3: with arguments held. */
static void check_device(Operation operation, Case *c, const char *name, int threads, const dp_buf *truth)
{
    Device *device = NULL;
    dp_buf mine = {0};
    bool isa = strcmp(name, "scalar") == 0 || strcmp(name, "avx2") == 0;
    if (isa)
        setenv("DIPPER_CPU", name, 1);
    assert_ok(device_open(&device, isa ? "cpu" : name, 0, threads));
    unsetenv("DIPPER_CPU");
    const TreeOps *ops = device_tree_ops(device);
    const DeviceContext *context = device_context(device);
    if (threads == 3)
        hold_case(ops, context, c);
    c->bins.kept = ops->keep(context, &c->bins);
    operation(ops, context, c, &mine);
    assert_false(ops->lost(context));
    ops->drop(context, c->bins.kept);
    assert_int_equal(mine.size, truth->size);
    if (memcmp(mine.data, truth->data, truth->size) != 0)
        fail_msg("%s with %d threads differs at %lld rows x %d features x %d bins", device_describe(device), threads,
                 (long long)c->shape.n, c->shape.features, c->shape.bins);
    dp_buf_free(&mine);
    device_close(&device);
}

static void check_operation(Operation operation)
{
    for (int k = 0; k < SHAPES; k++) {
        Case c;
        dp_buf truth = {0};
        case_draw(&c, &shapes[k]);
        const DeviceContext plain = {.threads = 1};
        operation(backend_reference.trees, &plain, &c, &truth);
        for (int i = 0; i < names_n; i++)
            for (int threads = 1; threads <= 3; threads += 2)
                check_device(operation, &c, names[i], threads, &truth);
        dp_buf_free(&truth);
        case_free(&c);
    }
}

#define AGREES(operation)                                                                                              \
    static void operation##_agrees(void **state)                                                                       \
    {                                                                                                                  \
        (void)state;                                                                                                   \
        check_operation(do_##operation);                                                                               \
    }
AGREES(bin)
AGREES(transpose)
AGREES(sizes)
AGREES(gradients)
AGREES(list)
AGREES(histogram)
AGREES(siblings)
AGREES(best_splits)
AGREES(level_scores)
AGREES(partition)
AGREES(walk)
AGREES(leaves)

int main(int argc, char **argv)
{
    static const char *cpu[] = {"cpu", "avx2", "scalar", "cuda"};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bin_agrees),       cmocka_unit_test(transpose_agrees),   cmocka_unit_test(sizes_agrees),
        cmocka_unit_test(gradients_agrees), cmocka_unit_test(list_agrees),        cmocka_unit_test(histogram_agrees),
        cmocka_unit_test(siblings_agrees),  cmocka_unit_test(best_splits_agrees), cmocka_unit_test(level_scores_agrees),
        cmocka_unit_test(partition_agrees), cmocka_unit_test(walk_agrees),        cmocka_unit_test(leaves_agrees),
    };
    names = argc > 1 ? (const char **)argv + 1 : cpu;
    names_n = argc > 1 ? argc - 1 : check_card() ? 4 : 3;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
