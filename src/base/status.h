/* base/status.h -- the error road of the whole program.
 *
 * A function that can fail returns dp_status. The message is written once, where the failure happened, with its
 * values and what to do next (dp_fail); callers add a trace line (DP_TRY, DP_GO) and pass the status on.
 * The text lives per thread; comm_agree carries it to the other ranks. A status is also the exit code. */
#ifndef DIPPER_BASE_STATUS_H
#define DIPPER_BASE_STATUS_H

#include <stddef.h>

typedef enum dp_status {
    DP_OK = 0,
    DP_ERR_USAGE = 2,     /* the call or the command line is wrong */
    DP_ERR_DATA = 65,     /* the data is broken or does not fit */
    DP_ERR_NO_INPUT = 66, /* a named input is not there */
    DP_ERR_INTERNAL = 70, /* a fault of the program itself */
    DP_ERR_CREATE = 73,   /* an output cannot be created */
    DP_ERR_IO = 74,       /* reading or writing failed, disk full */
    DP_ERR_AGAIN = 75,    /* out of memory, or another process is in the way: try again */
    DP_ERR_DENIED = 77,   /* not allowed */
    DP_ERR_CONFIG = 78    /* a config is wrong */
} dp_status;

enum { DP_ID_MAX = 24, DP_TEXT_MAX = 2048, DP_TRACE_MAX = 2048 };

/* What dp_fail recorded last on this thread. */
typedef struct dp_error {
    dp_status status;
    char id[DP_ID_MAX];       /* "lake-02": stable, explained by `dipper help lake-02` */
    char text[DP_TEXT_MAX];   /* one sentence with the values, then what to do next */
    char trace[DP_TRACE_MAX]; /* "lake_open (table.c:41) < train_main (train.c:20)": for developers */
} dp_error;

/* One row of a room's table of messages: every id given to dp_fail has one (a test compares the two). */
typedef struct dp_help_row {
    const char *id;    /* "lake-02" */
    const char *means; /* what happened and why, a few sentences */
    const char *mend;  /* what to do next */
} dp_help_row;

/* Local. Records the failure on this thread and returns `status`. Clears the earlier text and trace. */
dp_status dp_fail(dp_status status, const char *id, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));

/* Local. Records again what another rank reported. */
dp_status dp_fail_as(const dp_error *error);

/* Local. The status that fits an errno: ENOENT no input, EACCES denied, ENOSPC I/O, ENOMEM again ...; `otherwise`
 * for the rest. */
dp_status dp_status_of_errno(int err, dp_status otherwise);

/* Local. The last failure of this thread; status DP_OK before the first. Never NULL. */
const dp_error *dp_error_last(void);

/* Local. Adds a trace line; used by DP_TRY and DP_GO. */
dp_status dp_trace(dp_status status, const char *function, const char *file, int line) __attribute__((cold));

/* Return on failure. */
#define DP_TRY(call)                                                                                                   \
    do {                                                                                                               \
        dp_status dp_try_status = (call);                                                                              \
        if (dp_try_status != DP_OK)                                                                                    \
            return dp_trace(dp_try_status, __func__, __FILE__, __LINE__);                                              \
    } while (0)

/* On failure set the local `st` and go to the label `done`, where things are freed. */
#define DP_GO(call)                                                                                                    \
    do {                                                                                                               \
        st = (call);                                                                                                   \
        if (st != DP_OK) {                                                                                             \
            dp_trace(st, __func__, __FILE__, __LINE__);                                                                \
            goto done;                                                                                                 \
        }                                                                                                              \
    } while (0)

extern const dp_help_row base_help[]; /* ends with a row whose id is NULL */

#endif
