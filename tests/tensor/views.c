/* RUN np=1 quick -- views: every element lies where its index says, parts are views of the same memory, copies bring
 * the elements in order, and shapes that cannot be are refused */
#include "check.h"

#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "tensor/tensor.h"

enum { TENSORS = 500, ELEMENTS = 6 * 6 * 6 * 6 };

static int below(uint64_t item, int n)
{
    return (int)dp_random_below(11, 1, item, (uint64_t)n);
}

/* A random tensor of 0 to 4 dimensions over elements that hold their own number. */
static Tensor some(int32_t memory[ELEMENTS], uint64_t which)
{
    Tensor tensor;
    int64_t shape[TENSOR_DIMS_MAX];
    int dims = below(which * 8, TENSOR_DIMS_MAX + 1);
    for (int d = 0; d < dims; d++)
        shape[d] = below(which * 8 + 1 + (uint64_t)d, 7);
    for (int32_t i = 0; i < ELEMENTS; i++)
        memory[i] = i;
    assert_ok(tensor_view(&tensor, TENSOR_I32, dims, shape, memory));
    return tensor;
}

static int32_t at(const Tensor *t, const int64_t index[TENSOR_DIMS_MAX])
{
    int64_t offset = 0;
    for (int d = 0; d < t->dims; d++)
        offset += index[d] * t->stride[d];
    return ((const int32_t *)t->data)[offset];
}

/* The next index in row order; false behind the last. */
static bool next(const Tensor *t, int64_t index[TENSOR_DIMS_MAX])
{
    for (int d = t->dims - 1; d >= 0; d--) {
        if (++index[d] < t->shape[d])
            return true;
        index[d] = 0;
    }
    return false;
}

static void a_view_is_its_memory_row_by_row(void **state)
{
    (void)state;
    static int32_t memory[ELEMENTS];
    for (uint64_t k = 0; k < TENSORS; k++) {
        Tensor t = some(memory, k);
        int64_t index[TENSOR_DIMS_MAX] = {0}, n = 0;
        assert_true(tensor_is_dense(t));
        assert_int_equal(tensor_bytes(t), tensor_count(t) * 4);
        if (tensor_count(t) > 0)
            do
                assert_int_equal(at(&t, index), n++);
            while (next(&t, index));
        assert_int_equal(n, tensor_count(t));
    }
}

/* Rows of columns of rows ...: what a part says is what the whole says at the shifted index, and a copy of it is dense.
 */
static void parts_are_views_of_the_same_elements(void **state)
{
    (void)state;
    static int32_t memory[ELEMENTS], copy[ELEMENTS + 1];
    int gaps = 0;
    for (uint64_t k = 0; k < TENSORS; k++) {
        Tensor whole = some(memory, k);
        if (tensor_count(whole) == 0 || whole.dims < 2)
            continue;
        int64_t first = below(k * 8 + 5, (int)whole.shape[0]),
                rows = below(k * 8 + 6, (int)(whole.shape[0] - first + 1));
        int64_t j = below(k * 8 + 7, (int)whole.shape[whole.dims - 1]);
        Tensor part = tensor_rows(whole, first, rows), column = tensor_column(part, j);
        int64_t index[TENSOR_DIMS_MAX] = {0}, n = 0;
        assert_int_equal(column.dims, whole.dims - 1);
        assert_int_equal(tensor_count(column) * whole.shape[whole.dims - 1], tensor_count(part));
        assert_true(tensor_is_dense(part));
        gaps += !tensor_is_dense(column);
        copy[tensor_count(column)] = -7;
        tensor_copy(copy, column);
        if (tensor_count(column) > 0)
            do {
                int64_t there[TENSOR_DIMS_MAX] = {index[0] + first, index[1], index[2], index[3]};
                there[whole.dims - 1] = j;
                assert_int_equal(at(&column, index), at(&whole, there));
                assert_int_equal(copy[n++], at(&whole, there));
            } while (next(&column, index));
        assert_int_equal(copy[n], -7); /* nothing was written behind the end */
    }
    assert_true(gaps > TENSORS / 10);
}

static void types_have_their_sizes_and_names(void **state)
{
    (void)state;
    static const struct {
        TensorType type;
        size_t size;
        const char *name;
    } known[] = {{TENSOR_U8, 1, "uint8"},
                 {TENSOR_I32, 4, "int32"},
                 {TENSOR_I64, 8, "int64"},
                 {TENSOR_F32, 4, "float32"},
                 {TENSOR_F64, 8, "float64"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        assert_int_equal((int)known[i].type, i + 1); /* as in files */
        assert_int_equal(tensor_type_size(known[i].type), known[i].size);
        assert_string_equal(tensor_type_name(known[i].type), known[i].name);
    }
    for (int code = -3; code < 300; code++)
        if (code < 1 || code > 5) {
            assert_int_equal(tensor_type_size((TensorType)code), 0);
            assert_string_equal(tensor_type_name((TensorType)code), "unknown");
        }
}

static void shapes_that_cannot_be_are_refused(void **state)
{
    (void)state;
    static const struct {
        int type, dims;
        int64_t shape[5];
    } bad[] = {
        {0, 1, {1}},
        {6, 1, {1}},
        {-1, 1, {1}},
        {TENSOR_F32, -1, {0}},
        {TENSOR_F32, 5, {1, 1, 1, 1, 1}},
        {TENSOR_F32, 1, {-1}},
        {TENSOR_F32, 2, {-2, -2}}, /* their product is a good count */
        {TENSOR_F32, 1, {INT64_MAX / 4 + 1}},
        {TENSOR_U8, 2, {INT64_C(1) << 32, INT64_C(1) << 31}},
        {TENSOR_F64, 4, {1 << 16, 1 << 16, 1 << 16, 1 << 12}},
        {TENSOR_U8, 3, {0, INT64_MAX, 2}}, /* empty, but its strides cannot be counted */
    };
    Tensor t = {.dims = 77};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_fails(tensor_view(&t, (TensorType)bad[i].type, bad[i].dims, bad[i].shape, NULL), DP_ERR_DATA,
                     "tensor-01");
        assert_int_equal(t.dims, 77); /* left alone */
    }
    assert_ok(tensor_view(&t, TENSOR_F32, 1, (int64_t[]){INT64_MAX / 4}, NULL));
    assert_int_equal(tensor_bytes(t), INT64_MAX / 4 * 4);
    assert_ok(tensor_view(&t, TENSOR_U8, 3, (int64_t[]){0, INT64_MAX, 1}, NULL));
    assert_int_equal(tensor_bytes(t), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_view_is_its_memory_row_by_row),
        cmocka_unit_test(parts_are_views_of_the_same_elements),
        cmocka_unit_test(types_have_their_sizes_and_names),
        cmocka_unit_test(shapes_that_cannot_be_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
