/* onnx/onnx.h -- writes ONNX files with the schema's own messages (protobuf-c). Never external_data. */
#ifndef DIPPER_ONNX_ONNX_H
#define DIPPER_ONNX_ONNX_H

#include "base/memory.h"
#include "base/status.h"

/* A graph being put together: nodes in the order they run. Names are copied. */
typedef struct OnnxGraph OnnxGraph;

dp_status onnx_build(OnnxGraph **graph, const char *name);
void onnx_free(OnnxGraph **graph);

extern const dp_help_row onnx_help[];

#endif
