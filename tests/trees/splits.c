/* RUN np=1,2 quick -- each split is the best there is, found by trying all in double with gradients that are hardly
 * rounded; leaves and covers are what their rows give; training's margins are those of an evaluation. */
#include "check.h"

#include "table.h"

static Comm *comm;

typedef struct Sums {
    double g, h;
    int64_t rows;
} Sums;

/* Everything about the tree being checked, by brute force over the whole table. */
typedef struct Brute {
    const Table *table;
    const TreesModel *model;
    const TreesOptions *options;
    double *margin; /* before the tree, [n] */
    int32_t *leaf;  /* [n] place in the level being checked */
} Brute;

static int bin_of(const TreesModel *model, int f, float v)
{
    int b = 1;
    if (isnan(v))
        return 0;
    for (int i = model->border_at[f]; i < model->border_at[f + 1]; i++)
        b += model->border[i] < v;
    return b;
}

static int side_of(int b, int s, int right)
{
    return b == 0 ? right : b > s;
}

static Sums gradient(const Brute *brute, int64_t i)
{
    double p = 1 / (1 + exp(-brute->margin[i]));
    double w = brute->table->label[i] ? brute->options->positive_weight : 1;
    return (Sums){.g = w * (p - brute->table->label[i]), .h = w * p * (1 - p)};
}

/* The soft threshold. */
static double shrunk(double g, double l1)
{
    double size = fabs(g) > l1 ? fabs(g) - l1 : 0;
    return g < 0 ? -size : size;
}

/* The score of a candidate in the nodes first .. last of the level. */
static double score_of(const Brute *brute, int f, int s, int right, int place)
{
    Sums side[2] = {{0, 0, 0}, {0, 0, 0}};
    double l2 = brute->options->l2;
    for (int64_t i = 0; i < brute->table->n; i++) {
        if (brute->table->part[i] != 0 || brute->leaf[i] != place)
            continue;
        Sums one = gradient(brute, i),
             *to = &side[side_of(bin_of(brute->model, f, brute->table->value[f * brute->table->n + i]), s, right)];
        to->g += one.g;
        to->h += one.h;
        to->rows++;
    }
    if (side[0].h < brute->options->min_child || side[1].h < brute->options->min_child ||
        side[0].rows < brute->options->min_rows || side[1].rows < brute->options->min_rows) {
        double g = shrunk(side[0].g + side[1].g, brute->options->l1), h = side[0].h + side[1].h;
        return brute->options->growth == TREES_SYMMETRIC ? g * g / (h + l2) : 0;
    }
    for (int k = 0; k < 2; k++)
        side[k].g = shrunk(side[k].g, brute->options->l1);
    return side[0].g * side[0].g / (side[0].h + l2) + side[1].g * side[1].g / (side[1].h + l2);
}

static double level_score(const Brute *brute, int f, int s, int right, int level, int place)
{
    double sum = 0;
    if (brute->options->growth != TREES_SYMMETRIC)
        return score_of(brute, f, s, right, place);
    for (int p = 0; p < 1 << level; p++)
        sum += score_of(brute, f, s, right, p);
    return sum;
}

/* No candidate scores better than the tree's split by more than rounding gives. */
static void check_node(const Brute *brute, int level, int place, int64_t node)
{
    const TreesModel *m = brute->model;
    int f = m->node_feature[node];
    double mine = f < 0 ? 0
                        : level_score(brute, f, m->node_border[node] - m->border_at[f] + 1, m->node_missing_right[node],
                                      level, place);
    for (int g = 0; g < m->n_features && f >= 0; g++)
        for (int s = 0; s <= m->border_at[g + 1] - m->border_at[g]; s++)
            for (int right = 0; right < (s ? 2 : 1); right++) {
                double other = level_score(brute, g, s, right, level, place);
                if (other > mine + 0.02 + 0.005 * fabs(mine))
                    fail_msg("level %d place %d: feature %d bin %d right %d scores %g, taken was %d: %g", level, place,
                             g, s, right, other, f, mine);
            }
}

static double worth(const Brute *brute, Sums sum)
{
    double g = shrunk(sum.g, brute->options->l1), h = sum.h + brute->options->l2;
    return h > 0 ? g * g / h : 0;
}

/* What the split of the nodes first .. last of the level gained is what their rows say, learned from or not drawn. */
static void check_gain(const Brute *brute, int64_t node, int first, int last)
{
    const TreesModel *m = brute->model;
    int f = m->node_feature[node];
    double gain = 0;
    for (int place = first; place <= last && f >= 0; place++) {
        Sums side[2] = {{0, 0, 0}, {0, 0, 0}};
        for (int64_t i = 0; i < brute->table->n; i++) {
            if (brute->table->part[i] != 0 || brute->leaf[i] != place)
                continue;
            Sums one = gradient(brute, i);
            int b = bin_of(m, f, brute->table->value[f * brute->table->n + i]);
            Sums *to = &side[side_of(b, m->node_border[node] - m->border_at[f] + 1, m->node_missing_right[node])];
            to->g += one.g;
            to->h += one.h;
        }
        Sums both = {.g = side[0].g + side[1].g, .h = side[0].h + side[1].h};
        gain += worth(brute, side[0]) + worth(brute, side[1]) - worth(brute, both);
    }
    assert_true(fabs(m->node_gain[node] - gain) <= 1e-5 * (1 + fabs(gain)));
}

static int32_t next_place(const Brute *brute, int64_t i, int64_t node)
{
    const TreesModel *m = brute->model;
    int f = m->node_feature[node];
    int b = f < 0 ? 0 : bin_of(m, f, brute->table->value[f * brute->table->n + i]);
    int right = f >= 0 && side_of(b, m->node_border[node] - m->border_at[f] + 1, m->node_missing_right[node]);
    return 2 * brute->leaf[i] + right;
}

static void check_leaves(Brute *brute, int tree)
{
    const TreesModel *m = brute->model;
    const Table *t = brute->table;
    for (int k = 0; k < 1 << m->tree_depth[tree]; k++) {
        Sums sum = {0, 0, 0};
        for (int64_t i = 0; i < t->n; i++)
            if (t->part[i] == 0 && brute->leaf[i] == k) {
                Sums one = gradient(brute, i);
                sum.g += one.g;
                sum.h += one.h;
                sum.rows++;
            }
        double right =
            -brute->options->learning_rate * shrunk(sum.g, brute->options->l1) / (sum.h + brute->options->l2);
        assert_int_equal(m->cover[m->leaf_at[tree] + k], sum.rows);
        assert_true(fabs(m->leaf[m->leaf_at[tree] + k] * 0x1p-20 - right) <= 0x1p-20);
    }
    for (int64_t i = 0; i < t->n; i++)
        brute->margin[i] += m->leaf[m->leaf_at[tree] + brute->leaf[i]] * 0x1p-20;
}

/* Splits are checked where the tree learned from all rows; leaves always, for they are of all. */
static void check_tree(Brute *brute, int tree)
{
    const TreesModel *m = brute->model;
    bool symmetric = m->growth == TREES_SYMMETRIC, sampled = brute->options->sample_rows < 1;
    for (int64_t i = 0; i < brute->table->n; i++)
        brute->leaf[i] = 0;
    for (int level = 0; level < m->tree_depth[tree]; level++) {
        int64_t first = m->node_at[tree] + (symmetric ? level : (1 << level) - 1);
        for (int place = 0; place < (symmetric ? 1 : 1 << level) && !sampled; place++)
            check_node(brute, level, place, first + place);
        for (int place = 0; place < (symmetric ? 1 : 1 << level); place++)
            check_gain(brute, first + place, symmetric ? 0 : place, symmetric ? (1 << level) - 1 : place);
        for (int64_t i = 0; i < brute->table->n; i++)
            brute->leaf[i] = next_place(brute, i, symmetric ? first : first + brute->leaf[i]);
    }
    check_leaves(brute, tree);
}

/* The margins that training keeps are what an evaluation of the model gives, also for rows not learned from. */
static void check_margins(const Learning *learning, const TreesModel *model)
{
    const Table *t = &learning->mine;
    TreesScorer *scorer = NULL;
    float x[64];
    assert_ok(trees_scorer_build(&scorer, model, learning->device));
    for (int64_t i = 0; i < t->n; i++) {
        int64_t margin;
        for (int f = 0; f < t->features; f++)
            x[f] = t->value[f * t->n + i];
        trees_margins(scorer, x, 1, t->features, &margin);
        if (t->part[i] <= 1)
            assert_true(margin == trees_training_margins(learning->training)[i]);
    }
    trees_scorer_free(&scorer);
}

static void check_growth_of(TreesGrowth growth, double sample_rows, TreesSampling by, double l1, int64_t min_rows)
{
    Table table;
    Learning learning;
    Way way = {.device = "cpu",
               .threads = 2,
               .options = {.trees = 3,
                           .depth = 3,
                           .leaves = 5,
                           .bins = 24,
                           .growth = growth,
                           .learning_rate = 0.4,
                           .l1 = l1,
                           .l2 = 1,
                           .min_child = 2,
                           .min_rows = min_rows,
                           .sample_rows = sample_rows,
                           .sample_by = by,
                           .sample_columns = 1,
                           .positive_weight = 2,
                           .levels = 16383}};
    table_draw(&table, 900, 6, 3);
    learning_begin(&learning, &table, &way, comm);
    assert_int_equal(learning_steps(&learning, 3, comm), 3);
    Brute brute = {.table = &table, .model = trees_training_model(learning.training), .options = &way.options};
    assert_ok(trees_model_check(brute.model));
    assert_ok(dp_new(&brute.margin, (size_t)table.n));
    assert_ok(dp_new(&brute.leaf, (size_t)table.n));
    for (int64_t i = 0; i < table.n; i++)
        brute.margin[i] = (double)brute.model->bias[0] * 0x1p-20;
    for (int i = 0; i < 3; i++)
        check_tree(&brute, i);
    check_margins(&learning, brute.model);
    dp_free(&brute.margin);
    dp_free(&brute.leaf);
    learning_free(&learning);
    table_free(&table);
}

static void check_growth(TreesGrowth growth, double sample_rows, TreesSampling by, double l1)
{
    check_growth_of(growth, sample_rows, by, l1, 1);
}

static void splits_leave_rows_enough(void **state)
{
    (void)state;
    for (int growth = TREES_SYMMETRIC; growth <= TREES_LEAFWISE; growth++)
        check_growth_of((TreesGrowth)growth, 1, TREES_SAMPLE_UNIFORM, 0, 70);
}

/* One value stands far out; the best split would cut it off alone. With a least number of rows the split moves in to
 * that number, and no further: x <= least, where scikit-learn 1.9 (min_samples_leaf) and LightGBM 4.7
 * (min_data_in_leaf) put it, with the means of both sides. */
static void few_rows_are_not_cut_off(void **state)
{
    static const double y[12] = {90, 1, 2, 0, 3, 1, 9, 8, 9, 7, 9, 8};
    Table table;
    (void)state;
    table_draw(&table, 12, 1, 3);
    for (int i = 0; i < 12; i++) {
        table.value[i] = (float)(i + 1);
        table.target[i] = y[i];
        table.part[i] = 0;
    }
    for (int least = 1; least <= 6; least++) {
        Learning learning;
        Way way = {.device = "cpu",
                   .threads = 1,
                   .options = {.trees = 1,
                               .depth = 1,
                               .bins = 24,
                               .growth = TREES_DEPTHWISE,
                               .learning_rate = 1,
                               .min_rows = least,
                               .sample_rows = 1,
                               .sample_columns = 1,
                               .positive_weight = 1,
                               .levels = 16383,
                               .loss = TREES_SQUARED}};
        double side[2] = {0, 0};
        learning_begin(&learning, &table, &way, comm);
        assert_int_equal(learning_steps(&learning, 1, comm), 1);
        const TreesModel *m = trees_training_model(learning.training);
        for (int i = 0; i < 12; i++)
            side[i >= least] += y[i] / (i >= least ? 12 - least : least);
        assert_true(m->border[m->node_border[0]] == (float)least);
        for (int k = 0; k < 2; k++)
            assert_true(fabs(ldexp((double)(m->bias[0] + m->leaf[k]), m->scale - TREES_LEAF_BITS) - side[k]) < 1e-4);
        learning_free(&learning);
    }
    table_free(&table);
}

static void depthwise_splits_are_best(void **state)
{
    (void)state;
    check_growth(TREES_DEPTHWISE, 1, TREES_SAMPLE_GRADIENT, 0);
    check_growth(TREES_DEPTHWISE, 1, TREES_SAMPLE_GRADIENT, 6);
}

static void leafwise_splits_are_best(void **state)
{
    (void)state;
    check_growth(TREES_LEAFWISE, 1, TREES_SAMPLE_UNIFORM, 0);
}

static void symmetric_splits_are_best(void **state)
{
    (void)state;
    check_growth(TREES_SYMMETRIC, 1, TREES_SAMPLE_UNIFORM, 0);
    check_growth(TREES_SYMMETRIC, 1, TREES_SAMPLE_UNIFORM, 6);
}

static void sampled_margins_are_evaluations(void **state)
{
    (void)state;
    check_growth(TREES_DEPTHWISE, 0.4, TREES_SAMPLE_UNIFORM, 0);
    check_growth(TREES_SYMMETRIC, 0.4, TREES_SAMPLE_UNIFORM, 0);
    check_growth(TREES_LEAFWISE, 0.4, TREES_SAMPLE_UNIFORM, 0);
    check_growth(TREES_DEPTHWISE, 0.4, TREES_SAMPLE_GRADIENT, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(depthwise_splits_are_best), cmocka_unit_test(leafwise_splits_are_best),
        cmocka_unit_test(symmetric_splits_are_best), cmocka_unit_test(few_rows_are_not_cut_off),
        cmocka_unit_test(splits_leave_rows_enough),  cmocka_unit_test(sampled_margins_are_evaluations),
    };
    if (comm_open(&comm, NULL) != DP_OK)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    comm_close(&comm);
    return failed;
}
