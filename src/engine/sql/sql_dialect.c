/* What differs between databases in the statements that a table is written with. */
#include "engine/sql/sql_dialect.h"

#include "engine/sql/sql_merge.h"

/* ---- PostgreSQL ---- */

/* A temporary table has no statistics by itself. */
static Status postgres_ready(const SqlMerge *merge, Buf *sql, Err *err)
{
    TRY(buf_append(sql, STR("ANALYZE pg_temp.neuron_stage (neuron_ord"), err));
    if (merge->keyed) {
        TRY(buf_append(sql, STR(", "), err));
        TRY(sql_put_columns(merge, "", true, sql, err));
    }
    return buf_append_char(sql, ')', err);
}

static Status postgres_object(const SqlMerge *merge, int32_t from UNUSED, int32_t to UNUSED,
                              bool key, Buf *sql, Err *err)
{
    TRY(buf_append(sql, STR("(SELECT row_to_json(d) FROM (SELECT "), err));
    TRY(sql_put_columns(merge, "s.", key, sql, err));
    return buf_append(sql, STR(") AS d)"), err);
}

const SqlDialect SQL_POSTGRES = {
    .name = "PostgreSQL",
    .quote = '"',
    .parameter = '$',
    .stage.name = "pg_temp.neuron_stage",
    .stage.create = "CREATE TEMP TABLE neuron_stage (neuron_ord bigint, neuron_row bigint",
    .stage.end = ") ON COMMIT DROP",
    .stage.index = "CREATE UNIQUE INDEX neuron_stage_ord ON pg_temp.neuron_stage (neuron_ord);"
                   " ANALYZE pg_temp.neuron_stage",
    .differs = " IS DISTINCT FROM ",
    .as_text = "::text",
    .cast = "::",
    .given_identity = " OVERRIDING SYSTEM VALUE",
    .writes_together = true,
    .time = "timestamptz",
    .now = "clock_timestamp()",
    .published = "to_char(published_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.USZ')",
    .identity = "SELECT c.oid, c.relfilenode, pg_catalog.has_table_privilege(c.oid, 'SELECT')::int "
                "FROM pg_catalog.pg_class AS c WHERE c.oid = pg_catalog.to_regclass($1)",
    .lock_rows = " FOR UPDATE OF p",
    .readies_all = true,
    .put_ready = postgres_ready,
    .put_object = postgres_object,
};

/* ---- SQLite ---- */

static Status sqlite_ready(const SqlMerge *merge, Buf *sql, Err *err)
{
    TRY(buf_append(sql, STR("CREATE INDEX temp.neuron_stage_key ON neuron_stage ("), err));
    TRY(sql_put_columns(merge, "", true, sql, err));
    return buf_append_char(sql, ')', err);
}

static Status put_literal(Str text, Buf *sql, Err *err)
{
    TRY(buf_append_char(sql, '\'', err));
    for (int64_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\'') TRY(buf_append_char(sql, '\'', err));
        TRY(buf_append_char(sql, text.ptr[i], err));
    }
    return buf_append_char(sql, '\'', err);
}

/* JSON has no bytes: they are hexadecimal digits. */
static Status sqlite_object(const SqlMerge *merge, int32_t from, int32_t to, bool key, Buf *sql,
                            Err *err)
{
    const SqlDialect *dialect = merge->dialect;
    bool first = true;
    TRY(buf_append(sql, STR("json_object("), err));
    for (int32_t i = from; i < to; i++) {
        const SqlColumn *column = &merge->columns[i];
        if (key && !column->key) continue;
        if (!first) TRY(buf_append(sql, STR(", "), err));
        first = false;
        TRY(put_literal(column->name, sql, err));
        TRY(buf_append(sql, STR(", CASE typeof(s."), err));
        TRY(sql_put_name(dialect, column->name, sql, err));
        TRY(buf_append(sql, STR(") WHEN 'blob' THEN hex(s."), err));
        TRY(sql_put_name(dialect, column->name, sql, err));
        TRY(buf_append(sql, STR(") ELSE s."), err));
        TRY(sql_put_name(dialect, column->name, sql, err));
        TRY(buf_append(sql, STR(" END"), err));
    }
    return buf_append_char(sql, ')', err);
}

const SqlDialect SQL_SQLITE = {
    .name = "SQLite",
    .quote = '"',
    .nameless = true,
    .parameter = '?',
    .stage.name = "temp.neuron_stage",
    .stage.create = "CREATE TABLE temp.neuron_stage (neuron_ord INTEGER PRIMARY KEY,"
                    " neuron_row INTEGER",
    .stage.end = ")",
    .differs = " IS NOT ",
    .as_text = "",
    .cast = "",
    .time = "text",
    .now = "(strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))",
    .published = "published_at",
    .identity = "SELECT 'table', NULL, 1 FROM sqlite_schema WHERE '\"' || replace(name, '\"', "
                "'\"\"') || '\"' = $1 COLLATE NOCASE LIMIT 1",
    .lock_rows = "",
    .in_object = 60, /* a function takes 127 arguments */
    .put_ready = sqlite_ready,
    .put_object = sqlite_object,
};
