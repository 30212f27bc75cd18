#include "tune/tune.h"

static const CfgRow values_rows[] = {{"values", CFG_WORDS, CFG_AT(TuneValues, values), .min = 1, .max = 1000,
                                      .help = "a range such as `4 .. 10` or `0.02 .. 0.3 log`, or a list"},
                                     {.key = NULL}};

const CfgRow tune_rows[] = {{"space", CFG_MAP, CFG_AT(TuneOptions, space), .def = "{}", .rows = values_rows,
                             .size = sizeof(TuneValues), .shorthand = "values",
                             .help = "what is tried of a key: `model.depth: 4 .. 10`"},
                            {"search", CFG_CHOICE, CFG_AT(TuneOptions, search), .choices = "random | halving",
                             .def = "random", .help = "halving: all begin with few steps, the better go on"},
                            {"trials", CFG_INT, CFG_AT(TuneOptions, trials), .min = 1, .max = 10000, .def = "30",
                             .help = "at most; the config as it stands is the first"},
                            {"time", CFG_DURATION, CFG_AT(TuneOptions, time), .min = 0, .max = 1e9, .def = "0s",
                             .help = "after it no trial is begun, counted from each start; 0s: no limit"},
                            {"ranks", CFG_INT, CFG_AT(TuneOptions, ranks), .min = 1, .max = 1e6, .def = "1",
                             .help = "that work at one trial together; the others take other trials"},
                            {"cut", CFG_INT, CFG_AT(TuneOptions, cut), .min = 2, .max = 100, .def = "3",
                             .help = "halving: of so many trials one goes on"},
                            {"least", CFG_SHARE, CFG_AT(TuneOptions, least), .min = 0.001, .max = 1, .def = "10%",
                             .help = "halving: of the steps; fewer are no round"},
                            {"seed", CFG_INT, CFG_AT(TuneOptions, seed), .min = 0, .max = 9007199254740992.0,
                             .def = "7", .help = "of what is tried"},
                            {.key = NULL}};
