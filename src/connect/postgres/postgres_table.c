/* Target tables in PostgreSQL: looked at, created, given new columns. */
#include "connect/postgres/postgres_sink.h"
#include "connect/postgres/postgres_type.h"
#include "foundation/base/mem.h"
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

void postgres_table_done(PostgresTable *table)
{
    schema_unref(table->schema);
    buf_done(&table->name);
    mem_free(table->new_columns);
    mem_free(table->columns);
    arena_done(&table->arena);
    *table = (PostgresTable){
        .name = buf_make(4096), .arena = arena_make(16 << 20), .prefix = table->prefix};
}

/* ---- what a column takes ---- */

static void kind_of(int64_t oid, char category, char typtype, PostgresColumn *column)
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

static bool is_cast(const PostgresColumn *column)
{
    return column->kind == POSTGRES_KIND_OTHER || column->kind == POSTGRES_KIND_ARRAY;
}

static void finish_column(PostgresColumn *column, Str base)
{
    bool document = column->kind == POSTGRES_KIND_JSON || column->kind == POSTGRES_KIND_JSONB;
    column->checked = column->checked || document || is_cast(column);
    column->by_text = column->kind == POSTGRES_KIND_JSON || is_cast(column);
    column->stage = is_cast(column) ? STR("text") : base;
    bool narrow = column->precision <= DECIMAL_DIGITS_MAX;
    column->below = narrow ? (Uint128)decimal_power10(column->precision) : 0;
}

/* ---- looking ---- */

static const char INSPECT_TABLE[] =
    "SELECT c.oid, EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = c.oid AND NOT g.tgisinternal"
    " AND g.tgtype & 3 = 3), EXISTS (SELECT FROM pg_constraint k WHERE k.confrelid = c.oid"
    " AND k.contype = 'f' AND k.conrelid <> c.oid),"
    " c.relkind IN ('r', 'p', 'f') AND NOT c.relhasrules AND NOT row_security_active(c.oid),"
    " c.relkind = 'r' AND NOT c.relispartition AND NOT c.relhasindex AND NOT c.relhastriggers"
    " AND c.relchecks = 0 AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid"
    " AND a.attgenerated <> ''),"
    " EXISTS (SELECT FROM pg_rewrite w WHERE w.ev_class = c.oid AND w.ev_type IN ('2', '3'))"
    " FROM pg_class c WHERE c.oid = to_regclass($1)";

static const char INSPECT_COLUMNS[] =
    "SELECT a.attname, b.oid, CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END,"
    " format_type(a.atttypid, a.atttypmod),"
    " CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod)"
    " ELSE format_type(a.atttypid, a.atttypmod) END,"
    " a.attnotnull, a.attgenerated, a.attidentity, t.typtype, b.typcategory, b.typtype,"
    " a.attnotnull AND NOT a.atthasdef AND a.attidentity = ''"
    " FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid"
    " JOIN pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END"
    " WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";

static int64_t result_int64(const PGresult *result, int row, int column)
{
    int64_t value = 0;
    (void)number_parse_int64(postgres_db_text(result, row, column), &value);
    return value;
}

static bool result_true(const PGresult *result, int row, int column)
{
    return str_eq(postgres_db_text(result, row, column), STR("t"));
}

static char result_char(const PGresult *result, int row, int column)
{
    Str text = postgres_db_text(result, row, column);
    return text.len ? text.ptr[0] : 0;
}

static Status read_column(PostgresTable *table, const PGresult *result, int row, bool triggers,
                          PostgresColumn *column, Err *err)
{
    Str base = STR_NULL;
    TRY(arena_copy(&table->arena, postgres_db_text(result, row, 3), &column->declared, err));
    TRY(arena_copy(&table->arena, postgres_db_text(result, row, 4), &base, err));
    if (result_char(result, row, 6)) {
        (void)err_set(err, ERR_SCHEMA, "column «%.*s» of «%.*s» is generated by the database",
                      STR_ARG(postgres_db_text(result, row, 0)), STR_ARG(buf_str(&table->name)));
        return err_hint(err, "leave it out in a select");
    }
    int64_t oid = result_int64(result, row, 1);
    char typtype = result_char(result, row, 10);
    column->checked = result_char(result, row, 8) == 'd';
    /* A domain over a domain is left to the server. */
    kind_of(typtype == 'd' ? 0 : oid, result_char(result, row, 9), typtype, column);
    apply_typmod(oid, (int32_t)result_int64(result, row, 2), column);
    column->identity = result_char(result, row, 7) == 'a';
    column->no_null = result_true(result, row, 5) && !triggers;
    finish_column(column, base);
    return OK;
}

static Status inspect_columns(PostgresSink *self, PostgresTable *table, Str oid, bool triggers,
                              bool *found, Err *err)
{
    CLEANUP(postgres_db_clear_p) PGresult *result = NULL;
    TRY(postgres_db_query(self->db, INSPECT_COLUMNS, &oid, 1, &result, err));
    for (int row = 0; row < PQntuples(result); row++) {
        int32_t field = schema_find(table->schema, postgres_db_text(result, row, 0));
        if (field < 0 && result_true(result, row, 11)) table->bare = false;
        if (field < 0) continue;
        found[field] = true;
        TRY(read_column(table, result, row, triggers, &table->columns[field], err));
    }
    return OK;
}

static Status inspect_table(PostgresSink *self, PostgresTable *table, bool *found, Err *err)
{
    CLEANUP(buf_done) Buf name = buf_make(1 << 16);
    TRY(postgres_db_quote_table(&name, buf_str(&table->name), err));
    Str quoted = buf_str(&name);
    CLEANUP(postgres_db_clear_p) PGresult *result = NULL;
    TRY(postgres_db_query(self->db, INSPECT_TABLE, &quoted, 1, &result, err));
    table->exists = PQntuples(result) > 0;
    if (!table->exists) return OK;
    table->referred = result_true(result, 0, 2);
    table->cast = !result_true(result, 0, 3);
    table->bare = result_true(result, 0, 4) && !table->cast;
    table->ruled = result_true(result, 0, 5);
    return inspect_columns(self, table, postgres_db_text(result, 0, 0), result_true(result, 0, 1),
                           found, err);
}

/* ---- new columns ---- */

/* PostgreSQL's own word for a type may stand in DDL as it is only when it is made of harmless
 * characters. */
static bool native_is_plain(Str native)
{
    for (int64_t i = 0; i < native.len; i++) {
        char c = native.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || c == '_' || c == ' ';
        bool other = (c >= '0' && c <= '9') || (c && strchr("()[],", c));
        if (!letter && !other) return false;
    }
    return native.len > 0 && native.len < 64;
}

/* Types that ours don't tell apart; a new column keeps the one of the source. */
static bool native_is_kept(const Field *field)
{
    static const char *const NAMES[] = {"jsonb",     "json",      "inet",
                                        "cidr",      "macaddr",   "macaddr8",
                                        "xml",       "timetz",    "time with time zone",
                                        "tsvector",  "tsquery",   "int4range",
                                        "int8range", "numrange",  "tsrange",
                                        "tstzrange", "daterange", "point",
                                        "line",      "lseg",      "box",
                                        "path",      "polygon",   "circle",
                                        "pg_lsn",    "varbit",    "bit varying",
                                        "jsonpath"};
    if (!native_is_plain(field->native)) return false;
    if (str_ends(field->native, STR("[]"))) return true;
    for (int64_t i = 0; i < COUNT_OF(NAMES); i++) {
        if (str_eq(field->native, str_from(NAMES[i]))) return true;
    }
    return str_starts(field->native, STR("bit("));
}

static bool declared_has(Str declared, const char *part)
{
    Str needle = str_from(part);
    for (int64_t i = 0; i + needle.len <= declared.len; i++) {
        if (str_eq_nocase(str_slice(declared, i, i + needle.len), needle)) return true;
    }
    return false;
}

/* Values of many types in one column (SQLite's): what it was declared as there. */
static const char *type_of_dynamic(Str declared)
{
    static const char *const WORDS[][2] = {
        {"BOOL", "boolean"},
        {"TIMESTAMPTZ", "timestamptz"},
        {"TIMESTAMP", "timestamp"},
        {"DATETIME", "timestamp"},
        {"DATE", "date"},
        {"TIME", "time"},
        {"INT", "bigint"},
        {"UUID", "uuid"},
        {"JSON", "jsonb"},
        {"CHAR", "text"},
        {"CLOB", "text"},
        {"TEXT", "text"},
        {"DECIMAL", "numeric"},
        {"NUMERIC", "numeric"},
        {"BLOB", "bytea"},
        {"REAL", "double precision"},
        {"FLOA", "double precision"},
        {"DOUB", "double precision"},
    };
    for (int64_t i = 0; i < COUNT_OF(WORDS); i++) {
        if (declared_has(declared, WORDS[i][0])) return WORDS[i][1];
    }
    return "jsonb";
}

static Status new_type(PostgresTable *table, const Field *field, Str *ret_type, Err *err)
{
    bool other = field->type == TYPE_TEXT || field->type == TYPE_JSON;
    if (other && native_is_kept(field))
        return arena_copy(&table->arena, field->native, ret_type, err);
    if (field->type == TYPE_NUMERIC && field->precision > 0 && field->scale >= 0) {
        return arena_printf(&table->arena, ret_type, err, "numeric(%d,%d)", field->precision,
                            field->scale);
    }
    *ret_type = str_from(field->type == TYPE_DYNAMIC ? type_of_dynamic(field->native)
                                                     : postgres_type_of(field->type));
    return OK;
}

static Status new_column(PostgresSink *self, PostgresTable *table, int32_t i, Err *err)
{
    PostgresColumn *column = &table->columns[i];
    const Field *field = &table->schema->fields[i];
    TRY(new_type(table, field, &column->declared, err));
    table->new_columns[table->new_count++] = i;
    /* The server knows what its words mean. */
    CLEANUP(postgres_db_clear_p) PGresult *result = NULL;
    TRY(postgres_db_query(self->db,
                          "SELECT t.oid, t.typcategory, t.typtype FROM pg_type t WHERE t.oid ="
                          " to_regtype(regexp_replace($1, '\\(.*\\)', ''))",
                          &column->declared, 1, &result, err));
    kind_of(result_int64(result, 0, 0), result_char(result, 0, 1), result_char(result, 0, 2),
            column);
    column->fraction = 6;
    if (field->type == TYPE_NUMERIC && column->kind == POSTGRES_KIND_NUMERIC &&
        field->precision > 0 && field->scale >= 0) {
        column->precision = field->precision;
        column->scale = field->scale;
    }
    finish_column(column, column->declared);
    return OK;
}

/* ---- together ---- */

static Status table_missing(Str name, Err *err)
{
    (void)err_set(err, ERR_SCHEMA, "no table «%.*s» in the target, and `create: false`",
                  STR_ARG(name));
    return err_hint(err, "create it, or allow it with `create: true`");
}

static Status column_missing(Str name, Str column, Err *err)
{
    (void)err_set(err, ERR_SCHEMA, "table «%.*s» has no column «%.*s», and `evolve: false`",
                  STR_ARG(name), STR_ARG(column));
    return err_hint(err, "add the column, leave it out in a select, or allow `evolve: true`");
}

static Status find_route(PostgresTable *table, int32_t i, Err *err)
{
    const char *note;
    PostgresColumn *column = &table->columns[i];
    const Field *field = &table->schema->fields[i];
    column->route = postgres_route(field->type, column, &note);
    table->checked = table->checked || column->checked;
    table->cast = table->cast || is_cast(column);
    if (column->route != POSTGRES_ROUTE_NONE) return OK;
    (void)err_set(err, ERR_SCHEMA,
                  "column «%.*s»: %s can't be put into %.*s of «%.*s» without loss",
                  STR_ARG(field->name), type_name(field->type), STR_ARG(column->declared),
                  STR_ARG(buf_str(&table->name)));
    return err_hint(err, "cast it in a select, e.g. `\"%.*s\"::text`", STR_ARG(field->name));
}

static Status inspect(PostgresSink *self, PostgresTable *table, bool create, bool evolve,
                      bool *found, Err *err)
{
    Str name = buf_str(&table->name);
    TRY(inspect_table(self, table, found, err));
    /* A server that can't write every character refuses some. */
    const char *encoding = PQparameterStatus(postgres_db_conn(self->db), "server_encoding");
    table->checked = encoding && strcmp(encoding, "UTF8") != 0;
    if (!table->exists && !create) return table_missing(name, err);
    for (int32_t i = 0; i < table->schema->count; i++) {
        if (!found[i]) TRY(new_column(self, table, i, err));
        if (!found[i] && table->exists && !evolve) {
            return column_missing(name, table->schema->fields[i].name, err);
        }
        TRY(find_route(table, i, err));
    }
    return OK;
}

Status postgres_table_inspect(PostgresSink *self, PostgresTable *table, Str name,
                              const Schema *schema, bool create, bool evolve, Err *err)
{
    postgres_table_done(table);
    table->schema = schema_ref(schema);
    TRY(buf_append(&table->name, name, err));
    table->columns = mem_array(schema->count, (int64_t)sizeof *table->columns);
    table->new_columns = mem_array(schema->count, (int64_t)sizeof *table->new_columns);
    bool *found = mem_array(schema->count, (int64_t)sizeof *found);
    Status status = table->columns && table->new_columns && found ? OK : err_memory(err);
    if (status == OK) status = inspect(self, table, create, evolve, found, err);
    mem_free(found);
    return status;
}

/* ---- DDL ---- */

static bool is_key(const PostgresSink *self, const PostgresTable *table, Str name)
{
    if (table != &self->out) return false;
    for (int32_t i = 0; i < self->sink.req->key_count; i++) {
        if (str_eq(self->sink.req->key[i], name)) return true;
    }
    return false;
}

Status postgres_table_names(const PostgresTable *table, const char *prefix, Buf *sql, Err *err)
{
    for (int32_t i = 0; i < table->schema->count; i++) {
        if (i) TRY(buf_append(sql, STR(", "), err));
        TRY(buf_append(sql, str_from(prefix), err));
        TRY(postgres_db_quote(sql, table->schema->fields[i].name, err));
    }
    return OK;
}

/* PRIMARY KEY over the key columns; of the reject table, what names a row. */
static Status primary_key(const PostgresSink *self, const PostgresTable *table, Buf *sql, Err *err)
{
    if (table->prefix == POSTGRES_PREFIX_REJECT) {
        return buf_append(sql, STR(", PRIMARY KEY (run_id, seq, \"row\")"), err);
    }
    const SinkReq *req = self->sink.req;
    for (int32_t i = 0; i < req->key_count; i++) {
        TRY(buf_append(sql, i ? STR(", ") : STR(", PRIMARY KEY ("), err));
        TRY(postgres_db_quote(sql, req->key[i], err));
    }
    return req->key_count ? buf_append_char(sql, ')', err) : OK;
}

static Status create_table(const PostgresSink *self, const PostgresTable *table, Buf *sql, Err *err)
{
    TRY(buf_append(sql, STR("CREATE TABLE "), err));
    TRY(postgres_db_quote_table(sql, buf_str(&table->name), err));
    TRY(buf_append(sql, STR(" ("), err));
    if (table->prefix == POSTGRES_PREFIX_REJECT) {
        TRY(buf_append(sql, STR("run_id text NOT NULL, seq bigint NOT NULL, "), err));
    }
    for (int32_t i = 0; i < table->schema->count; i++) {
        const Field *field = &table->schema->fields[i];
        if (i) TRY(buf_append(sql, STR(", "), err));
        TRY(postgres_db_quote(sql, field->name, err));
        TRY(buf_append_char(sql, ' ', err));
        TRY(buf_append(sql, table->columns[i].declared, err));
        if (is_key(self, table, field->name)) TRY(buf_append(sql, STR(" NOT NULL"), err));
    }
    TRY(primary_key(self, table, sql, err));
    return buf_append_char(sql, ')', err);
}

Status postgres_table_ddl(const PostgresSink *self, const PostgresTable *table,
                          Status (*each)(void *arg, Str sql, Err *err), void *arg, Err *err)
{
    CLEANUP(buf_done) Buf sql = buf_make(POSTGRES_SQL_MAX);
    if (!table->exists) {
        TRY(create_table(self, table, &sql, err));
        return each(arg, buf_str(&sql), err);
    }
    for (int32_t i = 0; i < table->new_count; i++) {
        int32_t column = table->new_columns[i];
        buf_clear(&sql);
        TRY(buf_append(&sql, STR("ALTER TABLE "), err));
        TRY(postgres_db_quote_table(&sql, buf_str(&table->name), err));
        TRY(buf_append(&sql, STR(" ADD COLUMN "), err));
        TRY(postgres_db_quote(&sql, table->schema->fields[column].name, err));
        TRY(buf_append_char(&sql, ' ', err));
        TRY(buf_append(&sql, table->columns[column].declared, err));
        TRY(each(arg, buf_str(&sql), err));
    }
    return OK;
}

static Status run_ddl(void *arg, Str sql, Err *err)
{
    PostgresSink *self = arg;
    CLEANUP(buf_done) Buf text = buf_make(POSTGRES_SQL_MAX);
    TRY(buf_append(&text, sql, err));
    TRY(buf_terminate(&text, err));
    return postgres_db_exec(self->db, text.data, err);
}

Status postgres_table_prepare(PostgresSink *self, PostgresTable *table, Err *err)
{
    if (table->prepared) return OK;
    TRY(postgres_table_ddl(self, table, run_ddl, self, err));
    table->prepared = true;
    return OK;
}
