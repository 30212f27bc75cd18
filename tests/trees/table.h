/* tests/trees/table.h -- a seeded table for the tests of training (made without libm: the same bits everywhere), dealt
 * out over ranks in any way, and a digest of all learned arrays. */
#ifndef DIPPER_TEST_TREES_TABLE_H
#define DIPPER_TEST_TREES_TABLE_H

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "base/rng.h"
#include "comm/comm.h"
#include "device/tree_math.h"
#include "trees/trees.h"

/* Columns of floats with labels that depend on some of them. */
typedef struct Table {
    int64_t n;
    int features;
    float *value; /* [features][n] */
    int8_t *label;
    double *target;    /* a number that depends on the same columns */
    uint8_t *class_id; /* 0 .. TABLE_CLASSES - 1, as above */
    double *weight;    /* of a row; handed to the training where the way says so */
    uint8_t *part;
    uint64_t *row;
    uint64_t *group; /* of ranking: of very unlike sizes */
} Table;

enum { TABLE_CLASSES = 4 };

/* How a learning is done: all that must not matter. */
typedef struct Way {
    const char *device;
    const char *isa; /* DIPPER_CPU; NULL: the best */
    int threads;
    int order; /* 0: as drawn, else a seeded shuffle */
    int deal;  /* DEAL_BLOCKS: equal blocks of rows; 1: row i to rank i % size; 2: the last rank gets none; DEAL_ALL */
    bool weighted;
    int classes; /* 0: TABLE_CLASSES */
    TreesOptions options;
    TreesLimits limits;
} Way;
enum { DEAL_BLOCKS = 0, DEAL_ROUND = 1, DEAL_LAST_EMPTY = 2, DEAL_ALL = 3 };

static inline float table_value(uint64_t seed, int f, uint64_t row)
{
    double u = dp_random_unit(seed, (uint64_t)f + 100, row), v = dp_random_unit(seed, (uint64_t)f + 5000, row);
    switch (f % 6) {
    case 0:
        return (float)u;
    case 1: /* heavy tail, with missing values */
        return v < 0.2 ? NAN : (float)(1 / (0.0025 + u));
    case 2: /* few values */
        return (float)(int)(u * 7);
    case 3: /* both signs, zeros of both signs */
        return v < 0.1 ? -0.0F : v < 0.2 ? 0.0F : (float)(u - 0.5);
    case 4: /* constant */
        return 3;
    default: /* one value very often, now and then infinite */
        return v < 0.5 ? 1 : v < 0.52 ? INFINITY : v < 0.53 ? -INFINITY : (float)(int)(1000 * u);
    }
}

static inline void table_draw(Table *table, int64_t n, int features, uint64_t seed)
{
    memset(table, 0, sizeof *table);
    table->n = n;
    table->features = features;
    assert_ok(dp_new(&table->value, (size_t)(n * features)));
    assert_ok(dp_new(&table->label, (size_t)n));
    assert_ok(dp_new(&table->target, (size_t)n));
    assert_ok(dp_new(&table->class_id, (size_t)n));
    assert_ok(dp_new(&table->weight, (size_t)n));
    assert_ok(dp_new(&table->part, (size_t)n));
    assert_ok(dp_new(&table->row, (size_t)n));
    assert_ok(dp_new(&table->group, (size_t)n));
    for (int64_t i = 0; i < n; i++) {
        uint64_t row = (uint64_t)i * 7919 + 13;
        for (int f = 0; f < features; f++)
            table->value[f * n + i] = table_value(seed, f, row);
        double z = 3 * table->value[i] - 3, v = features > 1 ? table->value[n + i] : 0;
        z += isnan(v) ? 1.5 : v > 50 ? 1 : -1;
        z += features > 2 && (int)table->value[2 * n + i] == 3 ? 2 : 0;
        table->label[i] = dp_random_unit(seed, 1, row) < tree_sigmoid(z);
        double level = z + 2 * dp_random_unit(seed, 4, row);
        table->class_id[i] = (uint8_t)((level > -2) + (level > 0) + (level > 2));
        table->target[i] = 1e6 + 1000 * (z + dp_random_unit(seed, 2, row));
        table->weight[i] = (double)dp_random_below(seed, 3, row, 5) * 0.75;
        table->part[i] = (uint8_t)(i % 9 == 0 ? 1 : i % 31 == 0 ? 2 : 0);
        table->row[i] = row;
        table->group[i] = tree_mix(7, dp_random_below(seed, 4, row, 1 + dp_random_below(seed, 5, row, 60)));
    }
}

static inline void table_free(Table *table)
{
    dp_free(&table->value);
    dp_free(&table->label);
    dp_free(&table->target);
    dp_free(&table->class_id);
    dp_free(&table->weight);
    dp_free(&table->part);
    dp_free(&table->row);
    dp_free(&table->group);
}

/* This rank's rows of the table in the way's order; out is a table of its own. */
static inline void table_deal(Table *out, const Table *all, const Way *way, const Comm *comm)
{
    int64_t *order = NULL, size = comm_size(comm), rank = comm_rank(comm), n = all->n, mine = 0;
    assert_ok(dp_new(&order, (size_t)n));
    for (int64_t i = 0; i < n; i++)
        order[i] = i;
    for (int64_t i = n - 1; i > 0 && way->order > 0; i--) {
        int64_t j = (int64_t)dp_random_below((uint64_t)way->order, 9, (uint64_t)i, (uint64_t)i + 1), swap = order[i];
        order[i] = order[j];
        order[j] = swap;
    }
    memset(out, 0, sizeof *out);
    out->features = all->features;
    assert_ok(dp_new(&out->value, (size_t)(n * all->features)));
    assert_ok(dp_new(&out->label, (size_t)n));
    assert_ok(dp_new(&out->target, (size_t)n));
    assert_ok(dp_new(&out->class_id, (size_t)n));
    assert_ok(dp_new(&out->weight, (size_t)n));
    assert_ok(dp_new(&out->part, (size_t)n));
    assert_ok(dp_new(&out->row, (size_t)n));
    assert_ok(dp_new(&out->group, (size_t)n));
    int64_t takers = way->deal == DEAL_LAST_EMPTY && size > 1 ? size - 1 : size;
    for (int64_t i = 0; i < n; i++) {
        int64_t to = way->deal == DEAL_ROUND ? i % size : i * takers / n;
        if (to != rank && way->deal != DEAL_ALL)
            continue;
        for (int f = 0; f < all->features; f++)
            out->value[f * n + mine] = all->value[f * n + order[i]];
        out->label[mine] = all->label[order[i]];
        out->target[mine] = all->target[order[i]];
        out->class_id[mine] = all->class_id[order[i]];
        out->weight[mine] = all->weight[order[i]];
        out->part[mine] = all->part[order[i]];
        out->group[mine] = all->group[order[i]];
        out->row[mine++] = all->row[order[i]];
    }
    for (int f = 1; f < all->features; f++)
        memmove(out->value + f * mine, out->value + f * n, (size_t)mine * sizeof *out->value);
    out->n = mine;
    dp_free(&order);
}

/* ---- a training on it ---- */

typedef struct Learning {
    Table mine;
    Device *device;
    TreesMatrix *matrix;
    TreesTraining *training;
} Learning;

/* How the training's beginning ended; the rest of it must go well. */
static inline dp_status learning_try(Learning *learning, const Table *table, const Way *way, const Comm *comm)
{
    memset(learning, 0, sizeof *learning);
    if (way->isa)
        setenv("DIPPER_CPU", way->isa, 1);
    assert_ok(device_open(&learning->device, way->device, 0, way->threads));
    unsetenv("DIPPER_CPU");
    table_deal(&learning->mine, table, way, comm);
    Table *t = &learning->mine;
    uint8_t *use = NULL;
    assert_ok(dp_new(&use, (size_t)t->n));
    for (int64_t i = 0; i < t->n; i++)
        use[i] = t->part[i] == 0;
    assert_ok(trees_matrix_build_within(&learning->matrix, t->n, t->features, (int)way->options.bins, learning->device,
                                        &way->limits));
    for (int f = 0; f < t->features; f++)
        if (way->options.from)
            trees_matrix_set_as(learning->matrix, f, t->value + f * t->n, use, way->options.from, comm);
        else
            assert_ok(trees_matrix_set(learning->matrix, f, t->value + f * t->n, use, comm));
    dp_free(&use);
    TreesRows rows = {.n = t->n,
                      .label = t->label,
                      .target = t->target,
                      .class_id = t->class_id,
                      .classes = way->classes ? way->classes : TABLE_CLASSES,
                      .weight = way->weighted ? t->weight : NULL,
                      .part = t->part,
                      .group = t->group,
                      .row = t->row};
    return trees_training_begin(&learning->training, learning->matrix, &rows, &way->options, 42, learning->device,
                                comm);
}

static inline void learning_begin(Learning *learning, const Table *table, const Way *way, const Comm *comm)
{
    assert_ok(learning_try(learning, table, way, comm));
}

/* Up to `steps` trees; returns how many grew. */
static inline int learning_steps(Learning *learning, int steps, const Comm *comm)
{
    bool grew = true;
    int n = 0;
    for (; n < steps && grew; n += grew)
        assert_ok(trees_training_step(learning->training, &grew, comm));
    return n;
}

static inline void learning_free(Learning *learning)
{
    trees_training_free(&learning->training);
    trees_matrix_free(&learning->matrix);
    device_close(&learning->device);
    table_free(&learning->mine);
}

static inline void hash_array(dp_hash *hash, const void *data, int64_t n, size_t size)
{
    if (n > 0)
        assert_ok(dp_hash_add(hash, data, (size_t)n * size));
}

static inline dp_digest model_digest(const TreesModel *m)
{
    dp_hash *hash = NULL;
    dp_digest digest;
    int32_t head[4] = {m->n_features, m->n_trees, m->depth, (int32_t)m->growth}, more[2] = {(int32_t)m->loss, m->scale};
    int64_t nodes = m->n_trees ? m->node_at[m->n_trees] : 0, leaves = m->n_trees ? m->leaf_at[m->n_trees] : 0;
    assert_ok(dp_hash_start(&hash));
    hash_array(hash, head, 4, sizeof *head);
    if (m->loss != TREES_LOGLOSS) /* digests of the log-loss are older than this */
        hash_array(hash, more, 2, sizeof *more);
    hash_array(hash, m->bias, m->outputs, sizeof *m->bias);
    hash_array(hash, m->border_at, m->n_features + 1, sizeof *m->border_at);
    hash_array(hash, m->border, m->border_at[m->n_features], sizeof *m->border);
    hash_array(hash, m->tree_depth, m->n_trees, sizeof *m->tree_depth);
    hash_array(hash, m->node_feature, nodes, sizeof *m->node_feature);
    hash_array(hash, m->node_border, nodes, sizeof *m->node_border);
    hash_array(hash, m->node_missing_right, nodes, sizeof *m->node_missing_right);
    hash_array(hash, m->leaf, leaves, sizeof *m->leaf);
    hash_array(hash, m->cover, leaves, sizeof *m->cover);
    assert_ok(dp_hash_end(&hash, &digest));
    return digest;
}

#endif
