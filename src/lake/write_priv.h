/* write_priv.h -- a delivery while it is written: write.c, commit.c, keys.c. */
#ifndef DIPPER_LAKE_WRITE_PRIV_H
#define DIPPER_LAKE_WRITE_PRIV_H

#include "lake/lake_priv.h"

struct LakeWriter {
    char *name, *folder, *stage; /* stage: the delivery's folder, below the table's */
    LakeSchema schema;
    dp_digest source;
    Packer *packer;
    int lock;       /* rank 0; -1: none */
    dp_buf found;   /* int64 orders of partitions from an earlier start */
    dp_buf written; /* Partition, of this rank */
    BadRows *bad;   /* not yet in a partition */
    size_t n_bad;
    dp_buf image;
    dp_buf keys;    /* dp_key128 of the ids written, for finding repeats */
    bool keys_many; /* too many to keep: repeats are taken as possible */
    double sync_seconds;
};

static inline size_t writer_partitions(const LakeWriter *w)
{
    return w->written.size / sizeof(Partition);
}

static inline const Partition *writer_partition(const LakeWriter *w, size_t i)
{
    return (const Partition *)(const void *)w->written.data + i;
}

void writer_free(LakeWriter **writer);
void unlock_stage(LakeWriter *writer);
void partition_name(char name[PART_ROOM], int64_t order);

/* Local. Remembers the ids of rows; of a partition found from an earlier start. */
dp_status keys_add(LakeWriter *writer, const LakeRows *rows);
dp_status keys_add_found(LakeWriter *writer, const Partition *partition);
/* Collective. Does any id come more than once in the delivery? */
dp_status keys_repeat(bool *repeat, LakeWriter *writer, const Comm *comm);

#endif
