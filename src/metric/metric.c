#include "metric/metric.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "comm/exact.h"
#include "metric_priv.h"

enum { OF_FLAGS = 1 << METRIC_FLAGS, OF_NUMBERS = 1 << METRIC_NUMBERS, OF_CLASSES = 1 << METRIC_CLASSES };
static const struct {
    const char *name;
    int kind;
    enum { NO_CUT, A_SHARE, A_SHARE_OR_COUNT } cut;
    int higher_is_better, probability, measures;
} kinds[] = {
    {"auc", METRIC_AUC, NO_CUT, 1, 0, OF_FLAGS},
    {"average_precision", METRIC_AVERAGE_PRECISION, NO_CUT, 1, 0, OF_FLAGS},
    {"precision", METRIC_PRECISION_AT, A_SHARE, 1, 0, OF_FLAGS},
    {"recall", METRIC_RECALL_AT, A_SHARE, 1, 0, OF_FLAGS},
    {"revenue", METRIC_REVENUE_AT, A_SHARE, 1, 0, OF_FLAGS | OF_NUMBERS},
    {"logloss", METRIC_LOGLOSS, NO_CUT, 0, 1, OF_FLAGS | OF_CLASSES},
    {"brier", METRIC_BRIER, NO_CUT, 0, 1, OF_FLAGS},
    {"calibration", METRIC_CALIBRATION, NO_CUT, 0, 1, OF_FLAGS},
    {"rmse", METRIC_RMSE, NO_CUT, 0, 0, OF_NUMBERS},
    {"mae", METRIC_MAE, NO_CUT, 0, 0, OF_NUMBERS},
    {"ndcg", METRIC_NDCG, A_SHARE_OR_COUNT, 1, 0, OF_FLAGS | OF_NUMBERS},
    {"accuracy", METRIC_ACCURACY, NO_CUT, 1, 0, OF_CLASSES},
    {"macro_f1", METRIC_MACRO_F1, NO_CUT, 1, 0, OF_CLASSES},
};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

const char *const metric_names_of[] = {[METRIC_FLAGS] = "auc, average_precision, precision@5%, logloss ...",
                                       [METRIC_NUMBERS] = "rmse, mae or revenue@5%",
                                       [METRIC_CLASSES] = "logloss, accuracy or macro_f1"};
static const char *const labels_are[] = {
    [METRIC_FLAGS] = "of 1 and 0", [METRIC_NUMBERS] = "numbers", [METRIC_CLASSES] = "classes"};

/* "5%" or "0.05" into 0 .. 1; false: neither. */
static bool read_share(double *share, const char *text)
{
    char *end;
    *share = strtod(text, &end);
    if (end == text || (*text < '0' || *text > '9'))
        return false;
    if (*end == '%') {
        *share /= 100;
        end++;
    }
    return *end == '\0' && *share > 0 && *share <= 1;
}

/* A share, or where it may be one, a number of rows from 1 on. */
static bool read_cut(Metric *metric, int cut, const char *text)
{
    char *end;
    long long top = strtoll(text, &end, 10);
    if (cut != A_SHARE_OR_COUNT || *text < '0' || *text > '9' || *end || top < 1)
        return read_share(&metric->cut, text);
    metric->top = top;
    return true;
}

dp_status metric_parse(Metric *metric, const char *text)
{
    static const char *const cuts[] = {[NO_CUT] = " without a cut",
                                       [A_SHARE] = "@5% (a share of the rows, above 0 and at most 100%)",
                                       [A_SHARE_OR_COUNT] = "@10 (rows of each group) or @5% (a share of them)"};
    const char *at = strchr(text, '@');
    size_t length = at ? (size_t)(at - text) : strlen(text);
    *metric = (Metric){.cut = 1};
    for (int k = 0; k < N_KINDS; k++) {
        if (strlen(kinds[k].name) != length || memcmp(kinds[k].name, text, length) != 0)
            continue;
        if ((kinds[k].cut != NO_CUT) != (at != NULL) || (at && !read_cut(metric, kinds[k].cut, at + 1)) ||
            strlen(text) >= sizeof metric->name)
            return dp_fail(DP_ERR_CONFIG, "metric-01", "cannot measure '%s': write %s%s", text, kinds[k].name,
                           cuts[kinds[k].cut]);
        snprintf(metric->name, sizeof metric->name, "%s", text);
        metric->kind = kinds[k].kind;
        metric->higher_is_better = kinds[k].higher_is_better;
        return DP_OK;
    }
    const char *names[N_KINDS];
    for (int k = 0; k < N_KINDS; k++)
        names[k] = kinds[k].name;
    char word[64];
    snprintf(word, sizeof word, "%.*s", (int)(length < 63 ? length : 63), text);
    const char *near = dp_nearest(word, names, N_KINDS);
    return dp_fail(
        DP_ERR_CONFIG, "metric-01",
        "unknown measure '%s'%s%s%s; there are auc, average_precision, "
        "precision@5%%, recall@5%%, revenue@5%%, logloss, brier, calibration, rmse, mae, accuracy, macro_f1, ndcg@10",
        text, near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
}

bool metric_measures(const Metric *metric, MetricLabels labels)
{
    return kinds[metric->kind].measures & 1 << labels;
}

/* Local. Is every row fit to be measured? */
static dp_status look_at_rows(const Metric *metric, const MetricRows *rows)
{
    bool probability = kinds[metric->kind].probability;
    MetricLabels labels = rows->target ? METRIC_NUMBERS : rows->class_id ? METRIC_CLASSES : METRIC_FLAGS;
    if (!metric_measures(metric, labels))
        return dp_fail(DP_ERR_CONFIG, "metric-05", "%s does not measure labels that are %s; measure %s", metric->name,
                       labels_are[labels], metric_names_of[labels]);
    if (metric->kind == METRIC_REVENUE_AT && !rows->revenue)
        return dp_fail(DP_ERR_USAGE, "metric-04", "%s needs a revenue column; name it with evaluate.revenue",
                       metric->name);
    if (metric->kind == METRIC_NDCG && !rows->group)
        return dp_fail(DP_ERR_USAGE, "metric-06", "%s looks at groups of rows; name their columns with data.group",
                       metric->name);
    for (int64_t i = 0; i < rows->n; i++) {
        dp_shelf_step(rows->shelf, i);
        double s = (double)rows->score[i];
        if (!isfinite(s) || (probability && (s < 0 || s > 1)))
            return dp_fail(DP_ERR_USAGE, "metric-02", "%s: the score of row %016llx (number %lld here) is %g; %s",
                           metric->name, (unsigned long long)rows->row[i], (long long)i, s,
                           probability ? "it must be a probability" : "it must be finite");
        int label = rows->label[i], most = 1;
        if (rows->class_id) {
            label = rows->class_id[i] > rows->guess[i] ? rows->class_id[i] : rows->guess[i];
            most = rows->classes - 1;
        }
        if (label < 0 || label > most)
            return dp_fail(DP_ERR_USAGE, "metric-03",
                           "%s: the label of row %016llx (number %lld here) is %d, not 0 .. %d", metric->name,
                           (unsigned long long)rows->row[i], (long long)i, label, most);
        if (metric->kind == METRIC_NDCG && rows->target && !(rows->target[i] >= 0 && isfinite(rows->target[i])))
            return dp_fail(DP_ERR_USAGE, "metric-02",
                           "%s: the gain of row %016llx (number %lld here) is %g, not 0 or more", metric->name,
                           (unsigned long long)rows->row[i], (long long)i, rows->target[i]);
        if (metric->kind == METRIC_REVENUE_AT && isinf(rows->revenue[i]))
            return dp_fail(DP_ERR_USAGE, "metric-02", "%s: the revenue of row %016llx (number %lld here) is infinite",
                           metric->name, (unsigned long long)rows->row[i], (long long)i);
    }
    return DP_OK;
}

double metric_loss(const Metric *metric, const MetricRows *rows, int64_t i)
{
    double p = (double)rows->score[i];
    bool hit = rows->class_id || rows->label[i];
    if (metric->kind == METRIC_ACCURACY)
        return rows->class_id[i] == rows->guess[i];
    if (metric_is_of_numbers(metric)) {
        double miss = p - rows->target[i];
        return metric->kind == METRIC_RMSE ? miss * miss : fabs(miss);
    }
    if (metric->kind == METRIC_BRIER)
        return (p - hit) * (p - hit);
    p = p < 1e-15 ? 1e-15 : p > 1 - 1e-15 ? 1 - 1e-15 : p;
    return -log(hit ? p : 1 - p);
}

dp_status metric_mean_value(double *value, const Metric *metric, const MetricRows *rows, const Comm *comm)
{
    ExactSum sum = {0};
    int64_t all = rows->n;
    for (int64_t i = 0; i < rows->n; i++) {
        dp_shelf_step(rows->shelf, i);
        exact_add(&sum, metric_loss(metric, rows, i));
    }
    comm_sum_exact(comm, &sum, 1);
    comm_sum_i64(comm, &all, 1);
    *value = all > 0 ? exact_value(&sum) / (double)all : NAN;
    if (metric->kind == METRIC_RMSE)
        *value = sqrt(*value);
    return DP_OK;
}

static dp_status value_of(double *value, const Metric *metric, const MetricRows *rows, const Comm *comm)
{
    switch (metric->kind) {
    case METRIC_AUC:
        return metric_auc_value(value, rows, comm);
    case METRIC_AVERAGE_PRECISION:
        return metric_ap_value(value, rows, comm);
    case METRIC_CALIBRATION:
        return metric_calibration_value(value, rows, comm);
    case METRIC_LOGLOSS:
    case METRIC_BRIER:
    case METRIC_RMSE:
    case METRIC_MAE:
    case METRIC_ACCURACY:
        return metric_mean_value(value, metric, rows, comm);
    case METRIC_NDCG:
        return metric_ndcg_value(value, metric, rows, comm);
    case METRIC_MACRO_F1:
        return metric_f1_value(value, rows, comm);
    default:
        return metric_cut_value(value, metric, rows, comm);
    }
}

dp_status metric_value(double *value, const Metric *metric, const MetricRows *rows, const Comm *comm)
{
    *value = NAN;
    DP_TRY_ALL(comm, look_at_rows(metric, rows));
    return value_of(value, metric, rows, comm);
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Between order statistics, linearly (numpy's default). */
static double quantile(const double *sorted, int n, double q)
{
    double at = q * (n - 1);
    int i = (int)at;
    return i + 1 < n ? sorted[i] + (at - i) * (sorted[i + 1] - sorted[i]) : sorted[n - 1];
}

/* Local. The 95 % interval from replicates: their percentiles. A sum of absolute gaps (calibration) is larger in every
 * replicate than in the sample, because resampling adds noise: there the percentiles are mirrored at the value, which
 * takes the shift out. NaN where most replicates have no value (no hit in a small sample). */
static void interval_of(MetricValue *value, double *replicates, bool mirrored)
{
    int n = 0;
    for (int b = 0; b < METRIC_REPLICATES; b++)
        if (isfinite(replicates[b]))
            replicates[n++] = replicates[b];
    value->low = value->high = NAN;
    if (n < METRIC_REPLICATES / 2 || !isfinite(value->value))
        return;
    qsort(replicates, (size_t)n, sizeof *replicates, compare_doubles);
    double low = quantile(replicates, n, 0.025), high = quantile(replicates, n, 0.975);
    if (mirrored) {
        double mirror = 2 * value->value;
        value->low = mirror - high > 0 ? mirror - high : 0;
        value->high = mirror - low;
    } else {
        value->low = low;
        value->high = high;
    }
    value->low = value->low < value->value ? value->low : value->value;
    value->high = value->high > value->value ? value->high : value->value;
}

dp_status metric_compute(MetricValue *value, const Metric *metric, const MetricRows *rows, const Comm *comm)
{
    double replicates[METRIC_REPLICATES];
    *value = (MetricValue){NAN, NAN, NAN};
    DP_TRY_ALL(comm, look_at_rows(metric, rows));
    if (metric->kind == METRIC_AUC)
        return metric_auc_delong(value, rows, NULL, comm);
    DP_TRY(value_of(&value->value, metric, rows, comm));
    DP_TRY(metric_replicates(replicates, metric, rows, comm));
    interval_of(value, replicates, metric->kind == METRIC_CALIBRATION);
    return DP_OK;
}

dp_status metric_compare(MetricValue *difference, const Metric *metric, const MetricRows *mine, const MetricRows *other,
                         const Comm *comm)
{
    double a[METRIC_REPLICATES], b[METRIC_REPLICATES], value_a, value_b;
    *difference = (MetricValue){NAN, NAN, NAN};
    DP_TRY_ALL(comm, look_at_rows(metric, mine));
    DP_TRY_ALL(comm, look_at_rows(metric, other));
    if (metric->kind == METRIC_AUC)
        return metric_auc_delong(difference, mine, other->score, comm);
    DP_TRY(value_of(&value_a, metric, mine, comm));
    DP_TRY(value_of(&value_b, metric, other, comm));
    DP_TRY(metric_replicates(a, metric, mine, comm));
    DP_TRY(metric_replicates(b, metric, other, comm));
    for (int i = 0; i < METRIC_REPLICATES; i++)
        b[i] -= a[i];
    difference->value = value_b - value_a;
    interval_of(difference, b, false);
    return DP_OK;
}
