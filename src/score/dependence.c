/* Partial dependence: the mean score of all rows when one column, or two, has one value in each of them.
 *
 * The values are those the rows have: all of them where they are few, else exact quantiles; of categories the most
 * frequent ones. So the curve lies where the data are, and each point says how many rows stand for it.
 * Source: Friedman, "Greedy function approximation", Annals of Statistics 29 (2001), section 8.2. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/exact.h"
#include "score/raw.h"

/* The values of one column that are looked at. */
typedef struct Grid {
    int column, n;
    double number[SCORE_POINTS_MAX + 1]; /* ascending; NaN last: missing */
    uint32_t code[SCORE_POINTS_MAX + 1];
    int64_t rows[SCORE_POINTS_MAX + 1]; /* of that value; of quantiles: above the point before */
} Grid;

/* ---- numbers ---- */

/* Keys that ascend as the numbers do. */
static uint64_t key_of(double number)
{
    uint64_t bits;
    number = number == 0 ? 0 : number; /* -0 is 0 */
    memcpy(&bits, &number, sizeof bits);
    return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

static double number_of(uint64_t key)
{
    uint64_t bits = key >> 63 ? key & ~(UINT64_C(1) << 63) : ~key;
    double number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

static int by_key(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* How many of the sorted keys are at most `key`. */
static int64_t count_upto(const uint64_t *sorted, int64_t n, uint64_t key)
{
    int64_t low = 0, high = n;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (sorted[middle] <= key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Collective. The least keys that at least wanted[k] of all ranks' rows are at most: exact, by halving the range of all
 * numbers; the counts of a round go in one sum. */
static void select_keys(uint64_t *found, const int64_t *wanted, int n, const uint64_t *sorted, int64_t rows,
                        const Comm *comm)
{
    uint64_t high[SCORE_POINTS_MAX];
    int64_t count[SCORE_POINTS_MAX];
    for (int k = 0; k < n; k++) {
        found[k] = 0;
        high[k] = UINT64_MAX;
    }
    for (int round = 0; round < 64; round++) {
        for (int k = 0; k < n; k++)
            count[k] = count_upto(sorted, rows, found[k] + (high[k] - found[k]) / 2);
        comm_sum_i64(comm, count, (size_t)n);
        for (int k = 0; k < n; k++) {
            uint64_t middle = found[k] + (high[k] - found[k]) / 2;
            if (count[k] >= wanted[k])
                high[k] = middle;
            else
                found[k] = middle + 1;
        }
    }
}

/* Collective. The next larger key over all ranks; false: there is none. */
static bool next_key(uint64_t *key, bool first, const uint64_t *sorted, int64_t rows, const Comm *comm)
{
    int64_t at = first ? 0 : count_upto(sorted, rows, *key);
    /* The sum is over signed numbers: the top bit is turned. */
    int64_t least = at < rows ? (int64_t)(sorted[at] ^ UINT64_C(1) << 63) : INT64_MAX;
    comm_min_i64(comm, &least, 1);
    *key = (uint64_t)least ^ UINT64_C(1) << 63;
    return least != INT64_MAX;
}

static dp_status grid_of_numbers(Grid *grid, const RawRows *raw, int points)
{
    const double *number = raw->column[grid->column].number;
    const Comm *comm = raw->comm;
    uint64_t *sorted = NULL, key = 0, found[SCORE_POINTS_MAX];
    int64_t rows = 0, wanted[SCORE_POINTS_MAX], upto[SCORE_POINTS_MAX + 1];
    DP_TRY_ALL(comm, dp_new(&sorted, (size_t)raw->judge.n + 1));
    for (int64_t i = 0; i < raw->judge.n; i++)
        if (!isnan(number[i]))
            sorted[rows++] = key_of(number[i]);
    qsort(sorted, (size_t)rows, sizeof *sorted, by_key);
    int64_t all[2] = {rows, raw->judge.n - rows};
    comm_sum_i64(comm, all, 2);
    bool few = true;
    for (bool more = next_key(&key, true, sorted, rows, comm); more; more = next_key(&key, false, sorted, rows, comm)) {
        few = grid->n < points;
        if (!few)
            break;
        grid->number[grid->n++] = number_of(key);
    }
    if (!few) {
        for (int k = 0; k < points; k++)
            wanted[k] = 1 + (int64_t)((double)(all[0] - 1) * k / (points > 1 ? points - 1 : 1) + 0.5);
        select_keys(found, wanted, points, sorted, rows, comm);
        grid->n = 0;
        for (int k = 0; k < points; k++)
            if (k == 0 || found[k] != found[k - 1])
                grid->number[grid->n++] = number_of(found[k]);
    }
    for (int k = 0; k < grid->n; k++)
        upto[k] = count_upto(sorted, rows, key_of(grid->number[k]));
    comm_sum_i64(comm, upto, (size_t)grid->n);
    for (int k = 0; k < grid->n; k++)
        grid->rows[k] = upto[k] - (k > 0 ? upto[k - 1] : 0);
    if (all[1] > 0) {
        grid->rows[grid->n] = all[1];
        grid->number[grid->n++] = NAN;
    }
    dp_free(&sorted);
    return DP_OK;
}

/* ---- categories ---- */

static dp_status grid_of_codes(Grid *grid, const RawRows *raw, int points)
{
    const RawColumn *column = &raw->column[grid->column];
    int64_t *count = NULL;
    DP_TRY_ALL(raw->comm, dp_new(&count, column->dict.n));
    for (int64_t i = 0; i < raw->judge.n; i++)
        count[column->code[i]]++;
    comm_sum_i64(raw->comm, count, column->dict.n);
    for (; grid->n < points; grid->n++) {
        uint32_t best = 0;
        for (uint32_t c = 1; c < column->dict.n; c++)
            best = count[c] > count[best] ? c : best;
        if (count[best] == 0)
            break;
        grid->code[grid->n] = best;
        grid->rows[grid->n] = count[best];
        count[best] = 0;
    }
    dp_free(&count);
    return DP_OK;
}

/* ---- the curve ---- */

static void fill(RawColumn *instead, const RawRows *raw, const Grid *grid, int k)
{
    const RawColumn *own = &raw->column[grid->column];
    instead->is_number = own->is_number;
    instead->dict = own->dict;
    for (int64_t i = 0; i < raw->judge.n; i++) {
        if (own->is_number)
            instead->number[i] = grid->number[k];
        else
            instead->code[i] = grid->code[k];
    }
}

static void print_point(char *out, size_t room, const RawRows *raw, const Grid *grid, int k)
{
    const RawColumn *column = &raw->column[grid->column];
    uint32_t code = grid->code[k];
    if (column->is_number && isnan(grid->number[k]))
        snprintf(out, room, "missing");
    else if (column->is_number)
        snprintf(out, room, "%.10g", grid->number[k]);
    else if (column->offset[code + 1] == column->offset[code])
        snprintf(out, room, "missing");
    else
        snprintf(out, room, "%.*s", (int)(column->offset[code + 1] - column->offset[code]),
                 column->names.data + column->offset[code]);
}

static double mean_score(const float *score, int64_t n, int64_t all, const Comm *comm)
{
    ExactSum sum = {0};
    for (int64_t i = 0; i < n; i++)
        exact_add(&sum, score[i]);
    comm_sum_exact(comm, &sum, 1);
    return exact_value(&sum) / (double)all;
}

typedef struct Curve {
    RawRows raw;
    Grid *grid; /* [2] */
    RawColumn instead[2];
    Said said;
    int64_t all; /* rows of the part over all ranks */
} Curve;

static dp_status take_room(Curve *c, ScoreDependence *out, int columns)
{
    DP_TRY(dp_new(&c->grid, 2));
    DP_TRY(said_room(&c->said, &c->raw.judge));
    for (int a = 0; a < columns; a++) {
        DP_TRY(dp_new(&c->instead[a].number, (size_t)c->raw.judge.n));
        DP_TRY(dp_new(&c->instead[a].code, (size_t)c->raw.judge.n));
    }
    return dp_new(&out->point, (size_t)(SCORE_POINTS_MAX + 1) * (columns > 1 ? SCORE_POINTS_MAX + 1 : 1));
}

static dp_status add_points(ScoreDependence *out, Curve *c, int columns)
{
    const Comm *comm = c->raw.comm;
    int at[2] = {c->grid[0].column, c->grid[1].column};
    for (int i = 0; i < c->grid[0].n; i++) {
        fill(&c->instead[0], &c->raw, &c->grid[0], i);
        for (int k = 0; k < (columns > 1 ? c->grid[1].n : 1); k++) {
            ScorePoint *point = &out->point[out->n++];
            if (columns > 1) {
                fill(&c->instead[1], &c->raw, &c->grid[1], k);
                print_point(point->value[1], sizeof point->value[1], &c->raw, &c->grid[1], k);
            }
            print_point(point->value[0], sizeof point->value[0], &c->raw, &c->grid[0], i);
            point->rows[0] = c->grid[0].rows[i];
            point->rows[1] = columns > 1 ? c->grid[1].rows[k] : 0;
            DP_TRY_ALL(comm, raw_score(&c->raw, at, c->instead, columns, &c->said));
            point->mean = mean_score(c->said.score, c->raw.judge.n, c->all, comm);
        }
    }
    return DP_OK;
}

dp_status score_dependence(ScoreDependence *out, const Model *model, Data *data, DataPart part,
                           const char *const *columns, int n_columns, int points, const Comm *comm)
{
    Curve c = {.all = data_facts(data).rows[part]};
    dp_status st = DP_OK;
    *out = (ScoreDependence){0};
    if (n_columns < 1 || n_columns > 2 || points < 2 || points > SCORE_POINTS_MAX)
        DP_GO(dp_fail(DP_ERR_USAGE, "score-32", "dependence is of one or two columns, at 2 to %d points each",
                      SCORE_POINTS_MAX));
    if (model_kind(model) == DATA_CLASS)
        DP_GO(dp_fail(DP_ERR_USAGE, "score-32", "dependence is of one score, and the model has one a class"));
    DP_GO(raw_open(&c.raw, model, data, part, comm));
    DP_GO_ALL(comm, take_room(&c, out, n_columns));
    for (int a = 0; a < n_columns; a++) {
        DP_GO(raw_find(&c.grid[a].column, &c.raw, columns[a]));
        snprintf(out->column[a], sizeof out->column[a], "%s", columns[a]);
        DP_GO(c.raw.column[c.grid[a].column].is_number ? grid_of_numbers(&c.grid[a], &c.raw, points)
                                                       : grid_of_codes(&c.grid[a], &c.raw, points));
    }
    DP_GO(
        n_columns == 2 && c.grid[0].column == c.grid[1].column
            ? dp_fail(DP_ERR_USAGE, "score-32", "dependence is of two different columns, not of '%s' twice", columns[0])
            : DP_OK);
    out->columns = n_columns;
    DP_GO(add_points(out, &c, n_columns));
done:
    for (int a = 0; a < 2; a++) {
        dp_free(&c.instead[a].number);
        dp_free(&c.instead[a].code);
    }
    dp_free(&c.grid);
    said_free(&c.said);
    raw_close(&c.raw);
    return st;
}

void score_dependence_free(ScoreDependence *dependence)
{
    dp_free(&dependence->point);
    dependence->n = 0;
}
