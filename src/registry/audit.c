/* The audit log: a JSON object a line, each carrying the hash of the one before.
 *
 *     {"seq":2,"time":"2026-11-20T02:13:00Z","uid":1000,"user":"ana","act":"offer","object":"risk:2",
 *      "digest":"<64 hex>","detail":{...},"prev":"<64 hex>","hash":"<64 hex>"}
 *
 * hash is the SHA-256 of the line's bytes before `,"hash":`; prev is the hash of the line before (zeros in the first).
 * So a changed, inserted, removed or swapped line is found, and which one. A tail that was cut off whole is not found
 * by the chain alone; versions that no line offered are. The log is the one file that grows in place: a line is one
 * write(), synced before the act counts, and taken back if it did not fit. */
#include "registry/registry_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

enum { AUDIT_MODE = 0640, AUDIT_MAX = 1 << 30, HASH_TAIL = 75, PATIENCE_S = 60 };
static const char hash_key[] = ",\"hash\":\"";

static dp_status log_failed(const AuditLog *log, const char *what)
{
    int err = errno;
    return dp_fail(dp_status_of_errno(err, DP_ERR_IO), "registry-06", "cannot %s %s/%s/audit.jsonl: %s", what,
                   log->models, log->name, strerror(err));
}

static dp_status take_lock(const AuditLog *log, int how)
{
    double start = dp_clock_seconds();
    while (flock(log->fd, how | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return log_failed(log, "lock");
        if (dp_clock_seconds() - start > PATIENCE_S)
            return dp_fail(
                DP_ERR_AGAIN, "registry-05",
                "another process has held %s/%s/audit.jsonl for %d seconds; run the same command again later",
                log->models, log->name, (int)PATIENCE_S);
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    return DP_OK;
}

static dp_status read_all(AuditLog *log)
{
    struct stat info;
    if (fstat(log->fd, &info) != 0)
        return log_failed(log, "read");
    if (!S_ISREG(info.st_mode) || info.st_size > AUDIT_MAX)
        return dp_fail(DP_ERR_DATA, "registry-03", "%s/%s/audit.jsonl is not a file of sensible size", log->models,
                       log->name);
    DP_TRY(dp_new(&log->text, (size_t)info.st_size + 1));
    while (log->size < (size_t)info.st_size) {
        ssize_t n = pread(log->fd, log->text + log->size, (size_t)info.st_size - log->size, (off_t)log->size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return log_failed(log, "read");
        log->size += (size_t)n;
    }
    return DP_OK;
}

static dp_status line_is_broken(const AuditLog *log, int64_t number, const char *what)
{
    return dp_fail(DP_ERR_DATA, "registry-03",
                   "%s/%s/audit.jsonl line %lld: %s; somebody changed the log, compare it with a copy", log->models,
                   log->name, (long long)number, what);
}

/* The hash that the line names, if it is the line's own. */
static dp_status line_hash(const AuditLog *log, const char *line, size_t size, int64_t number, dp_digest *hash)
{
    dp_digest found;
    char hex[DP_DIGEST_HEX] = "";
    size_t body = size - HASH_TAIL;
    if (size <= HASH_TAIL || memcmp(line + body, hash_key, sizeof hash_key - 1) != 0 || line[size - 2] != '"' ||
        line[size - 1] != '}')
        return line_is_broken(log, number, "it does not end in its hash");
    memcpy(hex, line + body + sizeof hash_key - 1, sizeof hex - 1);
    DP_TRY(dp_digest_of(&found, line, body));
    if (!dp_digest_read(hash, hex) || !dp_digest_same(hash, &found))
        return line_is_broken(log, number, "its hash does not fit its text");
    return DP_OK;
}

/* Where the last whole line begins; *end: behind its newline, 0 when there is none. */
static size_t last_line(const AuditLog *log, size_t *end)
{
    size_t at = log->size;
    while (at > 0 && log->text[at - 1] != '\n')
        at--;
    *end = at;
    while (at > 1 && log->text[at - 2] != '\n')
        at--;
    return at > 0 ? at - 1 : 0;
}

static dp_status find_head(AuditLog *log, size_t *end)
{
    size_t begin = last_line(log, end);
    log->acts = 0;
    log->head = (dp_digest){{0}};
    for (size_t i = 0; i < *end; i++)
        log->acts += log->text[i] == '\n';
    if (*end == 0)
        return DP_OK;
    return line_hash(log, log->text + begin, *end - begin - 1, log->acts, &log->head);
}

/* A power cut can leave half a line. It was never an act (acts count once synced); its bytes are kept in the log. */
static dp_status repair(AuditLog *log, size_t end)
{
    dp_status st = DP_OK;
    char *detail = NULL;
    json_t *json = json_pack("{s:s%}", "half_line", log->text + end, log->size - end);
    if (!json)
        json = json_pack("{s:I}", "half_line_bytes", (json_int_t)(log->size - end));
    detail = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    if (!detail)
        return dp_fail(DP_ERR_AGAIN, "registry-06", "out of memory while repairing the audit log of %s", log->name);
    if (ftruncate(log->fd, (off_t)end) != 0)
        st = log_failed(log, "repair");
    log->size = end;
    if (st == DP_OK)
        st = audit_append(log, "repair", log->name, NULL, detail);
    free(detail);
    return st;
}

dp_status audit_open(AuditLog *log, int dir, const char *models, const char *name, bool write)
{
    dp_status st = DP_OK;
    size_t end = 0;
    *log = (AuditLog){.fd = -1, .models = models, .name = name};
    int flags = (write ? O_RDWR | O_APPEND | O_CREAT : O_RDONLY) | O_NOFOLLOW | O_CLOEXEC;
    log->fd = openat(dir, "audit.jsonl", flags, AUDIT_MODE);
    if (log->fd < 0 && errno == ENOENT && !write)
        return DP_OK;
    DP_GO(log->fd < 0 ? log_failed(log, "open") : DP_OK);
    DP_GO(take_lock(log, write ? LOCK_EX : LOCK_SH));
    DP_GO(read_all(log));
    DP_GO(find_head(log, &end));
    if (write && end < log->size)
        DP_GO(repair(log, end));
done:
    if (st != DP_OK)
        audit_close(log);
    return st;
}

void audit_close(AuditLog *log)
{
    if (log->fd >= 0)
        close(log->fd); /* gives the lock back */
    log->fd = -1;
    dp_free(&log->text);
    log->size = 0;
}

static void who_am_i(char *user, size_t room)
{
    struct passwd entry, *found = NULL;
    char buffer[4096];
    if (getpwuid_r(getuid(), &entry, buffer, sizeof buffer, &found) == 0 && found)
        snprintf(user, room, "%s", entry.pw_name);
    else
        snprintf(user, room, "%lu", (unsigned long)getuid());
}

/* All of the line but its hash. */
static dp_status compose(const AuditLog *log, const char *act, const char *object, const dp_digest *digest,
                         const char *detail, dp_buf *line)
{
    dp_status st = DP_OK;
    char time[32], user[256], prev[DP_DIGEST_HEX], hex[DP_DIGEST_HEX] = "";
    json_error_t error;
    dp_time_print(time, dp_clock_now() / DP_SECOND * DP_SECOND);
    who_am_i(user, sizeof user);
    dp_digest_print(prev, &log->head);
    if (digest)
        dp_digest_print(hex, digest);
    json_t *more = json_loads(detail ? detail : "{}", JSON_REJECT_DUPLICATES, &error);
    json_t *json = json_pack("{s:I, s:s, s:I, s:s, s:s, s:s, s:s, s:o, s:s}", "seq", (json_int_t)(log->acts + 1),
                             "time", time, "uid", (json_int_t)getuid(), "user", user, "act", act, "object", object,
                             "digest", hex, "detail", more, "prev", prev);
    char *text = json && json_is_object(more) ? json_dumps(json, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;
    if (!text)
        st = dp_fail(DP_ERR_USAGE, "registry-07", "the detail of act '%s' on %s is not a JSON object", act, object);
    else
        st = dp_buf_add(line, text, strlen(text) - 1); /* without the closing brace */
    free(text);
    json_decref(json);
    return st;
}

static dp_status put_on_disk(AuditLog *log, const dp_buf *line)
{
    ssize_t n;
    do
        n = write(log->fd, line->data, line->size);
    while (n < 0 && errno == EINTR);
    if (n == (ssize_t)line->size && fsync(log->fd) == 0)
        return DP_OK;
    if (n >= 0 && n < (ssize_t)line->size)
        errno = ENOSPC;
    dp_status st = log_failed(log, "add a line to");
    if (ftruncate(log->fd, (off_t)log->size) != 0)
        return log_failed(log, "take half a line back from");
    return st;
}

dp_status audit_append(AuditLog *log, const char *act, const char *object, const dp_digest *digest, const char *detail)
{
    dp_status st = DP_OK;
    dp_buf line = {0};
    dp_digest hash;
    char hex[DP_DIGEST_HEX];
    char *text = NULL;
    DP_GO(compose(log, act, object, digest, detail, &line));
    DP_GO(dp_digest_of(&hash, line.data, line.size));
    dp_digest_print(hex, &hash);
    DP_GO(dp_buf_print(&line, "%s%s\"}\n", hash_key, hex));
    DP_GO(dp_new(&text, log->size + line.size + 1));
    DP_GO(put_on_disk(log, &line));
    if (log->size > 0)
        memcpy(text, log->text, log->size);
    memcpy(text + log->size, line.data, line.size);
    dp_free(&log->text);
    log->text = text;
    text = NULL;
    log->size += line.size;
    log->acts++;
    log->head = hash;
done:
    dp_free(&text);
    dp_buf_free(&line);
    return st;
}

/* The line's number and its tie to the line before. */
static dp_status check_tie(const AuditLog *log, const json_t *json, int64_t number, const dp_digest *before)
{
    char hex[DP_DIGEST_HEX];
    const char *prev = json_string_value(json_object_get(json, "prev"));
    dp_digest_print(hex, before);
    if (json_integer_value(json_object_get(json, "seq")) != number)
        return line_is_broken(log, number, "a line before it was removed, added or swapped");
    if (!prev || strcmp(prev, hex) != 0)
        return line_is_broken(log, number, "it does not follow the line before it");
    return DP_OK;
}

dp_status audit_walk(const AuditLog *log, AuditVisit visit, void *self)
{
    dp_status st = DP_OK;
    dp_digest before = {{0}}, hash;
    json_t *json = NULL;
    json_error_t error;
    int64_t number = 1;
    for (size_t at = 0; at < log->size; number++) {
        const char *line = log->text + at, *newline = memchr(line, '\n', log->size - at);
        DP_GO(newline ? DP_OK : line_is_broken(log, number, "it was cut off"));
        size_t size = (size_t)(newline - line);
        DP_GO(line_hash(log, line, size, number, &hash));
        json = json_loadb(line, size, JSON_REJECT_DUPLICATES, &error);
        DP_GO(json_is_object(json) ? DP_OK : line_is_broken(log, number, "it is not a JSON object"));
        DP_GO(check_tie(log, json, number, &before));
        DP_GO(visit ? visit(self, json, number) : DP_OK);
        json_decref(json);
        json = NULL;
        before = hash;
        at += size + 1;
    }
done:
    json_decref(json);
    return st;
}

dp_status registry_audit(const char *models, const char *name, const char *act, const char *object,
                         const dp_digest *digest, const char *detail)
{
    dp_status st = DP_OK;
    int dir = -1;
    AuditLog log = {.fd = -1};
    DP_GO(registry_open_folder(&dir, models, name, false));
    DP_GO(audit_open(&log, dir, models, name, true));
    DP_GO(audit_append(&log, act, object, digest, detail));
done:
    audit_close(&log);
    if (dir >= 0)
        close(dir);
    return st;
}
