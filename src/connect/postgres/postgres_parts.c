/* Partitions of a stream's topic are taken over in a transaction of its own. */
#include "connect/postgres/postgres_parts.h"

#include "connect/postgres/postgres_sink.h"

static Status take_begin(PostgresSink *self, Err *err)
{
    return postgres_db_begin(self->session.db, "ISOLATION LEVEL READ COMMITTED", POSTGRES_ZONE_UTC,
                             err);
}

/* Who is about to commit one of them holds its row, and not for long. */
static Status take(PostgresSink *self, const int32_t *parts, int32_t count, Position *ret_from,
                   Err *err)
{
    TRY(postgres_db_exec(self->session.db, "SET LOCAL lock_timeout = '2s'", err));
    TRY(table_parts_take(&self->core, parts, count, ret_from, err));
    return postgres_db_exec(self->session.db, "COMMIT", err);
}

Status postgres_parts_take(PostgresSink *self, const int32_t *parts, int32_t count,
                           Position *ret_from, bool *ret_taken, Err *err)
{
    TRY(postgres_session_begin(self, take_begin, err));
    if (take(self, parts, count, ret_from, err) == OK) return OK;
    postgres_db_rollback(self->session.db);
    if (strcmp(err->sqlstate, "55P03") != 0) return FAIL;
    err_clear(err);
    *ret_taken = false;
    return OK;
}
