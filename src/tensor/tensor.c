/* Types, shapes and views. Whoever made a tensor checked that its bytes can be counted; its parts have fewer. */
#include "tensor/tensor.h"

#include <assert.h>
#include <string.h>

static const struct {
    const char *name;
    size_t size;
} types[] = {
    [TENSOR_U8] = {"uint8", 1},    [TENSOR_I32] = {"int32", 4},   [TENSOR_I64] = {"int64", 8},
    [TENSOR_F32] = {"float32", 4}, [TENSOR_F64] = {"float64", 8},
};

size_t tensor_type_size(TensorType type)
{
    return (size_t)type < sizeof types / sizeof *types ? types[type].size : 0;
}

const char *tensor_type_name(TensorType type)
{
    return tensor_type_size(type) > 0 ? types[type].name : "unknown";
}

/* ---- making ---- */

dp_status tensor_view(Tensor *tensor, TensorType type, int dims, const int64_t *shape, const void *data)
{
    Tensor t = {.type = type, .dims = dims, .data = (void *)data};
    int64_t size = (int64_t)tensor_type_size(type), bytes = size;
    if (size == 0)
        return dp_fail(DP_ERR_DATA, "tensor-01", "there is no type of elements with number %d", (int)type);
    if (dims < 0 || dims > TENSOR_DIMS_MAX)
        return dp_fail(DP_ERR_DATA, "tensor-01", "an array cannot have %d dimensions; 0 to %d are possible", dims,
                       (int)TENSOR_DIMS_MAX);
    for (int d = dims - 1; d >= 0; d--) {
        t.shape[d] = shape[d];
        t.stride[d] = bytes / size;
        if (shape[d] < 0 || __builtin_mul_overflow(bytes, shape[d] > 0 ? shape[d] : 1, &bytes))
            return dp_fail(DP_ERR_DATA, "tensor-01",
                           "dimension %d of an array of %s has length %lld: below 0, or more than can be counted", d,
                           tensor_type_name(type), (long long)shape[d]);
    }
    *tensor = t;
    return DP_OK;
}

static Tensor must_view(TensorType type, int dims, const int64_t *shape, const void *data)
{
    Tensor tensor = {.dims = 0};
    dp_status st = tensor_view(&tensor, type, dims, shape, data);
    assert(st == DP_OK);
    (void)st;
    return tensor;
}

Tensor tensor_vector(TensorType type, const void *data, int64_t n)
{
    return must_view(type, 1, &n, data);
}

Tensor tensor_matrix(TensorType type, const void *data, int64_t n, int64_t width)
{
    return must_view(type, 2, (int64_t[]){n, width}, data);
}

/* ---- asking ---- */

int64_t tensor_count(Tensor tensor)
{
    int64_t n = 1;
    for (int d = 0; d < tensor.dims; d++)
        n *= tensor.shape[d];
    return n;
}

size_t tensor_bytes(Tensor tensor)
{
    return (size_t)tensor_count(tensor) * tensor_type_size(tensor.type);
}

bool tensor_is_dense(Tensor tensor)
{
    int64_t step = 1;
    for (int d = tensor.dims - 1; d >= 0; d--) {
        if (tensor.shape[d] != 1 && tensor.stride[d] != step)
            return tensor_count(tensor) == 0;
        step *= tensor.shape[d];
    }
    return true;
}

/* ---- views of a part ---- */

static void *element(Tensor tensor, int d, int64_t i)
{
    return (char *)tensor.data + i * tensor.stride[d] * (int64_t)tensor_type_size(tensor.type);
}

Tensor tensor_rows(Tensor tensor, int64_t first, int64_t n)
{
    assert(tensor.dims > 0 && first >= 0 && n >= 0 && n <= tensor.shape[0] - first);
    tensor.data = element(tensor, 0, first);
    tensor.shape[0] = n;
    return tensor;
}

Tensor tensor_column(Tensor tensor, int64_t j)
{
    int last = tensor.dims - 1;
    assert(last >= 0 && j >= 0 && j < tensor.shape[last]);
    tensor.data = element(tensor, last, j);
    tensor.dims = last;
    tensor.shape[last] = tensor.stride[last] = 0;
    return tensor;
}

/* ---- copying ---- */

/* Where element i, counted row by row, lies: in elements from the first. */
static int64_t place_of(Tensor tensor, int64_t i)
{
    int64_t at = 0;
    for (int d = tensor.dims - 1; d >= 0; d--) {
        at += i % tensor.shape[d] * tensor.stride[d];
        i /= tensor.shape[d];
    }
    return at;
}

void tensor_copy(void *out, Tensor tensor)
{
    int64_t n = tensor_count(tensor);
    size_t size = tensor_type_size(tensor.type);
    if (n > 0 && tensor_is_dense(tensor))
        memcpy(out, tensor.data, (size_t)n * size);
    else
        for (int64_t i = 0; i < n; i++)
            memcpy((char *)out + (size_t)i * size, (char *)tensor.data + place_of(tensor, i) * (int64_t)size, size);
}
