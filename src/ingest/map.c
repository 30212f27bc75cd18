/* Which field of a row feeds which column: from the header line, or from the keys of JSON lines. */
#include "ingest/ingest_priv.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

void ingest_map_free(IngestMap *map)
{
    for (int i = 0; map->wanted && i < map->width; i++)
        dp_free(&map->wanted[i]);
    dp_free(&map->wanted);
    dp_free(&map->field);
    dp_free(&map->hash);
    *map = (IngestMap){0};
}

/* The names in the header: each field without quotes, zero-terminated, one after the other. */
static dp_status split_header(dp_buf *names, int *n, const IngestOptions *o, const char *line, size_t size)
{
    size_t at = 0;
    *n = 0;
    if (size > 0 && line[size - 1] == '\r')
        size--;
    for (;;) {
        bool quoted = o->quotes && at < size && line[at] == '"';
        for (at += quoted; at < size; at++) {
            if (quoted && line[at] == '"') {
                quoted = at + 1 < size && line[at + 1] == '"';
                if (!quoted)
                    continue;
                at++;
            } else if (!quoted && line[at] == o->delimiter) {
                break;
            }
            DP_TRY(dp_buf_add(names, &line[at], 1));
        }
        DP_TRY(dp_buf_add(names, "", 1));
        ++*n;
        if (at++ >= size)
            return DP_OK;
    }
}

typedef struct Header {
    const char **names;
    int n;
    dp_buf missing; /* words of the message */
    int n_missing, n_twice;
} Header;

static dp_status find_field(Header *h, const char *name, int32_t *field)
{
    *field = -1;
    for (int i = 0; i < h->n; i++) {
        if (strcmp(h->names[i], name) != 0)
            continue;
        h->n_twice += *field >= 0;
        *field = i;
    }
    if (*field >= 0 || h->n_missing++ >= 8)
        return DP_OK;
    const char *near = dp_nearest(name, h->names, (size_t)h->n);
    return dp_buf_print(&h->missing, "%s%s%s%s%s", h->missing.size ? ", " : "", name, near ? " (it has '" : "",
                        near ? near : "", near ? "')" : "");
}

/* What the file has, for the message; cut. */
static void list_names(char *out, size_t room, const Header *h)
{
    size_t at = 0;
    out[0] = '\0';
    for (int i = 0; i < h->n && at + strlen(h->names[i]) + 8 < room; i++) {
        at += (size_t)snprintf(out + at, room - at, "%s%s", at ? ", " : "", h->names[i]);
    }
}

dp_status ingest_map_csv(IngestMap *map, const IngestOptions *o, const char *file, const char *line, size_t size)
{
    dp_status st = DP_OK;
    dp_buf names = {0};
    Header h = {0};
    char has[400];
    *map = (IngestMap){.deleted = -1};
    if (memchr(line, 0, size) || !dp_utf8_is_good(line, size)) {
        st = dp_fail(DP_ERR_DATA, "ingest-11",
                     "the first line of %s is not %s text; name the file's encoding in from.encoding", file,
                     o->encoding ? o->encoding : "UTF-8");
        goto done;
    }
    DP_GO(split_header(&names, &h.n, o, line, size));
    map->width = h.n;
    if (h.n > INGEST_FIELDS) {
        st = dp_fail(DP_ERR_DATA, "ingest-11", "the header of %s has %d fields; the most is %d", file, h.n,
                     INGEST_FIELDS);
        goto done;
    }
    DP_GO(dp_new(&h.names, (size_t)h.n));
    for (int i = 0, at = 0; i < h.n; i++) {
        h.names[i] = names.data + at;
        at += (int)strlen(names.data + at) + 1;
    }
    DP_GO(dp_new(&map->field, (size_t)o->schema.n));
    for (int c = 0; c < o->schema.n; c++)
        DP_GO(find_field(&h, o->columns[c].from, &map->field[c]));
    if (o->deleted)
        DP_GO(find_field(&h, o->deleted, &map->deleted));
    list_names(has, sizeof has, &h);
    if (h.n_missing > 0)
        st =
            dp_fail(DP_ERR_DATA, "ingest-11",
                    "the header of %s lacks %d column%s: %s%s. It has: %s. Say `from: NAME` for columns that are named "
                    "otherwise, and from.delimiter where it is not ','",
                    file, h.n_missing, h.n_missing > 1 ? "s" : "", h.missing.data, h.n_missing > 8 ? ", ..." : "", has);
    else if (h.n_twice > 0)
        st = dp_fail(DP_ERR_DATA, "ingest-11", "the header of %s names a column of the table twice: %s", file, has);
done:
    dp_buf_free(&names);
    dp_buf_free(&h.missing);
    dp_free(&h.names);
    return st;
}

dp_status ingest_map_json(IngestMap *map, const IngestOptions *o)
{
    int n = o->schema.n;
    *map = (IngestMap){.deleted = -1};
    DP_TRY(dp_new(&map->field, (size_t)n));
    DP_TRY(dp_new(&map->wanted, (size_t)n + 1));
    DP_TRY(dp_new(&map->hash, (size_t)n + 1));
    for (int c = 0; c <= n; c++) {
        const char *key = c < n ? o->columns[c].from : o->deleted;
        int32_t at = 0;
        if (!key)
            continue;
        while (at < map->width && strcmp(map->wanted[at], key) != 0)
            at++;
        if (at == map->width) {
            DP_TRY(dp_copy_text(&map->wanted[at], key));
            map->hash[at] = dp_hash64(key, strlen(key), 0);
            map->width++;
        }
        *(c < n ? &map->field[c] : &map->deleted) = at;
    }
    return DP_OK;
}
