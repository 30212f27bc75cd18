#include "lake/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <hdf5.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/publish.h"
#include "lake/lake_priv.h"

/* A child may take this much more memory than it began with, besides a few times the file. */
enum { GUARD_MEMORY = 256 << 20, OBJECTS_MAX = 1 << 20 };

/* ---- what a file may hold ---- */

typedef struct Looker {
    const char *name;
    int64_t objects;
    size_t file_bytes;
    dp_status status;
} Looker;

static herr_t refuse(Looker *looker, const char *object, const char *what)
{
    looker->status = dp_fail(DP_ERR_DATA, "lake-16",
                             "%s is refused: '%.80s' %s; only plain HDF5 files that name no other file are read",
                             looker->name, object, what);
    return -1;
}

static herr_t look_at_link(hid_t group, const char *name, const H5L_info_t *info, void *self)
{
    Looker *looker = self;
    (void)group;
    if (info->type != H5L_TYPE_HARD)
        return refuse(looker, name, info->type == H5L_TYPE_EXTERNAL ? "is a link to another file" : "is no hard link");
    if (++looker->objects > OBJECTS_MAX)
        return refuse(looker, name, "is one object too many");
    return 0;
}

static bool filters_are_known(hid_t dcpl)
{
    int n = H5Pget_nfilters(dcpl);
    for (int i = 0; i < n; i++) {
        unsigned flags;
        size_t values = 0;
        H5Z_filter_t id = H5Pget_filter2(dcpl, (unsigned)i, &flags, &values, NULL, 0, NULL, NULL);
        if (id != H5Z_FILTER_SHUFFLE && id != H5Z_FILTER_DEFLATE && id != 32015 && id != H5Z_FILTER_SCALEOFFSET)
            return false;
    }
    return n >= 0;
}

/* Elements times their size must be a number, and no more than a file of this size can mean: zeros compress by about
 * 1,000 with deflate and 30,000 with zstd. */
static bool size_is_likely(hid_t space, hid_t type, size_t file_bytes)
{
    hssize_t n = H5Sget_simple_extent_npoints(space);
    size_t width = H5Tget_size(type), bytes;
    return n >= 0 && width > 0 && !__builtin_mul_overflow((size_t)n, width, &bytes) && bytes / 65536 <= file_bytes;
}

static herr_t look_at_dataset(hid_t dataset, const char *name, Looker *looker)
{
    hid_t dcpl = H5Dget_create_plist(dataset), space = H5Dget_space(dataset), type = H5Dget_type(dataset);
    herr_t err = 0;
    if (dcpl < 0 || space < 0 || type < 0)
        err = refuse(looker, name, "cannot be described");
    else if (H5Pget_external_count(dcpl) != 0)
        err = refuse(looker, name, "keeps its values in another file");
    else if (H5Pget_layout(dcpl) == H5D_VIRTUAL || H5Pget_layout(dcpl) == H5D_LAYOUT_ERROR)
        err = refuse(looker, name, "is a virtual dataset");
    else if (!filters_are_known(dcpl))
        err = refuse(looker, name, "needs a filter that is not shuffle, scale-offset, deflate or zstd");
    else if (!size_is_likely(space, type, looker->file_bytes))
        err = refuse(looker, name, "claims an absurd number of values");
    if (dcpl >= 0)
        H5Pclose(dcpl);
    if (space >= 0)
        H5Sclose(space);
    if (type >= 0)
        H5Tclose(type);
    return err;
}

static herr_t look_at_object(hid_t root, const char *name, const H5O_info_t *info, void *self)
{
    Looker *looker = self;
    if (info->type != H5O_TYPE_DATASET)
        return info->type == H5O_TYPE_GROUP ? 0 : refuse(looker, name, "is neither group nor dataset");
    hid_t dataset = H5Dopen2(root, name, H5P_DEFAULT);
    if (dataset < 0)
        return refuse(looker, name, "cannot be opened");
    herr_t err = look_at_dataset(dataset, name, looker);
    if (H5Dclose(dataset) < 0 && err == 0)
        return refuse(looker, name, "cannot be closed");
    return err;
}

static dp_status look_at_file(hid_t file, const char *name, size_t size)
{
    Looker looker = {.name = name, .file_bytes = size};
    if (H5Lvisit(file, H5_INDEX_NAME, H5_ITER_NATIVE, look_at_link, &looker) < 0 ||
        H5Ovisit2(file, H5_INDEX_NAME, H5_ITER_NATIVE, look_at_object, &looker, H5O_INFO_BASIC) < 0)
        return looker.status != DP_OK ? looker.status
                                      : dp_fail(DP_ERR_DATA, "lake-16", "%s is no whole HDF5 file", name);
    return DP_OK;
}

dp_status lake_image_open(int64_t *file, const char *name, const void *image, size_t size)
{
    const unsigned char magic[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
    *file = H5I_INVALID_HID;
    DP_TRY(h5_ready());
    if (size < sizeof magic || memcmp(image, magic, sizeof magic) != 0)
        return dp_fail(DP_ERR_DATA, "lake-16", "%s is no HDF5 file", name);
    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS);
    if (fapl >= 0 && H5Pset_fapl_core(fapl, 1 << 16, false) >= 0 && H5Pset_fclose_degree(fapl, H5F_CLOSE_STRONG) >= 0 &&
        H5Pset_file_image(fapl, (void *)(uintptr_t)image, size) >= 0)
        *file = H5Fopen("image", H5F_ACC_RDONLY, fapl);
    if (fapl >= 0)
        H5Pclose(fapl);
    return *file < 0 ? dp_fail(DP_ERR_DATA, "lake-16", "%s is no whole HDF5 file", name) : DP_OK;
}

/* ---- the child ---- */

static void limit(int what, rlim_t most)
{
    struct rlimit now;
    if (getrlimit(what, &now) != 0)
        return;
    most = now.rlim_max != RLIM_INFINITY && most > now.rlim_max ? now.rlim_max : most;
    setrlimit(what, &(struct rlimit){.rlim_cur = most, .rlim_max = most});
}

static rlim_t address_space_now(void)
{
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file)
        return (rlim_t)1 << 40;
    if (fscanf(file, "%llu", &pages) != 1)
        pages = 0;
    fclose(file);
    return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

/* What a crash would print (and where a core would go) is nobody's business. */
static void confine(size_t size, double seconds)
{
    int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
    static const int deadly[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTERM, SIGINT, SIGALRM};
    for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++)
        signal(deadly[i], SIG_DFL); /* not the handlers of MPI or of the program */
    if (nowhere >= 0) {
        dup2(nowhere, STDOUT_FILENO);
        dup2(nowhere, STDERR_FILENO);
    }
    limit(RLIMIT_AS, address_space_now() + GUARD_MEMORY + 8 * (rlim_t)size);
    limit(RLIMIT_CPU, (rlim_t)seconds + 1);
    limit(RLIMIT_FSIZE, 0);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_NOFILE, 0); /* what is open stays; nothing can be opened any more */
}

static void child(int out, const char *name, const void *image, size_t size, double seconds, LakeLook look, void *self)
{
    int64_t file = -1;
    dp_error none = {.status = DP_OK};
    confine(size, seconds);
    dp_status st = lake_image_open(&file, name, image, size);
    if (st == DP_OK)
        st = look_at_file(file, name, size);
    if (st == DP_OK && look)
        st = look(file, name, self);
    const dp_error *error = st == DP_OK ? &none : dp_error_last();
    /* One write: a dp_error fits a pipe. Nothing is freed: the process ends here. */
    _exit(write(out, error, sizeof *error) == (ssize_t)sizeof *error ? 0 : 1);
}

/* ---- the parent ---- */

/* false: the child ended or the time was over before it said anything. */
static bool hear(int in, dp_error *error, double seconds)
{
    double end = dp_clock_seconds() + seconds;
    size_t got = 0;
    while (got < sizeof *error) {
        double left = end - dp_clock_seconds();
        struct pollfd wait = {.fd = in, .events = POLLIN};
        int ready = left > 0 ? poll(&wait, 1, (int)(left * 1000) + 1) : 0;
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            return false;
        ssize_t n = read(in, (char *)error + got, sizeof *error - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        got += (size_t)n;
    }
    return true;
}

dp_status lake_guard_image(const char *name, const void *image, size_t size, double seconds, LakeLook look, void *self)
{
    int pipes[2], end = 0;
    dp_error error;
    DP_TRY(h5_ready()); /* before the fork: the child can open no plug-in folder and needs none */
    if (pipe2(pipes, O_CLOEXEC) != 0)
        return dp_fail(DP_ERR_AGAIN, "lake-15", "cannot make a pipe: %s", strerror(errno));
    pid_t pid = fork();
    if (pid == 0)
        child(pipes[1], name, image, size, seconds, look, self);
    close(pipes[1]);
    if (pid < 0) {
        close(pipes[0]);
        return dp_fail(DP_ERR_AGAIN, "lake-15", "cannot start a process to look at %s: %s", name, strerror(errno));
    }
    bool heard = hear(pipes[0], &error, seconds);
    close(pipes[0]);
    if (!heard)
        kill(pid, SIGKILL);
    while (waitpid(pid, &end, 0) < 0 && errno == EINTR)
        ;
    if (!heard)
        return dp_fail(DP_ERR_DATA, "lake-15",
                       "%s broke the process that looked at it (%s); it is damaged or hostile, do not use it", name,
                       WIFSIGNALED(end) && WTERMSIG(end) != SIGKILL ? strsignal(WTERMSIG(end))
                                                                    : "out of time or memory");
    return error.status == DP_OK ? DP_OK : dp_fail_as(&error);
}

dp_status lake_guard_file(const char *path, size_t max, double seconds, LakeLook look, void *self, char **image,
                          size_t *size)
{
    DP_TRY(dp_read_file(image, size, path, max));
    dp_status st = lake_guard_image(path, *image, *size, seconds, look, self);
    if (st != DP_OK)
        dp_free(image);
    return st;
}
