/* registry/registry.h -- versions of models on the shared disk: no server, no daemon.
 *
 * <models>/<name>/<version>.h5 is one version; a new one gets the next number by link(), so two writers never share
 * one. Each act (offer, export, remove) appends a line to <models>/<name>/audit.jsonl that carries the SHA-256 of the
 * line before. Aliases (champion) come with the registry's own issue. */
#ifndef DIPPER_REGISTRY_REGISTRY_H
#define DIPPER_REGISTRY_REGISTRY_H

#include <stdint.h>

#include "base/memory.h"
#include "base/status.h"
#include "model/model.h"

enum { REGISTRY_ADDRESS_MAX = 80 };

/* Local (one rank). Publishes the model's bytes as the next version; writes "risk:15" to address. Where the
 * newest version already has this payload, nothing is published and address is that version. */
dp_status registry_offer(char *address, const char *models, const char *name, const void *image, size_t size,
                         const dp_digest *payload);

/* Local. Path of an address: "risk:15", or "risk" for the newest. Fails NO_INPUT with the nearest name. */
dp_status registry_path(char *path, size_t room, char *address, const char *models, const char *wanted);

typedef struct RegistryRow {
    char name[65];
    int version;
    int64_t bytes, made; /* made: microseconds */
    char by[40];
} RegistryRow;
/* Local. All versions of all names (or of one), newest first (free with dp_free). */
dp_status registry_list(RegistryRow **rows, size_t *n, const char *models, const char *name);

/* Local. Appends an act. object: address; detail: a JSON object's text or NULL. Takes the file's lock. */
dp_status registry_audit(const char *models, const char *name, const char *act, const char *object,
                         const dp_digest *digest, const char *detail);
/* Local. Checks the chain, and each version's file against the digest of its offer. Fails DATA naming the line. */
dp_status registry_verify(const char *models, const char *name, int64_t *acts);

extern const dp_help_row registry_help[];

#endif
