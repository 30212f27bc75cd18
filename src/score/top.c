/* The riskiest rows over all ranks, and values as people read them. */
#include "score/score_priv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

dp_status top_build(Top *top, int64_t max)
{
    *top = (Top){.max = (int)max};
    return dp_new(&top->best, (size_t)max + 1);
}

void top_free(Top *top)
{
    dp_free(&top->best);
}

static bool comes_before(float score, int64_t row, const Candidate *other)
{
    return score > other->shown.score || (score == other->shown.score && row < other->row);
}

void top_offer(Top *top, int64_t row, float score, int32_t fresh)
{
    if (top->max == 0 || (top->n == top->max && !comes_before(score, row, &top->best[top->n - 1])))
        return;
    int at = top->n < top->max ? top->n++ : top->n - 1;
    for (; at > 0 && comes_before(score, row, &top->best[at - 1]); at--)
        top->best[at] = top->best[at - 1];
    top->best[at] = (Candidate){.row = row, .fresh = fresh, .shown.score = score};
}

dp_status top_gather(ScoreTop **shown, int *n, const Top *top, const Comm *comm)
{
    Candidate *all = NULL;
    char *bytes = NULL;
    size_t *starts = NULL;
    Top joined = {0};
    dp_status st = DP_OK;
    *n = 0;
    DP_GO_ALL(comm, dp_new(&starts, (size_t)comm_size(comm) + 1));
    DP_GO(comm_collect_any(comm, top->best, (size_t)top->n * sizeof *top->best, &bytes, starts));
    DP_GO_ALL(comm, top_build(&joined, top->max));
    DP_GO_ALL(comm, dp_new(shown, (size_t)top->max));
    all = (Candidate *)bytes;
    size_t count = starts[comm_size(comm)] / sizeof *all;
    for (size_t i = 0; i < count; i++)
        top_offer(&joined, all[i].row, all[i].shown.score, (int32_t)i);
    for (int i = 0; i < joined.n; i++)
        (*shown)[i] = all[joined.best[i].fresh].shown;
    *n = joined.n;
done:
    top_free(&joined);
    dp_free(&bytes);
    dp_free(&starts);
    return st;
}

void reasons_pick(Reason *reason, int n, const double *phi, int inputs)
{
    for (int k = 0; k < n; k++) {
        int best = -1;
        for (int j = 0; j < inputs; j++) {
            bool taken = phi[j] == 0;
            for (int p = 0; p < k && !taken; p++)
                taken = reason[p].input == j;
            if (!taken && (best < 0 || fabs(phi[j]) > fabs(phi[best])))
                best = j;
        }
        reason[k] = (Reason){best, best < 0 ? NAN : (float)phi[best]};
    }
}

static void print_text(char *out, size_t room, const char *text, size_t size)
{
    size_t n = size < room - 1 ? size : room - 1;
    while (n > 0 && n < size && ((unsigned char)text[n] & 0xC0) == 0x80)
        n--;
    memcpy(out, text, n);
    out[n] = '\0';
    if (n == 0)
        snprintf(out, room, "missing");
}

void value_print(char *out, size_t room, const LakeValues *values, int32_t row)
{
    char text[32] = "missing";
    switch (values->type) {
    case LAKE_NUMBER:
        dp_number_print(text, values->number[row]);
        break;
    case LAKE_NUMBER32:
        dp_number_print(text, (double)values->number32[row]);
        break;
    case LAKE_TIME:
        if (values->time[row] != DP_TIME_MISSING)
            dp_time_print(text, values->time[row]);
        break;
    case LAKE_LABEL:
        if (values->label[row] >= 0)
            snprintf(text, sizeof text, "%d", values->label[row]);
        break;
    case LAKE_CATEGORY:
    case LAKE_CODE: {
        const uint32_t *at = values->dict->offset + values->code[row];
        print_text(out, room, values->dict->bytes + at[0], at[1] - at[0]);
        return;
    }
    case LAKE_TEXT:
        print_text(out, room, values->text + values->text_at[row],
                   (size_t)(values->text_at[row + 1] - values->text_at[row]));
        return;
    }
    snprintf(out, room, "%s", text);
}
