/* Permutation importance: how much worse a metric becomes when the values of one column change places among the rows.
 *
 * Row s of the part (counted over ranks, in the table's order) gives its value to row p(s). The permutation p is a
 * keyed Feistel network on the least even number of bits that holds the rows, walked until it falls among them:
 * computed for one row alone, so no rank needs to know it all. Source: Black & Rogaway, "Ciphers with arbitrary finite
 * domains", CT-RSA 2002 (cycle walking). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/rng.h"
#include "score/raw.h"

enum { ROUNDS = 6 };

typedef struct Shuffle {
    uint64_t n, key;
    int half; /* bits */
} Shuffle;

static Shuffle shuffle_of(int64_t n, uint64_t key)
{
    Shuffle s = {.n = (uint64_t)n, .key = key, .half = 1};
    while (s.half < 31 && UINT64_C(1) << 2 * s.half < s.n)
        s.half++;
    return s;
}

static uint64_t place_of(const Shuffle *s, uint64_t at)
{
    uint64_t mask = (UINT64_C(1) << s->half) - 1;
    do {
        uint64_t left = at >> s->half, right = at & mask;
        for (uint64_t r = 0; r < ROUNDS; r++) {
            uint64_t word[2] = {right, r}, next = left ^ (dp_hash64(word, sizeof word, s->key) & mask);
            left = right;
            right = next;
        }
        at = left << s->half | right;
    } while (at >= s->n);
    return at;
}

/* A value on its way to another row. */
typedef struct Moved {
    uint64_t to;
    union {
        double number;
        uint32_t code;
    } value;
} Moved;

typedef struct Permuting {
    RawRows raw;
    const Metric *metric;
    int64_t *start; /* [ranks + 1] number of each rank's first row */
    size_t *bytes, *got_bytes;
    size_t *fill;
    Moved *send;
    int32_t *rank; /* [n] where a row's value goes */
    Said said;
    RawColumn mixed;
} Permuting;

static void permuting_free(Permuting *p)
{
    raw_close(&p->raw);
    dp_free(&p->start);
    dp_free(&p->bytes);
    dp_free(&p->got_bytes);
    dp_free(&p->fill);
    dp_free(&p->send);
    dp_free(&p->rank);
    said_free(&p->said);
    dp_free(&p->mixed.number);
    dp_free(&p->mixed.code);
}

static dp_status take_room(Permuting *p)
{
    size_t n = (size_t)p->raw.judge.n, ranks = (size_t)comm_size(p->raw.comm);
    DP_TRY(dp_new(&p->start, ranks + 1));
    DP_TRY(dp_new(&p->bytes, ranks));
    DP_TRY(dp_new(&p->got_bytes, ranks));
    DP_TRY(dp_new(&p->fill, ranks));
    DP_TRY(dp_new(&p->send, n));
    DP_TRY(dp_new(&p->rank, n));
    DP_TRY(said_room(&p->said, &p->raw.judge));
    DP_TRY(dp_new(&p->mixed.number, n));
    return dp_new(&p->mixed.code, n);
}

static int owner(const int64_t *start, int ranks, int64_t row)
{
    int low = 0, high = ranks - 1;
    while (low < high) {
        int middle = (low + high + 1) / 2;
        if (start[middle] <= row)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/* Local. The values of a column, packed by the rank that they go to. */
static void pack(Permuting *p, const RawColumn *column, const Shuffle *shuffle)
{
    int ranks = comm_size(p->raw.comm);
    int64_t first = p->start[comm_rank(p->raw.comm)];
    memset(p->bytes, 0, (size_t)ranks * sizeof *p->bytes);
    for (int64_t i = 0; i < p->raw.judge.n; i++) {
        p->rank[i] = owner(p->start, ranks, (int64_t)place_of(shuffle, (uint64_t)(first + i)));
        p->bytes[p->rank[i]] += sizeof *p->send;
    }
    size_t at = 0;
    for (int r = 0; r < ranks; at += p->bytes[r] / sizeof *p->send, r++)
        p->fill[r] = at;
    for (int64_t i = 0; i < p->raw.judge.n; i++) {
        Moved *moved = &p->send[p->fill[p->rank[i]]++];
        *moved = (Moved){.to = place_of(shuffle, (uint64_t)(first + i))};
        if (column->is_number)
            moved->value.number = column->number[i];
        else
            moved->value.code = column->code[i];
    }
}

/* Collective. p->mixed: the column with its values in other rows. */
static dp_status mix(Permuting *p, const RawColumn *column, const Shuffle *shuffle)
{
    const Comm *comm = p->raw.comm;
    int64_t first = p->start[comm_rank(comm)];
    char *got = NULL;
    pack(p, column, shuffle);
    DP_TRY(comm_exchange(comm, p->send, p->bytes, &got, p->got_bytes));
    p->mixed.is_number = column->is_number;
    p->mixed.dict = column->dict;
    for (int64_t i = 0; i < p->raw.judge.n; i++) {
        const Moved *moved = (const Moved *)(const void *)got + i;
        int64_t to = (int64_t)moved->to - first;
        if (column->is_number)
            p->mixed.number[to] = moved->value.number;
        else
            p->mixed.code[to] = moved->value.code;
    }
    dp_free(&got);
    return DP_OK;
}

/* Collective. */
static dp_status judge(double *value, Permuting *p, const int *column)
{
    DP_TRY_ALL(p->raw.comm, raw_score(&p->raw, column, &p->mixed, column ? 1 : 0, &p->said));
    MetricRows rows = judge_rows(&p->raw.judge, &p->said, 0, p->raw.judge.n);
    return metric_value(value, p->metric, &rows, p->raw.comm);
}

static dp_status permute_column(ScoreImportance *out, Permuting *p, int column, double base, int repeats, uint64_t seed)
{
    double sum = 0, squares = 0, drop[SCORE_REPEATS_MAX];
    int64_t all = p->start[comm_size(p->raw.comm)];
    for (int r = 0; r < repeats; r++) {
        double value;
        uint64_t key = dp_random_u64(seed, UINT64_C(0x5065726D) + (uint64_t)r, (uint64_t)column);
        Shuffle shuffle = shuffle_of(all, key);
        DP_TRY(mix(p, &p->raw.column[column], &shuffle));
        DP_TRY(judge(&value, p, &column));
        drop[r] = p->metric->higher_is_better ? base - value : value - base;
        sum += drop[r];
    }
    out->drop = sum / repeats;
    for (int r = 0; r < repeats; r++)
        squares += (drop[r] - out->drop) * (drop[r] - out->drop);
    out->error = repeats > 1 ? sqrt(squares / (repeats - 1) / repeats) : NAN;
    snprintf(out->column, sizeof out->column, "%s", model_inputs(p->raw.model)->input[column].name);
    return DP_OK;
}

dp_status score_importance(ScoreImportances *out, const Model *model, Data *data, DataPart part, const Metric *metric,
                           int repeats, uint64_t seed, const Comm *comm)
{
    Permuting p = {.metric = metric};
    dp_status st = DP_OK;
    *out = (ScoreImportances){0};
    if (metric->kind == METRIC_REVENUE_AT || repeats < 1 || repeats > SCORE_REPEATS_MAX)
        DP_GO(dp_fail(DP_ERR_USAGE, "score-31", "importance is judged by a metric other than revenue, 1 to %d times",
                      SCORE_REPEATS_MAX));
    DP_GO(raw_open(&p.raw, model, data, part, comm));
    DP_GO_ALL(comm, take_room(&p));
    DP_GO_ALL(comm, dp_new(&out->column, (size_t)p.raw.columns));
    comm_collect(comm, &p.raw.judge.n, sizeof p.raw.judge.n, p.start + 1);
    for (int r = 0; r < comm_size(comm); r++)
        p.start[r + 1] += p.start[r];
    DP_GO(judge(&out->base, &p, NULL));
    for (; out->n < p.raw.columns; out->n++)
        DP_GO(permute_column(&out->column[out->n], &p, out->n, out->base, repeats, seed));
done:
    permuting_free(&p);
    return st;
}

void score_importances_free(ScoreImportances *importances)
{
    dp_free(&importances->column);
    importances->n = 0;
}
