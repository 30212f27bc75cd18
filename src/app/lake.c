/* dipper lake: ls, show, verify, export, bins. */
#include "app/app.h"

#include <string.h>

#include "app/table.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "lake/lake.h"

static json_t *facts_json(const LakeFacts *facts)
{
    char content[DP_DIGEST_HEX], first[32], last[32];
    dp_digest_print(content, &facts->content);
    app_print_day(first, facts->first);
    app_print_day(last, facts->last);
    return json_pack("{s:s, s:I, s:I, s:I, s:i, s:i, s:I, s:s, s:s, s:s}", "table", facts->name, "snapshot",
                     (json_int_t)facts->snapshot, "rows", (json_int_t)facts->rows, "bytes", (json_int_t)facts->bytes,
                     "partitions", facts->partitions, "deliveries", facts->deliveries, "quarantined",
                     (json_int_t)facts->quarantined, "first", first, "last", last, "content", content);
}

static dp_status list(App *app, const Place *place)
{
    dp_buf names = {0};
    json_t *all = json_array();
    LakeTable *table = NULL;
    dp_status st = DP_OK;
    DP_GO(lake_list(place->lake, &names));
    for (const char *name = names.data; name && name < names.data + names.size; name += strlen(name) + 1) {
        char rows[32], bytes[32], first[32], last[32];
        DP_GO(lake_open(&table, place->lake, name, app->comm));
        LakeFacts facts = lake_facts(table);
        dp_count_print(rows, facts.rows);
        dp_bytes_print(bytes, facts.bytes);
        app_print_day(first, facts.first);
        app_print_day(last, facts.last);
        json_array_append_new(all, facts_json(&facts));
        if (!app_given(app, APP_JSON))
            DP_GO(app_print(app, "%-24s %9lld %14s %10s %6d  %s .. %s\n", name, (long long)facts.snapshot, rows, bytes,
                            facts.partitions, first, last));
        lake_close(&table);
    }
    if (app_given(app, APP_JSON))
        DP_GO(app_print_json(app, json_incref(all)));
    else if (names.size == 0)
        dp_say(comm_log(app->comm), DP_INFO, "none", "no table in %s yet; `dipper ingest` makes one", place->lake);
done:
    lake_close(&table);
    json_decref(all);
    dp_buf_free(&names);
    return st;
}

/* ---- show ---- */

static dp_status show_deliveries(App *app, const LakeTable *table)
{
    dp_buf about = {0};
    dp_status st = DP_OK;
    size_t n;
    int64_t limit = app->args.limit >= 0 ? app->args.limit : 5;
    const LakeDelivery *delivery = lake_deliveries(table, &n);
    for (size_t i = 0; i < n && (int64_t)i < limit; i++) {
        char rows[32], bad[32], when[32];
        dp_count_print(rows, delivery[i].rows);
        dp_count_print(bad, delivery[i].bad);
        dp_time_print(when, delivery[i].when / DP_SECOND * DP_SECOND);
        about.size = 0;
        DP_GO(app_json_words(&about, delivery[i].about));
        DP_GO(app_print(app, "%-9s @%lld   %s   %s rows   %s put aside   %s\n", i == 0 ? "delivered" : "",
                        (long long)delivery[i].snapshot, when, rows, bad, about.size ? about.data : ""));
    }
    if ((int64_t)n > limit)
        DP_GO(app_print(app, "%-9s and %lld earlier\n", "", (long long)n - (long long)limit));
done:
    dp_buf_free(&about);
    return st;
}

static dp_status show_head(App *app, const LakeTable *table)
{
    LakeFacts facts = lake_facts(table);
    const LakeSchema *schema = lake_schema(table);
    char rows[32], bytes[32], first[32], last[32], aside[32], content[DP_DIGEST_HEX];
    dp_count_print(rows, facts.rows);
    dp_bytes_print(bytes, facts.bytes);
    dp_count_print(aside, facts.quarantined);
    app_print_day(first, facts.first);
    app_print_day(last, facts.last);
    dp_digest_print(content, &facts.content);
    DP_TRY(app_print(app, "%s@%lld   %s rows stored, %d columns, %d partition%s, %s   %s .. %s\n", facts.name,
                     (long long)facts.snapshot, rows, schema->n, facts.partitions, facts.partitions == 1 ? "" : "s",
                     bytes, first, last));
    DP_TRY(app_print(app, "%-9s id %s   time %s   recorded %s\n", "rows", schema->id ? schema->id : "row number",
                     schema->time ? schema->time : "none", schema->recorded ? schema->recorded : "none"));
    DP_TRY(app_print(app, "%-9s %s\n", "content", content));
    DP_TRY(app_print(app, "%-9s %s rows put aside%s\n", "aside", aside, facts.quarantined > 0 ? ": --quarantine" : ""));
    return show_deliveries(app, table);
}

static dp_status show(App *app, LakeTable *table)
{
    LakeProfile *profile = NULL;
    LakeQuery query = {.threads = run_threads(0, app->comm)};
    LakeFacts facts = lake_facts(table);
    dp_status st = DP_OK;
    DP_GO(table_as_of(&query.as_of, app->args.at));
    DP_GO(lake_profile(&profile, table, &query, app->comm));
    if (app_given(app, APP_JSON)) {
        json_t *object = facts_json(&facts);
        json_object_set_new(object, "columns", table_profile_json(profile, table));
        DP_GO(app_print_json(app, object));
    } else {
        DP_GO(show_head(app, table));
        DP_GO(table_print_profile(app, profile, table));
    }
done:
    dp_free(&profile);
    return st;
}

/* ---- quarantine ---- */

typedef struct Aside {
    App *app;
    json_t *list; /* NULL: as lines */
    int64_t left;
    dp_status st;
} Aside;

static bool take_bad(void *self, const LakeBadRow *bad)
{
    Aside *aside = self;
    if (aside->left-- <= 0)
        return false;
    if (aside->list)
        json_array_append_new(aside->list,
                              json_pack("{s:s, s:I, s:s, s:s, s:s%}", "file", bad->file, "row", (json_int_t)bad->row,
                                        "column", bad->column ? bad->column : "", "reason", bad->reason, "raw",
                                        dp_utf8_is_good(bad->raw, (size_t)bad->raw_size) ? bad->raw : "",
                                        dp_utf8_is_good(bad->raw, (size_t)bad->raw_size) ? (size_t)bad->raw_size : 0));
    else
        aside->st = app_print(aside->app, "%s:%lld: %s%s%s: %.*s\n", bad->file, (long long)bad->row,
                              bad->column ? bad->column : "", bad->column && *bad->column ? ": " : "", bad->reason,
                              (int)bad->raw_size, bad->raw);
    return aside->st == DP_OK;
}

static dp_status show_quarantine(App *app, const LakeTable *table)
{
    Aside aside = {.app = app, .left = app->args.limit >= 0 ? app->args.limit : 20};
    if (app_given(app, APP_JSON))
        aside.list = json_array();
    dp_status st = lake_quarantine(table, take_bad, &aside);
    if (st == DP_OK)
        st = aside.st;
    if (!aside.list)
        return st;
    if (st == DP_OK)
        return app_print_json(app, aside.list);
    json_decref(aside.list);
    return st;
}

static dp_status verify(App *app, const LakeTable *table)
{
    int64_t faults = 0;
    LakeFacts facts = lake_facts(table);
    DP_TRY(lake_verify(table, &faults, app->comm));
    if (faults > 0)
        return dp_fail(DP_ERR_DATA, "app-14",
                       "%s@%lld: %lld faults, named above; bring the files back from a backup, or read an earlier "
                       "snapshot (%s@%lld)",
                       facts.name, (long long)facts.snapshot, (long long)faults, facts.name,
                       (long long)facts.snapshot - 1);
    return app_print(app, "%s@%lld: good, %d partitions\n", facts.name, (long long)facts.snapshot, facts.partitions);
}

/* ---- bins ---- */

static dp_status make_bins(App *app, const Place *place, LakeTable *table)
{
    const char *wanted;
    char address[REGISTRY_ADDRESS_MAX], bytes[32];
    int threads = run_threads(0, app->comm);
    LakeFacts facts = lake_facts(table);
    Device *device = NULL;
    Model *model = NULL;
    ScoreBins bins;
    dp_status st = DP_OK;
    DP_GO(app_word(app, &wanted, 2, "the address of a model"));
    DP_GO(device_open(&device, "cpu", 0, threads));
    DP_GO(app_open_model(app, &model, address, place, wanted, device));
    DP_GO(score_bins(&bins, table, model, threads, app->comm));
    dp_bytes_print(bytes, bins.bytes);
    if (app_given(app, APP_JSON))
        DP_GO(app_print_json(app, json_pack("{s:s, s:I, s:s, s:i, s:i, s:I, s:I}", "table", facts.name, "snapshot",
                                            (json_int_t)facts.snapshot, "model", address, "features", bins.features,
                                            "partitions", bins.partitions, "made", (json_int_t)bins.made, "bytes",
                                            (json_int_t)bins.bytes)));
    else
        DP_GO(app_print(app, "%s@%lld: bins of %s, %d features, %s; %d partitions, %lld of them new\n", facts.name,
                        (long long)facts.snapshot, address, bins.features, bytes, bins.partitions,
                        (long long)bins.made));
done:
    model_free(&model);
    device_close(&device);
    return st;
}

dp_status app_lake(App *app)
{
    const char *verb, *address;
    Place place;
    LakeTable *table = NULL;
    dp_status st = DP_OK;
    DP_GO(app_verb(app, &verb));
    DP_GO(app_place(app, &place));
    if (strcmp(verb, "ls") == 0)
        return list(app, &place);
    DP_GO(app_word(app, &address, 1, "the name of a table"));
    if (app->args.n_words > 2 && strcmp(verb, "bins") != 0)
        DP_GO(dp_fail(DP_ERR_USAGE, "app-11", "dipper lake %s has no use for '%s'; usage: dipper lake %s TABLE", verb,
                      app->args.words[2], verb));
    DP_GO(lake_open(&table, place.lake, address, app->comm));
    if (strcmp(verb, "verify") == 0)
        DP_GO(verify(app, table));
    else if (strcmp(verb, "export") == 0)
        DP_GO(table_export(app, table));
    else if (strcmp(verb, "bins") == 0)
        DP_GO(make_bins(app, &place, table));
    else if (app_given(app, APP_QUARANTINE))
        DP_GO(show_quarantine(app, table));
    else
        DP_GO(show(app, table));
done:
    lake_close(&table);
    return st;
}
