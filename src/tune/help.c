#include "tune/tune.h"

const dp_help_row tune_help[] = {
    {"tune-01", "A key of tune.space cannot be tuned.",
     "Tune keys of `model` and `train` that decide how well a model learns; what is judged (train.stop.metric) and the "
     "data must stay the same for all trials."},
    {"tune-02", "A key of tune.space has values that make no sense, or that the key itself refuses.",
     "Write a range such as `4 .. 10` or `0.02 .. 0.3 log` for a number, or a list such as [symmetric, depth]; `dipper "
     "help train` lists keys with their bounds."},
    {"tune-03", "Trials are compared on the valid rows, and there are none.",
     "Give split.valid a share, months or dates."},
    {"tune-04", "No trial ended with a figure: all diverged, or the time was over before one was done.",
     "Give tune.time more, or narrow tune.space (model.learning_rate above all)."},
    {"tune-05", "The result of a trial in the run's folder cannot be understood.",
     "Remove the run (dipper run rm RUN) and start the search again."},
    {NULL, NULL, NULL},
};
