/* What a query gives: its columns' types, and the list that reads each of them without loss. */
#include <stdlib.h>

#include "connect/postgres/postgres_describe.h"
#include "connect/postgres/postgres_location.h"
#include "foundation/base/decimal.h"
#include "foundation/base/mem.h"
#include "foundation/base/number.h"

void postgres_columns_done(PostgresColumns *columns)
{
    mem_free(columns->types);
    mem_free(columns->origins);
    schema_unref(columns->schema);
    *columns = (PostgresColumns){0};
}

/* One row per column: its type's full name (a domain's own), kind and category, and whether the
 * table's column is NOT NULL. */
static Status type_rows(PostgresDb *db, const PGresult *described, PGresult **ret_rows, Err *err)
{
    CLEANUP(buf_done) Buf oids = buf_make(1 << 20);
    CLEANUP(buf_done) Buf mods = buf_make(1 << 20);
    CLEANUP(buf_done) Buf tables = buf_make(1 << 20);
    CLEANUP(buf_done) Buf numbers = buf_make(1 << 20);
    for (int i = 0; i < PQnfields(described); i++) {
        const char *sep = i ? "," : "{";
        TRY(buf_printf(&oids, err, "%s%u", sep, PQftype(described, i)));
        TRY(buf_printf(&mods, err, "%s%d", sep, PQfmod(described, i)));
        TRY(buf_printf(&tables, err, "%s%u", sep, PQftable(described, i)));
        TRY(buf_printf(&numbers, err, "%s%d", sep, PQftablecol(described, i)));
    }
    TRY(buf_append_char(&oids, '}', err));
    TRY(buf_append_char(&mods, '}', err));
    TRY(buf_append_char(&tables, '}', err));
    TRY(buf_append_char(&numbers, '}', err));
    Str params[] = {buf_str(&oids), buf_str(&mods), buf_str(&tables), buf_str(&numbers)};
    TRY(postgres_db_query(db,
                          "SELECT pg_catalog.format_type(coalesce(a.atttypid, x.oid), "
                          "CASE WHEN a.attnum IS NULL THEN x.mod ELSE a.atttypmod END), "
                          "t.typtype, t.typcategory, coalesce(a.attnotnull, false) "
                          "FROM unnest($1::oid[], $2::int[], $3::oid[], $4::int[]) "
                          "WITH ORDINALITY AS x(oid, mod, tab, number, n) "
                          "LEFT JOIN pg_catalog.pg_type t ON t.oid = x.oid "
                          "LEFT JOIN pg_catalog.pg_attribute a "
                          "ON a.attrelid = x.tab AND a.attnum = x.number ORDER BY x.n",
                          params, 4, ret_rows, err));
    if (PQntuples(*ret_rows) == PQnfields(described)) return OK;
    return err_set(err, ERR_INTERNAL, "the server doesn't know its own types");
}

static PostgresType column_type(const PGresult *described, const PGresult *rows, int column)
{
    uint32_t oid = PQftype(described, column);
    const PostgresType *known = postgres_type_find(oid);
    Str kind = postgres_db_text(rows, column, 1), category = postgres_db_text(rows, column, 2);
    PostgresType type = known ? *known
                              : postgres_type_other(oid, kind.len ? kind.ptr[0] : 0,
                                                    category.len ? category.ptr[0] : 0);
    if (type.form != POSTGRES_NUMERIC || type.read != POSTGRES_AS_IS) return type;
    int32_t precision, scale;
    postgres_type_numeric(PQfmod(described, column), &precision, &scale);
    int32_t digits = scale < 0 ? precision - scale : precision;
    if (digits <= DECIMAL_DIGITS_MAX && scale <= DECIMAL_SCALE_MAX) return type;
    /* More digits than our decimals have: the exact text. */
    type.type = TYPE_TEXT;
    type.form = POSTGRES_TEXT;
    type.read = POSTGRES_AS_TEXT;
    return type;
}

static void column_field(const PGresult *described, const PGresult *rows, int column,
                         const PostgresType *type, Field *field)
{
    *field = (Field){.name = str_from(PQfname(described, column)),
                     .type = type->type,
                     .native = postgres_db_text(rows, column, 0),
                     .native_of = POSTGRES_NATIVE,
                     .not_null = str_eq(postgres_db_text(rows, column, 3), STR("t"))};
    if (type->form != POSTGRES_NUMERIC) return;
    postgres_type_numeric(PQfmod(described, column), &field->precision, &field->scale);
    if (field->scale < 0) {
        field->precision -= field->scale;
        field->scale = 0;
    }
}

static Status unique_names(const Schema *schema, Err *err)
{
    for (int32_t i = 0; i < schema->count; i++) {
        if (schema_find(schema, schema->fields[i].name) == i) continue;
        (void)err_set(err, ERR_CONFIG, "the query gives two columns named \"%.*s\"",
                      STR_ARG(schema->fields[i].name));
        return err_hint(err, "name one of them with AS");
    }
    return OK;
}

static Status columns_fill(PostgresColumns *columns, const PGresult *described,
                           const PGresult *rows, Err *err)
{
    int count = PQnfields(described);
    Field *fields = mem_array(count, (int64_t)sizeof *fields);
    columns->types = mem_array(count, (int64_t)sizeof *columns->types);
    columns->origins = mem_array(count, (int64_t)sizeof *columns->origins);
    if (!fields || !columns->types || !columns->origins) {
        mem_free(fields);
        return err_memory(err);
    }
    for (int i = 0; i < count; i++) {
        columns->types[i] = column_type(described, rows, i);
        column_field(described, rows, i, &columns->types[i], &fields[i]);
        columns->origins[i] = (PostgresOrigin){PQftable(described, i), PQftablecol(described, i)};
        columns->cast |= columns->types[i].read != POSTGRES_AS_IS;
    }
    columns->count = count;
    Status status = schema_new(fields, count, false, &columns->schema, err);
    mem_free(fields);
    return status;
}

/* A statement that waits for a table's lock has its snapshot already. A table that was written anew
 * meanwhile (ALTER TABLE, TRUNCATE, VACUUM FULL) would seem empty in it: its file in the snapshot
 * is another one than its file now. Tables of the statement are locked by now, partitions through
 * theirs. */
static const char REWRITTEN[] =
    "WITH RECURSIVE r AS (SELECT l.relation AS oid FROM pg_catalog.pg_locks l"
    " WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'relation' AND l.granted"
    " UNION SELECT i.inhrelid FROM r JOIN pg_catalog.pg_inherits i ON i.inhparent = r.oid)"
    " SELECT pg_catalog.count(*) FROM r JOIN pg_catalog.pg_class c ON c.oid = r.oid"
    " WHERE c.relkind IN ('r', 'm') AND c.relfilenode <> 0"
    " AND c.relfilenode <> pg_catalog.pg_relation_filenode(c.oid)";

enum { DESCRIBE_TRIES = 5 };

/* Describe in a snapshot that is younger than the locks: else the transaction begins again. */
static Status describe_locked(PostgresDb *db, const char *sql, PGresult **ret_described, Err *err)
{
    for (int i = 0; i < DESCRIBE_TRIES; i++) {
        CLEANUP(postgres_db_clear_p) PGresult *described = NULL;
        int64_t rewritten = 0;
        TRY(postgres_db_describe(db, sql, &described, err));
        TRY(postgres_db_int64(db, REWRITTEN, NULL, 0, &rewritten, err));
        if (rewritten == 0) {
            *ret_described = TAKE(described);
            return OK;
        }
        TRY(postgres_db_exec(db, "ROLLBACK", err));
        TRY(postgres_db_begin(db, POSTGRES_READ_MODE, POSTGRES_ZONE_SESSION, err));
    }
    return err_set(err, ERR_DEADLOCK, "a table of the query is rewritten again and again");
}

Status postgres_columns_describe(PostgresDb *db, const char *sql, PostgresColumns *columns,
                                 Err *err)
{
    CLEANUP(postgres_db_clear_p) PGresult *described = NULL;
    CLEANUP(postgres_db_clear_p) PGresult *rows = NULL;
    TRY(describe_locked(db, sql, &described, err));
    if (PQnfields(described) == 0) {
        return err_set(err, ERR_CONFIG, "the query gives no columns");
    }
    TRY(type_rows(db, described, &rows, err));
    PostgresColumns made = {0};
    Status status = columns_fill(&made, described, rows, err);
    if (status == OK) status = unique_names(made.schema, err);
    if (status != OK) {
        postgres_columns_done(&made);
        return FAIL;
    }
    postgres_columns_done(columns);
    *columns = made;
    return OK;
}

static Status column_expression(Str name, PostgresCast cast, Buf *out, Err *err)
{
    static const char *const BEFORE[] = {"", "", "textin(inet_out(", "", "to_json("};
    static const char *const BEHIND[] = {"", "::text", "))", "::numeric", ")::text"};
    TRY(buf_append(out, str_from(BEFORE[cast]), err));
    TRY(postgres_db_quote(out, name, err));
    TRY(buf_append(out, str_from(BEHIND[cast]), err));
    if (cast == POSTGRES_AS_IS) return OK;
    TRY(buf_append(out, STR(" AS "), err));
    return postgres_db_quote(out, name, err);
}

Status postgres_columns_list(const PostgresColumns *columns, Buf *out, Err *err)
{
    for (int32_t i = 0; i < columns->count; i++) {
        if (i) TRY(buf_append(out, STR(", "), err));
        TRY(column_expression(columns->schema->fields[i].name, columns->types[i].read, out, err));
    }
    return OK;
}
