/* RUN np=1 quick -- margins of whole models are the reference's bits on every backend: from rows, columns and bins, of
 * memory that the device holds or that comes to it piece by piece. With arguments: names of backends ("cuda") in place
 * of the processor's and the played card's. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "device/device.h"
#include "forest.h"

/* A forest, and how many rows it is asked about. Depth 9 is past a byte of leaf, 12 past what a block of threads keeps
 * together; 700 features are more than it has room for. 140,001 rows go in three pieces. */
typedef struct Shape {
    int64_t rows;
    int features, trees, depth;
} Shape;
static const Shape shapes[] = {{1, 3, 2, 2},     {333, 33, 70, 6},  {70, 130, 60, 5}, {257, 20, 5, 9},
                               {65, 16, 3, 12},  {40, 700, 9, 7},   {9, 3, 1, 0},     {9, 3, 0, 0},
                               {9001, 7, 10, 6}, {140001, 2, 3, 3}, {64, 400, 30, 8}};

/* The same numbers as rows, and as columns of which the first `before` rows are others. */
enum { BEFORE = 3 };
typedef struct Case {
    TreesModel model;
    int64_t n, stride;
    float *x, *values;
    const float **value; /* [features] */
    uint8_t *bins;
    const uint8_t **bin; /* of the features that the model asks about */
    int used;
} Case;

static void case_make(Case *c, const Shape *shape, TreesGrowth growth)
{
    *c = (Case){.n = shape->rows, .stride = shape->features + 2};
    const int64_t pitch = c->n + BEFORE;
    c->model = forest_make(growth, shape->features, shape->trees, shape->depth, 5);
    c->x = forest_rows(&c->model, c->n, c->stride, 17);
    assert_ok(dp_new(&c->values, (size_t)(pitch * shape->features)));
    assert_ok(dp_new(&c->value, (size_t)shape->features));
    assert_ok(dp_new(&c->bins, (size_t)(c->n * shape->features)));
    assert_ok(dp_new(&c->bin, (size_t)shape->features));
    for (int f = 0; f < shape->features; f++) {
        for (int64_t i = 0; i < c->n; i++)
            c->values[f * pitch + BEFORE + i] = c->x[i * c->stride + f];
        c->value[f] = c->values + f * pitch;
    }
}

static void case_free(Case *c)
{
    trees_model_free(&c->model);
    dp_free(&c->x);
    dp_free(&c->values);
    dp_free(&c->value);
    dp_free(&c->bins);
    dp_free(&c->bin);
}

/* Bins by the reference, of the features that are asked about: columns at odd places. */
static void bin_case(Case *c, const TreesScorer *scorer)
{
    const int32_t *feature = trees_scorer_features(scorer, &c->used);
    for (int k = 0; k < c->used; k++) {
        uint8_t *to = c->bins + k * c->n;
        trees_scorer_bin(scorer, k, c->value[feature[k]] + BEFORE, c->n, to);
        c->bin[k] = to;
    }
}

static void margins_of(int form, const TreesScorer *scorer, const Case *c, int64_t *margin)
{
    memset(margin, 0x5A, (size_t)c->n * sizeof *margin);
    if (form == 0)
        trees_margins(scorer, c->x, c->n, c->stride, margin);
    else if (form == 1)
        trees_margins_columns(scorer, c->value, BEFORE, c->n, margin);
    else
        trees_margins_bins(scorer, c->bin, c->n, margin);
}

/* What a device may hold: nothing, what is read, what is written, both. */
enum { HOLD_INPUT = 1, HOLD_MARGIN = 2, HOLDS = 4 };

static void check_held(const Device *device, const TreesScorer *scorer, const Case *c, int holds, const int64_t *truth)
{
    const TreeOps *ops = device_tree_ops(device);
    const DeviceContext *context = device_context(device);
    const struct {
        void *array;
        size_t bytes;
        int when;
    } held[] = {{c->x, (size_t)(c->n * c->stride) * sizeof *c->x, HOLD_INPUT},
                {c->values, (size_t)((c->n + BEFORE) * c->model.n_features) * sizeof *c->values, HOLD_INPUT},
                {c->bins, (size_t)(c->n * c->model.n_features), HOLD_INPUT},
                {NULL, (size_t)c->n * sizeof *truth, HOLD_MARGIN}};
    int64_t *margin = NULL;
    assert_ok(dp_new(&margin, (size_t)c->n));
    for (size_t i = 0; i < sizeof held / sizeof *held; i++)
        if (holds & held[i].when) {
            ops->hold(context, held[i].array ? held[i].array : margin, held[i].bytes);
            ops->put(context, held[i].array ? held[i].array : margin, held[i].bytes);
        }
    for (int form = 0; form < 3; form++) {
        margins_of(form, scorer, c, margin);
        ops->fetch(context, margin, (size_t)c->n * sizeof *margin);
        if (memcmp(margin, truth, (size_t)c->n * sizeof *margin) != 0)
            fail_msg("%s differs: form %d, held %d, %lld rows x %d features, %d trees of depth %d, growth %d",
                     device_describe(device), form, holds, (long long)c->n, c->model.n_features, c->model.n_trees,
                     c->model.depth, (int)c->model.growth);
    }
    assert_false(ops->lost(context));
    for (size_t i = 0; i < sizeof held / sizeof *held; i++)
        if (holds & held[i].when)
            ops->release(context, held[i].array ? held[i].array : margin);
    dp_free(&margin);
}

static const char **names;
static int names_n;

static void check_case(Case *c, Device *reference)
{
    TreesScorer *scorer = NULL;
    int64_t *truth = NULL;
    assert_ok(dp_new(&truth, (size_t)c->n));
    assert_ok(trees_scorer_build(&scorer, &c->model, reference));
    bin_case(c, scorer);
    margins_of(0, scorer, c, truth);
    trees_scorer_free(&scorer);
    for (int i = 0; i < names_n; i++) {
        Device *device = NULL;
        assert_ok(device_open(&device, names[i], 0, 1));
        assert_ok(trees_scorer_build(&scorer, &c->model, device));
        for (int holds = 0; holds < HOLDS; holds++)
            check_held(device, scorer, c, holds, truth);
        trees_scorer_free(&scorer);
        device_close(&device);
    }
    dp_free(&truth);
}

static void margins_agree(void **state)
{
    (void)state;
    Device *reference = NULL;
    assert_ok(device_open(&reference, "reference", 0, 1));
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++)
        for (int growth = TREES_SYMMETRIC; growth <= TREES_DEPTHWISE; growth++) {
            Case c;
            case_make(&c, &shapes[k], (TreesGrowth)growth);
            check_case(&c, reference);
            case_free(&c);
        }
    device_close(&reference);
}

int main(int argc, char **argv)
{
    static const char *both[] = {"cpu", "cuda"};
    const struct CMUnitTest tests[] = {cmocka_unit_test(margins_agree)};
    names = argc > 1 ? (const char **)argv + 1 : both;
    names_n = argc > 1 ? argc - 1 : check_card() ? 2 : 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
