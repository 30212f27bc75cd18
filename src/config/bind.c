/* Values into the structs of their rooms, and where they come from. */
#include <string.h>

#include "base/clock.h"
#include "config/config_priv.h"

void cfg_store_value(const CfgValue *value, void *options)
{
    char *place = (char *)options + value->row->at;
    size_t size = cfg_size_of(value->row->type);
    memset(place, 0, size);
    if (value->present)
        memcpy(place, &value->as, size);
    else if (value->row->type == CFG_TIME)
        memcpy(place, &(int64_t){DP_TIME_MISSING}, size);
}

void cfg_store(const CfgGroup *group, void *options)
{
    for (size_t i = 0; i < group->n; i++)
        cfg_store_value(&group->values[i], options);
}

/* Was a value wrong or needed and not there? Then its fault is in the config's list. */
static bool is_faulty(const CfgValue *value)
{
    return !value->present && (!value->row->def || value->row->def[0]);
}

dp_status config_bind(const Config *config, const CfgSection *section, void *options)
{
    if (!config->kind)
        return config_must_be_good(config);
    for (const CfgRow *row = section->rows; row->key; row++) {
        const CfgValue *value = NULL;
        for (size_t i = 0; i < config->values.n && !value; i++)
            if (config->values.values[i].row == row &&
                strcmp(config->values.values[i].section->path, section->path) == 0)
                value = &config->values.values[i];
        if (!value)
            return dp_fail(DP_ERR_INTERNAL, "config-19", "the key %s.%s was asked for but is no part of a %s config",
                           section->path, row->key, config->kind->name);
        if (is_faulty(value))
            return config_must_be_good(config);
        cfg_store_value(value, options);
    }
    return DP_OK;
}

/* ---- what became of a value ---- */

static bool is_text(CfgType type)
{
    return type == CFG_TEXT || type == CFG_NAME;
}

static bool holds(const CfgValue *value, const char *const *items, size_t n)
{
    CfgList held = is_text(value->row->type) ? (CfgList){&value->as.text, 1} : value->as.list;
    bool same = value->present && held.n == n;
    for (size_t i = 0; same && i < n; i++)
        same = strcmp(held.items[i], items[i]) == 0;
    return same;
}

static dp_status remember_written(Config *config, CfgValue *value)
{
    dp_buf text = {0};
    dp_status st = cfg_print_value(&text, value);
    if (st == DP_OK)
        st = cfg_copy(config, &value->written, text.data, text.size);
    dp_buf_free(&text);
    return st;
}

dp_status config_settle(Config *config, const char *path, const char *const *items, size_t n)
{
    const CfgField *field = cfg_field_at(&config->schema.root, path);
    CfgType type = field && field->row ? field->row->type : CFG_MAP;
    const char **copies;
    if (!field || !field->active || !(is_text(type) || type == CFG_LIST || type == CFG_WORDS) ||
        (is_text(type) && n > 1))
        return dp_fail(DP_ERR_INTERNAL, "config-19", "the key %s cannot be settled in a %s config", path,
                       config_kind(config));
    CfgValue *value = &config->values.values[field->slot];
    if (n == 0)
        value->present = false;
    if (n == 0 || holds(value, items, n))
        return DP_OK;
    if (value->present)
        DP_TRY(remember_written(config, value));
    else
        value->mark = (CfgMark){.file = "settled at the start"};
    DP_TRY(cfg_new(config, &copies, n));
    for (size_t i = 0; i < n; i++)
        DP_TRY(cfg_copy(config, &copies[i], items[i], strlen(items[i])));
    value->present = true;
    if (is_text(type))
        value->as.text = copies[0];
    else
        value->as.list = (CfgList){copies, n};
    return DP_OK;
}

/* ---- where values come from ---- */

/* The node that reaches furthest along the path; *whole where it is the path's end. Keys may hold dots themselves. */
static const CfgNode *deepest(const CfgNode *map, const char *path, bool *whole)
{
    const CfgNode *best = NULL;
    *whole = false;
    if (map->type != CFG_NODE_MAP)
        return NULL;
    for (const CfgNode *child = map->first; child && !*whole; child = child->next) {
        if (!child->key || strncmp(child->key->text, path, child->key->size) != 0)
            continue;
        if (path[child->key->size] == '\0') {
            *whole = true;
            return child;
        }
        if (path[child->key->size] == '.') {
            const CfgNode *below = deepest(child, path + child->key->size + 1, whole);
            best = below ? below : child;
        }
    }
    return best;
}

bool config_was_given(const Config *config, const char *path)
{
    bool whole;
    deepest(config->root, path, &whole);
    return whole;
}

CfgMark config_mark(const Config *config, const char *path)
{
    bool whole;
    const CfgNode *node = deepest(config->root, path, &whole);
    if (whole)
        return node->type == CFG_NODE_SCALAR ? node->mark : node->key->mark;
    const CfgField *field = cfg_field_at(&config->schema.root, path);
    if (field && field->row && field->active)
        return CFG_DEFAULT;
    return node ? node->key->mark : config->root->mark;
}
