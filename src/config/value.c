/* One node against one row: a typed value, or a fault that says what was wanted. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "config/config_priv.h"

/* The last word of a path: how messages call a key. On the command line, where no place tells more, the whole path. */
static const char *called(const char *path, CfgMark mark)
{
    const char *dot = strrchr(path, '.');
    return dot && mark.line > 0 ? dot + 1 : path;
}

static dp_status wrong(Config *config, const CfgRow *row, const CfgNode *node, const char *path)
{
    char shown[CFG_SHOWN];
    const char *name = called(path, node->mark);
    if (node->bare)
        return cfg_fault(config, node->mark, "config-17", "'%s' has no value; it wants %s", name,
                         cfg_wanted(row->type));
    return cfg_fault(config, node->mark, "config-06", "'%s' wants %s, not '%s'", name, cfg_wanted(row->type),
                     cfg_shown(shown, node->text));
}

static dp_status outside(Config *config, const CfgRow *row, const CfgNode *node, const char *path)
{
    char shown[CFG_SHOWN], allowed[CFG_BOUNDS];
    const char *name = called(path, node->mark), *why = "";
    double min = row->min, max = row->max;
    if (row->type == CFG_SHARE && min == 0 && max == 0)
        max = 1;
    if (row->type == CFG_SHARE && !strchr(node->text, '%'))
        why = "; as a percentage it needs the sign, like 80%";
    if (min == 0 && max == 0)
        return cfg_fault(config, node->mark, "config-07", "'%s' is %s: not possible for %s", name,
                         cfg_shown(shown, node->text), cfg_wanted(row->type));
    return cfg_fault(config, node->mark, "config-07", "'%s' is %s, outside %s%s", name, cfg_shown(shown, node->text),
                     cfg_bounds(allowed, row, min, max), why);
}

static bool within(const CfgRow *row, double value)
{
    double min = row->min, max = row->max;
    if (row->type == CFG_SHARE && min == 0 && max == 0)
        max = 1;
    if (min == 0 && max == 0)
        return true;
    return value >= min && (max < min || value <= max);
}

static bool value_is_within(const CfgRow *row, const CfgValue *value)
{
    switch (row->type) {
    case CFG_INT:
        return within(row, (double)value->as.integer);
    case CFG_BYTES: /* a size is never below nothing */
        return value->as.integer >= 0 && within(row, (double)value->as.integer);
    case CFG_DURATION:
        return value->as.real >= 0 && within(row, value->as.real);
    case CFG_REAL:
    case CFG_SHARE:
        return within(row, value->as.real);
    case CFG_RANGE:
        return within(row, value->as.range.low) && (isinf(value->as.range.high) || within(row, value->as.range.high));
    default:
        return true;
    }
}

static dp_status unknown_choice(Config *config, const CfgNode *node, const char *choices, const char *path)
{
    char shown[CFG_SHOWN];
    const char *name = called(path, node->mark), *near = cfg_nearest_choice(config, choices, node->text);
    if (near)
        return cfg_fault(config, node->mark, "config-08", "'%s' can not be '%s' (did you mean '%s'?)", name,
                         cfg_shown(shown, node->text), near);
    return cfg_fault(config, node->mark, "config-08", "'%s' can not be '%s', only %s", name,
                     cfg_shown(shown, node->text), choices);
}

/* An absolute path without "." parts and double slashes, so that one place has one spelling. */
static dp_status absolute(Config *config, const char **out, const char *path, CfgMark mark)
{
    const char *start = mark.line > 0 ? config->folder : config->working;
    size_t n = 0, size = strlen(path);
    char *made;
    DP_TRY(cfg_new(config, &made, strlen(start) + size + 3));
    for (int part = 0; part < 2; part++) {
        const char *at = part == 0 ? start : path;
        if (part == 0 && path[0] == '/')
            continue;
        while (*at) {
            size_t length = strcspn(at, "/");
            if (length > 0 && !(length == 1 && at[0] == '.')) {
                made[n++] = '/';
                memcpy(made + n, at, length);
                n += length;
            }
            at += length + (at[length] == '/');
        }
    }
    if (n == 0)
        made[n++] = '/';
    *out = made;
    return DP_OK;
}

static dp_status check_words(Config *config, CfgValue *value, const CfgNode *node, const char *path)
{
    const CfgRow *row = value->row;
    switch (row->type) {
    case CFG_NAME:
        if (!dp_name_is_good(node->text)) {
            char shown[CFG_SHOWN];
            return cfg_fault(config, node->mark, "config-09", "'%s' wants %s, not '%s'", called(path, node->mark),
                             cfg_wanted(CFG_NAME), cfg_shown(shown, node->text));
        }
        break;
    case CFG_CHOICE:
        value->as.choice = cfg_choice(row->choices, node->text);
        value->present = value->as.choice >= 0;
        return value->present ? DP_OK : unknown_choice(config, node, row->choices, path);
    case CFG_PATH:
        if (node->size == 0)
            return wrong(config, row, node, path);
        value->present = true;
        return absolute(config, &value->as.text, node->text, node->mark);
    default:
        break;
    }
    value->as.text = node->text;
    value->present = true;
    return DP_OK;
}

static dp_status check_scalar(Config *config, CfgValue *value, const CfgNode *node, const char *path)
{
    const CfgRow *row = value->row;
    if (node->type != CFG_NODE_SCALAR)
        return cfg_fault(config, node->mark, "config-14", "'%s' wants %s, not a %s", called(path, node->mark),
                         cfg_wanted(row->type), node->type == CFG_NODE_MAP ? "map of keys" : "list");
    if (node->bare)
        return wrong(config, row, node, path);
    if (row->type == CFG_TEXT || row->type == CFG_NAME || row->type == CFG_PATH || row->type == CFG_CHOICE)
        return check_words(config, value, node, path);
    CfgRead read = cfg_read_scalar(value, row->type, node->text);
    if (read == CFG_READ_WRONG)
        return wrong(config, row, node, path);
    if (read == CFG_READ_OUTSIDE || !value_is_within(row, value))
        return outside(config, row, node, path);
    value->present = true;
    return DP_OK;
}

/* ---- lists ---- */

static dp_status check_item(Config *config, const CfgRow *row, const CfgNode *item, const char *path, bool *good)
{
    *good = false;
    if (item->type == CFG_NODE_BROKEN)
        return DP_OK;
    if (item->type != CFG_NODE_SCALAR)
        return cfg_fault(config, item->mark, "config-14", "'%s' is a list of single values, not of lists or maps",
                         called(path, item->mark));
    if (item->bare)
        return cfg_fault(config, item->mark, "config-17", "'%s' has an item without a value", called(path, item->mark));
    if (row->choices && cfg_choice(row->choices, item->text) < 0)
        return unknown_choice(config, item, row->choices, path);
    *good = true;
    return DP_OK;
}

static dp_status check_list(Config *config, CfgValue *value, const CfgNode *node, const char *path)
{
    const CfgRow *row = value->row;
    const char **items;
    size_t n = 0;
    bool all = true, good;
    bool single = node->type == CFG_NODE_SCALAR && !node->bare && row->type == CFG_WORDS;
    if (node->bare)
        return wrong(config, row, node, path);
    if (node->type != CFG_NODE_LIST && !single)
        return cfg_fault(config, node->mark, "config-14", "'%s' wants %s, not a %s", called(path, node->mark),
                         cfg_wanted(row->type), node->type == CFG_NODE_MAP ? "map of keys" : "single value");
    const CfgNode *first = single ? node : node->first;
    for (const CfgNode *item = first; item; item = single ? NULL : item->next)
        n++;
    DP_TRY(cfg_new(config, &items, n));
    value->as.list = (CfgList){.items = items, .n = n};
    for (const CfgNode *item = first; item; item = single ? NULL : item->next) {
        DP_TRY(check_item(config, row, item, path, &good));
        *items++ = item->text;
        all &= good;
    }
    if (!within(row, (double)n)) {
        char allowed[CFG_BOUNDS];
        return cfg_fault(config, node->mark, "config-07", "'%s' has %zu items, outside %s", called(path, node->mark), n,
                         cfg_bounds(allowed, row, row->min, row->max));
    }
    value->present = all;
    return DP_OK;
}

/* ---- maps with free keys ---- */

/* `hs6: code` as `hs6: {type: code}`, `depth: [4, 6]` as `depth: {values: [4, 6]}`. */
static dp_status spell_out(Config *config, const CfgRow *row, const CfgNode *plain, CfgNode **map)
{
    CfgNode key = {.type = CFG_NODE_SCALAR, .text = row->shorthand, .size = strlen(row->shorthand)}, *value;
    key.mark = plain->mark;
    DP_TRY(cfg_new(config, map, 1));
    DP_TRY(cfg_new(config, &value, 1));
    (*map)->type = CFG_NODE_MAP;
    (*map)->mark = plain->mark;
    *value = *plain;
    value->next = NULL;
    value->shorthand = false;
    return cfg_add_pair(config, *map, &key, value);
}

/* An entry whose shorthand an override went below: the shorthand becomes its key, unless that is given. */
static dp_status unfold(Config *config, const CfgRow *row, const CfgNode *node, CfgNode **map)
{
    const CfgNode *held = node->first;
    DP_TRY(spell_out(config, row, held, map));
    (*map)->mark = node->mark;
    for (const CfgNode *child = held->next, *next; child; child = next) {
        CfgNode *same = cfg_child(*map, child->key->text, child->key->size), *copy;
        next = child->next;
        DP_TRY(cfg_new(config, &copy, 1));
        *copy = *child;
        copy->next = NULL;
        if (same)
            copy->next = same->next, *same = *copy;
        else
            cfg_append(*map, copy);
    }
    return DP_OK;
}

/* May a list stand for the whole entry? */
static bool takes_list(const CfgRow *row)
{
    for (const CfgRow *below = row->rows; row->shorthand && below->key; below++)
        if (strcmp(below->key, row->shorthand) == 0)
            return below->type == CFG_WORDS;
    return false;
}

static dp_status check_entry(Config *config, const CfgRow *row, const CfgSchema *schema, const CfgNode *node,
                             const char *path, CfgEntry *entry, CfgGroup *group)
{
    CfgNode *map = NULL;
    char inner[CFG_PATH_LIMIT], *place;
    cfg_join(inner, path, node->key->text);
    *entry = (CfgEntry){.key = node->key->text, .mark = node->key->mark};
    if (!dp_name_is_good(entry->key)) {
        char shown[CFG_SHOWN];
        DP_TRY(cfg_fault(config, node->key->mark, "config-09", "'%s' is not a name of a-z, 0-9 and . _ - (64 at most)",
                         cfg_shown(shown, entry->key)));
    }
    DP_TRY(cfg_new(config, &place, row->size));
    entry->value = place;
    if (node->type == CFG_NODE_BROKEN)
        return DP_OK;
    bool scalar = node->type == CFG_NODE_SCALAR && !node->bare, list = node->type == CFG_NODE_LIST;
    if ((scalar && !row->shorthand) || (list && !takes_list(row)))
        return cfg_fault(config, node->mark, "config-14", "'%s' wants a map of keys, not a %s",
                         called(inner, node->mark), scalar ? "single value" : "list");
    if (scalar || list)
        DP_TRY(spell_out(config, row, node, &map));
    else if (row->shorthand && node->first && node->first->shorthand)
        DP_TRY(unfold(config, row, node, &map));
    DP_TRY(cfg_check_group(config, schema, map ? map : node, node->mark, inner, group));
    cfg_store(group, place);
    return DP_OK;
}

static dp_status check_map(Config *config, CfgValue *value, const CfgNode *node, const char *path)
{
    const CfgRow *row = value->row;
    CfgSection section = {.path = "", .rows = row->rows};
    CfgSchema *schema;
    CfgEntry *entries;
    size_t n = 0, i = 0;
    if (node->bare)
        return wrong(config, row, node, path);
    if (node->type != CFG_NODE_MAP || (node->first && node->first->shorthand))
        return cfg_fault(config, node->type == CFG_NODE_MAP ? node->first->mark : node->mark, "config-14",
                         "'%s' wants a map of keys, not a %s", called(path, node->mark),
                         node->type == CFG_NODE_LIST ? "list" : "single value");
    for (const CfgNode *child = node->first; child; child = child->next)
        n++;
    DP_TRY(cfg_new(config, &schema, 1));
    DP_TRY(cfg_schema_add(config, schema, &section, true));
    DP_TRY(cfg_new(config, &entries, n));
    DP_TRY(cfg_new(config, &value->groups, n));
    value->as.map = (CfgMap){.entries = entries, .n = n};
    for (const CfgNode *child = node->first; child; child = child->next, i++)
        DP_TRY(check_entry(config, row, schema, child, path, &entries[i], &value->groups[i]));
    value->present = true;
    return DP_OK;
}

dp_status cfg_check_value(Config *config, CfgValue *value, const CfgNode *node, const char *path)
{
    value->mark = node->mark;
    if (node->type == CFG_NODE_BROKEN)
        return DP_OK;
    switch (value->row->type) {
    case CFG_LIST:
    case CFG_WORDS:
        return check_list(config, value, node, path);
    case CFG_MAP:
        return check_map(config, value, node, path);
    default:
        return check_scalar(config, value, node, path);
    }
}
