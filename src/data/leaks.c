/* leaks.c -- does the split let a model remember instead of learn?
 *
 * Where rows of test are copies of rows of train (of a goods line, say) that carry their label along, any model that
 * can memorise scores high and is worthless on new goods. So a bare lookup is tried: a test row gets the mean label of
 * the train rows that have the same values in some columns (a tuple), or the base rate where there are none. Tuples
 * tried: all inputs; the columns of split.apart; all numbers; numbers and codes; codes and categories.
 *
 * The rule. A lookup with a high AUC alone proves nothing: a coarse tuple (office, mode) is an honest model. What
 * honest data does not have is a label that is decided by the tuple. Let m be the lookup of a test row whose tuple
 * stands in train and y its label; cov(y, m) / var(y) is the share of the label's variance that the tuple explains,
 * whatever the number of copies (m's own noise is not correlated with y). Copied labels give 0.9 and more; a model as
 * good as AUC 0.9 explains 0.4. Suspicious is a tuple whose share is above SHARE with its 95 % lower bound, over at
 * least ROWS test rows of either label, and whose lookup, over all test rows, has an AUC above AUC with its lower
 * bound, so that a handful of copies does not cry wolf. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "comm/exact.h"
#include "data_priv.h"
#include "metric/metric.h"

static const double SHARE = 0.5, AUC = 0.55;
enum { ROWS = 10, TUPLES = 5, WORDS_AT_ONCE = 512 };

/* Columns by place among the scanned ones. */
typedef struct Tuple {
    int *column, n;
    uint64_t *key; /* [rows] of this rank's rows; the lowest bit is free */
} Tuple;

typedef struct Leaks {
    int *columns, n_columns; /* scanned: the inputs, then the apart columns */
    Tuple tuple[TUPLES];
    int n_tuples, apart; /* apart: which tuple is that of split.apart, -1 none */
    WordCache *cache;    /* [n_columns] */
    uint64_t *words;     /* [WORDS_AT_ONCE][n_columns] */
    uint64_t *one;       /* [n_columns] of one row and tuple */
    Singles singles;
    dp_shelf *shelf; /* of the keys */
} Leaks;

static void leaks_free(Leaks *leaks)
{
    for (int t = 0; t < TUPLES; t++) {
        dp_free(&leaks->tuple[t].column);
        dp_shelf_free(leaks->shelf, &leaks->tuple[t].key);
    }
    for (int c = 0; leaks->cache && c < leaks->n_columns; c++)
        word_cache_free(&leaks->cache[c]);
    dp_free(&leaks->cache);
    dp_free(&leaks->columns);
    dp_free(&leaks->words);
    dp_free(&leaks->one);
    singles_free(&leaks->singles);
}

/* ---- which tuples ---- */

/* A set of types as bits. */
enum { NUMBERS = 1 << LAKE_NUMBER | 1 << LAKE_NUMBER32, CODES = 1 << LAKE_CODE, CATEGORIES = 1 << LAKE_CATEGORY };

static bool same_columns(const Tuple *a, const Tuple *b)
{
    return a->n == b->n && memcmp(a->column, b->column, (size_t)a->n * sizeof *a->column) == 0;
}

/* Local. Columns first .. end - 1 of these types, unless that is nothing or a tuple we have. */
static dp_status add_tuple(Leaks *leaks, const Data *data, int first, int end, int types)
{
    Tuple *t = &leaks->tuple[leaks->n_tuples];
    bool known = false;
    dp_free(&t->column);
    t->n = 0;
    DP_TRY(dp_new(&t->column, (size_t)leaks->n_columns));
    for (int c = first; c < end; c++)
        if (1 << data->schema->columns[leaks->columns[c]].type & types)
            t->column[t->n++] = c;
    for (int other = 0; other < leaks->n_tuples; other++)
        known = known || same_columns(t, &leaks->tuple[other]);
    if (known || t->n == 0)
        return DP_OK;
    DP_TRY(dp_shelf_new(leaks->shelf, &t->key, (size_t)data->rows.n));
    leaks->n_tuples++;
    return DP_OK;
}

static dp_status choose_tuples(Leaks *leaks, const Data *data)
{
    int inputs = data->n_columns;
    leaks->n_columns = inputs + data->n_apart;
    DP_TRY(dp_new(&leaks->columns, (size_t)leaks->n_columns));
    DP_TRY(dp_new(&leaks->cache, (size_t)leaks->n_columns));
    DP_TRY(dp_new(&leaks->words, (size_t)leaks->n_columns * WORDS_AT_ONCE));
    DP_TRY(dp_new(&leaks->one, (size_t)leaks->n_columns));
    for (int j = 0; j < inputs; j++)
        leaks->columns[j] = data->features[j].column;
    for (int a = 0; a < data->n_apart; a++)
        leaks->columns[inputs + a] = data->apart[a];
    DP_TRY(singles_build(&leaks->singles, data, leaks->columns, inputs));
    DP_TRY(add_tuple(leaks, data, 0, inputs, ~0));
    leaks->apart = data->n_apart ? leaks->n_tuples : -1;
    DP_TRY(add_tuple(leaks, data, inputs, inputs + data->n_apart, ~0));
    DP_TRY(add_tuple(leaks, data, 0, inputs, NUMBERS));
    DP_TRY(add_tuple(leaks, data, 0, inputs, NUMBERS | CODES));
    return add_tuple(leaks, data, 0, inputs, CODES | CATEGORIES);
}

/* ---- the keys of all rows ---- */

/* Local. Of block rows first .. end - 1, the kept ones: picked [from] and on. Returns how many they are. */
static int32_t picked_before(const Visit *visit, int32_t from, int32_t end)
{
    int32_t n = 0;
    if (!visit->pick)
        return end - from;
    while (from + n < visit->n && visit->pick[from + n] < end)
        n++;
    return n;
}

/* Local. The keys of kept rows from .. from + n - 1 of the visit, all among block rows first .. end - 1. */
static dp_status make_keys(Leaks *leaks, const Data *data, const Visit *visit, int32_t first, int32_t end, int32_t from,
                           int32_t n)
{
    for (int c = 0; c < leaks->n_columns; c++)
        DP_TRY(column_words(&leaks->cache[c], &visit->block->column[c], first, end - first, leaks->words + c,
                            leaks->n_columns));
    for (int32_t i = from; i < from + n; i++) {
        const uint64_t *words = leaks->words + (int64_t)((visit->pick ? visit->pick[i] : i) - first) * leaks->n_columns;
        singles_take(&leaks->singles, data, visit->at + i, words);
        for (int t = 0; t < leaks->n_tuples; t++) {
            const Tuple *of = &leaks->tuple[t];
            for (int k = 0; k < of->n; k++)
                leaks->one[k] = words[of->column[k]];
            of->key[visit->at + i] = dp_hash64(leaks->one, (size_t)of->n * sizeof *leaks->one, 0) & ~UINT64_C(1);
        }
    }
    return DP_OK;
}

static dp_status read_keys(Leaks *leaks, Visit *visit, const Data *data)
{
    for (;;) {
        int32_t from = 0, n;
        DP_TRY(visit_next(visit, data));
        if (!visit->block)
            return DP_OK;
        for (int32_t first = 0, end; first < visit->block->rows; first = end, from += n) {
            end = visit->block->rows - first < WORDS_AT_ONCE ? visit->block->rows : first + WORDS_AT_ONCE;
            n = picked_before(visit, from, end);
            if (n > 0)
                DP_TRY(make_keys(leaks, data, visit, first, end, from, n));
        }
    }
}

/* ---- the lookup ---- */

/* Rows of one part and slice of the hashes on the way to the owners of their tuples. */
typedef struct Sent {
    uint64_t *key; /* [n] */
    int32_t *to;
    uint32_t *place; /* among the rows of the part */
    int64_t n;
    Deal deal;
} Sent;

static void sent_free(Sent *sent)
{
    dp_free(&sent->key);
    dp_free(&sent->to);
    dp_free(&sent->place);
    deal_free(&sent->deal);
}

/* Collective. *came (free with dp_free): the keys that this rank owns, labels of train in the lowest bit. */
static dp_status send_part(Sent *sent, uint64_t **came, const uint64_t *key, DataPart part, int slice, const Data *data,
                           const Comm *comm)
{
    size_t n = 0;
    uint32_t place = 0;
    dp_status st = DP_OK;
    for (int64_t i = 0; i < data->rows.n; i++) {
        dp_shelf_step(&data->shelf, i);
        n += data->rows.part[i] == part && slice_of_hash(key[i], data->rows.slices) == slice;
    }
    if ((st = dp_new(&sent->key, n)) == DP_OK && (st = dp_new(&sent->to, n)) == DP_OK)
        st = dp_new(&sent->place, n);
    DP_TRY_ALL(comm, st);
    for (int64_t i = 0; i < data->rows.n; i++) {
        dp_shelf_step(&data->shelf, i);
        if (data->rows.part[i] != part)
            continue;
        if (slice_of_hash(key[i], data->rows.slices) == slice) {
            sent->key[sent->n] = key[i] | (part == DATA_TRAIN ? (uint64_t)data->rows.label[i] : 0);
            sent->to[sent->n] = owner_of_hash(key[i], comm_size(comm));
            sent->place[sent->n++] = place;
        }
        place++;
    }
    DP_TRY(deal_build(&sent->deal, sent->to, sent->n, comm));
    return deal_send(&sent->deal, sent->key, sizeof *sent->key, came, comm);
}

/* Local. What train holds of each asked tuple. The map is of what is asked, not of train: it is smaller, and most rows
 * of train only pass by. */
static dp_status look_up(Count *found, const uint64_t *asked, int64_t n_asked, const uint64_t *train, int64_t n_train)
{
    KeyMap map = {0};
    Count *count = NULL;
    uint32_t *number = NULL;
    dp_status st = DP_OK;
    DP_GO(dp_new(&count, (size_t)n_asked));
    DP_GO(dp_new(&number, (size_t)n_asked));
    for (int64_t i = 0; i < n_asked; i++)
        DP_GO(keymap_put(&map, asked[i], &number[i]));
    for (int64_t i = 0; i < n_train; i++) {
        int64_t at = keymap_find(&map, train[i] & ~UINT64_C(1));
        if (at >= 0) {
            count[at].n++;
            count[at].hits += (int64_t)(train[i] & 1);
        }
    }
    for (int64_t i = 0; i < n_asked; i++)
        found[i] = count[number[i]];
done:
    keymap_free(&map);
    dp_free(&count);
    dp_free(&number);
    return st;
}

/* Collective. What train holds of the tuples of one slice: found, by place among the rows of the part. */
static dp_status find_in_train(Count *found, const uint64_t *key, DataPart part, int slice, const Data *data,
                               const Comm *comm)
{
    Sent test = {0}, train = {0};
    uint64_t *asked = NULL, *came = NULL;
    Count *answer = NULL, *mine = NULL;
    dp_status st = DP_OK;
    DP_GO(send_part(&test, &asked, key, part, slice, data, comm));
    DP_GO(send_part(&train, &came, key, DATA_TRAIN, slice, data, comm));
    if ((st = dp_new(&answer, (size_t)test.deal.n_got)) == DP_OK)
        st = dp_new(&mine, (size_t)test.n);
    DP_GO_ALL(comm, st == DP_OK ? look_up(answer, asked, test.deal.n_got, came, train.deal.n_got) : st);
    DP_GO(deal_answer(&test.deal, answer, sizeof *answer, mine, comm));
    for (int64_t k = 0; k < test.n; k++)
        found[test.place[k]] = mine[k];
done:
    sent_free(&test);
    sent_free(&train);
    dp_free(&asked);
    dp_free(&came);
    dp_free(&answer);
    dp_free(&mine);
    return st;
}

/* ---- what it means ---- */

typedef struct Verdict {
    double share_same, share_seen, auc, auc_low;
    double explained_low; /* lower bound of the share of the label's variance; NaN: too few rows */
} Verdict;

static double mean_of(const ExactSum *sum, int64_t n)
{
    return exact_value(sum) / (double)n;
}

/* Collective. The lower bound of cov(y, m) / var(y) over the test rows whose tuple stands in train. */
static double explained_low(const Count *found, const int8_t *label, int64_t n, int64_t seen, int64_t hits,
                            const Comm *comm)
{
    ExactSum sums[3] = {{.adds = 0}, {.adds = 0}, {.adds = 0}}; /* m; then z, z * z */
    if (hits < ROWS || seen - hits < ROWS)
        return NAN;
    for (int64_t i = 0; i < n; i++)
        if (found[i].n > 0)
            exact_add(&sums[0], (double)found[i].hits / (double)found[i].n);
    comm_sum_exact(comm, sums, 1);
    double mean_m = mean_of(&sums[0], seen), mean_y = (double)hits / (double)seen;
    for (int64_t i = 0; i < n; i++)
        if (found[i].n > 0) {
            double z = (label[i] - mean_y) * ((double)found[i].hits / (double)found[i].n - mean_m);
            exact_add(&sums[1], z);
            exact_add(&sums[2], z * z);
        }
    comm_sum_exact(comm, sums + 1, 2);
    double cov = mean_of(&sums[1], seen), spread = mean_of(&sums[2], seen) - cov * cov;
    return (cov - 1.96 * sqrt((spread > 0 ? spread : 0) / (double)seen)) / (mean_y * (1 - mean_y));
}

/* Collective. */
static dp_status judge(Verdict *verdict, const Count *found, int64_t n, DataPart part, const Data *data,
                       const Comm *comm)
{
    int64_t counts[4] = {n, 0, 0, 0}, k = 0; /* rows, seen, same, hits of seen */
    dp_shelf *shelf = data->rows.shelf;
    float *score = NULL;
    int8_t *label = NULL;
    uint64_t *row = NULL;
    MetricValue auc;
    Metric metric;
    double base = (double)data->facts.positives[DATA_TRAIN] / (double)data->facts.rows[DATA_TRAIN];
    dp_status st = DP_OK;
    if ((st = dp_shelf_new(shelf, &score, (size_t)n)) == DP_OK &&
        (st = dp_shelf_new(shelf, &label, (size_t)n)) == DP_OK && (st = dp_shelf_new(shelf, &row, (size_t)n)) == DP_OK)
        st = metric_parse(&metric, "auc");
    DP_GO_ALL(comm, st);
    for (int64_t i = 0; i < data->rows.n; i++) {
        dp_shelf_step(shelf, i);
        if (data->rows.part[i] != part)
            continue;
        Count f = found[k];
        label[k] = data->rows.label[i];
        row[k] = data->rows.row[i];
        score[k] = (float)(f.n > 0 ? (double)f.hits / (double)f.n : base);
        counts[1] += f.n > 0;
        counts[2] += label[k] ? f.hits > 0 : f.n > f.hits;
        counts[3] += f.n > 0 && label[k];
        k++;
    }
    comm_sum_i64(comm, counts, 4);
    MetricRows rows = {.score = score, .label = label, .row = row, .n = n};
    DP_GO(metric_compute(&auc, &metric, &rows, comm));
    *verdict = (Verdict){.share_seen = (double)counts[1] / (double)counts[0],
                         .share_same = (double)counts[2] / (double)counts[0],
                         .auc = auc.value,
                         .auc_low = auc.low,
                         .explained_low = explained_low(found, label, n, counts[1], counts[3], comm)};
done:
    dp_shelf_free(shelf, &score);
    dp_shelf_free(shelf, &label);
    dp_shelf_free(shelf, &row);
    return st;
}

/* Collective. */
static dp_status try_tuple(Verdict *verdict, const Tuple *tuple, DataPart part, const Data *data, const Comm *comm)
{
    Count *found = NULL;
    int64_t n = 0;
    dp_status st = DP_OK;
    for (int64_t i = 0; i < data->rows.n; i++) {
        dp_shelf_step(&data->shelf, i);
        n += data->rows.part[i] == part;
    }
    DP_GO_ALL(comm, dp_shelf_new(data->rows.shelf, &found, (size_t)n));
    for (int slice = 0; slice < data->rows.slices; slice++)
        DP_GO(find_in_train(found, tuple->key, part, slice, data, comm));
    DP_GO(judge(verdict, found, n, part, data, comm));
done:
    dp_shelf_free(data->rows.shelf, &found);
    return st;
}

static void name_tuple(char *out, size_t room, const Leaks *leaks, int tuple, const Data *data)
{
    const Tuple *t = &leaks->tuple[tuple];
    size_t used = 0;
    if (tuple == 0) {
        snprintf(out, room, "all inputs");
        return;
    }
    for (int k = 0; k < t->n && used + 5 < room; k++) {
        const char *name = data->schema->columns[leaks->columns[t->column[k]]].name;
        bool fits = used + strlen(name) + 8 < room;
        used += (size_t)snprintf(out + used, room - used, "%s%s", k ? ", " : "", fits ? name : "...");
        if (!fits)
            break;
    }
}

/* Collective. Reports the suspicious tuple with the best lookup; where none is, the one that the split speaks of. */
static dp_status try_tuples(DataLeaks *leaks, const Leaks *l, const Data *data, const Comm *comm)
{
    DataPart part = data->facts.rows[DATA_TEST] ? DATA_TEST : DATA_VALID;
    int usual = l->apart >= 0 && l->apart < l->n_tuples ? l->apart : 0;
    for (int t = 0; t < l->n_tuples && data->facts.rows[part] > 0; t++) {
        Verdict v = {0};
        DP_TRY(try_tuple(&v, &l->tuple[t], part, data, comm));
        bool suspicious = v.explained_low > SHARE && v.auc_low > AUC;
        if (suspicious ? leaks->suspicious && v.auc <= leaks->lookup_auc : leaks->suspicious || t != usual)
            continue;
        *leaks = (DataLeaks){
            .share_same = v.share_same, .share_seen = v.share_seen, .lookup_auc = v.auc, .suspicious = suspicious};
        name_tuple(leaks->tuple, sizeof leaks->tuple, l, t, data);
    }
    return DP_OK;
}

dp_status data_leaks(DataLeaks *leaks, Data *data, const Comm *comm)
{
    Leaks l = {.shelf = &data->shelf};
    Visit visit = {0};
    dp_status st = DP_OK;
    *leaks = (DataLeaks){.lookup_auc = NAN, .column_auc = NAN};
    DP_GO_ALL(comm, choose_tuples(&l, data));
    DP_GO(visit_open(&visit, data, l.columns, l.n_columns, comm));
    DP_GO_ALL(comm, read_keys(&l, &visit, data));
    visit_close(&visit); /* its blocks are of all columns */
    dp_memory_settle();
    DP_GO(try_tuples(leaks, &l, data, comm));
    DP_GO(singles_judge(leaks, &l.singles, data, comm));
done:
    visit_close(&visit);
    leaks_free(&l);
    dp_memory_settle();
    return st;
}
