/* options.c -- the config rows of the data room. */
#include "data_priv.h"

const CfgRow data_rows[] = {
    {"table", CFG_TEXT, CFG_AT(DataOptions, table), .help = "the table; declarations@418 for a snapshot"},
    {"label", CFG_NAME, CFG_AT(DataOptions, label),
     .help =
         "column that is learned: 1 and 0 (type label), a number, or classes (a category or code, or the first digits "
         "of one: hs2 of hs6); rows where it is missing are left out"},
    {"weight", CFG_NAME, CFG_AT(DataOptions, weight), .def = "",
     .help = "column of numbers, 0 or more: so much a row counts in learning; figures count each row once"},
    {"columns", CFG_LIST, CFG_AT(DataOptions, columns), .min = 1, .max = 4096,
     .help = "the inputs: numbers, categories and codes"},
    {"group", CFG_LIST, CFG_AT(DataOptions, group), .def = "",
     .help = "columns that say which rows are ranked together, like [office, accepted_at]; a time counts by its day "
             "in split.time_zone"},
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
    {"time_zone", CFG_TEXT, CFG_AT(SplitOptions, time_zone), .def = "",
     .help = "whose days and months are meant, like Asia/Taipei; absent: the site's"},
    {"apart", CFG_LIST, CFG_AT(SplitOptions, apart), .def = "",
     .help = "columns whose tuple must not stand in two parts"},
    {"folds", CFG_INT, CFG_AT(SplitOptions, folds), .min = 0, .max = 100, .def = "0",
     .help = "judge on so many splits, each earlier than the one before, or other shares; 0: on one"},
    {.key = NULL}};

const CfgRow encode_rows[] = {
    {"prior_weight", CFG_REAL, CFG_AT(EncodeOptions, prior_weight), .min = 0.001, .max = 1e6, .def = "30",
     .unit = "rows", .help = "how much the base rate weighs in a category's hit rate (of numbers: their mean)"},
    {"order", CFG_CHOICE, CFG_AT(EncodeOptions, order), .def = "time", .choices = "time | drawn",
     .help =
         "a row's hit rates come from the rows before it: by time, or in an order drawn by the seed (always so where "
         "the table has no time)"},
    {"orders", CFG_INT, CFG_AT(EncodeOptions, orders), .min = 1, .max = 16, .def = "1",
     .help = "drawn orders whose hit rates are averaged"},
    {"half_life", CFG_SHARE, CFG_AT(EncodeOptions, half_life), .min = 0, .max = 1, .def = "10%",
     .help =
         "share of train's time in which a hit comes to count half in each category's second hit rate, which follows "
         "what changes; 0: no second one (nor without time)"},
    {"pairs", CFG_INT, CFG_AT(EncodeOptions, pairs), .min = 0, .max = 256, .def = "10",
     .help =
         "combinations of categories that become features, at most: the best first, those that explain nothing never"},
    {"parts", CFG_INT, CFG_AT(EncodeOptions, parts), .min = 2, .max = DATA_PARTS, .def = "2",
     .help = "columns that a combination may have: 2, or 3 for triples that extend the best pairs"},
    {"memory", CFG_BYTES, CFG_AT(EncodeOptions, memory), .min = 0, .max = 1e12, .def = "32MiB",
     .help = "all combinations' tables in the model, at most"},
    {"digits", CFG_INT, CFG_AT(EncodeOptions, digits), .min = 0, .max = 64, .def = "2",
     .help =
         "a column of type code also has hit rates to 2, 4, ... digits (chapter and heading of an HS code); 0: only "
         "of the whole code"},
    {.key = NULL}};
