/* Conditions: "hs6 = 090111 and value > 1e6". */
#include "lake/where.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

void lake_where_free(LakeWhere *where)
{
    for (int i = 0; i < where->n; i++)
        dp_free(&where->terms[i].text);
    dp_free(&where->terms);
    *where = (LakeWhere){0};
}

/* ---- parsing ---- */

static const char *skip_space(const char *at)
{
    while (isspace((unsigned char)*at))
        at++;
    return at;
}

/* A word, or what stands in quotes ('' or "" inside is one quote). NULL: the quote never closes. */
static const char *take_value(dp_buf *out, const char *at, bool *memory)
{
    char quote = *at == '\'' || *at == '"' ? *at : '\0';
    out->size = 0;
    *memory = dp_buf_add(out, "", 0) == DP_OK;
    if (!quote) {
        while (*at && !isspace((unsigned char)*at))
            *memory &= dp_buf_add(out, at++, 1) == DP_OK;
        return at;
    }
    for (at++; *at; at++) {
        if (*at == quote && at[1] == quote)
            at++;
        else if (*at == quote)
            return at + 1;
        *memory &= dp_buf_add(out, at, 1) == DP_OK;
    }
    return NULL;
}

static const char *take_op(LakeOp *op, const char *at)
{
    static const struct {
        const char *text;
        LakeOp op;
    } ops[] = {{"==", LAKE_EQ}, {"!=", LAKE_NE}, {"<>", LAKE_NE}, {"<=", LAKE_LE},
               {">=", LAKE_GE}, {"=", LAKE_EQ},  {"<", LAKE_LT},  {">", LAKE_GT}};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        if (strncmp(at, ops[i].text, strlen(ops[i].text)) == 0) {
            *op = ops[i].op;
            return at + strlen(ops[i].text);
        }
    return NULL;
}

static dp_status unknown_column(const LakeSchema *schema, const char *name)
{
    const char **names = NULL;
    DP_TRY(dp_new(&names, (size_t)schema->n));
    for (int i = 0; i < schema->n; i++)
        names[i] = schema->columns[i].name;
    const char *near = dp_nearest(name, names, (size_t)schema->n);
    dp_free(&names);
    if (near)
        return dp_fail(DP_ERR_USAGE, "lake-09", "the table has no column '%s' (did you mean '%s'?)", name, near);
    return dp_fail(DP_ERR_USAGE, "lake-09", "the table has no column '%s'; `dipper lake show` lists them", name);
}

static dp_status unclear(const char *at, const char *wanted)
{
    return dp_fail(DP_ERR_USAGE, "lake-10",
                   "the condition is not clear at '%.40s': %s; write column op value, joined by and: hs6 = 090111 and "
                   "value > 1e6",
                   at, wanted);
}

static dp_status add_term(LakeWhere *where, const struct LakeTerm *term, const char *text)
{
    DP_TRY(dp_resize(&where->terms, (size_t)where->n, (size_t)where->n + 1));
    where->terms[where->n] = *term;
    DP_TRY(dp_copy_text(&where->terms[where->n].text, text));
    where->n++;
    return DP_OK;
}

/* A date without a time is the whole day: = is from its first to its last microsecond. */
static dp_status add_day(LakeWhere *where, struct LakeTerm term)
{
    int64_t next = term.time + DP_DAY;
    if (term.op == LAKE_EQ) {
        term.op = LAKE_GE;
        DP_TRY(add_term(where, &term, NULL));
        term.op = LAKE_LT;
        term.time = next;
    } else if (term.op == LAKE_LE) {
        term.op = LAKE_LT;
        term.time = next;
    } else if (term.op == LAKE_GT) {
        term.op = LAKE_GE;
        term.time = next;
    }
    return add_term(where, &term, NULL);
}

static dp_status add_typed(LakeWhere *where, struct LakeTerm term, const LakeColumn *column, const char *text)
{
    char *end = NULL;
    if (!*text) { /* "" is the missing value, of every type */
        if (term.op != LAKE_EQ && term.op != LAKE_NE)
            return unclear(column->name, "only = \"\" (missing) and != \"\" (there) make sense");
        term.number = NAN;
        term.time = DP_TIME_MISSING;
        return add_term(where, &term, text);
    }
    switch (column->type) {
    case LAKE_NUMBER:
    case LAKE_NUMBER32:
    case LAKE_LABEL:
        term.number = strtod(text, &end);
        if (*end || isnan(term.number))
            return unclear(text, "a number is wanted");
        if (column->type == LAKE_NUMBER32)
            term.number = (float)term.number; /* 0.1 means the stored 0.1f */
        return add_term(where, &term, NULL);
    case LAKE_TIME:
        if (!dp_time_read(&term.time, text))
            return unclear(text, "a time is wanted, 2026-11-20 or 2026-11-20T14:05:33Z");
        return strlen(text) <= 10 ? add_day(where, term) : add_term(where, &term, NULL);
    case LAKE_CATEGORY:
    case LAKE_CODE:
    case LAKE_TEXT:
        return add_term(where, &term, text);
    }
    return DP_OK;
}

/* One `column op value`; *at moves behind it. */
static dp_status parse_term(LakeWhere *where, const LakeSchema *schema, const char **at, dp_buf *word)
{
    struct LakeTerm term = {0};
    char name[80];
    size_t n = strcspn(*at, " \t\r\n=!<>");
    bool memory = true;
    if (n == 0 || n >= sizeof name)
        return unclear(*at, "a column is wanted");
    memcpy(name, *at, n);
    name[n] = '\0';
    term.column = lake_schema_find(schema, name);
    if (term.column < 0)
        return unknown_column(schema, name);
    const char *op = skip_space(*at + n), *value = take_op(&term.op, op);
    if (!value)
        return unclear(op, "one of = != < <= > >= is wanted");
    value = skip_space(value);
    if (!*value)
        return unclear(op, "a value is wanted behind it");
    *at = take_value(word, value, &memory);
    if (!*at)
        return unclear(value, "the quote never closes");
    if (!memory)
        return dp_fail(DP_ERR_AGAIN, "lake-21", "out of memory for a condition");
    return add_typed(where, term, &schema->columns[term.column], word->data ? word->data : "");
}

dp_status lake_where_parse(LakeWhere *where, const LakeSchema *schema, const char *text)
{
    dp_buf word = {0};
    dp_status st = DP_OK;
    const char *at = skip_space(text);
    *where = (LakeWhere){0};
    while (*at) {
        DP_GO(parse_term(where, schema, &at, &word));
        at = skip_space(at);
        if (!*at)
            break;
        if (strncasecmp(at, "and", 3) != 0 || !isspace((unsigned char)at[3]))
            DP_GO(unclear(at, "'and' is wanted"));
        at = skip_space(at + 3);
        if (!*at)
            DP_GO(unclear("and", "a condition is wanted behind it"));
    }
done:
    dp_buf_free(&word);
    if (st != DP_OK)
        lake_where_free(where);
    return st;
}

/* ---- asking a block ---- */

static bool holds(int order, LakeOp op)
{
    switch (op) {
    case LAKE_EQ:
        return order == 0;
    case LAKE_NE:
        return order != 0;
    case LAKE_LT:
        return order < 0;
    case LAKE_LE:
        return order <= 0;
    case LAKE_GT:
        return order > 0;
    case LAKE_GE:
        return order >= 0;
    }
    return false;
}

static bool number_holds(double x, const struct LakeTerm *term)
{
    if (isnan(term->number) || isnan(x))
        return isnan(term->number) && isnan(x) == (term->op == LAKE_EQ);
    return holds((x > term->number) - (x < term->number), term->op);
}

static bool time_holds(int64_t x, const struct LakeTerm *term)
{
    if (term->time == DP_TIME_MISSING || x == DP_TIME_MISSING)
        return term->time == DP_TIME_MISSING && (x == DP_TIME_MISSING) == (term->op == LAKE_EQ);
    return holds((x > term->time) - (x < term->time), term->op);
}

static bool text_holds(const char *text, size_t size, const struct LakeTerm *term)
{
    size_t n = strlen(term->text), least = size < n ? size : n;
    if (n == 0 || size == 0)
        return n == 0 && (size == 0) == (term->op == LAKE_EQ);
    int order = memcmp(text, term->text, least);
    return holds(order ? order : (size > n) - (size < n), term->op);
}

/* A dictionary is asked once a block, its rows by code. */
static dp_status ask_codes(uint8_t *keep, const LakeValues *v, int32_t rows, const struct LakeTerm *term, dp_buf *spare)
{
    const LakeDict *dict = v->dict;
    DP_TRY(dp_buf_reserve(spare, dict->n));
    uint8_t *good = (uint8_t *)spare->data;
    for (uint32_t c = 0; c < dict->n; c++)
        good[c] = text_holds(dict->bytes + dict->offset[c], dict->offset[c + 1] - dict->offset[c], term);
    for (int32_t i = 0; i < rows; i++)
        keep[i] &= good[v->code[i]];
    return DP_OK;
}

dp_status where_ask(uint8_t *keep, const LakeValues *v, int32_t rows, const struct LakeTerm *term, dp_buf *spare)
{
    switch (v->type) {
    case LAKE_NUMBER:
        for (int32_t i = 0; i < rows; i++)
            keep[i] &= number_holds(v->number[i], term);
        break;
    case LAKE_NUMBER32:
        for (int32_t i = 0; i < rows; i++)
            keep[i] &= number_holds(v->number32[i], term);
        break;
    case LAKE_LABEL:
        for (int32_t i = 0; i < rows; i++)
            keep[i] &= number_holds(v->label[i] < 0 ? NAN : v->label[i], term);
        break;
    case LAKE_TIME:
        for (int32_t i = 0; i < rows; i++)
            keep[i] &= time_holds(v->time[i], term);
        break;
    case LAKE_CATEGORY:
    case LAKE_CODE:
        return ask_codes(keep, v, rows, term, spare);
    case LAKE_TEXT:
        for (int32_t i = 0; i < rows; i++)
            keep[i] &= text_holds(v->text + v->text_at[i], (size_t)(v->text_at[i + 1] - v->text_at[i]), term);
        break;
    }
    return DP_OK;
}

bool where_may_hold(const struct LakeTerm *term, LakeType type, const Chunk *chunk)
{
    double low, high, wanted = term->number;
    if (type == LAKE_TIME) {
        int64_t a, b, t = term->time;
        memcpy(&a, &chunk->low, 8);
        memcpy(&b, &chunk->high, 8);
        if (t == DP_TIME_MISSING || term->op == LAKE_NE)
            return true;
        return term->op == LAKE_EQ   ? a <= t && t <= b
               : term->op == LAKE_LT ? a < t
               : term->op == LAKE_LE ? a <= t
               : term->op == LAKE_GT ? b > t
                                     : b >= t;
    }
    if ((type != LAKE_NUMBER && type != LAKE_NUMBER32) || isnan(wanted) || term->op == LAKE_NE)
        return true;
    memcpy(&low, &chunk->low, 8);
    memcpy(&high, &chunk->high, 8);
    return term->op == LAKE_EQ   ? low <= wanted && wanted <= high
           : term->op == LAKE_LT ? low < wanted
           : term->op == LAKE_LE ? low <= wanted
           : term->op == LAKE_GT ? high > wanted
                                 : high >= wanted;
}
