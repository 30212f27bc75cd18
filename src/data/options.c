/* options.c -- the config rows of the data room. */
#include "data_priv.h"

const CfgRow data_rows[] = {
    {"table", CFG_TEXT, CFG_AT(DataOptions, table), .help = "the table; declarations@418 for a snapshot"},
    {"label", CFG_NAME, CFG_AT(DataOptions, label),
     .help = "column that is learned: 1 and 0 (type label), or a number; rows where it is missing are left out"},
    {"weight", CFG_NAME, CFG_AT(DataOptions, weight), .def = "",
     .help = "column of numbers, 0 or more: so much a row counts in learning"},
    {"columns", CFG_LIST, CFG_AT(DataOptions, columns), .min = 1, .max = 4096,
     .help = "the inputs: numbers, categories and codes"},
    {"as_of", CFG_TIME, CFG_AT(DataOptions, as_of), .def = "",
     .help = "only what was recorded and known by then; absent: all"},
    {.key = NULL}};

const CfgRow split_rows[] = {
    {"train", CFG_PART, CFG_AT(SplitOptions, train), .def = "",
     .help = "30 months (before valid), 2024-01-01 .. 2026-06-30, or 70%"},
    {"valid", CFG_PART, CFG_AT(SplitOptions, valid), .def = "", .help = "decides when to stop; said as train is"},
    {"test", CFG_PART, CFG_AT(SplitOptions, test), .def = "", .help = "the newest rows; said as train is"},
    {"column", CFG_NAME, CFG_AT(SplitOptions, column), .def = "",
     .help = "a column that says train, valid or test, in place of the three"},
    {"apart", CFG_LIST, CFG_AT(SplitOptions, apart), .def = "",
     .help = "columns whose tuple must not stand in two parts"},
    {"folds", CFG_INT, CFG_AT(SplitOptions, folds), .min = 0, .max = 100, .def = "0",
     .help = "judge on so many splits, each earlier than the one before, or other shares; 0: on one"},
    {.key = NULL}};

const CfgRow encode_rows[] = {{"prior_weight", CFG_REAL, CFG_AT(EncodeOptions, prior_weight), .min = 0.001, .max = 1e6,
                               .def = "30", .unit = "rows",
                               .help = "how much the base rate weighs in a category's hit rate"},
                              {.key = NULL}};
