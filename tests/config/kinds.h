/* The kinds that the tests of config read: rows of every type, sections by family, maps in maps. */
#ifndef DIPPER_TEST_CONFIG_KINDS_H
#define DIPPER_TEST_CONFIG_KINDS_H

#include "config/config.h"

typedef struct Top {
    const char *name, *about, *owner;
    int64_t labels;
} Top;
static const CfgRow top_rows[] = {
    {"name", CFG_NAME, CFG_AT(Top, name), .help = "what the model is called"},
    {"about", CFG_TEXT, CFG_AT(Top, about), .def = ""},
    {"owner", CFG_TEXT, CFG_AT(Top, owner), .def = ""},
    {"labels", CFG_INT, CFG_AT(Top, labels), .min = 1, .max = 20, .def = "5"},
    {.key = NULL},
};

typedef struct Input {
    const char *table, *label, *rules;
    CfgList columns, files;
    int64_t as_of;
} Input;
static const CfgRow input_rows[] = {
    {"table", CFG_TEXT, CFG_AT(Input, table), .help = "the table to learn from"},
    {"label", CFG_TEXT, CFG_AT(Input, label), .def = ""},
    {"columns", CFG_LIST, CFG_AT(Input, columns), .min = 1, .max = 8, .def = ""},
    {"files", CFG_WORDS, CFG_AT(Input, files), .def = "[a.csv, b.csv]"},
    {"rules", CFG_PATH, CFG_AT(Input, rules), .def = ""},
    {"as_of", CFG_TIME, CFG_AT(Input, as_of), .def = ""},
    {.key = NULL},
};

typedef struct Split {
    CfgPart train, valid, test;
} Split;
static const CfgRow split_rows[] = {
    {"train", CFG_PART, CFG_AT(Split, train), .def = "70%"},
    {"valid", CFG_PART, CFG_AT(Split, valid), .def = "10%"},
    {"test", CFG_PART, CFG_AT(Split, test), .def = "20%"},
    {.key = NULL},
};

enum { FAMILY_TREES, FAMILY_TEXT };
typedef struct Family {
    int family;
} Family;
static const CfgRow family_rows[] = {
    {"family", CFG_CHOICE, CFG_AT(Family, family), .choices = "trees | text", .help = "trees or text"},
    {.key = NULL},
};

typedef struct Trees {
    int64_t trees, depth;
    int growth;
    double learning_rate, rows, columns;
    CfgRange leaf;
} Trees;
static const CfgRow trees_rows[] = {
    {"trees", CFG_INT, CFG_AT(Trees, trees), .min = 1, .max = 0, .def = "1000", .help = "at most"},
    {"depth", CFG_INT, CFG_AT(Trees, depth), .min = 1, .max = 16, .def = "6", .unit = "levels"},
    {"growth", CFG_CHOICE, CFG_AT(Trees, growth), .choices = "symmetric | depth | leaf", .def = "symmetric"},
    {"learning_rate", CFG_REAL, CFG_AT(Trees, learning_rate), .min = 1e-6, .max = 1, .def = "0.1"},
    {"sample.rows", CFG_SHARE, CFG_AT(Trees, rows), .def = "100%"},
    {"sample.columns", CFG_SHARE, CFG_AT(Trees, columns), .def = "100%"},
    {"leaf", CFG_RANGE, CFG_AT(Trees, leaf), .def = ""},
    {.key = NULL},
};

typedef struct Text {
    int64_t width, rows;
} Text;
static const CfgRow text_rows[] = {
    {"width", CFG_INT, CFG_AT(Text, width), .min = 1, .max = 4096, .def = "64"},
    {"rows", CFG_INT, CFG_AT(Text, rows), .def = "2^20"},
    {.key = NULL},
};

typedef struct Field {
    int type;
    const char *from;
    int64_t digits;
    CfgRange range;
    double low;
} Field;
static const CfgRow field_rows[] = {
    {"type", CFG_CHOICE, CFG_AT(Field, type), .choices = "number | code | text", .help = "what it holds"},
    {"from", CFG_TEXT, CFG_AT(Field, from), .def = ""},
    {"digits", CFG_INT, CFG_AT(Field, digits), .min = 1, .max = 12, .def = ""},
    {"range", CFG_RANGE, CFG_AT(Field, range), .def = ""},
    {"check.low", CFG_SHARE, CFG_AT(Field, low), .def = ""},
    {.key = NULL},
};
typedef struct Fields {
    CfgMap map;
} Fields;
static const CfgRow map_rows[] = {
    {"fields", CFG_MAP, CFG_AT(Fields, map), .rows = field_rows, .size = sizeof(Field), .shorthand = "type", .def = ""},
    {.key = NULL},
};

typedef struct Job {
    int64_t ranks, memory;
    double time;
    CfgList compress;
} Job;
static const CfgRow job_rows[] = {
    {"ranks", CFG_INT, CFG_AT(Job, ranks), .min = 1, .max = 100000, .def = "1"},
    {"memory", CFG_BYTES, CFG_AT(Job, memory), .min = 1048576, .def = "1GiB"},
    {"time", CFG_DURATION, CFG_AT(Job, time), .min = 60, .max = 604800, .def = "1h"},
    {"compress", CFG_WORDS, CFG_AT(Job, compress), .choices = "zstd | deflate | plain", .def = "zstd"},
    {.key = NULL},
};

enum {
    SECTION_TOP,
    SECTION_DATA,
    SECTION_SPLIT,
    SECTION_FAMILY,
    SECTION_TREES,
    SECTION_TEXT,
    SECTION_MAP,
    SECTION_JOB
};
static const CfgSection sections[] = {
    {"", top_rows, NULL},
    {"data", input_rows, NULL},
    {"split", split_rows, NULL},
    {"model", family_rows, NULL},
    {"model", trees_rows, "model.family = trees"},
    {"model", text_rows, "model.family = text"},
    {"", map_rows, NULL},
    {"job", job_rows, NULL},
};
static const CfgSection table_sections[] = {{"", top_rows, NULL}};
static const CfgKind kinds[] = {
    {"model", "a model", sections, sizeof sections / sizeof *sections},
    {"table", "a table", table_sections, 1},
};

#endif
