/* dipper help: the overview, a page a command, the meaning of each message, the file formats. */
#include "app/app.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "data/data.h"
#include "ingest/ingest.h"
#include "lake/lake.h"
#include "metric/metric.h"
#include "model/model.h"
#include "onnx/onnx.h"
#include "registry/registry.h"
#include "score/score.h"
#include "tensor/tensor.h"
#include "train/train.h"
#include "tune/tune.h"
#include "trees/trees.h"

static const dp_help_row *const tables[] = {base_help,  comm_help, config_help,   tensor_help, device_help,
                                            lake_help,  run_help,  ingest_help,   trees_help,  metric_help,
                                            onnx_help,  data_help, model_help,    train_help,  tune_help,
                                            score_help, app_help,  registry_help, NULL};

/* Text in lines of at most 100 characters, each after `indent` spaces. */
static dp_status add_wrapped(dp_buf *out, const char *text, int indent)
{
    while (*text) {
        size_t n = strlen(text), room = (size_t)(100 - indent);
        if (n > room) {
            n = room;
            while (n > 0 && text[n] != ' ')
                n--;
            n = n ? n : room;
        }
        DP_TRY(dp_buf_print(out, "%*s%.*s\n", indent, "", (int)n, text));
        text += n;
        while (*text == ' ')
            text++;
    }
    return DP_OK;
}

static dp_status print_and_free(App *app, dp_buf *text, dp_status st)
{
    if (st == DP_OK)
        st = app_print_bytes(app, text->data, text->size);
    dp_buf_free(text);
    return st;
}

static dp_status add_overview(dp_buf *out)
{
    static const char *const groups[] = {"work", "things", "help"};
    static const char *const abouts[] = {"", "   (ls: a line each; show: one screen)", ""};
    int width = 0;
    for (size_t i = 0; i < app_commands_n; i++)
        width = (int)strlen(app_commands[i].usage) > width ? (int)strlen(app_commands[i].usage) : width;
    DP_TRY(dp_buf_text(out, "dipper -- training and nightly scoring for customs administrations\n\n"));
    for (size_t g = 0; g < 3; g++) {
        DP_TRY(dp_buf_print(out, "%s%s\n", groups[g], abouts[g]));
        for (size_t i = 0; i < app_commands_n; i++)
            if (strcmp(app_commands[i].group, groups[g]) == 0)
                DP_TRY(dp_buf_print(out, "    %-9s %-*s  %s\n", app_commands[i].name, width, app_commands[i].usage,
                                    app_commands[i].about));
    }
    return dp_buf_text(out, "\nValues of a config are given as key=value, never as flags: model.depth=7\n"
                            "stdout is the result, stderr the words, the run folder holds all.\n"
                            "In parallel: mpirun -n 8 dipper ...     More: dipper help COMMAND\n");
}

dp_status app_help_overview(App *app)
{
    dp_buf text = {0};
    return print_and_free(app, &text, add_overview(&text));
}

static dp_status add_command(dp_buf *out, const App *app, const Command *command)
{
    static const struct {
        const char *command;
        int kind;
    } rows[] = {{"ingest", APP_TABLE}, {"train", APP_MODEL}, {"score", APP_BATCH}};
    DP_TRY(dp_buf_print(out, "dipper %s %s\n\n", command->name, command->usage));
    for (size_t i = 0; i < 3 && command->examples[i]; i++)
        DP_TRY(dp_buf_print(out, "    %s\n", command->examples[i]));
    DP_TRY(dp_buf_print(out, "\n"));
    DP_TRY(add_wrapped(out, command->more, 0));
    DP_TRY(dp_buf_text(out, "\nflags\n"));
    for (size_t i = 0; i < app_flags_n; i++)
        if ((command->flags | APP_ALWAYS) & app_flags[i].flag) {
            char flag[40];
            snprintf(flag, sizeof flag, "%s %s", app_flags[i].name, app_flags[i].value ? app_flags[i].value : "");
            DP_TRY(dp_buf_print(out, "    %-18s %s\n", flag, app_flags[i].help));
        }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].command, command->name) == 0) {
            DP_TRY(dp_buf_print(out, "\nkeys of CONFIG\n"));
            DP_TRY(config_print_rows(&app->kinds.kind[rows[i].kind], out));
        }
    return DP_OK;
}

dp_status app_help_of(App *app, const Command *command)
{
    dp_buf text = {0};
    if (!app->kinds.sections)
        DP_TRY(app_kinds_build(&app->kinds));
    return print_and_free(app, &text, add_command(&text, app, command));
}

static dp_status add_id(dp_buf *out, const dp_help_row *row)
{
    DP_TRY(dp_buf_print(out, "%s\n\n", row->id));
    DP_TRY(add_wrapped(out, row->means, 0));
    DP_TRY(dp_buf_text(out, "\nWhat to do\n"));
    return add_wrapped(out, row->mend, 4);
}

static const dp_help_row *find_id(const char *id)
{
    for (size_t t = 0; tables[t]; t++)
        for (const dp_help_row *row = tables[t]; row->id; row++)
            if (strcmp(row->id, id) == 0)
                return row;
    return NULL;
}

/* All ids of a room: `dipper help lake-` or a wrong number shows what there is. */
static dp_status no_such_page(const char *word)
{
    const char *names[1024];
    size_t n = 0;
    for (size_t i = 0; i < app_commands_n; i++)
        names[n++] = app_commands[i].name;
    names[n++] = "formats";
    for (size_t t = 0; tables[t]; t++)
        for (const dp_help_row *row = tables[t]; row->id && n < 1024; row++)
            names[n++] = row->id;
    const char *near = dp_nearest(word, names, n);
    return dp_fail(DP_ERR_USAGE, "app-09", "no help page '%s'%s%s%s", word, near ? " (did you mean '" : "",
                   near ? near : "", near ? "'?)" : "");
}

static const char formats[] =
    "What Dipper reads and writes. Everything is a file; nothing needs a server.\n"
    "\n"
    "in        delimited text (RFC 4180; any separator, encoding, gzip), JSON lines: dipper help ingest\n"
    "lake      a table is a folder: partitions (HDF5, one dataset a column), manifests/N.json, quarantine.\n"
    "          Bytes: src/lake/FORMAT.md. Python: h5py, with `import hdf5plugin` for zstd; with\n"
    "          job.compress=deflate every HDF5 tool reads it. Times are microseconds since 1970 UTC;\n"
    "          a category is a code into the partition's dictionary.\n"
    "model     one HDF5 file: payload (learned arrays + input contract) with its SHA-256, provenance as\n"
    "          JSON beside it. Bytes: src/model/FORMAT.md\n"
    "onnx      dipper model export risk --format onnx --out risk.onnx: inputs by column name, outputs\n"
    "          `score` and `margin`; runs in ONNX Runtime with the same scores\n"
    "scores    a table of the lake: row, score, reason_1.., amount_1.., model, as_of;\n"
    "          row is the scored table's id, its row number where it has none\n"
    "          dipper lake export scores --format csv\n"
    "run       a folder: config.yaml (resolved, with origins), metrics.jsonl, log, state.json, checkpoints\n"
    "out       dipper lake export TABLE --format csv | jsonl; dipper evaluate --format csv; each command's --json\n"
    "exit      0 done, 2 usage, 65 bad data, 66 no input, 70 internal, 73 cannot create, 74 I/O, 75 try\n"
    "          again, 77 not allowed, 78 bad config, 85 saved and left (start again), 130 interrupted,\n"
    "          141 the reader of the pipe left. Ctrl-C under mpirun is Open MPI's: the ranks save and\n"
    "          leave all the same, mpirun ends with a code of its own; jobs/run starts mpirun too, and ends\n"
    "          with 130\n";

dp_status app_help_command(App *app)
{
    dp_buf text = {0};
    if (app->args.n_words == 0)
        return app_help_overview(app);
    const char *word = app->args.words[0];
    const Command *command = app_command(word);
    if (command)
        return app_help_of(app, command);
    if (strcmp(word, "formats") == 0)
        return app_print_bytes(app, formats, sizeof formats - 1);
    const dp_help_row *row = find_id(word);
    if (!row)
        return no_such_page(word);
    return print_and_free(app, &text, add_id(&text, row));
}
