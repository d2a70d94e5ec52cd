/* COPY in a session with PostgreSQL: rows in and out as the server's own bytes. */
#include <limits.h>
#include <time.h>

#include "foundation/base/clock.h"
#include "foundation/base/number.h"
#include "store/db/postgres_db_impl.h"

/* Pieces of at most this size go to libpq at once. */
enum { COPY_PIECE_MAX = 1 << 20 };

/* The server sends 8 KB at a time, and to wake up for each costs more than to read the rows in it:
 * a stream that runs has this long to fill the socket, whose buffer holds several times as much. */
enum { COPY_NAP_NS = 500000 };

/* The statement's first answer is there: rows go in or out now, or it failed. */
static Status copy_begun(PostgresDb *db, ExecStatusType want, Err *err)
{
    CLEANUP(postgres_db_clear_p) PGresult *result = NULL;
    TRY(postgres_result(db, &result, err));
    if (PQresultStatus(result) == want) return OK;
    Status status = postgres_db_error(db, result, err);
    Err ignored = {0};
    while (PQstatus(db->conn) != CONNECTION_BAD) {
        CLEANUP(postgres_db_clear_p) PGresult *more = NULL;
        if (postgres_result(db, &more, &ignored) != OK || !more) break;
    }
    return status;
}

/* "COPY table, line 7, column v: …", its words in the server's language: the first number after
 * the table's name. */
static int64_t line_of_context(const PGresult *result)
{
    const char *context = PQresultErrorField(result, PG_DIAG_CONTEXT);
    if (!context || strncmp(context, "COPY ", 5) != 0) return 0;
    const char *at = strstr(context, ", ");
    if (!at) return 0;
    at += strcspn(at, "0123456789\n");
    int64_t line = 0;
    Str digits = str_make(at, (int64_t)strspn(at, "0123456789"));
    return number_parse_int64(digits, &line) == NUMBER_OK ? line : 0;
}

/* What follows the data: the command's end, then nothing. */
static Status copy_finish(PostgresDb *db, int64_t *ret_rows, Err *err)
{
    Status status = OK;
    while (true) {
        CLEANUP(postgres_db_clear_p) PGresult *result = NULL;
        TRY(postgres_result(db, &result, err));
        if (!result) return status;
        if (PQresultStatus(result) != PGRES_COMMAND_OK) {
            db->refused_line = line_of_context(result);
            if (status == OK) status = postgres_db_error(db, result, err);
            if (PQstatus(db->conn) == CONNECTION_BAD) return status;
        } else if (ret_rows) {
            (void)number_parse_int64(str_from(PQcmdTuples(result)), ret_rows);
        }
    }
}

Status postgres_db_copy_in(PostgresDb *db, const char *sql, Err *err)
{
    TRY(postgres_check(db, err));
    db->unsent = false;
    db->refused_line = 0;
    postgres_asked(db);
    if (!PQsendQuery(db->conn, sql)) return postgres_db_error(db, NULL, err);
    return copy_begun(db, PGRES_COPY_IN, err);
}

static Status put_pieces(PostgresDb *db, Str bytes, Err *err)
{
    db->heard_ns = clock_mono_ns();
    while (bytes.len > 0) {
        TRY(postgres_check(db, err));
        int64_t piece = int64_min(bytes.len, COPY_PIECE_MAX);
        if (PQputCopyData(db->conn, bytes.ptr, (int)piece) != 1) {
            return postgres_db_error(db, NULL, err);
        }
        TRY(postgres_flush(db, err));
        bytes = str_slice(bytes, piece, bytes.len);
    }
    return OK;
}

Status postgres_db_copy_put(PostgresDb *db, Str bytes, Err *err)
{
    Err why = {0};
    if (put_pieces(db, bytes, &why) == OK) return OK;
    if (!db->unsent) db->unsent_error = why;
    db->unsent = true;
    if (err) *err = why;
    return FAIL;
}

/* The server must not take what it got for the whole. Its own words, where it has some, say more
 * than that a piece could not be sent. */
static Status copy_end_unsent(PostgresDb *db, Err *err)
{
    Err said = {0};
    db->heard_ns = clock_mono_ns();
    bool told = PQputCopyEnd(db->conn, "given up") == 1;
    if (told) IGNORE(copy_finish(db, NULL, &said));
    bool own = said.sqlstate[0] && strcmp(said.sqlstate, "57014") != 0;
    if (err) *err = own ? said : db->unsent_error;
    return FAIL;
}

Status postgres_db_copy_end(PostgresDb *db, int64_t *ret_rows, Err *err)
{
    if (db->unsent) return copy_end_unsent(db, err);
    db->heard_ns = clock_mono_ns();
    if (PQputCopyEnd(db->conn, NULL) != 1) return postgres_db_error(db, NULL, err);
    return copy_finish(db, ret_rows, err);
}

int64_t postgres_db_copy_line(const PostgresDb *db)
{
    return db->refused_line;
}

void postgres_db_copy_abort(PostgresDb *db)
{
    Err ignored = {0};
    db->heard_ns = clock_mono_ns();
    if (PQputCopyEnd(db->conn, "given up") == 1) IGNORE(copy_finish(db, NULL, &ignored));
}

/* libpq asks the socket for as much as its buffer holds, 16 KB until some message needed more; the
 * socket holds ten times as much. */
static Status make_room(PostgresDb *db, Err *err)
{
    if (db->roomy) return OK;
    db->roomy = true;
    return postgres_db_exec(db, "SELECT pg_catalog.repeat(' ', 140000)", err);
}

Status postgres_db_copy_out(PostgresDb *db, const char *sql, Err *err)
{
    TRY(postgres_check(db, err));
    TRY(make_room(db, err));
    db->copying = false;
    postgres_asked(db);
    if (!PQsendQuery(db->conn, sql)) return postgres_db_error(db, NULL, err);
    return postgres_flush(db, err);
}

/* Wait for the start: a query may take its time before the first row, and the server keeps its
 * answer to COPY until then. */
static Status copy_out_start(PostgresDb *db, int64_t deadline_ns, bool *ret_ready, Err *err)
{
    *ret_ready = true;
    while (PQisBusy(db->conn)) {
        TRY(postgres_wait(db, false, deadline_ns, ret_ready, err));
        if (!*ret_ready) return OK;
        if (!PQconsumeInput(db->conn)) break; /* the result says what is wrong */
    }
    TRY(copy_begun(db, PGRES_COPY_OUT, err));
    db->copying = true;
    return OK;
}

/* After rows more is taken for there, and if it isn't, given a nap to come. */
static Status copy_more(PostgresDb *db, int64_t deadline_ns, bool *ret_ready, Err *err)
{
    if (db->rested) return postgres_wait(db, false, deadline_ns, ret_ready, err);
    if (!db->flowing) clock_sleep_ns(COPY_NAP_NS);
    db->rested = !db->flowing;
    db->flowing = false;
    return OK;
}

Status postgres_db_copy_poll(PostgresDb *db, int64_t deadline_ns, bool *ret_ready, Str *ret_row,
                             Err *err)
{
    PQfreemem(db->row);
    db->row = NULL;
    *ret_ready = true;
    bool broken = false;
    if (!db->copying) TRY(copy_out_start(db, deadline_ns, ret_ready, err));
    while (*ret_ready) {
        int len = PQgetCopyData(db->conn, &db->row, 1);
        if (LIKELY(len > 0)) {
            *ret_row = str_make(db->row, len);
            db->flowing = true;
            db->rested = false;
            return OK;
        }
        if (len == -1) {
            *ret_row = STR_NULL;
            db->copying = false;
            return copy_finish(db, NULL, err);
        }
        if (len < -1 || broken) return postgres_db_error(db, NULL, err);
        TRY(copy_more(db, deadline_ns, ret_ready, err));
        /* What the server said last may stand in the buffer: the next round tells. */
        if (*ret_ready) broken = !PQconsumeInput(db->conn);
    }
    return OK;
}

Status postgres_db_copy_get(PostgresDb *db, Str *ret_row, Err *err)
{
    bool ready = false;
    return postgres_db_copy_poll(db, -1, &ready, ret_row, err);
}
