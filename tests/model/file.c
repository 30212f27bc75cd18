/* RUN np=1 quick -- a model file gives back the model that was written, and nothing else passes for one. */
#include "check.h"

#include <fcntl.h>
#include <hdf5.h>
#include <unistd.h>

#include "base/publish.h"
#include "forest.h"

static char folder[] = "/tmp/dipper-model-XXXXXX";
static char path[128];
static const char provenance[] = "{\"name\":\"risk\",\"made\":\"2026/1120-0213-risk\"}";

static void put(const void *data, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, size), size);
    assert_int_equal(close(fd), 0);
}

static void same_inputs(const DataInputs *a, const DataInputs *b)
{
    assert_int_equal(a->n, b->n);
    assert_int_equal(a->columns, b->columns);
    for (int j = 0; j < a->n; j++) {
        const DataInput *left = &a->input[j], *right = &b->input[j];
        assert_string_equal(left->name, right->name);
        assert_int_equal(left->type, right->type);
        assert_int_equal(left->encode, right->encode);
        assert_string_equal(left->unit ? left->unit : "-", right->unit ? right->unit : "-");
        assert_memory_equal(&left->missing, &right->missing, sizeof left->missing);
        assert_memory_equal(&left->unseen, &right->unseen, sizeof left->unseen);
        assert_int_equal(left->n, right->n);
        if (left->n == 0)
            continue;
        assert_memory_equal(left->value, right->value, (size_t)left->n * sizeof *left->value);
        if (left->encode == DATA_COMBINED) {
            assert_int_equal(left->parts, right->parts);
            assert_memory_equal(left->part, right->part, sizeof left->part);
            assert_memory_equal(left->key, right->key, (size_t)left->n * sizeof *left->key);
            continue;
        }
        assert_memory_equal(left->text_at, right->text_at, (size_t)(left->n + 1) * sizeof *left->text_at);
        assert_memory_equal(left->text, right->text, (size_t)left->text_at[left->n]);
    }
}

/* 200 rows of up to 11 features as columns from row 3 on. */
static void columns_give_the_same(const Model *model, const float *x, const float *score)
{
    static float value[11][203], again[200];
    const float *values[11];
    int n = model_inputs(model)->n;
    for (int f = 0; f < n; f++) {
        values[f] = value[f];
        for (int i = 0; i < 200; i++)
            value[f][3 + i] = x[n * i + f];
    }
    model_predict_columns(model, values, 3, 200, again);
    assert_memory_equal(again, score, sizeof again);
}

static void what_is_written_comes_back(void **state)
{
    (void)state;
    for (int growth = 0; growth < 2; growth++) {
        TreesModel m = forest_make((TreesGrowth)growth, 9 + 2 * growth, 30, 5, 3);
        DataInputs inputs = forest_inputs(9 + 2 * growth, 40);
        if (growth == 1)
            forest_combine(&inputs, 2, 30);
        dp_buf image = {0}, again = {0};
        dp_digest payload = forest_image(&image, &m, &inputs, provenance);
        Model *model = NULL;
        char *beside = NULL;
        ModelFacts facts;
        float *x = forest_rows(&m, 200, m.n_features, 5), score[200];
        put(image.data, image.size);
        assert_ok(model_load(&model, &beside, path, NULL));
        assert_string_equal(beside, provenance);
        assert_ok(model_facts(&facts, model));
        assert_string_equal(facts.family, "trees");
        assert_string_equal(facts.shape, "30 x depth 5");
        assert_true(dp_digest_same(&facts.payload, &payload));
        same_inputs(model_inputs(model), &inputs);
        TreesScorer *scorer = NULL;
        int64_t margin[200];
        assert_ok(trees_scorer_build(&scorer, &m, NULL));
        trees_margins(scorer, x, 200, m.n_features, margin);
        model_predict(model, tensor_matrix(TENSOR_F32, x, 200, m.n_features), score);
        for (int i = 0; i < 200; i++)
            assert_true(score[i] == (float)trees_probability(margin[i]));
        columns_give_the_same(model, x, score);
        assert_ok(model_image(model, provenance, &again));
        assert_int_equal(again.size, image.size);
        assert_memory_equal(again.data, image.data, image.size);
        trees_scorer_free(&scorer);
        dp_free(&x);
        dp_free(&beside);
        dp_buf_free(&image);
        dp_buf_free(&again);
        model_free(&model);
        data_inputs_free(&inputs);
        trees_model_free(&m);
    }
}

static void the_digest_is_of_the_payload_alone(void **state)
{
    (void)state;
    TreesModel m = forest_make(TREES_SYMMETRIC, 6, 4, 3, 3);
    DataInputs inputs = forest_inputs(6, 5);
    dp_buf image = {0};
    dp_digest first = forest_image(&image, &m, &inputs, "{}");
    dp_digest second = forest_image(&image, &m, &inputs, provenance);
    assert_true(dp_digest_same(&first, &second));
    m.leaf[2]++;
    second = forest_image(&image, &m, &inputs, "{}");
    assert_false(dp_digest_same(&first, &second));
    m.leaf[2]--;
    inputs.input[1].value[0] += 0.5f;
    second = forest_image(&image, &m, &inputs, "{}");
    assert_false(dp_digest_same(&first, &second));
    dp_buf_free(&image);
    data_inputs_free(&inputs);
    trees_model_free(&m);
}

/* Each byte of a small file, one bit of it; then each length. */
static void every_flip_and_every_cut_is_found(void **state)
{
    (void)state;
    TreesModel m = forest_make(TREES_SYMMETRIC, 3, 2, 2, 3);
    DataInputs inputs = forest_inputs(3, 2);
    dp_buf image = {0};
    Model *model = NULL;
    ModelArrays *arrays = NULL;
    char family[32], *beside = NULL;
    dp_digest payload, whole;
    assert_ok(dp_new(&arrays, 1));
    forest_image(&image, &m, &inputs, provenance);
    assert_ok(model_file_read(arrays, family, &whole, NULL, image.data, image.size, "x"));
    model_arrays_free(arrays);
    for (size_t i = 0; i < image.size; i++) {
        char bit = (char)(1 << (i % 8));
        image.data[i] ^= bit;
        assert_int_equal(model_file_read(arrays, family, &payload, &beside, image.data, image.size, "x"), DP_ERR_DATA);
        assert_null(beside);
        /* Where the provenance is not wanted: found, or in bytes that nothing is made of. */
        if (model_file_read(arrays, family, &payload, NULL, image.data, image.size, "x") == DP_OK) {
            assert_true(strcmp(family, "trees") != 0 || dp_digest_same(&payload, &whole));
            assert_ok(model_arrays_digest(arrays, &payload));
            assert_true(dp_digest_same(&payload, &whole));
            model_arrays_free(arrays);
        }
        image.data[i] ^= bit;
    }
    for (size_t size = 0; size < image.size; size += size < 1024 ? 1 : 61)
        assert_int_equal(model_file_read(arrays, family, &payload, &beside, image.data, size, "x"), DP_ERR_DATA);
    assert_ok(model_file_read(arrays, family, &payload, &beside, image.data, image.size, "x"));
    dp_free(&beside);
    model_arrays_free(arrays);
    put(image.data, image.size / 2);
    assert_fails(model_load(&model, NULL, path, NULL), DP_ERR_DATA, "model-02");
    assert_non_null(strstr(dp_error_last()->text, path));
    put("", 0);
    assert_fails(model_load(&model, NULL, path, NULL), DP_ERR_DATA, "model-01");
    unlink(path);
    assert_fails(model_load(&model, NULL, path, NULL), DP_ERR_NO_INPUT, "base-05");
    dp_free(&arrays);
    dp_buf_free(&image);
    data_inputs_free(&inputs);
    trees_model_free(&m);
}

/* A file whose digests fit but whose arrays lie: what a forger would make. */
static void forged_arrays_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t index;
        uint8_t with;
        const char *id;
    } lies[] = {
        {"trees.node_feature", 3, 0x7f, "trees-62"},
        {"trees.border_at", 7, 0x7f, "trees-61"},
        {"trees.border_at", 15, 0xff, "model-05"},
        {"trees.depth", 0, 17, "trees-60"},
        {"trees.depth", 0, 1, "model-05"},
        {"trees.growth", 0, 2, "model-05"},
        {"trees.border", 35, 0x7f, "trees-61"},
        {"inputs.categories", 8, 9, "model-07"},
        {"inputs.category_size", 3, 0x7f, "model-07"},
        {"inputs.category_size", 3, 0xff, "model-07"},
        {"inputs.type", 1, 99, "model-07"},
        {"inputs.encode", 1, 99, "model-07"},
        {"inputs.name", 0, 0, "model-07"},
        {"inputs.category_text", 0, 'z', "model-07"},
    };
    TreesModel m = forest_make(TREES_SYMMETRIC, 3, 2, 2, 3);
    DataInputs inputs = forest_inputs(3, 2);
    ModelArrays *arrays = NULL;
    assert_ok(dp_new(&arrays, 1));
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        dp_buf image = {0}, packed = {0};
        dp_digest payload;
        Model *model = NULL;
        forest_arrays(arrays, &m, &inputs);
        assert_ok(model_arrays_pack(arrays, &packed));
        model_arrays_free(arrays);
        assert_ok(model_arrays_unpack(arrays, packed.data, packed.size));
        for (int a = 0; a < arrays->n; a++)
            if (strcmp(arrays->array[a].name, lies[i].name) == 0)
                ((uint8_t *)arrays->array[a].tensor.data)[lies[i].index] = lies[i].with;
        assert_ok(model_arrays_digest(arrays, &payload));
        assert_ok(model_file_write(&image, "trees", arrays, &payload, "{}"));
        put(image.data, image.size);
        assert_int_equal(model_load(&model, NULL, path, NULL), DP_ERR_DATA);
        assert_string_equal(dp_error_last()->id, lies[i].id);
        assert_null(model);
        model_arrays_free(arrays);
        dp_buf_free(&image);
        dp_buf_free(&packed);
    }
    dp_free(&arrays);
    data_inputs_free(&inputs);
    trees_model_free(&m);
}

/* ---- files of somebody who can compute a digest ---- */

/* Any byte of the HDF5 part changed in several ways, by somebody who seals the file again: refused, or read in bounds
 * (the sanitizers watch). What is read has the payload's digest. */
static void every_lie_is_refused_or_harmless(void **state)
{
    (void)state;
    static const uint8_t with[] = {0x01, 0x80, 0xff, 0x7f};
    TreesModel m = forest_make(TREES_SYMMETRIC, 3, 2, 2, 3);
    DataInputs inputs = forest_inputs(3, 2);
    dp_buf image = {0};
    dp_digest right = forest_image(&image, &m, &inputs, provenance), payload;
    ModelArrays *arrays = NULL;
    int refused = 0;
    size_t size = image.size - MODEL_BLOCK;
    char *bytes = malloc(size); /* of just this size: a read behind it is seen */
    assert_non_null(bytes);
    memcpy(bytes, image.data + MODEL_BLOCK, size);
    assert_ok(dp_new(&arrays, 1));
    for (size_t i = 0; i < size; i++)
        for (size_t k = 0; k < sizeof with; k++) {
            char *beside = NULL;
            ModelImage out = {.arrays = arrays, .payload = &payload, .provenance = &beside};
            bytes[i] = (char)(bytes[i] ^ with[k]);
            dp_status st = model_image_read(&out, bytes, size, "x");
            assert_true(st == DP_ERR_DATA || (st == DP_OK && dp_digest_same(&payload, &right)));
            refused += st != DP_OK;
            bytes[i] = (char)(bytes[i] ^ with[k]);
            dp_free(&beside);
            model_arrays_free(arrays);
        }
    assert_true(refused > 1000);
    free(bytes);
    dp_free(&arrays);
    dp_buf_free(&image);
    data_inputs_free(&inputs);
    trees_model_free(&m);
}

/* The HDF5 part of `image`, changed by `change`, sealed again. */
static void reseal(const dp_buf *image, void (*change)(hid_t file))
{
    char *bytes;
    size_t size;
    put(image->data + MODEL_BLOCK, image->size - MODEL_BLOCK);
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(file >= 0);
    change(file);
    assert_true(H5Fclose(file) >= 0);
    assert_ok(dp_read_file(&bytes, &size, path, 1 << 24));
    dp_buf whole = {0};
    char block[MODEL_BLOCK] = {0};
    assert_ok(dp_buf_add(&whole, block, sizeof block));
    assert_ok(dp_buf_add(&whole, bytes, size));
    assert_ok(model_file_seal(whole.data, whole.size));
    put(whole.data, whole.size);
    dp_free(&bytes);
    dp_buf_free(&whole);
}

static void leave(hid_t file)
{
    (void)file;
}

static void link_out(hid_t file)
{
    H5Ldelete(file, "payload/trees.leaf", H5P_DEFAULT);
    assert_true(H5Lcreate_external("/etc/passwd", "/x", file, "payload/trees.leaf", H5P_DEFAULT, H5P_DEFAULT) >= 0);
}

static void link_softly(hid_t file)
{
    H5Ldelete(file, "payload/trees.leaf", H5P_DEFAULT);
    assert_true(H5Lcreate_soft("/payload/trees.depth", file, "payload/trees.leaf", H5P_DEFAULT, H5P_DEFAULT) >= 0);
}

static void add_set(hid_t file, const char *name, hid_t type, hsize_t n, hid_t how)
{
    hid_t space = H5Screate_simple(1, &n, NULL);
    H5Ldelete(file, name, H5P_DEFAULT);
    hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, how, H5P_DEFAULT);
    assert_true(set >= 0);
    H5Dclose(set);
    H5Sclose(space);
}

static void store_outside(hid_t file)
{
    hid_t how = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(how, "/etc/passwd", 0, 32);
    add_set(file, "payload/trees.leaf", H5T_STD_I32LE, 8, how);
    H5Pclose(how);
}

static void chunk_it(hid_t file)
{
    hid_t how = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(how, 1, &(hsize_t){8});
    add_set(file, "payload/trees.leaf", H5T_STD_I32LE, 8, how);
    H5Pclose(how);
}

static void swell(hid_t file)
{
    hid_t how = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_alloc_time(how, H5D_ALLOC_TIME_LATE);
    add_set(file, "payload/trees.leaf", H5T_STD_I32LE, (hsize_t)1 << 60, how);
    H5Pclose(how);
}

static void turn_round(hid_t file)
{
    add_set(file, "payload/trees.leaf", H5T_STD_I32BE, 8, H5P_DEFAULT);
}

static void add_array(hid_t file)
{
    add_set(file, "payload/trees.more", H5T_STD_I32LE, 8, H5P_DEFAULT);
}

static void add_group(hid_t file)
{
    H5Gclose(H5Gcreate2(file, "more", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
}

static void nest_group(hid_t file)
{
    H5Gclose(H5Gcreate2(file, "payload/more", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
}

static void drop_digest(hid_t file)
{
    hid_t group = H5Gopen2(file, "payload", H5P_DEFAULT);
    H5Adelete(group, "sha256");
    H5Gclose(group);
}

static void drop_provenance(hid_t file)
{
    H5Ldelete(file, "provenance", H5P_DEFAULT);
}

static void hostile_files_are_refused(void **state)
{
    (void)state;
    static const struct {
        void (*change)(hid_t file);
        const char *id;
    } evils[] = {
        {link_out, "model-03"},   {link_softly, "model-03"}, {store_outside, "model-03"},   {chunk_it, "model-03"},
        {swell, "model-03"},      {turn_round, "model-03"},  {add_array, "model-03"},       {add_group, "model-03"},
        {nest_group, "model-03"}, {drop_digest, "model-03"}, {drop_provenance, "model-03"},
    };
    TreesModel m = forest_make(TREES_SYMMETRIC, 3, 2, 2, 3);
    DataInputs inputs = forest_inputs(3, 2);
    dp_buf image = {0};
    Model *model = NULL;
    forest_image(&image, &m, &inputs, provenance);
    reseal(&image, leave);
    assert_ok(model_load(&model, NULL, path, NULL));
    model_free(&model);
    for (size_t i = 0; i < sizeof evils / sizeof *evils; i++) {
        reseal(&image, evils[i].change);
        assert_int_equal(model_load(&model, NULL, path, NULL), DP_ERR_DATA);
        if (strcmp(dp_error_last()->id, evils[i].id) != 0)
            fail_msg("evil %zu: [%s] %s", i, dp_error_last()->id, dp_error_last()->text);
        assert_non_null(strstr(dp_error_last()->text, path));
        assert_null(model);
    }
    dp_buf_free(&image);
    data_inputs_free(&inputs);
    trees_model_free(&m);
}

/* What combines itself, too much, out of order or past its keys. */
static void bad_combinations_are_refused(void **state)
{
    (void)state;
    DataInputs inputs = forest_inputs(11, 40);
    forest_combine(&inputs, 2, 30);
    DataInput *in = &inputs.input[10];
    uint64_t key = in->key[29];
    assert_ok(model_inputs_check(&inputs));
    for (int evil = 0; evil < 6; evil++) {
        int parts = in->parts, part = in->part[0];
        in->parts = evil == 0 ? 4 : evil == 1 ? 0 : parts;
        in->part[0] = evil == 2 ? in->part[1] : evil == 3 ? 0 : part; /* input 0 is a number */
        in->key[29] = evil == 4 ? 41 * 41 : evil == 5 ? in->key[28] : key;
        assert_fails(model_inputs_check(&inputs), DP_ERR_DATA, "model-07");
        in->parts = parts;
        in->part[0] = part;
        in->key[29] = key;
    }
    inputs.columns = 10;
    assert_fails(model_inputs_check(&inputs), DP_ERR_DATA, "model-07");
    data_inputs_free(&inputs);
}

static void packed_arrays_come_back_or_are_refused(void **state)
{
    (void)state;
    ModelArrays *arrays = NULL, *back = NULL;
    dp_buf packed = {0}, again = {0};
    float value[3] = {1, 2, 3};
    assert_ok(dp_new(&arrays, 1));
    assert_ok(dp_new(&back, 1));
    assert_ok(model_arrays_put(arrays, "b", TENSOR_F32, value, 3));
    assert_ok(model_arrays_put(arrays, "a.nothing", TENSOR_I64, NULL, 0));
    assert_fails(model_arrays_put(arrays, "b", TENSOR_F32, value, 3), DP_ERR_DATA, "model-04");
    assert_fails(model_arrays_put(arrays, "../b", TENSOR_F32, value, 3), DP_ERR_DATA, "model-04");
    assert_ok(model_arrays_pack(arrays, &packed));
    assert_ok(model_arrays_unpack(back, packed.data, packed.size));
    assert_ok(model_arrays_pack(back, &again));
    assert_int_equal(again.size, packed.size);
    assert_memory_equal(again.data, packed.data, packed.size);
    model_arrays_free(back);
    for (size_t size = 0; size < packed.size; size++) {
        dp_status st = model_arrays_unpack(back, packed.data, size);
        model_arrays_free(back);
        assert_true(st == DP_ERR_DATA || (st == DP_OK && (size == 16 || size == 35))); /* whole arrays are arrays */
    }
    memset(packed.data + 18, 0xff, 8); /* 2^64 - 1 elements */
    assert_fails(model_arrays_unpack(back, packed.data, packed.size), DP_ERR_DATA, "model-06");
    model_arrays_free(arrays);
    dp_free(&arrays);
    dp_free(&back);
    dp_buf_free(&packed);
    dp_buf_free(&again);
}

static int make(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/model.h5", folder);
    return 0;
}

static int clean(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_comes_back),        cmocka_unit_test(the_digest_is_of_the_payload_alone),
        cmocka_unit_test(every_flip_and_every_cut_is_found), cmocka_unit_test(forged_arrays_are_refused),
        cmocka_unit_test(every_lie_is_refused_or_harmless),  cmocka_unit_test(hostile_files_are_refused),
        cmocka_unit_test(bad_combinations_are_refused),      cmocka_unit_test(packed_arrays_come_back_or_are_refused),
    };
    return cmocka_run_group_tests(tests, make, clean);
}
