/* What the two files of this room share: the audit log of one model as an open, locked file. */
#ifndef DIPPER_REGISTRY_PRIV_H
#define DIPPER_REGISTRY_PRIV_H

#include <jansson.h>

#include "registry/registry.h"

enum { REGISTRY_PATH_MAX = 4096 };

/* Local. Opens <models>/<name> without following a link in the last part; makes it when asked. *dir: a descriptor. */
dp_status registry_open_folder(int *dir, const char *models, const char *name, bool make);

/* A model's audit.jsonl, held under its lock until closed. */
typedef struct AuditLog {
    int fd;
    char *text; /* all of it, lines that end in '\n' */
    size_t size;
    int64_t acts;
    dp_digest head; /* hash of the last line; zero when there is none */
    const char *models, *name;
} AuditLog;

/* Local. write: takes the lock for appending and repairs a last line that a dead writer left half-written; otherwise a
 * shared lock, and a missing file is an empty log. Fails AGAIN when another process holds it for long. */
dp_status audit_open(AuditLog *log, int dir, const char *models, const char *name, bool write);
void audit_close(AuditLog *log);
/* Local. One more act, on disk when it returns. */
dp_status audit_append(AuditLog *log, const char *act, const char *object, const dp_digest *digest, const char *detail);
/* Local. Calls visit with each line as JSON after its place in the chain was checked. Fails DATA naming the line. */
typedef dp_status (*AuditVisit)(void *self, const json_t *line, int64_t number);
dp_status audit_walk(const AuditLog *log, AuditVisit visit, void *self);

#endif
