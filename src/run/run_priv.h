/* run/run_priv.h -- shared inside the room. */
#ifndef DIPPER_RUN_PRIV_H
#define DIPPER_RUN_PRIV_H

#include "run/run.h"

enum { RUN_PATH = 4096, RUN_STATE_MAX = 1 << 16 };

/* state.json */
typedef struct RunRecord {
    RunRow row;
    char name[65], inputs[DP_DIGEST_HEX];
    int64_t pid_born; /* start of the process in clock ticks: tells a pid that was given anew */
} RunRecord;

struct Run {
    RunRecord record;
    char *runs, *folder; /* absolute */
    char open_name[192]; /* below <runs>/.open */
    int lock, metrics, log;
    bool writes;   /* rank 0 */
    char *of;      /* of a part: the folder of its run */
    double looked; /* of a part: clock when its run was last asked */
    int64_t whole; /* the generation that was saved or loaded last: the next save keeps it */
    double sync_seconds;
};

dp_status run_record_read(RunRecord *record, const char *folder);
/* *sync_seconds += time spent in fsync. */
dp_status run_record_write(const RunRecord *record, const char *folder, double *sync_seconds);
/* Local. As run_find, with all that is recorded. */
dp_status run_record_find(RunRecord *record, const char *runs, const char *id);
bool run_record_alive(const RunRecord *record);
/* Start of a process in clock ticks since boot; 0 where there is none. */
int64_t run_born(int64_t pid);

/* "<a>/<b>" into out [RUN_PATH]. Fails CREATE where it is too long. */
dp_status run_join(char *out, const char *a, const char *b);
/* Opens a file that lines are added to; ends a line that was cut short. */
dp_status run_open_append(int *fd, const char *folder, const char *name);
/* Says in the lock file who holds it, for the one that finds it held. */
dp_status run_sign_lock(int fd, const char *folder, const char *host);
/* Closes and frees; the lock is given back. */
void run_let_go(Run **run);

/* Opens the lock file and tries to hold it. *fd -1 where another process does. */
dp_status run_lock(int *fd, const char *path, bool wait);

/* Local. Removes a folder and all in it; follows no link. */
dp_status run_remove_tree(const char *folder);

/* Cores that the cgroups of this process grant, DBL_MAX without a limit; own_group: identity of the group. Reads
 * `groups` (/proc/self/cgroup) and below `mount` (/sys/fs/cgroup). */
double run_cgroup_cores(const char *groups, const char *mount, uint64_t *own_group);

#endif
