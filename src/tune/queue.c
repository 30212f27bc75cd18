/* The run's folder is the queue: a unit of work is a part of the run, taken by its lock; its result is a small file in
 * it, published whole. So groups never wait for each other within a round, and a killed search knows what is done. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/publish.h"
#include "tune/tune_priv.h"

enum { RESULT_MAX = 1 << 16, PATH = 4096 };

void tune_unit_name(char *out, const TuneUnit *unit)
{
    if (unit->fold > 0)
        snprintf(out, 64, "trial-%d-fold-%d", unit->trial, unit->fold);
    else
        snprintf(out, 64, "trial-%d", unit->trial);
}

static void result_name(char *out, const TuneUnit *unit)
{
    snprintf(out, 32, "result-%d.json", unit->round);
}

static dp_status take_result(TuneResult *result, const char *text, const char *path)
{
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL), *value = NULL;
    json_int_t steps, best;
    int stopped;
    double seconds;
    bool good = json && json_unpack(json, "{s:o, s:I, s:I, s:F, s:b}", "value", &value, "steps", &steps, "best_step",
                                    &best, "seconds", &seconds, "stopped", &stopped) == 0;
    if (good)
        *result = (TuneResult){.known = true,
                               .stopped = stopped,
                               .value = json_is_number(value) ? json_number_value(value) : NAN,
                               .steps = steps,
                               .best_step = best,
                               .seconds = seconds};
    json_decref(json);
    return good ? DP_OK
                : dp_fail(DP_ERR_DATA, "tune-05", "%s is no result of a trial; remove the run and start again", path);
}

dp_status tune_result_read(TuneResult *result, const Run *run, const TuneUnit *unit)
{
    char part[64], name[32], path[PATH], *text = NULL;
    size_t size;
    *result = (TuneResult){.value = NAN};
    tune_unit_name(part, unit);
    result_name(name, unit);
    snprintf(path, sizeof path, "%s/parts/%s/%s", run_facts(run).folder, part, name);
    if (access(path, F_OK) != 0)
        return DP_OK;
    DP_TRY(dp_read_file(&text, &size, path, RESULT_MAX));
    dp_status st = take_result(result, text, path);
    dp_free(&text);
    return st;
}

dp_status tune_result_write(const TuneResult *result, const Run *part, const TuneUnit *unit)
{
    char name[32], line[300], value[40] = "null";
    result_name(name, unit);
    if (isfinite(result->value))
        snprintf(value, sizeof value, "%.17g", result->value);
    snprintf(line, sizeof line,
             "{\"trial\":%d,\"fold\":%d,\"round\":%d,\"value\":%s,\"steps\":%lld,\"best_step\":%lld,\"seconds\":%.3f,"
             "\"stopped\":%s}\n",
             unit->trial, unit->fold, unit->round, value, (long long)result->steps, (long long)result->best_step,
             result->seconds, result->stopped ? "true" : "false");
    return dp_publish_bytes(run_facts(part).folder, name, line, strlen(line), DP_PUBLISH_REPLACE, NULL);
}
