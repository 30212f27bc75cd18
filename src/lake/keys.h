/* keys.h -- an id of any type as a 128-bit key. */
#ifndef DIPPER_LAKE_KEYS_H
#define DIPPER_LAKE_KEYS_H

#include "lake/lake.h"

/* Local. The key of row i; {0, 0}: the id is missing. Equal ids of one column type have equal keys in all partitions.
 */
dp_key128 lake_id_key(const LakeValues *values, int64_t i);

#endif
