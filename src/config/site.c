#include "config/site.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/zone.h"
#include "config/config_priv.h"

static const CfgRow site_rows[] = {
    {"root", CFG_PATH, CFG_AT(SiteOptions, root), .def = "dipper-data", .help = "holds what is not named below"},
    {"lake", CFG_PATH, CFG_AT(SiteOptions, lake), .def = "", .help = "tables; root/lake"},
    {"runs", CFG_PATH, CFG_AT(SiteOptions, runs), .def = "", .help = "run folders; root/runs"},
    {"models", CFG_PATH, CFG_AT(SiteOptions, models), .def = "", .help = "the registry of models; root/models"},
    {"inbox", CFG_PATH, CFG_AT(SiteOptions, inbox), .def = "", .help = "files to ingest; root/inbox"},
    {"outbox", CFG_PATH, CFG_AT(SiteOptions, outbox), .def = "", .help = "deliveries; root/outbox"},
    {"scratch", CFG_PATH, CFG_AT(SiteOptions, scratch), .def = "", .help = "what can be lost; root/scratch"},
    {"time_zone", CFG_TEXT, CFG_AT(SiteOptions, time_zone), .def = "UTC",
     .help = "in which days and months of batches and splits are meant, like Asia/Taipei"},
    {"slurm.partition", CFG_TEXT, CFG_AT(SiteOptions, partition), .def = "", .help = "where jobs are sent"},
    {"slurm.account", CFG_TEXT, CFG_AT(SiteOptions, account), .def = "", .help = "who pays for them"},
    {.key = NULL},
};
static const CfgSection site_sections[] = {{.path = "", .rows = site_rows}};
const CfgKind site_kind = {"site", "where things lie on this machine", site_sections, 1};

/* What was not named lies in the root. */
static dp_status settle(Config *config, const char **place, const char *root, const char *name)
{
    size_t room = strlen(root) + strlen(name) + 2;
    char *path;
    if (*place)
        return DP_OK;
    DP_TRY(cfg_new(config, &path, room));
    snprintf(path, room, "%s/%s", root, name);
    *place = path;
    return DP_OK;
}

static dp_status check_zone(SiteOptions *site)
{
    dp_zone *zone = NULL;
    if (dp_zone_build(&zone, site->time_zone) != DP_OK)
        DP_TRY(config_add_fault(site->config, "time_zone", "config-21", "%s", dp_error_last()->text));
    dp_zone_free(&zone);
    return config_must_be_good(site->config);
}

dp_status site_load(SiteOptions *site)
{
    static const char nothing[] = "kind: site\n";
    const char *file = getenv("DIPPER_SITE");
    dp_status st = DP_OK;
    *site = (SiteOptions){0};
    if (file && *file) {
        if (access(file, F_OK) != 0)
            return dp_fail(DP_ERR_NO_INPUT, "config-20",
                           "DIPPER_SITE names %s, which is not there; correct it, or unset it to use ./dipper-data",
                           file);
        DP_TRY(config_read(&site->config, file, NULL, 0, &site_kind, 1));
        site->file = site->config->file;
    } else {
        DP_TRY(config_parse(&site->config, "site", nothing, sizeof nothing - 1, NULL, 0, &site_kind, 1));
    }
    DP_GO(config_must_be_good(site->config));
    DP_GO(config_bind(site->config, &site_sections[0], site));
    DP_GO(check_zone(site));
    DP_GO(settle(site->config, &site->lake, site->root, "lake"));
    DP_GO(settle(site->config, &site->runs, site->root, "runs"));
    DP_GO(settle(site->config, &site->models, site->root, "models"));
    DP_GO(settle(site->config, &site->inbox, site->root, "inbox"));
    DP_GO(settle(site->config, &site->outbox, site->root, "outbox"));
    DP_GO(settle(site->config, &site->scratch, site->root, "scratch"));
done:
    if (st != DP_OK)
        site_free(site);
    return st;
}

void site_free(SiteOptions *site)
{
    config_free(&site->config);
    *site = (SiteOptions){0};
}
