/* data_priv.h -- what the files of the data room share. Files in reading order: data.c (open, features), split.c
 * (parts), classes.c (labels of several classes), tuples.c (values and tuples as hashes), category.c (a category column
 * of this rank), timeline.c and target.c (ordered target statistics), choose.c and combine.c (combinations of
 * categories), inputs.c and encode.c (the contract and its use), inherit.c (another's), leaks.c. */
#ifndef DIPPER_DATA_PRIV_H
#define DIPPER_DATA_PRIV_H

#include "base/clock.h"
#include "data/data.h"

/* ---- keymap.c: 64-bit keys to dense numbers 0 .. n-1, in order of first sight ---- */

/* Open addressing; a slot holds its key, so that a look costs one cache miss. */
typedef struct KeyMap {
    uint64_t *keys; /* [n] by number */
    struct KeySlot {
        uint64_t key;
        uint32_t number; /* + 1; 0 = free */
    } * slots;           /* [mask + 1] */
    uint32_t n, room;
    uint64_t mask;
} KeyMap;

/* Keys are hashes already; their low bit may carry something else, so the upper ones choose the slot. */
static inline uint64_t keymap_slot(const KeyMap *map, uint64_t key)
{
    return (key >> 20 ^ key >> 3) & map->mask;
}

/* Local. The key's number, or -1. {0} is a valid empty map. */
static inline int64_t keymap_find(const KeyMap *map, uint64_t key)
{
    if (map->n == 0)
        return -1;
    for (uint64_t s = keymap_slot(map, key); map->slots[s].number != 0; s = (s + 1) & map->mask)
        if (map->slots[s].key == key)
            return (int64_t)map->slots[s].number - 1;
    return -1;
}

/* Local. Adds a key that is not there; keymap_put: unless it is there. */
dp_status keymap_add(KeyMap *map, uint64_t key, uint32_t *number);
static inline dp_status keymap_put(KeyMap *map, uint64_t key, uint32_t *number)
{
    int64_t found = keymap_find(map, key);
    if (found < 0)
        return keymap_add(map, key, number);
    *number = (uint32_t)found;
    return DP_OK;
}
void keymap_free(KeyMap *map);
/* Local. Gives back what looking needs: from here on only keys and n stand. */
void keymap_settle(KeyMap *map);

/* Which of `ranks` owns a hash: ranges of equal width. */
static inline int owner_of_hash(uint64_t hash, int ranks)
{
    return (int)((__extension__(unsigned __int128) hash) * (unsigned)ranks >> 64);
}

/* Which of `slices` a hash belongs to: by other bits than its owner, so that each slice has something of every rank. */
static inline int slice_of_hash(uint64_t hash, int slices)
{
    return (int)((hash & UINT32_MAX) * (unsigned)slices >> 32);
}

/* ---- deal.c: items to ranks and answers back ---- */

/* A rank's items sorted by the rank they go to, and how an answer finds its item. */
typedef struct Deal {
    bool scattered;   /* the same on every rank: items are reordered before they are sent */
    uint32_t *order;  /* [n] the i-th item sent is item order[i], where scattered */
    size_t *bytes;    /* [2 ranks] scratch: counts in bytes */
    int64_t *to_n;    /* [ranks] items sent to each */
    int64_t *from_n;  /* [ranks] items that came from each */
    int64_t n, n_got; /* sent, came */
    dp_shelf *shelf;  /* of what comes; where that is in files, items travel in pieces. NULL: memory */
} Deal;

/* Collective. Item i goes to rank to[i]. deal->shelf is set; the rest is {0}. */
dp_status deal_build(Deal *deal, const int32_t *to, int64_t n, const Comm *comm);
/* Collective. The same, for items that are in the order of their ranks already: to_n [ranks] of them to each. */
dp_status deal_build_sorted(Deal *deal, const int64_t *to_n, const Comm *comm);
void deal_free(Deal *deal);
/* Collective. items [n][size] to their ranks: *got (free with dp_shelf_free) [n_got][size], by sender. */
dp_status deal_send(Deal *deal, const void *items, size_t size, void *got, const Comm *comm);
/* Collective. answers [n_got][size], in the order of what came, back to the senders: items [n][size]. */
dp_status deal_answer(Deal *deal, const void *answers, size_t size, void *items, const Comm *comm);

/* ---- split.c ---- */

/* This rank's labelled rows while their parts are decided. */
typedef struct DataRows {
    int64_t n, room;
    int64_t *number; /* in the table */
    uint64_t *row;   /* identity */
    int64_t *time;   /* NULL: the table has no time column */
    int8_t *label;
    double *target, *weight; /* of the kept rows; NULL: none */
    uint64_t *group;         /* of the kept rows; NULL: none */
    uint8_t *class_id;       /* of the kept rows; NULL: none */
    uint8_t *part;
    dp_key128 *tuple; /* of the apart columns; NULL: none */
    dp_shelf *shelf;  /* where these arrays lie */
    int slices;       /* hashes are looked at so many parts at a time, the same on every rank: slice_of_hash */
} DataRows;

/* Local. Do the options of section split make sense together and for the table? */
dp_status split_check(const SplitOptions *split, const LakeSchema *schema);
/* Collective. Fills part of all rows from times or shares (a split by column has them already), then takes apart tuples
 * that stand in two parts. windows: what was looked at, for messages. */
dp_status split_into_parts(DataRows *rows, const SplitOptions *split, char windows[3][80], const Comm *comm);

/* ---- tuples.c ---- */

/* Values of a column as 64-bit words that are equal where the values are: bits of numbers, hashes of texts, whatever
 * the partition's codes are. */
typedef struct WordCache {
    int64_t serial;   /* of the dictionary whose hashes are kept */
    uint64_t *hashes; /* [room] by code */
    uint32_t room;
} WordCache;
void word_cache_free(WordCache *cache);
/* Local. words[i * stride] for rows first .. first + n - 1 of the block. */
dp_status column_words(WordCache *cache, const LakeValues *values, int32_t first, int32_t n, uint64_t *words,
                       int stride);

/* ---- singles.c ---- */

/* Every input alone: what train says at each of its values, and the values of the rows it is judged on. */
typedef struct Singles {
    const int *columns; /* [n] of the schema */
    int n;
    DataPart part; /* judged: test, or valid where there is no test */
    int64_t rows, taken;
    int8_t *label; /* [rows] of this rank */
    uint64_t *row;
    float *value, *score; /* [n][rows], [rows] */
    uint32_t *count;      /* [n][places][2] rows of train by label */
} Singles;
/* Local. */
dp_status singles_build(Singles *singles, const Data *data, const int *columns, int n);
void singles_free(Singles *singles);
/* Local. The next of the data's rows: words [n], its values as column_words gives them. */
void singles_take(Singles *singles, const Data *data, int64_t row, const uint64_t *words);
/* Collective. */
dp_status singles_judge(DataLeaks *leaks, Singles *singles, const Data *data, const Comm *comm);

/* ---- classes.c ---- */

/* Collective. class_id, label and positives of the kept rows, and the classes themselves, from the column (or digits of
 * a code) that `label` names. Rows whose class train does not have get DATA_NONE. */
dp_status classes_read(Data *data, const char *label, const Comm *comm);

/* ---- slice.c ---- */

/* Local. "hs2" of a code column "hs6": its first digits. Returns the column or -1, and how many digits. */
int data_find_prefix(const LakeSchema *schema, const char *name, int *digits);

/* ---- category.c ---- */

/* One category column of this rank's rows. */
typedef struct Categories {
    KeyMap map;       /* key = category_key(text); number = code */
    dp_buf text;      /* texts one after the other */
    int64_t *text_at; /* [map.n + 1], room + 1 allocated */
    uint32_t text_room;
    uint32_t *code;  /* [rows] */
    dp_shelf *shelf; /* of the code; NULL: memory */
} Categories;

/* The lowest bit is free: it carries a label on the way. */
static inline uint64_t category_key(const char *text, size_t size)
{
    return dp_hash64(text, size, 0) & ~UINT64_C(1);
}
void categories_free(Categories *categories);
/* Local. The number of a text, added if new. */
dp_status categories_put(Categories *categories, const char *text, size_t size, uint32_t *code);

/* ---- timeline.c: the rows of train in the order of their times, over ranks ---- */

/* Each rank has one stretch of time, and in it two lists in time order: rows that ask for what was known before them,
 * and labels that are given, each when it became known. */
typedef struct TimeList {
    Deal deal;
    uint32_t *row; /* [deal.n] own rows in the order they are sent */
    uint32_t *at;  /* [deal.n_got] the k-th in time is what came at[k]; NULL: as it came */
} TimeList;
enum { TIMELINE_AGES = 128 };
typedef struct Timeline {
    TimeList asked, given; /* given is empty, and asked stands for both, where labels are known with their row */
    bool one_list;
    uint8_t *asked_age, *given_age; /* [asked.n_got], [given.n_got] when: 0 .. TIMELINE_AGES - 1 from first to last */
    uint32_t *upto;                 /* [asked.n_got] k-th row in time sees the first upto[k] labels of this stretch */
    int64_t first_asked; /* so many rows have the very time at which the stretch begins: they see nothing of it, nor
                            what other ranks hold of that time */
    int64_t tail_given;  /* labels at the end that have the very time at which the next stretch begins */
    int64_t *start;      /* [ranks] when each stretch begins; [0] INT64_MIN */
    dp_shelf *shelf;     /* of the arrays of a number a row */
} Timeline;

/* Collective. timeline->shelf is set, the rest is {0}. rows [n]: this rank's train rows (index into its rows), times
 * [n] of them, known [n] when their label became known, or NULL: with the row. */
dp_status timeline_build(Timeline *timeline, const uint32_t *rows, const int64_t *times, const int64_t *known,
                         int64_t n, const Comm *comm);
void timeline_free(Timeline *timeline);

/* ---- target.c ---- */

/* Labels of a category, or of all: how many count, as they count, and their sum (TargetRule.scale). */
typedef struct Count {
    int64_t n, hits;
} Count;

/* The frozen statistics that this rank owns (by hash of the category). */
typedef struct TargetTable {
    KeyMap map;
    Count *count;     /* [map.n] of train */
    Categories texts; /* of the same keys */
    Count all;        /* of train, over all ranks */
} TargetTable;
void target_table_free(TargetTable *table);

typedef struct TargetRows {
    dp_shelf *shelf; /* of all that is a number a row */
    int64_t n;
    const uint8_t *part;
    const int8_t *label;
    const double *target; /* numbers, which then count instead; NULL: labels are 1 and 0 */
} TargetRows;

/* How labels count and in which orders. A label of 1 counts 1 in sums. A number y counts round((y - centre) scale), an
 * integer too, with the largest power of two as scale that no sum can overflow: what rounding loses is at most 2^-62 of
 * what all labels could sum to if each were the largest. */
typedef struct TargetRule {
    double prior_weight;
    double lean;          /* of the base rate before the first label, a share of one label: 0.5; of numbers 0 */
    double centre, scale; /* 0 and 1 where labels are 1 and 0 */
    int64_t weight[TIMELINE_AGES]; /* of a label given at that age; all 1, or growing */
    const Timeline *timeline;      /* [n_timelines] the statistics of several orders are averaged */
    int n_timelines;
} TargetRule;
/* Local. For labels of 1 and 0. half_life: the share of train's time in which a label comes to count half; 0: all count
 * 1. */
TargetRule target_rule(double prior_weight, double half_life);
/* Local. For numbers: rows of train over all ranks, their centre, and how far from it they go at most. */
void target_rule_numbers(TargetRule *rule, int64_t rows, double centre, double farthest);

/* The one formula. The base rate leans on half a hit in one row, the base of numbers on the centre, so that they stand
 * before the first row too. unit: what a label given now would count. */
static inline float target_value(Count category, Count all, const TargetRule *rule, int64_t unit)
{
    double base = ((double)all.hits + rule->lean * (double)unit) / ((double)all.n + (double)unit);
    double prior = rule->prior_weight * (double)unit;
    double value = ((double)category.hits + prior * base) / ((double)category.n + prior);
    return (float)(rule->centre + value / rule->scale);
}
/* What rows after train get. */
static inline float target_frozen(Count category, Count all, const TargetRule *rule)
{
    return target_value(category, all, rule, rule->weight[TIMELINE_AGES - 1]);
}
/* Collective. values [rows->n] and the frozen table of one category column. */
dp_status target_statistics(float *values, TargetTable *table, const Categories *categories, const TargetRows *rows,
                            const TargetRule *rule, const Comm *comm);

/* ---- the data itself ---- */

typedef struct DataFeature {
    int column; /* in the schema; -1: a combination */
    DataEncode encode;
    int parts, part[DATA_PARTS]; /* features it is made of */
    int digits;                  /* a code counts with all that begin with the same; 0: whole */
    bool lately;                 /* labels count by their age */
    bool read;                   /* its frozen table stands in the contract */
} DataFeature;

struct Data {
    LakeTable *table;
    const LakeSchema *schema;
    const char *table_name;
    int64_t as_of;
    int threads;
    uint64_t seed;
    EncodeOptions encode;
    DataKind kind;
    const char *weight;         /* column; NULL */
    int label, time, id, known; /* columns, -1: none; known: when the label became known */
    int *apart, n_apart;
    dp_shelf shelf; /* rows.shelf is this one */
    DataRows rows;  /* time and tuple are gone once the parts are decided */
    DataFacts facts;
    double mean, farthest; /* of train's numbers; of what is farthest from it, the distance */
    DataClasses classes;
    DataFeature *features;
    int n_features, n_columns;
    DataInputs inputs;  /* the contract as far as features were read */
    bool inherited;     /* it is a model's: nothing of it is frozen here */
    Timeline *timeline; /* [n_timelines] built with the first category */
    int n_timelines;
};
/* Of the seed: orders other than time (+ the draw's number << 16), rows that combinations are chosen by. */
enum { STREAM_ORDER = 0x07DE, STREAM_CHOOSE = 0x07DF };

/* ---- inputs.c: the contract, filled as features are read ---- */

/* Local. Names, types and units of all features that the plan has. */
dp_status inputs_start(DataInputs *inputs, const Data *data);
/* Collective. Freezes the statistics of one feature: all ranks' categories on every rank. */
dp_status inputs_freeze(DataInput *in, const TargetTable *table, const TargetRule *rule, const Comm *comm);
/* Local. Place of a text in the table of a category: in->n where it is empty (missing), -1 unseen. */
int64_t inputs_find(const DataInput *in, const char *text, size_t size);

/* Local. *first [in->n + 1] (free with dp_free): of each place, the first of those whose texts begin with the same
 * `digits` bytes; the missing value's is its own. */
dp_status inputs_kin(int64_t **first, const DataInput *in, int digits);
/* Local. The statistics of each first place, given to all that begin like it. */
dp_status inputs_spread(DataInput *in, const DataInput *part, int digits);
/* Local. An own copy. */
dp_status inputs_copy(DataInputs *to, const DataInputs *from);

/* ---- group.c ---- */

/* Collective. Groups of the kept rows, where the config names columns of them; days of a time zone, NULL: UTC. */
dp_status data_read_groups(Data *data, const CfgList *group, const char *zone, const Comm *comm);

/* ---- inherit.c ---- */

/* Collective. A category or combination of a contract that was inherited: [rows]. */
dp_status inherited_feature(float *values, Data *data, int j, const Comm *comm);

/* ---- combine.c ---- */

/* Collective. The combination's category of each of this rank's rows; a category's text is its key's 8 bytes. */
dp_status data_combine(Categories *combined, Data *data, const DataFeature *feature, const Comm *comm);

/* ---- choose.c ---- */

/* Collective. Adds the combinations worth their memory to the features. */
dp_status data_choose(Data *data, const Comm *comm);
/* Local. */
dp_status data_add_feature(Data *data, const DataFeature *feature);

/* Local. A column that `key` of the config names; CONFIG with the nearest name where there is none. */
dp_status data_find_column(int *column, const Data *data, const char *key, const char *name);

/* Visits this rank's kept rows block by block: `pick` [n] says which rows of the block they are (NULL: all of them, in
 * order), `at` where the first of them stands among the data's rows. */
enum { VISIT_ROWS = 65536 }; /* of a block, at most */
typedef struct Visit {
    LakeScan *scan;
    const LakeBlock *block;
    int32_t *pick_room;
    const int32_t *pick;
    int32_t n;
    int64_t at;
} Visit;
/* Collective. */
dp_status visit_open(Visit *visit, Data *data, const int *columns, int n_columns, const Comm *comm);
/* Local. The next block that holds kept rows; visit->block NULL at the end. */
dp_status visit_next(Visit *visit, const Data *data);
void visit_close(Visit *visit);

/* Collective. */
dp_status data_categories(Categories *categories, Data *data, int column, const Comm *comm);
dp_status data_times(int64_t *times, Data *data, int column, const Comm *comm);
/* Local. Are statistics ordered by time, not by draws? */
bool data_by_time(const Data *data);

#endif
