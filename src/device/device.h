/* device/device.h -- where computing happens: one table of typed functions a backend, opened by name.
 *
 * `reference` is plain C, slow and obviously right; `cpu` chooses AVX-512, AVX2 or scalar code at run time; `cuda` is a
 * plugin (libdipper_cuda.so) opened with dlopen. The device knows no MPI and no HDF5. Everything above calls through
 * the tables: no function above has a name of a backend in it.
 *
 * The environment variable DIPPER_CPU (scalar, avx2, avx512) asks for a lesser instruction set than the processor has:
 * for tests and for comparing machines. DIPPER_CUDA_PLUGIN and DIPPER_NCCL name files that the loader does not find. */
#ifndef DIPPER_DEVICE_DEVICE_H
#define DIPPER_DEVICE_DEVICE_H

#include "base/log.h"
#include "base/status.h"
#include "device/backend.h"

typedef struct Device Device;

/* Local. name: "auto" (cuda where one is usable, else cpu), "cpu", "cuda", "reference". threads: at least 1. "cuda"
 * fails with NO_INPUT where there is none, saying why. */
dp_status device_open(Device **device, const char *name, int ordinal, int threads);
void device_close(Device **device);
int device_threads(const Device *device);
/* Local. Rows that an evaluation is best given in one call: a few for a processor's thread, many for a card. */
int64_t device_rows_at_once(const Device *device);
/* Local. "cpu avx512 (no GPU: no driver)": what was taken and why, for the first line of a run. */
const char *device_describe(const Device *device);
/* Local. The table of tree operations; every slot is filled (the cpu's where the backend lacks one). */
const TreeOps *device_tree_ops(const Device *device);
/* Local. What every operation of the table gets first. */
const DeviceContext *device_context(const Device *device);

extern const dp_help_row device_help[];

#endif
