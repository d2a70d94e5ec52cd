/* The encodings of row_hash.h, one value at a time. */
#ifndef NEURON_ROW_ENCODE_H
#define NEURON_ROW_ENCODE_H

#include "engine/column/column.h"
#include "foundation/base/buf.h"

/* Each appends one value's encoding: a tag, then its bytes; FAIL only when memory runs out. The
 * short ones are in place, since they run for every value of every hashed row. */
MUST_USE static inline Status encode_tagged(Buf *out, char tag, const void *bytes, int64_t len,
                                            Err *err)
{
    TRY(buf_reserve(out, len + 1, err));
    char *to = out->data + out->len;
    to[0] = tag;
    if (len) memcpy(to + 1, bytes, (size_t)len);
    out->len += len + 1;
    return OK;
}

MUST_USE static inline Status encode_null(Buf *out, Err *err)
{
    return encode_tagged(out, 0x00, NULL, 0, err);
}

MUST_USE static inline Status encode_bool(Buf *out, bool value, Err *err)
{
    uint8_t byte = value;
    return encode_tagged(out, 0x01, &byte, 1, err);
}

MUST_USE static inline Status encode_decimal(Buf *out, Decimal value, Err *err)
{
    value = decimal_normalize(value);
    TRY(buf_reserve(out, 18, err));
    char *to = out->data + out->len;
    int64_t small = (int64_t)value.value;
    bool is_small = small == value.value;
    to[0] = is_small ? 0x02 : 0x04;
    to[1] = (char)value.scale;
    if (LIKELY(is_small)) memcpy(to + 2, &small, 8);
    else memcpy(to + 2, &value.value, 16);
    out->len += is_small ? 10 : 18;
    return OK;
}

/* Text of `tag`: its length, then its bytes. */
MUST_USE static inline Status encode_long(Buf *out, char tag, Str text, Err *err)
{
    uint32_t len = (uint32_t)text.len;
    TRY(buf_reserve(out, text.len + 5, err));
    char *to = out->data + out->len;
    to[0] = tag;
    memcpy(to + 1, &len, 4);
    if (text.len) memcpy(to + 5, text.ptr, (size_t)text.len);
    out->len += text.len + 5;
    return OK;
}

MUST_USE static inline Status encode_text(Buf *out, Str text, Err *err)
{
    return encode_long(out, 0x05, text, err);
}

MUST_USE static inline Status encode_bytes(Buf *out, Str bytes, Err *err)
{
    return encode_long(out, 0x06, bytes, err);
}

MUST_USE static inline Status encode_date(Buf *out, int32_t days, Err *err)
{
    return encode_tagged(out, 0x07, &days, 4, err);
}

MUST_USE static inline Status encode_time(Buf *out, int64_t us, Err *err)
{
    return encode_tagged(out, 0x08, &us, 8, err);
}

MUST_USE static inline Status encode_timestamp(Buf *out, int64_t us, Err *err)
{
    return encode_tagged(out, 0x09, &us, 8, err);
}

MUST_USE static inline Status encode_uuid(Buf *out, const uint8_t *bytes, Err *err)
{
    return encode_tagged(out, 0x0b, bytes, 16, err);
}

MUST_USE Status encode_double(Buf *out, double value, Err *err);
MUST_USE Status encode_interval(Buf *out, Interval interval, Err *err);
MUST_USE Status encode_json(Buf *out, Str json, Err *err);
MUST_USE Status encode_column(Buf *out, const Column *column, int64_t row, Err *err);

#endif
