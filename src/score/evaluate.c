/* Figures of a model on a part of the data: one pass over the table's blocks, then metrics over all rows and by slice.
 */
#include "score/score_priv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
static dp_status score_blocks(const Said *said, const Judge *judge, const Model *model, DataEncoder *encoder,
                              LakeScan *scan, const Data *data)
{
    int64_t inputs = model_inputs(model)->n, next = 0;
    int32_t room = 0;
    float *x = NULL, *score = NULL;
    const LakeBlock *block;
    dp_status st = DP_OK;
    for (;;) {
        DP_GO(lake_next(scan, &block));
        if (!block)
            break;
        dp_shelf_rest(judge->shelf);
        if (block->rows > room) {
            dp_free(&x);
            dp_free(&score);
            DP_GO(dp_new(&x, (size_t)block->rows * (size_t)inputs));
            DP_GO(dp_new(&score, (size_t)block->rows * (size_t)model_outputs(model)));
            room = block->rows;
        }
        Tensor rows = tensor_matrix(TENSOR_F32, x, block->rows, inputs);
        DP_GO(data_encode(encoder, block->column, rows));
        int64_t first = next;
        model_predict(model, keep_wanted(rows, block, judge, data, &next), score);
        model_judge(model, score, judge->class_id ? judge->class_id + first : NULL, next - first, said->score + first,
                    said->guess ? said->guess + first : NULL);
    }
    if (next != judge->n)
        DP_GO(dp_fail(DP_ERR_INTERNAL, "score-02", "%lld of %lld rows of the part came back from the table",
                      (long long)next, (long long)judge->n));
done:
    dp_free(&x);
    dp_free(&score);
    return st;
}

/* Collective. */
static dp_status score_part(Said *said, const Judge *judge, const Model *model, Data *data, const Comm *comm)
{
    DataEncoder *encoder = NULL;
    LakeScan *scan = NULL;
    const int *columns = NULL;
    dp_status st = DP_OK;
    DP_GO_ALL(comm, said_room(said, judge));
    DP_GO_ALL(comm, data_encoder_build(&encoder, model_inputs(model), data_schema(data), &columns));
    DP_GO(data_scan(&scan, data, columns, model_inputs(model)->columns, comm));
    DP_GO_ALL(comm, score_blocks(said, judge, model, encoder, scan, data));
done:
    lake_scan_close(&scan);
    data_encoder_free(&encoder);
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
    if (rows->class_id)
        count[1] = -1; /* there is no such thing */
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

/* order [judge->n]: the rows by slice, so that a slice's rows are consecutive. */
static dp_status sort_by_slice(int64_t *order, const Judge *judge, const uint32_t *code, Slice *slice, uint32_t n)
{
    int64_t *fill = NULL;
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
        order[slice[s].first + fill[s]++] = i;
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

/* Enough rows of each label, or, of classes, enough rows. */
static bool can_be_judged(const Slice *slice, const Judge *judge)
{
    if (judge->class_id)
        return slice->all >= 2 * SCORE_SLICE_MIN;
    return slice->positives >= SCORE_SLICE_MIN && slice->all - slice->positives >= SCORE_SLICE_MIN;
}

static dp_status add_slices(ScoreReport *report, const char *column, const Judge *judge, const Said *said, Data *data,
                            const EvaluateOptions *options, const Comm *comm)
{
    uint32_t *code = NULL, n = 0;
    dp_buf names = {0};
    Slice *slice = NULL;
    Judge sorted = {0};
    Said sorted_said = {0};
    int64_t *order = NULL;
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
    if ((st = dp_new(&order, (size_t)judge->n)) == DP_OK && (st = sort_by_slice(order, judge, code, slice, n)) == DP_OK)
        st = judge_reorder(&sorted, &sorted_said, judge, said, order);
    DP_GO_ALL(comm, st);
    DP_GO(count_slices(slice, n, comm));
    if (n > 1)
        qsort(slice, n, sizeof *slice, by_name);
    for (uint32_t s = 0; s < n; s++) {
        const Slice *here = &slice[s];
        char label[96];
        if (!can_be_judged(here, judge))
            continue;
        judged++;
        snprintf(label, sizeof label, "%s=%s", column, *here->name ? here->name : "missing");
        MetricRows rows = judge_rows(&sorted, &sorted_said, here->first, here->n);
        DP_GO(add_figures(report, label, &rows, options, comm));
    }
    if (judged < n)
        dp_say(comm_log(comm), DP_INFO, "slices",
               "%u of %u values of %s are judged; the others have fewer than %d rows of a class", judged, n, column,
               SCORE_SLICE_MIN);
done:
    judge_free(&sorted);
    said_free(&sorted_said);
    dp_free(&order);
    dp_free(&slice);
    dp_shelf_free(data_shelf(data), &code);
    dp_buf_free(&names);
    return st;
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

dp_status score_evaluate(ScoreReport *report, const Model *model, Data *data, DataPart part,
                         const EvaluateOptions *options, const Comm *comm)
{
    Judge judge = {0};
    Said said = {0};
    dp_status st = DP_OK;
    *report = (ScoreReport){0};
    DP_GO(score_evaluate_check(options));
    DP_GO(judge_build(&judge, model, data, part, comm));
    DP_GO(score_part(&said, &judge, model, data, comm));
    if (needs_revenue(options))
        DP_GO(judge_read_revenue(&judge, options->revenue, data, comm));
    MetricRows rows = judge_rows(&judge, &said, 0, judge.n);
    DP_GO(add_figures(report, "", &rows, options, comm));
    for (size_t i = 0; i < options->slices.n; i++)
        DP_GO(add_slices(report, options->slices.items[i], &judge, &said, data, options, comm));
done:
    judge_free(&judge);
    said_free(&said);
    return st;
}

/* The same on every rank. */
static dp_status must_compare(const Model *model, const Model *other)
{
    if (model_kind(model) != model_kind(other) || !data_classes_same(model_classes(model), model_classes(other)))
        return dp_fail(DP_ERR_CONFIG, "score-12", "the two models do not say the same: %s",
                       model_kind(model) != model_kind(other) ? "their labels are of other kinds"
                                                              : "they know other classes");
    return DP_OK;
}

dp_status score_compare(ScoreReport *differences, const Model *model, const Model *other, Data *data, DataPart part,
                        const EvaluateOptions *options, const Comm *comm)
{
    Judge judge = {0};
    Said mine = {0}, theirs = {0};
    dp_status st = DP_OK;
    *differences = (ScoreReport){0};
    DP_GO(score_evaluate_check(options));
    DP_GO(must_compare(model, other));
    DP_GO(judge_build(&judge, model, data, part, comm));
    DP_GO(score_part(&mine, &judge, model, data, comm));
    DP_GO(score_part(&theirs, &judge, other, data, comm));
    if (needs_revenue(options))
        DP_GO(judge_read_revenue(&judge, options->revenue, data, comm));
    MetricRows rows = judge_rows(&judge, &mine, 0, judge.n), others = judge_rows(&judge, &theirs, 0, judge.n);
    for (size_t m = 0; m < options->metrics.n; m++) {
        ScoreFigure figure = {.rows = data_facts(data).rows[part],
                              .positives = judge.class_id ? -1 : data_facts(data).positives[part]};
        DP_GO(metric_parse(&figure.metric, options->metrics.items[m]));
        DP_GO(metric_compare(&figure.value, &figure.metric, &rows, &others, comm));
        DP_GO_ALL(comm, add_figure(differences, &figure));
    }
done:
    said_free(&mine);
    said_free(&theirs);
    judge_free(&judge);
    return st;
}

void score_report_free(ScoreReport *report)
{
    dp_free(&report->figures);
    report->n = 0;
}
