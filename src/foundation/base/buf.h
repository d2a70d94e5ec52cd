/* A growable byte buffer that knows its maximum. */
#ifndef NEURON_BUF_H
#define NEURON_BUF_H

#include "foundation/base/err.h"

/* data[0..len) is filled, data[len..cap) free. Embedded: buf_init … buf_done. One thread. */
typedef struct Buf {
    char *data;
    int64_t len;
    int64_t cap;
    int64_t max; /* bytes that it may grow to */
} Buf;

/* A buffer that allocates nothing yet. */
static inline Buf buf_make(int64_t max)
{
    return (Buf){NULL, 0, 0, max};
}
void buf_done(Buf *buf);

/* Reallocate, so that there is room for `more` bytes; for buf_reserve. */
MUST_USE Status buf_grow(Buf *buf, int64_t more, Err *err);
/* Room for `more` bytes after len. FAIL: ERR_MEMORY, or ERR_LIMIT past max. */
MUST_USE static inline Status buf_reserve(Buf *buf, int64_t more, Err *err)
{
    return LIKELY(more <= buf->cap - buf->len) ? OK : buf_grow(buf, more, err);
}
MUST_USE static inline Status buf_append(Buf *buf, Str bytes, Err *err)
{
    TRY(buf_reserve(buf, bytes.len, err));
    if (bytes.len) memcpy(buf->data + buf->len, bytes.ptr, (size_t)bytes.len);
    buf->len += bytes.len;
    return OK;
}
MUST_USE static inline Status buf_append_char(Buf *buf, char c, Err *err)
{
    TRY(buf_reserve(buf, 1, err));
    buf->data[buf->len++] = c;
    return OK;
}
MUST_USE Status buf_printf(Buf *buf, Err *err, const char *format, ...) PRINTF_LIKE(3, 4);
/* Put a NUL after the text (not counted in len), so that data may be passed to C functions. */
MUST_USE Status buf_terminate(Buf *buf, Err *err);
/* Remove the first n bytes. */
void buf_consume(Buf *buf, int64_t n);

static inline void buf_clear(Buf *buf)
{
    buf->len = 0;
}

static inline Str buf_str(const Buf *buf)
{
    return str_make(buf->data, buf->len);
}

#endif
