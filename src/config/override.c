/* a.b=c: an override becomes nodes of the file's tree, so that it is checked by the same rows. */
#include <string.h>

#include "config/config_priv.h"

void cfg_append(CfgNode *parent, CfgNode *child)
{
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
}

CfgNode *cfg_child(const CfgNode *map, const char *key, size_t size)
{
    uint64_t hash = dp_hash64(key, size, 0);
    if (map->type != CFG_NODE_MAP)
        return NULL;
    for (CfgNode *child = map->first; child; child = child->next)
        if (child->key && child->hash == hash && child->key->size == size && memcmp(child->key->text, key, size) == 0)
            return child;
    return NULL;
}

/* The value of an override. Lists, maps and quoted words are YAML; everything else is taken as it stands. */
static dp_status read_value(Config *config, CfgNode **value, const char *text)
{
    CfgMark mark = CFG_COMMAND_LINE;
    const char *first = text + strspn(text, " ");
    if (*first == '[' || *first == '{' || *first == '"' || *first == '\'') {
        bool cut = config->cut;
        DP_TRY(cfg_parse_text(config, value, text, strlen(text), &mark));
        config->cut = cut;
        return DP_OK;
    }
    CfgNode *flat;
    size_t size = strlen(text);
    DP_TRY(cfg_new(config, &flat, 1));
    flat->mark = mark;
    flat->size = size;
    *value = flat;
    if (size > CFG_SCALAR_LIMIT) {
        flat->type = CFG_NODE_BROKEN;
        return cfg_fault(config, mark, "config-12", "a value longer than %d; no config needs that", CFG_SCALAR_LIMIT);
    }
    return cfg_copy(config, &flat->text, text, size);
}

/* Puts `value` into the place of the node `old` of its parent, keeping the chain. */
static void take_place(CfgNode *old, const CfgNode *value)
{
    CfgNode *next = old->next, *key = old->key;
    uint64_t hash = old->hash;
    *old = *value;
    old->next = next;
    old->key = key;
    old->hash = hash;
}

/* A value that stands where the path goes on becomes a map that remembers it: `hs6: code` may be short for
 * `hs6: {type: code}`, which only the rows know. */
static dp_status make_map(Config *config, CfgNode *node)
{
    if (node->type != CFG_NODE_SCALAR)
        return DP_OK;
    CfgNode *held, map = {.type = CFG_NODE_MAP, .mark = CFG_COMMAND_LINE};
    DP_TRY(cfg_new(config, &held, 1));
    *held = *node;
    held->next = NULL;
    held->key = NULL;
    held->shorthand = true;
    take_place(node, &map);
    if (!held->bare)
        cfg_append(node, held);
    return DP_OK;
}

static dp_status child_named(Config *config, CfgNode *map, CfgNode **child, const char *name, size_t size)
{
    CfgNode key = {.type = CFG_NODE_SCALAR, .mark = CFG_COMMAND_LINE, .size = size};
    *child = cfg_child(map, name, size);
    if (*child)
        return DP_OK;
    DP_TRY(cfg_copy(config, &key.text, name, size));
    DP_TRY(cfg_new(config, child, 1));
    (*child)->type = CFG_NODE_MAP;
    (*child)->mark = CFG_COMMAND_LINE;
    return cfg_add_pair(config, map, &key, *child);
}

dp_status cfg_apply_override(Config *config, const char *override)
{
    char shown[CFG_SHOWN];
    const char *sign = strchr(override, '=');
    CfgNode *node = config->root, *value;
    int depth = 0;
    if (!cfg_is_text(override))
        return cfg_fault(config, CFG_COMMAND_LINE, "config-13",
                         "an override holds bytes that are no text in UTF-8, or control characters");
    cfg_shown(shown, override);
    if (!sign || sign == override)
        return cfg_fault(config, CFG_COMMAND_LINE, "config-16", "'%s' is not key=value, like model.depth=7", shown);
    if (strncmp(override, "kind=", 5) == 0)
        return cfg_fault(config, CFG_COMMAND_LINE, "config-16",
                         "the kind of a file cannot be changed; name another file");
    DP_TRY(read_value(config, &value, sign + 1));
    for (const char *at = override; at < sign; depth++) {
        size_t n = strcspn(at, ".=");
        if (n == 0 || (at[n] == '.' && at + n + 1 == sign) || depth == CFG_DEPTH_LIMIT)
            return cfg_fault(config, CFG_COMMAND_LINE, "config-16", "'%s' does not name a key, like model.depth",
                             shown);
        DP_TRY(make_map(config, node));
        if (node->type == CFG_NODE_BROKEN)
            return DP_OK;
        if (node->type != CFG_NODE_MAP)
            return cfg_fault(config, CFG_COMMAND_LINE, "config-16", "'%s' goes below a list; give the whole list",
                             shown);
        DP_TRY(child_named(config, node, &node, at, n));
        at += n + (at[n] == '.');
    }
    take_place(node, value);
    node->key->mark = CFG_COMMAND_LINE;
    return DP_OK;
}
