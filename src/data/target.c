/* target.c -- ordered target statistics of one category column, over ranks.
 *
 * A train row's statistic counts the train rows of its category that lie strictly before it in time and whose label was
 * known strictly before it; a row of valid, test or a later table gets the frozen counts of all train rows. How:
 *   1. each row's category and label go to the rank that holds its stretch of the timeline;
 *   2. each rank counts the categories of its stretch; the owner of a category (by hash) sums the ranks before each
 * rank and says so: what the category had when the stretch began;
 *   3. each rank walks its stretch from there, and the statistics go back to the rows' ranks;
 *   4. the owners keep the sums over all: the frozen table.
 * Of labels that are numbers the mean stands for the rate, of sums of integers too (TargetRule).
 * A label may count the more the later it was given (TargetRule.weight): then statistics follow what drifts. Where
 * there is no time the order is drawn, and several draws are averaged. So a rank moves its rows and its categories,
 * never a table of all. Counts are integers: no order changes a bit. Source: Prokhorenkova et al., "CatBoost: unbiased
 * boosting with categorical features", NeurIPS 2018, section 3.2. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data_priv.h"
#include "device/tree_math.h"

void target_table_free(TargetTable *table)
{
    keymap_free(&table->map);
    dp_free(&table->count);
    categories_free(&table->texts);
    *table = (TargetTable){0};
}

static void count_add(Count *to, Count what)
{
    to->n += what.n;
    to->hits += what.hits;
}

static Count count_less(Count a, Count b)
{
    return (Count){.n = a.n - b.n, .hits = a.hits - b.hits};
}

/* ---- one stretch of the timeline ---- */

/* Categories are numbered by first sight (asked first, then given); label in the lowest bit of what is given. */
typedef struct Stretch {
    KeyMap map;
    uint32_t *asked, *given; /* [n_asked], [n_given] numbers, in time order; given: 2 * number + label */
    int64_t *value;          /* [n_given] of labels that are numbers, as they count; NULL: 1 and 0 */
    int64_t n_asked, n_given;
    Count *total, *tail; /* [map.n] given in the stretch; of these, at its very end */
    Count *early, *late; /* [map.n] before the stretch; early: less what has the very time it begins with */
    Count all_total, all_tail, all_early, all_late; /* the same over categories */
    dp_shelf *shelf;                                /* of asked, given and value */
} Stretch;

static void stretch_free(Stretch *s)
{
    keymap_free(&s->map);
    if (s->given != s->asked)
        dp_shelf_free(s->shelf, &s->given);
    dp_shelf_free(s->shelf, &s->asked);
    dp_shelf_free(s->shelf, &s->value);
    dp_free(&s->total);
    dp_free(&s->early);
}

/* Collective. numbers (free with dp_shelf_free): 2 * number + label of the list's rows, in time order. */
static dp_status bring_list(uint32_t **numbers, KeyMap *map, const TimeList *list, const Categories *categories,
                            const TargetRows *rows, const Comm *comm)
{
    uint64_t *keys = NULL, *came = NULL;
    Deal deal = list->deal; /* a copy: sending changes only its scratch */
    dp_status st = DP_OK;
    DP_GO_ALL(comm, dp_shelf_new(rows->shelf, &keys, (size_t)deal.n));
    for (int64_t i = 0; i < deal.n; i++) {
        dp_shelf_step(rows->shelf, i);
        uint32_t row = list->row[i];
        keys[i] = categories->map.keys[categories->code[row]] | (uint64_t)rows->label[row];
    }
    DP_GO(deal_send(&deal, keys, sizeof *keys, &came, comm));
    dp_shelf_free(rows->shelf, &keys);
    st = dp_shelf_new(rows->shelf, numbers, (size_t)deal.n_got);
    for (int64_t k = 0; k < deal.n_got && st == DP_OK; k++) {
        dp_shelf_step(rows->shelf, k);
        uint64_t key = came[list->at ? list->at[k] : (uint32_t)k];
        uint32_t number = 0;
        st = keymap_put(map, key & ~UINT64_C(1), &number);
        (*numbers)[k] = 2 * number + (uint32_t)(key & 1);
    }
    DP_GO_ALL(comm, st);
done:
    dp_shelf_free(rows->shelf, &keys);
    dp_shelf_free(rows->shelf, &came);
    return st;
}

/* Collective. value (free with dp_shelf_free): the list's numbers as they count, in time order. */
static dp_status bring_values(int64_t **value, const TimeList *list, const TargetRows *rows, const TargetRule *rule,
                              const Comm *comm)
{
    int64_t *mine = NULL, *came = NULL;
    Deal deal = list->deal;
    dp_status st = DP_OK;
    DP_GO_ALL(comm, dp_shelf_new(rows->shelf, &mine, (size_t)deal.n));
    for (int64_t i = 0; i < deal.n; i++) {
        dp_shelf_step(rows->shelf, i);
        double miss = rows->target[list->row[i]] - rule->centre;
        mine[i] = llrint(fmin(DBL_MAX, fmax(-DBL_MAX, miss)) * rule->scale);
    }
    DP_GO(deal_send(&deal, mine, sizeof *mine, &came, comm));
    DP_GO_ALL(comm, dp_shelf_new(rows->shelf, value, (size_t)deal.n_got));
    for (int64_t k = 0; k < deal.n_got; k++) {
        dp_shelf_step(rows->shelf, k);
        (*value)[k] = came[list->at ? list->at[k] : (uint32_t)k];
    }
done:
    dp_shelf_free(rows->shelf, &mine);
    dp_shelf_free(rows->shelf, &came);
    return st;
}

/* The g-th label given, as it counts. */
static Count weighed(const Stretch *s, const Timeline *timeline, int64_t g, const int64_t *weight)
{
    int64_t w = weight[timeline->given_age[g]];
    return (Count){.n = w, .hits = w * (s->value ? s->value[g] : s->given[g] & 1)};
}

/* Local. */
static dp_status count_stretch(Stretch *s, const Timeline *timeline, const int64_t *weight)
{
    size_t n = s->map.n;
    DP_TRY(dp_new(&s->total, 2 * n + 1));
    DP_TRY(dp_new(&s->early, 2 * n + 1));
    s->tail = s->total + n;
    s->late = s->early + n;
    for (int64_t g = 0; g < s->n_given; g++) {
        dp_shelf_step(s->shelf, g);
        Count one = weighed(s, timeline, g, weight);
        count_add(&s->total[s->given[g] >> 1], one);
        count_add(&s->all_total, one);
        if (g >= s->n_given - timeline->tail_given) {
            count_add(&s->tail[s->given[g] >> 1], one);
            count_add(&s->all_tail, one);
        }
    }
    return DP_OK;
}

/* Sums of the ranks before a rank, as ranks are passed in order. */
typedef struct Passing {
    Count late, tail;
    int64_t tail_time;
} Passing;

static void pass_rank(Passing *passing, Count total, Count tail, int64_t next_start)
{
    if (next_start != passing->tail_time)
        passing->tail = (Count){0};
    passing->tail_time = next_start;
    count_add(&passing->tail, tail);
    count_add(&passing->late, total);
}

static Count early_of(const Passing *passing, int64_t start)
{
    return passing->tail_time == start ? count_less(passing->late, passing->tail) : passing->late;
}

static int64_t next_start(const Timeline *timeline, int rank, int ranks)
{
    return rank + 1 < ranks ? timeline->start[rank + 1] : INT64_MAX;
}

/* What a rank says of a category to its owner, and what it hears. */
typedef struct Said {
    uint64_t key;
    Count total, tail;
} Said;
typedef struct Heard {
    Count early, late;
} Heard;

typedef struct Entry {
    uint64_t key;
    uint32_t rank, item;
} Entry;

static int compare_entries(const void *a, const void *b)
{
    const Entry *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return (x->rank > y->rank) - (x->rank < y->rank);
}

/* Local. The owner's work: for each category its ranks in order. Fills heard [n] and the table's counts. */
static dp_status join_ranks(Heard *heard, TargetTable *table, const Said *said, const Deal *deal,
                            const Timeline *timeline, int ranks)
{
    Entry *entry = NULL;
    int64_t n = 0;
    uint32_t number;
    dp_status st = DP_OK;
    DP_GO(dp_new(&entry, (size_t)deal->n_got));
    for (int r = 0; r < ranks; r++)
        for (int64_t i = 0; i < deal->from_n[r]; i++, n++)
            entry[n] = (Entry){.key = said[n].key, .rank = (uint32_t)r, .item = (uint32_t)n};
    if (n > 1)
        qsort(entry, (size_t)n, sizeof *entry, compare_entries);
    DP_GO(dp_new(&table->count, (size_t)n));
    for (int64_t i = 0, end; i < n; i = end) {
        Passing passing = {.tail_time = INT64_MIN};
        for (end = i; end < n && entry[end].key == entry[i].key; end++) {
            uint32_t item = entry[end].item;
            int rank = (int)entry[end].rank;
            heard[item] = (Heard){.early = early_of(&passing, timeline->start[rank]), .late = passing.late};
            pass_rank(&passing, said[item].total, said[item].tail, next_start(timeline, rank, ranks));
        }
        DP_GO(keymap_put(&table->map, entry[i].key, &number));
        table->count[number] = passing.late;
    }
done:
    dp_free(&entry);
    return st;
}

/* Collective. Fills early and late of every category of the stretch, and the table's counts at the owners. */
static dp_status hear_before(Stretch *s, TargetTable *table, const Timeline *timeline, const Comm *comm)
{
    int ranks = comm_size(comm);
    Said *say = NULL, *said = NULL;
    Heard *heard = NULL, *answer = NULL;
    int32_t *to = NULL;
    Deal deal = {0};
    uint32_t n = s->map.n;
    dp_status st = DP_OK;
    if ((st = dp_new(&say, n)) == DP_OK)
        st = dp_new(&to, n);
    DP_GO_ALL(comm, st);
    for (uint32_t c = 0; c < n; c++) {
        say[c] = (Said){.key = s->map.keys[c], .total = s->total[c], .tail = s->tail[c]};
        to[c] = owner_of_hash(say[c].key, ranks);
    }
    DP_GO(deal_build(&deal, to, n, comm));
    DP_GO(deal_send(&deal, say, sizeof *say, &said, comm));
    dp_free(&say);
    dp_free(&to);
    st = dp_new(&heard, (size_t)deal.n_got);
    DP_GO_ALL(comm, st == DP_OK ? join_ranks(heard, table, said, &deal, timeline, ranks) : st);
    dp_free(&said);
    DP_GO_ALL(comm, dp_new(&answer, n));
    DP_GO(deal_answer(&deal, heard, sizeof *heard, answer, comm));
    for (uint32_t c = 0; c < n; c++) {
        s->early[c] = answer[c].early;
        s->late[c] = answer[c].late;
    }
done:
    dp_free(&say);
    dp_free(&said);
    dp_free(&heard);
    dp_free(&answer);
    dp_free(&to);
    deal_free(&deal);
    return st;
}

/* Collective. The same for all categories together: the running base rate. */
static dp_status hear_all(Stretch *s, Count *all, const Timeline *timeline, const Comm *comm)
{
    int ranks = comm_size(comm);
    Count mine[2] = {s->all_total, s->all_tail}, *every = NULL;
    Passing passing = {.tail_time = INT64_MIN};
    DP_TRY_ALL(comm, dp_new(&every, 2 * (size_t)ranks));
    comm_collect(comm, mine, sizeof mine, every);
    for (int r = 0; r < ranks; r++) {
        if (r == comm_rank(comm)) {
            s->all_early = early_of(&passing, timeline->start[r]);
            s->all_late = passing.late;
        }
        pass_rank(&passing, every[2 * r], every[2 * r + 1], next_start(timeline, r, ranks));
    }
    *all = passing.late;
    dp_free(&every);
    return DP_OK;
}

/* Local. statistic [n_asked] in time order. late and all_late are used up. */
static void walk_stretch(float *statistic, Stretch *s, const Timeline *timeline, const TargetRule *rule)
{
    int64_t k = 0, g = 0;
    for (; k < timeline->first_asked; k++) {
        dp_shelf_step(s->shelf, k);
        statistic[k] =
            target_value(s->early[s->asked[k] >> 1], s->all_early, rule, rule->weight[timeline->asked_age[k]]);
    }
    for (; k < s->n_asked; k++) {
        dp_shelf_step(s->shelf, k);
        for (; g < timeline->upto[k]; g++) {
            Count one = weighed(s, timeline, g, rule->weight);
            count_add(&s->late[s->given[g] >> 1], one);
            count_add(&s->all_late, one);
        }
        statistic[k] = target_value(s->late[s->asked[k] >> 1], s->all_late, rule, rule->weight[timeline->asked_age[k]]);
    }
}

/* Collective. Statistics from the stretches back to this rank's train rows. */
static dp_status take_back(float *values, const float *statistic, const TimeList *asked, dp_shelf *shelf,
                           const Comm *comm)
{
    Deal deal = asked->deal;
    float *came = NULL, *mine = NULL;
    dp_status st = dp_shelf_new(shelf, &came, (size_t)deal.n_got);
    if (st == DP_OK)
        st = dp_shelf_new(shelf, &mine, (size_t)deal.n);
    DP_GO_ALL(comm, st);
    for (int64_t k = 0; k < deal.n_got; k++) {
        dp_shelf_step(shelf, k);
        came[asked->at ? asked->at[k] : (uint32_t)k] = statistic[k];
    }
    DP_GO(deal_answer(&deal, came, sizeof *came, mine, comm));
    for (int64_t i = 0; i < deal.n; i++) {
        dp_shelf_step(shelf, i);
        values[asked->row[i]] = mine[i];
    }
done:
    dp_shelf_free(shelf, &came);
    dp_shelf_free(shelf, &mine);
    return st;
}

static dp_status ordered_statistics(float *values, TargetTable *table, const Categories *categories,
                                    const TargetRows *rows, const Timeline *timeline, const TargetRule *rule,
                                    const Comm *comm)
{
    Stretch s = {.shelf = rows->shelf};
    float *statistic = NULL;
    dp_status st = DP_OK;
    DP_GO(bring_list(&s.asked, &s.map, &timeline->asked, categories, rows, comm));
    s.n_asked = s.n_given = timeline->asked.deal.n_got;
    s.given = s.asked;
    if (!timeline->one_list) {
        s.given = NULL;
        DP_GO(bring_list(&s.given, &s.map, &timeline->given, categories, rows, comm));
        s.n_given = timeline->given.deal.n_got;
    }
    if (rows->target)
        DP_GO(bring_values(&s.value, timeline->one_list ? &timeline->asked : &timeline->given, rows, rule, comm));
    keymap_settle(&s.map);
    if ((st = count_stretch(&s, timeline, rule->weight)) == DP_OK)
        st = dp_shelf_new(rows->shelf, &statistic, (size_t)s.n_asked);
    DP_GO_ALL(comm, st);
    DP_GO(hear_before(&s, table, timeline, comm));
    DP_GO(hear_all(&s, &table->all, timeline, comm));
    walk_stretch(statistic, &s, timeline, rule);
    DP_GO(take_back(values, statistic, &timeline->asked, rows->shelf, comm));
done:
    stretch_free(&s);
    dp_shelf_free(rows->shelf, &statistic);
    return st;
}

/* ---- the frozen table ---- */

/* Collective. count [categories->map.n] of this rank's categories from their owners; the owners keep the texts. */
static dp_status ask_owners(Count *count, TargetTable *table, const Categories *categories, const Comm *comm)
{
    int ranks = comm_size(comm);
    uint32_t n = categories->map.n;
    int32_t *to = NULL;
    int64_t *size = NULL, *sizes = NULL;
    size_t *bytes = NULL;
    dp_buf text = {0};
    char *texts = NULL;
    Count *answer = NULL;
    Deal deal = {0};
    dp_status st = DP_OK;
    if ((st = dp_new(&to, n)) == DP_OK && (st = dp_new(&size, n)) == DP_OK)
        st = dp_new(&bytes, 2 * (size_t)ranks);
    DP_GO_ALL(comm, st);
    for (uint32_t c = 0; c < n; c++) {
        to[c] = owner_of_hash(categories->map.keys[c], ranks);
        size[c] = categories->text_at[c + 1] - categories->text_at[c];
        bytes[to[c]] += (size_t)size[c];
    }
    DP_GO(deal_build(&deal, to, n, comm));
    DP_GO(deal_send(&deal, size, sizeof *size, &sizes, comm));
    for (uint32_t i = 0; i < n && st == DP_OK; i++) {
        uint32_t c = deal.scattered ? deal.order[i] : i;
        st = dp_buf_add(&text, categories->text.data + categories->text_at[c], (size_t)size[c]);
    }
    DP_GO_ALL(comm, st);
    DP_GO(comm_exchange(comm, text.data, bytes, &texts, bytes + ranks));
    st = dp_new(&answer, (size_t)deal.n_got);
    for (int64_t i = 0, at = 0; i < deal.n_got && st == DP_OK; at += sizes[i], i++) {
        uint32_t same;
        int64_t number = keymap_find(&table->map, category_key(texts + at, (size_t)sizes[i]));
        if (number < 0)
            continue;
        answer[i] = table->count[number];
        if (answer[i].n > 0)
            st = categories_put(&table->texts, texts + at, (size_t)sizes[i], &same);
    }
    DP_GO_ALL(comm, st);
    DP_GO(deal_answer(&deal, answer, sizeof *answer, count, comm));
done:
    dp_free(&to);
    dp_free(&size);
    dp_free(&sizes);
    dp_free(&bytes);
    dp_free(&texts);
    dp_free(&answer);
    dp_buf_free(&text);
    deal_free(&deal);
    return st;
}

/* Each age counts 2^(1 / (AGES half_life)) times what the one before it counts: powers by plain multiplication, so that
 * every machine has the same. */
TargetRule target_rule(double prior_weight, double half_life)
{
    TargetRule rule = {.prior_weight = prior_weight, .lean = 0.5, .scale = 1};
    double ln2 = 0x1.62e42fefa39efp-1, w = 16;
    double step = half_life > 0 ? 1.0 / tree_exp_minus(ln2 / (TIMELINE_AGES * half_life)) : 1;
    for (int a = 0; a < TIMELINE_AGES; a++, w *= step)
        rule.weight[a] = half_life > 0 ? (int64_t)(w + 0.5) : 1;
    return rule;
}

void target_rule_numbers(TargetRule *rule, int64_t rows, double centre, double farthest)
{
    int labels, largest = 0;
    frexp((double)rows * (double)rule->weight[TIMELINE_AGES - 1], &labels); /* below 2^labels */
    frexp(fmin(farthest, DBL_MAX), &largest);
    rule->lean = 0;
    rule->centre = centre;
    rule->scale = farthest > 0 ? ldexp(1, largest < -900 ? 900 : 62 - labels - largest) : 1;
}

dp_status target_statistics(float *values, TargetTable *table, const Categories *categories, const TargetRows *rows,
                            const TargetRule *rule, const Comm *comm)
{
    Count *count = NULL;
    double *sum = NULL;
    dp_status st = DP_OK;
    if (rule->n_timelines > 1)
        DP_GO_ALL(comm, dp_shelf_new(rows->shelf, &sum, (size_t)rows->n));
    for (int t = 0; t < rule->n_timelines; t++) {
        target_table_free(table);
        DP_GO(ordered_statistics(values, table, categories, rows, &rule->timeline[t], rule, comm));
        for (int64_t i = 0; sum && i < rows->n; i++) {
            dp_shelf_step(rows->shelf, i);
            sum[i] += (double)values[i];
        }
    }
    for (int64_t i = 0; sum && i < rows->n; i++) {
        dp_shelf_step(rows->shelf, i);
        values[i] = (float)(sum[i] / rule->n_timelines);
    }
    DP_GO_ALL(comm, dp_new(&count, categories->map.n));
    DP_GO(ask_owners(count, table, categories, comm));
    for (int64_t i = 0; i < rows->n; i++) {
        dp_shelf_step(rows->shelf, i);
        if (rows->part[i] != DATA_TRAIN)
            values[i] = target_frozen(count[categories->code[i]], table->all, rule);
    }
done:
    dp_free(&count);
    dp_shelf_free(rows->shelf, &sum);
    return st;
}
