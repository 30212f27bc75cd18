/* Sections and their rows as a tree of fields, so that a file's nodes and a kind's keys are walked side by side. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "config/config_priv.h"

const CfgField *cfg_field(const CfgField *group, const char *name)
{
    for (const CfgField *field = group->first; field; field = field->next)
        if (strcmp(field->name, name) == 0)
            return field;
    return NULL;
}

const CfgField *cfg_field_at(const CfgField *root, const char *path)
{
    while (root && *path) {
        char name[CFG_PATH_LIMIT];
        size_t n = strcspn(path, ".");
        if (n >= sizeof name)
            return NULL;
        memcpy(name, path, n);
        name[n] = '\0';
        root = cfg_field(root, name);
        path += n + (path[n] == '.');
    }
    return root;
}

/* The child of that name, made where it is not there. */
static dp_status child_of(Config *config, CfgField *group, CfgField **child, const char *name, size_t size)
{
    for (CfgField *field = group->first; field; field = field->next)
        if (strlen(field->name) == size && memcmp(field->name, name, size) == 0) {
            *child = field;
            return DP_OK;
        }
    DP_TRY(cfg_new(config, child, 1));
    DP_TRY(cfg_copy(config, &(*child)->name, name, size));
    if (group->last)
        group->last->next = *child;
    else
        group->first = *child;
    group->last = *child;
    return DP_OK;
}

static dp_status add_row(Config *config, CfgSchema *schema, const CfgSection *section, const CfgRow *row, bool active)
{
    char path[CFG_PATH_LIMIT];
    CfgField *field = &schema->root;
    cfg_join(path, section->path, row->key);
    for (const char *at = path; *at;) {
        size_t n = strcspn(at, ".");
        if (field->row && !active)
            return DP_OK;
        if (field->row)
            return dp_fail(DP_ERR_INTERNAL, "config-19", "the key %s stands below a key that has a value of its own",
                           path);
        DP_TRY(child_of(config, field, &field, at, n));
        field->active |= active;
        at += n + (at[n] == '.');
    }
    if (active && (field->row || field->first))
        return dp_fail(DP_ERR_INTERNAL, "config-19", "the key %s is described twice", path);
    if (!active && (field->active || field->row || field->first))
        return DP_OK; /* another section of this file has it */
    field->row = row;
    field->section = section;
    if (active)
        field->slot = schema->slots++;
    return DP_OK;
}

dp_status cfg_schema_add(Config *config, CfgSchema *schema, const CfgSection *section, bool active)
{
    for (const CfgRow *row = section->rows; row->key; row++)
        DP_TRY(add_row(config, schema, section, row, active));
    return DP_OK;
}

/* ---- lists in words: "symmetric | depth | leaf" ---- */

/* The next item, trimmed; its end, NULL at the end of the list. */
static const char *next_choice(const char *at, const char **item, size_t *size)
{
    if (!at || !*at)
        return NULL;
    at += strspn(at, " |");
    *item = at;
    size_t n = strcspn(at, "|");
    const char *end = at + n;
    while (n > 0 && at[n - 1] == ' ')
        n--;
    *size = n;
    return n > 0 ? end : NULL;
}

int cfg_choice(const char *choices, const char *item)
{
    const char *at = choices, *choice;
    size_t size, length = strlen(item);
    for (int i = 0; (at = next_choice(at, &choice, &size)); i++)
        if (size == length && memcmp(choice, item, size) == 0)
            return i;
    return -1;
}

const char *cfg_nearest_choice(Config *config, const char *choices, const char *item)
{
    const char *names[64], *at = choices, *choice;
    size_t size, n = 0;
    while (n < 64 && (at = next_choice(at, &choice, &size)))
        if (cfg_copy(config, &names[n], choice, size) == DP_OK)
            n++;
    return dp_nearest(item, names, n);
}

/* ---- sections that belong to some files only ---- */

typedef struct When {
    char path[CFG_PATH_LIMIT];
    const char *values; /* "trees | blend" */
} When;

static dp_status split_when(When *when, const CfgSection *section)
{
    const char *sign = strchr(section->when, '=');
    size_t n = sign ? (size_t)(sign - section->when) : 0;
    while (n > 0 && section->when[n - 1] == ' ')
        n--;
    if (n == 0 || n >= sizeof when->path)
        return dp_fail(DP_ERR_INTERNAL, "config-19", "the condition '%s' is not `key = value`", section->when);
    memcpy(when->path, section->when, n);
    when->path[n] = '\0';
    when->values = sign + 1;
    return DP_OK;
}

static const CfgNode *node_at(const CfgNode *node, const char *path)
{
    while (node && *path) {
        size_t n = strcspn(path, ".");
        node = node->type == CFG_NODE_MAP ? cfg_child(node, path, n) : NULL;
        path += n + (path[n] == '.');
    }
    return node;
}

static bool has_row(const CfgKind *kind, const char *path)
{
    char full[CFG_PATH_LIMIT];
    for (size_t i = 0; i < kind->n; i++)
        for (const CfgRow *row = kind->sections[i].rows; row->key; row++)
            if (strcmp(cfg_join(full, kind->sections[i].path, row->key), path) == 0)
                return true;
    return false;
}

/* Does the file (or the default) give the key one of the values? decided: false where the key's value is none of its
 * choices, so that nothing can be said about the keys that hang on it. */
static dp_status holds(const CfgSchema *schema, const CfgKind *kind, const CfgSection *section, const CfgNode *root,
                       bool *yes, bool *decided)
{
    When when;
    DP_TRY(split_when(&when, section));
    const CfgField *field = cfg_field_at(&schema->root, when.path);
    const CfgNode *node = node_at(root, when.path);
    *yes = *decided = false;
    if (!field && has_row(kind, when.path)) { /* the key itself belongs to a section that this file has not */
        *decided = true;
        return DP_OK;
    }
    if (!field || !field->row)
        return dp_fail(DP_ERR_INTERNAL, "config-19", "the condition '%s' names a key that no section has",
                       section->when);
    const char *value = !node ? field->row->def : node->type == CFG_NODE_SCALAR ? node->text : NULL;
    if (!value)
        return DP_OK;
    *yes = cfg_choice(when.values, value) >= 0;
    *decided = *yes || field->row->type != CFG_CHOICE || cfg_choice(field->row->choices, value) >= 0;
    return DP_OK;
}

dp_status cfg_schema_of_kind(Config *config, CfgSchema *schema, const CfgKind *kind, const CfgNode *root)
{
    static const CfgRow kind_rows[] = {{.key = "kind", .type = CFG_NAME, .help = "what this file describes"},
                                       {.key = NULL}};
    static const CfgSection kind_section = {.path = "", .rows = kind_rows};
    bool *active;
    DP_TRY(cfg_new(config, &active, kind->n));
    if (!has_row(kind, "kind"))
        DP_TRY(cfg_schema_add(config, schema, &kind_section, true));
    for (size_t i = 0; i < kind->n; i++)
        if (!kind->sections[i].when)
            DP_TRY(cfg_schema_add(config, schema, &kind->sections[i], true));
    for (size_t i = 0; i < kind->n; i++) {
        bool decided = true;
        if (!kind->sections[i].when)
            continue;
        DP_TRY(holds(schema, kind, &kind->sections[i], root, &active[i], &decided));
        schema->undecided |= !decided;
        if (active[i])
            DP_TRY(cfg_schema_add(config, schema, &kind->sections[i], true));
    }
    for (size_t i = 0; i < kind->n; i++)
        if (kind->sections[i].when && !active[i])
            DP_TRY(cfg_schema_add(config, schema, &kind->sections[i], false));
    return DP_OK;
}
