/* The kinds of configs: the head that every file has, the sections of the rooms, `job` last. */
#include "app/app.h"

#include <string.h>

#include "data/data.h"
#include "ingest/ingest.h"
#include "model/model.h"
#include "score/score.h"
#include "train/train.h"
#include "tune/tune.h"

static const CfgRow head_rows[] = {
    {"kind", CFG_NAME, CFG_AT(HeadOptions, kind), .help = "what the file describes: model, table or batch"},
    {"name", CFG_NAME, CFG_AT(HeadOptions, name), .help = "names the runs and what they make"},
    {"about", CFG_TEXT, CFG_AT(HeadOptions, about), .def = "", .help = "one sentence for people"},
    {"owner", CFG_TEXT, CFG_AT(HeadOptions, owner), .def = "", .help = "who answers for it"},
    {.key = NULL}};

static const char *const devices[] = {"auto", "cpu", "cuda", "reference"};

static const CfgRow job_rows[] = {
    {"ranks", CFG_INT, CFG_AT(JobOptions, ranks), .min = 1, .max = 1e6, .def = "1",
     .help = "MPI ranks of the Slurm job; a start by hand takes the launcher's"},
    {"memory", CFG_BYTES, CFG_AT(JobOptions, memory), .def = "4GiB",
     .help = "a rank may use; training keeps to it, with files in the site's scratch folder"},
    {"time", CFG_DURATION, CFG_AT(JobOptions, time), .def = "1h", .help = "after which the job is stopped"},
    {"threads", CFG_INT, CFG_AT(JobOptions, threads), .min = 0, .max = 4096, .def = "0",
     .help = "a rank; 0: the usable cores, shared by the ranks of a host"},
    {"gpus", CFG_INT, CFG_AT(JobOptions, gpus), .min = 0, .max = 1e6, .def = "0", .help = "of the Slurm job"},
    {"device", CFG_CHOICE, CFG_AT(JobOptions, device), .choices = "auto | cpu | cuda | reference", .def = "auto",
     .help = "auto: a usable GPU, else the CPU"},
    {"compress", CFG_CHOICE, CFG_AT(JobOptions, compress), .choices = "zstd | deflate | none", .def = "zstd",
     .help = "of the partitions written"},
    {.key = NULL}};

static const CfgSection head[] = {{"", head_rows, NULL}}, tail[] = {{"job", job_rows, NULL}};
static const CfgSection before_model[] = {{"data", data_rows, NULL}, {"split", split_rows, NULL}};
static const CfgSection after_model[] = {
    {"train", train_rows, NULL}, {"tune", tune_rows, NULL}, {"evaluate", evaluate_rows, NULL}};

typedef struct Group {
    const CfgSection *sections;
    size_t n;
} Group;

dp_status app_kinds_build(Kinds *kinds)
{
    /* In the order of a file. */
    const struct {
        const char *name, *about;
        Group group[5];
    } kind[APP_KINDS] = {
        {"model",
         "a model: what it learns from, how, and how it is judged",
         {{head, 1}, {before_model, 2}, {model_sections, model_sections_n}, {after_model, 3}, {tail, 1}}},
        {"table",
         "a table of the lake: how raw files become its rows",
         {{head, 1}, {ingest_sections, ingest_sections_n}, {tail, 1}}},
        {"batch",
         "a batch of scores: which rows, which model, where they go",
         {{head, 1}, {score_sections, score_sections_n}, {tail, 1}}}};
    size_t n = 0;
    for (int k = 0; k < APP_KINDS; k++)
        for (int g = 0; g < 5; g++)
            n += kind[k].group[g].n;
    DP_TRY(dp_new(&kinds->sections, n));
    n = 0;
    for (int k = 0; k < APP_KINDS; k++) {
        size_t first = n;
        for (int g = 0; g < 5; n += kind[k].group[g].n, g++)
            if (kind[k].group[g].n > 0)
                memcpy(kinds->sections + n, kind[k].group[g].sections, kind[k].group[g].n * sizeof *kinds->sections);
        kinds->kind[k] = (CfgKind){kind[k].name, kind[k].about, kinds->sections + first, n - first};
    }
    return DP_OK;
}

void app_kinds_free(Kinds *kinds)
{
    dp_free(&kinds->sections);
}

const char *app_device_name(const JobOptions *job)
{
    return devices[job->device];
}
