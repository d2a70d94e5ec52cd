/* A growable byte buffer that knows its maximum. */
#include "foundation/base/buf.h"

#include <stdio.h>

#include "foundation/base/mem.h"

enum { BUF_FIRST = 256 };

void buf_done(Buf *buf)
{
    mem_free(buf->data);
    *buf = buf_make(buf->max);
}

Status buf_grow(Buf *buf, int64_t more, Err *err)
{
    if (more > buf->max - buf->len) {
        return err_set(err, ERR_LIMIT, "more than %lld bytes", (long long)buf->max);
    }
    int64_t cap = int64_max(buf->cap * 2, BUF_FIRST);
    cap = int64_min(int64_max(cap, buf->len + more), buf->max);
    char *data = mem_realloc(buf->data, cap);
    if (!data) return err_memory(err);
    buf->data = data;
    buf->cap = cap;
    return OK;
}

PRINTF_LIKE(3, 0)
static Status printf_into(Buf *buf, Err *err, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int64_t room = buf->cap - buf->len;
    int64_t need = vsnprintf(buf->data ? buf->data + buf->len : NULL, (size_t)room, format, args);
    if (need >= room) {
        Status status = buf_reserve(buf, need + 1, err);
        if (status != OK) {
            va_end(again);
            return status;
        }
        (void)vsnprintf(buf->data + buf->len, (size_t)need + 1, format, again);
    }
    va_end(again);
    buf->len += need;
    return OK;
}

Status buf_printf(Buf *buf, Err *err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    Status status = printf_into(buf, err, format, args);
    va_end(args);
    return status;
}

Status buf_terminate(Buf *buf, Err *err)
{
    TRY(buf_reserve(buf, 1, err));
    buf->data[buf->len] = 0;
    return OK;
}

void buf_consume(Buf *buf, int64_t n)
{
    assert(n >= 0 && n <= buf->len);
    buf->len -= n;
    if (n && buf->len) memmove(buf->data, buf->data + n, (size_t)buf->len);
}
