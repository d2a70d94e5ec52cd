/* Refused rows on their way to their place: shaped, and once more in a smaller form where the place
 * refuses them. */
#include "work/flow/flow_rejects.h"

#include "foundation/base/mem.h"
#include "foundation/base/redact.h"

/* Rows of one part that wait to be written; `forms` has an entry for each. */
typedef struct Waiting {
    Batch *rows;
    int32_t *forms;
} Waiting;

Status flow_rejects_init(FlowRejects *rejects, const FlowSpec *spec, Err *err)
{
    Sink *own = spec->rejects.sink;
    *rejects = (FlowRejects){.spec = spec, .sink = own ? own : spec->sink, .port = -1};
    rejects->elsewhere = own && own != spec->sink;
    TRY(reject_writer_init(&rejects->refused, spec->rejects.key, spec->rejects.key_count, err));
    return reject_writer_init(&rejects->unwritten, NULL, 0, err);
}

static void origins_clear(FlowOrigins *origins)
{
    for (int64_t i = 0; i < origins->count; i++) batch_unref(origins->items[i]);
    origins->count = 0;
}

void flow_rejects_done(FlowRejects *rejects)
{
    reject_writer_done(&rejects->refused);
    reject_writer_done(&rejects->unwritten);
    origins_clear(&rejects->origins);
    mem_free(rejects->origins.items);
}

Status flow_rejects_port(FlowRejects *rejects, Err *err)
{
    const FlowSpec *spec = rejects->spec;
    if (!spec->rejects.allowed) return OK;
    CLEANUP(schema_unref_p) Schema *schema = NULL;
    if (spec->rejects.shape.schema) schema = schema_ref(spec->rejects.shape.schema);
    else TRY(reject_schema(&schema, err));
    return sink_port(rejects->sink, PORT_REJECT, spec->rejects.name, schema, &rejects->port, err);
}

Status flow_rejects_begin(FlowRejects *rejects, int64_t cycle, Err *err)
{
    if (rejects->open || !rejects->elsewhere) return OK;
    TRY(sink_begin(rejects->sink, cycle, err));
    rejects->open = true;
    return OK;
}

/* ---- origins ---- */

Status flow_rejects_keep(FlowRejects *rejects, Batch *batch, Err *err)
{
    FlowOrigins *origins = &rejects->origins;
    if (!batch->from) return OK;
    if (origins->count == origins->capacity) {
        int64_t most = origins->capacity ? origins->capacity * 2 : 64;
        Batch **items = mem_realloc(origins->items, most * (int64_t)sizeof *items);
        if (!items) return err_memory(err);
        origins->items = items;
        origins->capacity = most;
    }
    origins->items[origins->count++] = batch_ref(batch->from);
    return OK;
}

/* Ordinals ascend. */
static int64_t find_row(const Batch *batch, int64_t ordinal)
{
    int64_t low = 0, high = batch->rows;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (batch_ordinal(batch, middle) < ordinal) low = middle + 1;
        else high = middle;
    }
    return low < batch->rows && batch_ordinal(batch, low) == ordinal ? low : -1;
}

const Batch *flow_origin(const FlowOrigins *origins, int32_t part, int64_t ordinal,
                         int64_t *ret_row)
{
    for (int64_t i = origins->count - 1; i >= 0; i--) {
        const Batch *batch = origins->items[i];
        const Span *span = &batch->span;
        if (span->part != part || ordinal < span->first || ordinal >= span->next) continue;
        *ret_row = find_row(batch, ordinal);
        if (*ret_row >= 0) return batch;
    }
    return NULL;
}

Status flow_rejects_forget(FlowRejects *rejects, Err *err)
{
    CLEANUP(batch_unref_p) Batch *ignored = NULL;
    origins_clear(&rejects->origins);
    return reject_writer_take(&rejects->refused, &ignored, err);
}

/* ---- writing ---- */

static Str text_or_empty(const Batch *batch, RejectColumn column, int64_t row)
{
    const Column *from = &batch->columns[column];
    return column_is_null(from, row) ? STR_NULL : column_text(from, row);
}

static int64_t row_at(const Batch *rejects, int64_t row)
{
    return column_int64(&rejects->columns[REJECT_ROW])[row];
}

/* A refused row where none is allowed: the run ends and says which it was. */
static Status refused_row_error(const Batch *rejects, Err *err)
{
    Str stage = text_or_empty(rejects, REJECT_STAGE, 0);
    Str column = text_or_empty(rejects, REJECT_COLUMN, 0);
    Str value = redact_value(text_or_empty(rejects, REJECT_VALUE, 0));
    Str key = redact_value(text_or_empty(rejects, REJECT_KEY, 0));
    int64_t row = row_at(rejects, 0);
    (void)err_set(err, ERR_DATA, "%.*s", STR_ARG(text_or_empty(rejects, REJECT_REASON, 0)));
    if (column.len) (void)err_prefix(err, "column \"%.*s\": ", STR_ARG(column));
    if (key.len) {
        (void)err_prefix(err, "%.*s: row %lld (key %.*s): ", STR_ARG(stage), (long long)row + 1,
                         STR_ARG(key));
    } else {
        (void)err_prefix(err, "%.*s: row %lld: ", STR_ARG(stage), (long long)row + 1);
    }
    if (value.len) (void)err_where(err, "value \"%.*s\"", STR_ARG(value));
    return err_hint(err, "fix the row, or set `rejects:` to a table or location for such rows");
}

/* No form of it is left: one message must not be lost, so the run ends before it. */
static Status unwritten_error(const Batch *unwritten, int64_t row, Err *err)
{
    (void)err_set(err, ERR_HELD,
                  "partition %lld, offset %lld: its dead letter can't be written: "
                  "%.*s",
                  (long long)column_int64(&unwritten->columns[REJECT_PART])[row],
                  (long long)row_at(unwritten, row),
                  STR_ARG(text_or_empty(unwritten, REJECT_REASON, row)));
    return err_hint(err, "let the place for dead letters take it, or name another place; nothing "
                         "was committed, and it is tried again");
}

/* The rows of `waiting` that their place refused, in the same order, with their next form. */
static Status take_unwritten(const FlowRejects *rejects, const Batch *unwritten, Waiting *waiting,
                             Err *err)
{
    const FlowRejectShape *shape = &rejects->spec->rejects.shape;
    int64_t *rows = mem_array(unwritten->rows, (int64_t)sizeof *rows);
    if (!rows) return err_memory(err);
    Status status = OK;
    int64_t count = 0;
    for (int64_t i = 0; i < waiting->rows->rows && count < unwritten->rows && status == OK; i++) {
        if (row_at(waiting->rows, i) != row_at(unwritten, count)) continue;
        Str sqlstate = text_or_empty(unwritten, REJECT_SQLSTATE, count);
        int32_t form = shape->next(shape->arg, waiting->forms[i], sqlstate);
        if (form < 0) status = unwritten_error(unwritten, count, err);
        waiting->forms[count] = form;
        rows[count++] = i;
    }
    Batch *left = NULL;
    if (status == OK) status = batch_take(waiting->rows, rows, count, &left, err);
    mem_free(rows);
    TRY(status);
    batch_unref(waiting->rows);
    waiting->rows = left;
    return OK;
}

/* Once in their present form. */
static Status write_once(FlowRejects *rejects, int64_t cycle, Waiting *waiting, Err *err)
{
    const FlowRejectShape *shape = &rejects->spec->rejects.shape;
    const FlowRejectRows rows = {waiting->rows, waiting->forms, &rejects->origins};
    CLEANUP(batch_unref_p) Batch *shaped = NULL;
    CLEANUP(batch_unref_p) Batch *unwritten = NULL;
    TRY(shape->shape(shape->arg, &rows, &shaped, err));
    if (shaped) {
        TRY(flow_rejects_begin(rejects, cycle, err));
        TRY(sink_write(rejects->sink, rejects->port, shaped, &rejects->unwritten, err));
        TRY(reject_writer_take(&rejects->unwritten, &unwritten, err));
    }
    if (unwritten) return take_unwritten(rejects, unwritten, waiting, err);
    batch_unref(waiting->rows);
    waiting->rows = NULL;
    return OK;
}

/* Takes `rows` over: rejects of one part. */
static Status write_part(FlowRejects *rejects, int64_t cycle, Batch *rows, Err *err)
{
    Waiting waiting = {.rows = rows, .forms = mem_array(rows->rows, (int64_t)sizeof(int32_t))};
    Status status = waiting.forms ? OK : err_memory(err);
    if (status == OK) memset(waiting.forms, 0, (size_t)rows->rows * sizeof(int32_t));
    while (status == OK && waiting.rows) status = write_once(rejects, cycle, &waiting, err);
    batch_unref(waiting.rows);
    mem_free(waiting.forms);
    return status;
}

/* What a merge refuses may be of many parts. */
static Status write_parts(FlowRejects *rejects, int64_t cycle, const Batch *batch, Err *err)
{
    const int64_t *parts = column_int64(&batch->columns[REJECT_PART]);
    int64_t *rows = mem_array(batch->rows, (int64_t)sizeof *rows);
    uint8_t *done = mem_zalloc(batch->rows);
    Status status = rows && done ? OK : err_memory(err);
    for (int64_t first = 0; first < batch->rows && status == OK; first++) {
        Batch *part = NULL;
        int64_t count = 0;
        if (done[first]) continue;
        for (int64_t i = first; i < batch->rows; i++) {
            if (parts[i] != parts[first]) continue;
            done[i] = true;
            rows[count++] = i;
        }
        status = batch_take(batch, rows, count, &part, err);
        if (status != OK) break;
        part->span.part = (int32_t)parts[first];
        status = write_part(rejects, cycle, part, err);
    }
    mem_free(rows);
    mem_free(done);
    return status;
}

Status flow_rejects_write(FlowRejects *rejects, int64_t cycle, Batch *batch, Err *err)
{
    if (!rejects->spec->rejects.allowed) return refused_row_error(batch, err);
    if (rejects->spec->rejects.shape.schema) return write_parts(rejects, cycle, batch, err);
    TRY(flow_rejects_begin(rejects, cycle, err));
    return sink_write(rejects->sink, rejects->port, batch, NULL, err);
}

Status flow_rejects_take(FlowRejects *rejects, int64_t cycle, int64_t *ret_rows, Err *err)
{
    CLEANUP(batch_unref_p) Batch *refused = NULL;
    TRY(reject_writer_take(&rejects->refused, &refused, err));
    *ret_rows = refused ? refused->rows : 0;
    return refused ? flow_rejects_write(rejects, cycle, refused, err) : OK;
}
