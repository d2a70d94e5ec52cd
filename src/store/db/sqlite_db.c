/* Sessions with SQLite: opening, statements, and its errors in our terms. */
#include "store/db/sqlite_db.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "engine/sql/sql_dialect.h"
#include "foundation/base/clock.h"
#include "foundation/base/file.h"

/* Instructions of SQLite's machine between two looks: less than a millisecond. */
enum { STOP_INSTRUCTIONS = 10000 };
/* Between two tries for a lock. */
enum { BUSY_NAP_NS = 10000000, BUSY_TRIES = SQLITE_DB_BUSY_MS / 10 };

static ErrKind kind_of_code(int code)
{
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR_DEADLOCK;
    case SQLITE_FULL:
        return ERR_SPACE;
    case SQLITE_NOMEM:
        return ERR_MEMORY;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return ERR_PERMISSION;
    case SQLITE_CANTOPEN:
        return ERR_NOT_FOUND;
    case SQLITE_CONSTRAINT:
        return ERR_CONSTRAINT;
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
        return ERR_DATA;
    case SQLITE_INTERRUPT:
        return ERR_CANCELLED;
    case SQLITE_IOERR:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ERR_IO;
    default:
        return ERR_SCHEMA;
    }
}

/* SQLSTATE of PostgreSQL's for what both have a name for. */
static const char *sqlstate_of_code(int code)
{
    switch (code) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
        return "23505";
    case SQLITE_CONSTRAINT_NOTNULL:
        return "23502";
    case SQLITE_CONSTRAINT_FOREIGNKEY:
        return "23503";
    case SQLITE_CONSTRAINT_CHECK:
        return "23514";
    default:
        return (code & 0xff) == SQLITE_FULL ? "53100" : "";
    }
}

Status sqlite_db_error(sqlite3 *db, Err *err)
{
    int code = sqlite3_extended_errcode(db), reason = sqlite3_system_errno(db);
    if ((code & 0xff) == SQLITE_CANTOPEN && (reason == EMFILE || reason == ENFILE)) {
        return err_errno(err, reason, "sqlite: can't open the database");
    }
    (void)err_set(err, kind_of_code(code), "sqlite: %s", sqlite3_errmsg(db));
    if (!err) return FAIL;
    memcpy(err->sqlstate, sqlstate_of_code(code), strlen(sqlstate_of_code(code)) + 1);
    if (err->kind == ERR_DEADLOCK) {
        return err_hint(err,
                        "another process holds the database for longer than %d s: run again "
                        "when it has ended",
                        SQLITE_DB_BUSY_MS / 1000);
    }
    if (code == SQLITE_READONLY_ROLLBACK) {
        return err_hint(
            err,
            "a writer of it was killed, and what it had begun is to be undone: read it once as "
            "a user that may write the file and its folder");
    }
    return FAIL;
}

/* A statement that was made and fails all the same (ERR_SCHEMA) may do so for one row: a function
 * of a CHECK or a generated column doesn't take a value. */
WriteError sqlite_db_error_in_write(const Err *err)
{
    bool run = strncmp(err->sqlstate, "40", 2) == 0 || strncmp(err->sqlstate, "42", 2) == 0;
    if (run) return WRITE_ERROR_RUN;
    if (err->kind == ERR_CONSTRAINT || err->kind == ERR_DATA) return WRITE_ERROR_ROW;
    return err->kind == ERR_SCHEMA ? WRITE_ERROR_UNSURE : WRITE_ERROR_RUN;
}

/* Where it fails, *ret_half is true when what a killed writer had begun is to be undone first. */
static Status open_once(const char *name, int flags, sqlite3 **ret_db, bool *ret_half, Err *err)
{
    sqlite3 *db = NULL;
    *ret_half = false;
    if (sqlite3_open_v2(name, &db, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
        Status status = db ? sqlite_db_error(db, err) : err_memory(err);
        sqlite_db_close(db);
        return err_prefix(err, "%s: ", name), status;
    }
    (void)sqlite3_extended_result_codes(db, 1);
    (void)sqlite3_busy_timeout(db, SQLITE_DB_BUSY_MS);
    if (sqlite_db_exec(db, "PRAGMA cache_size=-16384; PRAGMA foreign_keys=ON", err) != OK) {
        *ret_half = sqlite3_extended_errcode(db) == SQLITE_READONLY_ROLLBACK;
        sqlite_db_close(db);
        return FAIL;
    }
    *ret_db = db;
    return OK;
}

/* SQLite undoes it when somebody who may write reads. */
static Status undo_half(const char *name, Err *err)
{
    sqlite3 *db = NULL;
    bool half = false;
    TRY(open_once(name, SQLITE_OPEN_READWRITE, &db, &half, err));
    sqlite_db_close(db);
    return OK;
}

Status sqlite_db_open(Str path, SqliteOpen how, sqlite3 **ret_db, Err *err)
{
    char name[PATH_MAX];
    if (path.len >= PATH_MAX) return err_set(err, ERR_NOT_FOUND, "the path is too long");
    memcpy(name, path.ptr, (size_t)path.len);
    name[path.len] = 0;
    if (how != SQLITE_DB_CREATE && !file_exists(path)) {
        (void)err_set(err, ERR_NOT_FOUND, "sqlite: no such file: %s", name);
        return err_hint(err, "sqlite:///name is relative to the folder that neuron is started in, "
                             "sqlite:////name absolute");
    }
    int flags = how == SQLITE_DB_READ    ? SQLITE_OPEN_READONLY
                : how == SQLITE_DB_WRITE ? SQLITE_OPEN_READWRITE
                                         : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    bool half = false;
    if (open_once(name, flags, ret_db, &half, err) == OK) return OK;
    if (!half || how != SQLITE_DB_READ) return FAIL;
    if (err) err_clear(err);
    TRY(undo_half(name, err));
    return open_once(name, flags, ret_db, &half, err);
}

bool sqlite_db_has_moved(sqlite3 *db)
{
    int moved = 0;
    (void)sqlite3_file_control(db, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    return moved != 0;
}

static int is_cancelled(void *arg)
{
    const SqliteStop *stop = arg;
    return atomic_load(&stop->cancelled);
}

static int is_worth_a_try(void *arg, int tries)
{
    const SqliteStop *stop = arg;
    bool stopped = stop->stop && atomic_load(stop->stop);
    if (tries >= BUSY_TRIES || stopped || atomic_load(&stop->cancelled)) return 0;
    clock_sleep_ns(BUSY_NAP_NS);
    return 1;
}

void sqlite_db_stop_on(sqlite3 *db, SqliteStop *stop)
{
    sqlite3_progress_handler(db, STOP_INSTRUCTIONS, is_cancelled, stop);
    (void)sqlite3_busy_handler(db, is_worth_a_try, stop);
}

Status sqlite_db_check(const SqliteStop *stop, Err *err)
{
    if (!atomic_load(&stop->cancelled)) return OK;
    return err_set(err, ERR_CANCELLED, "cancelled");
}

void sqlite_db_close(sqlite3 *db)
{
    (void)sqlite3_close_v2(db);
}

Status sqlite_db_exec(sqlite3 *db, const char *sql, Err *err)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK) return OK;
    return sqlite_db_error(db, err);
}

Status sqlite_db_use_wal(sqlite3 *db, SqliteStop *stop, Err *err)
{
    int tries = 0;
    while (sqlite_db_exec(db, "PRAGMA journal_mode=WAL", err) != OK) {
        bool busy = sqlite3_errcode(db) == SQLITE_BUSY;
        if (!busy || !is_worth_a_try(stop, tries++)) return FAIL;
    }
    return OK;
}

Status sqlite_db_prepare(sqlite3 *db, Str sql, sqlite3_stmt **ret_statement, Err *err)
{
    if (sql.len > INT_MAX) return err_set(err, ERR_LIMIT, "the statement is too long");
    sqlite3_stmt *statement = NULL;
    const char *tail = NULL;
    if (sqlite3_prepare_v3(db, sql.ptr, (int)sql.len, SQLITE_PREPARE_PERSISTENT, &statement,
                           &tail) != SQLITE_OK) {
        return sqlite_db_error(db, err);
    }
    Str rest = str_trim(str_make(tail, sql.ptr + sql.len - tail));
    while (str_starts(rest, STR(";"))) rest = str_trim(str_slice(rest, 1, rest.len));
    if (!statement || rest.len > 0) {
        sqlite3_finalize(statement);
        return err_set(err, ERR_CONFIG, "not exactly one SQL statement: %.*s", STR_ARG(sql));
    }
    *ret_statement = statement;
    return OK;
}

Status sqlite_db_step(sqlite3 *db, sqlite3_stmt *statement, bool *ret_row, Err *err)
{
    int code = sqlite3_step(statement);
    if (code != SQLITE_ROW && code != SQLITE_DONE) return sqlite_db_error(db, err);
    *ret_row = code == SQLITE_ROW;
    return OK;
}

Status sqlite_db_int64(sqlite3 *db, Str sql, int64_t *ret_value, Err *err)
{
    CLEANUP(sqlite_db_finalize_p) sqlite3_stmt *statement = NULL;
    TRY(sqlite_db_prepare(db, sql, &statement, err));
    bool row = false;
    TRY(sqlite_db_step(db, statement, &row, err));
    *ret_value = row ? sqlite3_column_int64(statement, 0) : 0;
    return OK;
}

static void split_table(Str table, Str *ret_schema, Str *ret_name)
{
    int64_t dot = str_find_char(table, '.');
    *ret_schema = dot < 0 ? STR_NULL : str_slice(table, 0, dot);
    *ret_name = dot < 0 ? table : str_slice(table, dot + 1, table.len);
}

Status sqlite_db_quote(Buf *out, Str name, Err *err)
{
    return sql_put_name(&SQL_SQLITE, name, out, err);
}

Status sqlite_db_quote_table(Buf *out, Str table, Err *err)
{
    return sql_put_table(&SQL_SQLITE, table, out, err);
}

Status sqlite_db_has_table(sqlite3 *db, Str table, bool *ret_has, Err *err)
{
    Str schema, name;
    split_table(table, &schema, &name);
    CLEANUP(buf_done) Buf sql = buf_make(1 << 16);
    TRY(buf_append(&sql, STR("SELECT 1 FROM "), err));
    TRY(sqlite_db_quote(&sql, schema.len ? schema : STR("main"), err));
    TRY(buf_append(&sql,
                   STR(".sqlite_master WHERE type IN ('table','view')"
                       " AND name = ?1 COLLATE NOCASE"),
                   err));
    CLEANUP(sqlite_db_finalize_p) sqlite3_stmt *statement = NULL;
    TRY(sqlite_db_prepare(db, buf_str(&sql), &statement, err));
    (void)sqlite3_bind_text64(statement, 1, name.ptr, (sqlite3_uint64)name.len, SQLITE_STATIC,
                              SQLITE_UTF8);
    return sqlite_db_step(db, statement, ret_has, err);
}
