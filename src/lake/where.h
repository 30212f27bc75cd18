/* where.h -- asking blocks for the terms of a condition. */
#ifndef DIPPER_LAKE_WHERE_H
#define DIPPER_LAKE_WHERE_H

#include "lake/lake_priv.h"

/* Local. keep [rows] stays 1 where the term holds. A missing value meets no term but = "". */
dp_status where_ask(uint8_t *keep, const LakeValues *values, int32_t rows, const struct LakeTerm *term, dp_buf *spare);
/* Local. Can any value of the chunk meet the term, by its least and greatest? */
bool where_may_hold(const struct LakeTerm *term, LakeType type, const Chunk *chunk);

#endif
