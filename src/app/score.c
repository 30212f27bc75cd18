/* dipper score: rows of a table through one or several models, block by block, into the scores table. */
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
    Model *model[SCORE_MODELS_MAX];
    char address[SCORE_MODELS_MAX][REGISTRY_ADDRESS_MAX];
    ScoreJob score;
    Run *run;
    ScoreResult result;
    char made[96]; /* the newest snapshot of the scores */
    double began;
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
    if (!n->options.time_zone)
        n->options.time_zone = n->place.time_zone;
    n->threads = run_threads((int)n->job.threads, n->comm);
    return DP_OK;
}

/* The same on every rank. */
static dp_status open_models(Night *n)
{
    DP_TRY_ALL(n->comm, device_open(&n->device, app_device_name(&n->job), comm_local_rank(n->comm), n->threads));
    n->score.n = (int)n->options.use.n;
    for (int m = 0; m < n->score.n; m++) {
        DP_TRY(app_open_model(n->app, &n->model[m], n->address[m], &n->place, n->options.use.items[m], n->device));
        n->score.models[m] = (ScoreModel){n->model[m], n->address[m]};
        for (int other = 0; other < m; other++)
            if (strcmp(n->address[other], n->address[m]) == 0)
                return dp_fail(DP_ERR_CONFIG, "app-17", "models.use means %s twice: as '%s' and as '%s'; leave one out",
                               n->address[m], n->options.use.items[other], n->options.use.items[m]);
    }
    return DP_OK;
}

static dp_status choose_rows(Night *n)
{
    int64_t today = dp_clock_now(); /* "yesterday" is the same day on every rank */
    comm_share(n->comm, &today, sizeof today, 0);
    DP_TRY(score_wanted(&n->wanted, &n->options, n->table, today));
    return score_settle(n->config, &n->options, &n->wanted, n->score.models, n->score.n);
}

/* Everything that decides the scores beyond the config: table, models, period. */
static dp_status digest_of(dp_digest *digest, const Night *n)
{
    ModelFacts facts;
    dp_digest content = lake_facts(n->table).content;
    dp_hash *hash = NULL;
    dp_status st = DP_OK;
    DP_GO(dp_hash_start(&hash));
    DP_GO(dp_hash_add(hash, content.bytes, sizeof content.bytes));
    for (int m = 0; m < n->score.n; m++) {
        DP_GO(model_facts(&facts, n->model[m]));
        DP_GO(dp_hash_add(hash, facts.payload.bytes, sizeof facts.payload.bytes));
    }
    DP_GO(dp_hash_add(hash, n->wanted.where, strlen(n->wanted.where) + 1));
    DP_GO(dp_hash_end(&hash, digest));
done:
    dp_hash_free(&hash);
    return st;
}

/* "price 1,204 (+0.31)   origin BR (+0.12)" */
static void print_why(char *out, size_t room, const ScoreTop *top)
{
    size_t at = 0;
    *out = '\0';
    for (int k = 0; k < WHY_SHOWN && *top->reason[k].column && at < room; k++)
        at += (size_t)snprintf(out + at, room - at, "%s%s %s (%+.2f)", k ? "   " : "", top->reason[k].column,
                               top->reason[k].value, (double)top->reason[k].amount);
}

/* The riskiest rows of one model; which one is said where there are several. */
static void say_top(const Night *n, int m)
{
    const ScoreGiven *given = &n->result.given[m];
    const char *id = lake_schema(n->table)->id ? lake_schema(n->table)->id : "row";
    int width = (int)strlen(id);
    if (given->n_top == 0)
        return;
    for (int i = 0; i < given->n_top; i++)
        width = (int)strlen(given->top[i].row) > width ? (int)strlen(given->top[i].row) : width;
    dp_say(n->log, DP_INFO, "  rank", "%-*s  score  why%s%s", width, id, n->score.n > 1 ? "   " : "",
           n->score.n > 1 ? n->address[m] : "");
    for (int i = 0; i < given->n_top; i++) {
        char label[16], why[512];
        print_why(why, sizeof why, &given->top[i]);
        snprintf(label, sizeof label, "%6d", i + 1);
        const char *of = given->top[i].class_name;
        dp_say(n->log, DP_INFO, label, "%-*s  %.3f  %s%s%s", width, given->top[i].row, (double)given->top[i].score, of,
               *of ? "   " : "", why);
    }
}

/* Blocks by each model, and those of them that an earlier start did. */
static int64_t blocks_of(const Night *n, int64_t *before)
{
    *before = 0;
    for (int m = 0; m < n->result.n; m++)
        *before += n->result.given[m].blocks_before;
    return n->result.blocks * n->result.n;
}

static dp_status say_left(Night *n)
{
    int64_t before, blocks = blocks_of(n, &before);
    n->app->exit = n->result.interrupted ? APP_INTERRUPTED : APP_LEFT;
    dp_say(n->log, DP_WARN, "left", "%lld blocks are written; the same command goes on with the others",
           (long long)blocks);
    return DP_OK;
}

static void say_empty(const Night *n)
{
    char first[32], last[32];
    LakeFacts facts = lake_facts(n->table);
    if (n->result.rows > 0 || !*n->wanted.where)
        return;
    app_print_day(first, facts.first);
    app_print_day(last, facts.last);
    dp_say(n->log, DP_WARN, "empty", "no row of %s (%s .. %s) fits; data.day=latest takes its last day", facts.name,
           first, last);
}

static void say_end(Night *n, double seconds)
{
    char rows[32], took[32], rate[32], peak[32], by[32] = "";
    int64_t bytes = dp_memory_peak(), before, blocks = blocks_of(n, &before);
    bool known = true;
    comm_max_i64(n->comm, &bytes, 1);
    dp_bytes_print(peak, bytes);
    dp_count_print(rows, n->result.rows);
    dp_count_print(rate, (int64_t)((double)n->result.rows / (seconds + 1e-9)));
    dp_duration_print(took, dp_clock_seconds() - n->app->started);
    if (n->score.n > 1)
        snprintf(by, sizeof by, " by %d models", n->score.n);
    dp_say(n->log, DP_INFO, "scored", "%s rows%s in %lld block%s, %lld of them done before", rows, by,
           (long long)blocks, blocks == 1 ? "" : "s", (long long)before);
    say_empty(n);
    for (int m = 0; m < n->score.n; m++) {
        known = known && n->result.given[m].known;
        say_top(n, m);
    }
    dp_say(n->log, DP_INFO, "time", "%s   %s rows/s   peak %s a rank", took, rate, peak);
    dp_say(n->log, DP_INFO, "made", "%s%s", n->made, known ? "   (these scores were there: nothing was added)" : "");
    dp_say(n->log, DP_INFO, "next", "dipper lake export %s --limit 10", n->options.write_table);
}

static json_t *top_json(const ScoreGiven *given)
{
    json_t *list = json_array();
    for (int i = 0; i < given->n_top; i++) {
        const ScoreTop *top = &given->top[i];
        json_t *why = json_array();
        for (int k = 0; k < 5 && *top->reason[k].column; k++)
            json_array_append_new(why, json_pack("{s:s, s:s, s:f}", "column", top->reason[k].column, "value",
                                                 top->reason[k].value, "amount", (double)top->reason[k].amount));
        json_t *row = json_pack("{s:s, s:f, s:o}", "row", top->row, "score", (double)top->score, "why", why);
        if (*top->class_name)
            json_object_set_new(row, "class", json_string(top->class_name));
        json_array_append_new(list, row);
    }
    return list;
}

static dp_status print_result(Night *n)
{
    if (!app_given(n->app, APP_JSON))
        return app_print(n->app, "%s\n", n->made);
    if (comm_rank(n->comm) != 0)
        return DP_OK;
    json_t *models = json_array();
    for (int m = 0; m < n->score.n; m++) {
        const ScoreGiven *given = &n->result.given[m];
        char scores[96];
        snprintf(scores, sizeof scores, "%s@%lld", n->options.write_table, (long long)given->snapshot);
        json_array_append_new(models, json_pack("{s:s, s:s, s:b, s:o}", "model", n->address[m], "scores", scores,
                                                "known", given->known, "top", top_json(given)));
    }
    return app_print_json(n->app,
                          json_pack("{s:s, s:s, s:I, s:I, s:f, s:f, s:o}", "scores", n->made, "of", n->wanted.label,
                                    "rows", (json_int_t)n->result.rows, "binned", (json_int_t)n->result.binned,
                                    "seconds", dp_clock_seconds() - n->began, "sync_seconds",
                                    n->result.sync_seconds + run_facts(n->run).sync_seconds, "models", models));
}

static void say_begin(Night *n)
{
    char rows[32], more[96], models[SCORE_MODELS_MAX * (REGISTRY_ADDRESS_MAX + 2)] = "";
    LakeFacts facts = lake_facts(n->table);
    int restarts = n->run ? run_facts(n->run).restarts : 0;
    size_t at = 0;
    snprintf(more, sizeof more, restarts > 0 ? "%s   restart %d" : "%s", n->wanted.label, restarts);
    app_say_start(n->app, n->head.name, n->run, n->threads, device_describe(n->device), more);
    for (int m = 0; m < n->score.n; m++)
        at += (size_t)snprintf(models + at, sizeof models - at, "%s%s", m ? "  " : "", n->address[m]);
    dp_say(n->log, DP_INFO, "models", "%s", models);
    dp_count_print(rows, facts.rows);
    dp_say(n->log, DP_INFO, "data", "%s@%lld   %s rows stored%s%s", facts.name, (long long)facts.snapshot, rows,
           *n->wanted.where ? "   where " : "", n->wanted.where);
}

static dp_status score_rows(Night *n)
{
    double start = dp_clock_seconds();
    dp_digest inputs;
    n->score.table = n->table;
    n->score.lake = n->place.lake;
    n->score.options = &n->options;
    n->score.wanted = &n->wanted;
    n->score.compress = (LakeCompress)n->job.compress;
    n->score.threads = n->threads;
    DP_TRY(digest_of(&inputs, n));
    DP_TRY(app_open_run(n->app, &n->run, &n->place, n->config, n->head.name, &inputs));
    say_begin(n);
    DP_TRY(score_table(&n->result, &n->score, n->comm));
    if (n->result.left)
        return say_left(n);
    snprintf(n->made, sizeof n->made, "%s@%lld", n->options.write_table,
             (long long)n->result.given[n->result.n - 1].snapshot);
    say_end(n, dp_clock_seconds() - start);
    return comm_agree(n->comm, print_result(n));
}

dp_status app_score(App *app)
{
    Night n = {.app = app, .comm = app->comm, .log = comm_log(app->comm), .began = dp_clock_seconds()};
    dp_status st = DP_OK;
    DP_GO(read_config(&n));
    DP_GO(lake_open(&n.table, n.place.lake, n.options.table, n.comm));
    DP_GO(open_models(&n));
    DP_GO(choose_rows(&n));
    if (app_given(app, APP_DRY_RUN))
        say_begin(&n);
    else
        DP_GO(score_rows(&n));
done:
    st = app_close_run(app, &n.run, st, *n.made ? n.made : NULL);
    score_result_free(&n.result);
    for (int m = 0; m < SCORE_MODELS_MAX; m++)
        model_free(&n.model[m]);
    device_close(&n.device);
    lake_close(&n.table);
    config_free(&n.config);
    return st;
}
