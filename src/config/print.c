/* Values back into YAML that reads as the same values, a digest of them, and the keys of a kind for people. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "config/config_priv.h"

/* ---- one value ---- */

/* Can the text stand without quotes, in a list too? */
static bool is_plain(const char *text)
{
    size_t n = strlen(text);
    bool first = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') || (*text >= '0' && *text <= '9') ||
                 *text == '/' || *text == '.' || *text == '_';
    if (!first || text[n - 1] == ' ' || strspn(text, ".") == n)
        return false;
    for (; *text; text++)
        if (!((*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') || (*text >= '0' && *text <= '9') ||
              strchr("/._-+@%= *", *text)))
            return false;
    return true;
}

/* Characters beyond ASCII stand as they are, but for the few that a reader of files refuses. */
static bool must_escape(const unsigned char *c, unsigned *code)
{
    *code = *c;
    if (*c < 0x20 || *c == 0x7F)
        return true;
    if (c[0] == 0xC2 && c[1] < 0xA0) /* U+0080 .. U+009F */
        return *code = c[1], true;
    if (c[0] == 0xE2 && c[1] == 0x80 && (c[2] == 0xA8 || c[2] == 0xA9))
        return *code = 0x2000u | (c[2] & 0x3F), true;
    if (c[0] == 0xEF && ((c[1] == 0xBB && c[2] == 0xBF) || (c[1] == 0xBF && c[2] >= 0xBE)))
        return *code = c[1] == 0xBB ? 0xFEFFu : 0xFFC0u | (c[2] & 0x3F), true;
    return false;
}

static dp_status print_text(dp_buf *out, const char *text)
{
    if (is_plain(text))
        return dp_buf_text(out, text);
    DP_TRY(dp_buf_text(out, "\""));
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        unsigned code;
        if (*c == '"' || *c == '\\') {
            DP_TRY(dp_buf_print(out, "\\%c", *c));
        } else if (must_escape(c, &code)) {
            DP_TRY(dp_buf_print(out, "\\u%04X", code));
            c += *c < 0x80 ? 0 : *c < 0xE0 ? 1 : 2;
        } else {
            DP_TRY(dp_buf_add(out, c, 1));
        }
    }
    return dp_buf_text(out, "\"");
}

/* The shortest decimal that reads as the same double. */
static dp_status print_real(dp_buf *out, double value)
{
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    return dp_buf_text(out, text);
}

static dp_status print_bytes(dp_buf *out, int64_t bytes)
{
    static const char *const units[] = {"", "KiB", "MiB", "GiB", "TiB"};
    int unit = 0;
    while (bytes != 0 && bytes % 1024 == 0 && unit < 4) {
        bytes /= 1024;
        unit++;
    }
    return dp_buf_print(out, "%" PRId64 "%s", bytes, units[unit]);
}

static dp_status print_duration(dp_buf *out, double seconds)
{
    bool hours = seconds >= 3600 && fmod(seconds, 3600) == 0;
    DP_TRY(print_real(out, hours ? seconds / 3600 : seconds));
    return dp_buf_text(out, hours ? "h" : "s");
}

static dp_status print_range(dp_buf *out, const CfgRange *range)
{
    DP_TRY(print_real(out, range->low));
    DP_TRY(dp_buf_text(out, " .."));
    if (isinf(range->high))
        return DP_OK;
    DP_TRY(dp_buf_text(out, " "));
    return print_real(out, range->high);
}

static dp_status print_part(dp_buf *out, const CfgPart *part)
{
    char from[32], to[32];
    switch (part->kind) {
    case CFG_PART_MONTHS:
        return dp_buf_print(out, "%d months", part->count);
    case CFG_PART_DAYS:
        return dp_buf_print(out, "%d days", part->count);
    case CFG_PART_DATES:
        dp_time_print(from, part->from);
        dp_time_print(to, part->to - DP_DAY + 1);
        return dp_buf_print(out, "%s .. %s", from, to);
    default:
        return print_real(out, part->share);
    }
}

static dp_status print_list(dp_buf *out, const CfgList *list)
{
    DP_TRY(dp_buf_text(out, "["));
    for (size_t i = 0; i < list->n; i++) {
        DP_TRY(dp_buf_text(out, i ? ", " : ""));
        DP_TRY(print_text(out, list->items[i]));
    }
    return dp_buf_text(out, "]");
}

/* Rows of one prefix stand next to each other in a table; a dotted row below a map's entry opens a map of its own. */
static dp_status print_group(dp_buf *out, const CfgGroup *group, const char *prefix)
{
    size_t n = strlen(prefix);
    bool first = true;
    DP_TRY(dp_buf_text(out, "{"));
    for (size_t i = 0; i < group->n; i++) {
        const CfgValue *value = &group->values[i];
        bool said = false;
        if (!value->present || strncmp(value->row->key, prefix, n) != 0)
            continue;
        const char *key = value->row->key + n;
        size_t length = strcspn(key, ".");
        for (size_t j = 0; j < i && key[length] == '.'; j++)
            said |=
                group->values[j].present && strncmp(group->values[j].row->key, value->row->key, n + length + 1) == 0;
        if (said)
            continue;
        DP_TRY(dp_buf_print(out, "%s%.*s: ", first ? "" : ", ", (int)length, key));
        first = false;
        if (key[length] == '.') {
            char inner[CFG_PATH_LIMIT];
            snprintf(inner, sizeof inner, "%.*s", (int)(n + length + 1), value->row->key);
            DP_TRY(print_group(out, group, inner));
        } else {
            DP_TRY(cfg_print_value(out, value));
        }
    }
    return dp_buf_text(out, "}");
}

static dp_status print_map(dp_buf *out, const CfgValue *value)
{
    DP_TRY(dp_buf_text(out, "{"));
    for (size_t i = 0; i < value->as.map.n; i++) {
        DP_TRY(dp_buf_print(out, "%s%s: ", i ? ", " : "", value->as.map.entries[i].key));
        DP_TRY(print_group(out, &value->groups[i], ""));
    }
    return dp_buf_text(out, "}");
}

static dp_status print_choice(dp_buf *out, const CfgValue *value)
{
    const char *at = value->row->choices;
    for (int i = 0; i < value->as.choice; i++)
        at = strchr(at, '|') + 1;
    at += strspn(at, " ");
    size_t n = strcspn(at, "|");
    while (n > 0 && at[n - 1] == ' ')
        n--;
    return dp_buf_add(out, at, n);
}

dp_status cfg_print_value(dp_buf *out, const CfgValue *value)
{
    char time[32];
    switch (value->row->type) {
    case CFG_CHOICE:
        return print_choice(out, value);
    case CFG_INT:
        return dp_buf_print(out, "%" PRId64, value->as.integer);
    case CFG_REAL:
    case CFG_SHARE:
        return print_real(out, value->as.real);
    case CFG_BYTES:
        return print_bytes(out, value->as.integer);
    case CFG_DURATION:
        return print_duration(out, value->as.real);
    case CFG_RANGE:
        return print_range(out, &value->as.range);
    case CFG_PART:
        return print_part(out, &value->as.part);
    case CFG_LIST:
    case CFG_WORDS:
        return print_list(out, &value->as.list);
    case CFG_MAP:
        return print_map(out, value);
    case CFG_TIME:
        dp_time_print(time, value->as.integer);
        return dp_buf_print(out, "\"%s\"", time);
    default:
        return print_text(out, value->as.text);
    }
}

/* ---- the whole config ---- */

enum { ORIGIN_COLUMN = 48, INDENT_MAX = 2 * CFG_DEPTH_LIMIT };

/* Ends a line that began at `from` with a comment saying where the value comes from, and as what (NULL: as it stands).
 */
static dp_status end_line(dp_buf *out, size_t from, CfgMark mark, const char *written)
{
    size_t width = out->size - from;
    DP_TRY(dp_buf_print(out, "%*s # ", width < ORIGIN_COLUMN ? (int)(ORIGIN_COLUMN - width) : 0, ""));
    /* A file can have any name; a comment is one line of text. */
    bool text = cfg_is_text(mark.file);
    for (const char *c = mark.file; *c; c++)
        DP_TRY(dp_buf_add(out, (unsigned char)*c < ' ' || (!text && (unsigned char)*c > '~') ? "?" : c, 1));
    if (mark.line > 0)
        DP_TRY(dp_buf_print(out, ":%d", mark.line));
    return written ? dp_buf_print(out, ", as %s\n", written) : dp_buf_text(out, "\n");
}

/* A map with free keys takes a line an entry. */
static dp_status print_entries(dp_buf *out, const CfgValue *value, int indent)
{
    for (size_t i = 0; i < value->as.map.n; i++) {
        size_t from = out->size;
        DP_TRY(dp_buf_print(out, "%*s%s: ", indent, "", value->as.map.entries[i].key));
        DP_TRY(print_group(out, &value->groups[i], ""));
        DP_TRY(end_line(out, from, value->as.map.entries[i].mark, NULL));
    }
    return DP_OK;
}

static bool has_values(const CfgField *field, const CfgGroup *values)
{
    if (field->row)
        return field->active && values->values[field->slot].present;
    for (const CfgField *child = field->first; child; child = child->next)
        if (has_values(child, values))
            return true;
    return false;
}

static dp_status print_field(dp_buf *out, const CfgField *field, const CfgGroup *values, int indent)
{
    size_t from = out->size;
    if (!has_values(field, values))
        return DP_OK;
    DP_TRY(dp_buf_print(out, "%*s%s:", indent, "", field->name));
    if (!field->row) {
        DP_TRY(dp_buf_text(out, "\n"));
        for (const CfgField *child = field->first; child; child = child->next)
            DP_TRY(print_field(out, child, values, indent + 2));
        return DP_OK;
    }
    const CfgValue *value = &values->values[field->slot];
    if (value->row->type == CFG_MAP && value->as.map.n > 0) {
        DP_TRY(dp_buf_text(out, "\n"));
        return print_entries(out, value, indent + 2);
    }
    DP_TRY(dp_buf_text(out, " "));
    DP_TRY(cfg_print_value(out, value));
    return end_line(out, from, value->mark, value->written);
}

dp_status config_print(const Config *config, dp_buf *out)
{
    DP_TRY(config_must_be_good(config));
    CfgLocale locale;
    dp_status st = DP_OK;
    DP_TRY(cfg_locale_take(&locale));
    for (const CfgField *field = config->schema.root.first; field && st == DP_OK; field = field->next)
        st = print_field(out, field, &config->values, 0);
    cfg_locale_give_back(&locale);
    return st;
}

/* ---- digest ---- */

static dp_status digest_values(const Config *config, dp_buf *text)
{
    for (size_t i = 0; i < config->values.n; i++) {
        const CfgValue *value = &config->values.values[i];
        if (!value->present || strcmp(value->section->path, "job") == 0)
            continue;
        DP_TRY(dp_buf_print(text, "%s.%s=", value->section->path, value->row->key));
        DP_TRY(cfg_print_value(text, value));
        DP_TRY(dp_buf_text(text, "\n"));
    }
    return DP_OK;
}

dp_status config_digest(const Config *config, dp_digest *digest)
{
    DP_TRY(config_must_be_good(config));
    CfgLocale locale;
    dp_buf text = {0};
    dp_status st;
    DP_TRY(cfg_locale_take(&locale));
    st = digest_values(config, &text);
    if (st == DP_OK)
        st = dp_digest_of(digest, text.data, text.size);
    cfg_locale_give_back(&locale);
    dp_buf_free(&text);
    return st;
}

/* ---- the keys of a kind, for people ---- */

/* One end of the bounds as a config would say it. Lists are bounded in their number of items. */
static dp_status print_bound(dp_buf *out, CfgType type, double bound)
{
    switch (type) {
    case CFG_BYTES:
        return print_bytes(out, (int64_t)bound);
    case CFG_DURATION:
        return print_duration(out, bound);
    case CFG_SHARE:
        DP_TRY(print_real(out, bound * 100));
        return dp_buf_text(out, "%");
    default:
        return print_real(out, bound);
    }
}

const char *cfg_bounds(char *out, const CfgRow *row, double min, double max)
{
    dp_buf text = {.max = CFG_BOUNDS - 1};
    dp_status st = print_bound(&text, row->type, min);
    if (st == DP_OK)
        st = dp_buf_text(&text, max < min ? " or more" : " .. ");
    if (st == DP_OK && max >= min)
        st = print_bound(&text, row->type, max);
    if (st == DP_OK && row->unit)
        st = dp_buf_print(&text, " %s", row->unit);
    snprintf(out, CFG_BOUNDS, "%s", st == DP_OK ? text.data : "its bounds");
    dp_buf_free(&text);
    return out;
}

static const char *type_name(CfgType type)
{
    static const char *const names[] = {
        [CFG_TEXT] = "text",          [CFG_NAME] = "name",   [CFG_PATH] = "path",   [CFG_CHOICE] = "choice",
        [CFG_INT] = "whole number",   [CFG_REAL] = "number", [CFG_SHARE] = "share", [CFG_BYTES] = "size",
        [CFG_DURATION] = "time span", [CFG_RANGE] = "range", [CFG_PART] = "part",   [CFG_LIST] = "list",
        [CFG_WORDS] = "word or list", [CFG_MAP] = "map",     [CFG_TIME] = "time",
    };
    return names[type];
}

static dp_status print_row(dp_buf *out, const CfgSection *section, const CfgRow *row, const char *prefix)
{
    char path[CFG_PATH_LIMIT], under[CFG_PATH_LIMIT], key[CFG_PATH_LIMIT], what[256], bounds[CFG_BOUNDS];
    cfg_join(under, section->path, prefix);
    cfg_join(path, under, row->key);
    cfg_join(key, path, row->type == CFG_MAP ? "NAME" : "");
    if (row->min != 0 || row->max != 0)
        snprintf(what, sizeof what, "%s, %s", row->choices ? row->choices : type_name(row->type),
                 cfg_bounds(bounds, row, row->min, row->max));
    else
        snprintf(what, sizeof what, "%s%s%s", row->choices ? row->choices : type_name(row->type),
                 row->unit ? " in " : "", row->unit ? row->unit : "");
    DP_TRY(dp_buf_print(out, "  %-28s %s", key, what));
    if (!row->def)
        DP_TRY(dp_buf_text(out, " (needed)"));
    else if (*row->def)
        DP_TRY(dp_buf_print(out, " (%s)", row->def));
    DP_TRY(dp_buf_print(out, "%s%s\n", row->help ? "   " : "", row->help ? row->help : ""));
    for (const CfgRow *below = row->type == CFG_MAP ? row->rows : NULL; below && below->key; below++) {
        char inner[CFG_PATH_LIMIT];
        cfg_join(inner, prefix, row->key);
        cfg_join(under, inner, "NAME");
        DP_TRY(print_row(out, section, below, under));
    }
    return DP_OK;
}

static dp_status print_section(dp_buf *out, const CfgSection *section)
{
    if (section->when)
        DP_TRY(dp_buf_print(out, "with %s\n", section->when));
    for (const CfgRow *row = section->rows; row->key; row++)
        DP_TRY(print_row(out, section, row, ""));
    return DP_OK;
}

dp_status config_print_rows(const CfgKind *kind, dp_buf *out)
{
    CfgLocale locale;
    dp_status st;
    DP_TRY(cfg_locale_take(&locale));
    st = dp_buf_print(out, "kind: %s   %s\n", kind->name, kind->about);
    for (int conditional = 0; conditional < 2; conditional++) /* what always belongs to the kind comes first */
        for (size_t i = 0; i < kind->n && st == DP_OK; i++)
            if ((kind->sections[i].when != NULL) == conditional)
                st = print_section(out, &kind->sections[i]);
    cfg_locale_give_back(&locale);
    return st;
}
