/* base/spill.h -- large arrays that may lie in a file: what a program works on stretch by stretch does not have to fit
 * in memory.
 *
 * The file lies in a scratch folder, has no name once it is open, and is gone with the process. Its room on the disk is
 * taken at once, so that a full disk is a failure here and not a signal later. */
#ifndef DIPPER_BASE_SPILL_H
#define DIPPER_BASE_SPILL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

enum { DP_SHELF_ROWS = 1 << 16 };
/* Arrays that lie in files together, or all in memory: what a stage holds a number a row of. {.folder = NULL} keeps
 * them in memory, and then they are plain ones of dp_new. */
typedef struct dp_shelf {
    const char *folder; /* borrowed */
    dp_spill *spill;    /* [n] */
    size_t n;
} dp_shelf;

/* Local. *pointer = n zeroed elements, as dp_new; free with dp_shelf_free. A NULL shelf is memory. Fails as
 * dp_spill_open. */
#define dp_shelf_new(shelf, pointer, n) dp_shelf_new_bytes((shelf), (pointer), (n), sizeof **(pointer))
dp_status dp_shelf_new_bytes(dp_shelf *shelf, void *pointer, size_t n, size_t size);
/* Local. Frees an array and sets NULL; takes NULL, and plain arrays. `pointer` is the address of the pointer. */
void dp_shelf_free(dp_shelf *shelf, void *pointer);
/* Local. All that lies in files leaves this process's memory until it is used again. */
void dp_shelf_rest(const dp_shelf *shelf);
/* Local. The same at every DP_SHELF_ROWS-th row of a loop: so many rows are in memory, not all. */
static inline void dp_shelf_step(const dp_shelf *shelf, int64_t row)
{
    if (row % DP_SHELF_ROWS == 0)
        dp_shelf_rest(shelf);
}
/* Local. Frees what is in files still. */
void dp_shelf_clear(dp_shelf *shelf);

#endif
