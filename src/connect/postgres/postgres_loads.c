/* What came of a COMMIT whose answer got lost. */
#include "connect/postgres/postgres_loads.h"

#include "connect/postgres/postgres_sink.h"

/* Our own transaction whose session broke may still be open on a server that didn't see the break:
 * it waits for a COMMIT that will never come, and would keep the next run waiting. Known by its
 * backend and its beginning, and ended only while it is idle. */
static Status end_orphan(PostgresSink *self, Err *err)
{
    if (!self->session.pid[0]) return OK;
    Str params[] = {str_from(self->session.pid), str_from(self->session.began)};
    CLEANUP(postgres_db_clear_p) PGresult *result = NULL;
    return postgres_db_query(self->session.db,
                             "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                             " WHERE pid = $1::int AND xact_start = $2::timestamptz"
                             " AND state LIKE 'idle in transaction%' AND pid <> pg_backend_pid()",
                             params, 2, &result, err);
}

/* An insert of the next epoch waits for whoever is at it: afterwards the answer is final. */
static Status wait_for_writer(PostgresDb *db, Str pipeline, Err *err)
{
    TRY(postgres_db_exec(db, "SET LOCAL lock_timeout = '5s'", err));
    CLEANUP(postgres_db_clear_p) PGresult *result = NULL;
    TRY(postgres_db_query(db,
                          "INSERT INTO neuron_loads (pipeline, run_id, epoch) SELECT $1, 'probe',"
                          " coalesce(max(epoch), 0) + 1 FROM neuron_loads WHERE pipeline = $1"
                          " ON CONFLICT (pipeline, epoch) DO NOTHING",
                          &pipeline, 1, &result, err));
    return OK;
}

Status postgres_loads_outcome(PostgresSink *self, Str run_id, int64_t cycle, Outcome *ret_outcome,
                              SinkCounts *ret_counts, Err *err)
{
    bool has = false;
    *ret_outcome = OUTCOME_NOT_COMMITTED;
    TRY(self->core.driver->has(&self->core, TABLE_LOADS, NULL, &has, err));
    if (!has) return OK;
    if (self->core.cycle.phase == TABLE_UNKNOWN) TRY(end_orphan(self, err));
    TRY(postgres_db_begin(self->session.db, "ISOLATION LEVEL READ COMMITTED", POSTGRES_ZONE_UTC,
                          err));
    Status status = wait_for_writer(self->session.db, self->core.sink.req->pipeline, err);
    if (status == OK) {
        status = table_loads_outcome(&self->core, run_id, cycle, ret_outcome, ret_counts, err);
    }
    postgres_db_rollback(self->session.db);
    return status;
}

/* ---- a transaction without a run record ---- */

Status postgres_xid_note(PostgresSink *self, Err *err)
{
    CLEANUP(postgres_db_clear_p) PGresult *result = NULL;
    TRY(postgres_db_query(self->session.db, "SELECT txid_current()", NULL, 0, &result, err));
    Str xid = str_slice(postgres_db_text(result, 0, 0), 0, (int64_t)sizeof self->session.xid - 1);
    if (xid.len) memcpy(self->session.xid, xid.ptr, (size_t)xid.len);
    self->session.xid[xid.len] = 0;
    return OK;
}

Status postgres_xid_outcome(PostgresSink *self, Outcome *ret_outcome, Err *err)
{
    Str xid = str_from(self->session.xid);
    CLEANUP(postgres_db_clear_p) PGresult *result = NULL;
    TRY(end_orphan(self, err));
    TRY(postgres_db_query(self->session.db, "SELECT txid_status($1::bigint)", &xid, 1, &result,
                          err));
    Str status = postgres_db_text(result, 0, 0);
    if (str_eq(status, STR("committed"))) *ret_outcome = OUTCOME_COMMITTED;
    if (str_eq(status, STR("aborted"))) *ret_outcome = OUTCOME_NOT_COMMITTED;
    return OK;
}
