/* What can be tried: the keys of tune.space, and the trials drawn from them by counter. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/rng.h"
#include "tune/tune_priv.h"

enum { VALUE = 256, DRAWS = 100 };

/* ---- keys ---- */

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* Does it change what is read, not only how it is learned from? */
static bool is_of_data(const char *key)
{
    return begins(key, "model.categories.") || strcmp(key, "train.seed") == 0;
}

static bool can_be_tuned(const char *key)
{
    return (begins(key, "model.") || begins(key, "train.")) && strcmp(key, "train.stop.metric") != 0 &&
           strcmp(key, "train.checkpoint") != 0;
}

/* The first fault of `varied` that the config itself does not have. */
static const CfgFault *new_fault(const Config *varied, const Config *config)
{
    size_t n, known;
    const CfgFault *fault = config_faults(varied, &n), *old = config_faults(config, &known);
    for (size_t i = 0; i < n; i++) {
        bool is_new = true;
        for (size_t k = 0; k < known && is_new; k++)
            is_new = strcmp(old[k].text, fault[i].text) != 0;
        if (is_new)
            return &fault[i];
    }
    return NULL;
}

/* Would the config take this value? number: as a number; NULL: not wanted. */
static dp_status accepted(const Config *config, const char *key, const char *value, double *number)
{
    char override[VALUE + 80];
    const char *one = override;
    Config *varied = NULL;
    size_t known;
    dp_status st = DP_OK;
    snprintf(override, sizeof override, "%s=%s", key, value);
    config_faults(config, &known);
    DP_GO(config_vary(&varied, config, &one, 1));
    const CfgFault *fault = new_fault(varied, config);
    if (fault)
        DP_GO(dp_fail(DP_ERR_CONFIG, "tune-02", "%s [%s]", fault->text, fault->id));
    if (number && known == 0) /* with faults elsewhere no value can be read; the check is repeated when they are gone */
        DP_GO(config_number(varied, key, number));
done:
    config_free(&varied);
    return st;
}

/* "4 .. 10", "0.02 .. 0.3 log" into its ends. */
static bool split_range(const char *text, char low[VALUE], char high[VALUE], bool *log)
{
    const char *dots = strstr(text, "..");
    size_t n = dots ? (size_t)(dots - text) : 0;
    if (!dots || strlen(text) >= VALUE)
        return false;
    while (n > 0 && text[n - 1] == ' ')
        n--;
    snprintf(low, VALUE, "%.*s", (int)n, text);
    snprintf(high, VALUE, "%s", dots + 2 + strspn(dots + 2, " "));
    n = strlen(high);
    *log = n > 4 && strcmp(high + n - 4, " log") == 0;
    n -= *log ? 4 : 0;
    while (n > 0 && high[n - 1] == ' ')
        n--;
    high[n] = '\0';
    return true;
}

static dp_status range_of(TuneKey *key, const Config *config, const char *low, const char *high)
{
    const CfgRow *row;
    DP_TRY(accepted(config, key->key, low, NULL));
    DP_TRY(accepted(config, key->key, high, NULL));
    row = config_row(config, key->key);
    if (!row || (row->type != CFG_INT && row->type != CFG_REAL && row->type != CFG_SHARE))
        return dp_fail(DP_ERR_CONFIG, "tune-02", "'%s' is no number, so it has no range; list its values", key->key);
    DP_TRY(accepted(config, key->key, low, &key->low));
    DP_TRY(accepted(config, key->key, high, &key->high));
    key->whole = row->type == CFG_INT;
    if (key->low > key->high)
        return dp_fail(DP_ERR_CONFIG, "tune-02", "'%s': the range %s .. %s is upside down", key->key, low, high);
    if (key->log && key->low <= 0 && key->high > 0)
        return dp_fail(DP_ERR_CONFIG, "tune-02", "'%s': a log scale begins above 0, not at %s", key->key, low);
    return DP_OK;
}

dp_status tune_key_of(TuneKey *key, const Config *config, const CfgEntry *entry)
{
    char low[VALUE], high[VALUE];
    const TuneValues *of = entry->value;
    *key = (TuneKey){.key = entry->key, .values = of->values};
    if (!can_be_tuned(entry->key))
        return dp_fail(DP_ERR_CONFIG, "tune-01",
                       "'%s' cannot be tuned: trials differ in keys of model and train, not in the data or the metric",
                       entry->key);
    key->range = of->values.n == 1 && split_range(of->values.items[0], low, high, &key->log);
    if (key->range)
        return range_of(key, config, low, high);
    for (size_t i = 0; i < of->values.n; i++)
        DP_TRY(accepted(config, entry->key, of->values.items[i], NULL));
    return DP_OK;
}

dp_status tune_check(Config *config)
{
    static const CfgSection section = {.path = "tune", .rows = tune_rows};
    TuneOptions options;
    TuneKey key;
    if (config_bind(config, &section, &options) != DP_OK)
        return DP_OK; /* its own fault stands there already */
    for (size_t i = 0; i < options.space.n; i++) {
        char path[VALUE];
        dp_status st = tune_key_of(&key, config, &options.space.entries[i]);
        if (st == DP_OK)
            continue;
        if (st != DP_ERR_CONFIG)
            return st;
        dp_error error = *dp_error_last();
        snprintf(path, sizeof path, "tune.space.%s", options.space.entries[i].key);
        DP_TRY(config_add_fault(config, path, error.id, "%s", error.text));
    }
    return DP_OK;
}

/* ---- trials ---- */

/* Numbers are rounded to four digits, as people write them; so a trial can be repeated by hand. */
static void draw_value(char out[VALUE], const TuneKey *key, uint64_t seed, uint64_t item)
{
    uint64_t stream = dp_hash64(key->key, strlen(key->key), 0x7475);
    double u = dp_random_unit(seed, stream, item), x;
    if (!key->range) {
        snprintf(out, VALUE, "%s", key->values.items[dp_random_below(seed, stream, item, key->values.n)]);
        return;
    }
    double low = key->low, width = key->high - low + (key->whole ? 1 : 0);
    x = key->log ? low * pow((key->high + (key->whole ? 1 : 0)) / low, u) : low + u * width;
    x = key->whole ? floor(x) : x;
    x = x > key->high ? key->high : x < low ? low : x;
    if (key->whole)
        snprintf(out, VALUE, "%.0f", x);
    else
        snprintf(out, VALUE, "%.4g", x);
    /* Rounding must not lead out of the range. */
    double said = 0;
    if (sscanf(out, "%lf", &said) != 1 || said > key->high || said < low)
        snprintf(out, VALUE, "%.17g", x);
}

static void trial_free(TuneTrial *trial)
{
    for (int i = 0; i < trial->n; i++)
        dp_free(&trial->overrides[i]);
    dp_free(&trial->overrides);
    dp_free(&trial->data);
}

static dp_status draw_trial(TuneTrial *trial, const TuneSpace *space, uint64_t seed, uint64_t item)
{
    dp_buf data = {0};
    char value[VALUE], text[2 * VALUE];
    dp_status st = DP_OK;
    DP_GO(dp_new(&trial->overrides, (size_t)space->n));
    for (int k = 0; k < space->n; k++) {
        const TuneKey *key = &space->keys[k];
        draw_value(value, key, seed, item);
        snprintf(text, sizeof text, "%s=%s", key->key, value);
        DP_GO(dp_copy_text(&trial->overrides[trial->n++], text));
        if (is_of_data(key->key))
            DP_GO(dp_buf_print(&data, "%s\n", text));
    }
    DP_GO(dp_copy_text(&trial->data, data.data ? data.data : ""));
done:
    dp_buf_free(&data);
    return st;
}

static bool is_known(const TuneSpace *space, const TuneTrial *trial)
{
    for (int t = 1; t < space->n_trials; t++) {
        bool same = true;
        for (int k = 0; k < space->n && same; k++)
            same = strcmp(space->trials[t].overrides[k], trial->overrides[k]) == 0;
        if (same)
            return true;
    }
    return false;
}

/* Draws again where a trial stands already; a space with few values has fewer trials than were asked for. */
static dp_status draw_trials(TuneSpace *space, const TuneOptions *options)
{
    DP_TRY(dp_new(&space->trials, (size_t)options->trials));
    DP_TRY(dp_copy_text(&space->trials[0].data, ""));
    space->n_trials = 1;
    for (int64_t i = 0, failed = 0; space->n_trials < options->trials && failed < DRAWS && space->n > 0; i++) {
        TuneTrial *trial = &space->trials[space->n_trials];
        dp_status st = draw_trial(trial, space, (uint64_t)options->seed, (uint64_t)i);
        if (st != DP_OK) {
            trial_free(trial);
            return st;
        }
        failed = is_known(space, trial) ? failed + 1 : 0;
        if (failed > 0) {
            trial_free(trial);
            *trial = (TuneTrial){0};
        } else {
            trial->number = space->n_trials++;
        }
    }
    return DP_OK;
}

dp_status tune_space_build(TuneSpace *space, const Config *config, const TuneOptions *options)
{
    *space = (TuneSpace){.n = (int)options->space.n};
    DP_TRY(dp_new(&space->keys, options->space.n));
    for (int k = 0; k < space->n; k++)
        DP_TRY(tune_key_of(&space->keys[k], config, &options->space.entries[k]));
    return draw_trials(space, options);
}

void tune_space_free(TuneSpace *space)
{
    for (int t = 0; space->trials && t < space->n_trials; t++)
        trial_free(&space->trials[t]);
    dp_free(&space->trials);
    dp_free(&space->keys);
}
