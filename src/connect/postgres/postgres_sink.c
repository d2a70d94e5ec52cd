/* Writes into a PostgreSQL table: straight by COPY, or through a stage; a cycle is one transaction
 * with the watermark and the run record. */
#include "connect/postgres/postgres_sink.h"

#include "connect/postgres/postgres_hold.h"
#include "connect/postgres/postgres_loads.h"
#include "connect/postgres/postgres_location.h"
#include "connect/postgres/postgres_merge.h"
#include "connect/postgres/postgres_parts.h"
#include "connect/postgres/postgres_plan.h"
#include "connect/postgres/postgres_target.h"
#include "connect/postgres/postgres_type.h"
#include "foundation/base/clock.h"
#include "foundation/base/mem.h"

static const SinkOps POSTGRES_SINK_OPS;

enum { PORT_NUMBER_OUT = 0, PORT_NUMBER_REJECT = 1 };
#define RECONNECT_NS INT64_C(250000000)
enum { REJECTS_WAIT_MAX = 1 << 20 }; /* bytes of rejects that wait for the end of COPY */

/* ---- state ---- */

static Status sink_of_plan(Sink *sink, const Schema *schema, SinkPlan *plan, Err *err)
{
    PostgresSink *self = SINK_SELF(PostgresSink, POSTGRES_SINK_OPS, sink);
    TRY(postgres_session_open(self, err));
    TRY(postgres_target_look(self, sink->req->table, schema, err));
    postgres_keys_begin(self);
    return postgres_plan(self, plan, err);
}

/* Where each column has the type that it is read as, modifiers and all, and both are built in: then
 * the bytes mean the same on both sides. Refused rows are found by their values, so not there. */
static Status postgres_sink_takes(Sink *sink, const Schema *schema, Str wire, bool *ret_takes,
                                  Err *err)
{
    PostgresSink *self = SINK_SELF(PostgresSink, POSTGRES_SINK_OPS, sink);
    const SinkReq *req = sink->req;
    if (!str_eq(wire, STR(POSTGRES_WIRE)) || req->reject.wanted || schema->open) return OK;
    TRY(postgres_session_open(self, err));
    TRY(postgres_target_look(self, req->table, schema, err));
    const PostgresTable *out = &self->out;
    bool same = out->bare && out->exists && !self->core.plan.staged && out->new_count == 0;
    *ret_takes = same && postgres_wire_differs(self, schema) < 0;
    postgres_table_done(&self->out);
    return OK;
}

static Status postgres_sink_state(Sink *sink, LoadState *ret_state, Err *err)
{
    PostgresSink *self = SINK_SELF(PostgresSink, POSTGRES_SINK_OPS, sink);
    TRY(postgres_session_open(self, err));
    TRY(table_loads_state(&self->core, ret_state, err));
    return postgres_sink_is_shared(self) ? table_parts_state(&self->core, ret_state, err) : OK;
}

static Status postgres_sink_take(Sink *sink, const int32_t *parts, int32_t count,
                                 Position *ret_from, bool *ret_taken, Err *err)
{
    PostgresSink *self = SINK_SELF(PostgresSink, POSTGRES_SINK_OPS, sink);
    return postgres_parts_take(self, parts, count, ret_from, ret_taken, err);
}

static bool postgres_sink_holds(const Sink *sink, int32_t part)
{
    return sink_parts_hold(&SINK_SELF(const PostgresSink, POSTGRES_SINK_OPS, sink)->core.parts,
                           part);
}

static Status postgres_sink_claim(Sink *sink, const Position *position, const SinkRun *run,
                                  bool *ret_held, Err *err)
{
    PostgresSink *self = SINK_SELF(PostgresSink, POSTGRES_SINK_OPS, sink);
    return table_parts_move(&self->core, position, run, ret_held, err);
}

static Status sink_abort_open(Sink *sink, Err *err);

static Status set_state(PostgresSink *self, const Position *position, Err *err)
{
    CLEANUP(load_state_done) LoadState state;
    load_state_init(&state);
    TRY(table_loads_create(&self->core, false, err));
    TRY(postgres_session_transaction(self, err));
    table_cycle_begin(&self->core, 0);
    TRY(table_loads_state(&self->core, &state, err));
    self->core.epoch = state.epoch;
    SinkRun run = {.run_id = STR("set by hand"), .started_us = clock_now_us(), .advance = true};
    TRY(table_loads_fence(&self->core, run.run_id, err));
    TRY(table_loads_record(&self->core, position, &run, err));
    TRY(postgres_db_exec(self->session.db, "COMMIT", err));
    table_cycle_end(&self->core, true);
    return OK;
}

static Status postgres_sink_state_set(Sink *sink, const Position *position, Err *err)
{
    PostgresSink *self = SINK_SELF(PostgresSink, POSTGRES_SINK_OPS, sink);
    TRY(postgres_session_open(self, err));
    Status status = set_state(self, position, err);
    if (status != OK) IGNORE(sink_abort_open(sink, NULL));
    return status;
}

static Status postgres_sink_open(Sink *sink, Str run_id, int64_t epoch, Err *err)
{
    PostgresSink *self = SINK_SELF(PostgresSink, POSTGRES_SINK_OPS, sink);
    TRY(postgres_session_open(self, err));
    if (sink->req->pipeline.len)
        TRY(table_loads_create(&self->core, postgres_sink_is_shared(self), err));
    buf_clear(&self->core.run_id);
    self->core.epoch = epoch;
    self->core.cycle.number = -1;
    return buf_append(&self->core.run_id, run_id, err);
}

static Status postgres_sink_port(Sink *sink, SinkPortKind kind, Str name, const Schema *schema,
                                 int32_t *ret_port, Err *err)
{
    PostgresSink *self = SINK_SELF(PostgresSink, POSTGRES_SINK_OPS, sink);
    if (kind == PORT_STATE) return err_set(err, ERR_CONFIG, "postgresql has no state port");
    if (kind == PORT_REJECT) {
        *ret_port = PORT_NUMBER_REJECT;
        self->has_reject = true;
        self->reject.prefix = POSTGRES_PREFIX_REJECT;
        return postgres_table_inspect(self, &self->reject, name, schema, true, true, err);
    }
    *ret_port = PORT_NUMBER_OUT;
    self->has_out = true;
    return postgres_target_look(self, name, schema, err);
}

/* ---- a cycle ---- */

static Status fence(PostgresSink *self, Err *err)
{
    bool guarded =
        self->core.sink.req->pipeline.len && self->has_out && !postgres_sink_is_shared(self);
    if (!guarded || self->core.cycle.fenced) return OK;
    return table_loads_fence(&self->core, buf_str(&self->core.run_id), err);
}

static bool goes_straight(const PostgresSink *self)
{
    return !self->core.plan.staged || table_deletes_first(&self->core);
}

/* The plan is that of the table as it is now. What goes straight in has the table held from here
 * on; so has a stream, which then never has rows staged for a table that was altered. A long stage
 * would keep others waiting for nothing: its table is held before the merge. */
static Status out_renew(PostgresSink *self, Err *err)
{
    bool was_straight = goes_straight(self);
    if (was_straight) TRY(fence(self, err));
    bool soon = self->core.sink.req->cycle_us > 0 && self->out.new_count == 0;
    TRY(postgres_table_renew(self, &self->out, was_straight || soon, err));
    if (was_straight || !goes_straight(self)) return OK;
    TRY(fence(self, err));
    return postgres_table_renew(self, &self->out, true, err);
}

/* What goes straight into the target takes its epoch first, so that of two only one waits there. */
static Status out_begin(PostgresSink *self, Err *err)
{
    TRY(out_renew(self, err));
    self->core.plan.exists = self->out.exists;
    postgres_keys_begin(self);
    TRY(postgres_fresh_try(self, err));
    if (!goes_straight(self) && !self->core.cycle.fresh) return OK;
    TRY(fence(self, err));
    TRY(postgres_table_hold(self, &self->out, err));
    TRY(postgres_table_prepare(self, &self->out, err));
    return table_deletes_first(&self->core) ? table_clear(&self->core, self->out.referred, err)
                                            : OK;
}

/* Errors that don't know their place get it: the table, and what was being done with it. */
static Status placed(const PostgresSink *self, const char *doing, Status status, Err *err)
{
    if (status == OK || !err || err->where[0] || !self->has_out) return status;
    return err_where(err, "table %.*s, %s", STR_ARG(buf_str(&self->out.name)), doing);
}

static Status postgres_sink_begin(Sink *sink, int64_t cycle, Err *err)
{
    PostgresSink *self = SINK_SELF(PostgresSink, POSTGRES_SINK_OPS, sink);
    self->session.begun = true;
    if (self->session.db) postgres_db_stop_on(self->session.db, NULL);
    TRY(postgres_session_begin(self, postgres_session_transaction, err));
    postgres_rejects_begin(self, cycle == self->core.cycle.number);
    table_cycle_begin(&self->core, cycle);
    self->copy.phase = POSTGRES_COPY_IDLE;
    self->copy.unopened = false;
    self->out.held = self->reject.held = false;
    postgres_rows_out_clear(&self->copy.rows);
    if (self->has_out) TRY(placed(self, "preparing", out_begin(self, err), err));
    if (!self->has_reject) return OK;
    Status status = postgres_table_renew(self, &self->reject, self->reject.new_count == 0, err);
    return table_rejects_result(&self->core, buf_str(&self->reject.name), status, err);
}

static Status write_refused(RejectWriter *rejects, const Batch *batch, const RejectList *refused,
                            Err *err)
{
    if (refused->count == 0) return OK;
    if (rejects) return reject_writer_add(rejects, STR("load"), batch, refused, err);
    return err_set(err, refused->items[0].kind, "%.*s", STR_ARG(refused->items[0].reason));
}

static Status rejects_flush(PostgresSink *self, Err *err)
{
    Status status = postgres_rejects_flush(self, err);
    return table_rejects_result(&self->core, buf_str(&self->reject.name), status, err);
}

static Status write_rejects(PostgresSink *self, Batch *given, Err *err)
{
    CLEANUP(batch_unref_p) Batch *batch = NULL;
    RejectList refused;
    TRY(reject_batch_portable(given, &batch, err));
    reject_list_init(&refused);
    Status status =
        postgres_rows_encode(self, &self->reject, batch, &self->rejects.rows, &refused, err);
    if (status == OK) status = write_refused(NULL, batch, &refused, err);
    reject_list_done(&refused);
    TRY(status);
    return self->rejects.rows.bytes.len > REJECTS_WAIT_MAX ? rejects_flush(self, err) : OK;
}

static Status rows_end(PostgresSink *self, RejectWriter *rejects, Err *err)
{
    TRY(postgres_rows_flush(self, rejects, err));
    return postgres_copy_stop(self, err);
}

static Status write_rows(PostgresSink *self, Batch *batch, RejectWriter *rejects, Err *err)
{
    if (batch->wire) return postgres_wire_send(self, batch, err);
    RejectList refused;
    reject_list_init(&refused);
    postgres_keys_note(self, batch);
    bool stage = self->core.plan.staged && !(self->core.cycle.fresh && self->keys.ascend);
    PostgresPrefix prefix = stage ? POSTGRES_PREFIX_STAGE : POSTGRES_PREFIX_NONE;
    if (self->out.prefix != prefix) TRY(rows_end(self, rejects, err));
    self->out.prefix = prefix;
    Status status = postgres_rows_encode(self, &self->out, batch, &self->copy.rows, &refused, err);
    if (status == OK) status = write_refused(rejects, batch, &refused, err);
    bool stop = refused.count > 0 && !self->core.sink.req->reject.wanted;
    reject_list_done(&refused);
    return status == OK && !stop ? postgres_rows_send(self, batch, rejects, err) : status;
}

static const char *writing(const PostgresSink *self)
{
    return self->out.prefix == POSTGRES_PREFIX_STAGE ? "staging its rows" : "writing its rows";
}

static Status postgres_sink_write(Sink *sink, int32_t port, Batch *batch, RejectWriter *rejects,
                                  Err *err)
{
    PostgresSink *self = SINK_SELF(PostgresSink, POSTGRES_SINK_OPS, sink);
    if (port == PORT_NUMBER_REJECT) return write_rejects(self, batch, err);
    return placed(self, writing(self), write_rows(self, batch, rejects, err), err);
}

static Status publish(PostgresSink *self, RejectWriter *rejects, SinkCounts *ret_counts, Err *err)
{
    TRY(fence(self, err));
    TRY(postgres_table_hold(self, &self->out, err));
    TRY(postgres_table_prepare(self, &self->out, err));
    if (self->core.plan.staged) return postgres_merge(self, rejects, ret_counts, err);
    *ret_counts = table_straight_counts(&self->core);
    return OK;
}

static Status postgres_sink_apply(Sink *sink, RejectWriter *rejects, SinkCounts *ret_counts,
                                  Err *err)
{
    PostgresSink *self = SINK_SELF(PostgresSink, POSTGRES_SINK_OPS, sink);
    *ret_counts = (SinkCounts){0};
    if (!self->has_out) return OK;
    TRY(placed(self, writing(self), rows_end(self, rejects, err), err));
    return placed(self, "publishing", publish(self, rejects, ret_counts, err), err);
}

static void table_committed(PostgresTable *table)
{
    if (!table->prepared) return;
    table->prepared = false;
    table->exists = true;
    table->new_count = 0;
}

/* The next cycle sees the tables as this one left them. */
static void cycle_committed(PostgresSink *self)
{
    table_cycle_end(&self->core, true);
    table_committed(&self->out);
    table_committed(&self->reject);
}

/* *ret_result DONE, or UNKNOWN when nobody knows whether the server got it. */
static Status commit_send(PostgresSink *self, CommitResult *ret_result, Err *err)
{
    CLEANUP(postgres_db_clear_p) PGresult *result = NULL;
    if (self->session.cancelled) return err_set(err, ERR_CANCELLED, "cancelled");
    *ret_result = COMMIT_DONE;
    if (postgres_db_query(self->session.db, "COMMIT", NULL, 0, &result, err) == OK) {
        if (str_eq(str_from(PQcmdStatus(result)), STR("COMMIT"))) return OK;
        return err_set(err, ERR_INTERNAL, "postgresql: the transaction was rolled back at COMMIT");
    }
    bool answered =
        err->sqlstate[0] && PQstatus(postgres_db_conn(self->session.db)) != CONNECTION_BAD;
    if (answered) return FAIL;
    err_clear(err);
    *ret_result = COMMIT_UNKNOWN;
    return OK;
}

static Status postgres_sink_commit(Sink *sink, const Position *position, const SinkRun *run,
                                   CommitResult *ret_result, Err *err)
{
    PostgresSink *self = SINK_SELF(PostgresSink, POSTGRES_SINK_OPS, sink);
    TRY(rejects_flush(self, err));
    TRY(postgres_rejects_leave(self, err));
    if (postgres_sink_is_shared(self) && self->has_out) {
        bool held = true;
        TRY(table_parts_move(&self->core, position, run, &held, err));
        *ret_result = COMMIT_FENCED;
        if (!held) return OK;
        TRY(table_loads_count(&self->core, run, err));
    }
    if (self->core.cycle.fenced) TRY(table_loads_record(&self->core, position, run, err));
    bool known = self->has_out && !postgres_sink_is_shared(self);
    if (!known) TRY(postgres_xid_note(self, err));
    TRY(placed(self, "at COMMIT", commit_send(self, ret_result, err), err));
    postgres_rejects_end(self, *ret_result);
    if (*ret_result == COMMIT_DONE) {
        cycle_committed(self);
        return OK;
    }
    table_cycle_unknown(&self->core);
    postgres_session_close(self);
    return OK;
}

/* The server may be on its way up again: the caller asks once more. */
static void outcome_wait(void)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t cond;
    thread_cond_init(&cond);
    pthread_mutex_lock(&mutex);
    (void)thread_cond_wait(&cond, &mutex, clock_mono_ns() + RECONNECT_NS);
    pthread_mutex_unlock(&mutex);
    pthread_cond_destroy(&cond);
}

static Status outcome_ask(PostgresSink *self, Str run_id, int64_t cycle, Outcome *ret_outcome,
                          SinkCounts *ret_counts, Err *err)
{
    TRY(postgres_session_open(self, err));
    if ((self->has_out && !postgres_sink_is_shared(self)) ||
        self->core.cycle.phase != TABLE_UNKNOWN) {
        return postgres_loads_outcome(self, run_id, cycle, ret_outcome, ret_counts, err);
    }
    TRY(postgres_xid_outcome(self, ret_outcome, err));
    if (*ret_outcome == OUTCOME_UNKNOWN) outcome_wait();
    return OK;
}

static Status postgres_sink_outcome(Sink *sink, Str run_id, int64_t cycle, Outcome *ret_outcome,
                                    SinkCounts *ret_counts, Err *err)
{
    PostgresSink *self = SINK_SELF(PostgresSink, POSTGRES_SINK_OPS, sink);
    TablePhase phase = self->core.cycle.phase;
    *ret_outcome = OUTCOME_UNKNOWN;
    bool known = sink->req->pipeline.len > 0 || (phase == TABLE_UNKNOWN && !self->has_out);
    if (!known) return OK;
    if (phase != TABLE_CLOSED || postgres_session_is_lost(self)) postgres_session_close(self);
    if (phase == TABLE_OPEN) table_cycle_end(&self->core, false);
    if (outcome_ask(self, run_id, cycle, ret_outcome, ret_counts, err) != OK) {
        if (!err_is_retriable(err)) return FAIL;
        err_clear(err);
        outcome_wait();
        *ret_outcome = OUTCOME_UNKNOWN;
        return OK;
    }
    if (phase == TABLE_UNKNOWN && *ret_outcome == OUTCOME_COMMITTED) cycle_committed(self);
    return OK;
}

static Status sink_abort_open(Sink *sink, Err *err UNUSED)
{
    PostgresSink *self = SINK_SELF(PostgresSink, POSTGRES_SINK_OPS, sink);
    table_cycle_end(&self->core, false);
    self->out.prepared = self->reject.prepared = false;
    postgres_rows_out_clear(&self->copy.rows);
    postgres_rows_out_clear(&self->rejects.rows);
    if (!self->session.db) return OK;
    if (postgres_session_is_lost(self)) {
        postgres_session_close(self);
        return OK;
    }
    if (self->copy.phase != POSTGRES_COPY_IDLE) postgres_db_copy_abort(self->session.db);
    self->copy.phase = POSTGRES_COPY_IDLE;
    postgres_db_rollback(self->session.db);
    if (PQtransactionStatus(postgres_db_conn(self->session.db)) != PQTRANS_IDLE)
        postgres_session_close(self);
    return OK;
}

static void postgres_sink_cancel(Sink *sink)
{
    PostgresSink *self = SINK_SELF(PostgresSink, POSTGRES_SINK_OPS, sink);
    pthread_mutex_lock(&self->session.mutex);
    if (self->session.db) {
        self->session.cancelled = true;
        postgres_db_cancel(self->session.db);
    }
    pthread_mutex_unlock(&self->session.mutex);
}

static void postgres_sink_close(Sink *sink)
{
    PostgresSink *self = SINK_SELF(PostgresSink, POSTGRES_SINK_OPS, sink);
    postgres_session_close(self);
    postgres_table_done(&self->out);
    postgres_table_done(&self->reject);
    postgres_rows_out_done(&self->copy.rows);
    postgres_rows_out_done(&self->rejects.rows);
    table_sink_done(&self->core);
    buf_done(&self->copy.encoder.scratch);
    buf_done(&self->copy.encoder.cells);
    timezone_free(self->session.zone);
    pthread_mutex_destroy(&self->session.mutex);
    mem_free(self);
}

static const SinkOps POSTGRES_SINK_OPS = {
    .describe = sink_of_plan,
    .takes = postgres_sink_takes,
    .state = postgres_sink_state,
    .state_set = postgres_sink_state_set,
    .take = postgres_sink_take,
    .holds = postgres_sink_holds,
    .claim = postgres_sink_claim,
    .open = postgres_sink_open,
    .port = postgres_sink_port,
    .begin = postgres_sink_begin,
    .write = postgres_sink_write,
    .apply = postgres_sink_apply,
    .commit = postgres_sink_commit,
    .outcome = postgres_sink_outcome,
    .abort = sink_abort_open,
    .cancel = postgres_sink_cancel,
    .close = postgres_sink_close,
};

Status postgres_sink_new(const SinkReq *req, Sink **ret_sink, Err *err)
{
    if (!req->table.len && !req->reject.table.len) {
        (void)err_set(err, ERR_CONFIG, "no target table for %.*s", STR_ARG(req->location->text));
        return err_hint(err, "name it: --table, or `table:` in the pipeline");
    }
    PostgresSink *self = mem_zalloc((int64_t)sizeof *self);
    if (!self) return err_memory(err);
    table_sink_init(&self->core, (Sink){.ops = &POSTGRES_SINK_OPS, .req = req},
                    &POSTGRES_TABLE_DRIVER, POSTGRES_SQL_MAX);
    pthread_mutex_init(&self->session.mutex, NULL);
    self->copy.encoder.scratch = buf_make(INT64_C(1) << 30);
    self->copy.encoder.cells = buf_make(INT64_C(1) << 34);
    postgres_rows_out_done(&self->copy.rows);
    postgres_rows_out_done(&self->rejects.rows);
    postgres_table_done(&self->out);
    postgres_table_done(&self->reject);
    *ret_sink = &self->core.sink;
    return OK;
}
