/* The one table of PostgreSQL's types: ours, and how their values travel in binary COPY. */
#ifndef NEURON_POSTGRES_TYPE_H
#define NEURON_POSTGRES_TYPE_H

#include "engine/column/type.h"

/* SourceInfo.wire: rows of binary COPY, without its header and trailer. */
#define POSTGRES_WIRE "postgresql copy"

/* Field.native_of: the word is format_type's. */
#define POSTGRES_NATIVE "postgresql"

/* The layout of a value's bytes in binary COPY; all numbers big-endian. */
typedef enum PostgresForm {
    POSTGRES_BOOL,      /* 1 byte */
    POSTGRES_INT2,      /* 2 bytes */
    POSTGRES_INT4,      /* 4 bytes */
    POSTGRES_INT8,      /* 8 bytes */
    POSTGRES_OID,       /* 4 bytes, unsigned */
    POSTGRES_FLOAT4,    /* IEEE 754 */
    POSTGRES_FLOAT8,    /* IEEE 754 */
    POSTGRES_NUMERIC,   /* int16 ndigits, weight, sign, dscale, then digits of base 10000 */
    POSTGRES_TEXT,      /* UTF-8: text, varchar, char(n), name, json, enums */
    POSTGRES_BYTES,     /* as they are */
    POSTGRES_JSONB,     /* a version byte (1), then text */
    POSTGRES_DATE,      /* int32 days since 2000-01-01; INT32_MIN/MAX: infinities */
    POSTGRES_TIME,      /* int64 microseconds since midnight, 24:00 included */
    POSTGRES_TIMESTAMP, /* int64 microseconds since 2000-01-01; INT64_MIN/MAX: infinities */
    POSTGRES_INTERVAL,  /* int64 microseconds, int32 days, int32 months */
    POSTGRES_UUID,      /* 16 bytes */
} PostgresForm;

/* What is put around a column so that its value travels without loss. */
typedef enum PostgresCast {
    POSTGRES_AS_IS,
    POSTGRES_AS_TEXT,    /* column::text */
    POSTGRES_AS_OUTPUT,  /* the output function's text (inet::text would add a mask) */
    POSTGRES_AS_NUMERIC, /* column::numeric: money, whose text depends on the locale */
    POSTGRES_AS_JSON,    /* to_json(column)::text: arrays */
} PostgresCast;

typedef struct PostgresType {
    uint32_t oid;
    const char *name;  /* of pg_type */
    TypeId type;       /* ours */
    PostgresForm form; /* of the values that arrive when it is read with `read` around it */
    PostgresCast read;
    bool encodable; /* `form` is the type's own binary form: binary COPY … FROM may write it */
} PostgresType;

/* By OID (pg_type.oid); NULL for types that are not built in, and for those that are read as text
 * anyway. */
const PostgresType *postgres_type_find(uint32_t oid);

/* Of a type that the table doesn't have: `typtype` and `typcategory` as in pg_type. Enums are text,
 * arrays JSON, all else the text of ::text. */
PostgresType postgres_type_other(uint32_t oid, char typtype, char typcategory);

/* numeric's typmod: digits and digits after the point (0, 0 when there is none). */
void postgres_type_numeric(int32_t typmod, int32_t *ret_precision, int32_t *ret_scale);

/* The type for a new column that holds our type ("bigint", "timestamptz", …). DYNAMIC is text. */
const char *postgres_type_of(TypeId type);

#endif
