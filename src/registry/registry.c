/* Versions: <models>/<name>/<version>.h5, numbers from 1 without gaps in use, given by link(). */
#include "registry/registry_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/publish.h"
#include "base/text.h"

enum { VERSION_MAX = 999999999 };

/* ---- names and folders ---- */

static dp_status check_name(const char *name)
{
    if (!dp_name_is_good(name))
        return dp_fail(DP_ERR_USAGE, "registry-01",
                       "'%.80s' cannot name a model: names are a-z, 0-9, '.', '_' and '-', at most 64, and begin with "
                       "a letter or digit",
                       name);
    return DP_OK;
}

dp_status registry_open_folder(int *dir, const char *models, const char *name, bool make)
{
    *dir = -1;
    DP_TRY(check_name(name));
    if (make)
        DP_TRY(dp_make_folders(models));
    int root = open(models, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int made = root >= 0 && make ? mkdirat(root, name, 02750) : 0;
    if (root >= 0 && (made == 0 || errno == EEXIST))
        *dir = openat(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int err = errno;
    if (root >= 0)
        close(root);
    if (*dir < 0)
        return dp_fail(dp_status_of_errno(err, make ? DP_ERR_CREATE : DP_ERR_IO), "registry-06",
                       "cannot open the folder %s/%s: %s", models, name, strerror(err));
    return DP_OK;
}

/* The version that a file name stands for, 0 for other files. */
static int version_of(const char *file)
{
    char *end;
    if (file[0] < '1' || file[0] > '9')
        return 0;
    long version = strtol(file, &end, 10);
    return version <= VERSION_MAX && strcmp(end, ".h5") == 0 ? (int)version : 0;
}

/* Versions in a folder, ascending (free with dp_free). */
static int ascending(const void *a, const void *b)
{
    int left = *(const int *)a, right = *(const int *)b;
    return (left > right) - (left < right);
}

static dp_status versions_in(int dir, int **versions, size_t *n)
{
    dp_status st = DP_OK;
    size_t room = 0;
    *versions = NULL;
    *n = 0;
    int again = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = again < 0 ? NULL : fdopendir(again);
    if (!folder) {
        st = dp_fail(dp_status_of_errno(errno, DP_ERR_IO), "registry-06", "cannot read a model's folder: %s",
                     strerror(errno));
        if (again >= 0)
            close(again);
        return st;
    }
    for (struct dirent *e; (e = readdir(folder));) {
        int version = version_of(e->d_name);
        if (version == 0)
            continue;
        if (*n == room) {
            DP_GO(dp_resize(versions, room, room ? 2 * room : 64));
            room = room ? 2 * room : 64;
        }
        (*versions)[(*n)++] = version;
    }
    if (*n > 0)
        qsort(*versions, *n, sizeof **versions, ascending);
done:
    closedir(folder);
    if (st != DP_OK)
        dp_free(versions);
    return st;
}

/* ---- what the audit log says of each version ---- */

typedef struct Offered {
    int version;
    dp_digest file, payload;
    bool has_payload;
    int64_t time;
    char by[40];
} Offered;
typedef struct Offers {
    Offered *row;
    size_t n, room;
    const char *name;
} Offers;

static int version_in_object(const Offers *offers, const char *object)
{
    size_t size = strlen(offers->name);
    char file[32];
    if (!object || strncmp(object, offers->name, size) != 0 || object[size] != ':' || strlen(object + size) > 16)
        return 0;
    snprintf(file, sizeof file, "%s.h5", object + size + 1);
    return version_of(file);
}

static dp_status note_offer(void *self, const json_t *line, int64_t number)
{
    Offers *offers = self;
    (void)number;
    const char *act = json_string_value(json_object_get(line, "act"));
    const char *digest = json_string_value(json_object_get(line, "digest"));
    const char *time = json_string_value(json_object_get(line, "time"));
    const char *user = json_string_value(json_object_get(line, "user"));
    const char *payload = json_string_value(json_object_get(json_object_get(line, "detail"), "payload"));
    Offered row = {.version = version_in_object(offers, json_string_value(json_object_get(line, "object")))};
    if (!act || strcmp(act, "offer") != 0 || row.version == 0 || !digest || !dp_digest_read(&row.file, digest))
        return DP_OK;
    if (offers->n == offers->room) {
        size_t room = offers->room ? 2 * offers->room : 64;
        DP_TRY(dp_resize(&offers->row, offers->room, room));
        offers->room = room;
    }
    row.has_payload = payload && dp_digest_read(&row.payload, payload);
    if (!time || !dp_time_read(&row.time, time))
        row.time = DP_TIME_MISSING;
    snprintf(row.by, sizeof row.by, "%s", user ? user : "");
    offers->row[offers->n++] = row;
    return DP_OK;
}

static const Offered *offer_of(const Offers *offers, int version)
{
    for (size_t i = offers->n; i-- > 0;)
        if (offers->row[i].version == version)
            return &offers->row[i];
    return NULL;
}

/* ---- offering ---- */

static dp_status append_offer(AuditLog *log, int version, const dp_digest *file, const dp_digest *payload)
{
    char object[REGISTRY_ADDRESS_MAX], hex[DP_DIGEST_HEX], detail[128];
    snprintf(object, sizeof object, "%s:%d", log->name, version);
    dp_digest_print(hex, payload);
    snprintf(detail, sizeof detail, "{\"payload\":\"%s\"}", hex);
    return audit_append(log, "offer", object, file, detail);
}

/* A writer that died between naming the file and writing its line left a version without one: it gets it now, from
 * what the file itself says. */
static dp_status adopt(AuditLog *log, int version, dp_digest *payload)
{
    dp_status st = DP_OK;
    Model *model = NULL;
    ModelFacts facts;
    dp_digest file;
    char path[REGISTRY_PATH_MAX], *provenance = NULL; /* asked for so that the whole file is checked */
    snprintf(path, sizeof path, "%s/%s/%d.h5", log->models, log->name, version);
    DP_GO(model_load(&model, &provenance, path, NULL));
    DP_GO(model_facts(&facts, model));
    DP_GO(dp_digest_of_file(&file, path));
    DP_GO(append_offer(log, version, &file, &facts.payload));
    *payload = facts.payload;
done:
    dp_free(&provenance);
    model_free(&model);
    return st;
}

/* Is the newest version the same model? *newest is 0 when there is none. */
static dp_status compare_newest(AuditLog *log, int dir, const dp_digest *payload, int *newest, bool *same)
{
    dp_status st = DP_OK;
    Offers offers = {.name = log->name};
    int *versions = NULL;
    size_t n = 0;
    dp_digest there;
    *newest = 0;
    *same = false;
    DP_GO(versions_in(dir, &versions, &n));
    if (n > 0) {
        *newest = versions[n - 1];
        DP_GO(audit_walk(log, note_offer, &offers));
        const Offered *offer = offer_of(&offers, *newest);
        if (offer && offer->has_payload)
            there = offer->payload;
        else
            DP_GO(adopt(log, *newest, &there));
        *same = dp_digest_same(&there, payload);
    }
done:
    dp_free(&versions);
    dp_free(&offers.row);
    return st;
}

static dp_status publish_next(AuditLog *log, int *version, const void *image, size_t size, dp_digest *file)
{
    char folder[REGISTRY_PATH_MAX], name[32];
    dp_published published = {.existed = true};
    if (snprintf(folder, sizeof folder, "%s/%s", log->models, log->name) >= (int)sizeof folder)
        return dp_fail(DP_ERR_CREATE, "registry-06", "the path %.80s... is too long", log->models);
    while (published.existed) {
        if (*version == VERSION_MAX)
            return dp_fail(DP_ERR_CREATE, "registry-06", "%s has no version numbers left", log->name);
        snprintf(name, sizeof name, "%d.h5", ++*version);
        DP_TRY(dp_publish_bytes(folder, name, image, size, DP_PUBLISH_NEW, &published));
    }
    *file = published.digest;
    return DP_OK;
}

dp_status registry_offer(char *address, const char *models, const char *name, const void *image, size_t size,
                         const dp_digest *payload)
{
    dp_status st = DP_OK;
    int dir = -1, version = 0;
    bool same = false;
    AuditLog log = {.fd = -1};
    dp_digest file;
    DP_GO(registry_open_folder(&dir, models, name, true));
    DP_GO(audit_open(&log, dir, models, name, true));
    DP_GO(compare_newest(&log, dir, payload, &version, &same));
    if (!same) {
        DP_GO(publish_next(&log, &version, image, size, &file));
        DP_GO(append_offer(&log, version, &file, payload));
    }
    snprintf(address, REGISTRY_ADDRESS_MAX, "%s:%d", name, version);
done:
    audit_close(&log);
    if (dir >= 0)
        close(dir);
    return st;
}

/* ---- finding and listing ---- */

/* Names of all models, sorted: zero-terminated texts one after the other (free with dp_buf_free). */
static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

typedef struct Names {
    char **name;
    size_t n, room;
} Names;

static void names_free(Names *names)
{
    for (size_t i = 0; i < names->n; i++)
        dp_free(&names->name[i]);
    dp_free(&names->name);
}

static dp_status names_read(Names *names, const char *models)
{
    dp_status st = DP_OK;
    DIR *folder = opendir(models);
    if (!folder && errno == ENOENT)
        return DP_OK;
    if (!folder)
        return dp_fail(dp_status_of_errno(errno, DP_ERR_IO), "registry-06", "cannot read %s: %s", models,
                       strerror(errno));
    for (struct dirent *e; (e = readdir(folder));) {
        struct stat info;
        if (!dp_name_is_good(e->d_name) || fstatat(dirfd(folder), e->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0 ||
            !S_ISDIR(info.st_mode))
            continue;
        if (names->n == names->room) {
            size_t room = names->room ? 2 * names->room : 16;
            DP_GO(dp_resize(&names->name, names->room, room));
            names->room = room;
        }
        DP_GO(dp_copy_text(&names->name[names->n], e->d_name));
        names->n++;
    }
    if (names->n > 0)
        qsort(names->name, names->n, sizeof *names->name, by_text);
done:
    closedir(folder);
    return st;
}

static dp_status no_such_model(const char *models, const char *wanted, const char *name)
{
    Names names = {0};
    dp_status st = names_read(&names, models);
    const char *near = st == DP_OK ? dp_nearest(name, (const char *const *)names.name, names.n) : NULL;
    st = near && strcmp(near, name) != 0
             ? dp_fail(DP_ERR_NO_INPUT, "registry-02", "there is no model '%s' in %s (did you mean '%s'?)", wanted,
                       models, near)
             : dp_fail(DP_ERR_NO_INPUT, "registry-02", "there is no model '%s' in %s; `dipper model ls` shows all",
                       wanted, models);
    names_free(&names);
    return st;
}

/* "risk:15" into name and version; version 0: the newest. */
static dp_status split_address(char name[65], int *version, const char *wanted)
{
    char file[32];
    const char *colon = strchr(wanted, ':');
    size_t size = colon ? (size_t)(colon - wanted) : strlen(wanted);
    *version = 0;
    if (size > 64)
        return check_name(wanted);
    memcpy(name, wanted, size);
    name[size] = '\0';
    DP_TRY(check_name(name));
    if (!colon)
        return DP_OK;
    snprintf(file, sizeof file, "%.20s.h5", colon + 1);
    *version = version_of(file);
    if (*version == 0)
        return dp_fail(DP_ERR_USAGE, "registry-01",
                       "'%.80s' is no address of a model; write risk:15, or risk for the "
                       "newest",
                       wanted);
    return DP_OK;
}

dp_status registry_path(char *path, size_t room, char *address, const char *models, const char *wanted)
{
    dp_status st = DP_OK;
    char name[65], file[32];
    int version, dir = -1;
    int *versions = NULL;
    size_t n = 0;
    struct stat info;
    DP_TRY(split_address(name, &version, wanted));
    if (registry_open_folder(&dir, models, name, false) != DP_OK) {
        st = dp_error_last()->status == DP_ERR_NO_INPUT ? no_such_model(models, wanted, name) : dp_error_last()->status;
        goto done;
    }
    DP_GO(versions_in(dir, &versions, &n));
    if (version == 0 && n > 0)
        version = versions[n - 1];
    snprintf(file, sizeof file, "%d.h5", version);
    if (version == 0 || fstatat(dir, file, &info, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(info.st_mode)) {
        st = n > 0 ? dp_fail(DP_ERR_NO_INPUT, "registry-02", "there is no %s in %s; the newest is %s:%d", wanted,
                             models, name, versions[n - 1])
                   : no_such_model(models, wanted, name);
        goto done;
    }
    if (snprintf(path, room, "%s/%s/%s", models, name, file) >= (int)room)
        st = dp_fail(DP_ERR_USAGE, "registry-06", "the path %.80s... is too long", models);
    snprintf(address, REGISTRY_ADDRESS_MAX, "%s:%d", name, version);
done:
    if (dir >= 0)
        close(dir);
    dp_free(&versions);
    return st;
}

/* Adds the versions of one model, newest first. */
static dp_status list_one(RegistryRow **rows, size_t *n, const char *models, const char *name)
{
    dp_status st = DP_OK;
    int dir = -1;
    int *versions = NULL;
    size_t count = 0;
    AuditLog log = {.fd = -1};
    Offers offers = {.name = name};
    DP_GO(registry_open_folder(&dir, models, name, false));
    DP_GO(versions_in(dir, &versions, &count));
    DP_GO(audit_open(&log, dir, models, name, false));
    DP_GO(audit_walk(&log, note_offer, &offers));
    DP_GO(dp_resize(rows, *n, *n + count));
    size_t offer = offers.n;
    for (size_t i = count; i-- > 0;) {
        RegistryRow *row = &(*rows)[(*n)++];
        char file[32];
        struct stat info = {0};
        snprintf(row->name, sizeof row->name, "%s", name);
        snprintf(file, sizeof file, "%d.h5", versions[i]);
        row->version = versions[i];
        row->made = DP_TIME_MISSING;
        row->bytes = fstatat(dir, file, &info, AT_SYMLINK_NOFOLLOW) == 0 ? (int64_t)info.st_size : 0;
        while (offer > 0 && offers.row[offer - 1].version > versions[i])
            offer--;
        if (offer > 0 && offers.row[offer - 1].version == versions[i]) {
            row->made = offers.row[offer - 1].time;
            memcpy(row->by, offers.row[offer - 1].by, sizeof row->by);
        }
    }
done:
    audit_close(&log);
    dp_free(&versions);
    dp_free(&offers.row);
    if (dir >= 0)
        close(dir);
    return st;
}

dp_status registry_list(RegistryRow **rows, size_t *n, const char *models, const char *name)
{
    dp_status st = DP_OK;
    Names names = {0};
    *rows = NULL;
    *n = 0;
    if (name) {
        char path[REGISTRY_PATH_MAX], address[REGISTRY_ADDRESS_MAX];
        DP_GO(registry_path(path, sizeof path, address, models, name));
        DP_GO(list_one(rows, n, models, name));
    } else {
        DP_GO(names_read(&names, models));
        for (size_t i = 0; i < names.n; i++)
            DP_GO(list_one(rows, n, models, names.name[i]));
    }
done:
    names_free(&names);
    if (st != DP_OK)
        dp_free(rows);
    return st;
}

/* ---- verifying ---- */

static dp_status verify_version(const Offers *offers, const char *models, int version)
{
    const Offered *offer = offer_of(offers, version);
    char path[REGISTRY_PATH_MAX];
    dp_digest found;
    snprintf(path, sizeof path, "%s/%s/%d.h5", models, offers->name, version);
    if (!offer)
        return dp_fail(DP_ERR_DATA, "registry-04", "%s stands there, and no line of the audit log offered it", path);
    DP_TRY(dp_digest_of_file(&found, path));
    if (!dp_digest_same(&found, &offer->file))
        return dp_fail(DP_ERR_DATA, "registry-04", "%s is not the file that %s offered: its SHA-256 differs", path,
                       offer->by);
    return DP_OK;
}

dp_status registry_verify(const char *models, const char *name, int64_t *acts)
{
    dp_status st = DP_OK;
    int dir = -1;
    int *versions = NULL;
    size_t n = 0;
    AuditLog log = {.fd = -1};
    Offers offers = {.name = name};
    *acts = 0;
    DP_GO(registry_open_folder(&dir, models, name, false));
    DP_GO(audit_open(&log, dir, models, name, false));
    DP_GO(versions_in(dir, &versions, &n));
    DP_GO(audit_walk(&log, note_offer, &offers));
    for (size_t i = 0; i < n; i++)
        DP_GO(verify_version(&offers, models, versions[i]));
    for (size_t i = 0; i < offers.n; i++)
        if (!bsearch(&offers.row[i].version, versions, n, sizeof *versions, ascending)) {
            st = dp_fail(DP_ERR_DATA, "registry-04", "%s:%d was offered by %s, and its file is gone from %s/%s", name,
                         offers.row[i].version, offers.row[i].by, models, name);
            goto done;
        }
    *acts = log.acts;
done:
    audit_close(&log);
    dp_free(&versions);
    dp_free(&offers.row);
    if (dir >= 0)
        close(dir);
    return st;
}
