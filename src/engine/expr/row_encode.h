/* The encodings of row_hash.h, one value at a time. */
#ifndef NEURON_ROW_ENCODE_H
#define NEURON_ROW_ENCODE_H

#include "engine/column/column.h"
#include "foundation/base/buf.h"

/* Each appends one value's encoding; FAIL only when memory runs out. */
MUST_USE Status encode_null(Buf *out, Err *err);
MUST_USE Status encode_bool(Buf *out, bool value, Err *err);
MUST_USE Status encode_decimal(Buf *out, Decimal value, Err *err);
MUST_USE Status encode_double(Buf *out, double value, Err *err);
MUST_USE Status encode_text(Buf *out, Str text, Err *err);
MUST_USE Status encode_bytes(Buf *out, Str bytes, Err *err);
MUST_USE Status encode_date(Buf *out, int32_t days, Err *err);
MUST_USE Status encode_time(Buf *out, int64_t us, Err *err);
MUST_USE Status encode_timestamp(Buf *out, int64_t us, Err *err);
MUST_USE Status encode_interval(Buf *out, Interval interval, Err *err);
MUST_USE Status encode_uuid(Buf *out, const uint8_t *bytes, Err *err);
MUST_USE Status encode_json(Buf *out, Str json, Err *err);
MUST_USE Status encode_column(Buf *out, const Column *column, int64_t row, Err *err);

#endif
