/* What the catalog says about a target table, and whether that is still what its plan rests on. */
#include "connect/postgres/postgres_look.h"

#include "connect/postgres/postgres_sink.h"
#include "connect/postgres/postgres_type.h"

#include "foundation/base/number.h"

/* pg_type's OIDs of what has a binary form of its own here. */
enum {
    OID_BOOL = 16,
    OID_BYTEA = 17,
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23,
    OID_TEXT = 25,
    OID_JSON = 114,
    OID_FLOAT4 = 700,
    OID_FLOAT8 = 701,
    OID_BPCHAR = 1042,
    OID_VARCHAR = 1043,
    OID_DATE = 1082,
    OID_TIME = 1083,
    OID_TIMESTAMP = 1114,
    OID_TIMESTAMPTZ = 1184,
    OID_INTERVAL = 1186,
    OID_NUMERIC = 1700,
    OID_UUID = 2950,
    OID_JSONB = 3802,
};

typedef struct KindOfType {
    int64_t oid;
    PostgresKind kind;
} KindOfType;

static const KindOfType KINDS[] = {
    {OID_BOOL, POSTGRES_KIND_BOOL},
    {OID_BYTEA, POSTGRES_KIND_BYTEA},
    {OID_INT8, POSTGRES_KIND_INT8},
    {OID_INT2, POSTGRES_KIND_INT2},
    {OID_INT4, POSTGRES_KIND_INT4},
    {OID_TEXT, POSTGRES_KIND_TEXT},
    {OID_JSON, POSTGRES_KIND_JSON},
    {OID_FLOAT4, POSTGRES_KIND_FLOAT4},
    {OID_FLOAT8, POSTGRES_KIND_FLOAT8},
    {OID_BPCHAR, POSTGRES_KIND_TEXT},
    {OID_VARCHAR, POSTGRES_KIND_TEXT},
    {OID_DATE, POSTGRES_KIND_DATE},
    {OID_TIME, POSTGRES_KIND_TIME},
    {OID_TIMESTAMP, POSTGRES_KIND_TIMESTAMP},
    {OID_TIMESTAMPTZ, POSTGRES_KIND_TIMESTAMPTZ},
    {OID_INTERVAL, POSTGRES_KIND_INTERVAL},
    {OID_NUMERIC, POSTGRES_KIND_NUMERIC},
    {OID_UUID, POSTGRES_KIND_UUID},
    {OID_JSONB, POSTGRES_KIND_JSONB},
};

/* ---- what a column takes ---- */

void postgres_look_kind(int64_t oid, char category, char typtype, PostgresColumn *column)
{
    column->kind = category == 'A' ? POSTGRES_KIND_ARRAY : POSTGRES_KIND_OTHER;
    if (typtype == 'e') {
        column->kind = POSTGRES_KIND_TEXT;
        column->checked = true;
    }
    for (int64_t i = 0; i < COUNT_OF(KINDS); i++) {
        if (KINDS[i].oid != oid) continue;
        column->kind = KINDS[i].kind;
        column->built_in = true;
    }
}

/* What the type's modifier says about the values that fit. */
static void apply_typmod(int64_t oid, int32_t typmod, PostgresColumn *column)
{
    column->fraction = 6;
    bool time = oid == OID_TIME || oid == OID_TIMESTAMP || oid == OID_TIMESTAMPTZ;
    if (typmod < 0) return;
    if (time && typmod < 6) column->fraction = typmod;
    if (oid == OID_INTERVAL && (typmod & 0xffff) < 6) column->fraction = typmod & 0xffff;
    if (oid == OID_BPCHAR || oid == OID_VARCHAR) column->limit = typmod - 4;
    if (oid != OID_NUMERIC) return;
    postgres_type_numeric(typmod, &column->precision, &column->scale);
    /* numeric(3,-2) and numeric(2,5) are left to the server. */
    if (column->scale >= 0 && column->scale <= column->precision) return;
    column->kind = POSTGRES_KIND_OTHER;
    column->precision = column->scale = 0;
}

bool postgres_look_is_cast(const PostgresColumn *column)
{
    return column->kind == POSTGRES_KIND_OTHER || column->kind == POSTGRES_KIND_ARRAY;
}

void postgres_look_finish(PostgresColumn *column, Str base)
{
    bool document = column->kind == POSTGRES_KIND_JSON || column->kind == POSTGRES_KIND_JSONB;
    column->checked = column->checked || document || postgres_look_is_cast(column);
    column->by_text = column->kind == POSTGRES_KIND_JSON || postgres_look_is_cast(column);
    column->stage = postgres_look_is_cast(column) ? STR("text") : base;
    bool narrow = column->precision <= DECIMAL_DIGITS_MAX;
    column->below = narrow ? (Uint128)decimal_power10(column->precision) : 0;
}

/* ---- looking ---- */

/* What a look asks for, in this order. */
enum {
    LOOK_OID,
    LOOK_TRIGGERS, /* BEFORE or INSTEAD OF, for each row */
    LOOK_REFERRED,
    LOOK_COPYABLE,
    LOOK_BARE,
    LOOK_RULED,
    LOOK_FOREIGN,
    LOOK_DEFERRABLE,
    LOOK_DIFFERS,
    LOOK_UNIQUE,
    LOOK_NAME, /* NULL where the table has no column */
    LOOK_NUMBER,
    LOOK_TYPE, /* of a domain, what it is over */
    LOOK_MODIFIER,
    LOOK_DECLARED,
    LOOK_BASE,
    LOOK_NOT_NULL,
    LOOK_GENERATED,
    LOOK_IDENTITY,
    LOOK_KIND, /* pg_type.typtype, and of the base */
    LOOK_BASE_CATEGORY,
    LOOK_BASE_KIND,
    LOOK_DEMANDED,  /* NOT NULL without a default */
    LOOK_COLLATION, /* in which texts that differ may be equal */
};

/* Of the table, its partitions and heirs. A unique index may be over fewer columns than the key. */
static const char LOOK[] =
    "WITH RECURSIVE tree AS (SELECT pg_catalog.to_regclass($1)::oid AS oid UNION"
    " SELECT i.inhrelid FROM tree JOIN pg_catalog.pg_inherits i ON i.inhparent = tree.oid)"
    " SELECT c.*, a.* FROM (SELECT c.oid, EXISTS (SELECT FROM pg_catalog.pg_trigger g"
    " WHERE g.tgrelid IN (SELECT oid FROM tree) AND NOT g.tgisinternal AND g.tgtype & 1 = 1"
    " AND g.tgtype & 66 <> 0),"
    " EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.confrelid = c.oid"
    " AND k.contype = 'f' AND k.conrelid <> c.oid),"
    " c.relkind IN ('r', 'p', 'f') AND NOT c.relhasrules"
    " AND NOT pg_catalog.row_security_active(c.oid),"
    " c.relkind = 'r' AND NOT c.relispartition AND NOT c.relhasindex AND NOT c.relhastriggers"
    " AND c.relchecks = 0 AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a"
    " WHERE a.attrelid = c.oid AND a.attgenerated <> ''),"
    " EXISTS (SELECT FROM pg_catalog.pg_rewrite w WHERE w.ev_class = c.oid"
    " AND w.ev_type IN ('2', '3')), c.relkind = 'f',"
    /* Its own, and those of the tables that its triggers, rules or view may write to. */
    " EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.condeferrable"
    " AND (k.conrelid IN (SELECT oid FROM tree) OR k.confrelid IN (SELECT oid FROM tree)"
    " OR c.relkind = 'v' OR c.relhasrules OR EXISTS (SELECT FROM pg_catalog.pg_trigger g"
    " WHERE g.tgrelid IN (SELECT oid FROM tree) AND NOT g.tgisinternal))),"
    " EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgrelid IN (SELECT oid FROM tree)"
    " AND NOT g.tgisinternal AND g.tgtype & 1 = 1 AND g.tgtype & 66 <> 0)"
    " OR EXISTS (SELECT FROM pg_catalog.pg_class p WHERE p.oid IN (SELECT oid FROM tree)"
    " AND p.relkind NOT IN ('r', 'p')) OR c.relhasrules"
    " OR pg_catalog.row_security_active(c.oid),"
    " (c.relkind = 'p' OR NOT c.relhassubclass) AND EXISTS (SELECT FROM pg_catalog.pg_index i"
    " WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL"
    " AND i.indexprs IS NULL AND NOT EXISTS (SELECT FROM"
    " unnest(i.indkey[0:i.indnkeyatts - 1]) AS k JOIN pg_catalog.pg_attribute a"
    " ON a.attrelid = i.indrelid AND a.attnum = k WHERE a.attname::text NOT IN"
    " (SELECT pg_catalog.json_array_elements_text($2::json))))"
    " FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass($1) OFFSET 0) AS c"
    " LEFT JOIN LATERAL (SELECT a.attname, a.attnum, b.oid,"
    " CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END,"
    " pg_catalog.format_type(a.atttypid, a.atttypmod), CASE WHEN t.typtype = 'd'"
    " THEN pg_catalog.format_type(t.typbasetype, t.typtypmod)"
    " ELSE pg_catalog.format_type(a.atttypid, a.atttypmod) END,"
    " a.attnotnull, a.attgenerated, a.attidentity, t.typtype, b.typcategory, b.typtype,"
    " a.attnotnull AND NOT a.atthasdef AND a.attidentity = '',"
    " (SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(o.collname)"
    " FROM pg_catalog.pg_collation o JOIN pg_catalog.pg_namespace n ON n.oid = o.collnamespace"
    " WHERE o.oid = a.attcollation AND NOT o.collisdeterministic)"
    " FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid"
    " JOIN pg_catalog.pg_type b"
    " ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END"
    " WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS a ON true"
    " ORDER BY a.attnum";

static int64_t cell_int64(const PGresult *look, int row, int column)
{
    int64_t value = 0;
    (void)number_parse_int64(postgres_db_text(look, row, column), &value);
    return value;
}

static bool cell_true(const PGresult *look, int row, int column)
{
    return str_eq(postgres_db_text(look, row, column), STR("t"));
}

static char cell_char(const PGresult *look, int row, int column)
{
    Str text = postgres_db_text(look, row, column);
    return text.len ? text.ptr[0] : 0;
}

bool postgres_look_column(const PGresult *look, int row, Str *ret_name)
{
    if (row >= PQntuples(look) || PQgetisnull(look, row, LOOK_NAME)) return false;
    *ret_name = postgres_db_text(look, row, LOOK_NAME);
    return true;
}

Status postgres_look(PostgresSink *self, Str table, PGresult **ret_look, Err *err)
{
    CLEANUP(buf_done) Buf name = buf_make(1 << 16);
    TRY(postgres_db_quote_table(&name, table, err));
    CLEANUP(buf_done) Buf key = buf_make(1 << 16);
    TRY(table_key_json(self->core.sink.req, &key, err));
    Str params[] = {buf_str(&name), buf_str(&key)};
    return postgres_db_query(self->session.db, LOOK, params, 2, ret_look, err);
}

/* Texts that differ may be one key: by the collation, or by a type of texts such as citext. */
static Status read_equality(PostgresTable *table, const PGresult *look, int row, Str base,
                            PostgresColumn *column, Err *err)
{
    Str collation = postgres_db_text(look, row, LOOK_COLLATION);
    bool text = cell_char(look, row, LOOK_BASE_CATEGORY) == 'S';
    if (text && column->kind == POSTGRES_KIND_OTHER) column->fold = base;
    if (!collation.len || postgres_look_is_cast(column)) return OK;
    return arena_printf(&table->arena, &column->stage, err, "%.*s COLLATE %.*s", STR_ARG(base),
                        STR_ARG(collation));
}

static Status read_column(PostgresTable *table, const PGresult *look, int row,
                          PostgresColumn *column, Err *err)
{
    Str base = STR_NULL;
    TRY(arena_copy(&table->arena, postgres_db_text(look, row, LOOK_DECLARED), &column->declared,
                   err));
    TRY(arena_copy(&table->arena, postgres_db_text(look, row, LOOK_BASE), &base, err));
    if (cell_char(look, row, LOOK_GENERATED)) {
        (void)err_set(err, ERR_SCHEMA, "column \"%.*s\" of \"%.*s\" is generated by the database",
                      STR_ARG(postgres_db_text(look, row, LOOK_NAME)),
                      STR_ARG(buf_str(&table->name)));
        return err_hint(err, "leave it out in a select");
    }
    int64_t oid = cell_int64(look, row, LOOK_TYPE);
    bool domain = cell_char(look, row, LOOK_KIND) == 'd';
    column->checked = domain;
    /* A domain over a domain is left to the server. */
    char kind = cell_char(look, row, LOOK_BASE_KIND);
    postgres_look_kind(kind == 'd' ? 0 : oid, cell_char(look, row, LOOK_BASE_CATEGORY), kind,
                       column);
    apply_typmod(oid, (int32_t)cell_int64(look, row, LOOK_MODIFIER), column);
    column->identity = cell_char(look, row, LOOK_IDENTITY) == 'a';
    column->no_null = cell_true(look, row, LOOK_NOT_NULL) && !cell_true(look, row, LOOK_TRIGGERS);
    postgres_look_finish(column, base);
    return read_equality(table, look, row, base, column, err);
}

Status postgres_look_read(PostgresTable *table, const PGresult *look, bool *found, Err *err)
{
    table->exists = PQntuples(look) > 0;
    table->referred = cell_true(look, 0, LOOK_REFERRED);
    table->cast = table->exists && !cell_true(look, 0, LOOK_COPYABLE);
    table->bare = cell_true(look, 0, LOOK_BARE) && !table->cast;
    table->ruled = cell_true(look, 0, LOOK_RULED);
    table->deferrable = cell_true(look, 0, LOOK_DEFERRABLE);
    table->foreign = cell_true(look, 0, LOOK_FOREIGN);
    table->differs = cell_true(look, 0, LOOK_DIFFERS);
    table->unique = !table->exists || cell_true(look, 0, LOOK_UNIQUE);
    for (int row = 0; row < PQntuples(look); row++) {
        Str name = postgres_db_text(look, row, LOOK_NAME);
        int32_t field = name.ptr ? schema_find(table->schema, name) : -1;
        if (field < 0 && cell_true(look, row, LOOK_DEMANDED)) table->bare = false;
        if (field < 0) continue;
        found[field] = true;
        TRY(read_column(table, look, row, &table->columns[field], err));
    }
    return OK;
}

/* ---- comparing ---- */

bool postgres_look_same(const PGresult *one, const PGresult *other)
{
    if (PQntuples(one) != PQntuples(other)) return false;
    for (int row = 0; row < PQntuples(one); row++) {
        for (int column = 0; column < PQnfields(one); column++) {
            Str a = postgres_db_text(one, row, column), b = postgres_db_text(other, row, column);
            if (!str_eq(a, b) || !a.ptr != !b.ptr) return false;
        }
    }
    return true;
}

static int find_row(const PGresult *look, Str name)
{
    for (int row = 0; row < PQntuples(look); row++) {
        if (str_eq(postgres_db_text(look, row, LOOK_NAME), name)) return row;
    }
    return -1;
}

Status postgres_look_change(const PGresult *before, const PGresult *now, const Schema *schema,
                            Buf *out, Err *err)
{
    bool was = PQntuples(before) > 0, is = PQntuples(now) > 0;
    if (was != is) return buf_append(out, was ? STR("it is gone") : STR("it was created"), err);
    for (int32_t i = 0; i < schema->count; i++) {
        Str name = schema->fields[i].name;
        int a = find_row(before, name), b = find_row(now, name);
        Str from = a < 0 ? STR("not there") : postgres_db_text(before, a, LOOK_DECLARED);
        Str to = b < 0 ? STR("gone") : postgres_db_text(now, b, LOOK_DECLARED);
        if ((a < 0 && b < 0) || str_eq(from, to)) continue;
        return buf_printf(out, err, "column \"%.*s\" was %.*s and is %.*s now", STR_ARG(name),
                          STR_ARG(from), STR_ARG(to));
    }
    return buf_append(out, STR("a column, constraint, trigger or rule of it"), err);
}

Status postgres_look_native(PostgresSink *self, PostgresTable *table, Str native,
                            PostgresColumn *column, bool *ret_has, Err *err)
{
    static const char TYPE[] =
        "SELECT b.oid, b.typcategory, b.typtype, t.typtype, CASE WHEN t.typtype = 'd'"
        " THEN pg_catalog.format_type(t.typbasetype, t.typtypmod) ELSE $1 END"
        " FROM pg_catalog.pg_type t JOIN pg_catalog.pg_type b"
        " ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END"
        " WHERE t.oid = pg_catalog.to_regtype($1)";
    CLEANUP(postgres_db_clear_p) PGresult *type = NULL;
    CLEANUP(postgres_db_clear_p) PGresult *described = NULL;
    CLEANUP(buf_done) Buf sql = buf_make(1 << 12);
    Arena *arena = &table->arena;
    Str base = STR_NULL;
    *column = (PostgresColumn){0};
    TRY(postgres_db_query(self->session.db, TYPE, &native, 1, &type, err));
    *ret_has = PQntuples(type) == 1;
    if (!*ret_has) return OK;
    TRY(buf_printf(&sql, err, "SELECT NULL::%.*s", STR_ARG(native)));
    TRY(buf_terminate(&sql, err));
    TRY(postgres_db_describe(self->session.db, sql.data, &described, err));
    TRY(arena_copy(arena, native, &column->declared, err));
    TRY(arena_copy(arena, postgres_db_text(type, 0, 4), &base, err));
    char kind = cell_char(type, 0, 2);
    int64_t oid = cell_int64(type, 0, 0);
    column->checked = cell_char(type, 0, 3) == 'd';
    postgres_look_kind(kind == 'd' ? 0 : oid, cell_char(type, 0, 1), kind, column);
    apply_typmod(oid, PQfmod(described, 0), column);
    postgres_look_finish(column, base);
    return OK;
}

Status postgres_look_new(PostgresSink *self, PostgresColumn *column, Err *err)
{
    CLEANUP(postgres_db_clear_p) PGresult *result = NULL;
    TRY(postgres_db_query(self->session.db,
                          "SELECT t.oid, t.typcategory, t.typtype FROM pg_catalog.pg_type t"
                          " WHERE t.oid = pg_catalog.to_regtype($1)",
                          &column->declared, 1, &result, err));
    postgres_look_kind(cell_int64(result, 0, 0), cell_char(result, 0, 1), cell_char(result, 0, 2),
                       column);
    column->fraction = 6;
    return OK;
}
