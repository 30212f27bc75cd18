/* base/zone.h -- time zones by their IANA names: from local times to UTC, and which day it is somewhere. */
#ifndef DIPPER_BASE_ZONE_H
#define DIPPER_BASE_ZONE_H

#include <stdint.h>

#include "base/status.h"

typedef struct dp_zone dp_zone;
/* The stretch of local times around the last one asked for that has one offset; {0} knows nothing. One a thread. */
typedef struct dp_zone_hint {
    int64_t low, high; /* seconds, high excluded */
    int64_t offset;
} dp_zone_hint;

/* Local. Reads the zone from the system's time-zone files (TZDIR or /usr/share/zoneinfo); "UTC" needs none. Fails
 * CONFIG where there is no such zone or its file is broken. */
dp_status dp_zone_build(dp_zone **zone, const char *name);
void dp_zone_free(dp_zone **zone);
/* Local. Seconds UTC of local seconds. A time that occurs twice (clocks go back) is its first occurrence; one that does
 * not occur (clocks go forward) is read with the offset before the change, as if clocks had not been moved yet. */
int64_t dp_zone_utc(const dp_zone *zone, int64_t local, dp_zone_hint *hint);
/* Local. The first moment (microseconds UTC) of a day there; days count from 1970-01-01. */
int64_t dp_zone_midnight(const dp_zone *zone, int64_t day);
/* Local. The day there at a moment in microseconds UTC. */
int64_t dp_zone_day(const dp_zone *zone, int64_t time);

#endif
