/* The plan of an evaluation: distinct conditions, search trees of borders, leaves in byte planes (device/backend.h).
 *
 * Measured on 200 symmetric trees of depth 6: 1,200 splits ask 637 distinct questions, so a mask a question, shared by
 * all trees, halves the compares; leaves as bytes above the least leaf let one register hold a table of 64. */
#include "trees/scorer_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PLANE_WIDTH = 64, NOT_USED = -1 };

void trees_plans_free(TreesPlans *plans)
{
    for (int k = 0; plans->arrays && k < plans->n; k++) {
        PlanArrays *arrays = &plans->arrays[k];
        dp_free(&arrays->condition_at);
        dp_free(&arrays->condition_of);
        dp_free(&arrays->node);
        dp_free(&arrays->leaf);
        dp_free(&arrays->least);
        dp_free(&arrays->plane);
        dp_free(&arrays->tree);
        dp_free(&arrays->walk);
    }
    dp_free(&plans->arrays);
    dp_free(&plans->plan);
    dp_free(&plans->places.column);
    dp_free(&plans->places.border_at);
    dp_free(&plans->places.border);
    dp_free(&plans->places.search);
    dp_free(&plans->places.levels);
}

/* Work space: where each border of the model goes, and each condition of an output's trees. */
typedef struct Maps {
    int output;
    int32_t *feature;   /* [F] its number in the plan, NOT_USED */
    int32_t *border;    /* [borders] its number among the kept ones of its feature, from 0; NOT_USED */
    int32_t flip;       /* borders + F */
    int32_t *condition; /* [2][flip] of border_at[f] + f + kept (0: missing alone), NOT_USED; one more asks nothing */
    int32_t *question;  /* [nodes of the model] where in condition a node's stands */
    uint32_t *walk;     /* [conditions + 1] as TreePlan.walk; the last asks nothing */
} Maps;

static void maps_free(Maps *maps)
{
    dp_free(&maps->feature);
    dp_free(&maps->border);
    dp_free(&maps->condition);
    dp_free(&maps->question);
    dp_free(&maps->walk);
}

static dp_status maps_build(Maps *maps, const TreesModel *m)
{
    size_t borders = (size_t)m->border_at[m->n_features], features = (size_t)m->n_features;
    DP_TRY(dp_new(&maps->feature, features));
    DP_TRY(dp_new(&maps->border, borders));
    maps->flip = (int32_t)(borders + features);
    DP_TRY(dp_new(&maps->condition, 2 * (borders + features) + 1));
    DP_TRY(dp_new(&maps->walk, 2 * (borders + features) + 1));
    DP_TRY(dp_new(&maps->question, (size_t)(m->n_trees > 0 ? m->node_at[m->n_trees] : 0)));
    memset(maps->feature, 0xff, features * sizeof *maps->feature); /* NOT_USED */
    if (borders > 0)
        memset(maps->border, 0xff, borders * sizeof *maps->border);
    return DP_OK;
}

static void mark_used(Maps *maps, const TreesModel *m)
{
    for (int64_t i = 0; m->n_trees > 0 && i < m->node_at[m->n_trees]; i++) {
        int32_t f = m->node_feature[i], border = m->node_border[i];
        if (f < 0)
            continue;
        maps->feature[f] = 0;
        if (border >= m->border_at[f])
            maps->border[border] = 0;
    }
}

/* Features and borders in use, numbered in order. */
static dp_status keep_borders(Maps *maps, PlanPlaces *a, TreePlan *plan, const TreesModel *m)
{
    int32_t at = 0;
    DP_TRY(dp_new(&a->column, (size_t)m->n_features + 1));
    DP_TRY(dp_new(&a->border_at, (size_t)m->n_features + 1));
    DP_TRY(dp_new(&a->border, (size_t)m->border_at[m->n_features] + 1));
    for (int32_t f = 0; f < m->n_features; f++) {
        int32_t kept = 0;
        if (maps->feature[f] == NOT_USED)
            continue;
        maps->feature[f] = plan->features;
        a->column[plan->features++] = f;
        for (int32_t b = m->border_at[f]; b < m->border_at[f + 1]; b++)
            if (maps->border[b] != NOT_USED) {
                maps->border[b] = kept++;
                a->border[at++] = m->border[b];
            }
        a->border_at[plan->features] = at;
        plan->columns = f + 1;
    }
    return DP_OK;
}

/* Where in maps->condition the question of a node that asks one stands; 0 .. kept borders of its feature. */
static int32_t question_of(const Maps *maps, const TreesModel *m, int64_t node)
{
    int32_t f = m->node_feature[node], border = m->node_border[node];
    return maps->flip * m->node_missing_right[node] + m->border_at[f] + f +
           (border < m->border_at[f] ? 0 : maps->border[border] + 1);
}

static dp_status number_conditions(Maps *maps, PlanArrays *a, TreePlan *plan, const TreesModel *m)
{
    size_t most = 2 * (size_t)maps->flip;
    memset(maps->condition, 0xff, most * sizeof *maps->condition); /* NOT_USED */
    DP_TRY(dp_new(&a->condition_at, 2 * (size_t)plan->features + 1));
    DP_TRY(dp_new(&a->condition_of, most + 1));
    DP_TRY(dp_new(&a->least, most + 1));
    for (int32_t t = maps->output; t < m->n_trees; t += m->outputs)
        for (int64_t i = m->node_at[t]; i < m->node_at[t + 1]; i++) {
            maps->question[i] = m->node_feature[i] < 0 ? 2 * maps->flip : question_of(maps, m, i);
            maps->condition[maps->question[i]] = 0;
        }
    for (int32_t f = 0; f < plan->features; f++) {
        int32_t column = plan->column[f], kept = plan->border_at[f + 1] - plan->border_at[f];
        for (int flip = 0; flip < 2; flip++) {
            int32_t *condition = maps->condition + flip * maps->flip + m->border_at[column] + column;
            for (int32_t k = 0; k <= kept; k++)
                if (condition[k] != NOT_USED) {
                    /* Right: place >= k + 1, counted from flip on. k 0 is any number, k 1 those over border 0. */
                    a->least[plan->conditions] = (uint8_t)(k + 1 - flip);
                    a->condition_of[plan->conditions] = f;
                    condition[k] = plan->conditions++;
                }
            a->condition_at[2 * f + flip + 1] = plan->conditions;
        }
    }
    maps->condition[2 * maps->flip] = plan->conditions;
    for (int32_t c = 0; c < plan->conditions; c++) {
        int32_t f = a->condition_of[c];
        maps->walk[c] = (uint32_t)(2 * f + (c >= a->condition_at[2 * f + 1])) << 8 | a->least[c];
    }
    maps->walk[plan->conditions] = (uint32_t)(2 * plan->features) << 8 | 1;
    return DP_OK;
}

/* Level l holds 2^l borders; the one behind turns p (first turn highest) is number (2p + 1) 2^(L-1-l) - 1. */
static void fill_search(float *search, const float *border, int n, int levels)
{
    int path[PLAN_SEARCH / 2] = {0}; /* of the turns of a level: their bits the other way round */
    for (int i = 0; i < PLAN_SEARCH; i++)
        search[i] = INFINITY;
    for (int l = 0; l < levels; l++) {
        for (int turns = 0; l > 0 && turns < 1 << (l - 1); turns++) {
            path[turns] *= 2;
            path[turns + (1 << (l - 1))] = path[turns] + 1;
        }
        for (int turns = 0; turns < 1 << l; turns++) {
            int number = (2 * path[turns] + 1) * (1 << (levels - 1 - l)) - 1;
            search[(1 << l) + turns] = number < n ? border[number] : INFINITY;
        }
    }
}

static dp_status build_searches(PlanPlaces *a, const TreePlan *plan)
{
    DP_TRY(dp_new(&a->search, (size_t)plan->features * PLAN_SEARCH));
    DP_TRY(dp_new(&a->levels, (size_t)plan->features));
    for (int f = 0; f < plan->features; f++) {
        int n = a->border_at[f + 1] - a->border_at[f], levels = 0;
        while ((1 << levels) - 1 < n)
            levels++;
        a->levels[f] = (uint8_t)levels;
        fill_search(a->search + (int64_t)f * PLAN_SEARCH, a->border + a->border_at[f], n, levels);
    }
    return DP_OK;
}

/* Bytes that the leaves of a tree need above the least one. */
static int planes_of(const TreesModel *m, int32_t t, int32_t *least)
{
    const int32_t *leaf = m->leaf + m->leaf_at[t];
    int32_t most = leaf[0];
    *least = leaf[0];
    for (int64_t i = 0; i < INT64_C(1) << m->tree_depth[t]; i++) {
        *least = leaf[i] < *least ? leaf[i] : *least;
        most = leaf[i] > most ? leaf[i] : most;
    }
    uint32_t range = (uint32_t)most - (uint32_t)*least;
    int planes = 1;
    while (planes < 4 && range >> 8 * planes)
        planes++;
    return planes;
}

typedef struct Order {
    int32_t tree, planes, depth, least;
} Order;

static int by_shape(const void *left, const void *right)
{
    const Order *a = left, *b = right;
    if (a->planes != b->planes)
        return a->planes < b->planes ? -1 : 1;
    if (a->depth != b->depth)
        return a->depth < b->depth ? -1 : 1;
    return (a->tree > b->tree) - (a->tree < b->tree);
}

static void lay_tree(PlanArrays *a, TreePlan *plan, const Maps *maps, const TreesModel *m, const Order *order,
                     TreePlanTree *tree)
{
    int64_t nodes = m->node_at[order->tree + 1] - m->node_at[order->tree], leaves = INT64_C(1) << order->depth;
    const int32_t *leaf = m->leaf + m->leaf_at[order->tree];
    const int32_t *question = maps->question + m->node_at[order->tree];
    for (int64_t i = 0; i < nodes; i++) {
        int32_t c = maps->condition[question[i]];
        a->node[tree->node + i] = c;
        a->walk[tree->node + i] = maps->walk[c];
    }
    memcpy(a->leaf + tree->leaf, leaf, (size_t)leaves * sizeof *leaf);
    int64_t width = leaves > PLANE_WIDTH ? leaves : PLANE_WIDTH;
    for (int p = 0; p < order->planes; p++) {
        uint8_t *restrict plane = a->plane + tree->plane + p * width;
        uint32_t least = (uint32_t)order->least;
        for (int64_t i = 0; i < leaves; i++)
            plane[i] = (uint8_t)(((uint32_t)leaf[i] - least) >> 8 * p);
    }
    if (order->planes > 0)
        plan->plane_bias += order->least;
}

static dp_status lay_trees(PlanArrays *a, TreePlan *plan, const Maps *maps, const TreesModel *m)
{
    dp_status st = DP_OK;
    Order *order = NULL;
    size_t bytes = 0, nodes = 0, leaves = 0;
    const int32_t trees = plan->trees;
    TreePlanTree at = {0};
    DP_GO(dp_new(&order, (size_t)trees));
    for (int32_t i = 0, t = maps->output; i < trees; i++, t += m->outputs) {
        order[i] = (Order){.tree = t, .depth = m->tree_depth[t]};
        size_t width = (size_t)1 << (order[i].depth > 6 ? order[i].depth : 6);
        if (order[i].depth <= PLAN_PLANES_DEPTH)
            order[i].planes = planes_of(m, t, &order[i].least);
        bytes += (size_t)order[i].planes * width;
        nodes += (size_t)(m->node_at[t + 1] - m->node_at[t]);
        leaves += (size_t)(m->leaf_at[t + 1] - m->leaf_at[t]);
    }
    if (trees > 0)
        qsort(order, (size_t)trees, sizeof *order, by_shape);
    DP_GO(dp_new(&a->tree, (size_t)trees));
    /* One more: arrays, not NULL, also where no tree splits. */
    DP_GO(dp_new(&a->node, nodes + 1));
    DP_GO(dp_new(&a->walk, nodes + 1));
    DP_GO(dp_new(&a->leaf, leaves));
    DP_GO(dp_new(&a->plane, bytes));
    for (int32_t t = 0; t < trees; t++) {
        at.depth = (int16_t)order[t].depth;
        at.planes = (int16_t)order[t].planes;
        a->tree[t] = at;
        lay_tree(a, plan, maps, m, &order[t], &at);
        at.node += m->node_at[order[t].tree + 1] - m->node_at[order[t].tree];
        at.leaf += INT64_C(1) << at.depth;
        at.plane += (int64_t)at.planes << (at.depth > 6 ? at.depth : 6);
    }
    for (int32_t t = trees - 1; t >= 0; t--)
        a->tree[t].run_end =
            t + 1 < trees && a->tree[t + 1].depth == a->tree[t].depth && a->tree[t + 1].planes == a->tree[t].planes
                ? a->tree[t + 1].run_end
                : t + 1;
done:
    dp_free(&order);
    return st;
}

/* What an output's trees ask, of the places that all outputs share. */
static dp_status build_output(Maps *maps, PlanArrays *a, TreePlan *plan, const TreesModel *m)
{
    plan->trees = m->n_trees / m->outputs;
    plan->bias = plan->plane_bias = m->bias[maps->output];
    DP_TRY(number_conditions(maps, a, plan, m));
    DP_TRY(lay_trees(a, plan, maps, m));
    plan->condition_at = a->condition_at;
    plan->condition_of = a->condition_of;
    plan->least = a->least;
    plan->tree = a->tree;
    plan->node = a->node;
    plan->walk = a->walk;
    plan->leaf = a->leaf;
    plan->plane = a->plane;
    /* Places of a tile, 16 columns of floats, the masks of the conditions: of 64 rows or of the tile. */
    size_t mask = (size_t)plan->conditions + 1, rows = plan->symmetric ? 64 : PLAN_TILE;
    plan->scratch = (size_t)plan->features * PLAN_TILE + 16 * PLAN_TILE * sizeof(float) + mask * (rows / 8) + 64;
    plan->scratch_few = 2 * (size_t)plan->features + 1;
    return DP_OK;
}

dp_status trees_plans_build(TreesPlans *plans, const TreesModel *m)
{
    dp_status st = DP_OK;
    Maps maps = {0};
    PlanPlaces *places = &plans->places;
    TreePlan shared = {.symmetric = m->growth == TREES_SYMMETRIC};
    plans->n = m->outputs;
    DP_GO(dp_new(&plans->arrays, (size_t)plans->n));
    DP_GO(dp_new(&plans->plan, (size_t)plans->n));
    DP_GO(maps_build(&maps, m));
    mark_used(&maps, m);
    DP_GO(keep_borders(&maps, places, &shared, m));
    DP_GO(build_searches(places, &shared));
    shared.column = places->column;
    shared.border_at = places->border_at;
    shared.border = places->border;
    shared.search = places->search;
    shared.levels = places->levels;
    for (maps.output = 0; maps.output < plans->n; maps.output++) {
        plans->plan[maps.output] = shared;
        DP_GO(build_output(&maps, &plans->arrays[maps.output], &plans->plan[maps.output], m));
    }
done:
    maps_free(&maps);
    return st;
}
