/* The stable 128-bit hash of typed values: each row's encodings, then XXH3-128 over them. */
#include "engine/expr/row_hash.h"

#include <math.h>

#include "engine/expr/canonical.h"
#include "engine/expr/row_encode.h"
#include "foundation/base/number.h"
#include "foundation/codec/json_walk.h"

Status encode_double(Buf *out, double value, Err *err)
{
    Decimal decimal;
    if (value == 0) return encode_decimal(out, (Decimal){0, 0}, err);
    if (decimal_from_double(value, &decimal) == DECIMAL_OK)
        return encode_decimal(out, decimal, err);
    uint64_t bits;
    memcpy(&bits, &value, 8);
    if (isnan(value)) bits = UINT64_C(0x7ff8000000000000);
    return encode_tagged(out, 0x03, &bits, 8, err);
}

Status encode_interval(Buf *out, Interval interval, Err *err)
{
    char bytes[16];
    memcpy(bytes, &interval.months, 4);
    memcpy(bytes + 4, &interval.days, 4);
    memcpy(bytes + 8, &interval.us, 8);
    return encode_tagged(out, 0x0a, bytes, 16, err);
}

static Status encode_number_text(Buf *out, Str text, Err *err)
{
    Decimal decimal;
    double real = 0;
    if (decimal_parse(text, &decimal) == DECIMAL_OK) return encode_decimal(out, decimal, err);
    if (number_parse_double(text, &real) != NUMBER_OK) {
        real = text.ptr[0] == '-' ? -(double)INFINITY : (double)INFINITY;
    }
    return encode_double(out, real, err);
}

static Status encode_document(Buf *out, Str json, Err *err)
{
    Arena arena = arena_make(INT64_C(1) << 32);
    CLEANUP(buf_done) Buf canonical = buf_make(INT64_C(1) << 31);
    Status status = canonical_json(json, &arena, &canonical, err);
    arena_done(&arena);
    TRY(status);
    return encode_long(out, 0x0c, buf_str(&canonical), err);
}

Status encode_json(Buf *out, Str json, Err *err)
{
    JsonSlot slot;
    if (!json_scan(json, &slot, NULL)) return encode_text(out, json, err);
    if (slot.kind == JSON_NULL) return encode_null(out, err);
    if (slot.kind == JSON_BOOL) return encode_bool(out, slot.text.ptr[0] == 't', err);
    if (slot.kind == JSON_NUMBER) return encode_number_text(out, slot.text, err);
    if (slot.kind != JSON_STRING) return encode_document(out, json, err);
    Arena arena = arena_make(INT64_C(1) << 32);
    Str text;
    Status status = json_text(&slot, &arena, &text, err);
    if (status == OK) status = encode_text(out, text, err);
    arena_done(&arena);
    return status;
}

static Status encode_numeric(Buf *out, const Column *c, int64_t row, Err *err)
{
    Int128 value = column_numeric(c)[row];
    uint8_t scale = column_scale(c, row);
    if (scale != NUMERIC_SCALE_DOUBLE) return encode_decimal(out, (Decimal){value, scale}, err);
    double real;
    memcpy(&real, &value, sizeof real);
    return encode_double(out, real, err);
}

Status encode_column(Buf *out, const Column *c, int64_t row, Err *err)
{
    if (column_is_null(c, row)) return encode_null(out, err);
    int64_t at = 0;
    switch (c->type) {
    case TYPE_BOOL:
        return encode_bool(out, column_bool(c, row), err);
    case TYPE_INT64:
        return encode_decimal(out, (Decimal){column_int64(c)[row], 0}, err);
    case TYPE_DOUBLE:
        return encode_double(out, column_double(c)[row], err);
    case TYPE_NUMERIC:
        return encode_numeric(out, c, row, err);
    case TYPE_TEXT:
        return encode_text(out, column_text(c, row), err);
    case TYPE_BYTES:
        return encode_bytes(out, column_text(c, row), err);
    case TYPE_JSON:
        return encode_json(out, column_text(c, row), err);
    case TYPE_DATE:
        return encode_date(out, column_date(c)[row], err);
    case TYPE_TIME:
        return encode_time(out, column_int64(c)[row], err);
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        return encode_timestamp(out, column_int64(c)[row], err);
    case TYPE_INTERVAL:
        return encode_interval(out, column_interval(c)[row], err);
    case TYPE_UUID:
        return encode_uuid(out, column_uuid(c) + row * 16, err);
    case TYPE_DYNAMIC: {
        const Column *child = column_dynamic(c, row, &at);
        return encode_column(out, child, at, err);
    }
    case TYPE_COUNT:
        break;
    }
    return err_set(err, ERR_INTERNAL, "a column without a type");
}

Status row_hash_batch(const Batch *batch, const int32_t *columns, int32_t count, int64_t from,
                      int64_t rows, Hash128 *ret_hashes, Err *err)
{
    CLEANUP(buf_done) Buf row = buf_make(INT64_C(1) << 32);
    for (int64_t i = 0; i < rows; i++) {
        buf_clear(&row);
        for (int32_t c = 0; c < count; c++) {
            TRY(encode_column(&row, &batch->columns[columns[c]], from + i, err));
        }
        ret_hashes[i] = hash_128(buf_str(&row));
    }
    return OK;
}
