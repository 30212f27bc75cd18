/* app/app.h -- the program: one file a command; each parses, makes a page of calls of the library, and prints.
 *
 * stdout is the result (work prints the address of what it made), stderr the words. Only work commands start MPI. A
 * command gets an App and returns a status; an outcome that is no failure (left, interrupted, faults found and
 * printed) is set in app->exit. */
#ifndef DIPPER_APP_APP_H
#define DIPPER_APP_APP_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "base/log.h"
#include "base/publish.h"
#include "base/status.h"
#include "comm/comm.h"
#include "config/config.h"
#include "config/site.h"
#include "device/device.h"
#include "metric/metric.h"
#include "registry/registry.h"
#include "run/run.h"
#include "score/score.h"
#include "train/train.h"

enum { APP_LEFT = 85, APP_INTERRUPTED = 130, APP_READER_LEFT = 141, APP_WORDS_MAX = 1 << 30 };

/* ---- the command line ---- */

typedef enum AppFlag {
    APP_JSON = 1,
    APP_QUIET = 2,
    APP_VERBOSE = 4,
    APP_DRY_RUN = 8,
    APP_OUT = 16,
    APP_FORMAT = 32,
    APP_COLUMNS = 64,
    APP_WHERE = 128,
    APP_LIMIT = 256,
    APP_AT = 512,
    APP_QUARANTINE = 1024,
    APP_AGAINST = 2048,
    APP_HELP = 4096,
    APP_VERSION = 8192,
    APP_IMPORTANCE = 16384,
    APP_DEPENDENCE = 32768,
    APP_ALWAYS = APP_QUIET | APP_VERBOSE | APP_HELP
} AppFlag;

/* One row a flag: the parser, the help and the suggestions read it. */
typedef struct AppFlagRow {
    const char *name; /* "--json" */
    AppFlag flag;
    const char *value; /* what follows it, NULL: nothing */
    const char *help;
} AppFlagRow;
extern const AppFlagRow app_flags[];
extern const size_t app_flags_n;

typedef struct AppArgs {
    const char **words; /* in order, without flags and overrides */
    size_t n_words;
    const char **overrides; /* "model.depth=7" */
    size_t n_overrides;
    int given; /* flags */
    const char *out, *format, *columns, *where, *at, *against, *dependence;
    int64_t limit;
} AppArgs;

typedef struct App App;

typedef struct Command {
    const char *name;
    const char *group; /* "work", "things", "help" */
    const char *usage; /* what follows the name */
    const char *about; /* half a line */
    const char *more;  /* a paragraph for its help page */
    const char *examples[3];
    const char *verbs[8]; /* "ls", "show"; none: the command takes no verb */
    size_t words;         /* it takes at most; 0: one */
    int flags;            /* those that make sense */
    bool work;            /* opens the world */
    bool ends_at_once; /* work that a signal may end anywhere: it keeps nothing; other work leaves at its next step */
    dp_status (*run)(App *app);
} Command;
extern const Command app_commands[];
extern const size_t app_commands_n;
const Command *app_command(const char *name);

/* Local. Parses argv after the command's name. Fails USAGE with the nearest flag. Free with app_args_free. */
dp_status app_args_parse(AppArgs *args, const Command *command, int argc, char **argv);
void app_args_free(AppArgs *args);
bool app_given(const App *app, AppFlag flag);
/* Local. The verb of a command with verbs: args.words[0]; fails USAGE with the nearest. */
dp_status app_verb(const App *app, const char **verb);
/* Local. Word `at` of the line, or a failure that says what was expected. */
dp_status app_word(const App *app, const char **word, size_t at, const char *expected);
/* Local. Fails USAGE when the line has more words than the command takes: "model.depth 7" is no value of a config. */
dp_status app_words_end(const App *app);

/* ---- words on stderr ---- */

typedef struct Screen {
    bool terminal, color, quiet, verbose, off;
    bool line_open; /* a progress line stands there */
    double last;    /* when progress was last shown */
    int64_t warnings;
    Run *run; /* its log gets every line; borrowed */
} Screen;
void screen_open(Screen *screen, int given);
/* Local. The sink for the library's words and progress. */
dp_log screen_log(Screen *screen);
/* Local. "dipper: error: <text> [id]", what to read, and with --verbose the trace. */
void screen_error(Screen *screen, const dp_error *error);
/* Local. Takes the progress line away. */
void screen_clear(Screen *screen);

/* ---- what every command has ---- */

/* Sections `job` and the head of every config. */
typedef struct HeadOptions {
    const char *kind, *name, *about, *owner;
} HeadOptions;
typedef struct JobOptions {
    int64_t ranks, memory, threads, gpus;
    double time;
    int device; /* index into app_devices */
    int compress;
    const char *array;
} JobOptions;
/* The kinds of configs, put together from the rooms' sections. */
enum { APP_MODEL, APP_TABLE, APP_BATCH, APP_KINDS };
typedef struct Kinds {
    CfgKind kind[APP_KINDS];
    CfgSection *sections;
} Kinds;
dp_status app_kinds_build(Kinds *kinds);
void app_kinds_free(Kinds *kinds);
const char *app_device_name(const JobOptions *job);

/* Where things lie on this machine. */
typedef struct Place {
    char lake[1024], runs[1024], models[1024], inbox[1024], scratch[1024], time_zone[128];
} Place;

struct App {
    const Command *command;
    Kinds kinds;
    AppArgs args;
    Screen screen;
    dp_log log;
    Comm *comm;
    bool said;        /* the failure was printed already */
    bool reader_left; /* `dipper … | head` has read enough: no failure that wants words */
    int exit;         /* 0, APP_LEFT, APP_INTERRUPTED: outcomes */
    double started;
    char config_name[512];
};

/* Collective. Rank 0 reads the file, every rank parses it with the overrides of the line. kind: what the command wants,
 * NULL: any. All faults are printed on rank 0; then app->said is set and the status is CONFIG. */
dp_status app_config(App *app, const char *path, const char *kind, Config **config);
/* Local. Fills options from the section at `path` of the config's kind. */
dp_status app_bind(const App *app, const Config *config, const char *path, void *options);
/* Collective. Prints the faults that were found after parsing; DP_OK where there are none. */
dp_status app_faults(App *app, const Config *config);
/* Collective. Faults that only the readers of values see: metrics that are none, days that are no dates. */
dp_status app_check_values(App *app, Config *config);
/* Collective. The site, read on rank 0. */
dp_status app_place(App *app, Place *place);

/* Collective. The run of this work: the unfinished one of the same inputs (config, tables, version of dipper), or a new
 * one. From here to app_close_run its log gets every line. */
dp_status app_open_run(App *app, Run **run, const Place *place, const Config *config, const char *name,
                       const dp_digest *table);
/* Collective. Ends the run as `st` and app->exit say, keeps the message of a failure; returns st. Takes NULL. */
dp_status app_close_run(App *app, Run **run, dp_status st, const char *made);
/* Local. The overrides of the line for the first line of a run: "model.depth=7 (command line)"; "" without. */
void app_print_overrides(const App *app, char *out, size_t room);
/* Local. The first line of work: run, ranks, threads, device. */
void app_say_start(App *app, const char *name, const Run *run, int threads, const char *device, const char *more);
/* Local. The failure of a write to stdout, as errno says; a closed pipe is noted in app->reader_left. */
dp_status app_stdout_failed(App *app);
/* Local, rank 0. The result on stdout; fails IO when stdout cannot take it (disk full, closed pipe). */
dp_status app_print(App *app, const char *format, ...) __attribute__((format(printf, 2, 3)));
dp_status app_print_bytes(App *app, const char *data, size_t size);

/* Local. Starts the file of --out; end it with dp_publish_end. */
dp_status app_open_out(dp_publish **file, const char *path);

/* ---- for people ---- */

/* Local. "2026-11-20" of a time, "-" where it is missing. out holds 32 bytes. */
void app_print_day(char *out, int64_t time);

/* What `kind: model` says, for train and evaluate. Zeroed is empty; free with app_model_config_free. */
typedef struct ModelConfig {
    Config *config;
    HeadOptions head;
    JobOptions job;
    DataOptions data;
    SplitOptions split;
    EncodeOptions encode;
    TrainOptions train;
    EvaluateOptions evaluate;
    int threads;
} ModelConfig;
/* Collective. Reads the first word of the line. place: borrowed as long as the config is. */
dp_status app_model_config(App *app, const Place *place, ModelConfig *config);
void app_model_config_free(ModelConfig *config);

/* Collective. The version that the address means now: rank 0 says it, so that all ranks take the same. address holds
 * REGISTRY_ADDRESS_MAX bytes. With its provenance (free with dp_free), or without. */
dp_status app_open_model_text(App *app, Model **model, char **provenance, char *address, const Place *place,
                              const char *wanted, Device *device);
dp_status app_open_model(App *app, Model **model, char *address, const Place *place, const char *wanted,
                         Device *device);

/* The model that train.from names; zeroed: none, and all of these do nothing. Free with app_parent_free. */
typedef struct Parent {
    Model *model;
    ModelFacts facts;
    json_t *provenance; /* NULL: it says nothing */
    char address[REGISTRY_ADDRESS_MAX];
} Parent;
/* Collective. */
dp_status app_parent_open(App *app, Parent *parent, const Place *place, const ModelConfig *config, Device *device);
void app_parent_free(Parent *parent);
/* Local. Fails CONFIG where a config that is to be judged by what it learns from rows goes on from a model. */
dp_status app_parent_refuse(const ModelConfig *config, const char *command);
/* Local. Into the digest of what a run learns from: another parent is another run. */
dp_status app_parent_add(dp_digest *content, const Parent *parent);
/* Local. A line about it, and a warning where hit rates hold labels of the rows to learn from. */
void app_parent_say(const Parent *parent, const Data *data, const dp_log *log);
/* Local. For the provenance: {model, digest, steps, to}; and what its splits gained, onto what the new ones did. */
json_t *app_parent_json(const Parent *parent);
void app_parent_add_gains(const Parent *parent, json_t *gains);

/* Local. dipper model show --importance: what splitting by each input gained, from the provenance. */
dp_status app_gains(App *app, const char *address, const json_t *provenance);

/* Collective. dipper evaluate --importance, --dependence: prints, as JSON where that was asked for. */
dp_status app_importance(App *app, const Model *model, const char *address, Data *data, const ModelConfig *config);
dp_status app_dependence(App *app, const Model *model, const char *address, Data *data, const ModelConfig *config);

/* Collective. dipper evaluate CONFIG without a model: a model a fold of the split, its figures on the fold's test,
 * their mean and standard error. Goes on with finished folds kept. */
dp_status app_folds(App *app, ModelConfig *config, const Place *place);

/* Local. "AUC", "average precision": a metric's name on a screen. out holds 32 bytes. */
void app_metric_name(char *out, const Metric *metric);
/* Local. The figures of all rows, then the weakest slice, a line each under `label`. */
void app_say_report(App *app, const dp_log *log, const char *label, const ScoreReport *report);
/* Local. The same as JSON array of {metric, value, low, high, slice, rows, positives}. */
json_t *app_report_json(const ScoreReport *report);
/* Local. Appends the text of a flat JSON object as words: "files 3, bytes in 1,204"; nothing of what is none. */
dp_status app_json_words(dp_buf *words, const char *text);
/* Local, rank 0. Prints and frees an array of flat objects as CSV, a column a key of the row that has most. */
dp_status app_print_csv(App *app, json_t *rows);
/* Local. Is --format, where it was given, csv? Fails USAGE. */
dp_status app_csv_asked(const App *app);
/* Local. A line that says of what row weights are, where there are any. */
void app_say_weight(const App *app, const ModelConfig *config);
/* Local. A finite number, or null. */
json_t *app_json_number(double value);
/* Local. Prints and frees the object. */
dp_status app_print_json(App *app, json_t *object);
/* Local. "AUC +0.006, 0.002 .. 0.010: better", of the first figure of the differences new - old. */
void app_say_difference(char *out, size_t room, const ScoreReport *difference);
/* Local. Name of this user, for provenance. out holds 40 bytes. */
void app_user(char *out);

/* The commands. */
dp_status app_check(App *app);
dp_status app_ingest(App *app);
dp_status app_train(App *app);
dp_status app_tune(App *app);
dp_status app_evaluate(App *app);
dp_status app_score(App *app);
dp_status app_lake(App *app);
dp_status app_run(App *app);
dp_status app_model(App *app);
dp_status app_doctor(App *app);
dp_status app_help_command(App *app);
/* Local. `dipper help`, `dipper help COMMAND`. */
dp_status app_help_overview(App *app);
dp_status app_help_of(App *app, const Command *command);

extern const dp_help_row app_help[];

#endif
