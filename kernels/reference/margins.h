/* kernels/reference/margins.h -- evaluation of whole models, for the table in tree.c. */
#ifndef DIPPER_REFERENCE_MARGINS_H
#define DIPPER_REFERENCE_MARGINS_H

#include "device/backend.h"

void reference_margins(const DeviceContext *context, const TreeMargins *job);

#endif
