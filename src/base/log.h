/* base/log.h -- where words go. The library never prints: it says, and the program that opened it decides. */
#ifndef DIPPER_BASE_LOG_H
#define DIPPER_BASE_LOG_H

#include <stdint.h>

typedef enum dp_level { DP_DEBUG, DP_INFO, DP_WARN } dp_level;

/* How far a piece of work is. Sent often; the sink decides how often to show it. */
typedef struct dp_progress {
    const char *what;   /* "ingest", "score" */
    const char *unit;   /* "rows", "trees" */
    double done, total; /* total 0: not known */
    double rate;        /* unit/s, 0: not known yet */
    double left_s;      /* seconds left, < 0: not known */
} dp_progress;

/* A sink. `self` is handed back to the functions. Any function may be NULL. */
typedef struct dp_log {
    void *self;
    /* label: the word in the first column of a screen ("data", "leaks", "test"), "" for a continued line */
    void (*line)(void *self, dp_level level, const char *label, const char *text);
    void (*progress)(void *self, const dp_progress *progress);
} dp_log;

/* Local. log may be NULL: then nothing is said. */
void dp_say(const dp_log *log, dp_level level, const char *label, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void dp_show(const dp_log *log, const dp_progress *progress);

#endif
