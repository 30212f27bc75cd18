#include "score/score.h"

const dp_help_row score_help[] = {
    {"score-01", "A revenue metric was asked for and no column that says what an inspection recovered.",
     "Name it in evaluate.revenue, or leave the metric out."},
    {"score-02", "The rows of the split did not come back from the table as they were read before.",
     "This is a fault of the program, or the table was changed by hand while it was read: dipper lake verify TABLE."},
    {"score-03", "A slice column with so many values says little and takes long.",
     "Choose a coarser column for evaluate.slices."},
    {"score-04", "data.day or data.month is not a day or a month.",
     "day: 2026-11-18, yesterday or latest; month: 2026-11 or latest. Not both."},
    {"score-05", "Rows of a day or month were asked for, and the table has no time column (rows.time of its config).",
     "Select rows with data.where, or name the time column when the table is made."},
    {"score-06", "The table holds no rows.", "Ingest some first: dipper ingest CONFIG FILE."},
    {"score-08", "The time zone of the batch is not known on this machine.",
     "Write a name of the IANA time-zone list in data.time_zone, like Asia/Taipei or UTC, or leave it out: then the "
     "site's is taken."},
    {"score-21", "Bins were asked for of a model that is not scored from bins.",
     "Leave it: such a model is scored from the table's columns."},
    {"score-11", "A model that says a number was to be judged by a label of 1 and 0, or the other way round.",
     "Name the column in data.label that the model was trained on."},
    {"score-30", "A column was named that is no input of the model.", "`dipper model show MODEL` lists its inputs."},
    {"score-31", "Importance cannot be judged like this.",
     "Begin evaluate.metrics with another metric than revenue; evaluate.repeats goes from 1 to 100."},
    {"score-32", "Dependence cannot be shown like this.", "Name one column, or two different ones: --dependence A,B."},
    {NULL, NULL, NULL},
};
