/* Rows of binary COPY into columns: rows are gathered, then decoded a column at a time. */
#include "connect/postgres/postgres_decode.h"

#include <endian.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "foundation/base/mem.h"

/* 1970-01-01 to 2000-01-01. */
enum { EPOCH_DAYS = 10957 };
#define EPOCH_US (INT64_C(86400000000) * EPOCH_DAYS)

static int16_t read_int16(const char *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return (int16_t)be16toh(v);
}

static int32_t read_int32(const char *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return (int32_t)be32toh(v);
}

static int64_t read_int64(const char *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return (int64_t)be64toh(v);
}

/* ---- rows ---- */

Status postgres_rows_init(PostgresRows *rows, int32_t column_count, int64_t rows_max,
                          int64_t chunk_bytes, bool whole, Err *err)
{
    *rows = (PostgresRows){.column_count = column_count,
                           .rows_max = rows_max,
                           .chunk_bytes = chunk_bytes,
                           .whole = whole};
    if (whole) return OK;
    rows->places = mem_array(rows_max * column_count, (int64_t)sizeof *rows->places);
    return rows->places ? OK : err_memory(err);
}

void postgres_rows_done(PostgresRows *rows)
{
    buffer_unref(rows->chunk);
    mem_free(rows->places);
    *rows = (PostgresRows){0};
}

void postgres_rows_clear(PostgresRows *rows)
{
    buffer_unref(rows->chunk);
    rows->chunk = NULL;
    rows->used = 0;
    rows->rows = 0;
}

Status postgres_rows_header(Str *row, Err *err)
{
    static const char SIGNATURE[11] = "PGCOPY\n\377\r\n";
    if (row->len < 19 || memcmp(row->ptr, SIGNATURE, sizeof SIGNATURE) != 0) {
        return err_set(err, ERR_DATA, "not a stream of binary COPY");
    }
    int64_t flags = read_int32(row->ptr + 11);
    int64_t extension = read_int32(row->ptr + 15);
    if ((flags & 0xffff0000) != 0 || extension < 0 || extension > row->len - 19) {
        return err_set(err, ERR_DATA, "a binary COPY of a form that is not known");
    }
    *row = str_slice(*row, 19 + extension, row->len);
    return OK;
}

bool postgres_rows_trailer(Str row)
{
    return row.len == 2 && read_int16(row.ptr) == -1;
}

static Status row_refused(Err *err)
{
    return err_set(err, ERR_DATA, "the server sent a row that is not one of binary COPY");
}

/* Note where each value stands; the row is already in the chunk at `at`. */
static Status note_places(PostgresRows *rows, int64_t at, int64_t len, Err *err)
{
    const char *bytes = (const char *)rows->chunk->data;
    int64_t end = at + len;
    int32_t *place = rows->places + rows->rows;
    for (int32_t i = 0; i < rows->column_count; i++) {
        if (UNLIKELY(end - at < 4)) return row_refused(err);
        int64_t size = read_int32(bytes + at);
        *place = (int32_t)at;
        place += rows->rows_max;
        at += 4 + (size > 0 ? size : 0);
        if (UNLIKELY(size < -1)) return row_refused(err);
    }
    return at == end ? OK : row_refused(err);
}

Status postgres_rows_add(PostgresRows *rows, Str row, bool *ret_full, Err *err)
{
    *ret_full = false;
    if (row.len < 2 || row.len > INT32_MAX - 2 || read_int16(row.ptr) != rows->column_count) {
        return row_refused(err);
    }
    if (!rows->whole) row = str_slice(row, 2, row.len);
    bool full = rows->rows == rows->rows_max ||
                (rows->rows > 0 && rows->used + row.len > rows->chunk->size);
    if (full) {
        *ret_full = true;
        return OK;
    }
    if (!rows->chunk) {
        int64_t size = int64_max(rows->chunk_bytes, row.len);
        TRY(buffer_new(size, NULL, &rows->chunk, err));
    }
    if (row.len) memcpy(rows->chunk->data + rows->used, row.ptr, (size_t)row.len);
    if (!rows->whole) TRY(note_places(rows, rows->used, row.len, err));
    rows->used += row.len;
    rows->rows++;
    return OK;
}

Str postgres_rows_value(const PostgresRows *rows, int32_t column, int64_t row)
{
    int64_t at = rows->places[column * rows->rows_max + row];
    const char *bytes = (const char *)rows->chunk->data + at;
    int32_t size = read_int32(bytes);
    return size < 0 ? STR_NULL : str_make(bytes + 4, size);
}

/* ---- values ---- */

static const char WRONG_SIZE[] = "its bytes are not of the column's type";
static const char TOO_WIDE[] = "it has more than 38 digits; select it as text: column::text";

/* The number of a numeric without sign: R * 10^-f, cut to `scale` digits where only zeros are cut.
 * False when it doesn't fit. */
static bool numeric_digits(const char *digits, int32_t count, int32_t weight, int32_t scale,
                           Uint128 *ret_value)
{
    Uint128 value = 0;
    int32_t decimals = 4 * (count - 1 - weight); /* decimal digits after the point in R */
    int32_t cut = decimals - scale;
    for (int32_t i = 0; i < count; i++) {
        uint32_t digit = (uint32_t)read_int16(digits + 2 * (int64_t)i);
        uint32_t base = 10000;
        if (digit >= 10000) return false;
        if (i == count - 1 && cut > 0) {
            if (cut >= 4) return false;
            uint32_t power = cut == 1 ? 10 : cut == 2 ? 100 : 1000;
            if (digit % power != 0) return false;
            digit /= power;
            base /= power;
        }
        if (__builtin_mul_overflow(value, (Uint128)base, &value) ||
            __builtin_add_overflow(value, (Uint128)digit, &value)) {
            return false;
        }
    }
    if (cut < 0 && value != 0) {
        if (cut < -DECIMAL_DIGITS_MAX) return false;
        if (__builtin_mul_overflow(value, (Uint128)decimal_power10(-cut), &value)) return false;
    }
    *ret_value = value;
    return value < (Uint128)decimal_power10(DECIMAL_DIGITS_MAX);
}

/* 10^18 is the highest power of ten in 64 bits. */
enum { NUMERIC_SMALL_DIGITS = 18 };

/* value / 10^cut, where only zeros are cut; by constants, since a division costs more than the
 * rest.
 */
static bool numeric_cut(uint64_t value, int32_t cut, int64_t *ret_value)
{
    uint64_t whole = cut == 1 ? value / 10 : cut == 2 ? value / 100 : value / 1000;
    uint64_t power = cut == 1 ? 10 : cut == 2 ? 100 : 1000;
    *ret_value = (int64_t)whole;
    return whole * power == value;
}

/* The same for up to four digits of base 10000, as most are: in 64 bits. False: go the long way. */
static inline bool numeric_small(const char *digits, int32_t count, int32_t weight, int32_t scale,
                                 int64_t *ret_value)
{
    uint64_t value = 0;
    bool known = true;
    for (int32_t i = 0; i < count; i++) {
        uint32_t digit = (uint16_t)read_int16(digits + 2 * (int64_t)i);
        known &= digit < 10000;
        value = value * 10000 + digit;
    }
    int32_t cut = 4 * (count - 1 - weight) - scale;
    *ret_value = (int64_t)value;
    if (!known || cut > 3) return false;
    if (cut > 0) return numeric_cut(value, cut, ret_value);
    if (cut == 0 || value == 0) return true;
    return -cut <= NUMERIC_SMALL_DIGITS &&
           !__builtin_mul_overflow(*ret_value, (int64_t)decimal_power10(-cut), ret_value);
}

/* A numeric of the scale that all rows before it have, in 64 bits. False: go the long way. */
static inline bool numeric_quick(const char *p, int32_t len, const Builder *b, int64_t *ret_value)
{
    if (len < 8 || !b->uniform_scale || b->length == b->null_count) return false;
    uint64_t head = (uint64_t)read_int64(p); /* count, weight, sign, scale */
    int32_t count = (int32_t)(head >> 48), weight = (int16_t)(head >> 32);
    uint32_t sign = (uint16_t)(head >> 16), scale = (uint16_t)head;
    bool plain = count <= 4 && len == 8 + 2 * count && (sign == 0 || sign == 0x4000);
    if (!plain || scale != b->scale) return false;
    if (!numeric_small(p + 8, count, weight, (int32_t)scale, ret_value)) return false;
    *ret_value = sign ? -*ret_value : *ret_value;
    return true;
}

/* The least scale that keeps all digits: for values that say more zeros than 38 digits hold. */
static int32_t numeric_least_scale(const char *digits, int32_t count, int32_t weight)
{
    int32_t decimals = 4 * (count - 1 - weight);
    uint32_t last = count ? (uint32_t)read_int16(digits + 2 * (int64_t)(count - 1)) : 0;
    for (int32_t i = 0; i < 3 && last && last % 10 == 0; i++) {
        last /= 10;
        decimals--;
    }
    return count == 0 || decimals < 0 ? 0 : decimals;
}

static const char *numeric_value(Str bytes, Decimal *ret_value, double *ret_special)
{
    *ret_special = 0;
    if (bytes.len < 8) return WRONG_SIZE;
    int32_t count = read_int16(bytes.ptr);
    int32_t weight = read_int16(bytes.ptr + 2);
    uint16_t sign = (uint16_t)read_int16(bytes.ptr + 4);
    int32_t scale = read_int16(bytes.ptr + 6);
    if (sign == 0xC000) *ret_special = (double)NAN;
    else if (sign == 0xD000) *ret_special = (double)INFINITY;
    else if (sign == 0xF000) *ret_special = -(double)INFINITY;
    if (*ret_special != 0) return NULL;
    if (count < 0 || bytes.len != 8 + 2 * (int64_t)count || scale < 0) return WRONG_SIZE;
    if (sign != 0 && sign != 0x4000) return WRONG_SIZE;
    const char *digits = bytes.ptr + 8;
    int64_t small = 0;
    if (LIKELY(count <= 4 && scale <= DECIMAL_SCALE_MAX &&
               numeric_small(digits, count, weight, scale, &small))) {
        *ret_value = (Decimal){sign ? -small : small, scale};
        return NULL;
    }
    Uint128 value = 0;
    if (scale > DECIMAL_SCALE_MAX || !numeric_digits(digits, count, weight, scale, &value)) {
        scale = numeric_least_scale(digits, count, weight);
        if (scale > DECIMAL_SCALE_MAX || !numeric_digits(digits, count, weight, scale, &value)) {
            return TOO_WIDE;
        }
    }
    *ret_value = (Decimal){sign ? -(Int128)value : (Int128)value, scale};
    return NULL;
}

/* A float4 as the double that its shortest text reads as: 0.1, not 0.10000000149011612; casting it
 * back gives the same float4. */
static double float4_value(float value)
{
    double wide = (double)value;
    if (!isfinite(value) || wide == floor(wide)) return wide;
    static const double POWERS[] = {1e1, 1e2, 1e3, 1e4, 1e5, 1e6};
    for (int64_t i = 0; i < COUNT_OF(POWERS) && fabs(wide) < 1e6; i++) {
        double near = round(wide * POWERS[i]) / POWERS[i];
        if ((float)near == value) return near;
    }
    char text[32];
    for (int precision = 6; precision <= 9; precision++) {
        (void)snprintf(text, sizeof text, "%.*g", precision, wide);
        double near = strtod(text, NULL);
        if ((float)near == value) return near;
    }
    return wide;
}

/* ---- columns ---- */

typedef struct ColumnWork {
    const PostgresRows *rows;
    const char *bytes;
    const int32_t *places;
    int32_t column;
    PostgresForm form;
    Builder *builder;
    PostgresBads *bads;
} ColumnWork;

void postgres_bads_done(PostgresBads *bads)
{
    mem_free(bads->items);
    *bads = (PostgresBads){0};
}

static Status bad_value(const ColumnWork *work, int64_t row, const char *reason, Err *err)
{
    PostgresBads *bads = work->bads;
    if (bads->count == bads->capacity) {
        int64_t capacity = int64_max(bads->capacity * 2, 16);
        PostgresBad *items = mem_realloc(bads->items, capacity * (int64_t)sizeof *items);
        if (!items) return err_memory(err);
        bads->items = items;
        bads->capacity = capacity;
    }
    bads->items[bads->count++] = (PostgresBad){row, work->column, reason};
    return builder_null(work->builder, err);
}

/* Values of other types, one by one: `p` and `len` are a value's bytes. */
#define EACH_VALUE(...)                                                                            \
    for (int64_t row = 0; row < work->rows->rows; row++) {                                         \
        const char *p = work->bytes + work->places[row];                                           \
        int32_t len = read_int32(p);                                                               \
        p += 4;                                                                                    \
        if (UNLIKELY(len < 0)) {                                                                   \
            TRY(builder_null(work->builder, err));                                                 \
        } else {                                                                                   \
            __VA_ARGS__;                                                                           \
        }                                                                                          \
    }                                                                                              \
    return OK

/* Values of one size: stored where the builder made room for them, so that the loop holds no call
 * and nothing but bytes, NULLs and values that can't be held aside. */
#define EACH_FIXED(Type, size, value)                                                              \
    Builder *b = work->builder;                                                                    \
    Type *out = (Type *)(void *)b->data->data;                                                     \
    uint8_t *valid = b->valid ? b->valid->data : NULL;                                             \
    int64_t at = b->length;                                                                        \
    for (int64_t row = 0; row < work->rows->rows; row++) {                                         \
        const char *p = work->bytes + work->places[row] + 4;                                       \
        int32_t len = read_int32(p - 4);                                                           \
        if (LIKELY(len == (size))) {                                                               \
            out[at] = (value);                                                                     \
            if (valid) bit_set(valid, at);                                                         \
            at++;                                                                                  \
            continue;                                                                              \
        }                                                                                          \
        b->length = at;                                                                            \
        TRY(len < 0 ? builder_null(b, err) : bad_value(work, row, WRONG_SIZE, err));               \
        valid = b->valid->data;                                                                    \
        at = b->length;                                                                            \
    }                                                                                              \
    b->length = at;                                                                                \
    return OK

static Status column_int2(const ColumnWork *work, Err *err)
{
    EACH_FIXED(int64_t, 2, read_int16(p));
}

static Status column_int4(const ColumnWork *work, Err *err)
{
    EACH_FIXED(int64_t, 4, read_int32(p));
}

static Status column_oid(const ColumnWork *work, Err *err)
{
    EACH_FIXED(int64_t, 4, (uint32_t)read_int32(p));
}

static Status column_int8(const ColumnWork *work, Err *err)
{
    EACH_FIXED(int64_t, 8, read_int64(p));
}

static double read_float4(const char *p)
{
    int32_t bits = read_int32(p);
    float value;
    memcpy(&value, &bits, sizeof value);
    return float4_value(value);
}

static double read_float8(const char *p)
{
    int64_t bits = read_int64(p);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static Status column_float4(const ColumnWork *work, Err *err)
{
    EACH_FIXED(double, 4, read_float4(p));
}

static Status column_float8(const ColumnWork *work, Err *err)
{
    EACH_FIXED(double, 8, read_float8(p));
}

static Interval read_interval(const char *p)
{
    return (Interval){read_int32(p + 12), read_int32(p + 8), read_int64(p)};
}

static Status column_intervals(const ColumnWork *work, Err *err)
{
    EACH_FIXED(Interval, 16, read_interval(p));
}

typedef struct UuidBytes {
    uint8_t bytes[16];
} UuidBytes;

static UuidBytes read_uuid(const char *p)
{
    UuidBytes uuid;
    memcpy(&uuid, p, sizeof uuid);
    return uuid;
}

static Status column_uuids(const ColumnWork *work, Err *err)
{
    EACH_FIXED(UuidBytes, 16, read_uuid(p));
}

static Status column_boolean(const ColumnWork *work, Err *err)
{
    EACH_VALUE({
        if (UNLIKELY(len != 1)) TRY(bad_value(work, row, WRONG_SIZE, err));
        else TRY(builder_bool(work->builder, *p != 0, err));
    });
}

static Status column_decimal(const ColumnWork *work, Err *err)
{
    EACH_VALUE({
        int64_t small = 0;
        if (LIKELY(numeric_quick(p, len, work->builder, &small))) {
            ((Int128 *)(void *)work->builder->data->data)[work->builder->length] = small;
            builder_advance(work->builder);
            continue;
        }
        Decimal value = {0, 0};
        double special = 0;
        const char *reason = numeric_value(str_make(p, len), &value, &special);
        if (UNLIKELY(reason != NULL)) TRY(bad_value(work, row, reason, err));
        else if (UNLIKELY(special != 0)) TRY(builder_numeric_double(work->builder, special, err));
        else TRY(builder_numeric(work->builder, value, err));
    });
}

/* Most texts are: then there is nothing to check. */
static bool is_ascii(const char *p, int64_t len)
{
    uint64_t bits = 0, word;
    int64_t at = 0;
    for (; at + 8 <= len; at += 8) {
        memcpy(&word, p + at, 8);
        bits |= word;
    }
    for (; at < len; at++) bits |= (uint8_t)p[at];
    return (bits & UINT64_C(0x8080808080808080)) == 0;
}

static bool is_text(const char *p, int64_t len)
{
    return LIKELY(is_ascii(p, len)) || str_is_utf8(str_make(p, len));
}

static Status column_texts(const ColumnWork *work, Err *err)
{
    int32_t heap = 0;
    TRY(builder_heap(work->builder, work->rows->chunk, &heap, err));
    EACH_VALUE({
        if (UNLIKELY(!is_text(p, len))) {
            TRY(bad_value(work, row, "the text is not UTF-8", err));
        } else {
            TRY(builder_view(work->builder, heap, p - work->bytes, len, err));
        }
    });
}

static Status column_bytes(const ColumnWork *work, Err *err)
{
    int32_t heap = 0;
    TRY(builder_heap(work->builder, work->rows->chunk, &heap, err));
    EACH_VALUE(TRY(builder_view(work->builder, heap, p - work->bytes, len, err)));
}

static Status column_jsonb(const ColumnWork *work, Err *err)
{
    int32_t heap = 0;
    TRY(builder_heap(work->builder, work->rows->chunk, &heap, err));
    EACH_VALUE({
        bool known = len >= 1 && *p == 1;
        if (UNLIKELY(!known || !is_text(p + 1, len - 1))) {
            TRY(bad_value(work, row, WRONG_SIZE, err));
        } else {
            TRY(builder_view(work->builder, heap, p + 1 - work->bytes, len - 1, err));
        }
    });
}

static Status column_dates(const ColumnWork *work, Err *err)
{
    EACH_VALUE({
        if (UNLIKELY(len != 4)) {
            TRY(bad_value(work, row, WRONG_SIZE, err));
            continue;
        }
        int32_t days = read_int32(p);
        bool finite = days != DATE_INFINITY && days != DATE_NEG_INFINITY;
        if (finite && __builtin_add_overflow(days, EPOCH_DAYS, &days)) {
            TRY(bad_value(work, row, "the date is too far away", err));
        } else {
            TRY(builder_date(work->builder, days, err));
        }
    });
}

static Status column_timestamps(const ColumnWork *work, Err *err)
{
    EACH_VALUE({
        if (UNLIKELY(len != 8)) {
            TRY(bad_value(work, row, WRONG_SIZE, err));
            continue;
        }
        int64_t us = read_int64(p);
        bool finite = us != DATETIME_INFINITY && us != DATETIME_NEG_INFINITY;
        bool over = finite && __builtin_add_overflow(us, EPOCH_US, &us);
        if (over || (finite && us == DATETIME_INFINITY)) {
            TRY(bad_value(work, row, "the year is past 294246; select it as text", err));
        } else {
            TRY(builder_int64(work->builder, us, err));
        }
    });
}

static Status column_times(const ColumnWork *work, Err *err)
{
    EACH_VALUE({
        if (UNLIKELY(len != 8)) {
            TRY(bad_value(work, row, WRONG_SIZE, err));
            continue;
        }
        int64_t us = read_int64(p);
        if (us < 0 || us > DATETIME_DAY_US) TRY(bad_value(work, row, WRONG_SIZE, err));
        else TRY(builder_int64(work->builder, us, err));
    });
}

Status postgres_rows_column(const PostgresRows *rows, int32_t column, PostgresForm form,
                            Builder *builder, PostgresBads *bads, Err *err)
{
    static Status (*const DECODERS[])(const ColumnWork *, Err *) = {
        [POSTGRES_BOOL] = column_boolean,
        [POSTGRES_INT2] = column_int2,
        [POSTGRES_INT4] = column_int4,
        [POSTGRES_INT8] = column_int8,
        [POSTGRES_OID] = column_oid,
        [POSTGRES_FLOAT4] = column_float4,
        [POSTGRES_FLOAT8] = column_float8,
        [POSTGRES_NUMERIC] = column_decimal,
        [POSTGRES_TEXT] = column_texts,
        [POSTGRES_BYTES] = column_bytes,
        [POSTGRES_JSONB] = column_jsonb,
        [POSTGRES_DATE] = column_dates,
        [POSTGRES_TIME] = column_times,
        [POSTGRES_TIMESTAMP] = column_timestamps,
        [POSTGRES_INTERVAL] = column_intervals,
        [POSTGRES_UUID] = column_uuids,
    };
    if (rows->rows == 0) return OK;
    ColumnWork work = {
        .rows = rows,
        .bytes = (const char *)rows->chunk->data,
        .places = rows->places + column * rows->rows_max,
        .column = column,
        .form = form,
        .builder = builder,
        .bads = bads,
    };
    TRY(builder_reserve(builder, rows->rows, err));
    return DECODERS[form](&work, err);
}
