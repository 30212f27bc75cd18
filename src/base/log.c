#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

void dp_say(const dp_log *log, dp_level level, const char *label, const char *format, ...)
{
    char text[4096];
    va_list args;
    if (!log || !log->line)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    log->line(log->self, level, label, text);
}

void dp_show(const dp_log *log, const dp_progress *progress)
{
    if (log && log->progress)
        log->progress(log->self, progress);
}
