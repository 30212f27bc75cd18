/* Rows put aside: words for their reasons, the lake's quarantine, and the first few for people. */
#include "ingest/ingest_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *ingest_reason(IngestReason reason)
{
    static const char *const words[BAD_REASONS] = {
        [BAD_NOT] = "good",    [BAD_NUL] = "nul",       [BAD_ENCODING] = "encoding",
        [BAD_QUOTE] = "quote", [BAD_FIELDS] = "fields", [BAD_JSON] = "json",
        [BAD_ID] = "id",       [BAD_NUMBER] = "number", [BAD_OVERFLOW] = "overflow",
        [BAD_RANGE] = "range", [BAD_TIME] = "time",     [BAD_DIGITS] = "digits",
        [BAD_LABEL] = "label"};
    return words[reason];
}

/* The start of the row as people can read it. */
static void show(char *out, size_t room, const char *raw, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < size && n + 4 < room; i++)
        out[n++] = (unsigned char)raw[i] < 0x20 || (unsigned char)raw[i] == 0x7F ? ' ' : raw[i];
    while (n > 0 && n + 4 >= room && ((unsigned char)out[n - 1] & 0xC0) == 0x80)
        n--; /* not in the middle of a character */
    out[n] = '\0';
    if (n < size)
        memcpy(out + n, "...", sizeof "...");
}

dp_status ingest_bad_too_many(const char *first)
{
    return dp_fail(
        DP_ERR_DATA, "ingest-18",
        "more bad rows than can be put aside; the first: %s. Nothing was added: look whether the config fits the "
        "file",
        first);
}

dp_status ingest_bad_add(IngestBadList *list, int64_t order, const LakeBadRow *row, IngestReason reason,
                         LakeWriter *writer)
{
    LakeBadRow kept = *row;
    kept.raw_size = row->raw_size < INGEST_BAD_RAW ? row->raw_size : INGEST_BAD_RAW;
    list->count++;
    list->by_reason[reason]++;
    list->bytes += kept.raw_size + (int64_t)sizeof kept;
    if (list->n_first < INGEST_BAD_SHOWN) {
        IngestBadShown *s = &list->first[list->n_first++];
        char raw[72];
        s->order = order;
        s->line = row->row;
        show(raw, sizeof raw, row->raw, (size_t)kept.raw_size);
        snprintf(s->text, sizeof s->text, "%.80s:%lld %s%s%.40s: %s", row->file, (long long)row->row,
                 ingest_reason(reason), row->column ? " in " : "", row->column ? row->column : "", raw);
    }
    return list->bytes > INGEST_BAD_BYTES ? ingest_bad_too_many(list->first[0].text)
                                          : lake_write_bad(writer, order, &kept);
}

static int by_place(const void *a, const void *b)
{
    const IngestBadShown *x = a, *y = b;
    if (x->order != y->order)
        return x->order < y->order ? -1 : 1;
    return x->line < y->line ? -1 : x->line > y->line;
}

dp_status ingest_bad_gather(IngestBadList *list, const Comm *comm)
{
    IngestBadShown *all = NULL;
    size_t size = (size_t)comm_size(comm);
    DP_TRY_ALL(comm, dp_new(&all, size * INGEST_BAD_SHOWN));
    comm_collect(comm, list->first, sizeof list->first, all);
    size_t n = 0;
    for (size_t i = 0; i < size * INGEST_BAD_SHOWN; i++)
        if (all[i].text[0])
            all[n++] = all[i];
    qsort(all, n, sizeof *all, by_place);
    n = n < INGEST_BAD_SHOWN ? n : INGEST_BAD_SHOWN;
    memset(list->first, 0, sizeof list->first);
    memcpy(list->first, all, n * sizeof *all);
    list->n_first = (int)n;
    comm_sum_i64(comm, &list->count, 1);
    comm_sum_i64(comm, list->by_reason, BAD_REASONS);
    dp_free(&all);
    return DP_OK;
}

IngestReason ingest_bad_worst(const IngestBadList *list)
{
    int worst = BAD_NOT;
    for (int i = 1; i < BAD_REASONS; i++)
        if (list->by_reason[i] > list->by_reason[worst])
            worst = i;
    return (IngestReason)worst;
}
