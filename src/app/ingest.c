/* dipper ingest: raw files into a table of the lake. */
#include "app/app.h"

#include <glob.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "ingest/ingest.h"

typedef struct Intake {
    App *app;
    const Comm *comm;
    const dp_log *log;
    Place place;
    Config *config;
    HeadOptions head;
    JobOptions job;
    IngestOptions *options;
    IngestResult result;
    int threads;
    char *names;        /* of the files, one after the other */
    const char **files; /* [n_files] */
    size_t n_files;
    char made[96];
} Intake;

static dp_status read_config(Intake *in)
{
    const char *path;
    DP_TRY(app_word(in->app, &path, 0, "a config of kind table"));
    DP_TRY(app_place(in->app, &in->place));
    DP_TRY(app_config(in->app, path, "table", &in->config));
    DP_TRY(ingest_options(&in->options, in->config));
    DP_TRY(app_bind(in->app, in->config, "", &in->head));
    DP_TRY(app_bind(in->app, in->config, "job", &in->job));
    in->threads = run_threads((int)in->job.threads, in->comm);
    return DP_OK;
}

/* Rank 0: the files of the inbox that the config's patterns match, in order of their names. */
static dp_status find_in_inbox(const Intake *in, dp_buf *names)
{
    CfgList patterns = ingest_patterns(in->options);
    char path[2200];
    for (size_t i = 0; i < patterns.n; i++) {
        glob_t found;
        bool absolute = patterns.items[i][0] == '/';
        snprintf(path, sizeof path, "%s%s%s", absolute ? "" : in->place.inbox, absolute ? "" : "/", patterns.items[i]);
        int failed = glob(path, 0, NULL, &found);
        dp_status st =
            failed == GLOB_NOSPACE ? dp_fail(DP_ERR_AGAIN, "base-01", "no memory for the files of %s", path) : DP_OK;
        for (size_t k = 0; st == DP_OK && !failed && k < found.gl_pathc; k++)
            st = dp_buf_add(names, found.gl_pathv[k], strlen(found.gl_pathv[k]) + 1);
        if (!failed)
            globfree(&found);
        DP_TRY(st);
    }
    if (names->size == 0)
        return dp_fail(DP_ERR_NO_INPUT, "app-16",
                       "no file was named, and nothing in %s fits from.files of the config (%s%s); name files after it",
                       in->place.inbox, patterns.n > 0 ? patterns.items[0] : "no pattern",
                       patterns.n > 1 ? ", ..." : "");
    return DP_OK;
}

/* Collective. The files of the command line, else those of the inbox; the same list on every rank. */
static dp_status choose_files(Intake *in)
{
    dp_buf names = {0};
    dp_status st = DP_OK;
    if (in->app->args.n_words > 1) {
        in->n_files = in->app->args.n_words - 1;
        return DP_OK;
    }
    if (comm_rank(in->comm) == 0)
        st = find_in_inbox(in, &names);
    DP_TRY_ALL(in->comm, st);
    size_t size = names.size;
    in->names = names.data;
    DP_TRY(comm_share_any(in->comm, &in->names, &size, 0));
    for (size_t i = 0; i < size; i++)
        in->n_files += in->names[i] == '\0';
    DP_TRY_ALL(in->comm, dp_new(&in->files, in->n_files));
    size_t k = 0;
    for (const char *at = in->names; at < in->names + size; at += strlen(at) + 1)
        in->files[k++] = at;
    return DP_OK;
}

static dp_status say_left(Intake *in)
{
    in->app->exit = in->result.interrupted ? APP_INTERRUPTED : APP_LEFT;
    dp_say(in->log, DP_WARN, "left", "nothing is added yet; the same command goes on where this one was");
    return DP_OK;
}

static void say_end(Intake *in, double seconds)
{
    char rows[32], bad[32], bytes[32], stored[32], took[32], rate[32], peak[32];
    const IngestResult *r = &in->result;
    int64_t most = dp_memory_peak();
    comm_max_i64(in->comm, &most, 1);
    dp_bytes_print(peak, most);
    dp_count_print(rows, r->rows);
    dp_count_print(bad, r->bad);
    dp_bytes_print(bytes, r->bytes_in);
    dp_bytes_print(stored, r->bytes_out);
    dp_bytes_print(rate, (int64_t)((double)r->bytes_in / (seconds + 1e-9)));
    dp_duration_print(took, seconds);
    if (r->known) {
        dp_say(in->log, DP_INFO, "known", "these files are in the table already: nothing was added");
    } else {
        dp_say(in->log, DP_INFO, "rows", "%s taken   %s put aside%s%s", rows, bad,
               r->worst_reason ? ", most for: " : "", r->worst_reason ? r->worst_reason : "");
        dp_say(in->log, DP_INFO, "bytes", "%s read   %s stored", bytes, stored);
    }
    dp_say(in->log, DP_INFO, "time", "%s   %s/s   peak %s a rank", took, rate, peak);
    dp_say(in->log, DP_INFO, "made", "%s", in->made);
    dp_say(in->log, DP_INFO, "next", "dipper lake show %s%s", in->head.name, r->bad > 0 ? " --quarantine" : "");
}

static dp_status print_result(Intake *in)
{
    const IngestResult *r = &in->result;
    if (!app_given(in->app, APP_JSON))
        return app_print(in->app, "%s\n", in->made);
    if (comm_rank(in->comm) != 0)
        return DP_OK;
    return app_print_json(in->app, json_pack("{s:s, s:b, s:I, s:I, s:I, s:I, s:f, s:f, s:f}", "table", in->made,
                                             "known", r->known, "rows", (json_int_t)r->rows, "bad", (json_int_t)r->bad,
                                             "bytes_in", (json_int_t)r->bytes_in, "bytes_out", (json_int_t)r->bytes_out,
                                             "read_s", r->read_s, "write_s", r->write_s, "sync_s", r->sync_s));
}

static dp_status ingest(Intake *in)
{
    double start = dp_clock_seconds();
    char overrides[512];
    int ranks = comm_size(in->comm);
    DP_TRY(choose_files(in));
    app_print_overrides(in->app, overrides, sizeof overrides);
    dp_say(in->log, DP_INFO, in->head.name, "%zu file%s   %d rank%s x %d thread%s%s", in->n_files,
           in->n_files == 1 ? "" : "s", ranks, ranks == 1 ? "" : "s", in->threads, in->threads == 1 ? "" : "s",
           overrides);
    if (app_given(in->app, APP_DRY_RUN))
        return DP_OK;
    DP_TRY(ingest_files(&in->result, in->options, in->place.lake, in->head.name,
                        in->files ? in->files : in->app->args.words + 1, in->n_files, (LakeCompress)in->job.compress,
                        in->threads, in->comm));
    if (in->result.left)
        return say_left(in);
    snprintf(in->made, sizeof in->made, "%s@%lld", in->head.name, (long long)in->result.snapshot);
    say_end(in, dp_clock_seconds() - start);
    return comm_agree(in->comm, print_result(in));
}

dp_status app_ingest(App *app)
{
    Intake in = {.app = app, .comm = app->comm, .log = comm_log(app->comm)};
    dp_status st = read_config(&in);
    if (st == DP_OK)
        st = ingest(&in);
    dp_free(&in.files);
    dp_free(&in.names);
    ingest_options_free(&in.options);
    config_free(&in.config);
    return st;
}
