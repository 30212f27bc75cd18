/* device/backend.h -- the operator tables that kernels/<backend>/ fill. Kernels include this and nothing else of src
 * but base. One ABI number guards the plugin. */
#ifndef DIPPER_DEVICE_BACKEND_H
#define DIPPER_DEVICE_BACKEND_H

#include <stddef.h>
#include <stdint.h>

enum { DEVICE_ABI = 1 };

typedef struct TreeOps TreeOps;

#endif
