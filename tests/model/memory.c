/* RUN np=1 quick -- every single request for memory may fail: a model is then not loaded, scored, explained or written,
 * with words; nothing crashes (nor leaks: the sanitizers run this too), and the next try works. */
#include "check.h"

#include <unistd.h>

#include "base/publish.h"
#include "forest.h"
#include "starve.h"

static char folder[] = "/tmp/dipper-starve-XXXXXX", path[64];
static Device *device;

/* Fine, or out of memory and nothing else. */
static bool fine(dp_status st, bool may_fail)
{
    if (st == DP_OK)
        return true;
    if (!may_fail || st != DP_ERR_AGAIN)
        fail_msg("%s [%s] %s", dp_error_last()->text, dp_error_last()->id, dp_error_last()->trace);
    return false;
}

static void use_a_model(bool may_fail)
{
    Model *model = NULL;
    char *provenance = NULL;
    static float x[600 * 3], score[600];
    static double phi[600 * 4];
    const Tensor rows = tensor_matrix(TENSOR_F32, x, 600, 3);
    dp_buf image = {0}, onnx = {0}, old = {0};
    for (int i = 0; i < 600 * 3; i++)
        x[i] = (float)(i % 37) - 18;
    if (fine(model_load(&model, &provenance, path, device), may_fail)) {
        model_predict(model, rows, score);
        fine(model_explain(model, rows, phi), may_fail);
        fine(model_image(model, provenance, &image), may_fail);
        fine(model_export_onnx(model, "m", "1", &onnx), may_fail);
        fine(model_export_onnx_for(model, "m", "1", 3, &old), may_fail);
    } else {
        assert_null(model);
        assert_null(provenance);
    }
    dp_buf_free(&image);
    dp_buf_free(&onnx);
    dp_buf_free(&old);
    dp_free(&provenance);
    model_free(&model);
}

static void no_request_is_one_too_many(void **state)
{
    (void)state;
    long n = starve(use_a_model);
    if (n < 80)
        fail_msg("only %ld requests were seen", n);
}

static int make(void **state)
{
    (void)state;
    TreesModel m = forest_make(TREES_DEPTHWISE, 3, 2, 2, 3);
    DataInputs inputs = forest_inputs(3, 2);
    dp_buf image = {0};
    forest_image(&image, &m, &inputs, "{}");
    if (!mkdtemp(folder) || device_open(&device, "cpu", 0, 1) != DP_OK ||
        dp_publish_bytes(folder, "m.h5", image.data, image.size, DP_PUBLISH_NEW, NULL) != DP_OK)
        return -1;
    snprintf(path, sizeof path, "%s/m.h5", folder);
    dp_buf_free(&image);
    data_inputs_free(&inputs);
    trees_model_free(&m);
    return 0;
}

static int clean(void **state)
{
    (void)state;
    device_close(&device);
    unlink(path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_request_is_one_too_many)};
    return cmocka_run_group_tests(tests, make, clean);
}
