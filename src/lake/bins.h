/* bins.h -- bins of a partition for one model, in a file of their own beside the table's (bins.c). */
#ifndef DIPPER_LAKE_BINS_H
#define DIPPER_LAKE_BINS_H

#include "lake/lake_priv.h"

/* Bins of one partition, open for reading. */
typedef struct Companion {
    int fd; /* -1: not open */
    Index index;
    const Stream **stream; /* [n] */
    char *path;            /* for messages */
} Companion;

/* Local. Opens the bins of partition p. false: there are none of this set, or they are not what they should be. */
bool companion_open(Companion *companion, Codec *codec, const LakeTable *table, int p, const LakeBins *bins);
void companion_close(Companion *companion);
/* Local. Bins of one block: bin[k] [the chunk's rows]. false: they are damaged. */
bool companion_read(const Companion *companion, Codec *codec, uint32_t block, uint8_t *const *bin, int n);

#endif
