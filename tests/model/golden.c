/* RUN np=1 quick -- a model file of each format that was ever released loads and gives the scores it gave then. With a
 * folder as argument this program writes the file of the format of today. */
#include "check.h"

#include "base/publish.h"
#include "forest.h"

enum { ROWS = 400, FEATURES = 9 };

/* Rows of their own formula: the forest's may change, these never. */
static void fixed_rows(float *x)
{
    for (int i = 0; i < ROWS * FEATURES; i++)
        x[i] = i % 13 == 0 ? NAN : (float)((i * 7919) % 1999 - 999) * 0.003f;
}

static void digest_of_scores(const Model *model, char hex[DP_DIGEST_HEX])
{
    static float x[ROWS * FEATURES], score[ROWS];
    dp_digest digest;
    fixed_rows(x);
    model_predict(model, tensor_matrix(TENSOR_F32, x, ROWS, FEATURES), score);
    forest_must(dp_digest_of(&digest, score, sizeof score));
    dp_digest_print(hex, &digest);
}

static const struct {
    const char *file, *payload, *scores, *shape;
} golden[] = {
    {"format-1-symmetric.h5", "96a95e7ff9a5b7177b2d6123b499a80dfabb9eefd2318e842f778e0b352fe684",
     "f0e996380892224913421f6d9bbd8050c0fd5a7f10993c51c5c22ae4f9beba3d", "20 x depth 4"},
    {"format-1-depthwise.h5", "822c76823a7b39538833e8e514de8fc7d32046fcc3e7bc5d2707886ad6d261c1",
     "cd5e42557db3f1df9c44d88d8ea2df38355337a757574b9daa191412999a9a2d", "20 x depth 4"},
};
enum { GOLDEN = sizeof golden / sizeof *golden };

static void old_files_open(void **state)
{
    (void)state;
    for (int i = 0; i < GOLDEN; i++) {
        char path[512], hex[DP_DIGEST_HEX], *provenance;
        Model *model;
        ModelFacts facts;
        snprintf(path, sizeof path, "%s/tests/model/golden/%s", getenv("DIPPER_SOURCE"), golden[i].file);
        assert_ok(model_load(&model, &provenance, path, NULL));
        assert_ok(model_facts(&facts, model));
        assert_string_equal(facts.shape, golden[i].shape);
        dp_digest_print(hex, &facts.payload);
        assert_string_equal(hex, golden[i].payload);
        digest_of_scores(model, hex);
        assert_string_equal(hex, golden[i].scores);
        assert_string_equal(provenance, "{\"name\":\"golden\"}");
        assert_int_equal(model_inputs(model)->n, FEATURES);
        assert_string_equal(model_inputs(model)->input[1].name, "category_1");
        assert_int_equal(model_inputs(model)->input[1].n, 12);
        dp_free(&provenance);
        model_free(&model);
    }
}

static int write_golden(const char *folder)
{
    for (int i = 0; i < GOLDEN; i++) {
        TreesModel m = forest_make(i == 0 ? TREES_SYMMETRIC : TREES_DEPTHWISE, FEATURES, 20, 4, 3);
        DataInputs inputs = forest_inputs(FEATURES, 12);
        dp_buf image = {0};
        Model *model;
        char path[512], payload[DP_DIGEST_HEX], scores[DP_DIGEST_HEX];
        dp_digest digest = forest_image(&image, &m, &inputs, "{\"name\":\"golden\"}");
        forest_must(dp_publish_bytes(folder, golden[i].file, image.data, image.size, DP_PUBLISH_REPLACE, NULL));
        snprintf(path, sizeof path, "%s/%s", folder, golden[i].file);
        forest_must(model_load(&model, NULL, path, NULL));
        dp_digest_print(payload, &digest);
        digest_of_scores(model, scores);
        printf("%s %s %s\n", golden[i].file, payload, scores);
        model_free(&model);
        dp_buf_free(&image);
        data_inputs_free(&inputs);
        trees_model_free(&m);
    }
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(old_files_open)};
    return argc == 2 ? write_golden(argv[1]) : cmocka_run_group_tests(tests, NULL, NULL);
}
