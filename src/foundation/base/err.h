/* Errors as values: a closed kind, a position, a bounded message without secrets; never allocates.
 */
#ifndef NEURON_ERR_H
#define NEURON_ERR_H

#include <stdarg.h>

#include "foundation/base/str.h"

typedef enum Status { OK = 0, FAIL = 1 } Status;

/* The closed set of error kinds: name, may pass by itself when tried again, exit code. */
typedef enum ErrKind {
#define ERR_KIND(name, text, retriable, exit_code) ERR_##name,
#include "foundation/base/err.def"
#undef ERR_KIND
    ERR_KIND_COUNT
} ErrKind;

enum { ERR_MESSAGE_MAX = 2048, ERR_HINT_MAX = 512, ERR_WHERE_MAX = 256 };

/* One error. Zero-initialise (`Err err = {0}`); filled by the first failure. Not shared between
 * threads. `where` names the place in the user's terms (table, column, file:line:column). */
typedef struct Err {
    ErrKind kind;
    char sqlstate[6]; /* five characters and NUL, or empty */
    int64_t line;     /* 1-based position in the user's text, 0 when none */
    int64_t column;
    char where[ERR_WHERE_MAX];
    char hint[ERR_HINT_MAX];
    char message[ERR_MESSAGE_MAX];
} Err;

/* Fill *err (NULL allowed) and return FAIL, so that `return err_set(…)` reads well. The message
 * says what happened, without a full stop or a newline at its end. Cut at its maximum, on a
 * character boundary; registered secrets are replaced by *** (redact.h), as in all texts below. */
Status err_set(Err *err, ErrKind kind, const char *format, ...) PRINTF_LIKE(3, 4);
Status err_set_v(Err *err, ErrKind kind, const char *format, va_list args) PRINTF_LIKE(3, 0);

/* Out of memory. */
Status err_memory(Err *err);
/* From errno: kind by its value (ENOSPC -> SPACE, EACCES -> PERMISSION, ENOENT -> NOT_FOUND, EFBIG
 * -> LIMIT …). */
Status err_errno(Err *err, int errno_value, const char *format, ...) PRINTF_LIKE(3, 4);

/* Put context in front of the message: "sales: extract: " + message. Returns FAIL. */
Status err_prefix(Err *err, const char *format, ...) PRINTF_LIKE(2, 3);
/* Say how to fix it. Returns FAIL. */
Status err_hint(Err *err, const char *format, ...) PRINTF_LIKE(2, 3);
/* Name the place. Returns FAIL. */
Status err_where(Err *err, const char *format, ...) PRINTF_LIKE(2, 3);
/* Position in the user's text, 1-based. Returns FAIL. */
Status err_at(Err *err, int64_t line, int64_t column);

/* What a cancel brought about (a lock that nobody waits for any more, a closed connection) is the
 * cancel itself; what was said stays in the message. Returns FAIL. */
Status err_to_cancelled(Err *err);

void err_clear(Err *err);
const char *err_kind_name(ErrKind kind);
/* True when the same work may succeed later without anybody's doing (connection, deadlock…). */
bool err_is_retriable(const Err *err);
/* 1, 2 or 3: the program's exit code for an error of this kind. */
int err_exit_code(ErrKind kind);

#endif
