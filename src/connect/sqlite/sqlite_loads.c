/* neuron_loads in SQLite: each published run with its epoch, watermark and counts. */
#include "connect/sqlite/sqlite_sink.h"
#include "foundation/base/clock.h"

static const char CREATE_LOADS[] =
    "CREATE TABLE IF NOT EXISTS neuron_loads ("
    "pipeline TEXT NOT NULL, run_id TEXT NOT NULL, epoch INTEGER NOT NULL, watermark TEXT,"
    " position TEXT, started_at TEXT NOT NULL, published_at TEXT NOT NULL, status TEXT NOT NULL,"
    " records_extracted INTEGER NOT NULL, records_transformed INTEGER NOT NULL,"
    " records_dropped INTEGER NOT NULL, records_rejected INTEGER NOT NULL,"
    " records_loaded INTEGER NOT NULL, inserted INTEGER NOT NULL, updated INTEGER NOT NULL,"
    " unchanged INTEGER NOT NULL, deleted INTEGER NOT NULL, config_hash TEXT,"
    " PRIMARY KEY (pipeline, epoch))";

Status sqlite_bind_str(sqlite3_stmt *statement, int index, Str text, Err *err)
{
    if (sqlite3_bind_text64(statement, index, text.ptr ? text.ptr : "", (sqlite3_uint64)text.len,
                            SQLITE_TRANSIENT, SQLITE_UTF8) == SQLITE_OK) {
        return OK;
    }
    return err_memory(err);
}

static Str column_str(sqlite3_stmt *statement, int column)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);
    return str_make(text, sqlite3_column_bytes(statement, column));
}

Status sqlite_loads_state(sqlite3 *db, Str pipeline, LoadState *ret_state, Err *err)
{
    bool has = false;
    TRY(sqlite_db_has_table(db, STR("neuron_loads"), &has, err));
    if (!has) return OK;
    CLEANUP(sqlite_db_finalize_p) sqlite3_stmt *statement = NULL;
    TRY(sqlite_db_prepare(db,
                          STR("SELECT epoch, run_id, position, published_at FROM neuron_loads"
                              " WHERE pipeline = ?1 ORDER BY epoch DESC LIMIT 1"),
                          &statement, err));
    TRY(sqlite_bind_str(statement, 1, pipeline, err));
    bool row = false;
    TRY(sqlite_db_step(db, statement, &row, err));
    if (!row) return OK;
    ret_state->epoch = sqlite3_column_int64(statement, 0);
    Str run_id = str_slice(column_str(statement, 1), 0, (int64_t)sizeof ret_state->run_id - 1);
    if (run_id.len) memcpy(ret_state->run_id, run_id.ptr, (size_t)run_id.len);
    ret_state->run_id[run_id.len] = 0;
    bool zone = false;
    (void)datetime_parse_timestamp(column_str(statement, 3), &ret_state->published_at_us, &zone);
    Str position = column_str(statement, 2);
    return position.len ? position_parse(position, &ret_state->position, err) : OK;
}

static Status bind_time(sqlite3_stmt *statement, int index, int64_t us, Err *err)
{
    char text[DATETIME_TEXT_MAX];
    return sqlite_bind_str(statement, index,
                           str_make(text, datetime_format_timestamp(us, 'T', true, text)), err);
}

static Status bind_record(SqliteSink *self, sqlite3_stmt *st, const Position *position,
                          const SinkRun *run, Err *err)
{
    CLEANUP(buf_done) Buf json = buf_make(1 << 24);
    if (!self->core.sink.req->topic.len) TRY(position_format(position, &json, err));
    TRY(sqlite_bind_str(st, 1, self->core.sink.req->pipeline, err));
    TRY(sqlite_bind_str(st, 2, run->run_id, err));
    (void)sqlite3_bind_int64(st, 3, self->core.epoch + 1);
    if (position->cursor.len) TRY(sqlite_bind_str(st, 4, buf_str(&position->cursor), err));
    if (json.len) TRY(sqlite_bind_str(st, 5, buf_str(&json), err));
    TRY(bind_time(st, 6, run->started_us, err));
    TRY(bind_time(st, 7, clock_now_us(), err));
    const int64_t counts[] = {run->extracted,      run->transformed,      run->dropped,
                              run->rejected,       run->counts.loaded,    run->counts.inserted,
                              run->counts.updated, run->counts.unchanged, run->counts.deleted};
    for (int i = 0; i < COUNT_OF(counts); i++) (void)sqlite3_bind_int64(st, 8 + i, counts[i]);
    return sqlite_bind_str(st, 17, self->core.sink.req->config_hash, err);
}

/* Nobody else may have published since this run began: the epoch must still be the one it saw.
 * Those who share a stream are guarded by its parts, and count on. */
static Status epoch_check(SqliteSink *self, Err *err)
{
    CLEANUP(load_state_done) LoadState now;
    load_state_init(&now);
    TRY(sqlite_loads_state(self->db, self->core.sink.req->pipeline, &now, err));
    if (self->core.sink.req->topic.len) self->core.epoch = now.epoch;
    if (now.epoch == self->core.epoch) return OK;
    return err_set(
        err, ERR_FENCED,
        "another run of \"%.*s\" published meanwhile (epoch %lld, this run began at %lld)",
        STR_ARG(self->core.sink.req->pipeline), (long long)now.epoch, (long long)self->core.epoch);
}

/* A stream commits many times a second: only its last records are kept. */
static Status loads_trim(SqliteSink *self, Err *err)
{
    const SinkReq *req = self->core.sink.req;
    if (req->loads_max <= 0) return OK;
    CLEANUP(sqlite_db_finalize_p) sqlite3_stmt *statement = NULL;
    TRY(sqlite_db_prepare(self->db,
                          STR("DELETE FROM neuron_loads WHERE pipeline = ?1 AND epoch <= ?2"),
                          &statement, err));
    TRY(sqlite_bind_str(statement, 1, req->pipeline, err));
    (void)sqlite3_bind_int64(statement, 2, self->core.epoch + 1 - req->loads_max);
    bool row = false;
    return sqlite_db_step(self->db, statement, &row, err);
}

Status sqlite_loads_record(SqliteSink *self, const Position *position, const SinkRun *run, Err *err)
{
    TRY(sqlite_db_exec(self->db, CREATE_LOADS, err));
    TRY(epoch_check(self, err));
    CLEANUP(load_state_done) LoadState last;
    load_state_init(&last);
    if (!run->advance) {
        TRY(sqlite_loads_state(self->db, self->core.sink.req->pipeline, &last, err));
    }
    CLEANUP(sqlite_db_finalize_p) sqlite3_stmt *statement = NULL;
    TRY(sqlite_db_prepare(
        self->db,
        STR("INSERT INTO neuron_loads (pipeline, run_id, epoch, watermark, position, started_at,"
            " published_at, status, records_extracted, records_transformed, records_dropped,"
            " records_rejected, records_loaded, inserted, updated, unchanged, deleted, config_hash)"
            " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'success', ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15,"
            " ?16, ?17)"),
        &statement, err));
    TRY(bind_record(self, statement, run->advance ? position : &last.position, run, err));
    bool row = false;
    TRY(sqlite_db_step(self->db, statement, &row, err));
    return loads_trim(self, err);
}

Status sqlite_loads_outcome(sqlite3 *db, Str pipeline, Str run_id, Outcome *ret_outcome,
                            SinkCounts *ret_counts, Err *err)
{
    *ret_outcome = OUTCOME_NOT_COMMITTED;
    bool has = false;
    TRY(sqlite_db_has_table(db, STR("neuron_loads"), &has, err));
    if (!has) return OK;
    CLEANUP(sqlite_db_finalize_p) sqlite3_stmt *statement = NULL;
    TRY(sqlite_db_prepare(db,
                          STR("SELECT records_loaded, inserted, updated, unchanged, deleted"
                              " FROM neuron_loads WHERE pipeline = ?1 AND run_id = ?2"),
                          &statement, err));
    TRY(sqlite_bind_str(statement, 1, pipeline, err));
    TRY(sqlite_bind_str(statement, 2, run_id, err));
    bool row = false;
    TRY(sqlite_db_step(db, statement, &row, err));
    if (!row) return OK;
    *ret_outcome = OUTCOME_COMMITTED;
    *ret_counts = (SinkCounts){.loaded = sqlite3_column_int64(statement, 0),
                               .inserted = sqlite3_column_int64(statement, 1),
                               .updated = sqlite3_column_int64(statement, 2),
                               .unchanged = sqlite3_column_int64(statement, 3),
                               .deleted = sqlite3_column_int64(statement, 4)};
    return OK;
}
