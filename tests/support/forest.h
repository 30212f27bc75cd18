/* tests/support/forest.h -- random forests, inputs and rows for the tests of what reads and runs models. */
#ifndef DIPPER_TEST_FOREST_H
#define DIPPER_TEST_FOREST_H

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "model/model_priv.h"
#include "trees/trees.h"

enum { FOREST_SEED = 7 };

static inline int forest_pick(uint64_t stream, uint64_t item, int n)
{
    return (int)dp_random_below(FOREST_SEED, stream, item, (uint64_t)n);
}

static inline void forest_must(dp_status st)
{
    if (st != DP_OK) {
        fprintf(stderr, "%s\n", dp_error_last()->text);
        abort();
    }
}

/* Features 0, 3, 6 ... have few borders (as counts have), others many, every eighth none. Some nodes do not split, some
 * split by missing alone, some leaves cover nothing. */
static inline TreesModel forest_make(TreesGrowth growth, int features, int trees, int depth, uint64_t seed)
{
    TreesModel m = {
        .n_features = features, .n_trees = trees, .depth = depth, .growth = growth, .outputs = 1, .bias = {-3300000}};
    uint64_t item = 0;
    forest_must(dp_new(&m.border_at, (size_t)features + 1));
    forest_must(dp_new(&m.border, (size_t)features * (TREES_MAX_BINS - 2)));
    for (int f = 0; f < features; f++) {
        int n = f % 8 == 7 ? 0 : f % 3 == 0 ? 1 + forest_pick(seed, item++, 7) : 1 + forest_pick(seed, item++, 254);
        m.border_at[f + 1] = m.border_at[f] + n;
        for (int i = 0; i < n; i++)
            m.border[m.border_at[f] + i] = (float)(i - n / 2) * 0.0137f * (float)(f + 1);
    }
    forest_must(dp_new(&m.tree_depth, (size_t)trees));
    for (int t = 0; t < trees; t++)
        m.tree_depth[t] = t % 7 == 3 ? depth / 2 : depth;
    if (trees > 0)
        m.tree_depth[0] = depth;
    forest_must(trees_model_lay_out(&m));
    int64_t nodes = m.node_at[trees], leaves = m.leaf_at[trees];
    forest_must(dp_new(&m.node_feature, (size_t)nodes));
    forest_must(dp_new(&m.node_border, (size_t)nodes));
    forest_must(dp_new(&m.node_missing_right, (size_t)nodes));
    forest_must(dp_new(&m.leaf, (size_t)leaves));
    forest_must(dp_new(&m.cover, (size_t)leaves));
    for (int64_t i = 0; i < nodes; i++) {
        int f = forest_pick(seed, item++, features + 1) - 1, n = f < 0 ? 0 : m.border_at[f + 1] - m.border_at[f];
        m.node_feature[i] = f;
        m.node_border[i] = f < 0 ? -1 : m.border_at[f] - 1 + forest_pick(seed, item++, n + 1);
        m.node_missing_right[i] = f >= 0 && forest_pick(seed, item++, 3) == 0;
    }
    for (int64_t i = 0; i < leaves; i++) {
        m.leaf[i] = forest_pick(seed, item++, 400001) - 200000;
        m.cover[i] = forest_pick(seed, item++, 9) == 0 ? 0 : 1 + forest_pick(seed, item++, 1000);
    }
    return m;
}

/* Rows that touch every rule: values on borders and one step beside them, missing, both zeros, infinities, denormals.
 */
static inline float *forest_rows(const TreesModel *m, int64_t n, int64_t stride, uint64_t seed)
{
    float *x = NULL;
    forest_must(dp_new(&x, (size_t)(n * stride)));
    static const float odd[] = {0.0f, -0.0f, INFINITY, -INFINITY, FLT_MIN / 4, -FLT_MIN / 4, FLT_MAX, 1e-45f};
    for (int64_t i = 0; i < n; i++)
        for (int64_t f = 0; f < stride; f++) {
            uint64_t item = (uint64_t)(i * stride + f) * 4;
            int borders = f < m->n_features ? m->border_at[f + 1] - m->border_at[f] : 0;
            int how = forest_pick(seed, item, 10);
            float *v = &x[i * stride + f];
            if (how == 0 || f >= m->n_features)
                *v = NAN;
            else if (how == 1)
                *v = odd[forest_pick(seed, item + 1, 8)];
            else if (how < 5 && borders > 0) {
                *v = m->border[m->border_at[f] + forest_pick(seed, item + 1, borders)];
                *v = how == 2 ? *v : nextafterf(*v, how == 3 ? INFINITY : -INFINITY);
            } else
                *v = (float)(dp_random_unit(seed, 77, item + 2) - 0.5) * 4.0f * (float)(f + 1);
        }
    return x;
}

/* Inputs "number_0", "category_1", ...: every third is a category with a table of `categories` texts. */
static inline DataInputs forest_inputs(int n, int categories)
{
    DataInputs inputs = {.n = n, .columns = n};
    char text[64];
    forest_must(dp_new(&inputs.input, (size_t)n));
    for (int j = 0; j < n; j++) {
        DataInput *in = &inputs.input[j];
        bool category = j % 3 == 1;
        snprintf(text, sizeof text, "%s_%d", category ? "category" : "number", j);
        forest_must(dp_copy_text(&in->name, text));
        in->type = category ? LAKE_CATEGORY : j % 2 ? LAKE_NUMBER : LAKE_NUMBER32;
        if (j % 4 == 0)
            forest_must(dp_copy_text(&in->unit, "kg"));
        in->encode = category ? DATA_TARGET : DATA_PLAIN;
        in->missing = category ? 0.041f : NAN;
        in->unseen = category ? 0.039f : NAN;
        if (!category)
            continue;
        in->n = categories;
        forest_must(dp_new(&in->text_at, (size_t)categories + 1));
        forest_must(dp_new(&in->value, (size_t)categories));
        forest_must(dp_new(&in->text, (size_t)categories * 16 + 1));
        for (int k = 0; k < categories; k++) {
            int size = snprintf(text, sizeof text, "%06d\xc3\xa9", k * 37);
            memcpy(in->text + in->text_at[k], text, (size_t)size);
            in->text_at[k + 1] = in->text_at[k] + size;
            in->value[k] = (float)forest_pick(500, (uint64_t)(j * 1000 + k), 1000) * 0.001f;
        }
    }
    return inputs;
}

/* Turns the last n inputs into combinations of the first categories: one of one, one of two, ... */
static inline void forest_combine(DataInputs *inputs, int n, int entries)
{
    char text[64];
    inputs->columns = inputs->n - n;
    for (int k = 0; k < n; k++) {
        DataInput *in = &inputs->input[inputs->columns + k];
        uint64_t keys = 1;
        dp_free(&in->name);
        dp_free(&in->unit);
        dp_free(&in->text_at);
        dp_free(&in->text);
        dp_free(&in->value);
        *in = (DataInput){.type = LAKE_CATEGORY, .encode = DATA_COMBINED, .parts = k % DATA_PARTS + 1};
        snprintf(text, sizeof text, "combination %d", k);
        forest_must(dp_copy_text(&in->name, text));
        for (int j = 0, p = 0; p < in->parts; j++)
            if (inputs->input[j].encode == DATA_TARGET) {
                in->part[p++] = j;
                keys *= (uint64_t)inputs->input[j].n + 1;
            }
        in->n = (int64_t)keys / 2 < entries ? (int64_t)keys / 2 : entries;
        in->missing = in->unseen = 0.043f;
        forest_must(dp_new(&in->key, (size_t)in->n));
        forest_must(dp_new(&in->value, (size_t)in->n));
        for (int64_t i = 0; i < in->n; i++) {
            in->key[i] = keys / (uint64_t)in->n * (uint64_t)i + (uint64_t)forest_pick(502, (uint64_t)i, 2);
            in->value[i] = (float)forest_pick(501, (uint64_t)(k * 1000 + i), 1000) * 0.001f;
        }
    }
}

/* The bytes of a model file with these trees and inputs, as training would have made it. */
static inline void forest_arrays(ModelArrays *arrays, const TreesModel *m, const DataInputs *inputs)
{
    int64_t nodes = m->node_at[m->n_trees], leaves = m->leaf_at[m->n_trees];
    arrays->n = 0;
    forest_must(model_arrays_put(arrays, "trees.bias", TENSOR_I64, m->bias, 1));
    forest_must(model_arrays_put(arrays, "trees.growth", TENSOR_U8, m->growth == TREES_SYMMETRIC ? "\0" : "\1", 1));
    forest_must(model_arrays_put(arrays, "trees.border_at", TENSOR_I32, m->border_at, m->n_features + 1));
    forest_must(model_arrays_put(arrays, "trees.border", TENSOR_F32, m->border, m->border_at[m->n_features]));
    forest_must(model_arrays_put(arrays, "trees.depth", TENSOR_I32, m->tree_depth, m->n_trees));
    forest_must(model_arrays_put(arrays, "trees.node_feature", TENSOR_I32, m->node_feature, nodes));
    forest_must(model_arrays_put(arrays, "trees.node_border", TENSOR_I32, m->node_border, nodes));
    forest_must(model_arrays_put(arrays, "trees.node_missing_right", TENSOR_U8, m->node_missing_right, nodes));
    forest_must(model_arrays_put(arrays, "trees.leaf", TENSOR_I32, m->leaf, leaves));
    forest_must(model_arrays_put(arrays, "trees.cover", TENSOR_I64, m->cover, leaves));
    forest_must(model_inputs_put(inputs, arrays));
}

static inline dp_digest forest_image(dp_buf *image, const TreesModel *m, const DataInputs *inputs,
                                     const char *provenance)
{
    ModelArrays arrays;
    dp_digest payload;
    forest_arrays(&arrays, m, inputs);
    forest_must(model_arrays_digest(&arrays, &payload));
    forest_must(model_file_write(image, "trees", &arrays, &payload, provenance));
    model_arrays_free(&arrays);
    return payload;
}

#endif
