/* singles.c -- does one input alone give the label away?
 *
 * A column that is filled by the inspection, or made from its result, predicts the label better than anything known
 * before it can; the model then shows splendid figures and is of no use at night. The table's known_at keeps honest
 * columns of that kind out of the inputs; this looks for the others. Each input is judged alone on the test rows, in
 * two ways, of which the better counts: by its own order (numbers; a single split is a special case), and by a bare
 * lookup of the mean train label at its value (categories, codes, and numbers that stand for something). A lookup has
 * 2^14 places: texts by their hash, numbers by sign, exponent and five bits of the fraction, missing in one of its own.
 *
 * The rule. Suspicious is an input whose AUC has a lower 95 % bound above SURE; or above LEAD, where it also stands
 * OUTSTANDING times as far above a coin's 0.5 as the next best input. On large data a sample drawn by the rows'
 * identities is looked at: the same on any number of ranks. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "data_priv.h"
#include "metric/metric.h"

static const double SURE = 0.95, LEAD = 0.85, OUTSTANDING = 3;
enum { PLACES = 1 << 14, TRAIN_ROWS = 1000000, JUDGED_ROWS = 100000 };

/* Is the row in a sample of about `wanted` of `all` rows? Row identities are hashes. */
static bool is_drawn(uint64_t row, int64_t all, int64_t wanted)
{
    return all <= wanted || (double)(row >> 11) * 0x1p-53 * (double)all < (double)wanted;
}

static bool is_judged(const Singles *s, const Data *data, int64_t row)
{
    return data->rows.part[row] == s->part && is_drawn(data->rows.row[row], data->facts.rows[s->part], JUDGED_ROWS);
}

dp_status singles_build(Singles *s, const Data *data, const int *columns, int n)
{
    s->part = data->facts.rows[DATA_TEST] ? DATA_TEST : DATA_VALID;
    s->columns = columns;
    s->n = n;
    for (int64_t i = 0; i < data->rows.n; i++) {
        dp_shelf_step(&data->shelf, i);
        s->rows += is_judged(s, data, i);
    }
    DP_TRY(dp_new(&s->label, (size_t)s->rows));
    DP_TRY(dp_new(&s->row, (size_t)s->rows));
    DP_TRY(dp_new(&s->score, (size_t)s->rows));
    DP_TRY(dp_new(&s->value, (size_t)s->rows * (size_t)n));
    return dp_new(&s->count, (size_t)n * PLACES * 2);
}

void singles_free(Singles *s)
{
    dp_free(&s->label);
    dp_free(&s->row);
    dp_free(&s->score);
    dp_free(&s->value);
    dp_free(&s->count);
}

/* ---- reading ---- */

static bool is_number(const Singles *s, const Data *data, int c)
{
    LakeType type = data->schema->columns[s->columns[c]].type;
    return type == LAKE_NUMBER || type == LAKE_NUMBER32;
}

/* What is kept of a value: a finite float, missing the lowest; or 24 bits of a hash, which a float holds too. */
static float value_of(uint64_t word, bool number)
{
    double x;
    if (!number)
        return (float)(word >> 40);
    memcpy(&x, &word, sizeof x);
    return isnan(x) ? -FLT_MAX : x > FLT_MAX ? FLT_MAX : x < -FLT_MAX ? -FLT_MAX : (float)x;
}

static uint32_t place_of(float value, bool number)
{
    uint32_t bits;
    if (!number)
        return (uint32_t)value >> 10;
    memcpy(&bits, &value, sizeof bits);
    return bits >> 18;
}

void singles_take(Singles *s, const Data *data, int64_t row, const uint64_t *words)
{
    bool learns =
        data->rows.part[row] == DATA_TRAIN && is_drawn(data->rows.row[row], data->facts.rows[DATA_TRAIN], TRAIN_ROWS);
    bool judged = is_judged(s, data, row);
    for (int c = 0; c < s->n && (learns || judged); c++) {
        bool number = is_number(s, data, c);
        float value = value_of(words[c], number);
        if (learns)
            s->count[((size_t)c * PLACES + place_of(value, number)) * 2 + (size_t)data->rows.label[row]]++;
        else
            s->value[c * s->rows + s->taken] = value;
    }
    if (judged) {
        s->label[s->taken] = data->rows.label[row];
        s->row[s->taken++] = data->rows.row[row];
    }
}

/* ---- judging ---- */

static void look_up(Singles *s, const Data *data, int c)
{
    const uint32_t *count = s->count + (size_t)c * PLACES * 2;
    Count all = {data->facts.rows[DATA_TRAIN], data->facts.positives[DATA_TRAIN]};
    TargetRule rule = target_rule(data->encode.prior_weight, 0);
    bool number = is_number(s, data, c);
    for (int64_t i = 0; i < s->rows; i++) {
        const uint32_t *at = count + 2 * place_of(s->value[c * s->rows + i], number);
        s->score[i] = target_value((Count){(int64_t)at[0] + at[1], at[1]}, all, &rule, 1);
    }
}

/* Higher is riskier, or lower is. */
static void take_order(Singles *s, int c, bool falling)
{
    for (int64_t i = 0; i < s->rows; i++)
        s->score[i] = falling ? -s->value[c * s->rows + i] : s->value[c * s->rows + i];
}

typedef enum Reading { BY_LOOKUP, BY_RISING, BY_FALLING } Reading;

static void read_column(Singles *s, const Data *data, int c, Reading reading)
{
    if (reading == BY_LOOKUP)
        look_up(s, data, c);
    else
        take_order(s, c, reading == BY_FALLING);
}

/* Collective. How good column c is alone, by the better reading. */
static dp_status judge(double *auc, Reading *reading, Singles *s, const Data *data, int c, const Comm *comm)
{
    Metric metric;
    MetricRows rows = {.score = s->score, .label = s->label, .row = s->row, .n = s->rows};
    double order = NAN;
    DP_TRY(metric_parse(&metric, "auc"));
    comm_sum_u32(comm, s->count + (size_t)c * PLACES * 2, (size_t)PLACES * 2);
    *reading = BY_LOOKUP;
    read_column(s, data, c, BY_LOOKUP);
    DP_TRY(metric_value(auc, &metric, &rows, comm));
    if (!is_number(s, data, c))
        return DP_OK;
    read_column(s, data, c, BY_RISING);
    DP_TRY(metric_value(&order, &metric, &rows, comm));
    Reading way = order >= 0.5 ? BY_RISING : BY_FALLING;
    order = fmax(order, 1 - order);
    if (order > *auc) {
        *auc = order;
        *reading = way;
    }
    return DP_OK;
}

dp_status singles_judge(DataLeaks *leaks, Singles *s, const Data *data, const Comm *comm)
{
    double best = NAN, second = 0.5;
    int column = -1;
    Reading how = BY_LOOKUP;
    Metric metric;
    MetricValue value;
    MetricRows rows = {.score = s->score, .label = s->label, .row = s->row, .n = s->rows};
    leaks->column_auc = NAN;
    for (int c = 0; c < s->n && data->facts.rows[s->part] > 0; c++) {
        double auc;
        Reading reading;
        DP_TRY(judge(&auc, &reading, s, data, c, comm));
        if (isnan(auc))
            continue;
        if (column >= 0 && auc <= best) {
            second = fmax(second, auc);
            continue;
        }
        second = column >= 0 ? fmax(second, best) : second;
        best = auc;
        column = c;
        how = reading;
    }
    if (column < 0)
        return DP_OK;
    read_column(s, data, column, how);
    DP_TRY(metric_parse(&metric, "auc"));
    DP_TRY(metric_compute(&value, &metric, &rows, comm));
    leaks->column_auc = best;
    leaks->gives_away = value.low > SURE || (s->n > 1 && value.low > LEAD && best - 0.5 > OUTSTANDING * (second - 0.5));
    snprintf(leaks->column, sizeof leaks->column, "%s", data->schema->columns[s->columns[column]].name);
    return DP_OK;
}
