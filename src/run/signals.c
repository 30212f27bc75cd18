/* Signals set flags; the work reads them at its steps. These flags are the one state of the library that is not in a
 * struct: a handler can reach nothing else. */
#include "run/run.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t asked_save, asked_leave, asked_interrupt;

enum { INTERRUPTS_MAX = 3, EXIT_INTERRUPTED = 130 };

static void note(int signal_number)
{
    if (signal_number == SIGUSR1)
        asked_save = 1;
    else if (signal_number == SIGINT && ++asked_interrupt >= INTERRUPTS_MAX)
        _exit(EXIT_INTERRUPTED); /* someone presses Ctrl-C again and again: the work does not come to its next step */
    else if (signal_number != SIGINT)
        asked_leave = 1;
}

dp_status run_catch_signals(void)
{
    static const int caught[] = {SIGUSR1, SIGUSR2, SIGTERM, SIGINT};
    struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof caught / sizeof *caught; i++)
        if (sigaction(caught[i], &action, NULL) != 0)
            return dp_fail(DP_ERR_INTERNAL, "run-13", "cannot catch the signal %d: %s", caught[i], strerror(errno));
    return DP_OK;
}

RunAsk run_asked(void)
{
    if (asked_interrupt)
        return RUN_ASK_INTERRUPT;
    if (asked_leave)
        return RUN_ASK_LEAVE;
    if (!asked_save)
        return RUN_ASK_NOTHING;
    asked_save = 0;
    return RUN_ASK_SAVE;
}
