/* What work commands begin with: the config read once and parsed by every rank, the site, the first line. */
#include "app/app.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/memory.h"
#include "base/publish.h"
#include "base/text.h"

enum { CONFIG_BYTES_MAX = 1 << 20 };

static void print_faults(App *app, const Config *config)
{
    size_t n;
    const CfgFault *fault = config_faults(config, &n);
    if (n == 0 || comm_rank(app->comm) != 0)
        return;
    screen_clear(&app->screen);
    for (size_t i = 0; i < n; i++) {
        fprintf(stderr, "%s:", fault[i].mark.file);
        if (fault[i].mark.line > 0)
            fprintf(stderr, "%d:%d:", fault[i].mark.line, fault[i].mark.column);
        fprintf(stderr, " error: %s [%s]\n", fault[i].text, fault[i].id);
    }
    fprintf(stderr, "%zu error%s; nothing was run. More: dipper help %s\n", n, n == 1 ? "" : "s", fault[0].id);
}

dp_status app_faults(App *app, const Config *config)
{
    dp_status st = config_must_be_good(config);
    if (st != DP_OK) {
        print_faults(app, config);
        app->said = true;
    }
    return st;
}

dp_status app_config(App *app, const char *path, const char *kind, Config **config)
{
    char *text = NULL;
    size_t size = 0;
    dp_status st = DP_OK;
    if (comm_rank(app->comm) == 0)
        st = dp_read_file(&text, &size, path, CONFIG_BYTES_MAX);
    DP_GO_ALL(app->comm, st);
    DP_GO(comm_share_any(app->comm, &text, &size, 0));
    st = config_parse(config, path, text, size, app->args.overrides, app->args.n_overrides, app->kinds.kind, APP_KINDS);
    DP_GO_ALL(app->comm, st);
    if (!config_kind(*config))
        DP_GO(app_faults(app, *config));
    if (kind && strcmp(config_kind(*config), kind) != 0)
        DP_GO(dp_fail(DP_ERR_CONFIG, "app-06", "%s describes a %s, and dipper %s wants a %s", path,
                      config_kind(*config), app->command->name, kind));
    DP_GO(app_check_values(app, *config));
done:
    dp_free(&text);
    return st;
}

dp_status app_bind(const App *app, const Config *config, const char *path, void *options)
{
    for (int k = 0; k < APP_KINDS; k++) {
        const CfgKind *kind = &app->kinds.kind[k];
        if (strcmp(kind->name, config_kind(config)) != 0)
            continue;
        for (size_t i = 0; i < kind->n; i++)
            if (strcmp(kind->sections[i].path, path) == 0)
                return config_bind(config, &kind->sections[i], options);
    }
    return dp_fail(DP_ERR_INTERNAL, "app-07", "no section '%s' in a config of kind %s", path, config_kind(config));
}

void app_print_overrides(const App *app, char *out, size_t room)
{
    size_t at = 0;
    *out = '\0';
    for (size_t i = 0; i < app->args.n_overrides && at < room; i++)
        at += (size_t)snprintf(out + at, room - at, "%s%s", i ? " " : "   ", app->args.overrides[i]);
    if (at > 0 && at < room)
        snprintf(out + at, room - at, " (command line)");
}

void app_say_start(App *app, const char *name, const Run *run, int threads, const char *device, const char *more)
{
    int ranks = comm_size(app->comm);
    char overrides[512], id[160] = "dry run";
    app_print_overrides(app, overrides, sizeof overrides);
    if (run)
        snprintf(id, sizeof id, "run %s", run_facts(run).id);
    dp_say(comm_log(app->comm), DP_INFO, name, "%s%s%s   %d rank%s x %d thread%s%s%s%s", id, *more ? "   " : "", more,
           ranks, ranks == 1 ? "" : "s", threads, threads == 1 ? "" : "s", *device ? ", " : "", device, overrides);
}

dp_status app_place(App *app, Place *place)
{
    SiteOptions site = {0};
    dp_status st = DP_OK;
    *place = (Place){0};
    if (comm_rank(app->comm) == 0) {
        st = site_load(&site);
        if (st == DP_OK) {
            snprintf(place->lake, sizeof place->lake, "%s", site.lake);
            snprintf(place->runs, sizeof place->runs, "%s", site.runs);
            snprintf(place->models, sizeof place->models, "%s", site.models);
            snprintf(place->inbox, sizeof place->inbox, "%s", site.inbox);
            snprintf(place->scratch, sizeof place->scratch, "%s", site.scratch);
            snprintf(place->time_zone, sizeof place->time_zone, "%s", site.time_zone);
        }
        site_free(&site);
    }
    DP_TRY_ALL(app->comm, st);
    comm_share(app->comm, place, sizeof *place, 0);
    return DP_OK;
}

dp_status app_open_out(dp_publish **file, const char *path)
{
    char folder[1024];
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
    return dp_publish_open(file, folder, slash ? slash + 1 : path);
}

static dp_status digest_inputs(dp_digest *inputs, const Config *config, const dp_digest *table)
{
    static const char version[] = "dipper " DIPPER_VERSION;
    dp_digest of_config;
    dp_hash *hash = NULL;
    dp_status st = DP_OK;
    DP_GO(config_digest(config, &of_config));
    DP_GO(dp_hash_start(&hash));
    DP_GO(dp_hash_add(hash, version, sizeof version));
    DP_GO(dp_hash_add(hash, of_config.bytes, sizeof of_config.bytes));
    DP_GO(dp_hash_add(hash, table->bytes, sizeof table->bytes));
    DP_GO(dp_hash_end(&hash, inputs));
done:
    dp_hash_free(&hash);
    return st;
}

dp_status app_open_run(App *app, Run **run, const Place *place, const Config *config, const char *name,
                       const dp_digest *table)
{
    dp_digest inputs;
    dp_buf resolved = {0};
    dp_status st = config_print(config, &resolved);
    if (st == DP_OK)
        st = digest_inputs(&inputs, config, table);
    DP_GO_ALL(app->comm, st);
    DP_GO(run_open(run, place->runs, app->command->name, name, &inputs, resolved.data, app->comm));
    if (comm_rank(app->comm) == 0)
        app->screen.run = *run;
done:
    dp_buf_free(&resolved);
    return st;
}

dp_status app_close_run(App *app, Run **run, dp_status st, const char *made)
{
    dp_error error = *dp_error_last();
    if (!*run)
        return st;
    if (st != DP_OK) {
        screen_error(&app->screen, &error);
        app->said = true;
    }
    app->screen.run = NULL;
    RunState state = st != DP_OK ? RUN_FAILED : app->exit != 0 ? RUN_STOPPED : RUN_DONE;
    dp_status closed = run_close(run, state, made, app->comm);
    return st == DP_OK ? closed : dp_fail_as(&error);
}

dp_status app_stdout_failed(App *app)
{
    app->reader_left = errno == EPIPE;
    return dp_fail(DP_ERR_IO, "app-08", "cannot write the result to stdout: %s", strerror(errno));
}

dp_status app_print_bytes(App *app, const char *data, size_t size)
{
    if (app->comm && comm_rank(app->comm) != 0)
        return DP_OK;
    screen_clear(&app->screen);
    if (fwrite(data, 1, size, stdout) != size)
        return app_stdout_failed(app);
    return DP_OK;
}

dp_status app_print(App *app, const char *format, ...)
{
    dp_buf text = {0};
    char small[2048];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(small, sizeof small, format, args);
    va_end(args);
    if (n < (int)sizeof small)
        return app_print_bytes(app, small, (size_t)n);
    DP_TRY(dp_buf_reserve(&text, (size_t)n + 1));
    va_start(args, format);
    vsnprintf(text.data, (size_t)n + 1, format, args);
    va_end(args);
    dp_status st = app_print_bytes(app, text.data, (size_t)n);
    dp_buf_free(&text);
    return st;
}

/* Less than this cannot be kept to: what the process is, a block of rows of every column, and some room for work. */
static dp_status check_memory(const ModelConfig *c)
{
    enum { BLOCK_ROWS = 65536, WORK = 8 << 20 };
    char given[32], process[32], block[32], least[32];
    int64_t held = dp_memory_now(), columns = (int64_t)c->data.columns.n * BLOCK_ROWS * (int64_t)sizeof(double);
    if (c->job.memory >= held + columns + WORK)
        return DP_OK;
    dp_bytes_print(given, c->job.memory);
    dp_bytes_print(process, held);
    dp_bytes_print(block, columns);
    dp_bytes_print(least, held + columns + 2 * WORK);
    return dp_fail(DP_ERR_CONFIG, "app-21",
                   "job.memory %s is too little: the process takes %s before it reads a row, and a block of rows of "
                   "data.columns %s; %s would do",
                   given, process, block, least);
}

/* Whose days a split by time means: said by the config, or settled by the site. */
static dp_status settle_zone(ModelConfig *c, const Place *place)
{
    CfgPartKind kind = c->split.train.kind;
    if (c->split.time_zone || (kind != CFG_PART_MONTHS && kind != CFG_PART_DAYS && kind != CFG_PART_DATES))
        return DP_OK;
    c->split.time_zone = place->time_zone;
    return config_settle(c->config, "split.time_zone", &c->split.time_zone, 1);
}

dp_status app_model_config(App *app, const Place *place, ModelConfig *c)
{
    const char *path;
    DP_TRY(app_word(app, &path, 0, "a config of kind model"));
    DP_TRY(app_config(app, path, "model", &c->config));
    DP_TRY(app_bind(app, c->config, "", &c->head));
    DP_TRY(app_bind(app, c->config, "job", &c->job));
    DP_TRY(app_bind(app, c->config, "data", &c->data));
    DP_TRY(app_bind(app, c->config, "split", &c->split));
    DP_TRY(app_bind(app, c->config, "model.categories", &c->encode));
    DP_TRY(app_bind(app, c->config, "train", &c->train));
    DP_TRY(app_bind(app, c->config, "evaluate", &c->evaluate));
    DP_TRY_ALL(app->comm, settle_zone(c, place));
    DP_TRY_ALL(app->comm, check_memory(c));
    c->data.memory = c->job.memory;
    c->data.scratch = place->scratch;
    c->train.revenue = c->evaluate.revenue;
    c->train.grouped = c->data.group.n > 0;
    c->threads = run_threads((int)c->job.threads, app->comm);
    return DP_OK;
}

void app_model_config_free(ModelConfig *c)
{
    config_free(&c->config);
}

dp_status app_open_model_text(App *app, Model **model, char **provenance, char *address, const Place *place,
                              const char *wanted, Device *device)
{
    struct {
        char path[1024], address[REGISTRY_ADDRESS_MAX];
    } found = {0};
    dp_status st = DP_OK;
    if (comm_rank(app->comm) == 0)
        st = registry_path(found.path, sizeof found.path, found.address, place->models, wanted);
    DP_TRY_ALL(app->comm, st);
    comm_share(app->comm, &found, sizeof found, 0);
    memcpy(address, found.address, sizeof found.address);
    return comm_agree(app->comm, model_load(model, provenance, found.path, device));
}

dp_status app_open_model(App *app, Model **model, char *address, const Place *place, const char *wanted, Device *device)
{
    return app_open_model_text(app, model, NULL, address, place, wanted, device);
}
