/* base/publish.h -- the one way a file comes to be. Everything Dipper writes for later (partitions, manifests,
 * checkpoints, models, scores, reports) is written beside, closed with every return checked, read again and compared
 * with what was written (its bytes, or their SHA-256 where they came in pieces), synced, and only then named; then its
 * folder is synced. A reader sees the whole file or none; a killed writer leaves only a `.tmp.` file, which
 * dp_publish_sweep removes. */
#ifndef DIPPER_BASE_PUBLISH_H
#define DIPPER_BASE_PUBLISH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/status.h"

typedef enum dp_publish_how {
    DP_PUBLISH_REPLACE, /* rename(): takes the place of a file of that name */
    DP_PUBLISH_NEW      /* link(): only one writer can be first; a later one gets published.existed */
} dp_publish_how;

typedef struct dp_published {
    dp_digest digest;
    int64_t bytes;
    bool existed;        /* DP_PUBLISH_NEW only: the name was taken already; nothing was changed */
    double sync_seconds; /* time spent in fsync, so that a figure can be given without it */
} dp_published;

/* A file being written beside its place. */
typedef struct dp_publish dp_publish;

/* Local. Starts writing `name` in the existing folder `dir`. Fails with DP_ERR_CREATE, DENIED, IO. */
dp_status dp_publish_open(dp_publish **file, const char *dir, const char *name);
dp_status dp_publish_write(dp_publish *file, const void *data, size_t size);
/* Local. Gives the file its name. Frees *file in every case; on failure nothing is left behind. out may be NULL. */
dp_status dp_publish_end(dp_publish **file, dp_publish_how how, dp_published *out);
/* Local. Throws the file away; takes NULL. */
void dp_publish_drop(dp_publish **file);

/* Local. The three calls above for one block of bytes. */
dp_status dp_publish_bytes(const char *dir, const char *name, const void *data, size_t size, dp_publish_how how,
                           dp_published *out);

/* Local. Removes the `.tmp.` files of processes of this host that are dead, waited for or not, their numbers given out
 * again or not. */
void dp_publish_sweep(const char *dir);

/* Local. mkdir -p with mode 02750. Fails with DP_ERR_CREATE or DENIED. */
dp_status dp_make_folders(const char *path);

/* Local. Reads a whole regular file of at most `max` bytes. Fails with NO_INPUT, DENIED, IO, DATA (too large).
 * *data is followed by a zero byte; free with dp_free. */
dp_status dp_read_file(char **data, size_t *size, const char *path, size_t max);

#endif
