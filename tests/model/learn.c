/* RUN np=1,2,3 quick -- a model learns the same payload on any number of ranks; resumed equals uninterrupted; what it
 * says of rows while learning is what the finished and the reloaded model say. */
#include "check.h"

#include "../data/table.h"
#include "base/publish.h"
#include "base/rng.h"
#include "model/model.h"

static Comm *comm, *alone;
static char lake[64];

enum { ROWS = 2500, PIECE = 300, COLUMNS = 7, INPUTS = 4, FEATURES = 8, TREES = 9 };
static LakeColumn columns[COLUMNS] = {
    COLUMN("id", LAKE_TEXT),           COLUMN("at", LAKE_TIME),
    COLUMN("fault", LAKE_LABEL),       COLUMN("value", LAKE_NUMBER),
    COLUMN("importer", LAKE_CATEGORY), COLUMN("mass", LAKE_NUMBER32, .unit = (char *)(uintptr_t) "kg"),
    COLUMN("mode", LAKE_CATEGORY),
};
static LakeSchema schema = {.columns = columns, .n = COLUMNS};
static const char *const inputs[INPUTS] = {"value", "importer", "mass", "mode"};

static int importer_of(uint64_t i)
{
    double u = dp_random_unit(1, 4, i);
    return (int)(40 * u * u);
}

static int mode_of(uint64_t i)
{
    return (int)(4 * dp_random_unit(1, 6, i));
}

static void print_cell(char out[32], int c, uint64_t i)
{
    double u = dp_random_unit(1, (uint64_t)c, i), risk = dp_random_unit(1, 3, i);
    out[0] = '\0';
    if (c == 0)
        sprintf(out, "D%05d", (int)i);
    else if (c == 1)
        dp_time_print(out, dp_days_of_date(2024, 1, 1) * DP_DAY + (int64_t)(i * 365 / ROWS) * DP_DAY);
    else if (c == 2) /* an importer is bad in one mode and good in the other */
        sprintf(out, "%d", u < 0.1 + 0.6 * risk * (importer_of(i) % 2 == mode_of(i) % 2));
    else if (c == 3)
        sprintf(out, "%.4f", 100 * risk);
    else if (c == 4 && u > 0.03)
        sprintf(out, "importer %d", importer_of(i));
    else if (c == 6)
        sprintf(out, "mode %d", mode_of(i));
    else if (c == 5 && u > 0.1)
        sprintf(out, "%.3f", 1000 * u);
}

static void write_rows(void)
{
    static char text[ROWS][COLUMNS][32];
    static const char *cells[ROWS * COLUMNS];
    for (uint64_t i = 0; i < ROWS; i++)
        for (int c = 0; c < COLUMNS; c++) {
            print_cell(text[i][c], c, i);
            cells[i * COLUMNS + (uint64_t)c] = text[i][c];
        }
    schema.id = columns[0].name;
    schema.time = columns[1].name;
    write_table(lake, "rows", &schema, cells, ROWS, PIECE, comm);
}

/* One model with everything it was made from. */
typedef struct Learner {
    LakeTable *table;
    Data *data;
    Device *device;
    Config *config;
    Model *model;
} Learner;

static void learner_open(Learner *l, const char *growth, const Comm *c)
{
    static const CfgKind kind = {.name = "model", .about = "", .sections = model_sections};
    DataOptions options = {.table = "rows", .label = "fault", .columns = {inputs, INPUTS}, .as_of = DP_TIME_MISSING};
    SplitOptions split = {.train = {.kind = CFG_PART_MONTHS, .count = 8},
                          .valid = {.kind = CFG_PART_MONTHS, .count = 2},
                          .test = {.kind = CFG_PART_MONTHS, .count = 2}};
    EncodeOptions encode = {.prior_weight = 5, .half_life = 0.2, .pairs = 2, .parts = 2, .memory = 1 << 20};
    char text[256];
    CfgKind kinds = kind;
    kinds.n = model_sections_n;
    snprintf(text, sizeof text,
             "kind: model\nmodel: {family: trees, trees: %d, depth: 3, growth: %s, "
             "learning_rate: 0.3, sample: {rows: 80%%}}\n",
             TREES, growth);
    assert_ok(config_parse(&l->config, "test.yaml", text, strlen(text), NULL, 0, &kinds, 1));
    assert_ok(config_must_be_good(l->config));
    assert_ok(device_open(&l->device, "cpu", 0, 1));
    assert_ok(lake_open(&l->table, lake, "rows", c));
    assert_ok(data_open(&l->data, l->table, &options, &split, &encode, 7, 1, c));
    assert_ok(model_build(&l->model, l->config, 7, l->device));
    assert_ok(model_begin(l->model, l->data, c));
}

static void learner_close(Learner *l)
{
    model_free(&l->model);
    model_free(&l->model);
    data_close(&l->data);
    lake_close(&l->table);
    device_close(&l->device);
    config_free(&l->config);
}

static void learn(Learner *l, int64_t until, const Comm *c)
{
    bool more = true;
    while (more && model_steps(l->model) < until)
        assert_ok(model_step(l->model, &more, c));
    assert_int_equal(model_steps(l->model), until);
    assert_int_equal(more, until < model_steps_max(l->model));
}

static dp_digest finish(Learner *l, const Comm *c)
{
    ModelFacts facts;
    assert_ok(model_finish(l->model, c));
    assert_ok(model_facts(&facts, l->model));
    return facts.payload;
}

static void assert_same(const dp_digest *a, const dp_digest *b)
{
    assert_memory_equal(a->bytes, b->bytes, sizeof a->bytes);
}

static void one_payload_on_any_ranks(const char *growth)
{
    Learner many = {0}, one = {0};
    learner_open(&many, growth, comm);
    learn(&many, TREES, comm);
    dp_digest by_many = finish(&many, comm);
    learner_open(&one, growth, alone);
    learn(&one, TREES, alone);
    dp_digest by_one = finish(&one, alone);
    assert_same(&by_many, &by_one);
    learner_close(&many);
    learner_close(&one);
}

static void ranks_do_not_matter(void **state)
{
    (void)state;
    one_payload_on_any_ranks("symmetric");
    one_payload_on_any_ranks("depth");
}

/* Saved at 4 by all ranks, taken up by one alone, cut, and learned to the end. */
static void resumed_is_uninterrupted(void **state)
{
    (void)state;
    Learner whole = {0}, first = {0}, second = {0};
    dp_buf saved = {0}, again = {0};
    float *before = NULL, *after = NULL;
    learner_open(&whole, "depth", comm);
    learn(&whole, TREES, comm);
    dp_digest expected = finish(&whole, comm);
    learner_open(&first, "depth", comm);
    learn(&first, 4, comm);
    assert_ok(model_state_save(first.model, &saved));
    learner_open(&second, "depth", alone);
    assert_ok(model_state_load(second.model, saved.data, saved.size, alone));
    assert_int_equal(model_steps(second.model), 4);
    int64_t n = data_rows_n(second.data);
    assert_ok(dp_new(&before, (size_t)n));
    assert_ok(dp_new(&after, (size_t)n));
    model_scores(second.model, 0, data_rows_n(second.data), before);
    learn(&second, 7, alone);
    model_cut(second.model, 4);
    model_scores(second.model, 0, data_rows_n(second.data), after);
    assert_memory_equal(before, after, (size_t)n * sizeof *before);
    assert_ok(model_state_save(second.model, &again));
    assert_int_equal(again.size, saved.size);
    assert_memory_equal(again.data, saved.data, saved.size);
    learn(&second, TREES, alone);
    dp_digest resumed = finish(&second, alone);
    assert_same(&expected, &resumed);
    saved.data[saved.size / 2] ^= 1; /* a border, a leaf, a count: whatever it is, it does not crash */
    learn(&first, 5, comm);
    (void)model_state_load(first.model, saved.data, saved.size, comm);
    assert_fails(model_state_load(first.model, saved.data, 10, comm), DP_ERR_DATA, "model-06");
    dp_buf_free(&saved);
    dp_buf_free(&again);
    dp_free(&before);
    dp_free(&after);
    learner_close(&whole);
    learner_close(&first);
    learner_close(&second);
}

/* score[row number of the table], through the contract, block by block, by a model that was loaded from its file. */
static void score_table(const Model *model, Learner *l, float *score)
{
    DataEncoder *encoder = NULL;
    const int *wanted;
    LakeScan *scan = NULL;
    const LakeBlock *block;
    static float x[65536 * FEATURES];
    assert_int_equal(model_inputs(model)->n, FEATURES); /* a pair, and three that follow what changes */
    assert_ok(data_encoder_build(&encoder, model_inputs(model), lake_schema(l->table), &wanted));
    assert_ok(data_scan(&scan, l->data, wanted, INPUTS, alone));
    assert_ok(lake_next(scan, &block));
    while (block) {
        Tensor rows = tensor_matrix(TENSOR_F32, x, block->rows, FEATURES);
        assert_ok(data_encode(encoder, block->column, rows));
        model_predict(model, rows, score + block->first_row);
        assert_ok(lake_next(scan, &block));
    }
    lake_scan_close(&scan);
    data_encoder_free(&encoder);
}

static void scores_while_learning_are_those_of_the_file(void **state)
{
    (void)state;
    Learner l = {0};
    Model *loaded = NULL;
    dp_buf image = {0};
    char path[128];
    static float learned[ROWS], scored[ROWS];
    learner_open(&l, "symmetric", alone);
    learn(&l, TREES, alone);
    model_scores(l.model, 0, data_rows_n(l.data), learned);
    finish(&l, alone);
    assert_fails(model_image(l.model, "[]", &image), DP_ERR_USAGE, "model-11");
    assert_ok(model_image(l.model, "{}", &image));
    snprintf(path, sizeof path, "/tmp/dipper-learn-%d", (int)getpid());
    assert_int_equal(mkdir(path, 0700), 0);
    assert_ok(dp_publish_bytes(path, "model.h5", image.data, image.size, DP_PUBLISH_NEW, NULL));
    strcat(path, "/model.h5");
    assert_ok(model_load(&loaded, NULL, path, l.device));
    assert_int_equal(unlink(path), 0);
    *strrchr(path, '/') = '\0';
    assert_int_equal(rmdir(path), 0);
    score_table(loaded, &l, scored);
    int64_t valid = 0;
    for (int64_t i = 0; i < data_rows_n(l.data); i++) {
        /* Train rows were encoded by the rows before them, valid rows by the frozen tables, as scoring does. */
        if (data_part(l.data)[i] == DATA_VALID) {
            assert_true(learned[i] == scored[data_row_number(l.data)[i]]);
            valid++;
        } else if (data_part(l.data)[i] > DATA_VALID) {
            assert_true(learned[i] == 0);
        }
    }
    assert_true(valid > 200);
    dp_buf_free(&image);
    model_free(&loaded);
    learner_close(&l);
}

static void what_is_not_finished_is_not_saved(void **state)
{
    (void)state;
    Learner l = {0};
    dp_buf out = {0};
    ModelFacts facts;
    learner_open(&l, "symmetric", alone);
    assert_fails(model_image(l.model, "{}", &out), DP_ERR_USAGE, "model-10");
    assert_fails(model_facts(&facts, l.model), DP_ERR_USAGE, "model-10");
    assert_fails(model_export_onnx(l.model, "risk", "1", &out), DP_ERR_USAGE, "model-10");
    learn(&l, 1, alone);
    finish(&l, alone);
    assert_fails(model_export_onnx_for(l.model, "risk", "1", 4, &out), DP_ERR_USAGE, "model-13");
    assert_int_equal(out.size, 0);
    learner_close(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_do_not_matter),
        cmocka_unit_test(resumed_is_uninterrupted),
        cmocka_unit_test(scores_while_learning_are_those_of_the_file),
        cmocka_unit_test(what_is_not_finished_is_not_saved),
    };
    if (comm_open(&comm, NULL) != DP_OK || comm_open_alone(&alone, NULL) != DP_OK)
        return 1;
    make_lake(lake, comm);
    write_rows();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    remove_lake(lake, comm);
    comm_close(&alone);
    comm_close(&comm);
    return failed;
}
