/* Exact path-dependent SHAP of the margin.
 *
 * A leaf of value v lies behind a path whose nodes split by M distinct features. For feature i of the path let o_i be 1
 * where the row takes every turn that the path takes at i, else 0, and z_i the share of train rows that take them. The
 * leaf gives feature i
 *     v (o_i - z_i) * integral over y in 0 .. 1 of the product over j != i of (o_j y + z_j (1 - y)):
 * the subset weights k!(M-1-k)!/M! of Lundberg, Erion, Lee (arXiv:1802.03888) are beta integrals. The integrand is a
 * polynomial of degree M - 1 <= 15 in y, which 8 Gauss-Legendre nodes integrate exactly, and a sum of products of
 * numbers in 0 .. 1: nothing cancels and nothing is divided by.
 *
 * What a leaf gives depends on the row only through the bits o, so it is computed once per (leaf, bits) and remembered
 * while a tree is applied to a block of rows; in a symmetric tree the bits of all leaves follow from the leaf reached,
 * so the whole tree is remembered per leaf reached. Trees are outermost, rows innermost; a row's sums are formed in the
 * same order in any block.
 *
 * Conventions: a node that no train row reached shares half and half; a node that does not split is no player. */
#include "trees/scorer_priv.h"

#include <math.h>
#include <string.h>

enum { NODES = 8, ROWS = 16384, REMEMBER_DEPTH = 8 };

/* Gauss-Legendre on 0 .. 1, symmetric around 1/2. Source: Abramowitz and Stegun, table 25.4. */
static const double place[NODES] = {0.01985507175123188, 0.10166676129318664, 0.2372337950418355, 0.4082826787521751,
                                    0.5917173212478249,  0.7627662049581645,  0.8983332387068134, 0.9801449282487681};
static const double mass[NODES] = {0.05061426814518813, 0.11119051722668724, 0.15685332293894363, 0.1813418916891810,
                                   0.1813418916891810,  0.15685332293894363, 0.11119051722668724, 0.05061426814518813};

/* The path to a leaf, turns at the same feature merged. */
typedef struct Path {
    int32_t feature[TREES_MAX_DEPTH];
    double share[TREES_MAX_DEPTH]; /* z */
    double value;                  /* of the leaf, as margin */
    int n;                         /* features; -1: behind a node that does not split, never reached */
} Path;

/* One tree, prepared; buffers are for the deepest tree of the model. */
typedef struct Tree {
    const TreesModel *m;
    int32_t t;
    int depth;
    int64_t leaves;
    double *cover;                   /* [2 * leaves - 1] heap order, leaves last */
    int8_t *slot;                    /* [leaves - 1] the place of a node's feature in the paths through it */
    Path *path;                      /* [leaves] */
    uint32_t *turns;                 /* [2 * leaves - 1] of one row: the bits o of the path so far */
    double *given;                   /* remembered contributions, TREES_MAX_DEPTH for each key */
    uint8_t *is_given;               /* [keys] */
    int32_t player[TREES_MAX_DEPTH]; /* symmetric: the features of the tree */
    int players;
} Tree;

static int64_t node_of(const Tree *tree, int64_t heap, int level)
{
    return tree->m->node_at[tree->t] + (tree->m->growth == TREES_SYMMETRIC ? level : heap);
}

static void sum_covers(Tree *tree)
{
    const int64_t *cover = tree->m->cover + tree->m->leaf_at[tree->t];
    for (int64_t i = 0; i < tree->leaves; i++)
        tree->cover[tree->leaves - 1 + i] = (double)cover[i];
    int level = tree->depth - 1;
    for (int64_t i = tree->leaves - 2; i >= 0; i--) {
        while (level > 0 && i < (INT64_C(1) << level) - 1)
            level--;
        bool splits = tree->m->node_feature[node_of(tree, i, level)] >= 0;
        tree->cover[i] = tree->cover[2 * i + 1] + (splits ? tree->cover[2 * i + 2] : 0);
    }
}

static double share_of(const Tree *tree, int64_t heap, int64_t child)
{
    return tree->cover[heap] > 0 ? tree->cover[child] / tree->cover[heap] : 0.5;
}

/* Walks to the leaf, merging turns at the same feature. */
static void build_path(Tree *tree, int64_t leaf)
{
    Path *path = &tree->path[leaf];
    int64_t heap = 0;
    path->n = 0;
    path->value = ldexp((double)tree->m->leaf[tree->m->leaf_at[tree->t] + leaf], -TREES_LEAF_BITS);
    for (int level = 0; level < tree->depth; level++) {
        int right = (int)(leaf >> (tree->depth - 1 - level)) & 1;
        int64_t child = 2 * heap + 1 + right;
        int32_t f = tree->m->node_feature[node_of(tree, heap, level)];
        if (f < 0) {
            if (right) {
                path->n = -1;
                return;
            }
        } else {
            int k = 0;
            while (k < path->n && path->feature[k] != f)
                k++;
            if (k == path->n) {
                path->feature[path->n] = f;
                path->share[path->n++] = 1;
            }
            path->share[k] *= share_of(tree, heap, child);
            tree->slot[heap] = (int8_t)k;
        }
        heap = child;
    }
}

/* The keys of what is remembered: the leaf reached (symmetric), or leaf and bits. 0: nothing is. */
static int64_t keys_of(const TreesModel *m, int depth)
{
    if (m->growth == TREES_SYMMETRIC)
        return INT64_C(1) << depth;
    return depth <= REMEMBER_DEPTH ? INT64_C(1) << 2 * depth : 0;
}

static void prepare(Tree *tree, const TreesModel *m, int32_t t)
{
    tree->m = m;
    tree->t = t;
    tree->depth = m->tree_depth[t];
    tree->leaves = INT64_C(1) << tree->depth;
    sum_covers(tree);
    memset(tree->slot, 0, (size_t)tree->leaves); /* nodes that no path reaches keep it */
    for (int64_t leaf = 0; leaf < tree->leaves; leaf++)
        build_path(tree, leaf);
    if (keys_of(m, tree->depth) > 0)
        memset(tree->is_given, 0, (size_t)keys_of(m, tree->depth));
    /* In a symmetric tree every path that is reached holds the same features, that of leaf 0 in order. */
    tree->players = tree->path[0].n;
    memcpy(tree->player, tree->path[0].feature, sizeof tree->player);
}

/* out[k] for the features of the path, given the bits o. */
static void leaf_gives(const Path *path, uint32_t bits, double *out)
{
    double before[TREES_MAX_DEPTH][NODES], after[NODES];
    int n = path->n;
    for (int q = 0; q < NODES; q++)
        after[q] = mass[q];
    for (int k = 0; k < n; k++) { /* products of the factors before k, the mass among them */
        double o = bits >> k & 1, z = path->share[k];
        for (int q = 0; q < NODES; q++) {
            before[k][q] = after[q];
            after[q] *= o * place[q] + z * (1 - place[q]);
        }
    }
    for (int q = 0; q < NODES; q++)
        after[q] = 1;
    for (int k = n - 1; k >= 0; k--) {
        double o = bits >> k & 1, z = path->share[k], sum = 0;
        for (int q = 0; q < NODES; q++) {
            sum += before[k][q] * after[q];
            after[q] *= o * place[q] + z * (1 - place[q]);
        }
        out[k] = path->value * (o - z) * sum;
    }
}

/* The bits of every leaf for one row, top down. Bits of slots that a path lacks stay 1. */
static void take_turns(Tree *tree, const float *row)
{
    tree->turns[0] = (1u << tree->depth) - 1;
    int64_t heap = 0;
    for (int level = 0; level < tree->depth; level++)
        for (int64_t end = heap + (INT64_C(1) << level); heap < end; heap++) {
            uint32_t bits = tree->turns[heap];
            int64_t node = node_of(tree, heap, level);
            uint32_t slot = tree->m->node_feature[node] < 0 ? 0 : 1u << tree->slot[heap];
            bool right = trees_goes_right(tree->m, node, row);
            tree->turns[2 * heap + 1] = right ? bits & ~slot : bits;
            tree->turns[2 * heap + 2] = right ? bits : bits & ~slot;
        }
}

static void explain_depthwise(Tree *tree, const float *row, double *phi)
{
    double fresh[TREES_MAX_DEPTH];
    take_turns(tree, row);
    for (int64_t leaf = 0; leaf < tree->leaves; leaf++) {
        const Path *path = &tree->path[leaf];
        uint32_t bits = tree->turns[tree->leaves - 1 + leaf];
        double *gives = fresh;
        if (path->n <= 0)
            continue;
        if (tree->depth <= REMEMBER_DEPTH) {
            int64_t key = leaf << tree->depth | bits;
            gives = tree->given + key * tree->depth;
            if (!tree->is_given[key])
                leaf_gives(path, bits, gives);
            tree->is_given[key] = 1;
        } else {
            leaf_gives(path, bits, gives);
        }
        for (int k = 0; k < path->n; k++)
            phi[path->feature[k]] += gives[k];
    }
}

/* All leaves at once for the rows that reach `reached`. */
static void symmetric_gives(Tree *tree, int64_t reached, double *out)
{
    double gives[TREES_MAX_DEPTH];
    for (int k = 0; k < tree->players; k++)
        out[k] = 0;
    for (int64_t leaf = 0; leaf < tree->leaves; leaf++) {
        uint32_t bits = (1u << tree->depth) - 1;
        if (tree->path[leaf].n <= 0)
            continue;
        for (int level = 0; level < tree->depth; level++)
            if ((leaf ^ reached) >> (tree->depth - 1 - level) & 1)
                bits &= ~(1u << tree->slot[(INT64_C(1) << level) - 1]);
        leaf_gives(&tree->path[leaf], bits, gives);
        for (int k = 0; k < tree->players; k++)
            out[k] += gives[k];
    }
}

static void explain_symmetric(Tree *tree, const float *row, double *phi)
{
    int64_t reached = trees_leaf_of(tree->m, tree->t, row);
    double *gives = tree->given + reached * tree->depth;
    if (!tree->is_given[reached])
        symmetric_gives(tree, reached, gives);
    tree->is_given[reached] = 1;
    for (int k = 0; k < tree->players; k++)
        phi[tree->player[k]] += gives[k];
}

/* The margin without knowing anything of a row: leaves weighed by the shares of their paths. */
static double expected_value(const Tree *tree)
{
    double sum = 0;
    for (int64_t leaf = 0; leaf < tree->leaves; leaf++) {
        const Path *path = &tree->path[leaf];
        double share = path->n >= 0;
        for (int k = 0; k < path->n; k++)
            share *= path->share[k];
        sum += path->value * share;
    }
    return sum;
}

static void tree_free(Tree *tree)
{
    dp_free(&tree->cover);
    dp_free(&tree->slot);
    dp_free(&tree->path);
    dp_free(&tree->turns);
    dp_free(&tree->given);
    dp_free(&tree->is_given);
}

static dp_status tree_room(Tree *tree, const TreesModel *m)
{
    size_t leaves = (size_t)1 << m->depth, keys = 0;
    /* Deep depth-wise trees remember nothing, shallower ones of the same model may. */
    for (int depth = 0; depth <= m->depth; depth++)
        if ((size_t)keys_of(m, depth) > keys)
            keys = (size_t)keys_of(m, depth);
    DP_TRY(dp_new(&tree->cover, 2 * leaves));
    DP_TRY(dp_new(&tree->slot, leaves));
    DP_TRY(dp_new(&tree->path, leaves));
    DP_TRY(dp_new(&tree->turns, 2 * leaves));
    DP_TRY(dp_new(&tree->given, keys * (size_t)(m->depth > 0 ? m->depth : 1)));
    DP_TRY(dp_new(&tree->is_given, keys));
    return DP_OK;
}

static void explain_block(Tree *tree, const TreesModel *m, const float *x, int64_t n, int64_t stride, double *phi)
{
    int64_t width = m->n_features + INT64_C(1);
    double expected = ldexp((double)m->bias[0], -TREES_LEAF_BITS);
    memset(phi, 0, (size_t)(n * width) * sizeof *phi);
    for (int32_t t = 0; t < m->n_trees; t++) {
        prepare(tree, m, t);
        expected += expected_value(tree);
        for (int64_t i = 0; i < n; i++)
            if (m->growth == TREES_SYMMETRIC)
                explain_symmetric(tree, x + i * stride, phi + i * width);
            else
                explain_depthwise(tree, x + i * stride, phi + i * width);
    }
    for (int64_t i = 0; i < n; i++)
        phi[i * width + m->n_features] = expected;
}

dp_status trees_contributions(const TreesScorer *scorer, const float *x, int64_t n, int64_t stride, double *phi)
{
    const TreesModel *m = &scorer->model;
    dp_status st = DP_OK;
    Tree tree = {0};
    DP_GO(tree_room(&tree, m));
    for (int64_t i = 0; i < n; i += ROWS)
        explain_block(&tree, m, x + i * stride, n - i < ROWS ? n - i : ROWS, stride,
                      phi + i * (m->n_features + INT64_C(1)));
done:
    tree_free(&tree);
    return st;
}
