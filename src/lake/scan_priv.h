/* scan_priv.h -- a scan: scan.c (who reads which block when), fetch.c (what a block holds). */
#ifndef DIPPER_LAKE_SCAN_PRIV_H
#define DIPPER_LAKE_SCAN_PRIV_H

#include "lake/bins.h"
#include "lake/block.h"
#include "lake/where.h"

/* A column that is read, because it was asked for or because rows are chosen by it. */
typedef struct Need {
    int column; /* in the schema */
    int known;  /* need that says since when its values are known; -1 */
    bool chooses;
    bool shown;   /* asked for */
    bool instead; /* not read where there are bins */
} Need;

/* A partition while blocks of it are in work. */
typedef struct Part {
    pthread_mutex_t lock; /* of opening */
    bool opened;
    Reader reader;
    char path[PATH_ROOM];
    DictBuf *dict;  /* [needs] */
    Companion bins; /* where the scan asks for bins and there are any */
    int64_t blocks; /* of this scan that were not given back yet */
} Part;

typedef enum SlotState { SLOT_BUSY, SLOT_READY } SlotState;

/* A block being made or shown. */
typedef struct Slot {
    SlotState state;
    dp_status status;
    dp_error error;
    LakeBlock block;
    ValueBuf *value;    /* [needs] */
    LakeValues *column; /* [columns asked for] */
    dp_buf keep, row, flags, deleted;
    dp_buf bin;           /* [bins.n][bin_stride] */
    const uint8_t **bins; /* [bins.n] into it */
} Slot;

struct LakeScan {
    LakeTable *table;
    LakeQuery query; /* pointers below are our own copies */
    LakeWhere where;
    LakeBins bins; /* n 0: none are asked for */
    Need *need;
    int n_need;
    int *shown;                      /* [query.n_columns] need of each column */
    int recorded;                    /* need of the recorded time where rows are chosen by it; -1 */
    const struct Versions *versions; /* of the table; NULL: no row has another version */
    bool hide_deleted;
    int64_t first, end; /* blocks of the table this rank reads */
    int first_part, n_parts;
    Part **part; /* [n_parts], made when first needed */
    /* Blocks first .. end are taken in order by any thread and given in order to the caller. */
    pthread_mutex_t lock;
    pthread_cond_t change;
    int64_t next_take, next_give;
    bool given; /* block next_give - 1 is with the caller */
    bool stop;
    Slot *slot;
    int n_slots;
    pthread_t *thread;
    int n_threads;
    Codec codec; /* of the caller's thread */
};

/* Local. This rank's blocks first .. end. Consecutive ones: the share depends on the table and the ranks alone. */
void scan_share(const LakeTable *table, const LakeQuery *query, const Comm *comm, int64_t *first, int64_t *end);
/* Local. A scan of blocks first .. end of the table; versions are resolved already, or not asked for. */
dp_status scan_build(LakeScan **scan, LakeTable *table, const LakeQuery *query, int64_t first, int64_t end);

/* Local. Makes block `b` of the table in the slot. */
dp_status fetch_block(LakeScan *scan, Slot *slot, Codec *codec, int64_t b);
/* Local. A block is not needed any more; closes its partition with the last one. */
void fetch_release(LakeScan *scan, int64_t b);
void fetch_close(LakeScan *scan);

#endif
