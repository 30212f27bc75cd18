/* dipper model: ls, show, export, verify. */
#include "app/app.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/publish.h"
#include "base/text.h"
#include "model/model.h"

static dp_status list(App *app, const Place *place)
{
    RegistryRow *rows = NULL;
    size_t n = 0;
    const char *name = app->args.n_words > 1 ? app->args.words[1] : NULL;
    json_t *all = json_array();
    dp_status st = DP_OK;
    DP_GO(registry_list(&rows, &n, place->models, name));
    for (size_t i = 0; i < n && (app->args.limit < 0 || (int64_t)i < app->args.limit); i++) {
        char address[REGISTRY_ADDRESS_MAX], made[32], bytes[32];
        snprintf(address, sizeof address, "%s:%d", rows[i].name, rows[i].version);
        dp_time_print(made, rows[i].made / DP_SECOND * DP_SECOND);
        dp_bytes_print(bytes, rows[i].bytes);
        json_array_append_new(all, json_pack("{s:s, s:s, s:I, s:s}", "model", address, "made", made, "bytes",
                                             (json_int_t)rows[i].bytes, "by", rows[i].by));
        if (!app_given(app, APP_JSON))
            DP_GO(app_print(app, "%-24s %-20s %9s  %s\n", address, made, bytes, rows[i].by));
    }
    if (app_given(app, APP_JSON))
        DP_GO(app_print_json(app, json_incref(all)));
    else if (n == 0)
        dp_say(comm_log(app->comm), DP_INFO, "none", "no %s in %s yet; `dipper train` makes one", name ? name : "model",
               place->models);
done:
    json_decref(all);
    dp_free(&rows);
    return st;
}

/* A text of the provenance by path: "data.table"; "" where there is none. */
static const char *text_at(const json_t *object, const char *path)
{
    char key[64];
    while (object && *path) {
        size_t n = strcspn(path, ".");
        snprintf(key, sizeof key, "%.*s", (int)n, path);
        object = json_object_get(object, key);
        path += n + (path[n] == '.');
    }
    return json_is_string(object) ? json_string_value(object) : "";
}

static double number_at(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

/* "AUC 0.837, 0.833 .. 0.841   precision@5% 0.398   weakest office=41: AUC 0.791" */
static dp_status add_figures(dp_buf *out, const json_t *test)
{
    const json_t *figure, *worst = NULL;
    Metric first;
    size_t i;
    bool lowest = metric_parse(&first, text_at(json_array_get(test, 0), "metric")) != DP_OK || first.higher_is_better;
    json_array_foreach(test, i, figure)
    {
        const char *name = text_at(figure, "metric");
        if (json_object_get(figure, "slice")) {
            double gap = number_at(figure, "value") - (worst ? number_at(worst, "value") : 0);
            if (strcmp(name, first.name) == 0 && (!worst || (lowest ? gap < 0 : gap > 0)))
                worst = figure;
            continue;
        }
        DP_TRY(dp_buf_print(out, "%s%s %.3f", out->size ? "   " : "", strcmp(name, "auc") == 0 ? "AUC" : name,
                            number_at(figure, "value")));
        if (i == 0)
            DP_TRY(dp_buf_print(out, ", %.3f .. %.3f", number_at(figure, "low"), number_at(figure, "high")));
    }
    if (worst)
        DP_TRY(dp_buf_print(out, "   weakest %s", text_at(worst, "slice")));
    return DP_OK;
}

static dp_status print_leaks(App *app, const json_t *leaks)
{
    DP_TRY(app_print(app, "leaks     %s: %.1f %% of test tuples stand in train, their lookup has AUC %.3f\n",
                     json_is_true(json_object_get(leaks, "suspicious")) ? "SUSPICIOUS" : "none",
                     100 * number_at(leaks, "share_seen"), number_at(leaks, "lookup_auc")));
    if (!*text_at(leaks, "column"))
        return DP_OK;
    return app_print(app, "          %sthe best column alone, %s, has AUC %.3f\n",
                     json_is_true(json_object_get(leaks, "gives_away")) ? "SUSPICIOUS: " : "", text_at(leaks, "column"),
                     number_at(leaks, "column_auc"));
}

static dp_status print_screen(App *app, const char *address, const Model *model, const json_t *p, int64_t size)
{
    ModelFacts facts;
    char bytes[32], payload[DP_DIGEST_HEX];
    dp_buf figures = {0};
    const json_t *leaks = json_object_get(p, "leaks");
    dp_status st = DP_OK;
    DP_GO(model_facts(&facts, model));
    dp_bytes_print(bytes, size);
    dp_digest_print(payload, &facts.payload);
    DP_GO(add_figures(&figures, json_object_get(p, "test")));
    DP_GO(app_print(app, "%s   %s, %s, %s\n", address, facts.family, facts.shape, bytes));
    DP_GO(app_print(app, "about     %s   owner %s\n", text_at(p, "about"), text_at(p, "owner")));
    DP_GO(app_print(app, "made      run %s by %s   %s, %s .. %s\n", text_at(p, "run"), text_at(p, "by"),
                    text_at(p, "data.table"), text_at(p, "data.parts.train.from"), text_at(p, "data.parts.train.to")));
    if (json_object_get(p, "from"))
        DP_GO(app_print(app, "from      %s, its first %lld steps   learned up to %s   payload %s\n",
                        text_at(p, "from.model"), (long long)number_at(json_object_get(p, "from"), "steps"),
                        text_at(p, "from.to"), text_at(p, "from.digest")));
    DP_GO(app_print(app, "test      %s\n", figures.size ? figures.data : "no figures"));
    if (leaks)
        DP_GO(print_leaks(app, leaks));
    if (*text_at(p, "against"))
        DP_GO(app_print(app, "against   %s\n", text_at(p, "against")));
    const DataInputs *inputs = model_inputs(model);
    DP_GO(app_print(app, "inputs    %d:", inputs->columns));
    for (int j = 0; j < inputs->columns; j++)
        DP_GO(app_print(app, " %s", inputs->input[j].name));
    if (inputs->n > inputs->columns)
        DP_GO(app_print(app, "\ncombined  %d:", inputs->n - inputs->columns));
    for (int j = inputs->columns; j < inputs->n; j++)
        DP_GO(app_print(app, "%s %s", j > inputs->columns ? "," : "", inputs->input[j].name));
    DP_GO(app_print(app, "\npayload   %s\n", payload));
done:
    dp_buf_free(&figures);
    return st;
}

static json_t *model_json(const char *address, const Model *model, json_t *provenance)
{
    ModelFacts facts;
    char payload[DP_DIGEST_HEX];
    if (model_facts(&facts, model) != DP_OK)
        return NULL;
    dp_digest_print(payload, &facts.payload);
    json_t *inputs = json_array();
    for (int j = 0; j < model_inputs(model)->columns; j++)
        json_array_append_new(inputs, json_pack("{s:s, s:s}", "name", model_inputs(model)->input[j].name, "type",
                                                lake_type_name(model_inputs(model)->input[j].type)));
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:O}", "model", address, "family", facts.family, "shape", facts.shape,
                     "payload", payload, "inputs", inputs, "provenance", provenance);
}

static dp_status show(App *app, const char *path, const char *address, Device *device)
{
    Model *model = NULL;
    char *text = NULL;
    json_t *provenance = NULL;
    json_error_t error;
    struct stat facts;
    dp_status st = DP_OK;
    DP_GO(model_load(&model, &text, path, device));
    provenance = json_loads(text, 0, &error);
    if (!provenance)
        DP_GO(dp_fail(DP_ERR_DATA, "app-15", "the provenance of %s is not JSON: line %d: %s", address, error.line,
                      error.text));
    if (app_given(app, APP_IMPORTANCE))
        DP_GO(app_gains(app, address, provenance));
    else if (app_given(app, APP_JSON))
        DP_GO(app_print_json(app, model_json(address, model, provenance)));
    else
        DP_GO(print_screen(app, address, model, provenance, stat(path, &facts) == 0 ? facts.st_size : 0));
done:
    json_decref(provenance);
    dp_free(&text);
    model_free(&model);
    return st;
}

/* The ONNX file, and the act of giving it away in the audit log. */
static dp_status export_onnx(App *app, const Place *place, const char *path, const char *address, Device *device)
{
    Model *model = NULL;
    dp_buf image = {0};
    dp_digest digest;
    const char *out = app->args.out;
    char name[REGISTRY_ADDRESS_MAX];
    dp_publish *file = NULL;
    dp_status st = DP_OK;
    if (app->args.format && strcmp(app->args.format, "onnx") != 0)
        DP_GO(dp_fail(DP_ERR_USAGE, "app-10", "--format %s is not known here: onnx", app->args.format));
    if (!out)
        DP_GO(dp_fail(DP_ERR_USAGE, "app-03", "a model is written to a file: --out %s.onnx", app->args.words[1]));
    snprintf(name, sizeof name, "%.*s", (int)strcspn(address, ":"), address);
    DP_GO(model_load(&model, NULL, path, device));
    DP_GO(model_export_onnx(model, name, address + strlen(name) + 1, &image));
    DP_GO(dp_digest_of(&digest, image.data, image.size));
    DP_GO(app_open_out(&file, out));
    DP_GO(dp_publish_write(file, image.data, image.size));
    DP_GO(registry_audit(place->models, name, "export", address, &digest, NULL));
    DP_GO(dp_publish_end(&file, DP_PUBLISH_REPLACE, NULL));
    DP_GO(app_print(app, "%s\n", out));
done:
    dp_publish_drop(&file);
    dp_buf_free(&image);
    model_free(&model);
    return st;
}

/* Versions of the name of row i; 0 where an earlier row has that name. */
static int count_versions(const RegistryRow *rows, size_t n, size_t i)
{
    int versions = 0;
    for (size_t k = 0; k < n; k++) {
        bool same = strcmp(rows[k].name, rows[i].name) == 0;
        if (same && k < i)
            return 0;
        versions += same;
    }
    return versions;
}

static dp_status verify(App *app, const Place *place)
{
    RegistryRow *rows = NULL;
    size_t n = 0;
    dp_status st = DP_OK;
    DP_GO(registry_list(&rows, &n, place->models, app->args.n_words > 1 ? app->args.words[1] : NULL));
    for (size_t i = 0; i < n; i++) {
        int64_t acts = 0;
        int versions = count_versions(rows, n, i);
        if (versions == 0)
            continue;
        DP_GO(registry_verify(place->models, rows[i].name, &acts));
        DP_GO(app_print(app, "%s: good, %d version%s, %lld act%s\n", rows[i].name, versions, versions == 1 ? "" : "s",
                        (long long)acts, acts == 1 ? "" : "s"));
    }
done:
    dp_free(&rows);
    return st;
}

dp_status app_model(App *app)
{
    const char *verb, *wanted;
    Place place;
    char path[1024], address[REGISTRY_ADDRESS_MAX];
    Device *device = NULL;
    dp_status st = DP_OK;
    DP_GO(app_verb(app, &verb));
    DP_GO(app_place(app, &place));
    if (strcmp(verb, "ls") == 0)
        return list(app, &place);
    if (strcmp(verb, "verify") == 0)
        return verify(app, &place);
    DP_GO(app_word(app, &wanted, 1, "a model, like risk or risk:15"));
    DP_GO(registry_path(path, sizeof path, address, place.models, wanted));
    DP_GO(device_open(&device, "cpu", 0, 1));
    if (strcmp(verb, "export") == 0)
        DP_GO(export_onnx(app, &place, path, address, device));
    else
        DP_GO(show(app, path, address, device));
done:
    device_close(&device);
    return st;
}
