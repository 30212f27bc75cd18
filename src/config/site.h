/* config/site.h -- what differs between machines: where lake, runs and models lie, and what Slurm wants to hear. One
 * file, `kind: site`, found by the environment variable DIPPER_SITE; without it all lies in ./dipper-data. */
#ifndef DIPPER_CONFIG_SITE_H
#define DIPPER_CONFIG_SITE_H

#include "config/config.h"

typedef struct SiteOptions {
    const char *root;                /* absolute, as all paths here; those below lie in it unless they are named */
    const char *lake;                /* tables */
    const char *runs;                /* run folders */
    const char *models;              /* the registry */
    const char *inbox;               /* files to ingest */
    const char *outbox;              /* deliveries to other systems */
    const char *scratch;             /* what can be lost */
    const char *time_zone;           /* whose days and months batches and splits mean */
    const char *partition, *account; /* of Slurm; NULL */
    const char *file;                /* the site.yaml; NULL without one */
    Config *config;                  /* owns the strings */
} SiteOptions;

/* The kind `site`, for checks and help. */
extern const CfgKind site_kind;

/* Local. Reads the file that DIPPER_SITE names, or takes the defaults. Makes no folder. Fails NO_INPUT when the file is
 * not there, CONFIG when it is faulty. */
dp_status site_load(SiteOptions *site);
void site_free(SiteOptions *site);

#endif
