/* Nodes against fields: unknown keys, groups, defaults, missing keys. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "config/config_priv.h"

/* Where in the schema is a key of this name? The path of the group that has it, NULL where none or more than one. */
static size_t groups_with(const CfgField *group, const char *path, const char *name, char *found)
{
    size_t n = 0;
    for (const CfgField *field = group->first; field; field = field->next) {
        char inner[CFG_PATH_LIMIT];
        if (strcmp(field->name, name) == 0 && field->active && *path) {
            snprintf(found, CFG_PATH_LIMIT, "%s", path);
            n++;
        }
        cfg_join(inner, path, field->name);
        n += groups_with(field, inner, name, found);
    }
    return n;
}

/* The section's condition that a key hangs on, for the message; NULL where none is below the field. */
static const char *condition_of(const CfgField *field)
{
    if (field->row)
        return field->section->when;
    return field->first ? condition_of(field->first) : NULL;
}

static dp_status list_known(Config *config, CfgMark mark, const char *name, const CfgField *group)
{
    char known[150] = "";
    size_t at = 0;
    for (const CfgField *field = group->first; field; field = field->next) {
        if (!field->active)
            continue;
        if (at + strlen(field->name) + 8 > sizeof known) {
            snprintf(known + at, sizeof known - at, ", ...");
            break;
        }
        at += (size_t)snprintf(known + at, sizeof known - at, "%s%s", at ? ", " : "", field->name);
    }
    return cfg_fault(config, mark, "config-03", "unknown key '%s'; known here: %s", name, known);
}

static dp_status unknown_key(Config *config, const CfgSchema *schema, const CfgField *group, const CfgNode *key,
                             const char *path)
{
    const char *names[256], *near;
    char shown[CFG_SHOWN], full[CFG_PATH_LIMIT], home[CFG_PATH_LIMIT];
    const CfgField *field = cfg_field(group, key->text);
    CfgMark mark = key->mark;
    size_t n = 0;
    cfg_shown(shown, mark.line > 0 ? key->text : cfg_join(full, path, key->text));
    if (field && schema->undecided)
        return DP_OK;
    if (field)
        return cfg_fault(config, mark, "config-15", "'%s' belongs to files with %s", shown, condition_of(field));
    for (const CfgField *known = group->first; known && n < 256; known = known->next)
        if (known->active)
            names[n++] = known->name;
    near = dp_nearest(key->text, names, n);
    if (near)
        return cfg_fault(config, mark, "config-03", "unknown key '%s' (did you mean '%s'?)", shown, near);
    if (strchr(key->text, '.') && cfg_field_at(group, key->text))
        return cfg_fault(config, mark, "config-03",
                         "unknown key '%s'; in a file a dot is a level: %.*s: and below it "
                         "the rest",
                         shown, (int)strcspn(key->text, "."), key->text);
    if (groups_with(&schema->root, "", key->text, home) == 1)
        return cfg_fault(config, mark, "config-03", "unknown key '%s'; it stands below '%s'", shown, home);
    return list_known(config, mark, shown, group);
}

static dp_status check_children(Config *config, const CfgSchema *schema, const CfgField *group, const CfgNode *map,
                                const char *path, CfgGroup *values)
{
    for (const CfgNode *node = map->first; node; node = node->next) {
        char inner[CFG_PATH_LIMIT];
        if (node->shorthand) {
            DP_TRY(cfg_fault(config, node->mark, "config-14", "'%s' wants keys below it, not a single value",
                             *path ? path : "the file"));
            continue;
        }
        const CfgField *field = cfg_field(group, node->key->text);
        cfg_join(inner, path, node->key->text);
        if (!field || !field->active) {
            DP_TRY(unknown_key(config, schema, group, node->key, path));
        } else if (field->row) {
            values->values[field->slot].given = true;
            DP_TRY(cfg_check_value(config, &values->values[field->slot], node, inner));
        } else if (node->type == CFG_NODE_MAP) {
            DP_TRY(check_children(config, schema, field, node, inner, values));
        } else if (node->type != CFG_NODE_BROKEN && !node->bare) {
            DP_TRY(cfg_fault(config, node->mark, "config-14", "'%s' wants keys below it, not a %s", node->key->text,
                             node->type == CFG_NODE_LIST ? "list" : "single value"));
        }
    }
    return DP_OK;
}

/* ---- what was not written ---- */

static dp_status take_default(Config *config, CfgValue *value, const char *path)
{
    const char *text = value->row->def;
    CfgMark mark = CFG_DEFAULT;
    CfgNode *node;
    size_t before = config->n_faults, nodes = config->nodes;
    bool cut = config->cut, many = value->row->type == CFG_LIST || value->row->type == CFG_MAP ||
                                   (value->row->type == CFG_WORDS && *text == '[');
    config->nodes = 0;
    if (many) {
        DP_TRY(cfg_parse_text(config, &node, text, strlen(text), &mark));
    } else {
        DP_TRY(cfg_new(config, &node, 1));
        node->mark = mark;
        node->text = text;
        node->size = strlen(text);
    }
    DP_TRY(cfg_check_value(config, value, node, path));
    config->nodes = nodes;
    config->cut = cut;
    if (config->n_faults != before)
        return dp_fail(DP_ERR_INTERNAL, "config-19", "the default of %s is wrong: %s", path,
                       config->faults[before].text);
    return DP_OK;
}

/* Gives defaults to what is not there and reports what is missing. node: what stands at the group's place, or NULL;
 * mark: of the nearest key above that was written. */
static dp_status complete(Config *config, const CfgField *group, const CfgNode *node, CfgMark mark, const char *path,
                          CfgGroup *values)
{
    for (const CfgField *field = group->first; field; field = field->next) {
        char inner[CFG_PATH_LIMIT];
        if (!field->active)
            continue;
        cfg_join(inner, path, field->name);
        if (!field->row) {
            const CfgNode *child = node ? cfg_child(node, field->name, strlen(field->name)) : NULL;
            if (child && child->type == CFG_NODE_BROKEN)
                continue;
            DP_TRY(complete(config, field, child, child ? child->key->mark : mark, inner, values));
            continue;
        }
        CfgValue *value = &values->values[field->slot];
        value->row = field->row;
        value->section = field->section;
        if (value->given)
            continue;
        value->mark = CFG_DEFAULT;
        if (field->row->def && *field->row->def)
            DP_TRY(take_default(config, value, inner));
        else if (!field->row->def && !config->cut && strcmp(inner, "kind") != 0)
            DP_TRY(cfg_fault(config, mark, "config-05", "missing key '%s': %s", inner,
                             field->row->help ? field->row->help : cfg_wanted(field->row->type)));
    }
    return DP_OK;
}

static void name_rows(const CfgField *group, CfgGroup *values)
{
    for (const CfgField *field = group->first; field; field = field->next) {
        if (field->active && field->row) {
            values->values[field->slot].row = field->row;
            values->values[field->slot].section = field->section;
        }
        name_rows(field, values);
    }
}

dp_status cfg_check_group(Config *config, const CfgSchema *schema, const CfgNode *map, CfgMark mark, const char *path,
                          CfgGroup *group)
{
    CfgNode nothing = {.type = CFG_NODE_MAP};
    DP_TRY(cfg_new(config, &group->values, schema->slots));
    group->n = schema->slots;
    name_rows(&schema->root, group);
    if (map->type != CFG_NODE_MAP)
        map = &nothing;
    DP_TRY(check_children(config, schema, &schema->root, map, path, group));
    return complete(config, &schema->root, map, mark, path, group);
}
