/* Columns of batches into rows of binary COPY, each value in the form of the target's type. */
#ifndef NEURON_POSTGRES_ENCODE_H
#define NEURON_POSTGRES_ENCODE_H

#include "engine/column/batch.h"
#include "foundation/base/buf.h"
#include "foundation/codec/timezone.h"

/* What a target column takes. */
typedef enum PostgresKind {
    POSTGRES_KIND_BOOL,
    POSTGRES_KIND_INT2,
    POSTGRES_KIND_INT4,
    POSTGRES_KIND_INT8,
    POSTGRES_KIND_FLOAT4,
    POSTGRES_KIND_FLOAT8,
    POSTGRES_KIND_NUMERIC,
    POSTGRES_KIND_TEXT, /* text, varchar(n), char(n), enumerations, xml */
    POSTGRES_KIND_BYTEA,
    POSTGRES_KIND_JSON,
    POSTGRES_KIND_JSONB,
    POSTGRES_KIND_DATE,
    POSTGRES_KIND_TIME,
    POSTGRES_KIND_TIMESTAMP,
    POSTGRES_KIND_TIMESTAMPTZ,
    POSTGRES_KIND_INTERVAL,
    POSTGRES_KIND_UUID,
    POSTGRES_KIND_ARRAY, /* staged as text: the literal of an array; the server casts it */
    POSTGRES_KIND_OTHER, /* staged as text; the server casts it */
} PostgresKind;

/* How the values of one field get into it. */
typedef enum PostgresRoute {
    POSTGRES_ROUTE_NONE,    /* not at all: the plan says so */
    POSTGRES_ROUTE_SAME,    /* the same type: a copy of bytes */
    POSTGRES_ROUTE_CHECKED, /* looked at value by value; what would change is refused */
    POSTGRES_ROUTE_LOSSY,   /* as CHECKED, but something is lost on the way, which the plan names */
} PostgresRoute;

/* One target column. Texts live in the table's arena. */
typedef struct PostgresColumn {
    PostgresKind kind;
    PostgresRoute route;
    Str declared;         /* the column's type as PostgreSQL writes it */
    Str stage;            /* type of the stage's column */
    Str fold;             /* SqlColumn.fold */
    const Timezone *zone; /* of times without a zone, beside those with one; NULL: UTC */
    int32_t limit;        /* TEXT: characters it holds, 0: any number */
    int32_t precision;    /* NUMERIC: digits, 0: any number */
    int32_t scale;        /* NUMERIC with a precision */
    Uint128 below; /* … of up to 38 digits: its numbers of that scale are below this, 0: unknown */
    int32_t fraction;  /* times: digits of a second, 0 … 6 */
    bool checked;      /* the server may refuse a value that the encoder takes (domain, enum …) */
    bool by_text;      /* has no equality of its own: compared by its text */
    bool no_null;      /* refuse NULL here: the server would */
    bool built_in;     /* of a type with a form of its own here, not a domain or an enumeration */
    bool identity;     /* GENERATED ALWAYS AS IDENTITY */
    bool json_strings; /* of JSON: texts are its strings, not documents */
} PostgresColumn;

/* The value becomes a moment of a time without a zone, or the other way round. */
static inline bool postgres_route_uses_zone(TypeId from, const PostgresColumn *to)
{
    if (from == TYPE_TIMESTAMPTZ) return to->kind == POSTGRES_KIND_TIMESTAMP;
    return (from == TYPE_TIMESTAMP || from == TYPE_DATE) && to->kind == POSTGRES_KIND_TIMESTAMPTZ;
}
/* How a field of that type gets into the column. `ret_note` (static text, may be empty) is what the
 * plan says about it; where the zone is used, its name follows. */
PostgresRoute postgres_route(TypeId from, const PostgresColumn *to, const char **ret_note);

/* Encodes cell after cell. One thread. `reason` is set (static text) and nothing was appended where
 * the column can't hold the value without changing it. */
typedef struct PostgresEncoder {
    Buf *out;
    Buf scratch;
    Buf cells; /* of postgres_encode_rows */
    const char *reason;
    const char *sqlstate; /* of the reason */
} PostgresEncoder;

MUST_USE Status postgres_encode(PostgresEncoder *encoder, const PostgresColumn *to,
                                const Column *column, int64_t row, Err *err);
/* The values whose type is the column's own (POSTGRES_ROUTE_SAME); none is NULL. */
MUST_USE Status postgres_encode_same(PostgresEncoder *encoder, const PostgresColumn *to,
                                     const Column *column, int64_t row, Err *err);
/* The others. */
MUST_USE Status postgres_encode_checked(PostgresEncoder *encoder, const PostgresColumn *to,
                                        const Column *column, int64_t row, Err *err);
/* value * 10^-scale as the numeric column holds it, or a reason. */
MUST_USE Status postgres_encode_numeric(PostgresEncoder *encoder, const PostgresColumn *to,
                                        Decimal value, Err *err);
/* From a decimal's text of any length: [-]digits[.digits], NaN, Infinity, -Infinity. */
MUST_USE Status postgres_encode_numeric_text(PostgresEncoder *encoder, const PostgresColumn *to,
                                             Str text, Err *err);
/* The literal of a PostgreSQL array ({1,2,NULL}) from a JSON array; *ret_ok false: it is none. */
MUST_USE Status postgres_array_literal(Str json, Buf *out, bool *ret_ok, Err *err);

/* What stands in front of a row's fields: where they are staged, neuron_ord (from `first` on) and
 * neuron_row. */
typedef struct PostgresRowHead {
    bool staged;
    int64_t first;
} PostgresRowHead;

/* All rows of the batch, and where each ends in `out`. *ret_done false, and nothing appended, where
 * one holds a value that is refused: row by row then says which, and why. */
MUST_USE Status postgres_encode_rows(PostgresEncoder *encoder, const PostgresColumn *columns,
                                     const Batch *batch, const PostgresRowHead *head, int64_t *ends,
                                     bool *ret_done, Err *err);

/* Big-endian stores; return the place after it. */
static inline char *postgres_put16(char *to, int32_t value)
{
    uint16_t swapped = __builtin_bswap16((uint16_t)value);
    memcpy(to, &swapped, 2);
    return to + 2;
}
static inline char *postgres_put32(char *to, int32_t value)
{
    uint32_t swapped = __builtin_bswap32((uint32_t)value);
    memcpy(to, &swapped, 4);
    return to + 4;
}
static inline char *postgres_put64(char *to, int64_t value)
{
    uint64_t swapped = __builtin_bswap64((uint64_t)value);
    memcpy(to, &swapped, 8);
    return to + 8;
}

/* A value of `count` bytes with its length in front. */
MUST_USE static inline Status postgres_put_bytes(Buf *out, const void *bytes, int64_t count,
                                                 Err *err)
{
    TRY(buf_reserve(out, count + 4, err));
    char *at = postgres_put32(out->data + out->len, (int32_t)count);
    if (count) memcpy(at, bytes, (size_t)count);
    out->len += count + 4;
    return OK;
}
MUST_USE static inline Status postgres_put_null(Buf *out, Err *err)
{
    TRY(buf_reserve(out, 4, err));
    (void)postgres_put32(out->data + out->len, -1);
    out->len += 4;
    return OK;
}
MUST_USE static inline Status postgres_put_int32(Buf *out, int32_t value, Err *err)
{
    TRY(buf_reserve(out, 8, err));
    (void)postgres_put32(postgres_put32(out->data + out->len, 4), value);
    out->len += 8;
    return OK;
}
MUST_USE static inline Status postgres_put_int64(Buf *out, int64_t value, Err *err)
{
    TRY(buf_reserve(out, 12, err));
    (void)postgres_put64(postgres_put32(out->data + out->len, 8), value);
    out->len += 12;
    return OK;
}

/* PostgreSQL counts from 2000-01-01. */
#define POSTGRES_EPOCH_US INT64_C(946684800000000)
enum { POSTGRES_EPOCH_DAYS = 10957 };

/* As PostgreSQL counts it; *good becomes false outside of what it holds. */
static inline int32_t postgres_date(int32_t days, bool *good)
{
    if (UNLIKELY(days == DATE_INFINITY || days == DATE_NEG_INFINITY)) return days;
    int64_t there = (int64_t)days - POSTGRES_EPOCH_DAYS;
    *good &= there >= -2451545 && there < 2145031949;
    return (int32_t)there;
}
static inline int64_t postgres_timestamp(int64_t us, bool *good)
{
    if (UNLIKELY(us == DATETIME_INFINITY || us == DATETIME_NEG_INFINITY)) return us;
    int64_t there = 0;
    bool overflow = __builtin_sub_overflow(us, POSTGRES_EPOCH_US, &there);
    *good &= !overflow && there >= INT64_C(-211813488000000000);
    return there;
}

#endif
