/* score/raw.h -- rows of a part with their columns as the table has them, so that a column can be changed and the rows
 * scored anew: what importance and dependence are made of. */
#ifndef DIPPER_SCORE_RAW_H
#define DIPPER_SCORE_RAW_H

#include "score/score_priv.h"

/* One input column: numbers, or codes of one dictionary that is the same on every rank. */
typedef struct RawColumn {
    bool is_number;
    double *number; /* [n] */
    uint32_t *code; /* [n] 0: missing */
    LakeDict dict;
    uint32_t *offset;
    dp_buf names;
} RawColumn;

typedef struct RawRows {
    const Model *model;
    Data *data;
    const Comm *comm;
    Judge judge;       /* rows of the part on this rank */
    RawColumn *column; /* [columns] as the model's inputs */
    int columns;
    DataEncoder *encoder;
    float *x, *score; /* [RAW_BLOCK][features], [outputs] */
    LakeValues *values;
} RawRows;
enum { RAW_BLOCK = 4096 };

/* Collective. */
dp_status raw_open(RawRows *raw, const Model *model, Data *data, DataPart part, const Comm *comm);
void raw_close(RawRows *raw);
/* Local. Number of the column that is called so; fails CONFIG with the nearest. */
dp_status raw_find(int *column, const RawRows *raw, const char *name);
/* Local. What the model says of all rows with some columns in place of the rows' own: instead[k] stands for column
 * at[k]. */
dp_status raw_score(RawRows *raw, const int *at, const RawColumn *instead, int n_instead, Said *said);

#endif
