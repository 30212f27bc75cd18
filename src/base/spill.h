/* base/spill.h -- large arrays that may lie in a file: what a program works on stretch by stretch does not have to fit
 * in memory.
 *
 * The file lies in a scratch folder, has no name once it is open, and is gone with the process. Its room on the disk is
 * taken at once, so that a full disk is a failure here and not a signal later. */
#ifndef DIPPER_BASE_SPILL_H
#define DIPPER_BASE_SPILL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* {0} holds nothing. */
typedef struct dp_spill {
    void *data; /* zeroed, aligned to 64 bytes */
    size_t bytes;
    bool in_file;
} dp_spill;

/* Local. folder NULL: plain memory; else it is made if it is not there. Fails CREATE where no file can be made in it,
 * IO where the disk has no room for it, AGAIN. */
dp_status dp_spill_open(dp_spill *spill, size_t bytes, const char *folder);
/* Local. Takes {0}, is safe twice. */
void dp_spill_close(dp_spill *spill);
/* Local. The bytes at .. at + n - 1 of the array, and those of their pages, leave this process's memory until they are
 * used again; they keep their values. Nothing for plain memory. */
void dp_spill_rest(const dp_spill *spill, size_t at, size_t n);

#endif
