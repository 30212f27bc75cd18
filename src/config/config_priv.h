/* config/config_priv.h -- shared inside the room: text -> nodes with marks -> values typed by rows -> structs.
 *
 *     parse.c     libyaml's events -> CfgNode, refusing what a config does not need (aliases, tags, depth)
 *     override.c  a.b=c -> the same nodes
 *     schema.c    sections and rows -> a tree of CfgField
 *     value.c     one scalar -> one typed value          scalar.c: the grammar of each type
 *     check.c     nodes against fields -> CfgValue, faults, defaults
 *     bind.c      CfgValue -> options structs, marks      print.c: CfgValue -> YAML, digest, help
 *     vary.c      the same text with more overrides
 */
#ifndef DIPPER_CONFIG_PRIV_H
#define DIPPER_CONFIG_PRIV_H

#include <locale.h>

#include "config/config.h"

enum {
    CFG_TEXT_LIMIT = 1 << 20,
    CFG_DEPTH_LIMIT = 32,
    CFG_NODE_LIMIT = 10000,
    CFG_SCALAR_LIMIT = 1 << 16,
    CFG_FAULT_LIMIT = 200,
    CFG_PATH_LIMIT = 512, /* of a dotted path in messages and look-ups */
    CFG_SHOWN = 64,       /* room for a value as messages show it */
    CFG_BOUNDS = 96       /* room for bounds */
};

/* ---- memory: everything of a config lives and dies with it ---- */

typedef struct CfgBlock CfgBlock;
/* *pointer = n zeroed elements, owned by the config. */
#define cfg_new(config, pointer, n) cfg_new_bytes((config), (pointer), (n), sizeof **(pointer))
dp_status cfg_new_bytes(Config *config, void *pointer, size_t n, size_t size);
dp_status cfg_copy(Config *config, const char **copy, const char *text, size_t size);

/* ---- nodes ---- */

typedef enum CfgNodeType {
    CFG_NODE_SCALAR,
    CFG_NODE_MAP,
    CFG_NODE_LIST,
    CFG_NODE_BROKEN /* a fault was reported here; nothing more is said about it */
} CfgNodeType;

typedef struct CfgNode CfgNode;
struct CfgNode {
    CfgNodeType type;
    CfgMark mark;
    const char *text; /* scalars; zero-terminated, no zero byte inside */
    size_t size;
    bool bare;      /* nothing stands there: `key:` */
    bool shorthand; /* what stood at a map's place before an override went below it */
    CfgNode *key;   /* of a child of a map */
    uint64_t hash;  /* of the key's text */
    CfgNode *first, *last, *next;
};

void cfg_append(CfgNode *parent, CfgNode *child);
CfgNode *cfg_child(const CfgNode *map, const char *key, size_t size);
dp_status cfg_add_pair(Config *config, CfgNode *map, const CfgNode *key, CfgNode *value);

/* ---- fields: the rows as a tree ---- */

typedef struct CfgField CfgField;
struct CfgField {
    const char *name;
    const CfgRow *row; /* NULL: a group */
    const CfgSection *section;
    bool active; /* belongs to this file: its section's `when` holds */
    size_t slot; /* of an active row, in the values */
    CfgField *first, *last, *next;
};

typedef struct CfgSchema {
    CfgField root;
    size_t slots;
    bool undecided; /* a key that chooses sections is missing or wrong: say nothing about what it would choose */
} CfgSchema;

dp_status cfg_schema_add(Config *config, CfgSchema *schema, const CfgSection *section, bool active);
dp_status cfg_schema_of_kind(Config *config, CfgSchema *schema, const CfgKind *kind, const CfgNode *root);
const CfgField *cfg_field(const CfgField *group, const char *name);
/* The field at a dotted path, NULL where there is none. */
const CfgField *cfg_field_at(const CfgField *root, const char *path);
/* Is the trimmed item one of "a | b | c"? Its index, or -1. */
int cfg_choice(const char *choices, const char *item);
const char *cfg_nearest_choice(Config *config, const char *choices, const char *item);

/* ---- values ---- */

typedef struct CfgValue CfgValue;
typedef struct CfgGroup {
    CfgValue *values; /* by slot */
    size_t n;
} CfgGroup;
struct CfgValue {
    const CfgRow *row;
    const CfgSection *section;
    CfgMark mark;
    bool given;          /* written, be it wrong */
    bool present;        /* `as` holds a value */
    const char *written; /* what stood there before config_settle; NULL */
    union {
        const char *text;
        int64_t integer;
        double real;
        int choice;
        CfgRange range;
        CfgPart part;
        CfgList list;
        CfgMap map;
    } as;
    CfgGroup *groups; /* CFG_MAP: the values behind each entry's struct */
};

typedef enum CfgRead { CFG_READ_GOOD, CFG_READ_WRONG, CFG_READ_OUTSIDE } CfgRead;
/* Reads one scalar (not text, name, path, choice) as the row's type, without regard to bounds. */
CfgRead cfg_read_scalar(CfgValue *value, CfgType type, const char *text);
/* Size of the field in the options struct. */
size_t cfg_size_of(CfgType type);
/* "1 .. 16 levels", "1MiB or more". out holds CFG_BOUNDS bytes. */
const char *cfg_bounds(char *out, const CfgRow *row, double min, double max);
/* "a whole number, like 1000, 1_000 or 2^20" */
const char *cfg_wanted(CfgType type);

dp_status cfg_check_value(Config *config, CfgValue *value, const CfgNode *node, const char *path);
dp_status cfg_check_group(Config *config, const CfgSchema *schema, const CfgNode *map, CfgMark mark, const char *path,
                          CfgGroup *group);
/* The value as YAML. */
dp_status cfg_print_value(dp_buf *out, const CfgValue *value);
void cfg_store(const CfgGroup *group, void *options);
void cfg_store_value(const CfgValue *value, void *options);

/* ---- numbers with a point, whatever the user's locale: of this thread, between the two calls ---- */

typedef struct CfgLocale {
    locale_t plain, before;
} CfgLocale;
dp_status cfg_locale_take(CfgLocale *locale);
void cfg_locale_give_back(CfgLocale *locale);

/* ---- the config ---- */

struct Config {
    CfgBlock *blocks;
    const char *file, *folder; /* folder: where relative paths start, absolute */
    const char *working;       /* folder of the process */
    const CfgKind *kind;
    CfgNode *root; /* a map, be it empty */
    /* What it was made from: own copies, but for the kinds. */
    const char *text;
    size_t text_size;
    const char **overrides;
    size_t n_overrides;
    const CfgKind *kinds;
    size_t n_kinds;
    CfgMark kind_mark;
    CfgSchema schema;
    CfgGroup values;
    size_t nodes;
    bool cut; /* the rest of the file could not be read: missing keys may stand there */
    CfgFault *faults;
    size_t n_faults, room_faults;
};

dp_status cfg_fault(Config *config, CfgMark mark, const char *id, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* A value as messages show it: cut, control characters replaced. out holds CFG_SHOWN bytes. */
const char *cfg_shown(char *out, const char *text);
/* "a.b" of "a" and "b". out holds CFG_PATH_LIMIT bytes. */
const char *cfg_join(char *out, const char *path, const char *key);

/* Reads the text into *root (always a node). fixed: the mark of everything in it, NULL: its place in the file. */
dp_status cfg_parse_text(Config *config, CfgNode **root, const char *text, size_t size, const CfgMark *fixed);
/* Is it UTF-8 without control characters other than tabs and line ends? */
bool cfg_is_text(const char *text);
dp_status cfg_apply_override(Config *config, const char *override);

#define CFG_COMMAND_LINE ((CfgMark){.file = "command line"})
#define CFG_DEFAULT      ((CfgMark){.file = "default"})

#endif
