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
 * What a leaf gives depends on the row only through the bits o, so a few leaves that hang together (a unit: the four
 * below a node two levels above them, or all leaves of a symmetric tree) give what follows from the turns at the nodes
 * of their paths: a number of a few bits, by which the unit's contributions are remembered. Where many rows are asked
 * for and it is small, a table of all units is made once and kept with the scorer; else units remember what they have
 * met. Trees are outermost; a row's sums are formed in the same order in any block and in every way.
 *
 * Conventions: a node that no train row reached shares half and half; a node that does not split is no player. */
#include "trees/scorer_priv.h"

#include <math.h>
#include <string.h>

enum {
    NODES = 8,
    ROWS = 16384,            /* explained at a time */
    BLOCK = 128,             /* rows whose sums stay in the first-level cache while a tree is applied */
    MANY = 64,               /* rows from which on a table of the whole model is made */
    BOTTOM = 2,              /* levels below a unit's node in depth-wise trees */
    TURNS_MAX = 8,           /* of a unit in that table */
    TABLE_MAX = 16 << 20,    /* numbers in it */
    REMEMBERED_MAX = 1 << 19 /* numbers that the units of a tree may remember without it */
};

/* Gauss-Legendre on 0 .. 1, symmetric around 1/2. Source: Abramowitz and Stegun, table 25.4. */
static const double place[NODES] = {0.01985507175123188, 0.10166676129318664, 0.2372337950418355, 0.4082826787521751,
                                    0.5917173212478249,  0.7627662049581645,  0.8983332387068134, 0.9801449282487681};
static const double mass[NODES] = {0.05061426814518813, 0.11119051722668724, 0.15685332293894363, 0.1813418916891810,
                                   0.1813418916891810,  0.15685332293894363, 0.11119051722668724, 0.05061426814518813};

/* The path to a leaf, turns at the same feature merged. */
typedef struct Path {
    int32_t feature[TREES_MAX_DEPTH];
    int8_t player[TREES_MAX_DEPTH]; /* its number among its unit's */
    double share[TREES_MAX_DEPTH];  /* z */
    double value;                   /* of the leaf, as margin */
    int n;                          /* features; -1: behind a node that does not split, never reached */
} Path;

/* Leaves that hang together. A row's turns: bit k = it goes right at node[k]. */
typedef struct Unit {
    int64_t leaf; /* the first */
    int leaves;
    int turns;                       /* bits: nodes that split */
    int64_t node[TREES_MAX_DEPTH];   /* of the model; -1: it does not split */
    int32_t column[TREES_MAX_DEPTH]; /* of the plan */
    uint8_t flip[TREES_MAX_DEPTH];   /* right: (uint8_t)(place - flip) >= least */
    uint8_t least[TREES_MAX_DEPTH];
    int players; /* features that get something; 0: the unit is never reached */
    int32_t player[TREES_MAX_DEPTH + BOTTOM];
    int64_t at; /* of its numbers among its tree's: [2^turns][players] */
} Unit;

/* One tree, prepared; buffers are for the deepest tree of the model. */
typedef struct Tree {
    const TreesModel *m;
    int32_t t;
    int depth;
    int64_t leaves;
    double *cover; /* [2 * leaves - 1] heap order, leaves last */
    int8_t *slot;  /* [leaves - 1] the place of a node's feature in the paths through it */
    Path *path;    /* [leaves] */
    Unit *unit;    /* [units] */
    int units;
    int64_t numbers; /* of all units */
    double *given;   /* [numbers] remembered, where they are at most REMEMBERED_MAX */
    uint8_t *is_given;
} Tree;

/* The contributions of all units of all trees, kept with a scorer. */
struct TreesExplained {
    Unit *unit;
    int64_t *unit_at, *number_at; /* [n_trees + 1] */
    double *number, *expected;    /* expected [outputs] */
};

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

/* ---- units ---- */

/* The nodes of the path to a leaf by level, and where a unit holds them. */
static int64_t unit_node(const Tree *tree, int64_t leaf, int level, int *k)
{
    int64_t heap = (INT64_C(1) << level) - 1 + (leaf >> (tree->depth - level));
    int top = tree->depth - BOTTOM;
    *k = level; /* a symmetric tree is one unit, its levels are its nodes; so are the levels above a unit's own node */
    if (tree->m->growth != TREES_SYMMETRIC && level > top && top >= 0)
        *k = top + 1 + (int)(leaf >> (tree->depth - level) & 1);
    return heap;
}

/* The bits o of a leaf for a row that takes these turns. */
static uint32_t bits_of(const Tree *tree, const Unit *unit, int64_t leaf, uint32_t turns)
{
    uint32_t bits = (1u << tree->depth) - 1;
    for (int level = 0; level < tree->depth; level++) {
        int k, right = (int)(leaf >> (tree->depth - 1 - level)) & 1;
        int64_t heap = unit_node(tree, leaf, level, &k);
        if (unit->node[k] >= 0 && (int)(turns >> k & 1) != right)
            bits &= ~(1u << tree->slot[heap]);
    }
    return bits;
}

static int player_of(Unit *unit, int32_t feature)
{
    int k = 0;
    while (k < unit->players && unit->player[k] != feature)
        k++;
    if (k == unit->players)
        unit->player[unit->players++] = feature;
    return k;
}

/* out [players]: what the unit's leaves give rows that take these turns. */
static void unit_gives(const Tree *tree, const Unit *unit, uint32_t turns, double *out)
{
    double gives[TREES_MAX_DEPTH];
    for (int k = 0; k < unit->players; k++)
        out[k] = 0;
    for (int64_t leaf = unit->leaf; leaf < unit->leaf + unit->leaves; leaf++) {
        const Path *path = &tree->path[leaf];
        if (path->n <= 0)
            continue;
        leaf_gives(path, bits_of(tree, unit, leaf, turns), gives);
        for (int k = 0; k < path->n; k++)
            out[path->player[k]] += gives[k];
    }
}

/* A node's question in places: that of trees_value_goes_right. */
static void ask(Unit *unit, int k, const TreesScorer *scorer, int64_t node)
{
    const TreesModel *m = &scorer->model;
    const TreePlan *plan = scorer->plans.plan;
    int32_t feature = m->node_feature[node], border = m->node_border[node];
    int low = 0, high = plan->features - 1, below = 0;
    while (low < high) { /* its column: those of the plan ascend */
        int middle = (low + high) / 2;
        if (plan->column[middle] < feature)
            low = middle + 1;
        else
            high = middle;
    }
    if (border >= m->border_at[feature]) {
        below = 1;
        for (int b = plan->border_at[low]; plan->border[b] < m->border[border]; b++)
            below++;
    }
    unit->column[k] = low;
    unit->flip[k] = m->node_missing_right[node];
    unit->least[k] = (uint8_t)(below + 1 - unit->flip[k]);
}

static void build_unit(Tree *tree, Unit *unit, const TreesScorer *scorer)
{
    unit->players = unit->turns = 0;
    for (int64_t leaf = unit->leaf; leaf < unit->leaf + unit->leaves; leaf++) {
        Path *path = &tree->path[leaf];
        for (int level = 0; level < tree->depth; level++) {
            int k;
            int64_t heap = unit_node(tree, leaf, level, &k), node = node_of(tree, heap, level);
            unit->turns = k + 1 > unit->turns ? k + 1 : unit->turns;
            unit->node[k] = tree->m->node_feature[node] < 0 ? -1 : node;
            if (unit->node[k] >= 0)
                ask(unit, k, scorer, node);
        }
        for (int k = 0; k < path->n; k++)
            path->player[k] = (int8_t)player_of(unit, path->feature[k]);
    }
    unit->at = tree->numbers;
    tree->numbers += (INT64_C(1) << unit->turns) * unit->players;
}

static void prepare(Tree *tree, const TreesScorer *scorer, int32_t t)
{
    const TreesModel *m = &scorer->model;
    tree->m = m;
    tree->t = t;
    tree->depth = m->tree_depth[t];
    tree->leaves = INT64_C(1) << tree->depth;
    sum_covers(tree);
    memset(tree->slot, 0, (size_t)tree->leaves); /* nodes that no path reaches keep it */
    for (int64_t leaf = 0; leaf < tree->leaves; leaf++)
        build_path(tree, leaf);
    int64_t together = m->growth == TREES_SYMMETRIC || tree->depth < BOTTOM ? tree->leaves : 1 << BOTTOM;
    tree->units = (int)(tree->leaves / together);
    tree->numbers = 0;
    for (int u = 0; u < tree->units; u++) {
        tree->unit[u].leaf = u * together;
        tree->unit[u].leaves = (int)together;
        build_unit(tree, &tree->unit[u], scorer);
    }
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
    dp_free(&tree->unit);
    dp_free(&tree->given);
    dp_free(&tree->is_given);
}

static dp_status tree_room(Tree *tree, const TreesModel *m)
{
    size_t leaves = (size_t)1 << m->depth;
    DP_TRY(dp_new(&tree->cover, 2 * leaves));
    DP_TRY(dp_new(&tree->slot, leaves));
    DP_TRY(dp_new(&tree->path, leaves));
    DP_TRY(dp_new(&tree->unit, leaves));
    return DP_OK;
}

/* ---- the table of a model ---- */

void trees_explained_free(TreesExplained **explained)
{
    if (!*explained)
        return;
    dp_free(&(*explained)->unit);
    dp_free(&(*explained)->unit_at);
    dp_free(&(*explained)->number_at);
    dp_free(&(*explained)->number);
    dp_free(&(*explained)->expected);
    dp_free(explained);
}

/* Units and numbers of all trees, counted; false: the table would be too large. */
static bool count_all(Tree *tree, const TreesScorer *scorer, TreesExplained *e)
{
    for (int32_t t = 0; t < scorer->model.n_trees; t++) {
        if (scorer->model.tree_depth[t] > TURNS_MAX)
            return false;
        prepare(tree, scorer, t);
        e->unit_at[t + 1] = e->unit_at[t] + tree->units;
        e->number_at[t + 1] = e->number_at[t] + tree->numbers;
        for (int u = 0; u < tree->units; u++)
            if (tree->unit[u].turns > TURNS_MAX)
                return false;
        if (e->number_at[t + 1] > TABLE_MAX)
            return false;
    }
    return true;
}

static void fill_all(Tree *tree, const TreesScorer *scorer, TreesExplained *e)
{
    for (int k = 0; k < scorer->model.outputs; k++)
        e->expected[k] = ldexp((double)scorer->model.bias[k], -TREES_LEAF_BITS);
    for (int32_t t = 0; t < scorer->model.n_trees; t++) {
        prepare(tree, scorer, t);
        e->expected[t % scorer->model.outputs] += expected_value(tree);
        memcpy(e->unit + e->unit_at[t], tree->unit, (size_t)tree->units * sizeof *tree->unit);
        for (int u = 0; u < tree->units; u++) {
            const Unit *unit = &tree->unit[u];
            double *out = e->number + e->number_at[t] + unit->at;
            for (uint32_t turns = 0; unit->players > 0 && turns < 1u << unit->turns; turns++)
                unit_gives(tree, unit, turns, out + (int64_t)turns * unit->players);
        }
    }
}

/* *explained stays NULL where the table would be too large. */
static dp_status explained_build(TreesExplained **explained, Tree *tree, const TreesScorer *scorer)
{
    TreesExplained *e = NULL;
    dp_status st = DP_OK;
    size_t trees = (size_t)scorer->model.n_trees;
    DP_GO(dp_new(&e, 1));
    DP_GO(dp_new(&e->unit_at, trees + 1));
    DP_GO(dp_new(&e->number_at, trees + 1));
    DP_GO(dp_new(&e->expected, (size_t)scorer->model.outputs));
    if (!count_all(tree, scorer, e))
        goto done;
    DP_GO(dp_new(&e->unit, (size_t)e->unit_at[trees]));
    DP_GO(dp_new(&e->number, (size_t)e->number_at[trees]));
    fill_all(tree, scorer, e);
    *explained = e;
    e = NULL;
done:
    trees_explained_free(&e);
    return st;
}

/* The scorer's table; made where many rows ask for it. Threads that come at once make one each, the first is kept. */
static dp_status explained_of(const TreesExplained **explained, Tree *tree, const TreesScorer *scorer, int64_t n)
{
    TreesExplained *mine = NULL, *none = NULL;
    TreesExplained **kept = &scorer->shared->explained;
    *explained = __atomic_load_n(kept, __ATOMIC_ACQUIRE);
    if (*explained || n < MANY || __atomic_load_n(&scorer->shared->too_large, __ATOMIC_RELAXED))
        return DP_OK;
    DP_TRY(explained_build(&mine, tree, scorer));
    if (!mine)
        __atomic_store_n(&scorer->shared->too_large, true, __ATOMIC_RELAXED);
    else if (!__atomic_compare_exchange_n(kept, &none, mine, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        trees_explained_free(&mine);
    *explained = mine ? mine : none;
    return DP_OK;
}

/* ---- rows ---- */

/* Rows as places: column k of the plan at k * pitch. */
typedef struct Rows {
    int64_t n, pitch;
    uint8_t *place;
    float *value; /* of one column */
} Rows;

static void find_places(Rows *rows, const TreesScorer *scorer, const float *x, int64_t n, int64_t stride)
{
    rows->n = n;
    for (int k = 0; k < scorer->plans.plan->features; k++) {
        for (int64_t i = 0; i < n; i++)
            rows->value[i] = x[i * stride + scorer->plans.plan->column[k]];
        trees_scorer_bin(scorer, k, rows->value, n, rows->place + k * rows->pitch);
    }
}

static void find_turns(const Unit *unit, const Rows *rows, int64_t from, int n, uint16_t *restrict turns)
{
    memset(turns, 0, (size_t)n * sizeof *turns);
    for (int k = 0; k < unit->turns; k++) {
        const uint8_t *restrict column = rows->place + unit->column[k] * rows->pitch + from;
        uint8_t flip = unit->flip[k], least = unit->least[k];
        if (unit->node[k] < 0)
            continue;
        for (int r = 0; r < n; r++)
            turns[r] |= (uint16_t)(((uint8_t)(column[r] - flip) >= least) << k);
    }
}

/* phi [n][width] += the unit's numbers; players: a constant where they are many. */
static inline __attribute__((always_inline)) void add_rows(const Unit *unit, int players, const double *number,
                                                           const uint16_t *turns, int n, int64_t width, double *phi)
{
    for (int r = 0; r < n; r++)
        for (int k = 0; k < players; k++)
            phi[r * width + unit->player[k]] += number[turns[r] * players + k];
}

static void add_unit(const Unit *unit, const double *number, const uint16_t *turns, int n, int64_t width, double *phi)
{
    switch (unit->players) {
    case 4:
        add_rows(unit, 4, number, turns, n, width, phi);
        break;
    case 5:
        add_rows(unit, 5, number, turns, n, width, phi);
        break;
    case 6:
        add_rows(unit, 6, number, turns, n, width, phi);
        break;
    case 7:
        add_rows(unit, 7, number, turns, n, width, phi);
        break;
    default:
        add_rows(unit, unit->players, number, turns, n, width, phi);
    }
}

/* The same without a table: what was met is remembered where there is room for it. */
static void add_fresh(Tree *tree, const Unit *unit, const uint16_t *turns, int n, int64_t width, double *phi)
{
    double fresh[TREES_MAX_DEPTH + BOTTOM];
    for (int r = 0; r < n; r++) {
        int64_t at = unit->at + (int64_t)turns[r] * unit->players;
        double *gives = tree->given ? tree->given + at : fresh;
        if (!tree->given || !tree->is_given[at])
            unit_gives(tree, unit, turns[r], gives);
        if (tree->given)
            tree->is_given[at] = 1;
        for (int k = 0; k < unit->players; k++)
            phi[r * width + unit->player[k]] += gives[k];
    }
}

static dp_status remember(Tree *tree)
{
    dp_free(&tree->given);
    dp_free(&tree->is_given);
    if (tree->numbers > REMEMBERED_MAX)
        return DP_OK;
    DP_TRY(dp_new(&tree->given, (size_t)tree->numbers));
    return dp_new(&tree->is_given, (size_t)tree->numbers);
}

static void explain_tree(Tree *tree, const Unit *unit, int64_t units, const double *number, const Rows *rows,
                         int64_t width, double *phi)
{
    uint16_t turns[BLOCK];
    for (int64_t at = 0; at < rows->n; at += BLOCK) {
        int n = (int)(rows->n - at < BLOCK ? rows->n - at : BLOCK);
        for (int64_t u = 0; u < units; u++) {
            if (unit[u].players == 0)
                continue;
            find_turns(&unit[u], rows, at, n, turns);
            if (number)
                add_unit(&unit[u], number + unit[u].at, turns, n, width, phi + at * width);
            else
                add_fresh(tree, &unit[u], turns, n, width, phi + at * width);
        }
    }
}

static dp_status explain_block(Tree *tree, const TreesScorer *scorer, int output, const TreesExplained *e,
                               const Rows *rows, double *phi)
{
    const TreesModel *m = &scorer->model;
    int64_t width = m->n_features + INT64_C(1);
    double expected = e ? e->expected[output] : ldexp((double)m->bias[output], -TREES_LEAF_BITS);
    memset(phi, 0, (size_t)(rows->n * width) * sizeof *phi);
    for (int32_t t = output; t < m->n_trees; t += m->outputs) {
        if (e) {
            explain_tree(tree, e->unit + e->unit_at[t], e->unit_at[t + 1] - e->unit_at[t], e->number + e->number_at[t],
                         rows, width, phi);
            continue;
        }
        prepare(tree, scorer, t);
        DP_TRY(remember(tree));
        expected += expected_value(tree);
        explain_tree(tree, tree->unit, tree->units, NULL, rows, width, phi);
    }
    for (int64_t i = 0; i < rows->n; i++)
        phi[i * width + m->n_features] = expected;
    return DP_OK;
}

dp_status trees_contributions_to(const TreesScorer *scorer, int output, const float *x, int64_t n, int64_t stride,
                                 double *phi)
{
    const TreesExplained *explained;
    dp_status st = DP_OK;
    Tree tree = {0};
    Rows rows = {.pitch = n < ROWS ? n : ROWS};
    DP_GO(tree_room(&tree, &scorer->model));
    DP_GO(dp_new(&rows.value, (size_t)rows.pitch));
    DP_GO(dp_new(&rows.place, (size_t)rows.pitch * (size_t)(scorer->plans.plan->features + 1)));
    DP_GO(explained_of(&explained, &tree, scorer, n));
    for (int64_t i = 0; i < n; i += ROWS) {
        find_places(&rows, scorer, x + i * stride, n - i < ROWS ? n - i : ROWS, stride);
        DP_GO(
            explain_block(&tree, scorer, output, explained, &rows, phi + i * (scorer->model.n_features + INT64_C(1))));
    }
done:
    tree_free(&tree);
    dp_free(&rows.value);
    dp_free(&rows.place);
    return st;
}

dp_status trees_contributions(const TreesScorer *scorer, const float *x, int64_t n, int64_t stride, double *phi)
{
    return trees_contributions_to(scorer, 0, x, n, stride, phi);
}
