/* kernels/cpu/margins.h -- evaluation of whole models, one function an instruction set (slot of CpuLoops). */
#ifndef DIPPER_CPU_MARGINS_H
#define DIPPER_CPU_MARGINS_H

#include "device/backend.h"

void margins_scalar(const TreeMargins *job);
void margins_avx2(const TreeMargins *job);
void margins_avx512(const TreeMargins *job);
/* Fewer than PLAN_FEW rows, with any instruction set. */
void margins_few(const TreeMargins *job);

#endif
