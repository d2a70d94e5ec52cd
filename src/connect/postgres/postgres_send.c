/* Rows on their way: encoded, sent by COPY, halved where the server refuses; rejects beside them.
 */
#include "connect/postgres/postgres_send.h"

#include <assert.h>

#include "connect/postgres/postgres_merge.h"
#include "connect/postgres/postgres_sink.h"
#include "store/db/postgres_error.h"

static const char HEADER[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0";
enum { HEADER_LEN = 19 };

/* A COPY after a savepoint ends after so much: what is refused is looked for in it. */
enum { GUARDED_BYTES = 2 << 20 };

/* ---- encoding ---- */

static Status refuse(RejectList *refused, int64_t row, ErrKind kind, const char *sqlstate,
                     Str column, Str reason, Err *err)
{
    Reject reject = {.row = row, .kind = kind, .position = -1, .column = column, .reason = reason};
    int64_t len = int64_min((int64_t)strlen(sqlstate), 5);
    memcpy(reject.sqlstate, sqlstate, (size_t)len);
    return reject_list_add(refused, &reject, err);
}

static Status put_prefix(PostgresSink *self, const PostgresTable *table, const Batch *batch,
                         int64_t row, Buf *out, Err *err)
{
    int32_t extra = table->prefix == POSTGRES_PREFIX_NONE ? 0 : 2;
    TRY(buf_reserve(out, 2, err));
    (void)postgres_put16(out->data + out->len, table->schema->count + extra);
    out->len += 2;
    switch (table->prefix) {
    case POSTGRES_PREFIX_STAGE:
        TRY(postgres_put_int64(out, self->core.cycle.next_ord, err));
        return postgres_put_int64(out, batch_ordinal(batch, row), err);
    case POSTGRES_PREFIX_REJECT:
        TRY(postgres_put_bytes(out, self->core.run_id.data, self->core.run_id.len, err));
        return postgres_put_int64(out, self->rejects.seq, err);
    case POSTGRES_PREFIX_NONE:
        break;
    }
    return OK;
}

/* *ret_encoded false: a value can't be held, and nothing was added. */
static Status row_encode(PostgresSink *self, PostgresTable *table, const Batch *batch, int64_t row,
                         RejectList *refused, bool *ret_encoded, Err *err)
{
    PostgresEncoder *e = &self->copy.encoder;
    int64_t start = e->out->len;
    TRY(put_prefix(self, table, batch, row, e->out, err));
    for (int32_t i = 0; i < table->schema->count; i++) {
        TRY(postgres_encode(e, &table->columns[i], &batch->columns[i], row, err));
        if (LIKELY(!e->reason)) continue;
        if (table->prefix == POSTGRES_PREFIX_REJECT) {
            /* The row's data has it too, escaped. */
            e->reason = NULL;
            TRY(postgres_put_null(e->out, err));
            continue;
        }
        e->out->len = start;
        Str reason = str_from(e->reason);
        e->reason = NULL;
        *ret_encoded = false;
        ErrKind kind = strncmp(e->sqlstate, "23", 2) == 0 ? ERR_CONSTRAINT : ERR_DATA;
        return refuse(refused, row, kind, e->sqlstate, table->schema->fields[i].name, reason, err);
    }
    *ret_encoded = true;
    return OK;
}

/* A key column that is NULL, or -1. */
static int32_t null_key(const PostgresSink *self, const PostgresTable *table, const Batch *batch,
                        int64_t row)
{
    const SinkReq *req = self->core.sink.req;
    if (!self->core.plan.keyed || table != &self->out) return -1;
    for (int32_t i = 0; i < req->key_count; i++) {
        int32_t column = schema_find(table->schema, req->key[i]);
        if (column >= 0 && column_is_null(&batch->columns[column], row)) return column;
    }
    return -1;
}

/* Row by row: what is refused is left out, and said why. */
static Status rows_one_by_one(PostgresSink *self, PostgresTable *table, const Batch *batch,
                              PostgresRowsOut *rows, RejectList *refused, Err *err)
{
    for (int64_t row = 0; row < batch->rows; row++) {
        int32_t null = null_key(self, table, batch, row);
        if (UNLIKELY(null >= 0)) {
            TRY(refuse(refused, row, ERR_CONSTRAINT, "23502", table->schema->fields[null].name,
                       STR("the key is NULL"), err));
            continue;
        }
        bool encoded = false;
        TRY(row_encode(self, table, batch, row, refused, &encoded, err));
        if (UNLIKELY(!encoded)) continue;
        rows->ends[rows->count] = rows->bytes.len;
        rows->rows[rows->count++] = row;
        if (table->prefix == POSTGRES_PREFIX_REJECT) self->rejects.seq++;
        else self->core.cycle.next_ord++;
    }
    return OK;
}

static bool has_null_key(const PostgresSink *self, const PostgresTable *table, const Batch *batch)
{
    const SinkReq *req = self->core.sink.req;
    bool nullable = false;
    for (int32_t i = 0; i < req->key_count && self->core.plan.keyed; i++) {
        int32_t column = schema_find(table->schema, req->key[i]);
        nullable |= column >= 0 && batch->columns[column].valid;
    }
    for (int64_t row = 0; nullable && row < batch->rows; row++) {
        if (null_key(self, table, batch, row) >= 0) return true;
    }
    return false;
}

/* All rows at once; *ret_done false where one needs a look of its own. */
static Status rows_together(PostgresSink *self, PostgresTable *table, const Batch *batch,
                            PostgresRowsOut *rows, bool *ret_done, Err *err)
{
    *ret_done = false;
    if (table->prefix == POSTGRES_PREFIX_REJECT || has_null_key(self, table, batch)) return OK;
    PostgresRowHead head = {table->prefix == POSTGRES_PREFIX_STAGE, self->core.cycle.next_ord};
    TRY(postgres_encode_rows(&self->copy.encoder, table->columns, batch, &head,
                             rows->ends + rows->count, ret_done, err));
    if (!*ret_done) return OK;
    for (int64_t row = 0; row < batch->rows; row++) rows->rows[rows->count++] = row;
    self->core.cycle.next_ord += batch->rows;
    return OK;
}

Status postgres_rows_encode(PostgresSink *self, PostgresTable *table, const Batch *batch,
                            PostgresRowsOut *rows, RejectList *refused, Err *err)
{
    bool done = false;
    TRY(postgres_rows_out_reserve(rows, batch->rows, err));
    self->copy.encoder.out = &rows->bytes;
    self->copy.encoder.reason = NULL;
    TRY(rows_together(self, table, batch, rows, &done, err));
    return done ? OK : rows_one_by_one(self, table, batch, rows, refused, err);
}

/* ---- sending ---- */

Status postgres_copy_sql(const PostgresTable *table, const char *stage, Buf *sql, Err *err)
{
    TRY(buf_append(sql, STR("COPY "), err));
    if (stage) {
        TRY(buf_append(sql, str_from(stage), err));
    } else {
        TRY(postgres_db_quote_table(sql, buf_str(&table->name), err));
        TRY(buf_append(sql, STR(" ("), err));
        TRY(postgres_table_names(table, "", sql, err));
        TRY(buf_append_char(sql, ')', err));
    }
    return buf_append(sql, STR(" FROM STDIN (FORMAT binary)"), err);
}

static Status copy_begin(PostgresSink *self, const PostgresTable *table, const char *stage,
                         Err *err)
{
    buf_clear(&self->core.sql);
    TRY(postgres_copy_sql(table, stage, &self->core.sql, err));
    TRY(buf_terminate(&self->core.sql, err));
    TRY(postgres_db_copy_in(self->session.db, self->core.sql.data, err));
    return postgres_db_copy_put(self->session.db, str_make(HEADER, HEADER_LEN), err);
}

/* *ret_taken: rows that the server says it took. */
static Status copy_end(PostgresSink *self, int64_t *ret_taken, Err *err)
{
    static const char TRAILER[] = "\377\377";
    /* When the put fails, the end says why. */
    Err ignored = {0};
    IGNORE(postgres_db_copy_put(self->session.db, str_make(TRAILER, 2), &ignored));
    return postgres_db_copy_end(self->session.db, ret_taken, err);
}

Status postgres_copy_all(PostgresSink *self, const PostgresTable *table, const char *stage,
                         Str bytes, int64_t *ret_taken, Err *err)
{
    TRY(copy_begin(self, table, stage, err));
    Err ignored = {0};
    IGNORE(postgres_db_copy_put(self->session.db, bytes, &ignored));
    return copy_end(self, ret_taken, err);
}

/* The same of `sent` rows into the target or its stage: those that the target left out are
 * counted. */
static Status copy_end_counted(PostgresSink *self, int64_t sent, Err *err)
{
    int64_t taken = sent;
    TRY(copy_end(self, &taken, err));
    bool fits = self->out.prefix == POSTGRES_PREFIX_STAGE ? taken == sent : taken <= sent;
    if (fits) {
        self->core.cycle.discarded += sent - taken;
        return OK;
    }
    return err_set(err, ERR_INTERNAL, "postgresql: COPY of %lld rows wrote %lld", (long long)sent,
                   (long long)taken);
}

static Str rows_slice(const PostgresRowsOut *rows, int64_t from, int64_t to)
{
    int64_t start = from ? rows->ends[from - 1] : 0;
    return str_make(rows->bytes.data + start, (to ? rows->ends[to - 1] : 0) - start);
}

static const char *stage_name(const PostgresSink *self)
{
    return self->out.prefix == POSTGRES_PREFIX_STAGE ? POSTGRES_STAGE : NULL;
}

static Status copy_range(PostgresSink *self, int64_t from, int64_t to, Err *err)
{
    TRY(copy_begin(self, &self->out, stage_name(self), err));
    Err ignored = {0};
    IGNORE(
        postgres_db_copy_put(self->session.db, rows_slice(&self->copy.rows, from, to), &ignored));
    return copy_end_counted(self, to - from, err);
}

static bool is_refusal(const Err *err)
{
    return postgres_error_in_write(err) != WRITE_ERROR_RUN;
}

/* The column that the server's error names. */
static Str error_column(const Err *err)
{
    Str where = str_from(err->where);
    return str_starts(where, STR("column ")) ? str_slice(where, 7, where.len) : STR_NULL;
}

/* Rows on their way after a savepoint, and what was refused of the batch that is at it. */
typedef struct Sending {
    PostgresSink *self;
    RejectWriter *rejects;
    RejectList refused;
    int32_t batch; /* that `refused` is of */
    int64_t total;
    TableSearch search;
} Sending;

static Status refused_write(Sending *s, Err *err)
{
    if (s->refused.count == 0) return OK;
    const Batch *batch = s->self->copy.rows.held[s->batch];
    Status status = s->rejects ? reject_writer_add(s->rejects, STR("load"), batch, &s->refused, err)
                               : err_set(err, s->refused.items[0].kind, "%.*s",
                                         STR_ARG(s->refused.items[0].reason));
    reject_list_clear(&s->refused);
    return status;
}

static Status refuse_sent(Sending *s, int64_t at, const Err *cause, Err *err)
{
    const PostgresRowsOut *rows = &s->self->copy.rows;
    int32_t batch = 0;
    TRY(table_search_refused(&s->search, postgres_error_in_write(cause), cause, err));
    while (at >= rows->held_ends[batch]) batch++;
    if (batch != s->batch) TRY(refused_write(s, err));
    s->batch = batch;
    s->total++;
    s->self->core.cycle.written--;
    if (!stage_name(s->self)) s->self->core.cycle.direct--;
    return refuse(&s->refused, rows->rows[at], cause->kind, cause->sqlstate, error_column(cause),
                  str_from(cause->message), err);
}

static Status send_range(Sending *s, int64_t from, int64_t to, Err *err);

static Status send_halves(Sending *s, int64_t from, int64_t to, Err *err)
{
    int64_t middle = from + (to - from) / 2;
    TRY(send_range(s, from, middle, err));
    if (s->total && !s->self->core.sink.req->reject.wanted)
        return OK; /* one is enough to end the run */
    return send_range(s, middle, to, err);
}

/* Send the rows [from, to); where the server refuses, halve until the row is found. */
static Status send_range(Sending *s, int64_t from, int64_t to, Err *err)
{
    PostgresSink *self = s->self;
    if (from == to) return OK;
    TRY(postgres_db_exec(self->session.db, "SAVEPOINT neuron_copy", err));
    if (copy_range(self, from, to, err) == OK) {
        s->search.taken = true;
        return postgres_db_exec(self->session.db, "RELEASE neuron_copy", err);
    }
    if (!is_refusal(err)) return FAIL;
    Err cause = *err;
    err_clear(err);
    TRY(postgres_db_exec(self->session.db, "ROLLBACK TO neuron_copy; RELEASE neuron_copy", err));
    if (to - from == 1) return refuse_sent(s, from, &cause, err);
    return send_halves(s, from, to, err);
}

/* Rows that nobody opened are known by their number alone. */
static Status unopened_refused(const PostgresSink *self, Err *err)
{
    int64_t row = postgres_db_copy_line(self->session.db);
    if (!self->copy.unopened || !err || !is_refusal(err) || row == 0) return FAIL;
    (void)err_prefix(err, "load: row %lld: ", (long long)row);
    return err_hint(err, "`rejects:` keeps such rows and loads the others");
}

/* Nothing can refuse these rows: one COPY for the whole cycle. */
static Status send_stream(PostgresSink *self, Str rows, int64_t count, Err *err)
{
    assert(self->copy.phase != POSTGRES_COPY_GUARDED);
    if (self->copy.phase == POSTGRES_COPY_IDLE) {
        TRY(copy_begin(self, &self->out, stage_name(self), err));
        self->copy.phase = POSTGRES_COPY_STREAM;
        self->copy.sent = 0;
    }
    self->copy.sent += count;
    if (postgres_db_copy_put(self->session.db, rows, err) == OK) return OK;
    self->copy.phase = POSTGRES_COPY_IDLE;
    if (postgres_db_copy_end(self->session.db, NULL, err) == OK) return OK;
    return unopened_refused(self, err);
}

int32_t postgres_wire_differs(const PostgresSink *self, const Schema *schema)
{
    for (int32_t i = 0; i < schema->count; i++) {
        const PostgresColumn *column = &self->out.columns[i];
        if (!column->built_in || !str_eq(column->declared, schema->fields[i].native)) return i;
    }
    return -1;
}

/* Unopened rows have the types that they were read with: the table must have the very same. */
static Status wire_check(const PostgresSink *self, const Schema *schema, Err *err)
{
    int32_t other = postgres_wire_differs(self, schema);
    if (self->out.bare && !self->core.plan.staged && other < 0) return OK;
    Str name = buf_str(&self->out.name);
    if (other < 0) {
        (void)err_set(err, ERR_DEADLOCK, "table \"%.*s\" was altered meanwhile", STR_ARG(name));
    } else {
        (void)err_set(err, ERR_DEADLOCK,
                      "table \"%.*s\" was altered meanwhile: column \"%.*s\" is %.*s now, and"
                      " its rows were read as %.*s",
                      STR_ARG(name), STR_ARG(schema->fields[other].name),
                      STR_ARG(self->out.columns[other].declared),
                      STR_ARG(schema->fields[other].native));
    }
    return err_hint(err, "run again: it is then planned for the new definition");
}

Status postgres_wire_send(PostgresSink *self, const Batch *batch, Err *err)
{
    if (!self->copy.unopened) TRY(wire_check(self, batch->schema, err));
    self->core.cycle.written += batch->rows;
    self->core.cycle.direct = self->core.cycle.written;
    self->copy.unopened = true;
    return send_stream(self, str_make((const char *)batch->wire->data, batch->wire_bytes),
                       batch->rows, err);
}

/* Rows go on their way at once, so that the server works on them while the next are made; they are
 * kept until it has taken them. */
static Status send_guarded(PostgresSink *self, int64_t first, Err *err)
{
    assert(self->copy.phase != POSTGRES_COPY_STREAM);
    if (self->copy.phase == POSTGRES_COPY_IDLE) {
        TRY(postgres_db_exec(self->session.db, "SAVEPOINT neuron_copy", err));
        TRY(copy_begin(self, &self->out, stage_name(self), err));
        self->copy.phase = POSTGRES_COPY_GUARDED;
    }
    /* When the put fails, the end says why. */
    Err ignored = {0};
    Str rows = rows_slice(&self->copy.rows, first, self->copy.rows.count);
    IGNORE(postgres_db_copy_put(self->session.db, rows, &ignored));
    return OK;
}

/* End the COPY after a savepoint: its rows are forgotten, or, refused, wait to be looked at. */
static Status guarded_stop(PostgresSink *self, Err *err)
{
    self->copy.phase = POSTGRES_COPY_IDLE;
    if (copy_end_counted(self, self->copy.rows.count, err) == OK) {
        postgres_rows_out_clear(&self->copy.rows);
        return postgres_db_exec(self->session.db, "RELEASE neuron_copy", err);
    }
    if (!is_refusal(err)) return FAIL;
    err_clear(err);
    return postgres_db_exec(self->session.db, "ROLLBACK TO neuron_copy; RELEASE neuron_copy", err);
}

Status postgres_rows_flush(PostgresSink *self, RejectWriter *rejects, Err *err)
{
    if (self->copy.phase == POSTGRES_COPY_GUARDED) TRY(guarded_stop(self, err));
    int64_t count = self->copy.rows.count;
    if (count == 0) return OK;
    Sending sending = {
        .self = self, .rejects = rejects, .search.stream = self->core.sink.req->cycle_us > 0};
    reject_list_init(&sending.refused);
    Status status =
        count == 1 ? send_range(&sending, 0, 1, err) : send_halves(&sending, 0, count, err);
    if (status == OK && self->core.sink.req->reject.wanted) {
        status = table_search_end(&sending.search, err);
    }
    if (status == OK) status = refused_write(&sending, err);
    reject_list_done(&sending.refused);
    postgres_rows_out_clear(&self->copy.rows);
    return status;
}

Status postgres_rows_send(PostgresSink *self, Batch *batch, RejectWriter *rejects, Err *err)
{
    PostgresRowsOut *rows = &self->copy.rows;
    bool stage = stage_name(self) != NULL;
    int64_t first = rows->held_count ? rows->held_ends[rows->held_count - 1] : 0;
    if (rows->count == first) return OK;
    if (stage && !self->core.cycle.has_stage) TRY(table_stage_create(&self->core, err));
    self->core.cycle.written += rows->count - first;
    if (!stage) self->core.cycle.direct = self->core.cycle.written;
    bool bare = self->out.bare && !self->core.sink.req->reject.wanted;
    if (!self->out.checked && (stage || bare)) {
        Status status = send_stream(self, buf_str(&rows->bytes), rows->count, err);
        postgres_rows_out_clear(rows);
        return status;
    }
    bool refused =
        first > 0 &&
        self->copy.phase != POSTGRES_COPY_GUARDED; /* of those before: all are looked at together */
    if (!refused) TRY(send_guarded(self, first, err));
    rows->held[rows->held_count] = batch_ref(batch);
    rows->held_ends[rows->held_count++] = rows->count;
    bool more = !refused && rows->bytes.len < GUARDED_BYTES && rows->held_count < POSTGRES_HELD_MAX;
    return more ? OK : postgres_rows_flush(self, rejects, err);
}

Status postgres_copy_stop(PostgresSink *self, Err *err)
{
    if (self->copy.phase == POSTGRES_COPY_GUARDED) return guarded_stop(self, err);
    if (self->copy.phase == POSTGRES_COPY_IDLE) return OK;
    self->copy.phase = POSTGRES_COPY_IDLE;
    return copy_end_counted(self, self->copy.sent, err) == OK ? OK : unopened_refused(self, err);
}
