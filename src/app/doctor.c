/* dipper doctor: what the machine offers, each thing tried, not guessed. */
#include "app/app.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "lake/lake.h"

enum { TRY_SECONDS = 20 };

typedef struct Finding {
    char label[12], text[600];
    bool bad;
} Finding;

typedef struct Findings {
    Finding list[24];
    int n;
} Findings;

__attribute__((format(printf, 4, 5))) static void find(Findings *f, bool bad, const char *label, const char *format,
                                                       ...)
{
    Finding *to = &f->list[f->n < 23 ? f->n++ : 23];
    va_list args;
    va_start(args, format);
    snprintf(to->label, sizeof to->label, "%s", label);
    vsnprintf(to->text, sizeof to->text, format, args);
    va_end(args);
    to->bad = bad;
}

/* ---- a program, with a limit of time ---- */

/* Runs argv with nothing on stdin; the first bytes of stdout in out. Returns its exit code, -1 when it did not start
 * or took too long. */
static int try_program(char *const argv[], char *out, size_t room)
{
    int pipe_ends[2], status = -1;
    size_t got = 0;
    out[0] = '\0';
    if (pipe2(pipe_ends, O_CLOEXEC) != 0)
        return -1;
    pid_t child = fork();
    if (child == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, STDIN_FILENO);
        dup2(pipe_ends[1], STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        setpgid(0, 0);
        alarm(TRY_SECONDS);
        execvp(argv[0], argv);
        _exit(127);
    }
    close(pipe_ends[1]);
    while (child > 0 && got + 1 < room) {
        ssize_t n = read(pipe_ends[0], out + got, room - 1 - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        got += (size_t)n;
    }
    out[got] = '\0';
    close(pipe_ends[0]);
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return child > 0 && WIFEXITED(status) && WEXITSTATUS(status) != 127 ? WEXITSTATUS(status) : -1;
}

/* ---- MPI ---- */

/* The ranks that a launcher started, or the line that starts some: each is tried by `dipper doctor ranks`. */
static void find_launcher(Findings *f, const App *app, dp_status world)
{
    char self[1024] = "", out[64], library[128];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    comm_library(library, sizeof library);
    find(f, false, "mpi", "%s", library);
    if (world != DP_OK) {
        find(f, true, "launcher", "%s", dp_error_last()->text);
        return;
    }
    if (comm_size(app->comm) > 1) {
        find(f, false, "launcher", "%s: these %d ranks see each other, %d of them on this host", run_place().launcher,
             comm_size(app->comm), comm_local_size(app->comm));
        return;
    }
    if (n <= 0)
        return;
    self[n] = '\0';
    char *lines[][10] = {{"mpirun", "-n", "2", self, "doctor", "ranks", NULL},
                         {"mpirun", "--oversubscribe", "-n", "2", self, "doctor", "ranks", NULL},
                         {"mpirun", "--allow-run-as-root", "-n", "2", self, "doctor", "ranks", NULL},
                         {"mpirun", "--allow-run-as-root", "--oversubscribe", "-n", "2", self, "doctor", "ranks", NULL},
                         {"srun", "--mpi=pmix", "-n", "2", self, "doctor", "ranks", NULL}};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char text[256] = "";
        size_t at = 0;
        if (strcmp(lines[i][0], "srun") == 0 && !getenv("SLURM_JOB_ID"))
            continue;
        if (try_program(lines[i], out, sizeof out) != 0 || atoi(out) != 2)
            continue;
        for (int w = 0; strcmp(lines[i][w], "2") != 0; w++)
            at += (size_t)snprintf(text + at, sizeof text - at, "%s ", lines[i][w]);
        find(f, false, "launcher", "%s2 dipper ...   (tried: 2 ranks see each other)", text);
        return;
    }
    find(f, true, "launcher",
         "none of mpirun -n 2, srun --mpi=pmix -n 2 gave two ranks that see each other; is the "
         "mpirun on PATH the one of this MPI?");
}

/* ---- processor, GPU ---- */

static void find_processor(Findings *f)
{
    char features[200] = "", *line = NULL;
    __builtin_cpu_init();
    snprintf(features, sizeof features, "%s%s%s%s%s%s", __builtin_cpu_supports("avx2") ? " avx2" : "",
             __builtin_cpu_supports("bmi2") ? " bmi2" : "", __builtin_cpu_supports("avx512f") ? " avx512f" : "",
             __builtin_cpu_supports("avx512bw") ? " avx512bw" : "",
             __builtin_cpu_supports("avx512vbmi2") ? " avx512vbmi2" : "",
             __builtin_cpu_supports("gfni") ? " gfni" : "");
    char model[128] = "unknown processor";
    FILE *info = fopen("/proc/cpuinfo", "re");
    size_t room = 0;
    while (info && getline(&line, &room, info) > 0)
        if (strncmp(line, "model name", 10) == 0 && strchr(line, ':')) {
            snprintf(model, sizeof model, "%.*s", (int)strcspn(strchr(line, ':') + 2, "\n"), strchr(line, ':') + 2);
            break;
        }
    free(line);
    if (info)
        fclose(info);
    find(f, false, "cpu", "%s  %s", model, *features ? features : " no vector instructions that are used here");
}

static void find_devices(Findings *f)
{
    Device *device = NULL;
    if (device_open(&device, "auto", 0, 1) == DP_OK)
        find(f, false, "kernels", "%s", device_describe(device));
    else
        find(f, true, "kernels", "%s", dp_error_last()->text);
    device_close(&device);
    if (device_open(&device, "cuda", 0, 1) == DP_OK)
        find(f, false, "gpu", "%s; sums of several ranks go %s", device_describe(device),
             device_tree_ops(device)->invite(device_context(device), NULL) ? "from card to card by NCCL"
                                                                           : "by the host (no libnccl.so.2)");
    else
        find(f, false, "gpu", "none: %s", dp_error_last()->text);
    device_close(&device);
}

static void find_cores(Findings *f)
{
    RunPlace place = run_place();
    struct utsname system;
    uname(&system);
    find(f, place.cores < 1, "cores", "%d usable by this process (of %ld in the machine; affinity and cgroup counted)",
         place.cores, sysconf(_SC_NPROCESSORS_ONLN));
    find(f, false, "system", "%s %s, host %s, launcher %s", system.sysname, system.release, place.host, place.launcher);
}

static void find_slurm(Findings *f)
{
    char out[128];
    char *const line[] = {"sinfo", "--version", NULL};
    const char *job = getenv("SLURM_JOB_ID");
    if (try_program(line, out, sizeof out) == 0) {
        out[strcspn(out, "\n")] = '\0';
        find(f, false, "slurm", "%s%s%s", out, job ? ", in job " : ", not in a job", job ? job : "");
    } else {
        find(f, false, "slurm", "not here (sinfo is not on PATH)");
    }
}

/* ---- disk, locks, clock ---- */

/* The nearest folder that is there. */
static void nearest_folder(char *out, size_t room, const char *path)
{
    struct stat facts;
    snprintf(out, room, "%s", path);
    while (stat(out, &facts) != 0 && strrchr(out, '/') && strrchr(out, '/') != out)
        *strrchr(out, '/') = '\0';
}

static void find_disk(Findings *f, const char *label, const char *path)
{
    char folder[1024], free_bytes[32];
    struct statvfs facts;
    nearest_folder(folder, sizeof folder, path);
    if (statvfs(folder, &facts) != 0) {
        find(f, true, label, "%s: %s", path, strerror(errno));
        return;
    }
    int64_t bytes = (int64_t)facts.f_bavail * (int64_t)facts.f_frsize;
    bool writable = access(folder, W_OK) == 0;
    dp_bytes_print(free_bytes, bytes);
    find(f, !writable || bytes < (INT64_C(1) << 30), label, "%s   %s free%s", path, free_bytes,
         writable ? "" : ", not writable for this user");
}

static void find_locks(Findings *f, const char *path)
{
    char folder[1024], name[1100];
    nearest_folder(folder, sizeof folder, path);
    snprintf(name, sizeof name, "%s/.dipper-doctor-XXXXXX", folder);
    int file = mkstemp(name);
    if (file < 0) {
        find(f, true, "locks", "no file could be made in %s: %s", folder, strerror(errno));
        return;
    }
    bool flock_works = flock(file, LOCK_EX | LOCK_NB) == 0;
    char other[1200];
    snprintf(other, sizeof other, "%s.link", name);
    bool link_works = link(name, other) == 0;
    unlink(other);
    unlink(name);
    close(file);
    find(f, !flock_works || !link_works, "locks", "flock %s, link() %s in %s", flock_works ? "works" : "FAILS",
         link_works ? "works" : "FAILS", folder);
}

static void find_clock(Findings *f)
{
    char now[32];
    struct timespec step;
    dp_time_print(now, dp_clock_now() / DP_SECOND * DP_SECOND);
    clock_getres(CLOCK_MONOTONIC, &step);
    bool absurd = dp_clock_now() < dp_days_of_date(2024, 1, 1) * DP_DAY;
    find(f, absurd, "clock", "%s UTC%s, steps of %ld ns", now, absurd ? " (is that right?)" : "", step.tv_nsec);
}

static dp_status print_findings(App *app, const Findings *f)
{
    json_t *object = json_object();
    for (int i = 0; i < f->n; i++) {
        const Finding *it = &f->list[i];
        json_object_set_new(object, it->label, json_pack("{s:s, s:b}", "text", it->text, "good", !it->bad));
        if (!app_given(app, APP_JSON)) {
            dp_status st = app_print(app, "%-9s %s%s\n", it->label, it->bad ? "! " : "", it->text);
            if (st != DP_OK) {
                json_decref(object);
                return st;
            }
        }
    }
    if (app_given(app, APP_JSON))
        return app_print_json(app, object);
    json_decref(object);
    return DP_OK;
}

/* Where things lie; false: the site's file is faulty, and what it names is not looked at. */
static bool find_site(Findings *f, App *app, Place *place)
{
    const char *named = getenv("DIPPER_SITE");
    if (app_place(app, place) != DP_OK)
        find(f, true, "site", "%s", dp_error_last()->text);
    else
        find(f, false, "site", "%s", named && *named ? named : "./dipper-data (DIPPER_SITE is not set)");
    return f->list[f->n - 1].bad == false;
}

dp_status app_doctor(App *app)
{
    Findings f = {.n = 0};
    Place place;
    char library[32];
    dp_status world = comm_open(&app->comm, &app->log);
    if (app->args.n_words == 1 && strcmp(app->args.words[0], "ranks") == 0)
        return world == DP_OK ? app_print(app, "%d\n", comm_size(app->comm)) : world;
    if (app->screen.off) /* not the first copy */
        return DP_OK;
    find(&f, false, "dipper", "%s", DIPPER_VERSION);
    find_launcher(&f, app, world);
    comm_close(&app->comm); /* the others are done: from here on the first rank is alone */
    DP_TRY(comm_open_alone(&app->comm, &app->log));
    lake_library(library);
    find(&f, false, "hdf5", "%s", library);
    find_processor(&f);
    find_devices(&f);
    find_cores(&f);
    find_slurm(&f);
    if (find_site(&f, app, &place)) {
        find_disk(&f, "lake", place.lake);
        find_disk(&f, "runs", place.runs);
        find_disk(&f, "models", place.models);
        find_locks(&f, place.lake);
    }
    find_clock(&f);
    return print_findings(app, &f);
}
