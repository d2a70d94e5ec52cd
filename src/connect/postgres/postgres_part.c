/* One stream of a PostgreSQL source: rows of COPY gathered into batches. */
#include "connect/postgres/postgres_part.h"
#include "connect/postgres/postgres_location.h"
#include "connect/postgres/postgres_refuse.h"
#include "connect/postgres/postgres_statement.h"
#include "foundation/base/clock.h"
#include "foundation/base/mem.h"

/* How long a reader lets others give memory back before it takes its batch all the same. */
enum { POSTGRES_REFUSALS_MAX = 50 };
#define POSTGRES_ROOM_TICK_NS INT64_C(5000000)

void postgres_part_done(PostgresPart *part)
{
    postgres_rows_done(&part->rows);
    *part = (PostgresPart){0};
}

/* ---- memory ---- */

/* Nothing is read while the budget is full; but one batch passes in the end, so that work goes on
 * where it is full of what only later batches can free. */
static bool room_wait(PostgresSource *self, PostgresPart *part, int64_t bytes, int64_t deadline_ns)
{
    if (!self->budget) return true;
    while (!budget_reserve(self->budget, bytes)) {
        int64_t now_ns = clock_mono_ns();
        if (now_ns < deadline_ns) {
            clock_sleep_ns(int64_min(deadline_ns - now_ns, POSTGRES_ROOM_TICK_NS));
            continue;
        }
        if (++part->refusals < POSTGRES_REFUSALS_MAX) return false;
        budget_force(self->budget, bytes);
        break;
    }
    part->refusals = 0;
    return true;
}

/* A long row needs more than a batch usually does. */
static int64_t charge_more(PostgresSource *self, const PostgresPart *part, int64_t charged)
{
    int64_t more = part->rows.chunk ? part->rows.chunk->size * 3 / 2 - charged : 0;
    if (more <= 0 || !self->budget) return 0;
    budget_force(self->budget, more);
    return more;
}

/* ---- reading ---- */

/* Take one row in; *ret_full true when the batch is full and the row waits. */
static Status take_row(PostgresPart *part, Str row, bool *ret_full, Err *err)
{
    if (!part->header) {
        TRY(postgres_rows_header(&row, err));
        part->header = true;
        if (row.len == 0) return OK;
    }
    if (postgres_rows_trailer(row)) return OK;
    TRY(postgres_rows_add(&part->rows, row, ret_full, err));
    part->pending = *ret_full ? row : STR_NULL;
    if (!*ret_full) part->bytes += row.len;
    return OK;
}

/* The next statement of the part; *ret_some false when there is none any more. */
static Status part_start(PostgresSource *self, PostgresPart *part, bool *ret_some, Err *err)
{
    CLEANUP(buf_done) Buf sql = buf_make(POSTGRES_SQL_MAX);
    TRY(postgres_statement_next(self, ret_some, &sql, err));
    if (!*ret_some) return OK;
    if (!part->rows.rows_max) {
        TRY(postgres_rows_init(&part->rows, self->columns.count, POSTGRES_BATCH_ROWS,
                               POSTGRES_BATCH_BYTES, self->source.req->wire, err));
    }
    part->header = false;
    part->reading = true;
    part->started_ns = clock_mono_ns();
    part->held_up_ns = 0;
    return postgres_db_copy_out(part->db, sql.data, err);
}

/* Whoever takes the rows is slower than the readers: one more only takes the processor's time away
 * from it. Its ranges are for those that stay. */
static bool is_one_too_many(const PostgresSource *self, const PostgresPart *part)
{
    if (part == &self->readers.parts[0] || !part->started_ns) return false;
    int64_t took_ns = clock_mono_ns() - part->started_ns;
    return part->held_up_ns > took_ns / 3;
}

Status postgres_part_start(PostgresSource *self, PostgresPart *part, Err *err)
{
    if (part->reading || part->end) return OK;
    if (is_one_too_many(self, part)) {
        part->end = true;
        return OK;
    }
    bool some = false;
    TRY(part_start(self, part, &some, err));
    part->end = !some;
    return OK;
}

/* Gather rows until the batch is full, there are no more or the deadline comes. */
static Status gather(PostgresSource *self, PostgresPart *part, int64_t deadline_ns, Err *err)
{
    bool full = false;
    if (part->pending.ptr) TRY(take_row(part, part->pending, &full, err));
    while (!full) {
        bool ready = false;
        Str row = STR_NULL;
        TRY(postgres_part_start(self, part, err));
        if (part->end) return OK;
        TRY(postgres_db_copy_poll(part->db, deadline_ns, &ready, &row, err));
        if (!ready) return OK;
        if (!row.ptr) part->reading = false;
        else TRY(take_row(part, row, &full, err));
    }
    return OK;
}

/* ---- batches ---- */

static Status decode_columns(const PostgresSource *self, const PostgresPart *part, Batch *batch,
                             PostgresBads *bads, Err *err)
{
    for (int32_t i = 0; i < self->columns.count; i++) {
        Builder builder;
        builder_init(&builder, self->columns.types[i].type, NULL);
        Status status =
            postgres_rows_column(&part->rows, i, self->columns.types[i].form, &builder, bads, err);
        if (status == OK) status = builder_finish(&builder, &batch->columns[i], err);
        builder_done(&builder);
        TRY(status);
    }
    batch->rows = part->rows.rows;
    return OK;
}

static void give_whole(const PostgresPart *part, Batch *batch)
{
    batch->wire = buffer_ref(part->rows.chunk);
    batch->wire_bytes = part->rows.used;
    batch->rows = part->rows.rows;
}

/* The stable watermark where there is one, else the highest cursor of all parts. */
static Status note_cursor(PostgresSource *self, Batch *batch, Err *err)
{
    if (self->cursor < 0) return OK;
    if (self->watermark.settling) {
        return arena_copy(&batch->arena, buf_str(&self->watermark.stable), &batch->span.cursor,
                          err);
    }
    CLEANUP(buf_done) Buf text = buf_make(1 << 21);
    pthread_mutex_lock(&self->watermark.mutex);
    Status status =
        cursor_value_note(&self->watermark.highest, &batch->columns[self->cursor], NULL, err);
    if (status == OK) status = cursor_value_format(&self->watermark.highest, &text, err);
    pthread_mutex_unlock(&self->watermark.mutex);
    TRY(status);
    return arena_copy(&batch->arena, buf_str(&text), &batch->span.cursor, err);
}

static Status batch_of_rows(PostgresSource *self, PostgresPart *part, int32_t number,
                            SourceEvent *event, Err *err)
{
    CLEANUP(batch_unref_p) Batch *batch = NULL;
    CLEANUP(postgres_bads_done) PostgresBads bads = {0};
    TRY(batch_new(self->columns.schema, &batch, err));
    if (part->rows.whole) give_whole(part, batch);
    else TRY(decode_columns(self, part, batch, &bads, err));
    batch->seq = part->seq;
    batch->span = (Span){.part = number,
                         .first = part->ordinal,
                         .next = part->ordinal + part->rows.rows,
                         .bytes = part->bytes};
    TRY(note_cursor(self, batch, err));
    if (bads.count && !self->source.req->rejects) {
        return postgres_refuse_run(self, part, &bads.items[0], err);
    }
    if (bads.count) TRY(postgres_refuse_rows(self, part, &bads, &batch, &event->rejects, err));
    if (event->rejects) event->rejects->span = batch->span;
    part->seq++;
    part->ordinal += part->rows.rows;
    part->bytes = 0;
    event->kind = SOURCE_BATCH;
    event->batch = TAKE(batch);
    return OK;
}

Status postgres_part_next(PostgresSource *self, PostgresPart *part, int32_t number,
                          int64_t deadline_ns, SourceEvent *ret_event, Err *err)
{
    SourceEvent event = {.kind = SOURCE_IDLE};
    int64_t charge = POSTGRES_BATCH_BYTES * 3 / 2;
    bool more = !part->end || part->pending.ptr;
    if (part->left_ns) part->held_up_ns += clock_mono_ns() - part->left_ns;
    part->left_ns = 0;
    if (!more) event.kind = SOURCE_END;
    if (!more || !room_wait(self, part, charge, deadline_ns)) {
        *ret_event = event;
        return OK;
    }
    Status status = gather(self, part, deadline_ns, err);
    charge += charge_more(self, part, charge);
    if (status == OK && part->rows.rows > 0) {
        status = batch_of_rows(self, part, number, &event, err);
    } else if (status == OK && part->end) {
        event.kind = SOURCE_END;
    }
    postgres_rows_clear(&part->rows);
    if (self->budget && event.batch) {
        event.batch->budget = self->budget;
        event.batch->charge_bytes = charge;
    } else if (self->budget) {
        budget_release(self->budget, charge);
    }
    TRY(status);
    part->left_ns = clock_mono_ns();
    *ret_event = event;
    return OK;
}
