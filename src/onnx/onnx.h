/* onnx/onnx.h -- writes ONNX files with the schema's own messages (protobuf-c). Never external_data.
 *
 * A graph is put together call by call; names and values are copied. The calls do not fail by themselves: the first
 * failure (memory) is kept, what follows does nothing, and onnx_write returns it. */
#ifndef DIPPER_ONNX_ONNX_H
#define DIPPER_ONNX_ONNX_H

#include <stdint.h>

#include "base/memory.h"
#include "base/status.h"
#include "tensor/tensor.h"

typedef struct OnnxGraph OnnxGraph;
typedef struct OnnxNode OnnxNode;

dp_status onnx_build(OnnxGraph **graph, const char *name);
void onnx_free(OnnxGraph **graph);

/* A tensor [N, width] that goes in or comes out; one of texts likewise. N, the rows, is free. */
void onnx_input(OnnxGraph *graph, const char *name, TensorType type, int64_t width);
void onnx_input_text(OnnxGraph *graph, const char *name, int64_t width);
void onnx_output(OnnxGraph *graph, const char *name, TensorType type, int64_t width);
void onnx_output_text(OnnxGraph *graph, const char *name, int64_t width);
void onnx_constant(OnnxGraph *graph, const char *name, Tensor values);
/* A line of the model's metadata. */
void onnx_note(OnnxGraph *graph, const char *key, const char *value);
/* Says which version of an operator set the nodes are of. domain "": ONNX's own. */
void onnx_opset(OnnxGraph *graph, const char *domain, int64_t version);

/* A node, in the order they run: inputs [n] -> output. The node belongs to the graph; never NULL. */
OnnxNode *onnx_node(OnnxGraph *graph, const char *domain, const char *op, const char *const *inputs, int n,
                    const char *output);
void onnx_int(OnnxNode *node, const char *name, int64_t value);
void onnx_float(OnnxNode *node, const char *name, float value);
void onnx_string(OnnxNode *node, const char *name, const char *value);
void onnx_ints(OnnxNode *node, const char *name, const int64_t *values, int64_t n);
void onnx_floats(OnnxNode *node, const char *name, const float *values, int64_t n);
/* Text i is text[at[i]] .. text[at[i + 1] - 1]. */
void onnx_strings(OnnxNode *node, const char *name, const char *text, const int64_t *at, int64_t n);
void onnx_tensor(OnnxNode *node, const char *name, Tensor values);
/* A type of elements, as the operator Cast wants it. */
void onnx_type(OnnxNode *node, const char *name, TensorType type);

/* Local. The file's bytes. ir: version of the file format; version: of the model, for people. */
dp_status onnx_write(const OnnxGraph *graph, int64_t ir, const char *version, dp_buf *out);

extern const dp_help_row onnx_help[];

#endif
