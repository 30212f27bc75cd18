#include "train/train.h"

const dp_help_row train_help[] = {
    {"train-01", "Training is to stop by recovered revenue, and no column says what an inspection recovered.",
     "Name it in evaluate.revenue, or choose another metric for train.stop.metric."},
    {"train-02",
     "The newest checkpoint of the run belongs to another state of learning: it was written by another version of the "
     "program, or its bytes make no sense.",
     "Remove the run (dipper run rm RUN) and start again; it learns from the beginning."},
    {"train-03", "train.loss and the type of the label column do not go together.",
     "train.loss: logloss learns a column of type label (1 and 0), squared and ranking one of type number, softmax one "
     "of "
     "type category or code."},
    {"train-04", "The metric that decides when to stop does not measure what train.loss learns.",
     "Choose for train.stop.metric with train.loss: squared rmse, mae or revenue@5%; with ranking ndcg@10 or "
     "revenue@5%; "
     "with softmax logloss, accuracy or macro_f1; with logloss any but these, or logloss."},
    {"train-05", "Rows are to be ranked within groups, and there are no groups.",
     "Name the columns that make a group in data.group, like [office, accepted_at]: what inspectors choose from "
     "together."},
    {NULL, NULL, NULL},
};
