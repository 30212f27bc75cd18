#include "onnx/onnx.h"

const dp_help_row onnx_help[] = {
    {"onnx-01", "ONNX files are protobuf messages, and readers take at most 2 GiB of one.",
     "Train with fewer trees, less depth, or fewer categories, and export again."},
    {NULL, NULL, NULL},
};
