/* score_priv.h -- shared by the files of this room. */
#ifndef DIPPER_SCORE_SCORE_PRIV_H
#define DIPPER_SCORE_SCORE_PRIV_H

#include "score/score.h"

enum { SCORE_TOP_REASONS = 5 };

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
/* Local. Takes the row in where it belongs. */
void top_offer(Top *top, int64_t row, float score, int32_t fresh);
/* Collective. The riskiest of all ranks, on rank 0; *shown (free with dp_free). */
dp_status top_gather(ScoreTop **shown, int *n, const Top *top, const Comm *comm);

/* Local. The `n` inputs with the largest contributions (ties: the earlier input); phi [inputs]. */
void reasons_pick(Reason *reason, int n, const double *phi, int inputs);

/* Local. A value of a row for people, at most room - 1 bytes, never a cut letter. */
void value_print(char *out, size_t room, const LakeValues *values, int32_t row);

#endif
