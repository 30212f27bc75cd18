/* dipper run: ls, show, diff, stop, rm. */
#include "app/app.h"

#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/publish.h"
#include "base/text.h"

enum { RUN_TEXT_MAX = 64 << 20, RUN_LINES = 6 };

static const char *state_name(const RunRow *row)
{
    static const char *const names[] = {"running", "stopped", "failed", "done"};
    return row->state == RUN_RUNNING && !row->alive ? "killed" : names[row->state];
}

static json_t *row_json(const RunRow *row)
{
    char started[32], ended[32] = "";
    dp_time_print(started, row->started);
    if (row->ended != DP_TIME_MISSING)
        dp_time_print(ended, row->ended);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:i}", "run", row->id, "work", row->work, "state",
                     state_name(row), "started", started, "ended", ended, "made", row->made, "host", row->host, "pid",
                     (json_int_t)row->pid, "restarts", row->restarts);
}

static dp_status list(App *app, const Place *place)
{
    RunRow *rows = NULL;
    size_t n = 0;
    json_t *all = json_array();
    dp_status st = DP_OK;
    DP_GO(run_list(&rows, &n, place->runs));
    for (size_t i = 0; i < n && (app->args.limit < 0 || (int64_t)i < app->args.limit); i++) {
        char took[32] = "-";
        int64_t end = rows[i].ended != DP_TIME_MISSING ? rows[i].ended : rows[i].alive ? dp_clock_now() : 0;
        if (end > 0)
            dp_duration_print(took, (double)(end - rows[i].started) / (double)DP_SECOND);
        json_array_append_new(all, row_json(&rows[i]));
        if (!app_given(app, APP_JSON))
            DP_GO(app_print(app, "%-32s %-8s %-8s %8s  %-20s %s\n", rows[i].id, rows[i].work, state_name(&rows[i]),
                            took, rows[i].host, rows[i].made));
    }
    if (app_given(app, APP_JSON))
        DP_GO(app_print_json(app, json_incref(all)));
    else if (n == 0)
        dp_say(comm_log(app->comm), DP_INFO, "none", "no run in %s yet; work (dipper help) makes one", place->runs);
done:
    json_decref(all);
    dp_free(&rows);
    return st;
}

static dp_status newest(RunRow *row, const Place *place)
{
    RunRow *rows = NULL;
    size_t n = 0;
    DP_TRY(run_list(&rows, &n, place->runs));
    if (n > 0)
        *row = rows[0];
    dp_free(&rows);
    return n > 0 ? DP_OK : dp_fail(DP_ERR_NO_INPUT, "app-12", "there is no run in %s yet", place->runs);
}

static dp_status read_part(char **text, size_t *size, const Place *place, const char *id, const char *name)
{
    char path[1400];
    snprintf(path, sizeof path, "%s/%s/%s", place->runs, id, name);
    return dp_read_file(text, size, path, RUN_TEXT_MAX);
}

/* The last lines of a text. */
static const char *tail(const char *text, size_t size, int lines)
{
    const char *at = text + size;
    for (; at > text; at--)
        if (at[-1] == '\n' && at < text + size && lines-- == 1)
            break;
    return at;
}

static dp_status show(App *app, const Place *place, const RunRow *row)
{
    char started[32], ended[32] = "-", *metrics = NULL, *log = NULL;
    size_t metrics_size = 0, log_size = 0;
    dp_buf newest = {0};
    dp_status st = DP_OK;
    if (app_given(app, APP_JSON))
        return app_print_json(app, row_json(row));
    dp_time_print(started, row->started / DP_SECOND * DP_SECOND);
    if (row->ended != DP_TIME_MISSING)
        dp_time_print(ended, row->ended / DP_SECOND * DP_SECOND);
    DP_GO(app_print(app, "%s   %s   %s   restarts %d\n", row->id, row->work, state_name(row), row->restarts));
    DP_GO(app_print(app, "started   %s   ended %s   %s, pid %lld%s%s\n", started, ended, row->host, (long long)row->pid,
                    *row->slurm_job ? ", Slurm job " : "", row->slurm_job));
    DP_GO(app_print(app, "made      %s\n", *row->made ? row->made : "nothing yet"));
    DP_GO(app_print(app, "folder    %s/%s: config.yaml  metrics.jsonl  log\n", place->runs, row->id));
    if (read_part(&metrics, &metrics_size, place, row->id, "metrics.jsonl") == DP_OK && metrics_size > 0) {
        DP_GO(app_json_words(&newest, tail(metrics, metrics_size, 1)));
        DP_GO(app_print(app, "metrics   %s\n", newest.size ? newest.data : ""));
    }
    if (read_part(&log, &log_size, place, row->id, "log") == DP_OK && log_size > 0)
        DP_GO(app_print(app, "log\n%s", tail(log, log_size, RUN_LINES)));
done:
    dp_buf_free(&newest);
    dp_free(&metrics);
    dp_free(&log);
    return st;
}

/* ---- diff ---- */

/* One value of a resolved config: its path and text. */
typedef struct Value {
    char path[160], text[240];
} Value;

/* The resolved config as it is printed: two spaces a level, `key: value`, the origin behind ` #`. */
static dp_status read_values(Value **values, size_t *n, char *text)
{
    char keys[16][80] = {{0}};
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n"));) {
        size_t indent = strspn(line, " "), level = indent / 2;
        char *colon = strchr(line + indent, ':');
        if (!colon || line[indent] == '#' || level >= 16)
            continue;
        snprintf(keys[level], sizeof keys[level], "%.*s", (int)(colon - line - (long)indent), line + indent);
        char *value = colon + 1 + strspn(colon + 1, " "), *origin = strstr(value, " #");
        if (origin)
            *origin = '\0';
        for (size_t end = strlen(value); end > 0 && value[end - 1] == ' '; end--)
            value[end - 1] = '\0';
        if (!*value || *value == '#')
            continue;
        DP_TRY(dp_resize(values, *n, *n + 1));
        Value *to = &(*values)[(*n)++];
        for (size_t k = 0, at = 0; k <= level && at < sizeof to->path; k++)
            at += (size_t)snprintf(to->path + at, sizeof to->path - at, "%s%s", k ? "." : "", keys[k]);
        snprintf(to->text, sizeof to->text, "%s", value);
    }
    return DP_OK;
}

static const char *find_value(const Value *values, size_t n, const char *path)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(values[i].path, path) == 0)
            return values[i].text;
    return "-";
}

static dp_status diff(App *app, const Place *place, const RunRow *a, const RunRow *b)
{
    char *text[2] = {NULL, NULL};
    size_t size, n[2] = {0, 0}, differ = 0;
    Value *values[2] = {NULL, NULL};
    dp_status st = DP_OK;
    DP_GO(read_part(&text[0], &size, place, a->id, "config.yaml"));
    DP_GO(read_part(&text[1], &size, place, b->id, "config.yaml"));
    DP_GO(read_values(&values[0], &n[0], text[0]));
    DP_GO(read_values(&values[1], &n[1], text[1]));
    DP_GO(app_print(app, "%-32s %-28s %s\n", "", a->id, b->id));
    for (int side = 0; side < 2; side++)
        for (size_t i = 0; i < n[side]; i++) {
            const char *path = values[side][i].path;
            const char *mine = find_value(values[0], n[0], path), *theirs = find_value(values[1], n[1], path);
            bool told = side == 1 && strcmp(mine, "-") != 0;
            if (told || strcmp(mine, theirs) == 0)
                continue;
            DP_GO(app_print(app, "%-32s %-28s %s\n", path, mine, theirs));
            differ++;
        }
    if (differ == 0)
        DP_GO(app_print(app, "the configs are the same\n"));
    DP_GO(app_print(app, "%-32s %-28s %s\n", "made", *a->made ? a->made : "-", *b->made ? b->made : "-"));
done:
    for (int side = 0; side < 2; side++) {
        dp_free(&text[side]);
        dp_free(&values[side]);
    }
    return st;
}

dp_status app_run(App *app)
{
    const char *verb, *id, *other;
    Place place;
    RunRow row, second;
    DP_TRY(app_verb(app, &verb));
    DP_TRY(app_place(app, &place));
    if (strcmp(verb, "ls") == 0)
        return list(app, &place);
    if (strcmp(verb, "show") == 0 && app->args.n_words == 1) {
        DP_TRY(newest(&row, &place));
        return show(app, &place, &row);
    }
    DP_TRY(app_word(app, &id, 1, "a run, or a part of its name"));
    DP_TRY(run_find(&row, place.runs, id));
    if (strcmp(verb, "show") == 0)
        return show(app, &place, &row);
    if (strcmp(verb, "diff") == 0) {
        DP_TRY(app_word(app, &other, 2, "a second run"));
        DP_TRY(run_find(&second, place.runs, other));
        return diff(app, &place, &row, &second);
    }
    if (!app_given(app, APP_DRY_RUN))
        DP_TRY(strcmp(verb, "stop") == 0 ? run_stop(place.runs, row.id) : run_remove(place.runs, row.id));
    return app_print(app, "%s\n", row.id);
}
