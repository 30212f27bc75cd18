/* RUN np=1 quick -- margins follow the rule of the nodes in every path, bit for bit, and broken models are refused. */
#include "check.h"

#include <sys/mman.h>
#include <unistd.h>

#include "forest.h"

/* The rule of trees.h once more, written from its words: bins first, then nodes by bin. */
static int64_t margin_by_bins(const TreesModel *m, const float *row)
{
    int64_t sum = m->bias[0];
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

/* Margins of the same rows from bins, one column after the other, as they are stored. */
static void margins_from_bins(const TreesScorer *scorer, const float *x, int64_t rows, int64_t stride, int64_t *margin)
{
    int features;
    const int32_t *feature = trees_scorer_features(scorer, &features);
    size_t room = ((size_t)rows + 63) / 64 * 64;
    uint8_t *bins = NULL;
    const uint8_t **bin = NULL;
    float *value = NULL;
    assert_ok(dp_new(&bins, room * (size_t)features + 1));
    assert_ok(dp_new(&bin, (size_t)features + 1));
    assert_ok(dp_new(&value, (size_t)rows));
    for (int k = 0; k < features; k++) {
        for (int64_t i = 0; i < rows; i++)
            value[i] = x[i * stride + feature[k]];
        bin[k] = bins + (size_t)k * room;
        trees_scorer_bin(scorer, k, value, rows, bins + (size_t)k * room);
    }
    trees_margins_bins(scorer, bin, rows, margin);
    dp_free(&bins);
    dp_free(&bin);
    dp_free(&value);
}

/* The same from columns of floats that begin at row 7; those of features that no node looks at are not there. */
static void margins_from_columns(const TreesScorer *scorer, const float *x, int64_t rows, int64_t stride,
                                 int64_t *margin)
{
    int used, before = 7;
    const int32_t *feature = trees_scorer_features(scorer, &used);
    float *values = NULL;
    const float **value = NULL;
    assert_ok(dp_new(&values, (size_t)((rows + before) * used)));
    assert_ok(dp_new(&value, (size_t)stride));
    for (int k = 0; k < used; k++) {
        float *column = values + k * (rows + before);
        for (int64_t i = 0; i < rows; i++)
            column[before + i] = x[i * stride + feature[k]];
        value[feature[k]] = column;
    }
    trees_margins_columns(scorer, value, before, rows, margin);
    dp_free(&values);
    dp_free(&value);
}

enum { DEVICES = 5 };
static Device *device[DEVICES + 1]; /* NULL: none, rows are walked */

/* Leaves that need `planes` bytes. */
static void scale_leaves(TreesModel *m, int planes)
{
    for (int64_t i = 0; i < m->leaf_at[m->n_trees]; i++)
        m->leaf[i] = planes == 1 ? m->leaf[i] % 120 : planes == 2 ? m->leaf[i] % 30000 : m->leaf[i];
    for (int64_t i = 0; planes == 4 && i < m->leaf_at[m->n_trees]; i += 3)
        m->leaf[i] = i % 2 ? INT32_MAX - (int32_t)i : INT32_MIN + (int32_t)i;
}

static void compare(TreesModel m, int64_t rows, int64_t stride)
{
    float *x = forest_rows(&m, rows, stride, 11);
    int64_t *expected = NULL, *margin = NULL;
    assert_ok(trees_model_check(&m));
    assert_ok(dp_new(&expected, (size_t)rows));
    assert_ok(dp_new(&margin, (size_t)rows));
    for (int64_t i = 0; i < rows; i++)
        expected[i] = margin_by_bins(&m, x + i * stride);
    for (int d = 0; d <= DEVICES; d++) {
        TreesScorer *scorer = NULL;
        assert_ok(trees_scorer_build(&scorer, &m, device[d]));
        static const char *const forms[] = {"rows", "columns", "bins"};
        for (int form = 0; form < 3; form++) {
            (form == 0   ? trees_margins
             : form == 1 ? margins_from_columns
                         : margins_from_bins)(scorer, x, rows, stride, margin);
            for (int64_t i = 0; i < rows; i++)
                if (margin[i] != expected[i])
                    fail_msg("%s from %s, growth %d, %d trees, depth %d, row %d of %d: %lld, not %lld",
                             device[d] ? device_describe(device[d]) : "walked", forms[form], (int)m.growth, m.n_trees,
                             m.depth, (int)i, (int)rows, (long long)margin[i], (long long)expected[i]);
        }
        trees_scorer_free(&scorer);
        trees_scorer_free(&scorer);
    }
    dp_free(&expected);
    dp_free(&margin);
    dp_free(&x);
    trees_model_free(&m);
}

static void margins_follow_the_rule(void **state)
{
    (void)state;
    for (int g = TREES_SYMMETRIC; g <= TREES_DEPTHWISE; g++) {
        TreesGrowth growth = (TreesGrowth)g;
        compare(forest_make(growth, 32, 40, 6, 1), 1100, 32);
        compare(forest_make(growth, 13, 600, 3, 2), 700, 17); /* more trees than 16-bit sums hold */
        compare(forest_make(growth, 1, 5, 1, 3), 63, 1);
        compare(forest_make(growth, 20, 9, 7, 4), 513, 20);
        compare(forest_make(growth, 20, 9, 8, 5), 129, 20);
        compare(forest_make(growth, 20, 3, 11, 6), 65, 24);
        compare(forest_make(growth, 3, 1, 0, 7), 9, 3);
        compare(forest_make(growth, 3, 0, 0, 8), 9, 3);
        compare(forest_make(growth, 70, 12, 5, 9), 100, 71); /* columns far apart */
        for (int64_t rows = 1; rows < 20; rows += 3)
            compare(forest_make(growth, 17, 7, 4, 10), rows, 17);
        for (int planes = 1; planes <= 4; planes++)
            for (int depth = 5; depth <= 8; depth++) {
                TreesModel m = forest_make(growth, 16, 270, depth, 11);
                scale_leaves(&m, planes);
                compare(m, 70, 16);
            }
    }
}

/* `bytes` that end where the page ends: what is read behind them is seen. */
static void *edge_of_page(int64_t bytes, char **memory, size_t *size)
{
    long page = sysconf(_SC_PAGESIZE);
    int64_t room = (bytes + page - 1) / page * page;
    *size = (size_t)(room + page);
    *memory = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(*memory, MAP_FAILED);
    assert_int_equal(mprotect(*memory + room, (size_t)page, PROT_NONE), 0);
    return *memory + room - bytes;
}

static void nothing_behind_the_columns_is_read(void **state)
{
    (void)state;
    TreesModel m = forest_make(TREES_SYMMETRIC, 1, 20, 4, 12);
    for (int64_t rows = 1; rows < 200; rows += 33) {
        char *memory[2];
        size_t size[2];
        int64_t margin[200];
        float *x = forest_rows(&m, rows, 1, 11);
        uint8_t *bin = edge_of_page(rows, &memory[0], &size[0]);
        float *value = edge_of_page(rows * (int64_t)sizeof *value, &memory[1], &size[1]);
        memcpy(value, x, (size_t)rows * sizeof *value);
        for (int d = 0; d <= DEVICES; d++) {
            TreesScorer *scorer = NULL;
            assert_ok(trees_scorer_build(&scorer, &m, device[d]));
            trees_scorer_bin(scorer, 0, value, rows, bin);
            for (int bins = 0; bins < 2; bins++) {
                if (bins)
                    trees_margins_bins(scorer, (const uint8_t *const[]){bin}, rows, margin);
                else
                    trees_margins_columns(scorer, (const float *const[]){value}, 0, rows, margin);
                for (int64_t i = 0; i < rows; i++)
                    assert_int_equal(margin[i], margin_by_bins(&m, x + i));
            }
            trees_scorer_free(&scorer);
        }
        munmap(memory[0], size[0]);
        munmap(memory[1], size[1]);
        dp_free(&x);
    }
    trees_model_free(&m);
}

static void nothing_behind_the_rows_is_read(void **state)
{
    (void)state;
    for (int features = 1; features <= 33; features += 4) {
        TreesModel m = forest_make(TREES_SYMMETRIC, features, 20, 4, 12);
        int64_t rows = 21, margin[21];
        char *memory;
        size_t size;
        float *x = edge_of_page(rows * features * (int64_t)sizeof(float), &memory, &size);
        for (int d = 0; d <= DEVICES; d++) {
            TreesScorer *scorer = NULL;
            assert_ok(trees_scorer_build(&scorer, &m, device[d]));
            trees_margins(scorer, x, rows, features, margin);
            assert_int_equal(margin[20], margin_by_bins(&m, x + 20 * features));
            trees_scorer_free(&scorer);
        }
        munmap(memory, size);
        trees_model_free(&m);
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
    REFUSED(m.bias[0], INT64_MIN, "trees-60");
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

static int open_devices(void **state)
{
    (void)state;
    static const char *const cpu[] = {"", "scalar", "avx2", "avx512"}; /* a lesser one where it is not there */
    for (int d = 0; d < 4; d++) {
        setenv("DIPPER_CPU", cpu[d], 1);
        if (device_open(&device[d], d == 0 ? "reference" : "cpu", 0, 1) != DP_OK)
            return -1;
    }
    if (!check_card())
        return 0;
    return device_open(&device[4], "cuda", 0, 1) == DP_OK ? 0 : -1;
}

static int close_devices(void **state)
{
    (void)state;
    for (int d = 0; d < DEVICES; d++)
        device_close(&device[d]);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(margins_follow_the_rule),
        cmocka_unit_test(nothing_behind_the_rows_is_read),
        cmocka_unit_test(nothing_behind_the_columns_is_read),
        cmocka_unit_test(broken_models_are_refused),
        cmocka_unit_test(copies_are_their_own),
    };
    return cmocka_run_group_tests(tests, open_devices, close_devices);
}
