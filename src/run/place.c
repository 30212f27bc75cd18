/* Where this process is: host, launcher, Slurm job, and the cores it can really use. */
#include "run/run.h"

#include <float.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "run/run_priv.h"

enum { CPUS_MAX = 8192, WORDS = CPUS_MAX / 64 };

/* ---- affinity ---- */

static int affinity(uint64_t mask[WORDS])
{
    int n = 0;
    memset(mask, 0, WORDS * sizeof *mask);
    if (sched_getaffinity(0, WORDS * sizeof *mask, (cpu_set_t *)(void *)mask) != 0) {
        long online = sysconf(_SC_NPROCESSORS_ONLN);
        for (long cpu = 0; cpu < online && cpu < CPUS_MAX; cpu++)
            mask[cpu / 64] |= UINT64_C(1) << (cpu % 64);
    }
    for (int i = 0; i < WORDS; i++)
        n += __builtin_popcountll(mask[i]);
    return n > 0 ? n : 1;
}

/* ---- cgroups ---- */

/* The first line of a small file; false where it is not there. */
static bool first_line(char *line, int room, const char *folder, const char *name)
{
    char path[2 * RUN_PATH];
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
        return false;
    FILE *file = fopen(path, "re");
    bool good = file && fgets(line, room, file);
    if (file)
        fclose(file);
    return good;
}

/* What one group grants by itself: "max 100000" or "150000 100000" (v2), two files (v1). */
static double quota_of(const char *folder, bool v2)
{
    char line[128], period[128];
    double quota, each;
    if (v2) {
        if (!first_line(line, sizeof line, folder, "cpu.max") || sscanf(line, "%lf %lf", &quota, &each) != 2)
            return DBL_MAX;
    } else {
        if (!first_line(line, sizeof line, folder, "cpu.cfs_quota_us") ||
            !first_line(period, sizeof period, folder, "cpu.cfs_period_us"))
            return DBL_MAX;
        quota = strtod(line, NULL);
        each = strtod(period, NULL);
    }
    return quota > 0 && each > 0 ? quota / each : DBL_MAX;
}

/* The least of the group and those above it, up to the mount. A container may see its own group only as the mount. */
static double least_quota(const char *mount, const char *group, bool v2)
{
    char folder[2 * RUN_PATH];
    double least = DBL_MAX;
    size_t root = (size_t)snprintf(folder, sizeof folder, "%s", mount);
    snprintf(folder + root, sizeof folder - root, "%s", strcmp(group, "/") == 0 ? "" : group);
    for (;;) {
        double here = quota_of(folder, v2);
        least = here < least ? here : least;
        char *slash = strrchr(folder + root, '/');
        if (!slash)
            return least;
        *slash = '\0';
    }
}

/* Is `name` one of the comma-separated controllers? */
static bool has_controller(const char *list, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = list; at; at = strchr(at, ','), at = at ? at + 1 : NULL)
        if (strncmp(at, name, n) == 0 && (at[n] == ',' || at[n] == '\0'))
            return true;
    return false;
}

double run_cgroup_cores(const char *groups, const char *mount, uint64_t *own_group)
{
    char line[RUN_PATH], below[RUN_PATH + 64];
    double least = DBL_MAX;
    *own_group = 0;
    FILE *file = fopen(groups, "re");
    if (!file)
        return least;
    while (fgets(line, sizeof line, file)) { /* "4:cpu,cpuacct:/slurm/job_7" or "0::/user.slice" */
        char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;
        double here;
        if (!group)
            continue;
        *group++ = '\0';
        group[strcspn(group, "\n")] = '\0';
        controllers++;
        if (*controllers == '\0') {
            here = least_quota(mount, group, true);
        } else if (has_controller(controllers, "cpu")) {
            snprintf(below, sizeof below, "%s/%s", mount, controllers);
            here =
                least_quota(access(below, F_OK) == 0 ? below : (snprintf(below, sizeof below, "%s/cpu", mount), below),
                            group, false);
        } else {
            continue;
        }
        *own_group = dp_hash64(group, strlen(group), *own_group);
        least = here < least ? here : least;
    }
    fclose(file);
    return least;
}

/* ---- all together ---- */

static const char *launcher(void)
{
    if (getenv("OMPI_MCA_orte_local_daemon_uri") || getenv("OMPI_MCA_orte_hnp_uri") || getenv("HYDI_CONTROL_FD"))
        return "mpirun";
    if (getenv("SLURM_STEP_NUM_TASKS"))
        return "srun";
    if (getenv("OMPI_COMM_WORLD_SIZE") || getenv("PMI_SIZE") || getenv("PMIX_RANK"))
        return "mpirun";
    return "none";
}

static int whole_cores(double cores, int at_most)
{
    if (cores >= at_most)
        return at_most;
    return cores < 1 ? 1 : (int)cores;
}

RunPlace run_place(void)
{
    uint64_t mask[WORDS], group;
    RunPlace place = {.launcher = launcher(), .slurm_job = getenv("SLURM_JOB_ID")};
    const char *restarts = getenv("SLURM_RESTART_COUNT");
    gethostname(place.host, sizeof place.host - 1);
    place.slurm_restarts = restarts ? atoi(restarts) : 0;
    place.cores = whole_cores(run_cgroup_cores("/proc/self/cgroup", "/sys/fs/cgroup", &group), affinity(mask));
    return place;
}

typedef struct Share {
    uint64_t host, group, mask[WORDS];
} Share;

static double fair_share(const Share *all, int size, int rank, double quota)
{
    const Share *mine = &all[rank];
    double cores = 0;
    int same_group = 0;
    for (int r = 0; r < size; r++)
        same_group += all[r].host == mine->host && all[r].group == mine->group;
    for (int cpu = 0; cpu < CPUS_MAX; cpu++) {
        int users = 0;
        if (!(mine->mask[cpu / 64] >> (cpu % 64) & 1))
            continue;
        for (int r = 0; r < size; r++)
            users += all[r].host == mine->host && (all[r].mask[cpu / 64] >> (cpu % 64) & 1);
        cores += 1.0 / users;
    }
    quota /= same_group;
    return (cores < quota ? cores : quota) + 1e-6; /* 3 x 1/3 is a whole core */
}

int run_threads(int asked, const Comm *comm)
{
    char host[64] = "";
    int size = comm_size(comm);
    Share *all = NULL, *mine = NULL;
    int threads = 1;
    if (comm_agree(comm, dp_new(&all, (size_t)size) == DP_OK ? dp_new(&mine, 1) : DP_ERR_AGAIN) == DP_OK) {
        gethostname(host, sizeof host - 1);
        mine->host = dp_hash64(host, strlen(host), 0);
        double quota = run_cgroup_cores("/proc/self/cgroup", "/sys/fs/cgroup", &mine->group);
        affinity(mine->mask);
        comm_collect(comm, mine, sizeof *mine, all);
        threads = whole_cores(fair_share(all, size, comm_rank(comm), quota), CPUS_MAX);
    }
    dp_free(&all);
    dp_free(&mine);
    return asked > 0 ? asked : threads;
}
