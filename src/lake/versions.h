/* versions.h -- which rows of a table are seen at an as-of. */
#ifndef DIPPER_LAKE_VERSIONS_H
#define DIPPER_LAKE_VERSIONS_H

#include "lake/lake_priv.h"

/* A bit a row: 1 = the row is the latest version of its id, recorded by the as-of, and no delete mark. */
typedef struct Versions {
    int64_t as_of;
    bool whole;         /* the rows of the table; else those of this rank's share */
    int rank, size;     /* of the communicator it was made for */
    int64_t first, end; /* rows it covers */
    uint32_t *bits;
} Versions;

void versions_free(Versions **versions);
/* Local. May an id come more than once, or be deleted? Otherwise every row is seen. */
bool versions_needed(const LakeTable *table);
/* Collective. table->versions becomes that of the as-of, kept for the next scan. */
dp_status versions_resolve(LakeTable *table, int64_t as_of, bool whole, int threads, const Comm *comm);

#endif
