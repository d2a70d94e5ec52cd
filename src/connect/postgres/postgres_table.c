/* Target tables in PostgreSQL: planned, created, given new columns. */
#include "connect/postgres/postgres_table.h"

#include "connect/postgres/postgres_look.h"
#include "connect/postgres/postgres_sink.h"
#include "connect/postgres/postgres_type.h"
#include "foundation/base/mem.h"

void postgres_table_done(PostgresTable *table)
{
    schema_unref(table->schema);
    buf_done(&table->name);
    mem_free(table->new_columns);
    mem_free(table->columns);
    arena_done(&table->arena);
    PQclear(table->look);
    *table = (PostgresTable){
        .name = buf_make(4096), .arena = arena_make(16 << 20), .prefix = table->prefix};
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
    return str_find_nocase(declared, str_from(part)) >= 0;
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
        {"ANY", "text"},
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

/* Our double of a real is that of its text, which a real refuses: it stays double precision.
 * From PostgreSQL the column has the source's own type, where the target has it too. The text of
 * money is the locale's, and what a reg... names may not be here. */
static Status native_column(PostgresSink *self, PostgresTable *table, int32_t i, bool *ret_made,
                            Err *err)
{
    const char *note = NULL;
    const Field *field = &table->schema->fields[i];
    bool own = field->native_of && strcmp(field->native_of, POSTGRES_NATIVE) == 0 &&
               field->native.len && !str_eq(field->native, STR("money")) &&
               !str_eq(field->native, STR("real")) && !str_starts(field->native, STR("reg"));
    if (own) {
        TRY(postgres_look_native(self, table, field->native, &table->columns[i], ret_made, err));
    }
    *ret_made = own && *ret_made &&
                postgres_route(field->type, &table->columns[i], &note) != POSTGRES_ROUTE_NONE;
    if (!*ret_made) table->columns[i] = (PostgresColumn){0};
    return OK;
}

static Status new_column(PostgresSink *self, PostgresTable *table, int32_t i, Err *err)
{
    PostgresColumn *column = &table->columns[i];
    const Field *field = &table->schema->fields[i];
    bool made = false;
    table->new_columns[table->new_count++] = i;
    TRY(native_column(self, table, i, &made, err));
    if (made) return OK;
    TRY(new_type(table, field, &column->declared, err));
    TRY(postgres_look_new(self, column, err));
    if (field->type == TYPE_NUMERIC && column->kind == POSTGRES_KIND_NUMERIC &&
        field->precision > 0 && field->scale >= 0) {
        column->precision = field->precision;
        column->scale = field->scale;
    }
    postgres_look_finish(column, column->declared);
    return OK;
}

/* ---- together ---- */

enum { POSTGRES_NAME_MAX = 63 };

static Status find_route(const PostgresSink *self, PostgresTable *table, int32_t i, Err *err)
{
    const char *note;
    PostgresColumn *column = &table->columns[i];
    const Field *field = &table->schema->fields[i];
    column->zone = self->session.zone;
    if (!column->zone && postgres_route_uses_zone(field->type, column)) {
        (void)err_set(err, ERR_CONFIG, "column \"%.*s\": the session's time zone \"%s\" is unknown",
                      STR_ARG(field->name), self->session.zone_name);
        return err_hint(err, "name it in the URL, e.g. `options=-ctimezone%%3DEurope/Berlin`");
    }
    column->route = postgres_route(field->type, column, &note);
    column->json_strings = str_eq(field->native, STR(JSON_STRING_NATIVE));
    table->checked = table->checked || column->checked;
    table->cast = table->cast || postgres_look_is_cast(column);
    if (column->route != POSTGRES_ROUTE_NONE) return OK;
    (void)err_set(err, ERR_SCHEMA,
                  "column \"%.*s\": %s can't be put into %.*s of \"%.*s\" without loss",
                  STR_ARG(field->name), type_name(field->type), STR_ARG(column->declared),
                  STR_ARG(buf_str(&table->name)));
    return err_hint(err, "cast it in a select, e.g. `\"%.*s\"::text`", STR_ARG(field->name));
}

/* A name as the server would cut it is another column's for the next run. */
static Status check_new_name(const PostgresTable *table, Str name, Err *err)
{
    Str there;
    for (int row = 0; postgres_look_column(table->look, row, &there); row++) {
        if (table_names_near(there, name)) return table_column_near(&table->name, name, there, err);
    }
    if (name.len <= POSTGRES_NAME_MAX) return OK;
    (void)err_set(err, ERR_SCHEMA,
                  "the name of column \"%.*s\" has %lld bytes, PostgreSQL's at most %d",
                  STR_ARG(name), (long long)name.len, POSTGRES_NAME_MAX);
    return err_hint(err, "give it a shorter one in a select: \"%.*s\" AS …", STR_ARG(name));
}

static Status inspect(PostgresSink *self, PostgresTable *table, bool create, bool evolve,
                      bool *found, Err *err)
{
    Str name = buf_str(&table->name);
    PQclear(table->look);
    table->look = NULL;
    TRY(postgres_look(self, name, &table->look, err));
    TRY(postgres_look_read(table, table->look, found, err));
    /* A server that can't write every character refuses some. */
    const char *encoding = PQparameterStatus(postgres_db_conn(self->session.db), "server_encoding");
    table->checked = encoding && strcmp(encoding, "UTF8") != 0;
    if (!table->exists && !create) return table_missing(name, err);
    for (int32_t i = 0; i < table->schema->count; i++) {
        if (!found[i]) TRY(check_new_name(table, table->schema->fields[i].name, err));
        if (!found[i]) TRY(new_column(self, table, i, err));
        if (!found[i] && table->exists && !evolve) {
            return table_column_missing(name, table->schema->fields[i].name, err);
        }
        TRY(find_route(self, table, i, err));
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
    /* Only a transaction has the settings that the server's words for types depend on. */
    bool alone = PQtransactionStatus(postgres_db_conn(self->session.db)) == PQTRANS_IDLE;
    if (status == OK && alone) {
        status = postgres_db_begin(self->session.db, "READ ONLY", POSTGRES_ZONE_UTC, err);
    }
    if (status == OK) status = inspect(self, table, create, evolve, found, err);
    if (status == OK && alone) status = postgres_db_exec(self->session.db, "COMMIT", err);
    else if (alone) postgres_db_rollback(self->session.db);
    mem_free(found);
    return status;
}

/* ---- DDL ---- */

static bool is_key(const PostgresSink *self, const PostgresTable *table, Str name)
{
    if (table != &self->out) return false;
    for (int32_t i = 0; i < self->core.sink.req->key_count; i++) {
        if (str_eq(self->core.sink.req->key[i], name)) return true;
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
    const SinkReq *req = self->core.sink.req;
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
        bool not_null = field->not_null && field->native_of;
        if (not_null || is_key(self, table, field->name))
            TRY(buf_append(sql, STR(" NOT NULL"), err));
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
    return postgres_db_exec(self->session.db, text.data, err);
}

Status postgres_table_prepare(PostgresSink *self, PostgresTable *table, Err *err)
{
    if (table->prepared) return OK;
    if (postgres_table_ddl(self, table, run_ddl, self, err) != OK) {
        if (!table_lost_race(err)) return FAIL;
        err->kind = ERR_DEADLOCK;
        return err_hint(err, "another process made it at the same moment; it is tried again");
    }
    table->prepared = true;
    return OK;
}
