/* state.json of a run, and the list of runs. */
#include "run/run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/publish.h"
#include "base/text.h"
#include "run/run_priv.h"

static const char *const state_names[] = {"running", "stopped", "failed", "done"};

dp_status run_join(char *out, const char *a, const char *b)
{
    if (snprintf(out, RUN_PATH, "%s/%s", a, b) >= RUN_PATH)
        return dp_fail(DP_ERR_CREATE, "run-02", "the path %.200s/... is too long; choose a shorter folder for runs", a);
    return DP_OK;
}

int64_t run_born(int64_t pid)
{
    char path[64], line[1024];
    snprintf(path, sizeof path, "/proc/%lld/stat", (long long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, line, sizeof line - 1) : -1;
    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return 0;
    line[n] = '\0';
    /* The name in brackets may hold spaces: field 22 is the 20th behind the last bracket. */
    char *at = strrchr(line, ')');
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    return at ? strtoll(at, NULL, 10) : 0;
}

bool run_record_alive(const RunRecord *record)
{
    char host[64] = "";
    gethostname(host, sizeof host - 1);
    return record->row.state == RUN_RUNNING && strcmp(host, record->row.host) == 0 && record->row.pid > 0 &&
           run_born(record->row.pid) == record->pid_born;
}

/* ---- reading and writing ---- */

static bool take_text(char *out, size_t room, const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text && (size_t)snprintf(out, room, "%s", text) < room;
}

static bool take_count(int64_t *out, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    *out = json_integer_value(value);
    return json_is_integer(value);
}

static bool take_record(RunRecord *record, const json_t *object)
{
    char state[16];
    int64_t restarts;
    RunRow *row = &record->row;
    if (!take_text(row->id, sizeof row->id, object, "id") || !take_text(row->work, sizeof row->work, object, "work") ||
        !take_text(row->made, sizeof row->made, object, "made") ||
        !take_text(row->host, sizeof row->host, object, "host") ||
        !take_text(row->slurm_job, sizeof row->slurm_job, object, "slurm_job") ||
        !take_text(record->name, sizeof record->name, object, "name") ||
        !take_text(record->inputs, sizeof record->inputs, object, "inputs") ||
        !take_text(state, sizeof state, object, "state") || !take_count(&row->started, object, "started") ||
        !take_count(&row->ended, object, "ended") || !take_count(&row->pid, object, "pid") ||
        !take_count(&record->pid_born, object, "pid_born") || !take_count(&restarts, object, "restarts"))
        return false;
    row->restarts = (int)restarts;
    for (int i = RUN_RUNNING; i <= RUN_DONE; i++)
        if (strcmp(state, state_names[i]) == 0) {
            row->state = (RunState)i;
            return restarts >= 0 && restarts <= INT32_MAX;
        }
    return false;
}

dp_status run_record_read(RunRecord *record, const char *folder)
{
    char path[RUN_PATH], *text = NULL;
    size_t size;
    json_error_t error;
    *record = (RunRecord){0};
    DP_TRY(run_join(path, folder, "state.json"));
    DP_TRY(dp_read_file(&text, &size, path, RUN_STATE_MAX));
    json_t *object = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    bool good = object && take_record(record, object);
    json_decref(object);
    dp_free(&text);
    if (!good)
        return dp_fail(DP_ERR_DATA, "run-03", "%s is broken; `dipper run rm` removes the run", path);
    record->row.alive = run_record_alive(record);
    return DP_OK;
}

dp_status run_record_write(const RunRecord *record, const char *folder, double *sync_seconds)
{
    dp_published published = {0};
    const RunRow *row = &record->row;
    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:i, s:s, s:s, s:I, s:I, s:s}", "id", row->id, "work", row->work, "name",
        record->name, "state", state_names[row->state], "made", row->made, "started", (json_int_t)row->started, "ended",
        (json_int_t)row->ended, "restarts", row->restarts, "inputs", record->inputs, "host", row->host, "pid",
        (json_int_t)row->pid, "pid_born", (json_int_t)record->pid_born, "slurm_job", row->slurm_job);
    char *text = object ? json_dumps(object, JSON_INDENT(1)) : NULL;
    json_decref(object);
    if (!text)
        return dp_fail(DP_ERR_AGAIN, "base-01", "out of memory while writing the state of run %s", row->id);
    dp_status st = dp_publish_bytes(folder, "state.json", text, strlen(text), DP_PUBLISH_REPLACE, &published);
    *sync_seconds += published.sync_seconds;
    free(text);
    return st;
}

/* ---- the list ---- */

typedef struct Records {
    RunRecord *record;
    size_t n, room;
} Records;

/* Everything below `year` that has a state. A folder without one is being made, or never was a run. */
static dp_status add_year(Records *records, const char *runs, const char *year)
{
    char path[RUN_PATH], folder[RUN_PATH];
    dp_status st = DP_OK;
    DP_TRY(run_join(path, runs, year));
    DIR *dir = opendir(path);
    if (!dir)
        return DP_OK; /* removed meanwhile, or no folder */
    for (struct dirent *entry; st == DP_OK && (entry = readdir(dir));) {
        if (entry->d_name[0] == '.' || snprintf(folder, sizeof folder, "%s/%s", path, entry->d_name) >= RUN_PATH)
            continue;
        if (records->n == records->room) {
            size_t room = records->room ? 2 * records->room : 16;
            st = dp_resize(&records->record, records->room, room);
            if (st != DP_OK)
                break;
            records->room = room;
        }
        RunRecord *record = &records->record[records->n];
        dp_status read = run_record_read(record, folder);
        if (read == DP_ERR_DATA) { /* broken: listed, so that it can be removed */
            *record = (RunRecord){.row = {.state = RUN_FAILED, .ended = DP_TIME_MISSING, .work = "?"}};
            snprintf(record->row.id, sizeof record->row.id, "%s/%.80s", year, entry->d_name);
        }
        records->n += read == DP_OK || read == DP_ERR_DATA;
    }
    closedir(dir);
    return st;
}

static int newer_first(const void *a, const void *b)
{
    const RunRecord *x = a, *y = b;
    if (x->row.started != y->row.started)
        return x->row.started < y->row.started ? 1 : -1;
    return -strcmp(x->row.id, y->row.id);
}

static dp_status list(Records *records, const char *runs)
{
    dp_status st = DP_OK;
    DIR *dir = opendir(runs);
    *records = (Records){0};
    if (!dir && errno == ENOENT)
        return DP_OK; /* no run was ever made */
    if (!dir)
        return dp_fail(dp_status_of_errno(errno, DP_ERR_IO), "run-01", "cannot read the folder of runs %s: %s", runs,
                       strerror(errno));
    for (struct dirent *entry; st == DP_OK && (entry = readdir(dir));)
        if (strspn(entry->d_name, "0123456789") == 4 && entry->d_name[4] == '\0')
            st = add_year(records, runs, entry->d_name);
    closedir(dir);
    if (st != DP_OK)
        dp_free(&records->record);
    else if (records->n > 1)
        qsort(records->record, records->n, sizeof *records->record, newer_first);
    return st;
}

dp_status run_list(RunRow **rows, size_t *n, const char *runs)
{
    Records records;
    *rows = NULL;
    *n = 0;
    DP_TRY(list(&records, runs));
    dp_status st = dp_new(rows, records.n);
    for (size_t i = 0; st == DP_OK && i < records.n; i++)
        (*rows)[i] = records.record[i].row;
    *n = st == DP_OK ? records.n : 0;
    dp_free(&records.record);
    return st;
}

/* ---- one of them ---- */

static dp_status not_found(const Records *records, const char *runs, const char *id)
{
    const char **ids = NULL;
    dp_status st = dp_new(&ids, records->n);
    const char *near = NULL;
    if (st == DP_OK) {
        for (size_t i = 0; i < records->n; i++)
            ids[i] = records->record[i].row.id;
        near = dp_nearest(id, ids, records->n);
        st = dp_fail(DP_ERR_NO_INPUT, "run-04", "no run '%.80s' in %s%s%s%s; `dipper run ls` lists them", id, runs,
                     near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
    }
    dp_free(&ids);
    return st;
}

dp_status run_record_find(RunRecord *record, const char *runs, const char *id)
{
    Records records;
    const RunRecord *found = NULL, *second = NULL;
    dp_status st = DP_OK;
    DP_TRY(list(&records, runs));
    for (size_t i = 0; i < records.n; i++) {
        const RunRecord *r = &records.record[i];
        if (strcmp(r->row.id, id) == 0) {
            found = r;
            second = NULL;
            break;
        }
        if (*id && strstr(r->row.id, id)) {
            second = found ? r : NULL;
            found = found ? found : r;
        }
    }
    if (!found)
        st = not_found(&records, runs, id);
    else if (second)
        st = dp_fail(DP_ERR_USAGE, "run-05", "'%.80s' can be %s or %s; name more of it", id, found->row.id,
                     second->row.id);
    else
        *record = *found;
    dp_free(&records.record);
    return st;
}

dp_status run_find(RunRow *row, const char *runs, const char *id)
{
    RunRecord record;
    DP_TRY(run_record_find(&record, runs, id));
    *row = record.row;
    return DP_OK;
}
