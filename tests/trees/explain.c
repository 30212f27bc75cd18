/* RUN np=1 -- contributions are the Shapley values of the conditional expectation, and sum to the margin. */
#include "check.h"

#include "forest.h"

/* E[tree | the features in `known` are as in row], by the definition: follow known features, average the rest. */
static double covered(const TreesModel *m, int t, int64_t heap, int level)
{
    int depth = m->tree_depth[t];
    if (level == depth)
        return (double)m->cover[m->leaf_at[t] + heap - ((INT64_C(1) << depth) - 1)];
    int64_t node = m->node_at[t] + (m->growth == TREES_SYMMETRIC ? level : heap);
    double right = m->node_feature[node] < 0 ? 0 : covered(m, t, 2 * heap + 2, level + 1);
    return covered(m, t, 2 * heap + 1, level + 1) + right;
}

static double conditional(const TreesModel *m, int t, const float *row, unsigned known, int64_t heap, int level)
{
    int depth = m->tree_depth[t];
    if (level == depth)
        return ldexp(m->leaf[m->leaf_at[t] + heap - ((INT64_C(1) << depth) - 1)], -TREES_LEAF_BITS);
    int64_t node = m->node_at[t] + (m->growth == TREES_SYMMETRIC ? level : heap);
    int f = m->node_feature[node];
    if (f < 0)
        return conditional(m, t, row, known, 2 * heap + 1, level + 1);
    if (known >> f & 1) {
        int border = m->node_border[node];
        bool right =
            isnan(row[f]) ? m->node_missing_right[node] : border < m->border_at[f] || row[f] > m->border[border];
        return conditional(m, t, row, known, 2 * heap + 1 + right, level + 1);
    }
    double all = covered(m, t, heap, level), left = covered(m, t, 2 * heap + 1, level + 1);
    double share = all > 0 ? left / all : 0.5;
    return share * conditional(m, t, row, known, 2 * heap + 1, level + 1) +
           (1 - share) * conditional(m, t, row, known, 2 * heap + 2, level + 1);
}

static double factorial(int n)
{
    return n < 2 ? 1 : n * factorial(n - 1);
}

static void by_subsets(const TreesModel *m, const float *row, double *phi)
{
    int F = m->n_features;
    double *value = NULL;
    assert_ok(dp_new(&value, (size_t)1 << F));
    for (unsigned known = 0; known < 1u << F; known++) {
        value[known] = ldexp((double)m->bias[0], -TREES_LEAF_BITS);
        for (int t = 0; t < m->n_trees; t++)
            value[known] += conditional(m, t, row, known, 0, 0);
    }
    for (int f = 0; f < F; f++) {
        phi[f] = 0;
        for (unsigned known = 0; known < 1u << F; known++) {
            int k = __builtin_popcount(known);
            if (!(known >> f & 1))
                phi[f] += factorial(k) * factorial(F - k - 1) / factorial(F) * (value[known | 1u << f] - value[known]);
        }
    }
    phi[F] = value[0];
    dp_free(&value);
}

static void they_are_shapley_values(void **state)
{
    (void)state;
    enum { F = 7, ROWS = 12 };
    for (int growth = 0; growth < 2; growth++)
        for (int depth = 1; depth <= 6; depth++) {
            TreesModel m = forest_make((TreesGrowth)growth, F, 4, depth, (uint64_t)(90 + depth));
            float *x = forest_rows(&m, ROWS, F, 3);
            double phi[ROWS * (F + 1)], expected[F + 1];
            TreesScorer *scorer = NULL;
            assert_ok(trees_scorer_build(&scorer, &m, NULL));
            assert_ok(trees_contributions(scorer, x, ROWS, F, phi));
            for (int i = 0; i < ROWS; i++) {
                by_subsets(&m, x + i * F, expected);
                for (int f = 0; f <= F; f++)
                    if (!(fabs(phi[i * (F + 1) + f] - expected[f]) < 1e-12))
                        fail_msg("growth %d depth %d row %d feature %d: %.17g, by subsets %.17g", growth, depth, i, f,
                                 phi[i * (F + 1) + f], expected[f]);
            }
            trees_scorer_free(&scorer);
            dp_free(&x);
            trees_model_free(&m);
        }
}

static void sums_are_margins(TreesGrowth growth, int features, int trees, int depth, int64_t rows)
{
    TreesModel m = forest_make(growth, features, trees, depth, (uint64_t)depth);
    float *x = forest_rows(&m, rows, features + 3, 4);
    int64_t *margin = NULL;
    double *phi = NULL, *alone = NULL;
    size_t width = (size_t)features + 1;
    TreesScorer *scorer = NULL;
    assert_ok(dp_new(&margin, (size_t)rows));
    assert_ok(dp_new(&phi, (size_t)rows * width));
    assert_ok(dp_new(&alone, width));
    assert_ok(trees_scorer_build(&scorer, &m, NULL));
    trees_margins(scorer, x, rows, features + 3, margin);
    assert_ok(trees_contributions(scorer, x, rows, features + 3, phi));
    for (int64_t i = 0; i < rows; i++) {
        double sum = 0;
        for (size_t f = 0; f < width; f++)
            sum += phi[(size_t)i * width + f];
        assert_true(fabs(sum - ldexp((double)margin[i], -TREES_LEAF_BITS)) < 1e-9);
    }
    /* A row alone gets the same bits as in a block: with the scorer's table and without one. */
    for (int fresh = 0; fresh < 2; fresh++) {
        if (fresh) {
            trees_scorer_free(&scorer);
            assert_ok(trees_scorer_build(&scorer, &m, NULL));
        }
        assert_ok(trees_contributions(scorer, x + (rows - 1) * (features + 3), 1, features + 3, alone));
        assert_memory_equal(alone, phi + (size_t)(rows - 1) * width, width * sizeof *alone);
    }
    trees_scorer_free(&scorer);
    dp_free(&margin);
    dp_free(&phi);
    dp_free(&alone);
    dp_free(&x);
    trees_model_free(&m);
}

static void they_sum_to_the_margin(void **state)
{
    (void)state;
    for (int growth = 0; growth < 2; growth++) {
        sums_are_margins((TreesGrowth)growth, 32, 200, 6, 300);
        sums_are_margins((TreesGrowth)growth, 9, 20, 7, 200);
        sums_are_margins((TreesGrowth)growth, 5, 20, 2, 200);
        sums_are_margins((TreesGrowth)growth, 30, 4, 8, 70);
        sums_are_margins((TreesGrowth)growth, 12, 5, 9, 40);
        sums_are_margins((TreesGrowth)growth, 20, 1, 12, 3);
        sums_are_margins((TreesGrowth)growth, 4, 3, 0, 3);
        sums_are_margins((TreesGrowth)growth, 4, 0, 0, 3);
    }
}

/* ---- against XGBoost: golden/xgboost_contributions.py made the file ---- */

enum { F_MAX = 16 };

typedef struct Golden {
    TreesModel m;
    int shown;
    float *x;
    double *phi;
} Golden;

static int by_value(const void *a, const void *b)
{
    float left = *(const float *)a, right = *(const float *)b;
    return (left > right) - (left < right);
}

/* First pass: the borders of each feature, sorted, each once. */
static void golden_borders(Golden *g, FILE *file)
{
    char line[512];
    float border;
    int f, n[F_MAX] = {0};
    static float all[F_MAX][4096];
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "node %*d %d %f", &f, &border) == 2)
            all[f][n[f]++] = border;
    for (f = 0; f < g->m.n_features; f++) {
        int at = g->m.border_at[f];
        qsort(all[f], (size_t)n[f], sizeof(float), by_value);
        for (int i = 0; i < n[f]; i++)
            if (i == 0 || all[f][i] != all[f][i - 1])
                g->m.border[at++] = all[f][i];
        g->m.border_at[f + 1] = at;
    }
}

static void golden_node(TreesModel *m, int t, const char *line)
{
    int heap, f, right;
    float border;
    assert_int_equal(sscanf(line, "node %d %d %f %d", &heap, &f, &border, &right), 4);
    int64_t node = m->node_at[t] + heap;
    const float *found = bsearch(&border, m->border + m->border_at[f], (size_t)(m->border_at[f + 1] - m->border_at[f]),
                                 sizeof border, by_value);
    assert_non_null(found);
    m->node_feature[node] = f;
    m->node_border[node] = (int32_t)(found - m->border);
    m->node_missing_right[node] = (uint8_t)right;
}

static void golden_leaf(TreesModel *m, int t, const char *line)
{
    int heap, value, cover;
    assert_int_equal(sscanf(line, "leaf %d %d %d", &heap, &value, &cover), 3);
    int64_t leaf = m->leaf_at[t] + heap - ((1 << m->tree_depth[t]) - 1);
    m->leaf[leaf] = value;
    m->cover[leaf] = cover;
}

static void golden_numbers(const char *line, double *out, int n)
{
    char *end;
    for (int i = 0; i < n; i++, line = end) {
        out[i] = strtod(line, &end);
        assert_ptr_not_equal(end, line);
    }
}

static void golden_read(Golden *g)
{
    char path[512], line[512];
    int trees, depth, t = -1, rows = 0, phis = 0;
    snprintf(path, sizeof path, "%s/tests/trees/golden/xgboost_contributions.txt", getenv("DIPPER_SOURCE"));
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    TreesModel *m = &g->m;
    m->outputs = 1;
    assert_int_equal(fscanf(file, "shape %d %d %d %d", &m->n_features, &trees, &depth, &g->shown), 4);
    m->n_trees = trees;
    m->depth = depth;
    m->growth = TREES_DEPTHWISE;
    assert_ok(dp_new(&m->border_at, F_MAX + 1));
    assert_ok(dp_new(&m->border, 4096));
    golden_borders(g, file);
    assert_ok(dp_new(&m->tree_depth, (size_t)trees));
    for (int i = 0; i < trees; i++)
        m->tree_depth[i] = depth;
    assert_ok(trees_model_lay_out(m));
    assert_ok(dp_new(&m->node_feature, (size_t)m->node_at[trees]));
    assert_ok(dp_new(&m->node_border, (size_t)m->node_at[trees]));
    assert_ok(dp_new(&m->node_missing_right, (size_t)m->node_at[trees]));
    assert_ok(dp_new(&m->leaf, (size_t)m->leaf_at[trees]));
    assert_ok(dp_new(&m->cover, (size_t)m->leaf_at[trees]));
    memset(m->node_feature, 0xff, (size_t)m->node_at[trees] * sizeof(int32_t)); /* -1: does not split */
    memset(m->node_border, 0xff, (size_t)m->node_at[trees] * sizeof(int32_t));
    assert_ok(dp_new(&g->x, (size_t)(g->shown * m->n_features)));
    assert_ok(dp_new(&g->phi, (size_t)(g->shown * (m->n_features + 1))));
    rewind(file);
    while (fgets(line, sizeof line, file)) {
        double row[F_MAX];
        if (strncmp(line, "tree", 4) == 0)
            t++;
        else if (strncmp(line, "node", 4) == 0)
            golden_node(m, t, line);
        else if (strncmp(line, "leaf", 4) == 0)
            golden_leaf(m, t, line);
        else if (strncmp(line, "phi", 3) == 0)
            golden_numbers(line + 4, g->phi + phis++ * (m->n_features + 1), m->n_features + 1);
        else if (strncmp(line, "row", 3) == 0) {
            golden_numbers(line + 4, row, m->n_features);
            for (int f = 0; f < m->n_features; f++)
                g->x[rows * m->n_features + f] = (float)row[f];
            rows++;
        }
    }
    fclose(file);
    assert_int_equal(rows, g->shown);
    assert_int_equal(phis, g->shown);
    assert_ok(trees_model_check(m));
}

static void they_equal_xgboost(void **state)
{
    (void)state;
    Golden g = {0};
    TreesScorer *scorer = NULL;
    double *phi = NULL;
    golden_read(&g);
    g.m.bias[0] = 1 << (TREES_LEAF_BITS - 1); /* the base score of the script */
    size_t n = (size_t)(g.shown * (g.m.n_features + 1));
    assert_ok(dp_new(&phi, n));
    assert_ok(trees_scorer_build(&scorer, &g.m, NULL));
    assert_ok(trees_contributions(scorer, g.x, g.shown, g.m.n_features, phi));
    for (size_t i = 0; i < n; i++)
        assert_true(fabs(phi[i] - g.phi[i]) < 1e-6);
    trees_scorer_free(&scorer);
    dp_free(&phi);
    dp_free(&g.x);
    dp_free(&g.phi);
    trees_model_free(&g.m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_are_shapley_values),
        cmocka_unit_test(they_sum_to_the_margin),
        cmocka_unit_test(they_equal_xgboost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
