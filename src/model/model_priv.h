/* What the files of this room share: the table of functions a family fills, and named arrays, the one form in which
 * learned things leave memory (the payload of a file, the state in a checkpoint). */
#ifndef DIPPER_MODEL_PRIV_H
#define DIPPER_MODEL_PRIV_H

#include "model/model.h"
#include "onnx/onnx.h"

/* ---- named arrays ---- */

enum { MODEL_ARRAY_NAME = 64, MODEL_ARRAYS_MAX = 256 };

typedef struct ModelArray {
    char name[MODEL_ARRAY_NAME]; /* "trees.leaf": letters, digits, '_', '.' */
    Tensor tensor;               /* a vector: FORMAT.md knows one dimension */
    bool owned;                  /* its elements */
} ModelArray;
/* {0} is empty; kept in the order of names. */
typedef struct ModelArrays {
    ModelArray array[MODEL_ARRAYS_MAX];
    int n;
} ModelArrays;

/* Local. Adds an array. put borrows the data until the arrays are freed; give takes it over, also on failure; copy adds
 * a copy of what the vector views. */
dp_status model_arrays_put(ModelArrays *arrays, const char *name, TensorType type, const void *data, int64_t n);
dp_status model_arrays_give(ModelArrays *arrays, const char *name, TensorType type, void *data, int64_t n);
dp_status model_arrays_copy(ModelArrays *arrays, const char *name, Tensor vector);
/* Local. Moves an owned array out: *data (free with dp_free), NULL when n is 0. want: elements it must have, -1: any;
 * *n (may be NULL) receives them. Fails DATA when it is missing, of another type or length. */
dp_status model_arrays_take(ModelArrays *arrays, const char *name, TensorType type, void *data, int64_t want,
                            int64_t *n);
/* Local. Is there one of this name? */
bool model_arrays_has(const ModelArrays *arrays, const char *name);
/* Local. Fails DATA when arrays were not taken: a payload holds nothing that its family does not know. */
dp_status model_arrays_all_taken(const ModelArrays *arrays);
void model_arrays_free(ModelArrays *arrays);
/* Local. The canonical serialisation (FORMAT.md), its digest, and back. */
dp_status model_arrays_pack(const ModelArrays *arrays, dp_buf *out);
dp_status model_arrays_unpack(ModelArrays *arrays, const void *data, size_t size);
dp_status model_arrays_digest(const ModelArrays *arrays, dp_digest *digest);

/* The input contract as arrays "inputs.*". */
dp_status model_inputs_put(const DataInputs *inputs, ModelArrays *arrays);
dp_status model_inputs_take(DataInputs *inputs, ModelArrays *arrays);
/* Local. Names good and unlike, categories ascending, numbers finite. Fails DATA. */
dp_status model_inputs_check(const DataInputs *inputs);

/* ---- the HDF5 file ---- */

enum { MODEL_FORMAT = 1, MODEL_BLOCK = 512 };

/* Local. family: its name; arrays: the payload. */
dp_status model_file_write(dp_buf *image, const char *family, const ModelArrays *arrays, const dp_digest *payload,
                           const char *provenance);
/* Local. Writes the user block of a whole file: the digest of what stands behind it. */
dp_status model_file_seal(char *image, size_t size);
/* Local. What the HDF5 part of a file holds (image.c). Fails DATA; what is in arrays then is the caller's to free. */
typedef struct ModelImage {
    ModelArrays *arrays;
    char family[32];
    dp_digest *payload;
    char **provenance; /* may be NULL */
} ModelImage;
dp_status model_image_read(ModelImage *out, const void *bytes, size_t size, const char *name);
/* Local. Does the file begin as one, and hold the bytes that its user block says? Fails DATA. */
dp_status model_file_check(const void *image, size_t size, const char *name);
/* Local. name: for messages. *arrays owned; *provenance (free with dp_free). Checks all but what the family knows;
 * without provenance the arrays by the payload's digest alone, of which a file's own would be a second time the same
 * work: a failure may then be mere damage, which model_file_check tells. */
dp_status model_file_read(ModelArrays *arrays, char family[32], dp_digest *payload, char **provenance,
                          const void *image, size_t size, const char *name);

/* ---- a family ---- */

typedef struct ModelFamily {
    const char *name;      /* "trees", as in `model.family` */
    const char *step_name; /* "tree" */
    /* Learning. Collective but for build, steps, scores, cut, state_save. */
    dp_status (*build)(void **self, const Config *config, uint64_t seed, Device *device);
    void (*free)(void **self);
    /* ready: where what begin prepares of the data is taken from, and put back at the end; drop frees it. */
    void (*keep_ready)(void *self, void **ready);
    void (*drop_ready)(void **ready);
    /* Both may be NULL: a family that takes what it takes. */
    void (*limit)(void *self, const ModelLimits *limits);
    int64_t (*need)(const void *self, const Data *data, int ranks);
    void (*go_on)(void *self, const void *from); /* before begin; NULL: the family cannot */
    void (*rank)(void *self);
    dp_status (*begin)(void *self, Data *data, const Comm *comm);
    dp_status (*step)(void *self, bool *more, const Comm *comm);
    int64_t (*steps)(const void *self);
    int64_t (*steps_max)(const void *self);
    int (*outputs)(const void *self); /* numbers of a score; also of what is used */
    void (*scores)(const void *self, int64_t from, int64_t n, float *score);
    void (*cut)(void *self, int64_t n);
    dp_status (*state_save)(const void *self, ModelArrays *arrays);
    dp_status (*state_load)(void *self, ModelArrays *arrays, const Comm *comm);
    dp_status (*finish)(void *self, const Comm *comm);
    /* Using. Local, thread-safe. explain may be NULL. */
    void (*predict)(const void *self, Tensor x, float *score);
    void (*predict_columns)(const void *self, const float *const *value, int64_t first, int64_t n, float *score);
    dp_status (*explain)(const void *self, Tensor x, double *phi);
    /* Bins (model.h); all three or none. */
    const int32_t *(*bins)(const void *self, int *n);
    void (*bin)(const void *self, int k, const float *value, int64_t n, uint8_t *bin);
    void (*predict_bins)(const void *self, const uint8_t *const *bin, int64_t n, float *score);
    void (*shape)(const void *self, char out[64]);
    bool (*gains)(const void *self, double *gain); /* NULL: the family has none */
    /* Files. save borrows into the arrays; load takes its arrays out of them and knows how many inputs there are. */
    dp_status (*save)(const void *self, ModelArrays *arrays);
    dp_status (*load)(void **self, ModelArrays *arrays, int inputs, Device *device);
    /* Adds nodes from the float tensor `x` [N, inputs] to MODEL_ONNX_MARGIN [N, 1]. NULL: no export. */
    dp_status (*export_onnx)(const void *self, OnnxGraph *graph, const char *x, int ml_version);
} ModelFamily;

#define MODEL_ONNX_MARGIN "/margin"

extern const ModelFamily model_trees;

/* Local. The class with the highest of these scores, the first of several. */
int model_likeliest(const float *score, int outputs);

/* Local. The whole ONNX file of a model. */
dp_status model_onnx(const ModelFamily *family, const void *self, const DataInputs *inputs, DataKind kind,
                     const DataClasses *classes, const dp_digest *payload, const char *name, const char *version,
                     int ml_version, dp_buf *out);

#endif
