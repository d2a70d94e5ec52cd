/* What SQLite's catalog says about a target table beyond its columns. */
#include "connect/sqlite/sqlite_sink.h"

/* ON CONFLICT clauses of the definition. IGNORE is kept to; REPLACE would take a row of the target
 * for another: a row in conflict is refused instead. */
static void read_conflicts(SqliteTable *table, Str sql)
{
    static const char *const OTHERS[] = {"REPLACE", "FAIL", "ROLLBACK"};
    const Str conflict = STR("CONFLICT");
    for (int64_t at = 0; (at = str_find_nocase(sql, conflict)) >= 0;) {
        sql = str_trim(str_slice(sql, at + conflict.len, sql.len));
        table->differs |= str_starts_nocase(sql, STR("IGNORE"));
        for (int64_t i = 0; i < COUNT_OF(OTHERS); i++) {
            if (str_starts_nocase(sql, str_from(OTHERS[i]))) table->conflict = " OR ABORT";
        }
    }
}

Status sqlite_bind_str(sqlite3_stmt *statement, int index, Str text, Err *err)
{
    if (sqlite3_bind_text64(statement, index, text.ptr ? text.ptr : "", (sqlite3_uint64)text.len,
                            SQLITE_TRANSIENT, SQLITE_UTF8) == SQLITE_OK) {
        return OK;
    }
    return err_memory(err);
}

static Status look(SqliteSink *self, const char *sql, Str name, Str key, sqlite3_stmt **ret_rows,
                   bool *ret_row, Err *err)
{
    TRY(sqlite_db_prepare(self->db, str_from(sql), ret_rows, err));
    TRY(sqlite_bind_str(*ret_rows, 1, name, err));
    if (key.len) TRY(sqlite_bind_str(*ret_rows, 2, key, err));
    return sqlite_db_step(self->db, *ret_rows, ret_row, err);
}

static Str column_str(sqlite3_stmt *rows, int column)
{
    const char *text = (const char *)sqlite3_column_text(rows, column);
    return str_make(text, sqlite3_column_bytes(rows, column));
}

static Status look_definition(SqliteSink *self, SqliteTable *table, Str name, Err *err)
{
    static const char DEFINITIONS[] =
        "SELECT type, sql FROM sqlite_master WHERE type IN ('table', 'view', 'trigger')"
        " AND tbl_name = ?1 COLLATE NOCASE";
    CLEANUP(sqlite_db_finalize_p) sqlite3_stmt *rows = NULL;
    bool row = false;
    TRY(look(self, DEFINITIONS, name, STR_NULL, &rows, &row, err));
    while (row) {
        Str type = column_str(rows, 0), sql = column_str(rows, 1);
        bool trigger = str_eq(type, STR("trigger"));
        table->view |= str_eq(type, STR("view"));
        table->differs |= trigger;
        table->halfway |= trigger;
        if (str_eq(type, STR("table"))) read_conflicts(table, sql);
        TRY(sqlite_db_step(self->db, rows, &row, err));
    }
    return OK;
}

/* The keys of the table itself, and of whatever its triggers may write to. SQLite says it in the
 * text of the definition alone. */
static Status look_deferrable(SqliteSink *self, SqliteTable *table, Str name, Err *err)
{
    static const char DEFERRABLE[] =
        "SELECT 1 FROM sqlite_master AS m WHERE m.type = 'table' AND m.sql LIKE '%deferr%'"
        " AND (m.name = ?1 COLLATE NOCASE OR EXISTS (SELECT 1 FROM sqlite_master AS t"
        " WHERE t.type = 'trigger' AND t.tbl_name = ?1 COLLATE NOCASE))";
    CLEANUP(sqlite_db_finalize_p) sqlite3_stmt *rows = NULL;
    return look(self, DEFERRABLE, name, STR_NULL, &rows, &table->deferrable, err);
}

/* The primary key or a unique index is over columns of the key alone. */
static Status look_unique(SqliteSink *self, SqliteTable *table, Str name, Err *err)
{
    static const char UNIQUE[] =
        "SELECT 1 WHERE EXISTS (SELECT 1 FROM pragma_index_list(?1) AS l WHERE l.\"unique\""
        " AND NOT l.partial AND NOT EXISTS (SELECT 1 FROM pragma_index_info(l.name) AS i"
        " WHERE i.name IS NULL OR lower(i.name) NOT IN (SELECT lower(value) FROM json_each(?2))))"
        " OR (SELECT count(*) > 0 AND sum(lower(c.name) IN (SELECT lower(value)"
        " FROM json_each(?2))) = count(*) FROM pragma_table_info(?1) AS c WHERE c.pk > 0)";
    CLEANUP(sqlite_db_finalize_p) sqlite3_stmt *rows = NULL;
    CLEANUP(buf_done) Buf key = buf_make(1 << 16);
    TRY(table_key_json(self->core.sink.req, &key, err));
    return look(self, UNIQUE, name, buf_str(&key), &rows, &table->unique, err);
}

Status sqlite_look(SqliteSink *self, SqliteTable *table, Err *err)
{
    Str text = buf_str(&table->name);
    Str name = str_slice(text, str_find_char(text, '.') + 1, text.len);
    TRY(look_definition(self, table, name, err));
    TRY(look_deferrable(self, table, name, err));
    return look_unique(self, table, name, err);
}
