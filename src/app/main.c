/* dipper: the program. Finds the command, opens the world where there is work to do, prints one message on failure. */
#include "app/app.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

const Command app_commands[] = {
    {.name = "check",
     .group = "work",
     .usage = "CONFIG [key=value ...]",
     .about = "find every fault of a config, run nothing",
     .more = "Reads one config of any kind, applies the overrides and names all faults in one pass, each with file, "
             "line and column. Prints the resolved config with the origin of each value when there is none.",
     .examples = {"dipper check configs/risk.yaml", "dipper check configs/risk.yaml model.depth=7"},
     .flags = APP_JSON,
     .run = app_check},
    {.name = "ingest",
     .group = "work",
     .usage = "CONFIG [FILE ...] [key=value ...]",
     .about = "raw files into a table of the lake",
     .more = "Files may be gzip; - is stdin. Bad rows are put aside with their reason (dipper lake show TABLE "
             "--quarantine); past check.max_bad nothing is published and the exit code is 65. Giving the same files "
             "again adds nothing. Ctrl-C leaves with 130, SIGUSR2 with 85: nothing is added until the same command "
             "was through.",
     .examples = {"dipper ingest configs/lake/declarations.yaml declarations-*.csv.gz",
                  "mpirun -n 2 dipper ingest configs/lake/declarations.yaml declarations-*.csv.gz"},
     .words = APP_WORDS_MAX,
     .flags = APP_DRY_RUN | APP_JSON,
     .work = true,
     .run = app_ingest},
    {.name = "train",
     .group = "work",
     .usage = "CONFIG [key=value ...]",
     .about = "train a model, judge it, offer it to the registry",
     .more = "The run folder keeps the resolved config, metrics, checkpoints and log. The same config on the same data "
             "goes on with an unfinished run. Ctrl-C saves and leaves with 130, SIGUSR2 saves and leaves with 85; "
             "the same command then goes on, to the same model. train.from=risk goes on from the newest risk: with "
             "its columns and frozen hit rates, on newer rows, so many trees more; a new version that says where it "
             "comes from. Prints the address of the model.",
     .examples = {"dipper train configs/risk.yaml", "mpirun -n 2 dipper train configs/risk.yaml model.depth=7",
                  "dipper train configs/risk.yaml train.from=risk model.trees=100"},
     .flags = APP_DRY_RUN | APP_JSON,
     .work = true,
     .run = app_train},
    {.name = "tune",
     .group = "work",
     .usage = "CONFIG [key=value ...]",
     .about = "search for better values of a model's config",
     .more =
         "Tries values of the keys in tune.space, like `model.depth: 4 .. 10`, `model.learning_rate: 0.02 .. 0.3 "
         "log` or `model.growth: [symmetric, depth]`: each trial is a training, judged by train.stop.metric on the "
         "valid rows; groups of tune.ranks ranks try side by side. The test rows are not looked at. Stopped, the same "
         "command goes on. The run folder keeps trials.jsonl and best.yaml, the winner's config, whose path is "
         "printed.",
     .examples = {"dipper tune configs/risk.yaml 'tune.space={model.depth: 4 .. 8}' tune.trials=4",
                  "mpirun -n 2 dipper tune configs/risk.yaml tune.search=halving tune.trials=9"},
     .flags = APP_DRY_RUN | APP_JSON,
     .work = true,
     .run = app_tune},
    {.name = "evaluate",
     .group = "work",
     .usage = "CONFIG [MODEL] [key=value ...]",
     .about = "figures of a model on a part of the data",
     .more =
         "Splits the data as CONFIG says and prints each metric of its evaluate section with a 95 % interval, for "
         "all rows and by slice. --against compares with another model on the same rows. --importance: what the first "
         "metric loses when a column's values change places among the rows (evaluate.repeats times), with standard "
         "error. --dependence A or A,B: the mean score of all rows over the values of one column or two. "
         "part: the rows of train, valid or test (evaluate.part). Without MODEL and with split.folds=5 the config "
         "itself is judged: a model is trained on each fold (by time each ends earlier than the one before), its test "
         "figures are printed with mean and standard error; no version is made.",
     .examples = {"dipper evaluate configs/risk.yaml risk:1 --json",
                  "dipper evaluate configs/risk.yaml risk:1 --dependence origin --format csv"},
     .words = 2,
     .flags = APP_JSON | APP_FORMAT | APP_AGAINST | APP_IMPORTANCE | APP_DEPENDENCE,
     .work = true,
     .ends_at_once = true,
     .run = app_evaluate},
    {.name = "score",
     .group = "work",
     .usage = "CONFIG [key=value ...]",
     .about = "score rows of a table block by block",
     .more = "Writes score and reasons of each row to the table named in write.table. A stopped run goes on where it "
             "was; scoring the same rows again adds nothing. Ends with the riskiest rows and what drove them. "
             "Prints the address of the scores.",
     .examples = {"dipper score configs/score-night.yaml data.day=2026-11-18",
                  "mpirun -n 2 dipper score configs/score-night.yaml data.month=latest"},
     .flags = APP_DRY_RUN | APP_JSON | APP_LIMIT,
     .work = true,
     .run = app_score},
    {.name = "lake",
     .group = "things",
     .usage = "ls | show TABLE | verify TABLE | export TABLE | bins TABLE MODEL",
     .about = "tables: declarations, declarations@418",
     .more = "ls: a line each. show: columns with their profile, deliveries; with --quarantine the rows put aside. "
             "verify: re-reads every digest. export: rows as CSV or JSON lines. bins: stores what a model makes of the "
             "table's columns, a byte a feature, so that dipper score reads that (more than twice as fast, the same "
             "scores) "
             "where it gives no reasons (write.reasons: 0).",
     .examples = {"dipper lake show declarations",
                  "dipper lake export declarations --columns hs6,value --where 'value > 1e6' --limit 10",
                  "dipper lake bins declarations risk"},
     .verbs = {"ls", "show", "verify", "export", "bins"},
     .words = 3,
     .flags = APP_JSON | APP_OUT | APP_FORMAT | APP_COLUMNS | APP_WHERE | APP_AT | APP_LIMIT | APP_QUARANTINE,
     .run = app_lake},
    {.name = "run",
     .group = "things",
     .usage = "ls | show [RUN] | diff RUN RUN | stop RUN | rm RUN",
     .about = "runs: 2026/1120-0213-risk, or a part of the name",
     .more = "show: what it made and how far it came; without RUN the newest. diff: the values in which two configs "
             "differ. stop: saves and "
             "leaves (85). rm: removes the folder of a run that is not running.",
     .examples = {"dipper run ls --limit 5", "dipper run show"},
     .verbs = {"ls", "show", "diff", "stop", "rm"},
     .words = 3,
     .flags = APP_JSON | APP_LIMIT | APP_DRY_RUN,
     .run = app_run},
    {.name = "model",
     .group = "things",
     .usage = "ls [NAME] | show MODEL | export MODEL | verify [NAME]",
     .about = "models: risk:15, risk for the newest",
     .more = "show: what it was made from and what it is worth; with --importance what splitting by each input "
             "gained in training, also as --format csv. export: the model as an ONNX file. verify: the audit "
             "chain and the digest of each version.",
     .examples = {"dipper model show risk", "dipper model export risk --format onnx --out risk.onnx"},
     .verbs = {"ls", "show", "export", "verify"},
     .words = 2,
     .flags = APP_JSON | APP_OUT | APP_FORMAT | APP_LIMIT | APP_IMPORTANCE,
     .run = app_model},
    {.name = "doctor",
     .group = "help",
     .usage = "",
     .about = "what this machine offers, and what is missing",
     .more = "MPI and the launcher line that works, HDF5, processor and kernels, cores really usable, GPU and why not, "
             "Slurm, disk, clock, file locks.",
     .examples = {"dipper doctor", "dipper doctor --json"},
     .flags = APP_JSON,
     .run = app_doctor},
    {.name = "help",
     .group = "help",
     .usage = "[COMMAND | ID | formats]",
     .about = "this page, a command, the id of a message, file formats",
     .more = "Each message ends in an id in brackets: dipper help ID says what it means and what to do.",
     .examples = {"dipper help train", "dipper help config-03"},
     .flags = 0,
     .run = app_help_command},
};
const size_t app_commands_n = sizeof app_commands / sizeof *app_commands;

const Command *app_command(const char *name)
{
    for (size_t i = 0; i < app_commands_n; i++)
        if (strcmp(app_commands[i].name, name) == 0)
            return &app_commands[i];
    return NULL;
}

static dp_status no_such_command(const char *word)
{
    const char *names[sizeof app_commands / sizeof *app_commands];
    for (size_t i = 0; i < app_commands_n; i++)
        names[i] = app_commands[i].name;
    const char *near = dp_nearest(word, names, app_commands_n);
    return dp_fail(DP_ERR_USAGE, "app-01", "no command '%s'%s%s%s; `dipper help` lists them", word,
                   near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
}

/* Is this the copy that speaks, before MPI can tell? */
static bool is_first_copy(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *text = getenv(names[i]);
        if (text && *text)
            return atoi(text) == 0;
    }
    return true;
}

static dp_status run_command(App *app, int argc, char **argv)
{
    DP_TRY(app_args_parse(&app->args, app->command, argc, argv));
    screen_open(&app->screen, app->args.given);
    app->screen.off = !is_first_copy();
    if (app_given(app, APP_HELP))
        return app_help_of(app, app->command);
    DP_TRY(app_words_end(app));
    bool doctor = app->command->run == app_doctor; /* opens the world itself: it tells what is wrong with it */
    if (!app->command->work && !doctor && !is_first_copy())
        return DP_OK; /* one answer, however many copies a launcher started */
    DP_TRY(app_kinds_build(&app->kinds));
    if (app->command->work) {
        if (!app->command->ends_at_once)
            DP_TRY(run_catch_signals());
        DP_TRY(comm_open(&app->comm, &app->log));
    } else if (!doctor) {
        DP_TRY(comm_open_alone(&app->comm, &app->log));
    }
    return app->command->run(app);
}

static dp_status find_and_run(App *app, int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return app_help_overview(app);
    if (strcmp(argv[1], "--version") == 0)
        return app_print(app, "dipper %s\n", DIPPER_VERSION);
    app->command = app_command(argv[1]);
    if (!app->command)
        return no_such_command(argv[1]);
    return run_command(app, argc - 2, argv + 2);
}

int main(int argc, char **argv)
{
    App app = {.started = dp_clock_seconds()};
    screen_open(&app.screen, 0);
    app.screen.off = !is_first_copy();
    app.log = screen_log(&app.screen);
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is a failed write: what is under way ends in order */
    dp_status st = find_and_run(&app, argc, argv);
    if (st == DP_OK && fflush(stdout) != 0)
        st = app_stdout_failed(&app);
    if (st != DP_OK && !app.said && !app.reader_left)
        screen_error(&app.screen, dp_error_last());
    screen_clear(&app.screen);
    comm_close(&app.comm);
    app_kinds_free(&app.kinds);
    app_args_free(&app.args);
    return app.reader_left ? APP_READER_LEFT : st != DP_OK ? (int)st : app.exit;
}
