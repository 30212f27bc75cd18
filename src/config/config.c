/* A config's memory, its faults, and the road from text to checked values. */
#include "config/config.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/publish.h"
#include "base/text.h"
#include "config/config_priv.h"

/* ---- memory ---- */

struct CfgBlock {
    CfgBlock *before;
    char *data;
    size_t used, size;
};

enum { BLOCK = 1 << 14, ALIGNMENT = 16 };

dp_status cfg_new_bytes(Config *config, void *pointer, size_t n, size_t size)
{
    size_t bytes = 0;
    CfgBlock *block = config->blocks;
    DP_TRY(dp_bytes_of(&bytes, n, size));
    bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (!block || block->size - block->used < bytes) {
        dp_status st = DP_OK;
        DP_TRY(dp_new(&block, 1));
        block->size = bytes > BLOCK ? bytes : BLOCK;
        st = dp_new(&block->data, block->size);
        if (st != DP_OK) {
            dp_free(&block);
            return st;
        }
        block->before = config->blocks;
        config->blocks = block;
    }
    void *place = block->data + block->used;
    block->used += bytes;
    memcpy(pointer, &place, sizeof place);
    return DP_OK;
}

dp_status cfg_copy(Config *config, const char **copy, const char *text, size_t size)
{
    char *made;
    DP_TRY(cfg_new(config, &made, size + 1));
    if (size > 0)
        memcpy(made, text, size);
    *copy = made;
    return DP_OK;
}

void config_free(Config **config)
{
    if (!*config)
        return;
    for (CfgBlock *block = (*config)->blocks, *before; block; block = before) {
        before = block->before;
        dp_free(&block->data);
        dp_free(&block);
    }
    dp_free(&(*config)->faults);
    dp_free(config);
}

/* ---- locale ---- */

dp_status cfg_locale_take(CfgLocale *locale)
{
    locale->plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!locale->plain)
        return dp_fail(DP_ERR_AGAIN, "base-01", "out of memory: no locale can be made");
    locale->before = uselocale(locale->plain);
    return DP_OK;
}

void cfg_locale_give_back(CfgLocale *locale)
{
    uselocale(locale->before);
    freelocale(locale->plain);
}

/* ---- words ---- */

const char *cfg_shown(char *out, const char *text)
{
    size_t n = 0;
    while (text[n] && n < CFG_SHOWN - 4) {
        unsigned char c = (unsigned char)text[n];
        out[n++] = c < 0x20 || c == 0x7F ? '.' : (char)c;
    }
    if (text[n]) {
        while (n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80)
            n--;
        memcpy(out + n, "...", 3);
        n += 3;
    }
    out[n] = '\0';
    return out;
}

const char *cfg_join(char *out, const char *path, const char *key)
{
    snprintf(out, CFG_PATH_LIMIT, "%s%s%s", path, *path && *key ? "." : "", key);
    return out;
}

/* ---- faults ---- */

static dp_status add_fault(Config *config, CfgMark mark, const char *id, const char *format, va_list args)
{
    if (config->n_faults == CFG_FAULT_LIMIT)
        return DP_OK;
    if (config->n_faults == config->room_faults) {
        size_t room = config->room_faults ? 2 * config->room_faults : 8;
        DP_TRY(dp_resize(&config->faults, config->room_faults, room));
        config->room_faults = room;
    }
    CfgFault *fault = &config->faults[config->n_faults++];
    *fault = (CfgFault){.mark = mark};
    if (config->n_faults == CFG_FAULT_LIMIT) {
        snprintf(fault->id, sizeof fault->id, "config-12");
        snprintf(fault->text, sizeof fault->text, "more than %d faults; the others are not shown", CFG_FAULT_LIMIT - 1);
        fault->mark.line = INT_MAX; /* sorts behind those of the file */
        return DP_OK;
    }
    snprintf(fault->id, sizeof fault->id, "%s", id);
    vsnprintf(fault->text, sizeof fault->text, format, args);
    return DP_OK;
}

dp_status cfg_fault(Config *config, CfgMark mark, const char *id, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    dp_status st = add_fault(config, mark, id, format, args);
    va_end(args);
    return st;
}

/* File first, by line and column; then the command line. Equal ones stay in the order they were found. */
static bool stands_after(const CfgMark *a, const CfgMark *b)
{
    bool a_file = a->line > 0, b_file = b->line > 0;
    if (a_file != b_file)
        return b_file;
    return a->line != b->line ? a->line > b->line : a->column > b->column;
}

static void sort_faults(Config *config)
{
    for (size_t i = 1; i < config->n_faults; i++) {
        CfgFault held = config->faults[i];
        size_t j = i;
        for (; j > 0 && stands_after(&config->faults[j - 1].mark, &held.mark); j--)
            config->faults[j] = config->faults[j - 1];
        config->faults[j] = held;
    }
}

const CfgFault *config_faults(const Config *config, size_t *n)
{
    *n = config->n_faults;
    return config->faults;
}

dp_status config_add_fault(Config *config, const char *path, const char *id, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    dp_status st = add_fault(config, config_mark(config, path), id, format, args);
    va_end(args);
    sort_faults(config);
    return st;
}

dp_status config_must_be_good(const Config *config)
{
    if (config->n_faults == 0)
        return DP_OK;
    const CfgFault *first = &config->faults[0];
    char place[32] = "", more[48] = "";
    if (first->mark.line > 0)
        snprintf(place, sizeof place, ":%d:%d", first->mark.line, first->mark.column);
    if (config->n_faults > 1)
        snprintf(more, sizeof more, "; %zu faults in all", config->n_faults);
    return dp_fail(DP_ERR_CONFIG, first->id, "%s%s: %s%s", first->mark.file, place, first->text, more);
}

/* ---- from text to values ---- */

static dp_status find_kind(Config *config, const CfgKind *kinds, size_t n_kinds)
{
    const char *names[32], *near = NULL;
    char shown[CFG_SHOWN];
    const CfgNode *node = cfg_child(config->root, "kind", 4);
    CfgMark mark = config->root->mark;
    size_t n = n_kinds < 32 ? n_kinds : 32;
    if (!node && config->cut)
        return DP_OK;
    if (!node)
        return cfg_fault(config, mark, "config-02", "missing key 'kind'; a config begins with it, like kind: %s",
                         n_kinds ? kinds[0].name : "model");
    if (node->type == CFG_NODE_BROKEN)
        return DP_OK;
    config->kind_mark = node->mark;
    for (size_t i = 0; node->type == CFG_NODE_SCALAR && i < n_kinds; i++)
        if (strcmp(kinds[i].name, node->text) == 0) {
            config->kind = &kinds[i];
            return DP_OK;
        }
    for (size_t i = 0; i < n; i++)
        names[i] = kinds[i].name;
    const char *found = node->type == CFG_NODE_SCALAR ? node->text : "";
    near = dp_nearest(found, names, n);
    if (near)
        return cfg_fault(config, node->mark, "config-02", "unknown kind '%s' (did you mean '%s'?)",
                         cfg_shown(shown, found), near);
    char known[128] = "";
    for (size_t i = 0, at = 0; i < n && at < sizeof known; i++)
        at += (size_t)snprintf(known + at, sizeof known - at, "%s%s", i ? ", " : "", names[i]);
    return cfg_fault(config, node->mark, "config-02", "unknown kind '%s'; here it can be: %s", cfg_shown(shown, found),
                     known);
}

static dp_status look_at_folders(Config *config, const char *file)
{
    char working[PATH_MAX];
    const char *slash = strrchr(file, '/');
    size_t size = slash ? (size_t)(slash - file) : 0;
    if (!getcwd(working, sizeof working))
        return dp_fail(dp_status_of_errno(errno, DP_ERR_IO), "config-18",
                       "the folder this was started in cannot be named: %s; change to another", strerror(errno));
    DP_TRY(cfg_copy(config, &config->file, file, strlen(file)));
    DP_TRY(cfg_copy(config, &config->working, working, strlen(working)));
    config->folder = config->working;
    if (!slash)
        return DP_OK;
    char *folder;
    size_t room = strlen(working) + size + 3;
    DP_TRY(cfg_new(config, &folder, room));
    if (file[0] == '/')
        snprintf(folder, room, "%.*s/", (int)size, file);
    else
        snprintf(folder, room, "%s/%.*s", working, (int)size, file);
    config->folder = folder;
    return DP_OK;
}

static dp_status resolve(Config *config, const char *text, size_t size, const char *const *overrides,
                         size_t n_overrides, const CfgKind *kinds, size_t n_kinds)
{
    DP_TRY(cfg_parse_text(config, &config->root, text, size, NULL));
    if (config->root->type != CFG_NODE_MAP) {
        if (config->root->type != CFG_NODE_BROKEN)
            DP_TRY(cfg_fault(config, config->root->mark, "config-14",
                             "a config is made of lines like `kind: model`, not a list or a single value"));
        return DP_OK;
    }
    for (size_t i = 0; i < n_overrides; i++)
        DP_TRY(cfg_apply_override(config, overrides[i]));
    DP_TRY(find_kind(config, kinds, n_kinds));
    if (!config->kind)
        return DP_OK;
    DP_TRY(cfg_schema_of_kind(config, &config->schema, config->kind, config->root));
    return cfg_check_group(config, &config->schema, config->root, config->root->mark, "", &config->values);
}

/* config_vary reads the same again. */
static dp_status keep_source(Config *config, const char *text, size_t size, const char *const *overrides,
                             size_t n_overrides, const CfgKind *kinds, size_t n_kinds)
{
    DP_TRY(cfg_copy(config, &config->text, text, size));
    DP_TRY(cfg_new(config, &config->overrides, n_overrides + 1));
    for (size_t i = 0; i < n_overrides; i++)
        DP_TRY(cfg_copy(config, &config->overrides[i], overrides[i], strlen(overrides[i])));
    config->text_size = size;
    config->n_overrides = n_overrides;
    config->kinds = kinds;
    config->n_kinds = n_kinds;
    return DP_OK;
}

dp_status config_parse(Config **config, const char *file, const char *text, size_t size, const char *const *overrides,
                       size_t n_overrides, const CfgKind *kinds, size_t n_kinds)
{
    dp_status st = DP_OK;
    CfgLocale locale;
    *config = NULL;
    DP_TRY(cfg_locale_take(&locale));
    DP_GO(dp_new(config, 1));
    DP_GO(look_at_folders(*config, file));
    DP_GO(keep_source(*config, text, size, overrides, n_overrides, kinds, n_kinds));
    DP_GO(resolve(*config, text, size, overrides, n_overrides, kinds, n_kinds));
    sort_faults(*config);
done:
    if (st != DP_OK)
        config_free(config);
    cfg_locale_give_back(&locale);
    return st;
}

dp_status config_read(Config **config, const char *path, const char *const *overrides, size_t n_overrides,
                      const CfgKind *kinds, size_t n_kinds)
{
    char *text = NULL;
    size_t size = 0;
    *config = NULL;
    DP_TRY(dp_read_file(&text, &size, path, CFG_TEXT_LIMIT));
    dp_status st = config_parse(config, path, text, size, overrides, n_overrides, kinds, n_kinds);
    dp_free(&text);
    return st;
}

const char *config_kind(const Config *config)
{
    return config->kind ? config->kind->name : NULL;
}
