/* RUN np=1 quick -- graphs are put together without leaks or crashes, also when memory ends; with a folder and
 * a number of rows as arguments this program writes the models and rows that runtime.py hands to ONNX Runtime. */
#include "check.h"

#include "forest.h"
#include "onnx/onnx.h"

static void an_empty_graph_is_a_file(void **state)
{
    (void)state;
    OnnxGraph *graph = NULL;
    dp_buf out = {0};
    assert_ok(onnx_build(&graph, "empty"));
    assert_ok(onnx_write(graph, 10, "1", &out));
    assert_true(out.size > 0);
    onnx_free(&graph);
    onnx_free(&graph);
    dp_buf_free(&out);
}

static void the_first_failure_is_kept(void **state)
{
    (void)state;
    OnnxGraph *graph = NULL;
    dp_buf out = {0};
    float value = 1;
    assert_ok(onnx_build(&graph, "short of memory"));
    onnx_constant(graph, "huge", tensor_vector(TENSOR_F32, &value, INT64_MAX / 8));
    OnnxNode *node = onnx_node(graph, "", "Add", (const char *[]){"a", "b"}, 2, "c");
    onnx_ints(node, "axes", (const int64_t[]){1}, 1);
    onnx_strings(node, "words", "ab", (const int64_t[]){0, 1, 2}, 2);
    onnx_input(graph, "a", TENSOR_F32, 1);
    assert_fails(onnx_write(graph, 10, "1", &out), DP_ERR_AGAIN, "base-01");
    assert_int_equal(out.size, 0);
    onnx_free(&graph);
}

static void a_graph_grows_past_its_lists(void **state)
{
    (void)state;
    OnnxGraph *graph = NULL;
    dp_buf out = {0}, again = {0};
    char name[16];
    assert_ok(onnx_build(&graph, "many"));
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "t%d", i);
        if (i % 2)
            onnx_input(graph, name, TENSOR_F32, 1);
        else
            onnx_input_text(graph, name, 1);
        OnnxNode *node = onnx_node(graph, "", "Identity", (const char *[]){name}, 1, name);
        for (int k = 0; k < 20; k++)
            onnx_int(node, name, k);
    }
    assert_ok(onnx_write(graph, 10, "1", &out));
    assert_ok(onnx_write(graph, 10, "1", &again));
    assert_int_equal(out.size, again.size);
    assert_memory_equal(out.data, again.data, out.size);
    onnx_free(&graph);
    dp_buf_free(&out);
    dp_buf_free(&again);
}

/* ---- what runtime.py reads ---- */

static void write_file(const char *folder, const char *name, const void *data, size_t size)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0)
        abort();
}

/* A row's place in the table of category j: random, in->n or more is unseen, -1 missing. */
static int64_t place_of(int j, const DataInput *in, int64_t i)
{
    if (i % 11 == 0)
        return -1;
    return (int64_t)dp_random_below(1, (uint64_t)j, (uint64_t)i, (uint64_t)(in->n + in->n / 4));
}

/* Texts of the table, unseen ones and missing ones; x gets what the contract says. */
static void write_category(const char *folder, const char *what, int j, const DataInput *in, float *x, int64_t n,
                           int64_t stride)
{
    dp_buf words = {0};
    char name[64];
    for (int64_t i = 0; i < n; i++) {
        int64_t k = place_of(j, in, i);
        bool missing = k < 0;
        if (!missing && k < in->n)
            forest_must(dp_buf_add(&words, in->text + in->text_at[k], (size_t)(in->text_at[k + 1] - in->text_at[k])));
        else if (!missing)
            forest_must(dp_buf_text(&words, "never seen"));
        forest_must(dp_buf_text(&words, "\n"));
        x[i * stride + j] = missing ? in->missing : k < in->n ? in->value[k] : in->unseen;
    }
    snprintf(name, sizeof name, "%s.text.%d", what, j);
    write_file(folder, name, words.data, words.size);
    dp_buf_free(&words);
}

/* x gets the combination of the places above, by its definition. */
static void fill_combination(const DataInputs *inputs, int j, float *x, int64_t n, int64_t stride)
{
    const DataInput *in = &inputs->input[j];
    for (int64_t i = 0; i < n; i++) {
        uint64_t key = 0;
        bool unseen = false;
        for (int p = 0; p < in->parts; p++) {
            const DataInput *part = &inputs->input[in->part[p]];
            int64_t k = place_of(in->part[p], part, i);
            unseen = unseen || k >= part->n;
            key = key * ((uint64_t)part->n + 1) + (uint64_t)(k < 0 ? part->n : k);
        }
        x[i * stride + j] = in->unseen;
        for (int64_t k = 0; k < in->n && !unseen; k++)
            if (in->key[k] == key)
                x[i * stride + j] = in->value[k];
    }
}

static void write_case(const char *folder, const char *what, TreesModel m, int64_t n)
{
    DataInputs inputs = forest_inputs(m.n_features, 300);
    dp_buf image = {0}, onnx = {0};
    char path[512], name[64];
    Model *model = NULL;
    float *x = forest_rows(&m, n, m.n_features, 21), *score = NULL;
    int64_t *margin = NULL;
    TreesScorer *scorer = NULL;
    dp_free(&inputs.input[0].name);
    forest_must(dp_copy_text(&inputs.input[0].name, "score")); /* a column may have the name of an output */
    if (m.n_features >= 12)
        forest_combine(&inputs, 3, 200);
    forest_image(&image, &m, &inputs, "{}");
    snprintf(name, sizeof name, "%s.h5", what);
    write_file(folder, name, image.data, image.size);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    forest_must(model_load(&model, NULL, path, NULL));
    for (int ml = 3; ml <= 5; ml += 2) {
        onnx.size = 0;
        forest_must(model_export_onnx_for(model, "risk", "risk:15", ml, &onnx));
        snprintf(name, sizeof name, "%s.ml%d.onnx", what, ml);
        write_file(folder, name, onnx.data, onnx.size);
    }
    for (int j = 0; j < inputs.n; j++)
        if (inputs.input[j].encode == DATA_TARGET)
            write_category(folder, what, j, &inputs.input[j], x, n, m.n_features);
        else if (inputs.input[j].encode == DATA_COMBINED)
            fill_combination(&inputs, j, x, n, m.n_features);
    forest_must(dp_new(&score, (size_t)n));
    forest_must(dp_new(&margin, (size_t)n));
    forest_must(trees_scorer_build(&scorer, &m, NULL));
    trees_margins(scorer, x, n, m.n_features, margin);
    model_predict(model, tensor_matrix(TENSOR_F32, x, n, m.n_features), score);
    snprintf(name, sizeof name, "%s.x", what);
    write_file(folder, name, x, (size_t)(n * m.n_features) * sizeof *x);
    snprintf(name, sizeof name, "%s.margin", what);
    write_file(folder, name, margin, (size_t)n * sizeof *margin);
    snprintf(name, sizeof name, "%s.score", what);
    write_file(folder, name, score, (size_t)n * sizeof *score);
    trees_scorer_free(&scorer);
    model_free(&model);
    data_inputs_free(&inputs);
    dp_buf_free(&image);
    dp_buf_free(&onnx);
    dp_free(&x);
    dp_free(&score);
    dp_free(&margin);
    trees_model_free(&m);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_graph_is_a_file),
        cmocka_unit_test(the_first_failure_is_kept),
        cmocka_unit_test(a_graph_grows_past_its_lists),
    };
    if (argc == 3) {
        int64_t rows = atoll(argv[2]);
        write_case(argv[1], "symmetric", forest_make(TREES_SYMMETRIC, 12, 60, 6, 31), rows);
        write_case(argv[1], "depthwise", forest_make(TREES_DEPTHWISE, 12, 60, 5, 32), rows);
        write_case(argv[1], "small", forest_make(TREES_DEPTHWISE, 3, 2, 1, 33), 1000);
        write_case(argv[1], "constant", forest_make(TREES_SYMMETRIC, 3, 3, 0, 34), 1000);
        write_case(argv[1], "nothing", forest_make(TREES_SYMMETRIC, 3, 0, 0, 35), 1000);
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
