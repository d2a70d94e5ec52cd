/* The closed set of column types, fields and schemas. */
#ifndef NEURON_TYPE_H
#define NEURON_TYPE_H

#include "foundation/base/arena.h"

typedef enum TypeId {
#define TYPE(name, text, arrow, width) TYPE_##name,
#include "engine/column/type.def"
#undef TYPE
    TYPE_COUNT
} TypeId;

/* One column's description. Texts live as long as the schema. */
/* Field.native of texts that are strings of JSON: in a column of JSON they stay that. */
#define JSON_STRING_NATIVE "json string"

typedef struct Field {
    Str name;
    TypeId type;
    bool not_null;     /* the source promises no NULL */
    int32_t precision; /* NUMERIC: declared digits, 0: none declared */
    int32_t scale;     /* NUMERIC with a precision: digits after the point */
    Str native; /* the source's own word for the type ("int4", "VARCHAR(20)"), may be empty */
    const char *native_of; /* the kind of database whose word it is (static text); NULL: none's */
    bool no_values;        /* the source saw no value: TEXT only because nothing says otherwise */
    bool spread;           /* JSON object whose members stand for columns (only in open schemas) */
    const Str *spread_except; /* members not to write, `spread_except_count` of them */
    int32_t spread_except_count;
} Field;

/* An ordered list of fields; shared, counted, immutable once shared.
 *
 * An *open* schema describes rows that are JSON objects: field 0 is `spread`, TYPE_JSON, and holds
 * each row's object as it was read (its text); the fields after it are the paths that somebody
 * asked for, named by their canonical path text (json_path_format), TYPE_DYNAMIC. Names that begin
 * with @ are metadata of the message (@topic, @partition, @offset, @key, @timestamp, @headers,
 * @key_bytes). */
typedef struct Schema {
    _Atomic int32_t refs;
    int32_t count;
    Field *fields;
    bool open;
    Arena arena;
} Schema;

/* A new schema with copies of `fields` (texts too). */
MUST_USE Status schema_new(const Field *fields, int32_t count, bool open, Schema **ret_schema,
                           Err *err);
Schema *schema_ref(const Schema *schema);
void schema_unref(Schema *schema);
static inline void schema_unref_p(Schema **p)
{
    schema_unref(*p);
    *p = NULL;
}
/* Index of a field by name (exact); -1 when absent. */
int32_t schema_find(const Schema *schema, Str name);
/* The same as people write names: exact, or the only one that differs in case alone. -1: none, -2:
 * several. */
int32_t schema_find_written(const Schema *schema, Str name);
/* The name nearest to a mistyped one, or STR_NULL. */
Str schema_nearest(const Schema *schema, Str name);
/* Same names and types in the same order. */
bool schema_eq(const Schema *a, const Schema *b);

const char *type_name(TypeId type);
/* By our names and PostgreSQL's aliases (int, integer, int8, bigint, float8, double precision,
 * varchar(n), numeric(p,s), timestamptz, "timestamp with time zone", bool, bytea …), ASCII case is
 * free. false when unknown. `ret_precision`/`ret_scale`: of numeric(p,s); else 0. */
bool type_parse(Str text, TypeId *ret_type, int32_t *ret_precision, int32_t *ret_scale);
/* Bytes of one value in `data`; 0 for BOOL (bits), 1 for DYNAMIC (the tag). */
int32_t type_width(TypeId type);
/* TEXT, BYTES, JSON: values are TextView. */
/* A date or a moment. */
static inline bool type_has_date(TypeId type)
{
    return type == TYPE_DATE || type == TYPE_TIMESTAMP || type == TYPE_TIMESTAMPTZ;
}

static inline bool type_is_view(TypeId type)
{
    return type == TYPE_TEXT || type == TYPE_BYTES || type == TYPE_JSON;
}

#endif
