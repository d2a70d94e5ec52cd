/* The table of refused rows beside a target: staged, inserted, counted; those of a failed try
 * deleted. */
#include "connect/postgres/postgres_rejects.h"

#include "connect/postgres/postgres_hold.h"
#include "connect/postgres/postgres_sink.h"
#include "foundation/base/number.h"

void postgres_rejects_begin(PostgresSink *self, bool once_more)
{
    PostgresRejects *r = &self->rejects;
    if (once_more) {
        r->seq = r->cycle_seq;
        if (r->leftover == POSTGRES_LEFTOVER_CLEARED) r->leftover = POSTGRES_LEFTOVER_STALE;
    } else {
        bool again = self->core.sink.req->reject.again;
        r->leftover = again ? POSTGRES_LEFTOVER_STALE : POSTGRES_LEFTOVER_NONE;
    }
    r->cycle_seq = r->seq;
    postgres_rows_out_clear(&self->rejects.rows);
}

void postgres_rejects_end(PostgresSink *self, CommitResult result)
{
    PostgresRejects *r = &self->rejects;
    bool before = r->leftover != POSTGRES_LEFTOVER_NONE && result != COMMIT_DONE;
    bool left = r->seq > r->cycle_seq || before;
    r->leftover = left ? POSTGRES_LEFTOVER_STALE : POSTGRES_LEFTOVER_NONE;
}

static Status reject_stage(PostgresSink *self, Err *err)
{
    Buf *sql = &self->core.sql;
    buf_clear(sql);
    TRY(buf_append(sql,
                   STR("CREATE TEMP TABLE IF NOT EXISTS neuron_reject_stage (run_id text,"
                       " seq bigint"),
                   err));
    for (int32_t i = 0; i < self->reject.schema->count; i++) {
        TRY(buf_append(sql, STR(", "), err));
        TRY(postgres_db_quote(sql, self->reject.schema->fields[i].name, err));
        TRY(buf_append_char(sql, ' ', err));
        TRY(buf_append(sql, self->reject.columns[i].stage, err));
    }
    TRY(buf_append(sql, STR(") ON COMMIT DROP; TRUNCATE pg_temp.neuron_reject_stage"), err));
    return postgres_session_run(self, err);
}

/* Nothing keeps refused rows that this table doesn't keep. */
static Status reject_insert(PostgresSink *self, int64_t rows, Err *err)
{
    CLEANUP(postgres_db_clear_p) PGresult *result = NULL;
    Buf *sql = &self->core.sql;
    int64_t kept = 0;
    buf_clear(sql);
    TRY(buf_append(sql, STR("INSERT INTO "), err));
    TRY(postgres_db_quote_table(sql, buf_str(&self->reject.name), err));
    TRY(buf_append(sql, STR(" (run_id, seq, "), err));
    TRY(postgres_table_names(&self->reject, "", sql, err));
    TRY(buf_append(sql, STR(") SELECT run_id, seq, "), err));
    TRY(postgres_table_names(&self->reject, "", sql, err));
    TRY(buf_append(sql, STR(" FROM pg_temp.neuron_reject_stage"), err));
    TRY(buf_terminate(sql, err));
    TRY(postgres_db_query(self->session.db, sql->data, NULL, 0, &result, err));
    (void)number_parse_int64(str_from(PQcmdTuples(result)), &kept);
    return kept == rows ? OK : table_rejects_lost(buf_str(&self->reject.name), rows, kept, err);
}

static Status clear_error(Err *err)
{
    if (strcmp(err->sqlstate, "42501") != 0) return FAIL;
    return err_hint(err, "a run that is tried again replaces the rows that its last try refused: "
                         "GRANT SELECT, DELETE on the table of refused rows");
}

/* Rejects that are committed before the data may be those of a try that failed later: this one
 * replaces them. Those of cycles before stay. Who was not here before needs no right to delete. */
static Status rejects_clear(PostgresSink *self, Err *err)
{
    if (self->rejects.leftover != POSTGRES_LEFTOVER_STALE || self->has_out) return OK;
    char seq[24];
    int len = snprintf(seq, sizeof seq, "%lld", (long long)self->rejects.cycle_seq);
    Str params[] = {buf_str(&self->core.run_id), str_make(seq, len)};
    CLEANUP(postgres_db_clear_p) PGresult *result = NULL;
    Buf *sql = &self->core.sql;
    buf_clear(sql);
    TRY(buf_append(sql, STR("DELETE FROM "), err));
    TRY(postgres_db_quote_table(sql, buf_str(&self->reject.name), err));
    TRY(buf_append(sql, STR(" WHERE run_id = $1 AND seq >= $2::bigint"), err));
    TRY(buf_terminate(sql, err));
    if (postgres_db_query(self->session.db, sql->data, params, COUNT_OF(params), &result, err) !=
        OK) {
        return clear_error(err);
    }
    self->rejects.leftover = POSTGRES_LEFTOVER_CLEARED;
    return OK;
}

Status postgres_rejects_flush(PostgresSink *self, Err *err)
{
    PostgresTable *table = &self->reject;
    int64_t taken = 0;
    if (!self->has_reject) return OK;
    TRY(postgres_copy_stop(self, err));
    TRY(postgres_table_hold(self, table, err));
    TRY(postgres_table_prepare(self, table, err));
    TRY(rejects_clear(self, err));
    if (self->rejects.rows.count == 0) return OK;
    TRY(reject_stage(self, err));
    TRY(postgres_copy_all(self, table, "pg_temp.neuron_reject_stage",
                          buf_str(&self->rejects.rows.bytes), &taken, err));
    postgres_rows_out_clear(&self->rejects.rows);
    return reject_insert(self, taken, err);
}

Status postgres_rejects_leave(PostgresSink *self, Err *err)
{
    Str places = self->core.sink.req->reject.replayed;
    int64_t missing = 0;
    if (!places.len || !self->has_reject) return OK;
    Buf *sql = &self->core.sql;
    buf_clear(sql);
    TRY(buf_append(sql, STR("WITH gone AS (DELETE FROM "), err));
    TRY(postgres_db_quote_table(sql, buf_str(&self->reject.name), err));
    TRY(buf_append(sql,
                   STR(" AS t USING json_to_recordset($1::json) AS p(run_id text, seq bigint,"
                       " \"row\" bigint) WHERE t.run_id = p.run_id AND t.seq = p.seq"
                       " AND t.\"row\" = p.\"row\" RETURNING 1)"
                       " SELECT json_array_length($1::json) - count(*) FROM gone"),
                   err));
    TRY(buf_terminate(sql, err));
    TRY(postgres_db_int64(self->session.db, sql->data, &places, 1, &missing, err));
    return missing == 0 || !self->has_out ? OK : sink_replayed_gone(err);
}
