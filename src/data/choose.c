/* choose.c -- which combinations of categories become features.
 *
 * Single categories are fitted to train's labels by an additive logistic model (two rounds of Newton steps). What a
 * combination could add then shows in the cells of its categories: with d the sum of a cell's residuals and v of their
 * variances, (d^2 - w) / (v + RIDGE) is what a shrunk step would gain there less what chance gives: without an
 * interaction E d^2 = w, which is v less what the fit has taken. A category whose rows have the variance V keeps
 * q = (RIDGE / (V + RIDGE))^(2 ROUNDS) of its own, so it takes v^2 (1 - q) / V of the cell's. The sum over cells is the
 * combination's gain; by chance alone its variance is about 2 sum (v / (v + RIDGE))^2, and a gain below SIGNIFICANT
 * such deviations is none. Greedily: the best combination's steps join the model, so that what says the same again
 * gains nothing any more; triples extend what was chosen.
 *
 * Numbers are fitted by squared error: residuals are then in units of their own spread and every variance is 1, so that
 * E d^2 = w as above. A residual of more than LARGEST standard deviations counts as that.
 *
 * Cells are slots by hash, so that no rank needs all categories; residuals and variances are integers and their sums
 * exact, so every number of ranks and order of rows chooses the same. Choosing looks at train's labels as growing a
 * tree does; the statistics of what is chosen are ordered like all others. */
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "comm/exact.h"
#include "data_priv.h"
#include "device/tree_math.h"

enum { ROWS_MAX = 1 << 20, WORK_MAX = 1 << 28, SINGLE_BITS = 17, CELL_BITS = 20, ROUNDS = 2, KEY_BYTES = 12 };
enum { UNIT_BITS = 16, UNIT = 1 << UNIT_BITS, TAKEN = 1 << 17 };
static const double RIDGE = 4, LARGEST = 8;
enum { SIGNIFICANT = 4, HOLDS = 2, VALID_MAX = 1 << 18 };

typedef struct Cell {
    int64_t residual, variance; /* counts of 1 / UNIT */
    int64_t taken, apart; /* what the fit took of the variance, by the cell's own categories and by the rows' others;
                             counts of 1 / (UNIT * TAKEN) */
} Cell;
enum { FIELDS = sizeof(Cell) / sizeof(int64_t) };

typedef struct Candidate {
    int parts, column[DATA_PARTS]; /* among the category columns, ascending */
    int64_t gain, cells;           /* counts of 1 / UNIT; filled slots */
} Candidate;

typedef struct Chooser {
    dp_shelf *shelf;              /* of what is a number a row */
    int n;                        /* category columns */
    int *feature;                 /* [n] */
    uint32_t **id;                /* [n][upto] hash of the row's category */
    int64_t *categories;          /* [n] about so many over all ranks */
    int64_t *left;                /* [n] gain of the column alone */
    double drawn;                 /* share of train's rows */
    int64_t rows;                 /* of them, of this rank */
    int64_t upto;                 /* rows .. upto - 1 are of valid: they follow every step and count in no cell */
    uint32_t *row;                /* [upto] among the data's */
    int32_t *fit;                 /* [upto] of the log-odds, or of the number; counts of 1 / UNIT */
    int32_t *residual, *variance; /* [upto] */
    uint16_t **taken;             /* [n][rows] (1 - q) / V of the row's category, counts of 1 / TAKEN */
    int32_t *all_taken;           /* [rows] their sum */
    const int8_t *label;          /* of the data's rows */
    const double *target;         /* the same, numbers; NULL: labels are 1 and 0 */
    double mean, deviation;       /* of the numbers drawn from train: the fit is of (target - mean) / deviation */
    double spread;                /* of the numbers' residuals, in these units; 1 */
    Cell *cell, *mine;            /* [1 << CELL_BITS]; this rank's share of their sums */
    int *share;                   /* [ranks] int64s */
    Candidate *list;
    int n_list;
} Chooser;

static void chooser_free(Chooser *c)
{
    for (int i = 0; c->id && i < c->n; i++)
        dp_shelf_free(c->shelf, &c->id[i]);
    dp_free(&c->id);
    for (int i = 0; c->taken && i < c->n; i++)
        dp_shelf_free(c->shelf, &c->taken[i]);
    dp_free(&c->taken);
    dp_shelf_free(c->shelf, &c->all_taken);
    dp_free(&c->feature);
    dp_free(&c->categories);
    dp_free(&c->left);
    dp_shelf_free(c->shelf, &c->row);
    dp_shelf_free(c->shelf, &c->fit);
    dp_shelf_free(c->shelf, &c->residual);
    dp_shelf_free(c->shelf, &c->variance);
    dp_free(&c->cell);
    dp_free(&c->mine);
    dp_free(&c->share);
    dp_free(&c->list);
}

/* ---- the rows ---- */

/* Local. Rows are drawn by their identity, so many that the work stays bounded. */
static dp_status draw_rows(Chooser *c, const Data *data)
{
    int64_t candidates = (int64_t)c->n * (c->n - 1) / 2, most = WORK_MAX / (candidates > 0 ? candidates : 1);
    double share = fmin(1, (double)(most < ROWS_MAX ? most : ROWS_MAX) / (double)data->facts.rows[DATA_TRAIN]);
    c->drawn = share;
    DP_TRY(dp_shelf_new(c->shelf, &c->row, (size_t)data->rows.n));
    for (int64_t i = 0; i < data->rows.n; i++) {
        dp_shelf_step(c->shelf, i);
        if (data->rows.part[i] == DATA_TRAIN &&
            (share >= 1 || dp_random_unit(data->seed, STREAM_CHOOSE, data->rows.row[i]) < share))
            c->row[c->rows++] = (uint32_t)i;
    }
    c->upto = c->rows;
    share = fmin(1, VALID_MAX / fmax(1, (double)data->facts.rows[DATA_VALID]));
    for (int64_t i = 0; i < data->rows.n; i++) {
        dp_shelf_step(c->shelf, i);
        if (data->rows.part[i] == DATA_VALID &&
            (share >= 1 || dp_random_unit(data->seed, STREAM_CHOOSE, data->rows.row[i]) < share))
            c->row[c->upto++] = (uint32_t)i;
    }
    DP_TRY(dp_shelf_new(c->shelf, &c->fit, (size_t)c->upto));
    DP_TRY(dp_shelf_new(c->shelf, &c->residual, (size_t)c->upto));
    DP_TRY(dp_shelf_new(c->shelf, &c->variance, (size_t)c->upto));
    DP_TRY(dp_shelf_new(c->shelf, &c->all_taken, (size_t)c->rows));
    for (int i = 0; i < c->n; i++)
        DP_TRY(dp_shelf_new(c->shelf, &c->taken[i], (size_t)c->rows));
    DP_TRY(dp_new(&c->cell, (size_t)1 << CELL_BITS));
    return DP_OK;
}

/* Collective. */
static dp_status read_ids(Chooser *c, Data *data, const Comm *comm)
{
    Categories categories = {0};
    dp_status st = DP_OK;
    for (int i = 0; i < c->n; i++) {
        DP_GO(data_categories(&categories, data, data->features[c->feature[i]].column, comm));
        DP_GO_ALL(comm, dp_shelf_new(c->shelf, &c->id[i], (size_t)c->upto));
        for (int64_t r = 0; r < c->upto; r++) {
            dp_shelf_step(c->shelf, r);
            c->id[i][r] = (uint32_t)(categories.map.keys[categories.code[c->row[r]]] >> 32);
        }
        categories_free(&categories);
    }
done:
    categories_free(&categories);
    return st;
}

/* ---- the additive model ---- */

static void follow_numbers(Chooser *c, const Comm *comm)
{
    int64_t sums[2] = {0, c->rows};
    for (int64_t r = 0; r < c->upto; r++) {
        dp_shelf_step(c->shelf, r);
        double miss = (c->target[c->row[r]] - c->mean) / c->deviation - (double)c->fit[r] * (1.0 / UNIT);
        c->residual[r] = (int32_t)(fmin(LARGEST, fmax(-LARGEST, miss)) * UNIT);
        if (r < c->rows)
            sums[0] += (int64_t)c->residual[r] * c->residual[r] >> UNIT_BITS;
    }
    comm_sum_i64(comm, sums, 2);
    c->spread = sums[0] > 0 ? sqrt((double)sums[0] * (1.0 / UNIT) / (double)sums[1]) : 1;
    for (int64_t r = 0; r < c->upto; r++) {
        dp_shelf_step(c->shelf, r);
        c->residual[r] = (int32_t)fmin(LARGEST * UNIT, fmax(-LARGEST * UNIT, c->residual[r] / c->spread));
        c->variance[r] = UNIT;
    }
}

/* Collective. Residuals and variances follow the fit. */
static void follow(Chooser *c, const Comm *comm)
{
    if (c->target) {
        follow_numbers(c, comm);
        return;
    }
    for (int64_t r = 0; r < c->upto; r++) {
        dp_shelf_step(c->shelf, r);
        double p = tree_sigmoid((double)c->fit[r] * (1.0 / UNIT));
        int32_t q = (int32_t)(p * UNIT + 0.5);
        q = q < UNIT / 1024 ? UNIT / 1024 : q > UNIT - UNIT / 1024 ? UNIT - UNIT / 1024 : q;
        c->residual[r] = (c->label[c->row[r]] << UNIT_BITS) - q;
        c->variance[r] = (int32_t)((int64_t)q * (UNIT - q) >> UNIT_BITS);
    }
}

static int bits_of(const Chooser *c, const Candidate *candidate)
{
    double cells = 4;
    int bits = 4;
    for (int p = 0; p < candidate->parts; p++)
        cells *= (double)c->categories[candidate->column[p]];
    while (bits < CELL_BITS && (double)(1 << bits) < cells)
        bits++;
    return bits;
}

/* The cell of row r. */
static inline uint64_t slot_of(const uint32_t *const id[DATA_PARTS], int64_t r, int parts, int bits)
{
    uint64_t x = id[0][r] * UINT64_C(0x9E3779B97F4A7C15);
    if (parts > 1)
        x += id[1][r] * UINT64_C(0xC2B2AE3D27D4EB4F);
    if (parts > 2)
        x += id[2][r] * UINT64_C(0x165667B19E3779F9);
    x ^= x >> 32;
    return x * UINT64_C(0xD6E8FEB86659FD93) >> (64 - bits);
}

static void ids_of(const uint32_t *id[DATA_PARTS], const Chooser *c, const Candidate *candidate)
{
    for (int p = 0; p < DATA_PARTS; p++)
        id[p] = p < candidate->parts ? c->id[candidate->column[p]] : NULL;
}

/* Local. This rank's sums of every cell. */
static void fill_cells(Chooser *c, const Candidate *candidate, int bits)
{
    const uint32_t *id[DATA_PARTS];
    ids_of(id, c, candidate);
    memset(c->cell, 0, sizeof *c->cell << bits);
    for (int64_t r = 0; r < c->rows; r++) {
        dp_shelf_step(c->shelf, r);
        Cell *cell = &c->cell[slot_of(id, r, candidate->parts, bits)];
        int64_t v = c->variance[r], own = 0;
        for (int p = 0; p < candidate->parts; p++)
            own += c->taken[candidate->column[p]][r];
        cell->residual += c->residual[r];
        cell->variance += v;
        cell->taken += v * own;
        cell->apart += (v * v >> UNIT_BITS) * (c->all_taken[r] - own);
    }
}

/* Collective. Sums every cell over ranks; what a cell's rows would step by stands in its residual then. Returns how
 * many are filled. */
static int64_t find_steps(Chooser *c, const Candidate *candidate, int bits, const Comm *comm)
{
    int64_t filled = 0;
    fill_cells(c, candidate, bits);
    comm_sum_i64(comm, &c->cell->residual, (size_t)FIELDS << bits);
    for (int64_t s = 0; s < INT64_C(1) << bits; s++) {
        Cell *cell = &c->cell[s];
        double step = (double)cell->residual / ((double)cell->variance + RIDGE * UNIT);
        filled += cell->variance > 0;
        cell->residual = (int64_t)(fmin(4, fmax(-4, step)) * UNIT);
    }
    return filled;
}

/* Collective. Every row steps as its cell does. */
static void take_steps(Chooser *c, const Candidate *candidate, int bits, const Comm *comm)
{
    const uint32_t *id[DATA_PARTS];
    ids_of(id, c, candidate);
    for (int64_t r = 0; r < c->upto; r++) {
        dp_shelf_step(c->shelf, r);
        c->fit[r] += (int32_t)((double)c->cell[slot_of(id, r, candidate->parts, bits)].residual * c->spread);
    }
    follow(c, comm);
}

/* Collective. Do the steps that train's labels ask for help the rows of valid too? Copies of rows, or what was true
 * for a while, make combinations that tell all of train and nothing beyond. */
static bool steps_hold(const Chooser *c, const Candidate *candidate, int bits, const Comm *comm)
{
    const uint32_t *id[DATA_PARTS];
    int64_t sums[3] = {0, 0, c->upto - c->rows};
    ids_of(id, c, candidate);
    for (int64_t r = c->rows; r < c->upto; r++) {
        dp_shelf_step(c->shelf, r);
        double step = (double)c->cell[slot_of(id, r, candidate->parts, bits)].residual * (1.0 / UNIT);
        double residual = (double)c->residual[r] * (1.0 / UNIT), variance = (double)c->variance[r] * (1.0 / UNIT);
        sums[0] += (int64_t)(step * (residual - 0.5 * step * variance) * UNIT);
        sums[1] += (int64_t)(step * step * residual * residual * UNIT);
    }
    comm_sum_i64(comm, sums, 3);
    return sums[2] == 0 || (double)sums[0] > HOLDS * sqrt((double)sums[1] * UNIT);
}

/* Local. What the fit took of each row's category, from the cells of the step just made. */
static void note_taken(Chooser *c, const Candidate *single)
{
    const uint32_t *id[DATA_PARTS];
    ids_of(id, c, single);
    for (int64_t r = 0; r < c->rows; r++) {
        dp_shelf_step(c->shelf, r);
        double v = (double)c->cell[slot_of(id, r, 1, SINGLE_BITS)].variance * (1.0 / UNIT);
        double left = RIDGE / (v + RIDGE), q = left;
        for (int k = 1; k < 2 * ROUNDS; k++)
            q *= left;
        c->taken[single->column[0]][r] = (uint16_t)fmin(UINT16_MAX, (1 - q) / v * TAKEN);
    }
}

/* The column with the k-th most categories. */
static int finest(const Chooser *c, int k)
{
    for (int i = 0;; i++) {
        int finer = 0;
        for (int j = 0; j < c->n; j++)
            finer += c->categories[j] > c->categories[i] || (c->categories[j] == c->categories[i] && j < i);
        if (finer == k)
            return i;
    }
}

/* Collective. The log-odds of train's labels; of its numbers 0, when their mean and deviation are known. */
static double start_value(Chooser *c, const Comm *comm)
{
    ExactSum square = {.adds = 0};
    int64_t counts[2] = {c->rows, 0};
    for (int64_t r = 0; r < c->rows && c->target; r++) {
        double miss = c->target[c->row[r]] - c->mean;
        dp_shelf_step(c->shelf, r);
        exact_add(&square, miss * miss);
    }
    for (int64_t r = 0; r < c->rows; r++) {
        dp_shelf_step(c->shelf, r);
        counts[1] += c->label[c->row[r]];
    }
    comm_sum_i64(comm, counts, 2);
    comm_sum_exact(comm, &square, 1);
    c->spread = 1;
    c->deviation = sqrt(exact_value(&square) / fmax(1, (double)counts[0]));
    c->deviation = c->deviation > 0 ? c->deviation : 1;
    return c->target ? 0 : tree_log(((double)counts[1] + 0.5) / ((double)(counts[0] - counts[1]) + 0.5));
}

/* Collective. Later rounds go from fine to coarse: what fine columns take too much of, coarse ones set right. */
static void fit_singles(Chooser *c, const Comm *comm)
{
    const double start = start_value(c, comm);
    for (int64_t r = 0; r < c->upto; r++) {
        dp_shelf_step(c->shelf, r);
        c->fit[r] = (int32_t)(start * UNIT);
    }
    follow(c, comm);
    for (int round = 0; round < ROUNDS; round++)
        for (int k = 0; k < c->n; k++) {
            Candidate single = {.parts = 1, .column = {round > 0 ? finest(c, k) : k}};
            c->categories[single.column[0]] = find_steps(c, &single, SINGLE_BITS, comm);
            take_steps(c, &single, SINGLE_BITS, comm);
            note_taken(c, &single);
        }
    for (int i = 0; i < c->n; i++)
        for (int64_t r = 0; r < c->rows; r++) {
            dp_shelf_step(c->shelf, r);
            c->all_taken[r] += c->taken[i][r];
        }
}

/* ---- candidates ---- */

/* Collective. The gain of its cells, and how far chance alone would bring it (*chance, as a gain). */
static void sum_gains(Chooser *c, Candidate *candidate, int64_t *chance, const Comm *comm)
{
    int bits = bits_of(c, candidate), ranks = comm_size(comm), rank = comm_rank(comm);
    int64_t n = INT64_C(1) << bits, sums[3] = {0};
    const Cell *cell = c->cell;
    fill_cells(c, candidate, bits);
    if (ranks > 1) {
        int64_t before = 0;
        for (int r = 0; r < ranks; r++) {
            int64_t upto = n * (r + 1) / ranks;
            c->share[r] = (int)(FIELDS * (upto - before));
            before = upto;
        }
        comm_reduce_scatter_i64(comm, &c->cell->residual, &c->mine->residual, c->share);
        cell = c->mine;
        n = c->share[rank] / FIELDS;
    }
    for (int64_t s = 0; s < n; s++) {
        if (cell[s].variance == 0)
            continue;
        double d = (double)cell[s].residual * (1.0 / UNIT), v = (double)cell[s].variance * (1.0 / UNIT);
        double taken = (v * (double)cell[s].taken + (double)cell[s].apart) * (1.0 / UNIT / TAKEN);
        double share = v / (v + RIDGE), gain = (d * d - fmax(0, v - taken)) / (v + RIDGE);
        sums[0] += (int64_t)(gain * UNIT);
        sums[1] += (int64_t)(2 * share * share * UNIT);
        sums[2]++;
    }
    comm_sum_i64(comm, sums, 3);
    *chance = (int64_t)(sqrt((double)sums[1] * UNIT));
    candidate->gain = sums[0];
    candidate->cells = sums[2];
}

/* Collective. What single categories could still gain: the fit leaves some, and combinations must not take it for
 * theirs. */
static void judge_singles(Chooser *c, const Comm *comm)
{
    for (int i = 0; i < c->n; i++) {
        Candidate single = {.parts = 1, .column = {i}};
        int64_t chance;
        sum_gains(c, &single, &chance, comm);
        c->left[i] = single.gain > 0 ? single.gain : 0;
    }
}

/* Collective. The gain beyond that of its columns; 0 where it may be chance. */
static void judge(Chooser *c, Candidate *candidate, const Comm *comm)
{
    int64_t chance;
    sum_gains(c, candidate, &chance, comm);
    for (int p = 0; p < candidate->parts; p++)
        candidate->gain -= c->left[candidate->column[p]];
    if (candidate->gain < SIGNIFICANT * chance)
        candidate->gain = 0;
}

static dp_status offer(Chooser *c, const Candidate *candidate)
{
    for (int k = 0; k < c->n_list; k++)
        if (memcmp(c->list[k].column, candidate->column, sizeof candidate->column) == 0 &&
            c->list[k].parts == candidate->parts)
            return DP_OK;
    DP_TRY(dp_resize(&c->list, (size_t)c->n_list, (size_t)c->n_list + 1));
    c->list[c->n_list++] = *candidate;
    return DP_OK;
}

/* Collective. The best candidate as things stand now, -1: none. Gains fall as combinations join the model, so only
 * those are judged anew that looked better than the best of the new gains. */
static int best_candidate(Chooser *c, bool *fresh, const Comm *comm)
{
    for (;;) {
        int best = -1;
        for (int k = 0; k < c->n_list; k++)
            if (c->list[k].gain > 0 && (best < 0 || c->list[k].gain > c->list[best].gain))
                best = k;
        if (best < 0 || fresh[best])
            return best;
        judge(c, &c->list[best], comm);
        fresh[best] = true;
    }
}

/* Collective. What was chosen with one more column each; judged at once. */
static dp_status extend(Chooser *c, const Candidate *chosen, const Comm *comm)
{
    for (int i = 0; i < c->n; i++) {
        Candidate wider = {.parts = chosen->parts + 1};
        bool in_it = false;
        int at = 0;
        for (int p = 0; p < chosen->parts; p++) {
            in_it = in_it || chosen->column[p] == i;
            if (at == p && i < chosen->column[p])
                wider.column[at++] = i;
            wider.column[at++] = chosen->column[p];
        }
        if (at == chosen->parts)
            wider.column[at] = i;
        if (in_it)
            continue;
        judge(c, &wider, comm);
        DP_TRY_ALL(comm, offer(c, &wider));
    }
    return DP_OK;
}

/* Bytes of a combination's table in the model: at most so many, for rows that were not drawn bring cells of their own.
 */
static double table_bytes(const Chooser *c, const Candidate *candidate)
{
    double all = 1;
    for (int p = 0; p < candidate->parts; p++)
        all *= (double)c->categories[candidate->column[p]];
    return KEY_BYTES * fmin(all, (double)candidate->cells / c->drawn);
}

/* Collective. */
static dp_status choose(Chooser *c, Data *data, const Comm *comm)
{
    const EncodeOptions *options = &data->encode;
    double left = (double)options->memory, tables = options->half_life > 0 && data_by_time(data) ? 2 : 1;
    bool *fresh = NULL;
    dp_status st = DP_OK;
    judge_singles(c, comm);
    for (int i = 0; i < c->n; i++)
        for (int j = i + 1; j < c->n; j++) {
            Candidate pair = {.parts = 2, .column = {i, j}};
            judge(c, &pair, comm);
            DP_GO_ALL(comm, offer(c, &pair));
        }
    for (int64_t chosen = 0; chosen < options->pairs;) {
        DP_GO_ALL(comm, dp_new(&fresh, (size_t)c->n_list));
        for (int k = 0; k < c->n_list && chosen == 0; k++)
            fresh[k] = true;
        int best = best_candidate(c, fresh, comm);
        dp_free(&fresh);
        if (best < 0)
            break;
        Candidate taken = c->list[best];
        c->list[best].gain = 0;
        if (tables * table_bytes(c, &taken) > left)
            continue;
        int bits = bits_of(c, &taken);
        (void)find_steps(c, &taken, bits, comm);
        if (!steps_hold(c, &taken, bits, comm))
            continue;
        DataFeature feature = {.column = -1, .encode = DATA_COMBINED, .parts = taken.parts};
        for (int p = 0; p < taken.parts; p++)
            feature.part[p] = c->feature[taken.column[p]];
        left -= tables * table_bytes(c, &taken);
        chosen++;
        DP_GO_ALL(comm, data_add_feature(data, &feature));
        take_steps(c, &taken, bits, comm);
        judge_singles(c, comm);
        if (taken.parts < options->parts)
            DP_GO(extend(c, &taken, comm));
    }
done:
    dp_free(&fresh);
    return st;
}

dp_status data_choose(Data *data, const Comm *comm)
{
    Chooser c = {.shelf = &data->shelf, .label = data->rows.label, .target = data->rows.target, .mean = data->mean};
    dp_status st = DP_OK;
    for (int j = 0; j < data->n_features; j++)
        c.n += data->features[j].encode == DATA_TARGET;
    if (data->encode.pairs == 0 || c.n < 2)
        return DP_OK;
    if ((st = dp_new(&c.feature, (size_t)c.n)) == DP_OK && (st = dp_new(&c.id, (size_t)c.n)) == DP_OK &&
        (st = dp_new(&c.categories, (size_t)c.n)) == DP_OK && (st = dp_new(&c.taken, (size_t)c.n)) == DP_OK &&
        (st = dp_new(&c.left, (size_t)c.n)) == DP_OK && (st = dp_new(&c.share, (size_t)comm_size(comm))) == DP_OK)
        st = draw_rows(&c, data);
    if (st == DP_OK && comm_size(comm) > 1)
        st = dp_new(&c.mine, ((size_t)1 << CELL_BITS) / (size_t)comm_size(comm) + 1);
    DP_GO_ALL(comm, st);
    for (int j = 0, i = 0; j < data->n_features; j++)
        if (data->features[j].encode == DATA_TARGET)
            c.feature[i++] = j;
    DP_GO(read_ids(&c, data, comm));
    fit_singles(&c, comm);
    DP_GO(choose(&c, data, comm));
done:
    chooser_free(&c);
    return st;
}
