/* Manifests: what a snapshot of a table holds, as JSON. The text carries its own digest, so that a changed byte is
 * found before anything is believed. */
#include "lake/lake_priv.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/publish.h"
#include "base/text.h"

enum { MANIFEST_MAX = 1 << 30 };

void manifest_free(Manifest *m)
{
    for (int i = 0; i < m->n_deliveries; i++)
        dp_free(&m->deliveries[i].about);
    dp_free(&m->deliveries);
    dp_free(&m->partitions);
    lake_schema_free(&m->schema);
    *m = (Manifest){0};
}

void manifest_path(char path[PATH_ROOM], const char *folder, int64_t number)
{
    snprintf(path, PATH_ROOM, "%s/manifest-%08lld.json", folder, (long long)number);
}

dp_status manifest_newest(int64_t *number, const char *folder)
{
    struct dirent *entry;
    DIR *dir = opendir(folder);
    *number = 0;
    if (!dir)
        return errno == ENOENT || errno == ENOTDIR
                   ? DP_OK
                   : dp_fail(dp_status_of_errno(errno, DP_ERR_IO), "lake-01", "cannot open the table's folder %s: %s",
                             folder, strerror(errno));
    while ((entry = readdir(dir))) {
        long long n = 0;
        int end = 0;
        if (sscanf(entry->d_name, "manifest-%lld.json%n", &n, &end) == 1 && end > 0 && !entry->d_name[end] &&
            n > *number)
            *number = n;
    }
    closedir(dir);
    return DP_OK;
}

/* ---- reading ---- */

static dp_status broken(const char *path, const char *what)
{
    return dp_fail(
        DP_ERR_DATA, "lake-03",
        "%s is not a whole manifest (%s); open the snapshot before it (table@number), or bring the file back "
        "from a copy",
        path, what);
}

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key)); /* NULL when it is no text */
}

static bool whole_of(int64_t *value, const json_t *object, const char *key)
{
    const json_t *item = json_object_get(object, key);
    *value = json_integer_value(item);
    return json_is_integer(item) && *value >= 0;
}

static bool digest_of(dp_digest *digest, const json_t *object, const char *key)
{
    const char *hex = text_of(object, key);
    return hex && dp_digest_read(digest, hex);
}

static dp_status read_column(LakeColumn *column, const json_t *from, const char *path)
{
    const char *name = text_of(from, "name"), *type = text_of(from, "type");
    const json_t *low = json_object_get(from, "low"), *high = json_object_get(from, "high");
    if (!name || !type || !lake_type_of(&column->type, type))
        return broken(path, "a column without name or known type");
    column->low = json_is_number(low) ? json_number_value(low) : NAN;
    column->high = json_is_number(high) ? json_number_value(high) : NAN;
    column->digits = (int)json_integer_value(json_object_get(from, "digits"));
    DP_TRY(dp_copy_text(&column->name, name));
    DP_TRY(dp_copy_text(&column->unit, text_of(from, "unit")));
    DP_TRY(dp_copy_text(&column->about, text_of(from, "about")));
    return dp_copy_text(&column->known_at, text_of(from, "known_at"));
}

static dp_status read_schema(LakeSchema *schema, const json_t *from, const char *path)
{
    const json_t *columns = json_object_get(from, "columns");
    if (!json_is_array(columns) || json_array_size(columns) > 65535)
        return broken(path, "no columns");
    DP_TRY(dp_new(&schema->columns, json_array_size(columns)));
    for (size_t i = 0; i < json_array_size(columns); i++) {
        schema->n++;
        DP_TRY(read_column(&schema->columns[i], json_array_get(columns, i), path));
    }
    DP_TRY(dp_copy_text(&schema->id, text_of(from, "id")));
    DP_TRY(dp_copy_text(&schema->time, text_of(from, "time")));
    DP_TRY(dp_copy_text(&schema->recorded, text_of(from, "recorded")));
    return schema_check(schema);
}

static Span read_span(const json_t *object, const char *key)
{
    const json_t *pair = json_object_get(object, key);
    if (json_array_size(pair) != 2)
        return (Span){INT64_MAX, INT64_MIN};
    return (Span){json_integer_value(json_array_get(pair, 0)), json_integer_value(json_array_get(pair, 1))};
}

/* "0123456789abcdef/part-000000000000002a.h5": nothing in a manifest names a file outside its table. */
static bool file_is_good(const char *file)
{
    static const char form[] = "xxxxxxxxxxxxxxxx/part-xxxxxxxxxxxxxxxx.h5";
    if (!file || strlen(file) != sizeof form - 1)
        return false;
    for (size_t i = 0; form[i]; i++)
        if (form[i] == 'x' ? !strchr("0123456789abcdef", file[i]) : file[i] != form[i])
            return false;
    return true;
}

static dp_status read_partition(Partition *p, const json_t *from, const char *path)
{
    const json_t *index = json_object_get(from, "index");
    const char *file = text_of(from, "file");
    if (!file_is_good(file) || !whole_of(&p->rows, from, "rows") || !whole_of(&p->bytes, from, "bytes") ||
        !whole_of(&p->bad, from, "bad") || !whole_of(&p->deleted, from, "deleted") ||
        !digest_of(&p->digest, from, "sha256") || !whole_of(&p->index.index_at, index, "at") ||
        !whole_of(&p->index.index_bytes, index, "bytes") || !digest_of(&p->index.index_digest, index, "sha256") ||
        p->index.index_at > p->bytes || p->index.index_bytes > p->bytes - p->index.index_at)
        return broken(path, "a partition without file, counts or digests");
    snprintf(p->file, sizeof p->file, "%s", file);
    p->time = read_span(from, "time");
    p->recorded = read_span(from, "recorded");
    return DP_OK;
}

static dp_status read_delivery(Delivery *d, const json_t *from, const char *path)
{
    const json_t *about = json_object_get(from, "about");
    int64_t partitions = 0;
    const char *when = text_of(from, "when");
    if (!when || !dp_time_read(&d->when, when) || !whole_of(&d->snapshot, from, "snapshot") ||
        !digest_of(&d->source, from, "source") || !whole_of(&d->rows, from, "rows") ||
        !whole_of(&d->bad, from, "bad") || !whole_of(&partitions, from, "partitions") || partitions > INT32_MAX)
        return broken(path, "a delivery without source or counts");
    d->partitions = (int32_t)partitions;
    d->repeats = !json_is_false(json_object_get(from, "repeats"));
    if (json_is_object(about)) {
        char *text = json_dumps(about, JSON_COMPACT | JSON_SORT_KEYS);
        if (!text)
            return dp_fail(DP_ERR_AGAIN, "lake-21", "out of memory for %s", path);
        dp_status st = dp_copy_text(&d->about, text);
        free(text);
        DP_TRY(st);
    }
    return DP_OK;
}

/* Deliveries and partitions say the same. */
static dp_status match(Manifest *m, const char *path)
{
    int next = 0;
    int64_t rows = 0;
    for (int d = 0; d < m->n_deliveries; d++) {
        Delivery *delivery = &m->deliveries[d];
        int64_t before = rows, bad = 0;
        if (delivery->partitions > m->n_partitions - next)
            return broken(path, "fewer partitions than its deliveries have");
        for (int i = 0; i < delivery->partitions; i++, next++) {
            m->partitions[next].delivery = d;
            bad += m->partitions[next].bad;
            if (__builtin_add_overflow(rows, m->partitions[next].rows, &rows))
                return broken(path, "an absurd number of rows");
        }
        if (rows - before != delivery->rows || bad != delivery->bad)
            return broken(path, "rows that do not add up");
    }
    return next == m->n_partitions ? DP_OK : broken(path, "more partitions than its deliveries have");
}

static dp_status content_of(Manifest *m)
{
    dp_hash *hash = NULL;
    dp_status st = DP_OK;
    DP_GO(dp_hash_start(&hash));
    for (int i = 0; i < m->n_partitions; i++)
        DP_GO(dp_hash_add(hash, m->partitions[i].digest.bytes, sizeof m->partitions[i].digest.bytes));
    DP_GO(dp_hash_end(&hash, &m->content));
done:
    dp_hash_free(&hash);
    return st;
}

static dp_status read_parts(Manifest *m, const json_t *root, const char *path)
{
    const json_t *partitions = json_object_get(root, "partitions"), *deliveries = json_object_get(root, "deliveries");
    if (!whole_of(&m->number, root, "snapshot") || !json_is_array(partitions) || !json_is_array(deliveries) ||
        json_array_size(partitions) > INT32_MAX || json_array_size(deliveries) > INT32_MAX)
        return broken(path, "parts are missing");
    DP_TRY(read_schema(&m->schema, json_object_get(root, "schema"), path));
    DP_TRY(dp_new(&m->partitions, json_array_size(partitions)));
    for (; m->n_partitions < (int)json_array_size(partitions); m->n_partitions++)
        DP_TRY(
            read_partition(&m->partitions[m->n_partitions], json_array_get(partitions, (size_t)m->n_partitions), path));
    DP_TRY(dp_new(&m->deliveries, json_array_size(deliveries)));
    for (size_t i = 0; i < json_array_size(deliveries); i++) {
        m->n_deliveries++;
        DP_TRY(read_delivery(&m->deliveries[i], json_array_get(deliveries, i), path));
    }
    DP_TRY(match(m, path));
    return content_of(m);
}

/* The digest of the text without its own "digest". */
static dp_status digest_without(dp_digest *digest, json_t *root)
{
    json_object_del(root, "digest");
    char *text = json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
    if (!text)
        return dp_fail(DP_ERR_AGAIN, "lake-21", "out of memory for a manifest");
    dp_status st = dp_digest_of(digest, text, strlen(text));
    free(text);
    return st;
}

static dp_status check_head(json_t *root, const char *path)
{
    const char *format = text_of(root, "format");
    int64_t version = 0;
    dp_digest said, found;
    if (!format || strcmp(format, "dipper-lake-table") != 0 || !whole_of(&version, root, "format_version"))
        return broken(path, "it does not say that it is one");
    if (version > FORMAT_VERSION)
        return dp_fail(DP_ERR_DATA, "lake-20",
                       "%s has the format version %lld, this program reads up to %d; use a newer Dipper", path,
                       (long long)version, FORMAT_VERSION);
    if (!digest_of(&said, root, "digest"))
        return broken(path, "it has no digest");
    DP_TRY(digest_without(&found, root));
    return dp_digest_same(&said, &found) ? DP_OK : broken(path, "its text does not fit its digest");
}

dp_status manifest_parse(Manifest *m, const char *text, size_t size, const char *path)
{
    json_error_t error;
    dp_status st = DP_OK;
    *m = (Manifest){0};
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        DP_GO(broken(path, error.text));
    DP_GO(check_head(root, path));
    DP_GO(read_parts(m, root, path));
done:
    json_decref(root);
    if (st != DP_OK)
        manifest_free(m);
    return st;
}

dp_status manifest_load(Manifest *m, const char *folder, int64_t number)
{
    char path[PATH_ROOM], *text = NULL;
    size_t size;
    dp_status st = DP_OK;
    manifest_path(path, folder, number);
    *m = (Manifest){0};
    DP_GO(dp_read_file(&text, &size, path, MANIFEST_MAX));
    DP_GO(manifest_parse(m, text, size, path));
    if (m->number != number)
        st = broken(path, "it has the number of another snapshot");
done:
    if (st != DP_OK)
        manifest_free(m);
    dp_free(&text);
    return st;
}

/* ---- writing ---- */

static void put_text(json_t *object, const char *key, const char *text)
{
    if (text)
        json_object_set_new(object, key, json_string(text));
}

static void put_digest(json_t *object, const char *key, const dp_digest *digest)
{
    char hex[DP_DIGEST_HEX];
    dp_digest_print(hex, digest);
    json_object_set_new(object, key, json_string(hex));
}

static void put_span(json_t *object, const char *key, Span span)
{
    if (span.low <= span.high)
        json_object_set_new(object, key, json_pack("[I,I]", (json_int_t)span.low, (json_int_t)span.high));
}

static json_t *schema_json(const LakeSchema *schema)
{
    json_t *columns = json_array(), *all = json_object();
    for (int i = 0; i < schema->n; i++) {
        const LakeColumn *c = &schema->columns[i];
        json_t *column = json_object();
        put_text(column, "name", c->name);
        put_text(column, "type", lake_type_name(c->type));
        put_text(column, "unit", c->unit);
        put_text(column, "about", c->about);
        put_text(column, "known_at", c->known_at);
        if (isfinite(c->low))
            json_object_set_new(column, "low", json_real(c->low));
        if (isfinite(c->high))
            json_object_set_new(column, "high", json_real(c->high));
        if (c->digits)
            json_object_set_new(column, "digits", json_integer(c->digits));
        json_array_append_new(columns, column);
    }
    json_object_set_new(all, "columns", columns);
    put_text(all, "id", schema->id);
    put_text(all, "time", schema->time);
    put_text(all, "recorded", schema->recorded);
    return all;
}

static json_t *partition_json(const Partition *p)
{
    json_t *object = json_object(), *index = json_object();
    put_text(object, "file", p->file);
    json_object_set_new(object, "rows", json_integer(p->rows));
    json_object_set_new(object, "bad", json_integer(p->bad));
    json_object_set_new(object, "deleted", json_integer(p->deleted));
    json_object_set_new(object, "bytes", json_integer(p->bytes));
    put_digest(object, "sha256", &p->digest);
    json_object_set_new(index, "at", json_integer(p->index.index_at));
    json_object_set_new(index, "bytes", json_integer(p->index.index_bytes));
    put_digest(index, "sha256", &p->index.index_digest);
    json_object_set_new(object, "index", index);
    put_span(object, "time", p->time);
    put_span(object, "recorded", p->recorded);
    return object;
}

static json_t *delivery_json(const Delivery *d)
{
    json_t *object = json_object();
    json_t *about = d->about ? json_loads(d->about, JSON_REJECT_DUPLICATES, NULL) : NULL;
    char when[32];
    dp_time_print(when, d->when);
    put_text(object, "when", when);
    json_object_set_new(object, "snapshot", json_integer(d->snapshot));
    put_digest(object, "source", &d->source);
    json_object_set_new(object, "rows", json_integer(d->rows));
    json_object_set_new(object, "bad", json_integer(d->bad));
    json_object_set_new(object, "partitions", json_integer(d->partitions));
    json_object_set_new(object, "repeats", json_boolean(d->repeats));
    if (about)
        json_object_set_new(object, "about", about);
    return object;
}

dp_status manifest_print(dp_buf *text, Manifest *m, const char *table)
{
    dp_digest digest;
    dp_status st = DP_OK;
    json_t *root = json_object(), *partitions = json_array(), *deliveries = json_array();
    char *dump = NULL;
    DP_GO(content_of(m));
    for (int i = 0; i < m->n_partitions; i++)
        json_array_append_new(partitions, partition_json(&m->partitions[i]));
    for (int i = 0; i < m->n_deliveries; i++)
        json_array_append_new(deliveries, delivery_json(&m->deliveries[i]));
    put_text(root, "format", "dipper-lake-table");
    json_object_set_new(root, "format_version", json_integer(FORMAT_VERSION));
    put_text(root, "table", table);
    json_object_set_new(root, "snapshot", json_integer(m->number));
    json_object_set_new(root, "schema", schema_json(&m->schema));
    json_object_set(root, "deliveries", deliveries);
    json_object_set(root, "partitions", partitions);
    put_digest(root, "content", &m->content);
    DP_GO(digest_without(&digest, root));
    put_digest(root, "digest", &digest);
    dump = json_dumps(root, JSON_INDENT(1) | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
    if (!dump)
        DP_GO(dp_fail(DP_ERR_AGAIN, "lake-21", "out of memory for the manifest of %s", table));
    DP_GO(dp_buf_text(text, dump));
    DP_GO(dp_buf_text(text, "\n"));
done:
    free(dump);
    json_decref(partitions);
    json_decref(deliveries);
    json_decref(root);
    return st;
}
