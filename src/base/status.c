#include "base/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local dp_error last_error;

dp_status dp_fail(dp_status status, const char *id, const char *format, ...)
{
    /* The arguments may point into the old text: compose aside first. */
    char text[DP_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    last_error.status = status;
    snprintf(last_error.id, sizeof last_error.id, "%s", id);
    memcpy(last_error.text, text, sizeof text);
    last_error.trace[0] = '\0';
    return status;
}

dp_status dp_fail_as(const dp_error *error)
{
    last_error = *error;
    return error->status;
}

dp_status dp_status_of_errno(int err, dp_status otherwise)
{
    switch (err) {
    case ENOENT:
    case ENOTDIR:
        return DP_ERR_NO_INPUT;
    case EACCES:
    case EPERM:
    case ELOOP:
        return DP_ERR_DENIED;
    case EROFS:
        return DP_ERR_CREATE;
    case ENOSPC:
    case EDQUOT:
    case EIO:
    case EFBIG:
        return DP_ERR_IO;
    case ENOMEM:
    case EAGAIN:
    case EMFILE:
    case ENFILE:
        return DP_ERR_AGAIN;
    default:
        return otherwise;
    }
}

const dp_error *dp_error_last(void)
{
    return &last_error;
}

dp_status dp_trace(dp_status status, const char *function, const char *file, int line)
{
    const char *slash = strrchr(file, '/');
    size_t used = strlen(last_error.trace);
    snprintf(last_error.trace + used, sizeof last_error.trace - used, "%s%s (%s:%d)", used ? " < " : "", function,
             slash ? slash + 1 : file, line);
    return status;
}
