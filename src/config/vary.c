/* The same text with more overrides, and what a search over values must know of a key. */
#include <string.h>

#include "config/config_priv.h"

dp_status config_vary(Config **varied, const Config *config, const char *const *more, size_t n_more)
{
    const char **all = NULL;
    dp_status st = DP_OK;
    *varied = NULL;
    DP_GO(dp_new(&all, config->n_overrides + n_more + 1));
    for (size_t i = 0; i < config->n_overrides; i++)
        all[i] = config->overrides[i];
    for (size_t i = 0; i < n_more; i++)
        all[config->n_overrides + i] = more[i];
    DP_GO(config_parse(varied, config->file, config->text, config->text_size, all, config->n_overrides + n_more,
                       config->kinds, config->n_kinds));
done:
    dp_free(&all);
    return st;
}

const CfgRow *config_row(const Config *config, const char *path)
{
    const CfgField *field = cfg_field_at(&config->schema.root, path);
    return field && field->active ? field->row : NULL;
}

dp_status config_number(const Config *config, const char *path, double *number)
{
    const CfgField *field = cfg_field_at(&config->schema.root, path);
    const CfgValue *value = field && field->active && field->row ? &config->values.values[field->slot] : NULL;
    DP_TRY(config_must_be_good(config));
    if (!value || !value->present)
        return dp_fail(DP_ERR_CONFIG, "config-22", "'%s' has no value here", path);
    switch (value->row->type) {
    case CFG_INT:
    case CFG_BYTES:
        *number = (double)value->as.integer;
        return DP_OK;
    case CFG_REAL:
    case CFG_SHARE:
    case CFG_DURATION:
        *number = value->as.real;
        return DP_OK;
    default:
        return dp_fail(DP_ERR_CONFIG, "config-22", "'%s' is no number", path);
    }
}
