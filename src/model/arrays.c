/* Named arrays and their canonical serialisation: what the payload digest is taken of (FORMAT.md). */
#include "model/model_priv.h"

#include <stdio.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "files are little-endian; arrays are stored as they lie");

static const char magic[] = "dipper-arrays-1\n";
enum { MAGIC = sizeof magic - 1, HEAD = 10 };

static bool name_is_good(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_.");
    return n > 0 && n < MODEL_ARRAY_NAME && name[n] == '\0' && name[0] != '.';
}

static dp_status add(ModelArrays *arrays, const char *name, Tensor tensor, bool owned)
{
    int at = 0;
    if (!name_is_good(name) || arrays->n == MODEL_ARRAYS_MAX)
        return dp_fail(DP_ERR_DATA, "model-04", "array '%.80s' has no usable name, or there are more than %d", name,
                       (int)MODEL_ARRAYS_MAX);
    while (at < arrays->n && strcmp(arrays->array[at].name, name) < 0)
        at++;
    if (at < arrays->n && strcmp(arrays->array[at].name, name) == 0)
        return dp_fail(DP_ERR_DATA, "model-04", "array '%s' stands there twice", name);
    memmove(arrays->array + at + 1, arrays->array + at, (size_t)(arrays->n - at) * sizeof *arrays->array);
    ModelArray *a = &arrays->array[at];
    *a = (ModelArray){.tensor = tensor, .owned = owned};
    snprintf(a->name, sizeof a->name, "%s", name);
    arrays->n++;
    return DP_OK;
}

dp_status model_arrays_put(ModelArrays *arrays, const char *name, TensorType type, const void *data, int64_t n)
{
    return add(arrays, name, tensor_vector(type, data, n), false);
}

dp_status model_arrays_give(ModelArrays *arrays, const char *name, TensorType type, void *data, int64_t n)
{
    dp_status st = add(arrays, name, tensor_vector(type, data, n), true);
    if (st != DP_OK)
        dp_free(&data);
    return st;
}

dp_status model_arrays_copy(ModelArrays *arrays, const char *name, Tensor vector)
{
    void *data = NULL;
    DP_TRY(dp_new_bytes(&data, (size_t)vector.shape[0], tensor_type_size(vector.type)));
    tensor_copy(data, vector);
    return model_arrays_give(arrays, name, vector.type, data, vector.shape[0]);
}

dp_status model_arrays_take(ModelArrays *arrays, const char *name, TensorType type, void *data, int64_t want,
                            int64_t *n)
{
    for (int i = 0; i < arrays->n; i++) {
        ModelArray *a = &arrays->array[i];
        if (strcmp(a->name, name) != 0 || !a->owned)
            continue;
        int64_t held = a->tensor.shape[0];
        if (a->tensor.type != type || (want >= 0 && held != want))
            return dp_fail(DP_ERR_DATA, "model-05", "array '%s' has %lld elements of %s, where %lld of %s belong", name,
                           (long long)held, tensor_type_name(a->tensor.type), (long long)(want >= 0 ? want : held),
                           tensor_type_name(type));
        memcpy(data, &a->tensor.data, sizeof a->tensor.data);
        if (n)
            *n = held;
        arrays->n--;
        memmove(a, a + 1, (size_t)(arrays->n - i) * sizeof *a);
        return DP_OK;
    }
    return dp_fail(DP_ERR_DATA, "model-05", "array '%s' is missing", name);
}

bool model_arrays_has(const ModelArrays *arrays, const char *name)
{
    for (int i = 0; i < arrays->n; i++)
        if (strcmp(arrays->array[i].name, name) == 0)
            return true;
    return false;
}

dp_status model_arrays_all_taken(const ModelArrays *arrays)
{
    if (arrays->n > 0)
        return dp_fail(DP_ERR_DATA, "model-05", "array '%s' is of no use here; a newer Dipper may have written it",
                       arrays->array[0].name);
    return DP_OK;
}

void model_arrays_free(ModelArrays *arrays)
{
    for (int i = 0; i < arrays->n; i++)
        if (arrays->array[i].owned)
            dp_free(&arrays->array[i].tensor.data);
    arrays->n = 0;
}

/* name length u8, type u8, elements u64; then name and elements. */
static void head_of(const ModelArray *a, uint8_t head[HEAD])
{
    uint64_t n = (uint64_t)a->tensor.shape[0];
    head[0] = (uint8_t)strlen(a->name);
    head[1] = (uint8_t)a->tensor.type;
    memcpy(head + 2, &n, sizeof n);
}

dp_status model_arrays_pack(const ModelArrays *arrays, dp_buf *out)
{
    uint8_t head[HEAD];
    DP_TRY(dp_buf_add(out, magic, MAGIC));
    for (int i = 0; i < arrays->n; i++) {
        const ModelArray *a = &arrays->array[i];
        head_of(a, head);
        DP_TRY(dp_buf_add(out, head, HEAD));
        DP_TRY(dp_buf_add(out, a->name, head[0]));
        DP_TRY(dp_buf_add(out, a->tensor.data, tensor_bytes(a->tensor)));
    }
    return DP_OK;
}

dp_status model_arrays_digest(const ModelArrays *arrays, dp_digest *digest)
{
    dp_status st = DP_OK;
    dp_hash *hash = NULL;
    uint8_t head[HEAD];
    DP_GO(dp_hash_start(&hash));
    DP_GO(dp_hash_add(hash, magic, MAGIC));
    for (int i = 0; i < arrays->n; i++) {
        const ModelArray *a = &arrays->array[i];
        head_of(a, head);
        DP_GO(dp_hash_add(hash, head, HEAD));
        DP_GO(dp_hash_add(hash, a->name, head[0]));
        DP_GO(dp_hash_add(hash, a->tensor.data, tensor_bytes(a->tensor)));
    }
    DP_GO(dp_hash_end(&hash, digest));
done:
    dp_hash_free(&hash);
    return st;
}

/* One array at *at; moves *at behind it. */
static dp_status unpack_one(ModelArrays *arrays, const uint8_t **at, size_t *left)
{
    char name[MODEL_ARRAY_NAME] = "";
    int64_t n;
    Tensor stored;
    if (*left < HEAD || (*at)[0] == 0 || (*at)[0] >= MODEL_ARRAY_NAME || *left - HEAD < (*at)[0])
        return dp_fail(DP_ERR_DATA, "model-06", "the saved arrays end in the middle of a name");
    size_t name_size = (*at)[0];
    TensorType type = (TensorType)(*at)[1];
    memcpy(&n, *at + 2, sizeof n);
    memcpy(name, *at + HEAD, name_size);
    *at += HEAD + name_size;
    *left -= HEAD + name_size;
    if (tensor_view(&stored, type, 1, &n, *at) != DP_OK || tensor_bytes(stored) > *left)
        return dp_fail(DP_ERR_DATA, "model-06", "array '%s' says %lld elements of type %d, more than there are bytes",
                       name, (long long)n, (int)type);
    *at += tensor_bytes(stored);
    *left -= tensor_bytes(stored);
    return model_arrays_copy(arrays, name, stored);
}

dp_status model_arrays_unpack(ModelArrays *arrays, const void *data, size_t size)
{
    const uint8_t *at = data;
    dp_status st = DP_OK;
    arrays->n = 0;
    if (size < MAGIC || memcmp(at, magic, MAGIC) != 0)
        return dp_fail(DP_ERR_DATA, "model-06", "these %zu bytes are not saved arrays", size);
    at += MAGIC;
    size -= MAGIC;
    while (size > 0)
        DP_GO(unpack_one(arrays, &at, &size));
done:
    if (st != DP_OK)
        model_arrays_free(arrays);
    return st;
}
