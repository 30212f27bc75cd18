/* tensor/tensor.h -- what an array is: the type of its elements, its shape, and where each element lies.
 *
 * A tensor owns nothing: it is a view of somebody's memory, valid as long as that is, and passed by value. A view of
 * memory that is only lent for reading is not written through.
 *
 *     int64_t shape[] = {rows, inputs};
 *     DP_TRY(tensor_view(&x, TENSOR_F32, 2, shape, memory));    // [rows][inputs], row by row
 *     Tensor some = tensor_rows(x, 64, 32);                     // rows 64 .. 95 of the same memory
 */
#ifndef DIPPER_TENSOR_TENSOR_H
#define DIPPER_TENSOR_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* The numbers stand in files (model/FORMAT.md). */
typedef enum TensorType { TENSOR_U8 = 1, TENSOR_I32 = 2, TENSOR_I64 = 3, TENSOR_F32 = 4, TENSOR_F64 = 5 } TensorType;

enum { TENSOR_DIMS_MAX = 4 }; /* images: N, C, H, W */

/* Element [i][j] lies at data + (i * stride[0] + j * stride[1]) * size of the type. Behind `dims` all is 0. */
typedef struct Tensor {
    TensorType type;
    int dims; /* 0: one element */
    int64_t shape[TENSOR_DIMS_MAX];
    int64_t stride[TENSOR_DIMS_MAX]; /* in elements */
    void *data;
} Tensor;

/* Local. Bytes of an element, "float32"; 0 and "unknown" where there is no such type. */
size_t tensor_type_size(TensorType type);
const char *tensor_type_name(TensorType type);

/* Local. All elements of `data`, row by row: the last index runs fastest. Fails DATA where there is no such type, more
 * than TENSOR_DIMS_MAX dimensions, a length below 0, or more than INT64_MAX bytes. */
dp_status tensor_view(Tensor *tensor, TensorType type, int dims, const int64_t *shape, const void *data);
/* Local. The same of n elements, and of n rows of `width`, for what lies in memory already: it cannot fail. */
Tensor tensor_vector(TensorType type, const void *data, int64_t n);
Tensor tensor_matrix(TensorType type, const void *data, int64_t n, int64_t width);

/* Local. Elements; their bytes when they lie close together. */
int64_t tensor_count(Tensor tensor);
size_t tensor_bytes(Tensor tensor);
/* Local. Do they lie row by row without gaps, so that tensor_bytes from data on are all of them? */
bool tensor_is_dense(Tensor tensor);

/* Local. Rows first .. first + n - 1, which must be there: what is first is the first dimension. */
Tensor tensor_rows(Tensor tensor, int64_t first, int64_t n);
/* Local. Element j of the last dimension of all, one dimension less: a column of a matrix. */
Tensor tensor_column(Tensor tensor, int64_t j);

/* Local. out [tensor_bytes]: the elements, row by row. */
void tensor_copy(void *out, Tensor tensor);

extern const dp_help_row tensor_help[];

#endif
