/* Sessions with SQLite: opening, statements, and its errors in our terms. */
#ifndef NEURON_SQLITE_DB_H
#define NEURON_SQLITE_DB_H

#include <sqlite3.h>

#include "foundation/base/buf.h"
#include "store/db/write_error.h"

/* Waits this long for another writer before the database counts as locked. */
enum { SQLITE_DB_BUSY_MS = 10000 };

typedef enum SqliteOpen {
    SQLITE_DB_READ,   /* must exist; read only */
    SQLITE_DB_WRITE,  /* must exist */
    SQLITE_DB_CREATE, /* made when missing */
} SqliteOpen;

/* One connection for one thread. The caller closes it
 * with sqlite_db_close. A missing file is ERR_NOT_FOUND. What a killed writer had begun is undone
 * first, by SQLite itself, also for a reader (ERR_PERMISSION where the file may not be written). */
MUST_USE Status sqlite_db_open(Str path, SqliteOpen how, sqlite3 **ret_db, Err *err);
void sqlite_db_close(sqlite3 *db);
/* Its file was removed or moved, or another one is in its place: what is written now is lost for
 * whoever opens that path next. One stat(2). */
bool sqlite_db_has_moved(sqlite3 *db);

/* What ends the work of a connection: looked at in the middle of each statement and between two
 * tries for a lock. Zeroed at first; it outlives the connection. */
typedef struct SqliteStop {
    _Atomic bool cancelled;   /* statements end now, and all later ones until it is false again */
    const _Atomic bool *stop; /* true: no lock is waited for any longer; may be NULL */
} SqliteStop;
void sqlite_db_stop_on(sqlite3 *db, SqliteStop *stop);
/* Between two statements: ERR_CANCELLED when it was cancelled. */
MUST_USE Status sqlite_db_check(const SqliteStop *stop, Err *err);
/* Readers and one writer of the file don't block each other from now on. Waits for a lock as a
 * statement does, which SQLite itself doesn't do here. */
MUST_USE Status sqlite_db_use_wal(sqlite3 *db, SqliteStop *stop, Err *err);

/* FAIL with the connection's last error: kind, SQLSTATE where one fits, SQLite's message. */
MUST_USE Status sqlite_db_error(sqlite3 *db, Err *err);
/* Of an error that ended INSERT or UPDATE. */
WriteError sqlite_db_error_in_write(const Err *err);
MUST_USE Status sqlite_db_exec(sqlite3 *db, const char *sql, Err *err);
/* Persistent statement; the text need not end in NUL. More than one statement is ERR_CONFIG. */
MUST_USE Status sqlite_db_prepare(sqlite3 *db, Str sql, sqlite3_stmt **ret_statement, Err *err);
/* Step once: *ret_row true when there is a row. */
MUST_USE Status sqlite_db_step(sqlite3 *db, sqlite3_stmt *statement, bool *ret_row, Err *err);
/* The first column of the first row as an integer; 0 when there is none or it is NULL. */
MUST_USE Status sqlite_db_int64(sqlite3 *db, Str sql, int64_t *ret_value, Err *err);
/* True when there is a table or view of that name ("name" or "schema.name"). */
MUST_USE Status sqlite_db_has_table(sqlite3 *db, Str table, bool *ret_has, Err *err);
/* "name" quoted as an identifier; of a "schema.name" both parts. */
MUST_USE Status sqlite_db_quote(Buf *out, Str name, Err *err);
MUST_USE Status sqlite_db_quote_table(Buf *out, Str table, Err *err);

static inline void sqlite_db_finalize_p(sqlite3_stmt **p)
{
    sqlite3_finalize(*p);
    *p = NULL;
}

#endif
