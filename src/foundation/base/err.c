/* Errors as values: a closed kind, a position, a bounded message; never allocates. */
#include "foundation/base/err.h"

#include <errno.h>
#include <stdio.h>

#include "foundation/base/secret_list.h"

static const struct {
    const char *name;
    bool retriable;
    int exit_code;
} ERR_KINDS[ERR_KIND_COUNT] = {
#define ERR_KIND(name, text, retriable, exit_code) {text, retriable, exit_code},
#include "foundation/base/err.def"
#undef ERR_KIND
};

/* Every text of an error ends here: without secrets, and where it was cut on a character boundary.
 */
static void settle(char *text, bool cut)
{
    int64_t len = (int64_t)strlen(text);
    if (cut) len = str_utf8_prefix(str_make(text, len));
    text[redact_text(text, len, cut)] = 0;
}

PRINTF_LIKE(3, 0)
static void put_v(char *to, int64_t size, const char *format, va_list args)
{
    int64_t need = vsnprintf(to, (size_t)size, format, args);
    settle(to, need >= size);
}

Status err_set_v(Err *err, ErrKind kind, const char *format, va_list args)
{
    if (!err) return FAIL;
    err_clear(err);
    err->kind = kind;
    put_v(err->message, ERR_MESSAGE_MAX, format, args);
    return FAIL;
}

Status err_set(Err *err, ErrKind kind, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    Status status = err_set_v(err, kind, format, args);
    va_end(args);
    return status;
}

Status err_memory(Err *err)
{
    return err_set(err, ERR_MEMORY, "out of memory");
}

static ErrKind kind_of_errno(int errno_value)
{
    switch (errno_value) {
    case ENOSPC:
    case EDQUOT:
        return ERR_SPACE;
    case EACCES:
    case EPERM:
    case EROFS:
        return ERR_PERMISSION;
    case ENOENT:
    case ENOTDIR:
        return ERR_NOT_FOUND;
    case ENOMEM:
        return ERR_MEMORY;
    case EFBIG:
        return ERR_LIMIT;
    default:
        return ERR_IO;
    }
}

Status err_errno(Err *err, int errno_value, const char *format, ...)
{
    if (!err) return FAIL;
    err_clear(err);
    err->kind = kind_of_errno(errno_value);
    va_list args;
    va_start(args, format);
    put_v(err->message, ERR_MESSAGE_MAX - 128, format, args);
    va_end(args);
    char text[120];
    const char *reason = strerror_r(errno_value, text, sizeof text);
    int64_t len = (int64_t)strlen(err->message);
    (void)snprintf(err->message + len, (size_t)(ERR_MESSAGE_MAX - len), ": %s", reason);
    return FAIL;
}

Status err_prefix(Err *err, const char *format, ...)
{
    if (!err) return FAIL;
    char old[ERR_MESSAGE_MAX];
    memcpy(old, err->message, sizeof old);
    va_list args;
    va_start(args, format);
    put_v(err->message, ERR_MESSAGE_MAX, format, args);
    va_end(args);
    int64_t len = (int64_t)strlen(err->message);
    int64_t room = ERR_MESSAGE_MAX - len;
    settle(err->message, (int64_t)snprintf(err->message + len, (size_t)room, "%s", old) >= room);
    return FAIL;
}

Status err_hint(Err *err, const char *format, ...)
{
    if (!err) return FAIL;
    va_list args;
    va_start(args, format);
    put_v(err->hint, ERR_HINT_MAX, format, args);
    va_end(args);
    return FAIL;
}

Status err_where(Err *err, const char *format, ...)
{
    if (!err) return FAIL;
    va_list args;
    va_start(args, format);
    put_v(err->where, ERR_WHERE_MAX, format, args);
    va_end(args);
    return FAIL;
}

Status err_at(Err *err, int64_t line, int64_t column)
{
    if (!err) return FAIL;
    err->line = line;
    err->column = column;
    return FAIL;
}

Status err_to_cancelled(Err *err)
{
    if (!err || err->kind == ERR_CANCELLED) return FAIL;
    err->kind = ERR_CANCELLED;
    return err_prefix(err, "cancelled: ");
}

void err_clear(Err *err)
{
    if (!err) return;
    err->kind = ERR_INTERNAL;
    err->sqlstate[0] = 0;
    err->line = 0;
    err->column = 0;
    err->where[0] = 0;
    err->hint[0] = 0;
    err->message[0] = 0;
}

const char *err_kind_name(ErrKind kind)
{
    assert(kind < ERR_KIND_COUNT);
    return ERR_KINDS[kind].name;
}

bool err_is_retriable(const Err *err)
{
    return ERR_KINDS[err->kind].retriable;
}

int err_exit_code(ErrKind kind)
{
    assert(kind < ERR_KIND_COUNT);
    return ERR_KINDS[kind].exit_code;
}
