/* config/config.h -- typed YAML. Every key is one row, owned by the room that reads it; from the rows come checking,
 * overrides `a.b=c`, `--help`, the resolved config saved with a run and the reference docs. Scalars are typed by the
 * row, not by YAML 1.1. All faults of a file are found in one pass, each as file:line:col with the nearest known name.
 *
 * A file says `kind: model` first; a CfgKind lists the sections of that kind; a section is a path ("model"), the rows
 * below it and the options struct they fill:
 *
 *     static const CfgRow rows[] = {
 *         {"depth", CFG_INT, CFG_AT(TreesOptions, depth), .min = 1, .max = 16, .def = "6", .help = "levels of a tree"},
 *         {.key = NULL}};
 */
#ifndef DIPPER_CONFIG_CONFIG_H
#define DIPPER_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/memory.h"
#include "base/status.h"

typedef enum CfgType {
    CFG_TEXT,     /* const char *    any scalar */
    CFG_NAME,     /* const char *    [a-z0-9][a-z0-9._-]{0,63} */
    CFG_PATH,     /* const char *    made absolute: relative ones start at the config's folder, on the command line
                                     and as defaults at the working folder */
    CFG_CHOICE,   /* int             index into choices, "symmetric | depth | leaf" */
    CFG_INT,      /* int64_t         1000, 1_000, 2^20 */
    CFG_REAL,     /* double          0.08, 1e9 */
    CFG_SHARE,    /* double          0.1% or 0.001; 0 .. 1 */
    CFG_BYTES,    /* int64_t         8GiB, 512MiB, 20GB, 1000 */
    CFG_DURATION, /* double seconds  2h, 30m, 90s, 1h 30m, 7 days */
    CFG_RANGE,    /* CfgRange        0 .. 500, 50% .. 200%, 0 .. (no upper end) */
    CFG_PART,     /* CfgPart         30 months | 70% | 2026-09-01 .. 2026-10-31: which rows are a part of a split */
    CFG_LIST,     /* CfgList         [a, b, c] of scalars */
    CFG_WORDS,    /* CfgList         as CFG_LIST, but one scalar is a list of one */
    CFG_MAP,      /* CfgMap          free keys (in the file's order), each a mapping described by `rows` */
    CFG_TIME      /* int64_t         2026-11-20, 2026-11-20 14:05:33Z: microseconds, DP_TIME_MISSING where absent */
} CfgType;

typedef struct CfgRange {
    double low, high;
    bool set;
} CfgRange;

typedef enum CfgPartKind { CFG_PART_NONE, CFG_PART_MONTHS, CFG_PART_DAYS, CFG_PART_SHARE, CFG_PART_DATES } CfgPartKind;
typedef struct CfgPart {
    CfgPartKind kind;
    int count;        /* months (years are 12) or days (weeks are 7) */
    double share;     /* 0 .. 1 */
    int64_t from, to; /* microseconds, both days included: to is the last microsecond */
} CfgPart;

typedef struct CfgList {
    const char *const *items;
    size_t n;
} CfgList;

typedef struct CfgRow CfgRow;

/* Where a value was written. */
typedef struct CfgMark {
    const char *file; /* "configs/risk.yaml", "command line", "default" */
    int line, column; /* from 1; 0 where there is none */
} CfgMark;

typedef struct CfgEntry {
    const char *key;
    CfgMark mark;
    void *value; /* the struct that the map's rows fill */
} CfgEntry;
typedef struct CfgMap {
    const CfgEntry *entries;
    size_t n;
} CfgMap;

struct CfgRow {
    const char *key; /* below the section, may be dotted: "stop.patience"; NULL ends a table */
    CfgType type;
    size_t at;             /* offset in the options struct: CFG_AT */
    double min, max;       /* of numbers; both 0: no bounds; max < min: no upper one. Lists: of the number of items */
    const char *def;       /* as it would be written; NULL: the key must be there; "": may be absent, value zeroed */
    const char *unit;      /* "rows", "kg"; NULL */
    const char *choices;   /* CFG_CHOICE; CFG_LIST: what an item can be */
    const char *help;      /* half a line */
    const CfgRow *rows;    /* CFG_MAP: what each entry holds */
    size_t size;           /* CFG_MAP: of the struct that an entry fills */
    const char *shorthand; /* CFG_MAP: the row that a plain scalar fills (`hs6: code` for `hs6: {type: code}`), or a
                              list, where it is CFG_WORDS; NULL */
};
#define CFG_AT(type, field) offsetof(type, field)

/* A section of a kind. `when`: "model.family = trees" or "model.family = trees | blend" makes it belong only to files
 * that say so; NULL: always. The key named there stands in a section without `when`, or in an earlier one. */
typedef struct CfgSection {
    const char *path; /* "" for the top level, "model", "job" */
    const CfgRow *rows;
    const char *when;
} CfgSection;

typedef struct CfgKind {
    const char *name;  /* "model" */
    const char *about; /* for help */
    const CfgSection *sections;
    size_t n;
} CfgKind;

typedef struct CfgFault {
    CfgMark mark;
    char id[DP_ID_MAX];
    char text[256]; /* "unknown key 'lerning_rate' (did you mean 'learning_rate'?)" */
} CfgFault;

typedef struct Config Config;

/* Local. Parses `text` (named `file` in messages) and applies overrides ("a.b=c", in order) for one of the kinds.
 * Limits: 1 MiB, 32 levels, 10,000 nodes, no aliases or tags. Returns DP_OK also for a faulty file; then
 * config_faults is not empty and config_bind refuses. Fails only for memory. */
dp_status config_parse(Config **config, const char *file, const char *text, size_t size, const char *const *overrides,
                       size_t n_overrides, const CfgKind *kinds, size_t n_kinds);
void config_free(Config **config);
/* Local. The same for a file. Fails also with NO_INPUT, DENIED, IO, DATA where the file cannot be read. */
dp_status config_read(Config **config, const char *path, const char *const *overrides, size_t n_overrides,
                      const CfgKind *kinds, size_t n_kinds);

/* Local. All faults in the order of the file, those of the command line last; the array is the config's and valid
 * until the next config_add_fault. At most 200 are kept; a last one then says so. */
const CfgFault *config_faults(const Config *config, size_t *n);
/* Local. Adds a fault that only the reader of values could see ("label 'x' is not a column"). path: "data.label". */
dp_status config_add_fault(Config *config, const char *path, const char *id, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Local. DP_OK, or DP_ERR_CONFIG whose text is the first fault and how many there are. */
dp_status config_must_be_good(const Config *config);

/* Local. NULL where the file does not say one that is known. */
const char *config_kind(const Config *config);
/* Local. Fills the fields of `options` that the section's rows name. Strings and lists belong to the config. Fails
 * CONFIG where one of these values is faulty (faults elsewhere do not matter: so readers of values can add theirs in
 * the same pass), INTERNAL for a section that is not part of this file. */
dp_status config_bind(const Config *config, const CfgSection *section, void *options);
/* Local. Where the value at "model.depth" comes from. */
CfgMark config_mark(const Config *config, const char *path);
/* Local. Was the key written (in the file or as an override)? */
bool config_was_given(const Config *config, const char *path);

/* Local. The same text and overrides with `more` behind them, as a config of its own: what a search tries. Its kinds
 * must live on. Faults and failures as config_parse. */
dp_status config_vary(Config **varied, const Config *config, const char *const *more, size_t n_more);
/* Local. The row of the key at "model.depth"; NULL where this file has none. */
const CfgRow *config_row(const Config *config, const char *path);
/* Local. The number at the path: of whole numbers, numbers, shares, sizes and time spans. Fails CONFIG where there is
 * none. */
dp_status config_number(const Config *config, const char *path, double *number);

/* Local. The resolved config as YAML: every key of the kind with its value, and its origin as a comment. */
dp_status config_print(const Config *config, dp_buf *out);
/* Local. Says in the resolved config what became of a text, a name or a list: `items` [n] stand there instead, beside
 * what was written; n = 0: the value is not used and left out. Options that were bound keep what they hold. Fails
 * INTERNAL for a path that is no such key of this file. */
dp_status config_settle(Config *config, const char *path, const char *const *items, size_t n);
/* Local. Digest of the resolved values of all sections but `job`, not of their origins, their order or how they were
 * written (80% is 0.8): what decides whether a run can be resumed. The order of free keys and lists does count. */
dp_status config_digest(const Config *config, dp_digest *digest);

/* Local. The keys of a kind for people: name, type, unit, range, default, help, a line each. */
dp_status config_print_rows(const CfgKind *kind, dp_buf *out);

extern const dp_help_row config_help[];

#endif
