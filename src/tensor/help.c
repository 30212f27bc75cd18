#include "tensor/tensor.h"

const dp_help_row tensor_help[] = {
    {"tensor-01",
     "An array was to have a shape or a type of elements that cannot be: a length below 0, too many dimensions, more "
     "bytes than can be counted, or a number that stands for no type.",
     "Where it came from a file, the file is damaged or was not written by Dipper: take another copy of it."},
    {NULL, NULL, NULL},
};
