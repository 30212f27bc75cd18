/* score_priv.h -- shared by the files of this room.
 *
 *     options.c    config rows; which rows of a table a batch wants
 *     table.c      the scan, rounds of blocks over ranks, the deliveries
 *     scorer.c     one model at work: a block in, its partition of the scores out
 *     bins.c       stored bins of a table for one model
 *     sheet.c      the scores table: columns, dictionaries, the name of a delivery
 *     top.c        the riskiest rows, reasons, values for people
 *     judge.c      the rows that a model is judged on
 *     evaluate.c   figures of a model
 */
#ifndef DIPPER_SCORE_SCORE_PRIV_H
#define DIPPER_SCORE_SCORE_PRIV_H

#include <math.h>

#include "score/score.h"

/* SCORE_BINS_MAX: features of a model that is scored from bins. */
enum { SCORE_TOP_REASONS = 5, SCORE_BINS_MAX = 1024 };

/* ---- judge.c ---- */

/* The rows of a part on this rank that a model is judged on. */
typedef struct Judge {
    int64_t n;
    int64_t *at; /* where they stand among the data's rows */
    int8_t *label;
    double *target;    /* NULL: labels are no numbers */
    uint8_t *class_id; /* as the model numbers them; NULL: labels are no classes */
    int classes;
    uint64_t *row, *group; /* group NULL: there are none */
    double *revenue;       /* NULL without a column */
    const dp_shelf *shelf; /* of the data's rows */
} Judge;
/* What a model says of them: metric.h. */
typedef struct Said {
    float *score;
    uint8_t *guess;
} Said;
/* Collective. Fails CONFIG where the model does not say what the data's label is. */
dp_status judge_build(Judge *judge, const Model *model, const Data *data, DataPart part, const Comm *comm);
void judge_free(Judge *judge);
/* Collective. What an inspection recovered, 0 where nothing is written. */
dp_status judge_read_revenue(Judge *judge, const char *column, Data *data, const Comm *comm);
/* Local. Room for what a model will say. */
dp_status said_room(Said *said, const Judge *judge);
void said_free(Said *said);
/* Local. Rows first .. first + n - 1 for the metrics. */
MetricRows judge_rows(const Judge *judge, const Said *said, int64_t first, int64_t n);
/* Local. Copies in another order (without at): row i becomes order[i]. */
dp_status judge_reorder(Judge *out, Said *said_out, const Judge *judge, const Said *said, const int64_t *order);

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

/* Words of a model as a dictionary: code 0 is missing. */
typedef struct SheetWords {
    LakeDict dict;
    dp_buf bytes;
    uint32_t *at;
} SheetWords;

/* The columns of the scores table, and one model's words in it. */
typedef struct Sheet {
    LakeSchema schema; /* row, score, class (of several), reason_1, amount_1, ..., model, as_of */
    int reasons;
    SheetWords inputs, classes; /* input or class j is j + 1 */
    LakeDict model_name;        /* the model is 1 */
    uint32_t model_at[3];
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
    float *chance;             /* of several classes: [room][classes]; NULL: there are none */
    uint8_t *guess;            /* [room] */
    uint32_t *class_code;      /* [room] */
    LakeValues *input, *value; /* [inputs] of a block, [schema.n] to write */
    double *phi;               /* [inputs + 1] */
} Scorer;
dp_status scorer_build(Scorer *scorer, const ScoreJob *job, const ScoreModel *use, LakeType row);
void scorer_free(Scorer *scorer);
/* Local. Scores, explains and writes the rows. A block that an earlier start did is scored again for the riskiest rows
 * (cheap), but neither explained nor written (dear). */
dp_status scorer_take(Scorer *scorer, const Rows *rows, ScoreGiven *given);

#endif
