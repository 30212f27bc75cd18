/* Any bytes as the arrays of a model (what a file or a checkpoint holds once its digest fits): refused, or a model
 * whose scores, contributions and ONNX form can be asked for; and it packs to the same bytes. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/model_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROWS = 3, MOST_INPUTS = 64 };

static void must(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "%s: %s\n", what, dp_error_last()->text);
        abort();
    }
}

static void use(const void *self, const DataInputs *inputs)
{
    static float x[ROWS * MOST_INPUTS], score[ROWS];
    static double phi[ROWS * (MOST_INPUTS + 1)];
    dp_buf out = {0};
    dp_digest payload = {{0}};
    for (int i = 0; i < ROWS * MOST_INPUTS; i++)
        x[i] = (float)(i % 7 - 3) / (float)(i % 5); /* numbers, infinities, NaN */
    Tensor rows = tensor_matrix(TENSOR_F32, x, ROWS, MOST_INPUTS);
    model_trees.predict(self, rows, score);
    must(model_trees.explain(self, rows, phi) == DP_OK, "cannot explain");
    if (inputs->n > 0)
        must(model_onnx(&model_trees, self, inputs, DATA_FLAG, &payload, "m", "1", 5, &out) == DP_OK, "cannot export");
    dp_buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static ModelArrays arrays, again;
    DataInputs inputs = {0};
    void *self = NULL;
    dp_buf packed = {0};
    if (model_arrays_unpack(&arrays, data, size) != DP_OK)
        return 0;
    if (model_inputs_take(&inputs, &arrays) == DP_OK && inputs.n <= MOST_INPUTS &&
        model_trees.load(&self, &arrays, inputs.n, NULL) == DP_OK) {
        must(model_trees.save(self, &again) == DP_OK && model_inputs_put(&inputs, &again) == DP_OK, "cannot save");
        must(model_arrays_pack(&again, &packed) == DP_OK, "cannot pack");
        if (arrays.n == 0)
            must(packed.size == size, "packs to another size");
        use(self, &inputs);
    }
    model_trees.free(&self);
    data_inputs_free(&inputs);
    model_arrays_free(&arrays);
    model_arrays_free(&again);
    dp_buf_free(&packed);
    return 0;
}
