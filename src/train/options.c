#include "train/train.h"

#include "metric/metric.h"

const char *const train_loss_names[] = {"logloss", "squared"};

const CfgRow train_rows[] = {
    {"loss", CFG_CHOICE, CFG_AT(TrainOptions, loss), .choices = "logloss | squared", .def = "logloss",
     .help = "what learning lowers: logloss of labels 1 and 0; squared, the "
             "squared error of numbers"},
    {"stop.metric", CFG_TEXT, CFG_AT(TrainOptions, stop_metric), .def = "average_precision",
     .help = "any metric of evaluate, judged on the valid rows; of numbers rmse (their default), mae or revenue@5%"},
    {"stop.patience", CFG_INT, CFG_AT(TrainOptions, patience), .min = 0, .max = 1e9, .def = "50", .unit = "steps",
     .help = "without a better one, then the best is kept; 0: all steps"},
    {"from", CFG_TEXT, CFG_AT(TrainOptions, from), .def = "",
     .help = "go on from a model, risk:15 or risk for the newest: on its inputs, frozen hit rates and borders, with so "
             "many steps more"},
    {"every", CFG_INT, CFG_AT(TrainOptions, every), .min = 1, .max = 1e9, .def = "10", .unit = "steps",
     .help = "between validations"},
    {"checkpoint", CFG_DURATION, CFG_AT(TrainOptions, checkpoint_every), .min = 0, .max = 1e9, .def = "5m",
     .help = "between checkpoints; 0s: after every step"},
    {"seed", CFG_INT, CFG_AT(TrainOptions, seed), .min = 0, .max = 9007199254740992.0, .def = "7",
     .help = "of every random number"},
    {.key = NULL}};

dp_status train_options_check(const TrainOptions *options)
{
    Metric metric;
    DP_TRY(metric_parse(&metric, options->stop_metric));
    if (metric.kind == METRIC_REVENUE_AT && !(options->revenue && *options->revenue))
        return dp_fail(DP_ERR_CONFIG, "train-01",
                       "train.stop.metric is %s, and evaluate.revenue names no column of what an inspection recovered; "
                       "name it, or stop by another metric",
                       options->stop_metric);
    if (metric.kind != METRIC_REVENUE_AT && metric_wants_numbers(&metric) != (options->loss == TRAIN_SQUARED))
        return dp_fail(DP_ERR_CONFIG, "train-04", "train.stop.metric: %s does not go with train.loss: %s; %s does",
                       options->stop_metric, train_loss_names[options->loss],
                       options->loss == TRAIN_SQUARED ? "rmse or mae" : "average_precision, auc or logloss");
    return DP_OK;
}
