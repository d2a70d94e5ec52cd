/* Writes into a SQLite table: append and replace at once, upsert and mirror through a stage, all in
 * one transaction with the watermark and the run record. */
#include "connect/sqlite/sqlite_sink.h"

#include <stdatomic.h>

#include "foundation/base/clock.h"
#include "foundation/base/mem.h"

static const SinkOps SQLITE_SINK_OPS;

enum { PORT_NUMBER_OUT = 0, PORT_NUMBER_REJECT = 1 };

/* ---- plan ---- */

static Status open_db(SqliteSink *self, SqliteOpen how, Err *err)
{
    if (self->db) return OK;
    Str path = self->core.sink.req->location->path;
    if (sqlite_db_open(path, how, &self->db, err) != OK) {
        return err_where(err, "%.*s", STR_ARG(path));
    }
    self->stop.stop = self->core.sink.req->stop;
    sqlite_db_stop_on(self->db, &self->stop);
    return OK;
}

static Status sqlite_sink_describe(Sink *sink, const Schema *schema, SinkPlan *plan, Err *err)
{
    SqliteSink *self = SINK_SELF(SqliteSink, SQLITE_SINK_OPS, sink);
    plan->exactly_once = true;
    plan->promise = STR("exactly once: rows, watermark and run record in one transaction");
    /* A database that isn't there yet is planned as an empty one in memory. */
    bool there = sqlite_db_open(sink->req->location->path, SQLITE_DB_READ, &self->db, err) == OK;
    if (!there && err->kind != ERR_NOT_FOUND) return FAIL;
    if (!there) TRY(sqlite_db_open(STR(":memory:"), SQLITE_DB_CREATE, &self->db, err));
    Status status = sqlite_sink_look(self, sink->req->table, schema, err);
    if (status == OK) status = sqlite_plan(self, plan, err);
    sqlite_table_done(&self->out);
    sqlite_db_close(self->db);
    self->db = NULL;
    return status;
}

/* ---- state ---- */

/* Run `read` with the database, opened for it where it isn't; nothing where there is none. */
static Status with_database(SqliteSink *self, Status (*read)(SqliteSink *self, void *arg, Err *err),
                            void *arg, Err *err)
{
    if (self->db) return read(self, arg, err);
    if (sqlite_db_open(self->core.sink.req->location->path, SQLITE_DB_READ, &self->db, err) != OK) {
        if (err->kind != ERR_NOT_FOUND) return FAIL;
        err_clear(err);
        return OK;
    }
    Status status = read(self, arg, err);
    sqlite_db_close(self->db);
    self->db = NULL;
    return status;
}

static Status read_state(SqliteSink *self, void *state, Err *err)
{
    TRY(table_loads_state(&self->core, state, err));
    return self->core.sink.req->topic.len ? table_parts_state(&self->core, state, err) : OK;
}

static Status sqlite_sink_state(Sink *sink, LoadState *ret_state, Err *err)
{
    return with_database(SINK_SELF(SqliteSink, SQLITE_SINK_OPS, sink), read_state, ret_state, err);
}

/* ---- parts ---- */

static Status take(SqliteSink *self, const int32_t *parts, int32_t count, Position *ret_from,
                   Err *err)
{
    TRY(sqlite_db_exec(self->db, SINK_PARTS_CREATE, err));
    TRY(table_parts_take(&self->core, parts, count, ret_from, err));
    return sqlite_db_exec(self->db, "COMMIT", err);
}

static Status sqlite_sink_take(Sink *sink, const int32_t *parts, int32_t count, Position *ret_from,
                               bool *ret_taken, Err *err)
{
    SqliteSink *self = SINK_SELF(SqliteSink, SQLITE_SINK_OPS, sink);
    *ret_taken = sqlite_db_exec(self->db, "BEGIN IMMEDIATE", err) == OK;
    if (!*ret_taken && err->kind != ERR_DEADLOCK) return FAIL;
    if (!*ret_taken) {
        err_clear(err);
        return OK;
    }
    Status status = take(self, parts, count, ret_from, err);
    if (status != OK) IGNORE(sqlite_db_exec(self->db, "ROLLBACK", NULL));
    return status;
}

static bool sqlite_sink_holds(const Sink *sink, int32_t part)
{
    return sink_parts_hold(&SINK_SELF(const SqliteSink, SQLITE_SINK_OPS, sink)->core.parts, part);
}

/* The cycle's transaction keeps all others out already. */
static Status sqlite_sink_claim(Sink *sink, const Position *position, const SinkRun *run,
                                bool *ret_held, Err *err)
{
    return table_parts_move(&SINK_SELF(SqliteSink, SQLITE_SINK_OPS, sink)->core, position, run,
                            ret_held, err);
}

/* The run's record, in the open transaction. Those who share a stream are guarded by its parts. */
static Status record(TableSink *core, const Position *position, const SinkRun *run, Err *err)
{
    TRY(table_loads_create(core, false, err));
    if (core->sink.req->topic.len) return table_loads_count(core, run, err);
    TRY(table_loads_fence(core, run->run_id, err));
    return table_loads_record(core, position, run, err);
}

static Status set_state(TableSink *core, const Position *position, Err *err)
{
    CLEANUP(load_state_done) LoadState state;
    load_state_init(&state);
    TRY(table_loads_state(core, &state, err));
    core->epoch = state.epoch;
    SinkRun run = {.run_id = STR("set by hand"), .started_us = clock_now_us(), .advance = true};
    TRY(record(core, position, &run, err));
    return core->driver->exec(core, "COMMIT", err);
}

static Status sqlite_sink_state_set(Sink *sink, const Position *position, Err *err)
{
    SqliteSink *self = SINK_SELF(SqliteSink, SQLITE_SINK_OPS, sink);
    TRY(open_db(self, SQLITE_DB_CREATE, err));
    TRY(sqlite_db_exec(self->db, "BEGIN IMMEDIATE", err));
    table_cycle_begin(&self->core, 0);
    Status status = set_state(&self->core, position, err);
    table_cycle_end(&self->core, status == OK);
    if (status != OK) IGNORE(sqlite_db_exec(self->db, "ROLLBACK", NULL));
    return status;
}

static Status sqlite_sink_open(Sink *sink, Str run_id, int64_t epoch, Err *err)
{
    SqliteSink *self = SINK_SELF(SqliteSink, SQLITE_SINK_OPS, sink);
    TRY(open_db(self, SQLITE_DB_CREATE, err));
    /* Readers of the same file, our own source among them, and this writer don't block each other.
     */
    TRY(sqlite_db_use_wal(self->db, &self->stop, err));
    buf_clear(&self->core.run_id);
    self->core.epoch = epoch;
    return buf_append(&self->core.run_id, run_id, err);
}

static Status sqlite_sink_port(Sink *sink, SinkPortKind kind, Str name, const Schema *schema,
                               int32_t *ret_port, Err *err)
{
    SqliteSink *self = SINK_SELF(SqliteSink, SQLITE_SINK_OPS, sink);
    if (kind == PORT_STATE) return err_set(err, ERR_CONFIG, "sqlite has no state port yet");
    if (kind == PORT_REJECT) {
        *ret_port = PORT_NUMBER_REJECT;
        self->has_reject = true;
        return sqlite_table_inspect(self, &self->reject, name, schema, true, true, err);
    }
    *ret_port = PORT_NUMBER_OUT;
    self->has_out = true;
    return sqlite_sink_look(self, name, schema, err);
}

/* ---- a cycle ---- */

static Status put_values(Buf *sql, int32_t count, Err *err)
{
    TRY(buf_append(sql, STR(") VALUES ("), err));
    for (int32_t i = 0; i < count; i++) TRY(buf_append(sql, i ? STR(", ?") : STR("?"), err));
    return buf_append(sql, STR(")"), err);
}

static Status put_names(const SqliteTable *table, Buf *sql, Err *err)
{
    for (int32_t i = 0; i < table->schema->count; i++) {
        if (i) TRY(buf_append(sql, STR(", "), err));
        TRY(sqlite_db_quote(sql, table->schema->fields[i].name, err));
    }
    return OK;
}

static Status stage_create(SqliteSink *self, Err *err)
{
    TRY(sqlite_db_exec(self->db, "DROP TABLE IF EXISTS temp.neuron_stage", err));
    return table_stage_create(&self->core, err);
}

static Status insert_prepare(SqliteSink *self, SqliteTable *table, Err *err)
{
    Buf *sql = &self->core.sql;
    buf_clear(sql);
    bool stage = table == &self->out && self->core.plan.staged;
    TRY(buf_append(sql, STR("INSERT"), err));
    if (!stage) TRY(buf_append(sql, str_from(table->conflict), err));
    TRY(buf_append(sql, STR(" INTO "), err));
    if (stage) TRY(buf_append(sql, STR("temp.neuron_stage"), err));
    else TRY(sqlite_db_quote_table(sql, buf_str(&table->name), err));
    TRY(buf_append(sql, STR(" ("), err));
    TRY(put_names(table, sql, err));
    if (stage) TRY(buf_append(sql, STR(", neuron_row"), err));
    TRY(put_values(sql, table->schema->count + stage, err));
    sqlite3_finalize(table->insert);
    table->insert = NULL;
    return sqlite_db_prepare(self->db, buf_str(sql), &table->insert, err);
}

/* Nobody else writes from here to the end of the cycle. */
static Status table_begin(SqliteSink *self, SqliteTable *table, Err *err)
{
    TRY(sqlite_table_renew(self, table, err));
    return sqlite_table_prepare(self, table, err);
}

static Status out_begin(SqliteSink *self, Err *err)
{
    TableSink *core = &self->core;
    TableRange all = {0};
    TRY(table_begin(self, &self->out, err));
    TRY(sqlite_merge_describe(self, err));
    sqlite_merge_forget(self);
    if (core->plan.staged) TRY(stage_create(self, err));
    if (table_deletes_first(core)) TRY(table_clear(core, self->out.referred, err));
    TRY(insert_prepare(self, &self->out, err));
    if (!core->plan.uncounted || core->plan.staged) return OK;
    return core->driver->run(core, SQL_MERGE_COUNT, all, &self->rows_before, 1, err);
}

/* What went into a file that nobody finds any more would be lost without a word. */
static Status check_place(const SqliteSink *self, Err *err)
{
    Str path = self->core.sink.req->location->path;
    if (!sqlite_db_has_moved(self->db)) return OK;
    (void)err_set(err, ERR_CONNECT, "sqlite: %.*s was removed or moved, or another file is there",
                  STR_ARG(path));
    return err_hint(err, "nothing of this cycle was written; the next try opens what is there, or "
                         "creates it: put the file back before, or stop neuron first");
}

static Status sqlite_sink_begin(Sink *sink, int64_t cycle, Err *err)
{
    SqliteSink *self = SINK_SELF(SqliteSink, SQLITE_SINK_OPS, sink);
    TableSink *core = &self->core;
    TRY(check_place(self, err));
    TRY(sqlite_db_exec(self->db, "BEGIN IMMEDIATE", err));
    table_cycle_begin(core, cycle);
    if (self->has_out) TRY(out_begin(self, err));
    if (!self->has_reject) return OK;
    Status status = table_begin(self, &self->reject, err);
    if (status == OK) status = insert_prepare(self, &self->reject, err);
    return table_rejects_result(core, buf_str(&self->reject.name), status, err);
}

typedef struct RowWrite {
    SqliteSink *self;
    SqliteTable *table;
    const Batch *batch;
    RejectList refused;
    TableSearch search;
    int64_t discarded;
    bool saves; /* a statement that fails may leave something behind */
} RowWrite;

static Status refuse(RowWrite *w, int64_t row, ErrKind kind, const char *sqlstate, Str column,
                     Str reason, Err *err)
{
    Reject reject = {.row = row, .kind = kind, .position = -1, .column = column, .reason = reason};
    memcpy(reject.sqlstate, sqlstate, strlen(sqlstate) + 1);
    return reject_list_add(&w->refused, &reject, err);
}

/* *ret_bound false: a value doesn't fit and the row was refused. */
static Status row_bind(RowWrite *w, int64_t row, bool *ret_bound, Err *err)
{
    SqliteTable *table = w->table;
    *ret_bound = false;
    for (int32_t i = 0; i < table->schema->count; i++) {
        const char *reason = NULL;
        TRY(sqlite_bind_value(w->self->db, table->insert, i + 1, &w->batch->columns[i], row,
                              table->affinity[i], &reason, err));
        if (reason) {
            return refuse(w, row, ERR_DATA, "22000", table->schema->fields[i].name,
                          str_from(reason), err);
        }
    }
    *ret_bound = true;
    return OK;
}

static Status key_check(RowWrite *w, int64_t row, bool *ret_whole, Err *err)
{
    const SinkReq *req = w->self->core.sink.req;
    *ret_whole = true;
    for (int32_t i = 0; i < req->key_count; i++) {
        int32_t column = schema_find(w->table->schema, req->key[i]);
        if (!column_is_null(&w->batch->columns[column], row)) continue;
        *ret_whole = false;
        return refuse(w, row, ERR_CONSTRAINT, "23502", req->key[i], STR("the key is NULL"), err);
    }
    return OK;
}

/* Run the INSERT that is bound. */
static Status row_insert(RowWrite *w, int64_t row, Err *err)
{
    SqliteSink *self = w->self;
    if (w->saves) TRY(sqlite_save(self, TABLE_SAVE_BEGIN, err));
    int code = sqlite3_step(w->table->insert);
    if (LIKELY(code == SQLITE_DONE)) {
        (void)sqlite3_reset(w->table->insert);
        w->search.taken = true;
        w->discarded += sqlite3_changes64(self->db) == 0;
        return w->saves ? sqlite_save(self, TABLE_SAVE_KEEP, err) : OK;
    }
    IGNORE(sqlite_write_error(self, err));
    (void)sqlite3_reset(w->table->insert);
    WriteError what = sqlite_db_error_in_write(err);
    if (what == WRITE_ERROR_RUN) return FAIL;
    Err cause = *err;
    err_clear(err);
    if (w->saves) TRY(sqlite_save(self, TABLE_SAVE_UNDO, err));
    TRY(table_search_refused(&w->search, what, &cause, err));
    return refuse(w, row, cause.kind, cause.sqlstate, STR_NULL, str_from(cause.message), err);
}

static Status row_write(RowWrite *w, int64_t row, Err *err)
{
    SqliteSink *self = w->self;
    bool go = true;
    bool stage = w->table == &self->out && self->core.plan.staged;
    if (stage && self->core.plan.keyed) TRY(key_check(w, row, &go, err));
    if (go) TRY(row_bind(w, row, &go, err));
    if (!go) return OK;
    if (stage) {
        (void)sqlite3_bind_int64(w->table->insert, w->table->schema->count + 1,
                                 batch_ordinal(w->batch, row));
    }
    return row_insert(w, row, err);
}

/* Where no row may be refused, the first one ends the run. */
static Status rows_write(RowWrite *w, bool may_refuse, Err *err)
{
    TRY(sqlite_db_check(&w->self->stop, err));
    for (int64_t row = 0; row < w->batch->rows; row++) {
        TRY(row_write(w, row, err));
        if (w->refused.count && !may_refuse) return OK;
    }
    return table_search_end(&w->search, err);
}

static Status write_rejects(RowWrite *w, Err *err)
{
    TRY(rows_write(w, false, err));
    Str table = buf_str(&w->table->name);
    int64_t rows = w->batch->rows;
    if (w->refused.count > 0) {
        const Reject *first = &w->refused.items[0];
        return err_set(err, first->kind, "the table of refused rows \"%.*s\" refuses one: %.*s",
                       STR_ARG(table), STR_ARG(first->reason));
    }
    if (w->discarded == 0 || w->table->view) return OK;
    return table_rejects_lost(table, rows, rows - w->discarded, err);
}

static Status write_out(RowWrite *w, RejectWriter *rejects, Err *err)
{
    TableSink *core = &w->self->core;
    TRY(rows_write(w, core->sink.req->reject.wanted, err));
    int64_t rows = w->batch->rows - w->refused.count;
    core->cycle.written += rows;
    if (core->plan.staged) core->cycle.next_ord += rows;
    else core->cycle.direct += rows;
    if (!core->plan.staged && !core->plan.uncounted) core->cycle.discarded += w->discarded;
    if (w->refused.count == 0) return OK;
    if (rejects) return reject_writer_add(rejects, STR("load"), w->batch, &w->refused, err);
    return err_set(err, w->refused.items[0].kind, "%.*s", STR_ARG(w->refused.items[0].reason));
}

static Status sqlite_sink_write(Sink *sink, int32_t port, Batch *batch, RejectWriter *rejects,
                                Err *err)
{
    SqliteSink *self = SINK_SELF(SqliteSink, SQLITE_SINK_OPS, sink);
    bool out = port == PORT_NUMBER_OUT;
    RowWrite w = {.self = self,
                  .table = out ? &self->out : &self->reject,
                  .batch = batch,
                  .search.stream = sink->req->cycle_us > 0};
    w.saves = out && !self->core.plan.staged && self->out.halfway;
    reject_list_init(&w.refused);
    Status status = out ? write_out(&w, rejects, err) : write_rejects(&w, err);
    if (!out) status = table_rejects_result(&self->core, buf_str(&w.table->name), status, err);
    reject_list_done(&w.refused);
    return status;
}

/* A view doesn't say how many rows it took: how many it shows more does. */
static Status count_view(SqliteSink *self, Err *err)
{
    TableSink *core = &self->core;
    TableRange all = {0};
    int64_t rows = 0;
    TRY(core->driver->run(core, SQL_MERGE_COUNT, all, &rows, 1, err));
    core->cycle.discarded = int64_max(core->cycle.written - (rows - self->rows_before), 0);
    return OK;
}

static Status sqlite_sink_apply(Sink *sink, RejectWriter *rejects, SinkCounts *ret_counts, Err *err)
{
    SqliteSink *self = SINK_SELF(SqliteSink, SQLITE_SINK_OPS, sink);
    TableSink *core = &self->core;
    *ret_counts = (SinkCounts){0};
    if (!self->has_out) return OK;
    if (core->plan.staged) return table_merge(core, rejects, ret_counts, err);
    if (core->plan.uncounted) TRY(count_view(self, err));
    *ret_counts = table_straight_counts(core);
    return OK;
}

/* The next cycle sees the tables as this one left them. */
static void cycle_committed(SqliteSink *self)
{
    table_cycle_end(&self->core, true);
    self->out.exists = true;
    self->out.new_count = 0;
    self->reject.exists = true;
    self->reject.new_count = 0;
}

/* What is replayed leaves its table. Two replays at once would load it twice. */
static Status replayed_leave(SqliteSink *self, Err *err)
{
    CLEANUP(sqlite_db_finalize_p) sqlite3_stmt *statement = NULL;
    Str places = self->core.sink.req->reject.replayed;
    int64_t wanted = 0;
    bool row = false;
    if (!places.len || !self->has_reject) return OK;
    Buf *sql = &self->core.sql;
    buf_clear(sql);
    TRY(buf_append(sql, STR("DELETE FROM "), err));
    TRY(sqlite_db_quote_table(sql, buf_str(&self->reject.name), err));
    TRY(buf_append(sql,
                   STR(" WHERE (rowid, part, \"row\") IN (SELECT value ->> 'neuron_rowid',"
                       " value ->> 'part', value ->> 'row' FROM json_each(?1))"
                       " RETURNING json_array_length(?1)"),
                   err));
    TRY(sqlite_db_prepare(self->db, buf_str(sql), &statement, err));
    if (sqlite3_bind_text64(statement, 1, places.ptr, (sqlite3_uint64)places.len, SQLITE_STATIC,
                            SQLITE_UTF8) != SQLITE_OK) {
        return err_memory(err);
    }
    TRY(sqlite_db_step(self->db, statement, &row, err));
    while (row) {
        wanted = sqlite3_column_int64(statement, 0);
        TRY(sqlite_db_step(self->db, statement, &row, err));
    }
    if (!self->has_out || (wanted > 0 && sqlite3_changes64(self->db) == wanted)) return OK;
    return sink_replayed_gone(err);
}

static Status sqlite_sink_commit(Sink *sink, const Position *position, const SinkRun *run,
                                 CommitResult *ret_result, Err *err)
{
    SqliteSink *self = SINK_SELF(SqliteSink, SQLITE_SINK_OPS, sink);
    bool held = true;
    if (sink_keeps_parts(sink) && self->has_out) {
        TRY(sqlite_sink_claim(sink, position, run, &held, err));
        *ret_result = COMMIT_FENCED;
        if (!held) return OK;
    }
    TRY(replayed_leave(self, err));
    if (sink->req->pipeline.len && self->has_out) {
        TRY(record(&self->core, position, run, err));
    }
    TRY(check_place(self, err));
    TRY(sqlite_db_exec(self->db, "COMMIT", err));
    cycle_committed(self);
    *ret_result = COMMIT_DONE;
    return OK;
}

typedef struct OutcomeAsk {
    Str run_id;
    int64_t cycle;
    Outcome *outcome;
    SinkCounts *counts;
} OutcomeAsk;

static Status read_outcome(SqliteSink *self, void *arg, Err *err)
{
    const OutcomeAsk *ask = arg;
    bool has = false;
    TRY(self->core.driver->has(&self->core, TABLE_LOADS, NULL, &has, err));
    if (!has) return OK;
    return table_loads_outcome(&self->core, ask->run_id, ask->cycle, ask->outcome, ask->counts,
                               err);
}

static Status sqlite_sink_outcome(Sink *sink, Str run_id, int64_t cycle, Outcome *ret_outcome,
                                  SinkCounts *ret_counts, Err *err)
{
    OutcomeAsk ask = {run_id, cycle, ret_outcome, ret_counts};
    *ret_outcome = OUTCOME_NOT_COMMITTED;
    return with_database(SINK_SELF(SqliteSink, SQLITE_SINK_OPS, sink), read_outcome, &ask, err);
}

static Status sqlite_sink_abort(Sink *sink, Err *err)
{
    SqliteSink *self = SINK_SELF(SqliteSink, SQLITE_SINK_OPS, sink);
    atomic_store(&self->stop.cancelled, false);
    bool open = self->core.cycle.phase == TABLE_OPEN;
    table_cycle_end(&self->core, false);
    if (!open || sqlite3_get_autocommit(self->db)) return OK;
    return sqlite_db_exec(self->db, "ROLLBACK", err);
}

static void sqlite_sink_cancel(Sink *sink)
{
    SqliteSink *self = SINK_SELF(SqliteSink, SQLITE_SINK_OPS, sink);
    atomic_store(&self->stop.cancelled, true);
}

static void sqlite_sink_close(Sink *sink)
{
    SqliteSink *self = SINK_SELF(SqliteSink, SQLITE_SINK_OPS, sink);
    sqlite_merge_forget(self);
    for (int32_t i = 0; i <= TABLE_SAVE_UNDO; i++) sqlite3_finalize(self->save[i]);
    sqlite_table_done(&self->out);
    sqlite_table_done(&self->reject);
    if (self->db) sqlite_db_close(self->db);
    table_sink_done(&self->core);
    mem_free(self);
}

static const SinkOps SQLITE_SINK_OPS = {
    .describe = sqlite_sink_describe,
    .state = sqlite_sink_state,
    .state_set = sqlite_sink_state_set,
    .take = sqlite_sink_take,
    .holds = sqlite_sink_holds,
    .claim = sqlite_sink_claim,
    .open = sqlite_sink_open,
    .port = sqlite_sink_port,
    .begin = sqlite_sink_begin,
    .write = sqlite_sink_write,
    .apply = sqlite_sink_apply,
    .commit = sqlite_sink_commit,
    .outcome = sqlite_sink_outcome,
    .abort = sqlite_sink_abort,
    .cancel = sqlite_sink_cancel,
    .close = sqlite_sink_close,
};

Status sqlite_sink_new(const SinkReq *req, Sink **ret_sink, Err *err)
{
    if (!req->table.len && !req->reject.table.len) {
        (void)err_set(err, ERR_CONFIG, "no target table for %.*s", STR_ARG(req->location->text));
        return err_hint(err, "name it: --table, or `table:` in the pipeline");
    }
    SqliteSink *self = mem_zalloc((int64_t)sizeof *self);
    if (!self) return err_memory(err);
    table_sink_init(&self->core, (Sink){.ops = &SQLITE_SINK_OPS, .req = req}, &SQLITE_TABLE_DRIVER,
                    SQLITE_SQL_MAX);
    self->out.name = buf_make(4096);
    self->reject.name = buf_make(4096);
    *ret_sink = &self->core.sink;
    return OK;
}
