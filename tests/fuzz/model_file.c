/* Any bytes as the HDF5 part of a model file: refused, or arrays whose digest is the one that the file names. */
#include <stdint.h>
#include <stdlib.h>

#include "model/model_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static ModelArrays arrays;
    dp_digest payload, found;
    char *provenance = NULL;
    ModelImage out = {.arrays = &arrays, .payload = &payload, .provenance = &provenance};
    if (model_image_read(&out, data, size, "fuzz") == DP_OK &&
        (model_arrays_digest(&arrays, &found) != DP_OK || !dp_digest_same(&payload, &found)))
        abort();
    dp_free(&provenance);
    model_arrays_free(&arrays);
    return 0;
}
