#include "train/train.h"

#include "metric/metric.h"

const char *const train_loss_names[] = {"logloss", "squared", "softmax", "ranking"};

const CfgRow train_rows[] = {
    {"loss", CFG_CHOICE, CFG_AT(TrainOptions, loss), .choices = "logloss | squared | softmax | ranking",
     .def = "logloss",
     .help = "what learning lowers: logloss of labels 1 and 0; squared, the squared error of numbers; softmax, the "
             "logloss of several classes (a category or code); ranking, what is lost where the larger numbers of a "
             "data.group do not come first"},
    {"stop.metric", CFG_TEXT, CFG_AT(TrainOptions, stop_metric), .def = "average_precision",
     .help = "any metric of evaluate, judged on the valid rows; of numbers rmse (their default), mae or revenue@5%, of "
             "classes logloss (their default), accuracy or macro_f1, of a ranking ndcg@10 (its default)"},
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

/* Labels of each loss, and the measures that learning may stop by. */
static const struct {
    MetricLabels labels;
    const char *stops;
} of_loss[] = {[TRAIN_LOGLOSS] = {METRIC_FLAGS, "average_precision, auc or logloss"},
               [TRAIN_SQUARED] = {METRIC_NUMBERS, "rmse or mae"},
               [TRAIN_SOFTMAX] = {METRIC_CLASSES, "logloss, accuracy or macro_f1"},
               [TRAIN_RANKING] = {METRIC_NUMBERS, "ndcg@10 or revenue@5%"}};

static bool goes_with(const Metric *metric, TrainLoss loss)
{
    bool order = metric->kind == METRIC_REVENUE_AT || metric->kind == METRIC_NDCG;
    return metric_measures(metric, of_loss[loss].labels) && (loss != TRAIN_RANKING || order);
}

dp_status train_options_check(const TrainOptions *options)
{
    Metric metric;
    DP_TRY(metric_parse(&metric, options->stop_metric));
    if (metric.kind == METRIC_REVENUE_AT && !(options->revenue && *options->revenue))
        return dp_fail(DP_ERR_CONFIG, "train-01",
                       "train.stop.metric is %s, and evaluate.revenue names no column of what an inspection recovered; "
                       "name it, or stop by another metric",
                       options->stop_metric);
    if ((options->loss == TRAIN_RANKING || metric.kind == METRIC_NDCG) && !options->grouped)
        return dp_fail(
            DP_ERR_CONFIG, "train-05",
            "%s looks at rows of a group, and data.group names no columns; name what makes one, like [office, "
            "accepted_at]",
            options->loss == TRAIN_RANKING ? "train.loss: ranking" : options->stop_metric);
    if (!goes_with(&metric, (TrainLoss)options->loss))
        return dp_fail(DP_ERR_CONFIG, "train-04", "train.stop.metric: %s does not go with train.loss: %s; %s does",
                       options->stop_metric, train_loss_names[options->loss], of_loss[options->loss].stops);
    return DP_OK;
}
