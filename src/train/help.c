#include "train/train.h"

const dp_help_row train_help[] = {
    {"train-01", "Training is to stop by recovered revenue, and no column says what an inspection recovered.",
     "Name it in evaluate.revenue, or choose another metric for train.stop.metric."},
    {"train-02",
     "The newest checkpoint of the run belongs to another state of learning: it was written by another version of the "
     "program, or its bytes make no sense.",
     "Remove the run (dipper run rm RUN) and start again; it learns from the beginning."},
    {"train-03", "train.loss and the type of the label column do not go together.",
     "train.loss: logloss learns a column of type label (1 and 0), squared and ranking one of type number."},
    {"train-04", "The metric that decides when to stop does not measure what train.loss learns.",
     "With train.loss: squared choose rmse, mae or revenue@5% for train.stop.metric; with ranking ndcg@10 or "
     "revenue@5%; with logloss any but rmse and mae."},
    {"train-05", "Rows are to be ranked within groups, and there are no groups.",
     "Name the columns that make a group in data.group, like [office, accepted_at]: what inspectors choose from "
     "together."},
    {NULL, NULL, NULL},
};
