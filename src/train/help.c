#include "train/train.h"

const dp_help_row train_help[] = {
    {"train-01", "The metric that decides when to stop cannot be computed while training.",
     "Choose auc, average_precision, logloss, brier, precision@5% or recall@5% for train.stop.metric."},
    {"train-02",
     "The newest checkpoint of the run belongs to another state of learning: it was written by another version of the "
     "program, or its bytes make no sense.",
     "Remove the run (dipper run rm RUN) and start again; it learns from the beginning."},
    {NULL, NULL, NULL},
};
