#include "metric/metric.h"

const dp_help_row metric_help[] = {
    {"metric-01", "A name under evaluate.metrics (or train.stop.metric) is not a measure that is known.",
     "Known are auc, average_precision, precision@S, recall@S, revenue@S (S a share of the rows, as 5%), logloss, "
     "brier, calibration; for numbers rmse and mae; for classes logloss, accuracy and macro_f1; ndcg@10 within "
     "groups."},
    {"metric-02",
     "A model gave a score that is not a number or infinite, or, where a probability is measured, one outside 0 .. 1.",
     "The model is broken or diverged: train it again, with a smaller learning rate if it diverged."},
    {"metric-03", "A measure was asked for a row whose label is neither 0 nor 1, nor one of the classes.",
     "Rows without label must be left out before they are measured; this is a fault of the program, please report it."},
    {"metric-04", "revenue@S needs a column that says what an inspection recovers, and none was named.",
     "Name it with evaluate.revenue, or leave revenue@S out of evaluate.metrics."},
    {"metric-05",
     "A measure of labels of 1 and 0 was asked for where the label is a number or a class, or the other way round.",
     "Write into evaluate.metrics and train.stop.metric for numbers rmse, mae or revenue@S; for classes logloss, "
     "accuracy "
     "or macro_f1; for 1 and 0 the others."},
    {"metric-06", "ndcg@10 measures the order of rows within groups, and no groups were named.",
     "Name the columns that make a group in data.group, like [office, accepted_at], or leave ndcg@10 out."},
    {NULL, NULL, NULL},
};
