/* dipper score: rows of a table through a model, block by block, into the scores table. */
#include "app/app.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "lake/lake.h"
#include "model/model.h"

enum { WHY_SHOWN = 3 };

typedef struct Night {
    App *app;
    const Comm *comm;
    const dp_log *log;
    Place place;
    Config *config;
    HeadOptions head;
    JobOptions job;
    BatchOptions options;
    ScoreWanted wanted;
    int threads;
    LakeTable *table;
    Device *device;
    Model *model;
    Run *run;
    ScoreResult result;
    char address[REGISTRY_ADDRESS_MAX], made[96];
} Night;

static dp_status read_config(Night *n)
{
    const char *path;
    DP_TRY(app_word(n->app, &path, 0, "a config of kind batch"));
    DP_TRY(app_place(n->app, &n->place));
    DP_TRY(app_config(n->app, path, "batch", &n->config));
    DP_TRY(app_bind(n->app, n->config, "", &n->head));
    DP_TRY(app_bind(n->app, n->config, "job", &n->job));
    DP_TRY(score_options(&n->options, n->config));
    if (app_given(n->app, APP_LIMIT))
        n->options.top = n->app->args.limit < 1000 ? n->app->args.limit : 1000;
    n->threads = run_threads((int)n->job.threads, n->comm);
    return DP_OK;
}

static dp_status open_model(Night *n)
{
    int64_t today = dp_clock_now(); /* "yesterday" is the same day on every rank */
    comm_share(n->comm, &today, sizeof today, 0);
    DP_TRY_ALL(n->comm, device_open(&n->device, app_device_name(&n->job), comm_local_rank(n->comm), n->threads));
    DP_TRY(app_open_model(n->app, &n->model, n->address, &n->place, n->options.use.items[0], n->device));
    return score_wanted(&n->wanted, &n->options, n->table, today);
}

/* Everything that decides the scores beyond the config: table, model, period. */
static dp_status digest_of(dp_digest *digest, const Night *n)
{
    ModelFacts facts;
    dp_digest content = lake_facts(n->table).content;
    dp_hash *hash = NULL;
    dp_status st = DP_OK;
    DP_GO(model_facts(&facts, n->model));
    DP_GO(dp_hash_start(&hash));
    DP_GO(dp_hash_add(hash, content.bytes, sizeof content.bytes));
    DP_GO(dp_hash_add(hash, facts.payload.bytes, sizeof facts.payload.bytes));
    DP_GO(dp_hash_add(hash, n->wanted.where, strlen(n->wanted.where) + 1));
    DP_GO(dp_hash_end(&hash, digest));
done:
    dp_hash_free(&hash);
    return st;
}

static void say_top(const Night *n)
{
    const ScoreResult *r = &n->result;
    const char *id = lake_schema(n->table)->id ? lake_schema(n->table)->id : "row";
    int width = (int)strlen(id);
    if (r->n_top == 0)
        return;
    for (int i = 0; i < r->n_top; i++)
        width = (int)strlen(r->top[i].row) > width ? (int)strlen(r->top[i].row) : width;
    dp_say(n->log, DP_INFO, "  rank", "%-*s  score  why", width, id);
    for (int i = 0; i < r->n_top; i++) {
        char label[16], why[512] = "";
        size_t at = 0;
        for (int k = 0; k < WHY_SHOWN && *r->top[i].reason[k].column; k++)
            at += (size_t)snprintf(why + at, sizeof why - at, "%s%s %s (%+.2f)", k ? "   " : "",
                                   r->top[i].reason[k].column, r->top[i].reason[k].value,
                                   (double)r->top[i].reason[k].amount);
        snprintf(label, sizeof label, "%6d", i + 1);
        dp_say(n->log, DP_INFO, label, "%-*s  %.3f  %s", width, r->top[i].row, (double)r->top[i].score, why);
    }
}

static dp_status say_left(Night *n)
{
    n->app->exit = n->result.interrupted ? APP_INTERRUPTED : APP_LEFT;
    dp_say(n->log, DP_WARN, "left", "%lld blocks are written; the same command goes on with the others",
           (long long)n->result.blocks);
    return DP_OK;
}

static void say_end(Night *n, double seconds)
{
    char rows[32], took[32], rate[32], peak[32];
    int64_t bytes = dp_memory_peak();
    comm_max_i64(n->comm, &bytes, 1);
    dp_bytes_print(peak, bytes);
    dp_count_print(rows, n->result.rows);
    dp_count_print(rate, (int64_t)((double)n->result.rows / (seconds + 1e-9)));
    dp_duration_print(took, dp_clock_seconds() - n->app->started);
    dp_say(n->log, DP_INFO, "scored", "%s rows in %lld block%s, %lld of them done before", rows,
           (long long)n->result.blocks, n->result.blocks == 1 ? "" : "s", (long long)n->result.blocks_before);
    if (n->result.rows == 0 && *n->wanted.where) {
        char first[32], last[32];
        LakeFacts facts = lake_facts(n->table);
        app_print_day(first, facts.first);
        app_print_day(last, facts.last);
        dp_say(n->log, DP_WARN, "empty", "no row of %s (%s .. %s) fits; data.day=latest takes its last day", facts.name,
               first, last);
    }
    say_top(n);
    dp_say(n->log, DP_INFO, "time", "%s   %s rows/s   peak %s a rank", took, rate, peak);
    dp_say(n->log, DP_INFO, "made", "%s%s", n->made,
           n->result.known ? "   (these scores were there: nothing was added)" : "");
    dp_say(n->log, DP_INFO, "next", "dipper lake export %s --limit 10", n->options.write_table);
}

static json_t *top_json(const ScoreResult *r)
{
    json_t *list = json_array();
    for (int i = 0; i < r->n_top; i++) {
        json_t *why = json_array();
        for (int k = 0; k < 5 && *r->top[i].reason[k].column; k++)
            json_array_append_new(why,
                                  json_pack("{s:s, s:s, s:f}", "column", r->top[i].reason[k].column, "value",
                                            r->top[i].reason[k].value, "amount", (double)r->top[i].reason[k].amount));
        json_array_append_new(
            list, json_pack("{s:s, s:f, s:o}", "row", r->top[i].row, "score", (double)r->top[i].score, "why", why));
    }
    return list;
}

static dp_status print_result(Night *n)
{
    if (!app_given(n->app, APP_JSON))
        return app_print(n->app, "%s\n", n->made);
    if (comm_rank(n->comm) != 0)
        return DP_OK;
    return app_print_json(n->app,
                          json_pack("{s:s, s:s, s:I, s:b, s:o}", "scores", n->made, "model", n->address, "rows",
                                    (json_int_t)n->result.rows, "known", n->result.known, "top", top_json(&n->result)));
}

static void say_begin(Night *n)
{
    char rows[32], more[96];
    LakeFacts facts = lake_facts(n->table);
    int restarts = n->run ? run_facts(n->run).restarts : 0;
    snprintf(more, sizeof more, restarts > 0 ? "%s   restart %d" : "%s", n->wanted.label, restarts);
    app_say_start(n->app, n->head.name, n->run, n->threads, device_describe(n->device), more);
    dp_say(n->log, DP_INFO, "models", "%s", n->address);
    dp_count_print(rows, facts.rows);
    dp_say(n->log, DP_INFO, "data", "%s@%lld   %s rows stored%s%s", facts.name, (long long)facts.snapshot, rows,
           *n->wanted.where ? "   where " : "", n->wanted.where);
}

static dp_status score_rows(Night *n)
{
    double start = dp_clock_seconds();
    dp_digest inputs;
    ScoreJob job = {.model = n->model,
                    .address = n->address,
                    .table = n->table,
                    .lake = n->place.lake,
                    .options = &n->options,
                    .wanted = &n->wanted,
                    .compress = (LakeCompress)n->job.compress,
                    .threads = n->threads};
    DP_TRY(digest_of(&inputs, n));
    DP_TRY(app_open_run(n->app, &n->run, &n->place, n->config, n->head.name, &inputs));
    say_begin(n);
    DP_TRY(score_table(&n->result, &job, n->comm));
    if (n->result.left)
        return say_left(n);
    snprintf(n->made, sizeof n->made, "%s@%lld", n->options.write_table, (long long)n->result.snapshot);
    say_end(n, dp_clock_seconds() - start);
    return comm_agree(n->comm, print_result(n));
}

dp_status app_score(App *app)
{
    Night n = {.app = app, .comm = app->comm, .log = comm_log(app->comm)};
    dp_status st = DP_OK;
    DP_GO(read_config(&n));
    DP_GO(lake_open(&n.table, n.place.lake, n.options.table, n.comm));
    DP_GO(open_model(&n));
    if (app_given(app, APP_DRY_RUN))
        say_begin(&n);
    else
        DP_GO(score_rows(&n));
done:
    st = app_close_run(app, &n.run, st, *n.made ? n.made : NULL);
    score_result_free(&n.result);
    model_free(&n.model);
    device_close(&n.device);
    lake_close(&n.table);
    config_free(&n.config);
    return st;
}
