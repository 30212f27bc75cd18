/* run/run.h -- run folders, resume, signals, launcher and Slurm facts.
 *
 *     <runs>/.lock                       held while a run is found or made
 *     <runs>/.open/<work>-<name>-<hex>   the id of the unfinished run of these inputs
 *     <runs>/2026/1120-0213-risk/        a run folder, named by the clock of the wall
 *         state.json                     what `dipper run ls` shows
 *         lock                           flock held by rank 0; says "pid on host"
 *         config.yaml                    resolved, with origins
 *         metrics.jsonl  log
 *         checkpoints/7  8               the last two generations
 *         requeue                        there while the run was saved and left before its end
 *         parts/trial-7                  a part: lock, metrics.jsonl, log, checkpoints
 *         leave                          there while the groups at work on its parts are asked to leave
 *
 * The same work on the same inputs with an unfinished run (killed, stopped or failed) goes on in that run. A lock dies
 * with its process, so a killed run can be taken up at once. */
#ifndef DIPPER_RUN_RUN_H
#define DIPPER_RUN_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/memory.h"
#include "base/status.h"
#include "comm/comm.h"

typedef struct Run Run;

typedef enum RunState { RUN_RUNNING, RUN_STOPPED, RUN_FAILED, RUN_DONE } RunState;

typedef struct RunFacts {
    const char *id;     /* "2026/1120-0213-risk" */
    const char *folder; /* absolute path */
    const char *work;   /* "train" */
    RunState state;
    int restarts;        /* how often it was taken up again */
    double sync_seconds; /* on rank 0: spent in fsync so far, checkpoints aside */
} RunFacts;

/* Collective. Takes up the unfinished run of this work, name and inputs, or makes a new folder. `inputs` is the digest
 * of everything that decides the result (resolved config without job, snapshot contents). Holds a lock file so that a
 * second process with the same inputs fails with DP_ERR_AGAIN naming the first. resolved: text of config.yaml. */
dp_status run_open(Run **run, const char *runs, const char *work, const char *name, const dp_digest *inputs,
                   const char *resolved, const Comm *comm);
RunFacts run_facts(const Run *run);
/* Local, rank 0 writes, others return at once. One JSON object as a line of metrics.jsonl; the text has no newline. A
 * run taken up again repeats the steps since its checkpoint: the last line of a step counts. */
dp_status run_metric(Run *run, const char *json);
/* Local, rank 0. A line of the run's log file, with the time before it. */
void run_note(Run *run, const char *line);
/* Collective. Ends the run: state is published, the lock given back; made: address of what it made ("risk:15") or
 * NULL. Frees *run. */
dp_status run_close(Run **run, RunState state, const char *made, const Comm *comm);

/* ---- parts: pieces of one run that groups of ranks work at side by side ---- */

/* Collective over `comm`, the group. A folder <run>/parts/<name> with metrics, log and checkpoints of its own, to which
 * all calls on a run but run_close apply. It is held by a lock while it is open, so one group at a time has it: *part
 * is NULL where another one does. name: as of runs. Close it before the run. */
dp_status run_part_open(Run **part, const Run *run, const char *name, const Comm *comm);
/* Collective over the group. finished: its checkpoints go. */
dp_status run_part_close(Run **part, bool finished, const Comm *comm);
/* Local. Asks all groups that work at parts of the run to leave (run_asked_of). */
dp_status run_leave_parts(const Run *run);

/* ---- checkpoints: two generations, the newest whole one counts ---- */

/* Collective. Rank 0 publishes the bytes as the next generation. step: progress, for people. */
dp_status run_checkpoint_save(Run *run, int64_t step, const void *data, size_t size, const Comm *comm);
/* Collective. The newest whole checkpoint, on every rank (free with dp_free); *size 0 when there is none. A broken
 * newest one falls back to the one before with a warning. */
dp_status run_checkpoint_load(Run *run, int64_t *step, char **data, size_t *size, const Comm *comm);

/* ---- signals: handlers set a flag; the flag rides in a reduction ---- */

typedef enum RunAsk {
    RUN_ASK_NOTHING = 0,
    RUN_ASK_SAVE = 1,     /* USR1: save and go on */
    RUN_ASK_LEAVE = 2,    /* USR2, TERM: save and leave with 85 */
    RUN_ASK_INTERRUPT = 3 /* INT: save and leave with 130 */
} RunAsk;

/* Local. Installs the handlers (the program's app calls it once). The third INT ends the process at once. */
dp_status run_catch_signals(void);
/* Local. What this rank was asked since; USR1 is forgotten once told. Reduce it with the loss (max), so that all ranks
 * act at the same step. */
RunAsk run_asked(void);
/* Local. The same, and of a part on its first rank also LEAVE where another group asked all to (looked at twice a
 * second). */
RunAsk run_asked_of(Run *run);

/* ---- looking after ---- */

typedef struct RunRow {
    char id[96], work[16], made[80], host[64];
    RunState state;
    int64_t started, ended; /* microseconds; ended DP_TIME_MISSING while running */
    int64_t pid;
    bool alive; /* its process lives on this host */
    int restarts;
    char slurm_job[32]; /* "" outside Slurm */
} RunRow;
/* Local. All runs, newest first (free with dp_free). */
dp_status run_list(RunRow **rows, size_t *n, const char *runs);
/* Local. One by id, or by an unambiguous part of it. Fails NO_INPUT with the nearest. */
dp_status run_find(RunRow *row, const char *runs, const char *id);
/* Local. Sends USR2 to its process (same host), or scancel --signal=USR2 to its Slurm job. */
dp_status run_stop(const char *runs, const char *id);
/* Local. Removes the folder of a run that is not running. */
dp_status run_remove(const char *runs, const char *id);

/* ---- where we are ---- */

typedef struct RunPlace {
    char host[64];
    const char *launcher;  /* "mpirun", "srun", "none" */
    const char *slurm_job; /* NULL outside Slurm */
    int slurm_restarts;
    int cores; /* really usable by this process (affinity, cgroup) */
} RunPlace;
/* Local. */
RunPlace run_place(void);
/* Collective. Threads to use when the config says 0: this rank's cores, each divided fairly among the ranks of this
 * host that may run on it, and its part of the cgroup's quota; at least 1. */
int run_threads(int asked, const Comm *comm);

extern const dp_help_row run_help[];

#endif
