/* libyaml's events into nodes with marks. What a config does not need is refused where it stands (aliases, anchors,
 * tags, a second document), sizes are bounded, and what stands before a syntax error is kept. */
#include <string.h>
#include <yaml.h>

#include "base/text.h"
#include "config/config_priv.h"

typedef struct Parser {
    Config *config;
    yaml_parser_t yaml;
    const char *text;
    size_t size;
    const CfgMark *fixed; /* the mark of all nodes; NULL: their own */
    CfgNode *last;        /* the scalar read last, and the line where it ends */
    size_t last_line;
    bool stopped; /* a syntax error or a limit: the rest is not read */
} Parser;

static CfgMark mark_of(const Parser *p, yaml_mark_t mark)
{
    if (p->fixed)
        return *p->fixed;
    return (CfgMark){.file = p->config->file, .line = (int)mark.line + 1, .column = (int)mark.column + 1};
}

/* ---- the bytes, before libyaml sees them ---- */

/* Is this a character that a line of text can hold? Line separators beside \n and \r would shift every line number. */
static bool printable(uint32_t c)
{
    if (c < 0x20)
        return c == '\t' || c == '\n' || c == '\r';
    return c != 0x7F && !(c >= 0x80 && c < 0xA0) && c != 0x2028 && c != 0x2029 && c != 0xFEFF && c != 0xFFFE &&
           c != 0xFFFF;
}

/* Length of the UTF-8 character at `at` and its code point; 0 where it is broken. */
static size_t character(uint32_t *c, const char *at, size_t left)
{
    unsigned char lead = (unsigned char)at[0];
    size_t n = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (n > left || !dp_utf8_is_good(at, n))
        return 0;
    *c = n == 1 ? lead : lead & (0xFFu >> (n + 1));
    for (size_t i = 1; i < n; i++)
        *c = *c << 6 | ((unsigned char)at[i] & 0x3F);
    return n;
}

bool cfg_is_text(const char *text)
{
    size_t left = strlen(text);
    for (size_t length; left > 0; text += length, left -= length) {
        uint32_t c = 0;
        length = character(&c, text, left);
        if (length == 0 || !printable(c))
            return false;
    }
    return true;
}

static dp_status refuse_character(Parser *p, CfgMark mark, const char *at, size_t left, size_t length, uint32_t c)
{
    if (mark.line == 1 && mark.column == 1 && left >= 2 && (!memcmp(at, "\xff\xfe", 2) || !memcmp(at, "\xfe\xff", 2)))
        return cfg_fault(p->config, mark, "config-13", "the file is UTF-16; save it as UTF-8");
    if (length == 0)
        return cfg_fault(p->config, mark, "config-13", "byte 0x%02X is not UTF-8; save the file as UTF-8",
                         (unsigned char)*at);
    return cfg_fault(p->config, mark, "config-13", "the character U+%04X does not belong into a config; remove it", c);
}

/* Finds the first byte that is no text; what stands before its line is kept. */
static dp_status look_at_bytes(Parser *p)
{
    CfgMark mark = {.file = p->config->file, .line = 1, .column = 1};
    size_t line = 0, length = 1;
    for (size_t at = 0; at < p->size; at += length) {
        uint32_t c = 0;
        length = character(&c, p->text + at, p->size - at);
        if (length == 0 || !printable(c)) {
            p->config->cut = true;
            DP_TRY(refuse_character(p, p->fixed ? *p->fixed : mark, p->text + at, p->size - at, length, c));
            p->size = line;
            return DP_OK;
        }
        mark.column++;
        if (c == '\n' || (c == '\r' && (at + 1 == p->size || p->text[at + 1] != '\n'))) {
            mark.line++;
            mark.column = 1;
            line = at + 1;
        }
    }
    return DP_OK;
}

/* ---- syntax errors ---- */

static const char *line_start(const Parser *p, size_t line)
{
    const char *at = p->text, *end = p->text + p->size;
    while (line > 0 && at < end) {
        const char *stop = at;
        while (stop < end && *stop != '\n' && *stop != '\r')
            stop++;
        if (stop < end && *stop == '\r' && stop + 1 < end && stop[1] == '\n')
            stop++;
        at = stop < end ? stop + 1 : end;
        line--;
    }
    return at;
}

/* Does the line begin with white space that holds a tab? Its column, from 1; else 0. */
static int tab_in_indent(const Parser *p, size_t line)
{
    const char *at = line_start(p, line), *end = p->text + p->size;
    for (int column = 1; at < end && (*at == ' ' || *at == '\t'); at++, column++)
        if (*at == '\t')
            return column;
    return 0;
}

/* Only white space and comments are left from this line on. */
static bool is_the_end(const Parser *p, yaml_mark_t mark)
{
    const char *at = line_start(p, mark.line), *end = p->text + p->size;
    for (size_t i = 0; i < mark.column && at < end; i++)
        do
            at++;
        while (at < end && ((unsigned char)*at & 0xC0) == 0x80);
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
        at++;
    return at >= end;
}

static dp_status say_syntax(Parser *p)
{
    const yaml_parser_t *yaml = &p->yaml;
    const char *problem = yaml->problem ? yaml->problem : "not YAML";
    const char *context = yaml->context;
    bool open = context && is_the_end(p, yaml->problem_mark);
    bool at_context = context && (open || strcmp(context, "while scanning a simple key") == 0);
    yaml_mark_t where = at_context ? yaml->context_mark : yaml->problem_mark;
    int tab = tab_in_indent(p, yaml->problem_mark.line);
    if (tab && !p->fixed) {
        CfgMark mark = {.file = p->config->file, .line = (int)yaml->problem_mark.line + 1, .column = tab};
        return cfg_fault(p->config, mark, "config-10", "a tab in the indentation; indent with spaces");
    }
    CfgMark mark = mark_of(p, where);
    if (open && strstr(context, "quoted scalar"))
        return cfg_fault(p->config, mark, "config-01", "the quote that begins here is never closed");
    if (open && strstr(context, "flow"))
        return cfg_fault(p->config, mark, "config-01", "the bracket that opens here is never closed");
    if (context)
        return cfg_fault(p->config, mark, "config-01", "this is not YAML: %s (%s)", problem, context);
    return cfg_fault(p->config, mark, "config-01", "this is not YAML: %s", problem);
}

/* ---- events ---- */

static dp_status stop(Parser *p)
{
    p->stopped = true;
    p->config->cut = true;
    return DP_OK;
}

/* The next event; none (type 0) once reading has stopped. */
static dp_status next(Parser *p, yaml_event_t *event)
{
    memset(event, 0, sizeof *event);
    if (p->stopped || yaml_parser_parse(&p->yaml, event))
        return DP_OK;
    memset(event, 0, sizeof *event);
    if (p->yaml.error == YAML_MEMORY_ERROR)
        return dp_fail(DP_ERR_AGAIN, "base-01", "out of memory while reading %s", p->config->file);
    /* A value that ends on the line of the error was hardly meant as it was read (`3 trees` for two lines). */
    if (p->last && p->last_line == p->yaml.problem_mark.line)
        p->last->type = CFG_NODE_BROKEN;
    DP_TRY(say_syntax(p));
    return stop(p);
}

static dp_status refuse(Parser *p, yaml_mark_t mark, CfgNode *node, const char *what)
{
    node->type = CFG_NODE_BROKEN;
    return cfg_fault(p->config, mark_of(p, mark), "config-11", "%s not used in configs; write the value out", what);
}

static dp_status refuse_size(Parser *p, yaml_mark_t mark, CfgNode *node, const char *what, int limit)
{
    node->type = CFG_NODE_BROKEN;
    DP_TRY(cfg_fault(p->config, mark_of(p, mark), "config-12", "%s than %d; no config needs that", what, limit));
    return stop(p);
}

static dp_status read_node(Parser *p, yaml_event_t *event, int depth, CfgNode **node);

static dp_status read_scalar(Parser *p, const yaml_event_t *event, CfgNode *node)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t size = event->data.scalar.length;
    if (event->data.scalar.anchor || event->data.scalar.tag)
        return refuse(p, event->start_mark, node, event->data.scalar.tag ? "tags (!...) are" : "anchors (&...) are");
    if (size > CFG_SCALAR_LIMIT)
        return refuse_size(p, event->start_mark, node, "a value longer", CFG_SCALAR_LIMIT);
    if (memchr(text, 0, size)) {
        node->type = CFG_NODE_BROKEN;
        return cfg_fault(p->config, node->mark, "config-13", "a zero character in a value; remove it");
    }
    node->bare = size == 0 && event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    node->size = size;
    p->last = node;
    p->last_line = event->end_mark.line;
    return cfg_copy(p->config, &node->text, text, size);
}

static dp_status read_list(Parser *p, int depth, CfgNode *list)
{
    for (;;) {
        yaml_event_t event;
        CfgNode *item;
        DP_TRY(next(p, &event));
        if (event.type == YAML_NO_EVENT || event.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&event);
            return DP_OK;
        }
        DP_TRY(read_node(p, &event, depth + 1, &item));
        cfg_append(list, item);
    }
}

dp_status cfg_add_pair(Config *config, CfgNode *map, const CfgNode *key, CfgNode *value)
{
    char shown[CFG_SHOWN];
    const CfgNode *before = cfg_child(map, key->text, key->size);
    if (before)
        return cfg_fault(config, key->mark, "config-04", "duplicate key '%s' (first on line %d); remove one",
                         cfg_shown(shown, key->text), before->key->mark.line);
    DP_TRY(cfg_new(config, &value->key, 1));
    *value->key = *key;
    value->hash = dp_hash64(key->text, key->size, 0);
    cfg_append(map, value);
    return DP_OK;
}

static dp_status read_map(Parser *p, int depth, CfgNode *map)
{
    for (;;) {
        yaml_event_t event;
        CfgNode *key, *value;
        DP_TRY(next(p, &event));
        if (event.type == YAML_NO_EVENT || event.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&event);
            return DP_OK;
        }
        DP_TRY(read_node(p, &event, depth + 1, &key));
        DP_TRY(next(p, &event));
        if (event.type == YAML_NO_EVENT)
            return DP_OK;
        DP_TRY(read_node(p, &event, depth + 1, &value));
        if (key->type == CFG_NODE_SCALAR)
            DP_TRY(cfg_add_pair(p->config, map, key, value));
        else if (key->type != CFG_NODE_BROKEN)
            DP_TRY(cfg_fault(p->config, key->mark, "config-14", "a key is one word, not a list or a map"));
    }
}

/* Takes the event over. *node is set in every case but failure. */
static dp_status read_node(Parser *p, yaml_event_t *event, int depth, CfgNode **node)
{
    dp_status st = DP_OK;
    CfgNode *made = NULL;
    DP_GO(cfg_new(p->config, &made, 1));
    made->mark = mark_of(p, event->start_mark);
    if (++p->config->nodes > CFG_NODE_LIMIT) {
        DP_GO(refuse_size(p, event->start_mark, made, "more keys and values", CFG_NODE_LIMIT));
    } else if (event->type == YAML_ALIAS_EVENT) {
        DP_GO(refuse(p, event->start_mark, made, "aliases (*...) are"));
    } else if (event->type == YAML_SCALAR_EVENT) {
        DP_GO(read_scalar(p, event, made));
    } else if (event->type == YAML_SEQUENCE_START_EVENT || event->type == YAML_MAPPING_START_EVENT) {
        bool list = event->type == YAML_SEQUENCE_START_EVENT;
        bool anchor = list ? event->data.sequence_start.anchor : event->data.mapping_start.anchor;
        bool tag = list ? event->data.sequence_start.tag : event->data.mapping_start.tag;
        made->type = list ? CFG_NODE_LIST : CFG_NODE_MAP;
        if (depth >= CFG_DEPTH_LIMIT)
            DP_GO(refuse_size(p, event->start_mark, made, "nested deeper", CFG_DEPTH_LIMIT));
        else
            DP_GO(list ? read_list(p, depth, made) : read_map(p, depth, made));
        if (anchor || tag)
            DP_GO(refuse(p, event->start_mark, made, tag ? "tags (!...) are" : "anchors (&...) are"));
    } else {
        made->type = CFG_NODE_BROKEN;
    }
    *node = made;
done:
    yaml_event_delete(event);
    return st;
}

static dp_status read_stream(Parser *p, CfgNode **root)
{
    bool seen = false;
    for (;;) {
        yaml_event_t event;
        CfgNode *node;
        DP_TRY(next(p, &event));
        yaml_event_type_t type = event.type;
        bool content = type == YAML_SCALAR_EVENT || type == YAML_ALIAS_EVENT || type == YAML_SEQUENCE_START_EVENT ||
                       type == YAML_MAPPING_START_EVENT;
        if (content && !seen) {
            seen = true;
            DP_TRY(read_node(p, &event, 0, &node));
            *root = node;
            continue;
        }
        CfgMark mark = mark_of(p, event.start_mark);
        bool tags = type == YAML_DOCUMENT_START_EVENT &&
                    (event.data.document_start.tag_directives.start != event.data.document_start.tag_directives.end);
        yaml_event_delete(&event);
        if (type == YAML_NO_EVENT || type == YAML_STREAM_END_EVENT)
            return DP_OK;
        if (tags)
            DP_TRY(cfg_fault(p->config, mark, "config-11", "%%TAG is not used in configs; remove the line"));
        if (type == YAML_DOCUMENT_START_EVENT && seen) {
            DP_TRY(cfg_fault(p->config, mark, "config-11",
                             "a second document; a config is one, put it into a file of its own"));
            return stop(p);
        }
    }
}

dp_status cfg_parse_text(Config *config, CfgNode **root, const char *text, size_t size, const CfgMark *fixed)
{
    Parser p = {.config = config, .text = text, .size = size, .fixed = fixed};
    dp_status st = DP_OK;
    CfgNode *none;
    DP_TRY(cfg_new(config, &none, 1));
    none->type = CFG_NODE_MAP;
    none->mark = fixed ? *fixed : (CfgMark){.file = config->file, .line = 1, .column = 1};
    *root = none;
    if (size > CFG_TEXT_LIMIT) {
        config->cut = true;
        return cfg_fault(config, none->mark, "config-12", "%zu bytes, more than the %d that a config can have", size,
                         CFG_TEXT_LIMIT);
    }
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        p.text += 3;
        p.size -= 3;
    }
    DP_TRY(look_at_bytes(&p));
    if (!yaml_parser_initialize(&p.yaml))
        return dp_fail(DP_ERR_AGAIN, "base-01", "out of memory while reading %s", config->file);
    yaml_parser_set_encoding(&p.yaml, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&p.yaml, (const unsigned char *)p.text, p.size);
    st = read_stream(&p, root);
    yaml_parser_delete(&p.yaml);
    return st;
}
