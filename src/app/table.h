/* app/table.h -- rows and columns of a table for people and programs. */
#ifndef DIPPER_APP_TABLE_H
#define DIPPER_APP_TABLE_H

#include "app/app.h"
#include "lake/lake.h"

/* Local. --at as microseconds; DP_TIME_MISSING without it. Fails USAGE. */
dp_status table_as_of(int64_t *as_of, const char *at);
/* Collective. Rows as --columns --where --at --limit --format --out say. */
dp_status table_export(App *app, LakeTable *table);
/* Local. A line a column: what is missing, the range, the most frequent. */
dp_status table_print_profile(App *app, const LakeProfile *profile, const LakeTable *table);
json_t *table_profile_json(const LakeProfile *profile, const LakeTable *table);

#endif
