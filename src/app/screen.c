/* Words on stderr: labelled lines, one progress line, errors. Beside the terminal every line goes to the run's log. */
#include "app/app.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

enum { LABEL_WIDTH = 8 }; /* first column of a screen */

/* Between two pictures of the progress: on a terminal it is rewritten, elsewhere each is a line of a log. */
static const double every_terminal = 0.2, every_line = 60;

void screen_open(Screen *screen, int given)
{
    const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
    bool dumb = !term || strcmp(term, "dumb") == 0;
    *screen = (Screen){.quiet = given & APP_QUIET, .verbose = given & APP_VERBOSE};
    screen->terminal = isatty(STDERR_FILENO) && !dumb;
    screen->color = screen->terminal && !(no_color && *no_color);
    screen->last = dp_clock_seconds();
}

void screen_clear(Screen *screen)
{
    if (screen->line_open)
        fputs("\r\033[K", stderr);
    screen->line_open = false;
}

static void say_line(void *self, dp_level level, const char *label, const char *text)
{
    Screen *screen = self;
    char line[4200];
    int width = strlen(label) < LABEL_WIDTH ? LABEL_WIDTH : (int)strlen(label) + 2;
    snprintf(line, sizeof line, "%-*s%s", width, label, text);
    if (screen->run)
        run_note(screen->run, line);
    screen->warnings += level == DP_WARN;
    if (screen->off || (level == DP_DEBUG && !screen->verbose) || (level == DP_INFO && screen->quiet))
        return;
    screen_clear(screen);
    if (screen->color && level == DP_WARN)
        fprintf(stderr, "\033[33m%s\033[0m\n", line);
    else if (screen->color && *label && *label != ' ')
        fprintf(stderr, "\033[1m%-*s\033[0m%s\n", width, label, text);
    else
        fprintf(stderr, "%s\n", line);
}

/* "412 k", "4.1 M": a rate for people. */
static void print_rate(char *out, size_t room, double rate)
{
    if (rate >= 1e6)
        snprintf(out, room, "%.1f M", rate / 1e6);
    else if (rate >= 1e4)
        snprintf(out, room, "%.0f k", rate / 1e3);
    else
        snprintf(out, room, rate >= 100 ? "%.0f" : "%.1f", rate);
}

static void show_progress(void *self, const dp_progress *p)
{
    Screen *screen = self;
    double now = dp_clock_seconds();
    char line[256], done[32], total[32], rate[32] = "", left[32] = "";
    if (screen->off || screen->quiet || now - screen->last < (screen->terminal ? every_terminal : every_line))
        return;
    screen->last = now;
    dp_count_print(done, (int64_t)p->done);
    dp_count_print(total, (int64_t)p->total);
    if (p->rate > 0)
        print_rate(rate, sizeof rate, p->rate);
    if (p->left_s >= 0)
        dp_duration_print(left, p->left_s);
    snprintf(line, sizeof line, "%-8s%s%s%s %s%s%s%s%s%s%s", p->what, done, p->total > 0 ? " of " : "",
             p->total > 0 ? total : "", p->unit, *rate ? "   " : "", rate, *rate ? " " : "", *rate ? p->unit : "",
             *rate ? "/s" : "", *left ? "   left " : "");
    strncat(line, left, sizeof line - strlen(line) - 1);
    if (screen->terminal) {
        fprintf(stderr, "\r\033[K%.*s", 120, line);
        fflush(stderr);
        screen->line_open = true;
    } else {
        fprintf(stderr, "%s\n", line);
    }
}

dp_log screen_log(Screen *screen)
{
    return (dp_log){.self = screen, .line = say_line, .progress = show_progress};
}

void screen_error(Screen *screen, const dp_error *error)
{
    char line[DP_TEXT_MAX + 64];
    snprintf(line, sizeof line, "error: %s [%s]", error->text, error->id);
    if (screen->run)
        run_note(screen->run, line);
    if (screen->off)
        return;
    screen_clear(screen);
    fprintf(stderr, screen->color ? "\033[1;31mdipper:\033[0m %s\n" : "dipper: %s\n", line);
    if (*error->id)
        fprintf(stderr, "More: dipper help %s\n", error->id);
    if (screen->verbose && *error->trace)
        fprintf(stderr, "trace: %s\n", error->trace);
}

void app_print_day(char *out, int64_t time)
{
    char text[32];
    if (time == DP_TIME_MISSING) {
        snprintf(out, 32, "-");
        return;
    }
    dp_time_print(text, time);
    snprintf(out, 32, "%.10s", text);
}
