/* score_priv.h -- shared by the files of this room.
 *
 *     options.c    config rows; which rows of a table a batch wants
 *     table.c      the scan, rounds of blocks over ranks, the deliveries
 *     scorer.c     one model at work: a block in, its partition of the scores out
 *     bins.c       stored bins of a table for one model
 *     sheet.c      the scores table: columns, dictionaries, the name of a delivery
 *     top.c        the riskiest rows, reasons, values for people
 *     evaluate.c   figures of a model
 */
#ifndef DIPPER_SCORE_SCORE_PRIV_H
#define DIPPER_SCORE_SCORE_PRIV_H

#include <math.h>

#include "score/score.h"

/* SCORE_BINS_MAX: features of a model that is scored from bins. */
enum { SCORE_TOP_REASONS = 5, SCORE_BINS_MAX = 1024 };

/* ---- evaluate.c ---- */

/* Local. Does the model say what the data's label is? Fails CONFIG, the same on every rank. */
dp_status score_must_fit(const Model *model, const Data *data);

/* ---- top.c ---- */

/* One reason of a row: the input and what it adds to the margin. */
typedef struct Reason {
    int32_t input; /* -1: none */
    float amount;
} Reason;

/* A row among the riskiest. */
typedef struct Candidate {
    int64_t row; /* in the table: decides ties */
    ScoreTop shown;
    int32_t fresh; /* row of the block at hand that still has to be described; -1 */
} Candidate;

typedef struct Top {
    Candidate *best; /* [n], best first */
    int n, max;
} Top;

dp_status top_build(Top *top, int64_t max);
void top_free(Top *top);
/* Local. A row with a lesser score is none of them. */
static inline float top_least(const Top *top)
{
    return top->n < top->max ? -INFINITY : top->n > 0 ? top->best[top->n - 1].shown.score : INFINITY;
}
/* Local. Takes the row in where it belongs. */
void top_offer(Top *top, int64_t row, float score, int32_t fresh);
/* Collective. The riskiest of all ranks, on rank 0; *shown (free with dp_free). */
dp_status top_gather(ScoreTop **shown, int *n, const Top *top, const Comm *comm);

/* Local. The `n` inputs with the largest contributions (ties: the earlier input); phi [inputs]. */
void reasons_pick(Reason *reason, int n, const double *phi, int inputs);

/* Local. A value of a row for people, at most room - 1 bytes, never a cut letter. */
void value_print(char *out, size_t room, const LakeValues *values, int32_t row);

/* ---- sheet.c ---- */

/* The columns of the scores table, and one model's words in it. */
typedef struct Sheet {
    LakeSchema schema; /* row, score, reason_1, amount_1, ..., model, as_of */
    int reasons;
    LakeDict input_names, model_name; /* code 0 is missing, input j is j + 1, the model is 1 */
    dp_buf name_bytes;
    uint32_t *name_at, model_at[3];
} Sheet;
/* Local. The address is borrowed. row: what rows are known by, LAKE_TEXT or LAKE_NUMBER. */
dp_status sheet_build(Sheet *sheet, const ScoreModel *use, int reasons, LakeType row);
void sheet_free(Sheet *sheet);
/* Local. What is scored, by what: the name of the delivery. */
dp_status sheet_source(dp_digest *source, const Sheet *sheet, const ScoreModel *use, const ScoreJob *job);

/* ---- scorer.c ---- */

/* A block of the table as all models see it. */
typedef struct Rows {
    const LakeBlock *block;
    LakeValues id;       /* texts, or the rows' numbers */
    const int64_t *when; /* [rows] the as-of of the scores */
} Rows;
static inline int64_t rows_number(const LakeBlock *block, int32_t i)
{
    return block->row ? block->row[i] : block->first_row + i;
}

/* One model at work. */
typedef struct Scorer {
    const ScoreJob *job;
    ScoreModel use;
    Sheet sheet;
    DataEncoder *encoder;
    const int *columns; /* of the table, those that inputs are; the encoder's */
    int *place;         /* [inputs] of these among the columns of the scan */
    int inputs;
    ModelBins bins;       /* n 0: the model has none */
    const float **column; /* [inputs] of a block whose columns are the features */
    LakeWriter *writer;   /* NULL when the scores are known */
    Top top;
    /* room for one block */
    int32_t room, x_room;
    float *x;                  /* [x_room][inputs], where rows have to be made */
    float *score, *amount;     /* [room], [reasons][room] */
    Tensor rows;               /* of the block, as floats: [rows][inputs] of x */
    uint32_t *reason, *model;  /* [reasons][room], [room] */
    LakeValues *input, *value; /* [inputs] of a block, [schema.n] to write */
    double *phi;               /* [inputs + 1] */
} Scorer;
dp_status scorer_build(Scorer *scorer, const ScoreJob *job, const ScoreModel *use, LakeType row);
void scorer_free(Scorer *scorer);
/* Local. Scores, explains and writes the rows. A block that an earlier start did is scored again for the riskiest rows
 * (cheap), but neither explained nor written (dear). */
dp_status scorer_take(Scorer *scorer, const Rows *rows, ScoreGiven *given);

#endif
