/* app/table.h -- rows of a table for people and programs: the profile of each column, CSV and JSON lines. */
#ifndef DIPPER_APP_TABLE_H
#define DIPPER_APP_TABLE_H

#include "app/app.h"
#include "lake/lake.h"

enum { PROFILE_DISTINCT_MAX = 1 << 16 };

/* What `lake show` says of one column. */
typedef struct ColumnProfile {
    int64_t rows, missing;
    double low, high, sum;          /* numbers, labels */
    int64_t first, last;            /* times */
    int64_t distinct, most;         /* categories: how many, and rows of the most frequent */
    bool more;                      /* more than PROFILE_DISTINCT_MAX distinct ones: counted no further */
    char frequent[64];              /* the most frequent category */
    int64_t bytes;                  /* of texts */
    struct ProfileCounter *counter; /* of categories while reading */
} ColumnProfile;

/* Collective. One pass over the rows as of `at` (NULL: now). *profile [columns]. */
dp_status table_profile(ColumnProfile **profile, LakeTable *table, const char *at, const Comm *comm);
void table_profile_free(ColumnProfile **profile, const LakeTable *table);
dp_status table_profile_print(App *app, const ColumnProfile *profile, const LakeTable *table);
json_t *table_profile_json(const ColumnProfile *profile, const LakeTable *table);

/* Collective. Rows as --columns --where --at --limit --format --out say. */
dp_status table_export(App *app, LakeTable *table);
/* Local. --at as microseconds; DP_TIME_MISSING without it. Fails USAGE. */
dp_status table_as_of(int64_t *as_of, const char *at);

#endif
