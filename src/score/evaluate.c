/* Figures of a model on a part of the data: one pass over the table's blocks, then metrics over all rows and by slice.
 */
#include "score/score_priv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The rows of a part on this rank, with their scores; `at`: where they stand among the data's rows. */
typedef struct Judge {
    int64_t n;
    int64_t *at;
    float *score;
    int8_t *label;
    double *target;        /* NULL: labels are 1 and 0 */
    uint64_t *row, *group; /* group NULL: there are none */
    double *revenue;       /* NULL without a column */
    const dp_shelf *shelf; /* of the data's rows */
} Judge;

static void judge_free(Judge *judge)
{
    dp_free(&judge->at);
    dp_free(&judge->score);
    dp_free(&judge->label);
    dp_free(&judge->target);
    dp_free(&judge->row);
    dp_free(&judge->group);
    dp_free(&judge->revenue);
}

static dp_status judge_build(Judge *judge, const Data *data, DataPart part)
{
    const uint8_t *parts = data_part(data);
    int64_t n = data_rows_n(data), k = 0;
    judge->shelf = data_shelf(data);
    for (int64_t i = 0; i < n; i++) {
        dp_shelf_step(data_shelf(data), i);
        judge->n += parts[i] == part;
    }
    DP_TRY(dp_new(&judge->at, (size_t)judge->n));
    DP_TRY(dp_new(&judge->score, (size_t)judge->n));
    DP_TRY(dp_new(&judge->label, (size_t)judge->n));
    if (data_target(data))
        DP_TRY(dp_new(&judge->target, (size_t)judge->n + 1)); /* not NULL without rows */
    DP_TRY(dp_new(&judge->row, (size_t)judge->n));
    if (data_group(data))
        DP_TRY(dp_new(&judge->group, (size_t)judge->n + 1));
    for (int64_t i = 0; i < n; i++) {
        dp_shelf_step(data_shelf(data), i);
        if (parts[i] == part) {
            judge->at[k] = i;
            judge->label[k] = data_label(data)[i];
            if (judge->target)
                judge->target[k] = data_target(data)[i];
            if (judge->group)
                judge->group[k] = data_group(data)[i];
            judge->row[k++] = data_row(data)[i];
        }
    }
    return DP_OK;
}

/* ---- scores of the part's rows ---- */

static int64_t row_of(const LakeBlock *block, int32_t i)
{
    return block->row ? block->row[i] : block->first_row + i;
}

/* Moves the rows of x that are wanted to its front; *next walks through the wanted row numbers. Returns them. */
static Tensor keep_wanted(Tensor x, const LakeBlock *block, const Judge *judge, const Data *data, int64_t *next)
{
    const int64_t *number = data_row_number(data);
    int64_t kept = 0;
    for (int32_t i = 0; i < block->rows && *next < judge->n; i++) {
        if (row_of(block, i) != number[judge->at[*next]])
            continue;
        Tensor from = tensor_rows(x, i, 1), to = tensor_rows(x, kept++, 1);
        memmove(to.data, from.data, tensor_bytes(from));
        ++*next;
    }
    return tensor_rows(x, 0, kept);
}

/* Local: the scan's blocks through the model. */
static dp_status score_blocks(float *score, const Judge *judge, const Model *model, DataEncoder *encoder,
                              LakeScan *scan, const Data *data)
{
    int64_t inputs = model_inputs(model)->n, next = 0;
    int32_t room = 0;
    float *x = NULL;
    const LakeBlock *block;
    dp_status st = DP_OK;
    for (;;) {
        DP_GO(lake_next(scan, &block));
        if (!block)
            break;
        dp_shelf_rest(judge->shelf);
        if (block->rows > room) {
            dp_free(&x);
            DP_GO(dp_new(&x, (size_t)block->rows * (size_t)inputs));
            room = block->rows;
        }
        Tensor rows = tensor_matrix(TENSOR_F32, x, block->rows, inputs);
        DP_GO(data_encode(encoder, block->column, rows));
        int64_t first = next;
        model_predict(model, keep_wanted(rows, block, judge, data, &next), score + first);
    }
    if (next != judge->n)
        DP_GO(dp_fail(DP_ERR_INTERNAL, "score-02", "%lld of %lld rows of the part came back from the table",
                      (long long)next, (long long)judge->n));
done:
    dp_free(&x);
    return st;
}

/* Collective. score [judge->n]. */
static dp_status score_part(float *score, const Judge *judge, const Model *model, Data *data, const Comm *comm)
{
    DataEncoder *encoder = NULL;
    LakeScan *scan = NULL;
    const int *columns = NULL;
    dp_status st = DP_OK;
    DP_GO_ALL(comm, data_encoder_build(&encoder, model_inputs(model), data_schema(data), &columns));
    DP_GO(data_scan(&scan, data, columns, model_inputs(model)->columns, comm));
    DP_GO_ALL(comm, score_blocks(score, judge, model, encoder, scan, data));
done:
    lake_scan_close(&scan);
    data_encoder_free(&encoder);
    return st;
}

/* What an inspection recovered, 0 where nothing is written. */
static dp_status read_revenue(Judge *judge, const char *column, Data *data, const Comm *comm)
{
    double *all = NULL;
    dp_shelf *shelf = data_shelf(data);
    dp_status st = DP_OK;
    DP_GO_ALL(comm, dp_shelf_new(shelf, &all, (size_t)data_rows_n(data)));
    DP_GO(data_number(data, column, all, comm));
    /* One more: an array, not NULL, also on a rank without rows; NULL means that there is no such column. */
    DP_GO_ALL(comm, dp_new(&judge->revenue, (size_t)judge->n + 1));
    for (int64_t i = 0; i < judge->n; i++) {
        dp_shelf_step(shelf, i);
        judge->revenue[i] = isnan(all[judge->at[i]]) ? 0 : all[judge->at[i]];
    }
done:
    dp_shelf_free(shelf, &all);
    return st;
}

/* ---- the report ---- */

static dp_status add_figure(ScoreReport *report, const ScoreFigure *figure)
{
    DP_TRY(dp_resize(&report->figures, (size_t)report->n, (size_t)report->n + 1));
    report->figures[report->n++] = *figure;
    return DP_OK;
}

/* Collective. Each metric on these rows. */
static dp_status add_figures(ScoreReport *report, const char *slice, const MetricRows *rows,
                             const EvaluateOptions *options, const Comm *comm)
{
    int64_t count[2] = {rows->n, 0};
    for (int64_t i = 0; i < rows->n; i++)
        count[1] += rows->label[i] == 1;
    comm_sum_i64(comm, count, 2);
    for (size_t m = 0; m < options->metrics.n; m++) {
        ScoreFigure figure = {.rows = count[0], .positives = count[1]};
        snprintf(figure.slice, sizeof figure.slice, "%s", slice);
        DP_TRY(metric_parse(&figure.metric, options->metrics.items[m]));
        DP_TRY(metric_compute(&figure.value, &figure.metric, rows, comm));
        DP_TRY_ALL(comm, add_figure(report, &figure));
    }
    return DP_OK;
}

/* One value of a slice column: its text, and its rows in the sorted copy. */
typedef struct Slice {
    const char *name;
    int64_t first, n;       /* on this rank */
    int64_t all, positives; /* over all ranks */
} Slice;

static int by_name(const void *a, const void *b)
{
    return strcmp(((const Slice *)a)->name, ((const Slice *)b)->name);
}

/* The rows ordered by slice, so that a slice's rows are consecutive. */
static dp_status sort_by_slice(Judge *sorted, const Judge *judge, const uint32_t *code, Slice *slice, uint32_t n)
{
    int64_t *fill = NULL;
    DP_TRY(dp_new(&sorted->score, (size_t)judge->n));
    DP_TRY(dp_new(&sorted->label, (size_t)judge->n));
    DP_TRY(dp_new(&sorted->row, (size_t)judge->n));
    if (judge->group)
        DP_TRY(dp_new(&sorted->group, (size_t)judge->n + 1));
    if (judge->target)
        DP_TRY(dp_new(&sorted->target, (size_t)judge->n + 1));
    if (judge->revenue)
        DP_TRY(dp_new(&sorted->revenue, (size_t)judge->n + 1));
    DP_TRY(dp_new(&fill, n));
    for (int64_t i = 0; i < judge->n; i++) {
        dp_shelf_step(judge->shelf, i);
        slice[code[judge->at[i]]].n++;
    }
    for (uint32_t s = 1; s < n; s++)
        slice[s].first = slice[s - 1].first + slice[s - 1].n;
    for (int64_t i = 0; i < judge->n; i++) {
        dp_shelf_step(judge->shelf, i);
        uint32_t s = code[judge->at[i]];
        int64_t to = slice[s].first + fill[s]++;
        sorted->score[to] = judge->score[i];
        sorted->label[to] = judge->label[i];
        sorted->row[to] = judge->row[i];
        if (judge->group)
            sorted->group[to] = judge->group[i];
        if (judge->target)
            sorted->target[to] = judge->target[i];
        if (judge->revenue)
            sorted->revenue[to] = judge->revenue[i];
        slice[s].positives += judge->label[i] == 1;
    }
    dp_free(&fill);
    return DP_OK;
}

static dp_status count_slices(Slice *slice, uint32_t n, const Comm *comm)
{
    int64_t *count = NULL;
    DP_TRY_ALL(comm, dp_new(&count, 2 * (size_t)n));
    for (uint32_t s = 0; s < n; s++) {
        count[2 * s] = slice[s].n;
        count[2 * s + 1] = slice[s].positives;
    }
    comm_sum_i64(comm, count, 2 * (size_t)n);
    for (uint32_t s = 0; s < n; s++) {
        slice[s].all = count[2 * s];
        slice[s].positives = count[2 * s + 1];
    }
    dp_free(&count);
    return DP_OK;
}

static dp_status add_slices(ScoreReport *report, const char *column, const Judge *judge, Data *data,
                            const EvaluateOptions *options, const Comm *comm)
{
    uint32_t *code = NULL, n = 0;
    dp_buf names = {0};
    Slice *slice = NULL;
    Judge sorted = {0};
    uint32_t judged = 0;
    dp_status st = DP_OK;
    DP_GO(data_slice(data, column, &code, &names, &n, comm));
    if (n > SCORE_SLICES_MAX)
        DP_GO(dp_fail(DP_ERR_CONFIG, "score-03",
                      "slice column %s has %u values, at most %d make sense; choose a coarser one", column, n,
                      SCORE_SLICES_MAX));
    DP_GO_ALL(comm, dp_new(&slice, n));
    const char *name = names.data;
    for (uint32_t s = 0; s < n; s++, name += strlen(name) + 1)
        slice[s].name = name;
    DP_GO_ALL(comm, sort_by_slice(&sorted, judge, code, slice, n));
    DP_GO(count_slices(slice, n, comm));
    if (n > 1)
        qsort(slice, n, sizeof *slice, by_name);
    for (uint32_t s = 0; s < n; s++) {
        const Slice *here = &slice[s];
        char label[96];
        if (here->positives < SCORE_SLICE_MIN || here->all - here->positives < SCORE_SLICE_MIN)
            continue;
        judged++;
        snprintf(label, sizeof label, "%s=%s", column, *here->name ? here->name : "missing");
        MetricRows rows = {.score = sorted.score + here->first,
                           .label = sorted.label + here->first,
                           .target = sorted.target ? sorted.target + here->first : NULL,
                           .row = sorted.row + here->first,
                           .group = sorted.group ? sorted.group + here->first : NULL,
                           .n = here->n,
                           .revenue = sorted.revenue ? sorted.revenue + here->first : NULL};
        DP_GO(add_figures(report, label, &rows, options, comm));
    }
    if (judged < n)
        dp_say(comm_log(comm), DP_INFO, "slices",
               "%u of %u values of %s are judged; the others have fewer than %d rows of a class", judged, n, column,
               SCORE_SLICE_MIN);
done:
    judge_free(&sorted);
    dp_free(&slice);
    dp_shelf_free(data_shelf(data), &code);
    dp_buf_free(&names);
    return st;
}

static MetricRows rows_of(const Judge *judge)
{
    return (MetricRows){.score = judge->score,
                        .label = judge->label,
                        .target = judge->target,
                        .row = judge->row,
                        .group = judge->group,
                        .revenue = judge->revenue,
                        .n = judge->n};
}

static bool needs_revenue(const EvaluateOptions *options)
{
    return options->revenue && *options->revenue;
}

dp_status score_evaluate_fits(const EvaluateOptions *options, const Data *data)
{
    if (needs_revenue(options))
        DP_TRY(data_number_check(data, options->revenue));
    for (size_t i = 0; i < options->slices.n; i++)
        DP_TRY(data_slice_check(data, options->slices.items[i]));
    for (size_t i = 0; i < options->metrics.n; i++) {
        Metric metric;
        DP_TRY(metric_parse(&metric, options->metrics.items[i]));
        if (metric.kind == METRIC_NDCG && !data_group(data))
            return dp_fail(DP_ERR_CONFIG, "metric-06", "%s looks at groups of rows; name their columns with data.group",
                           options->metrics.items[i]);
    }
    return DP_OK;
}

dp_status score_must_fit(const Model *model, const Data *data)
{
    if (model_kind(model) != data_kind(data))
        return dp_fail(DP_ERR_CONFIG, "score-11", "the model says %s, and data.label is %s",
                       model_kind(model) == DATA_NUMBER ? "a number" : "the chance of a label",
                       data_kind(data) == DATA_NUMBER ? "a number" : "of type label");
    return DP_OK;
}

dp_status score_evaluate(ScoreReport *report, const Model *model, Data *data, DataPart part,
                         const EvaluateOptions *options, const Comm *comm)
{
    Judge judge = {0};
    dp_status st = DP_OK;
    *report = (ScoreReport){0};
    DP_GO(score_evaluate_check(options));
    DP_GO(score_must_fit(model, data));
    DP_GO_ALL(comm, judge_build(&judge, data, part));
    DP_GO(score_part(judge.score, &judge, model, data, comm));
    if (needs_revenue(options))
        DP_GO(read_revenue(&judge, options->revenue, data, comm));
    MetricRows rows = rows_of(&judge);
    DP_GO(add_figures(report, "", &rows, options, comm));
    for (size_t i = 0; i < options->slices.n; i++)
        DP_GO(add_slices(report, options->slices.items[i], &judge, data, options, comm));
done:
    judge_free(&judge);
    return st;
}

dp_status score_compare(ScoreReport *differences, const Model *model, const Model *other, Data *data, DataPart part,
                        const EvaluateOptions *options, const Comm *comm)
{
    Judge judge = {0};
    float *theirs = NULL;
    dp_status st = DP_OK;
    *differences = (ScoreReport){0};
    DP_GO(score_evaluate_check(options));
    DP_GO(score_must_fit(model, data));
    DP_GO(score_must_fit(other, data));
    DP_GO_ALL(comm, judge_build(&judge, data, part));
    DP_GO_ALL(comm, dp_new(&theirs, (size_t)judge.n + 1)); /* not NULL without rows: NULL says "no other model" */
    DP_GO(score_part(judge.score, &judge, model, data, comm));
    DP_GO(score_part(theirs, &judge, other, data, comm));
    if (needs_revenue(options))
        DP_GO(read_revenue(&judge, options->revenue, data, comm));
    MetricRows rows = rows_of(&judge);
    for (size_t m = 0; m < options->metrics.n; m++) {
        ScoreFigure figure = {.rows = data_facts(data).rows[part], .positives = data_facts(data).positives[part]};
        DP_GO(metric_parse(&figure.metric, options->metrics.items[m]));
        DP_GO(metric_compare(&figure.value, &figure.metric, &rows, theirs, comm));
        DP_GO_ALL(comm, add_figure(differences, &figure));
    }
done:
    dp_free(&theirs);
    judge_free(&judge);
    return st;
}

void score_report_free(ScoreReport *report)
{
    dp_free(&report->figures);
    report->n = 0;
}
