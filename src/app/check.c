/* dipper check CONFIG: every fault in one pass, nothing run. */
#include "app/app.h"

#include <string.h>

#include "base/memory.h"
#include "base/zone.h"
#include "ingest/ingest.h"
#include "train/train.h"
#include "tune/tune.h"

/* Takes a failure of a room's own check up as a fault of the key it is about. */
static dp_status fault_of(Config *config, const char *path, dp_status failed)
{
    if (failed != DP_ERR_CONFIG)
        return failed;
    dp_error error = *dp_error_last();
    return config_add_fault(config, path, error.id, "%s", error.text);
}

static dp_status check_zone(const App *app, Config *config)
{
    SplitOptions split = {0};
    dp_zone *zone = NULL;
    if (app_bind(app, config, "split", &split) != DP_OK || !split.time_zone)
        return DP_OK;
    dp_status st = fault_of(config, "split.time_zone", dp_zone_build(&zone, split.time_zone));
    dp_zone_free(&zone);
    return st;
}

/* The measures of a config that names none are those of labels; other losses have others. */
static dp_status settle_metrics(const App *app, Config *config)
{
    static const struct {
        TrainLoss loss;
        const char *key, *metrics[3];
        size_t n;
    } others[] = {{TRAIN_SQUARED, "train.stop.metric", {"rmse"}, 1},
                  {TRAIN_SQUARED, "evaluate.metrics", {"rmse", "mae"}, 2},
                  {TRAIN_SOFTMAX, "train.stop.metric", {"logloss"}, 1},
                  {TRAIN_SOFTMAX, "evaluate.metrics", {"logloss", "accuracy", "macro_f1"}, 3},
                  {TRAIN_RANKING, "train.stop.metric", {"ndcg@10"}, 1},
                  {TRAIN_RANKING, "evaluate.metrics", {"ndcg@10"}, 1}};
    TrainOptions train = {0};
    if (app_bind(app, config, "train", &train) != DP_OK)
        return DP_OK;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (others[i].loss == (TrainLoss)train.loss && !config_was_given(config, others[i].key))
            DP_TRY(config_settle(config, others[i].key, others[i].metrics, others[i].n));
    return DP_OK;
}

static dp_status check_model(const App *app, Config *config)
{
    TrainOptions train = {0};
    DataOptions data = {0};
    EvaluateOptions evaluate = {0};
    DP_TRY(settle_metrics(app, config));
    bool evaluates = app_bind(app, config, "evaluate", &evaluate) == DP_OK;
    train.revenue = evaluates ? evaluate.revenue : "said already";
    train.grouped = app_bind(app, config, "data", &data) != DP_OK || data.group.n > 0;
    if (app_bind(app, config, "train", &train) == DP_OK)
        DP_TRY(fault_of(config, "train.stop.metric", train_options_check(&train)));
    if (evaluates)
        DP_TRY(fault_of(config, "evaluate.metrics", score_evaluate_check(&evaluate)));
    DP_TRY(check_zone(app, config));
    return tune_check(config);
}

static dp_status check_table(Config *config)
{
    IngestOptions *options = NULL;
    dp_status st = ingest_options(&options, config);
    ingest_options_free(&options);
    return st;
}

dp_status app_check_values(App *app, Config *config)
{
    BatchOptions batch;
    dp_status st = DP_OK;
    if (strcmp(config_kind(config), "model") == 0)
        st = check_model(app, config);
    else if (strcmp(config_kind(config), "table") == 0)
        st = check_table(config);
    else
        st = score_options(&batch, config);
    size_t faults;
    config_faults(config, &faults);
    return faults > 0 ? app_faults(app, config) : st;
}

dp_status app_check(App *app)
{
    const char *path;
    Config *config = NULL;
    dp_buf text = {0};
    dp_status st = DP_OK;
    DP_GO(app_word(app, &path, 0, "a config"));
    DP_GO(app_config(app, path, NULL, &config));
    DP_GO(config_print(config, &text));
    DP_GO(app_print_bytes(app, text.data, text.size));
done:
    config_free(&config);
    dp_buf_free(&text);
    return st;
}
