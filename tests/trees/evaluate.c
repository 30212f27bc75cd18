/* RUN np=1 quick -- margins follow the rule of the nodes in every path, bit for bit, and broken models are refused. */
#include "check.h"

#include "forest.h"

/* The rule of trees.h once more, written from its words: bins first, then nodes by bin. */
static int64_t margin_by_bins(const TreesModel *m, const float *row)
{
    int64_t sum = m->bias;
    for (int t = 0; t < m->n_trees; t++) {
        int64_t at = 0;
        for (int level = 0; level < m->tree_depth[t]; level++) {
            int64_t node = m->node_at[t] + (m->growth == TREES_SYMMETRIC ? level : at + (INT64_C(1) << level) - 1);
            int f = m->node_feature[node], bin = 0, right = 0;
            if (f >= 0 && !isnan(row[f])) {
                bin = 1;
                for (int i = m->border_at[f]; i < m->border_at[f + 1]; i++)
                    bin += m->border[i] < row[f];
                right = bin > m->node_border[node] - m->border_at[f] + 1;
            } else if (f >= 0) {
                right = m->node_missing_right[node];
            }
            at = 2 * at + right;
        }
        sum += m->leaf[m->leaf_at[t] + at];
    }
    return sum;
}

static void compare(TreesGrowth growth, int features, int trees, int depth, int64_t rows, int64_t stride)
{
    TreesModel m = forest_make(growth, features, trees, depth, (uint64_t)(features * 100 + depth));
    float *x = forest_rows(&m, rows, stride, 11);
    TreesScorer *scorer = NULL;
    int64_t *margin = NULL;
    assert_ok(trees_model_check(&m));
    assert_ok(trees_scorer_build(&scorer, &m, NULL));
    assert_ok(dp_new(&margin, (size_t)rows));
    trees_margins(scorer, x, rows, stride, margin);
    for (int64_t i = 0; i < rows; i++)
        assert_int_equal(margin[i], margin_by_bins(&m, x + i * stride));
    trees_scorer_free(&scorer);
    trees_scorer_free(&scorer);
    dp_free(&margin);
    dp_free(&x);
    trees_model_free(&m);
}

static void margins_follow_the_rule(void **state)
{
    (void)state;
    for (int growth = TREES_SYMMETRIC; growth <= TREES_DEPTHWISE; growth++) {
        compare((TreesGrowth)growth, 32, 40, 6, 1100, 32);
        compare((TreesGrowth)growth, 13, 300, 3, 700, 17);
        compare((TreesGrowth)growth, 1, 5, 1, 63, 1);
        compare((TreesGrowth)growth, 20, 9, 8, 129, 20);
        compare((TreesGrowth)growth, 20, 3, 11, 65, 24);
        compare((TreesGrowth)growth, 3, 1, 0, 1, 3);
        compare((TreesGrowth)growth, 3, 0, 0, 5, 3);
    }
}

static void broken_models_are_refused(void **state)
{
    (void)state;
    TreesModel m = forest_make(TREES_DEPTHWISE, 6, 4, 3, 1);
    assert_ok(trees_model_check(&m));
#define REFUSED(place, wrong, id)                                                                                      \
    do {                                                                                                               \
        __typeof__(place) right = (place);                                                                             \
        (place) = (wrong);                                                                                             \
        assert_fails(trees_model_check(&m), DP_ERR_DATA, id);                                                          \
        (place) = right;                                                                                               \
        assert_ok(trees_model_check(&m));                                                                              \
    } while (0)
    REFUSED(m.n_features, -1, "trees-60");
    REFUSED(m.bias, INT64_MIN, "trees-60");
    REFUSED(m.growth, (TreesGrowth)9, "trees-60");
    REFUSED(m.depth, 4, "trees-60");
    REFUSED(m.tree_depth[1], 17, "trees-60");
    REFUSED(m.tree_depth[1], 2, "trees-60");
    REFUSED(m.node_at[2], 1, "trees-60");
    REFUSED(m.leaf_at[4], 1, "trees-60");
    REFUSED(m.border_at[0], 1, "trees-61");
    REFUSED(m.border_at[1], m.border_at[2] + 1, "trees-61");
    REFUSED(m.border_at[2], INT32_MAX, "trees-61");
    REFUSED(m.border[1], m.border[0], "trees-61");
    REFUSED(m.border[0], NAN, "trees-61");
    REFUSED(m.border[m.border_at[2] - 1], INFINITY, "trees-61");
    REFUSED(m.node_feature[0], 6, "trees-62");
    REFUSED(m.node_feature[0], -2, "trees-62");
    REFUSED(m.node_border[0], INT32_MAX, "trees-62");
    REFUSED(m.node_missing_right[0], 2, "trees-62");
    REFUSED(m.cover[3], -1, "trees-63");
    trees_model_free(&m);
    trees_model_free(&m);
}

static void copies_are_their_own(void **state)
{
    (void)state;
    TreesModel m = forest_make(TREES_SYMMETRIC, 5, 3, 4, 2), copy;
    assert_ok(trees_model_copy(&copy, &m));
    int32_t leaf = m.leaf[0];
    m.leaf[0]++;
    assert_int_equal(copy.leaf[0], leaf);
    trees_model_free(&m);
    assert_ok(trees_model_check(&copy));
    trees_model_free(&copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(margins_follow_the_rule),
        cmocka_unit_test(broken_models_are_refused),
        cmocka_unit_test(copies_are_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
