/* neuron_positions: where each partition of a stream's topic is, and its fence. */
#include "connect/table/table_loads.h"
#include "foundation/obs/log.h"

#include <assert.h>

enum { STATEMENT_MAX = 8 << 20 };

/* The table was there when the sink was opened. */
static bool was_dropped(const Err *err)
{
    bool missing = err->kind == ERR_NOT_FOUND || err->kind == ERR_SCHEMA;
    return missing && strstr(err->message, SINK_PARTS_TABLE);
}

static Status query(TableSink *t, const char *sql, TableResult *result, Err *err)
{
    Str params[] = {t->sink.req->pipeline, t->sink.req->topic};
    if (t->driver->query(t, sql, params, COUNT_OF(params), result, err) == OK) return OK;
    if (!was_dropped(err)) return FAIL;
    (void)err_set(err, ERR_SCHEMA,
                  "table \"" SINK_PARTS_TABLE "\", which holds the stream's offsets, was dropped "
                  "meanwhile");
    return err_hint(err, "nothing of this cycle was committed; restore the table, or start the "
                         "stream again: the table is created, and the stream goes on from its "
                         "consumer group's offsets");
}

static Status query_buf(TableSink *t, Buf *sql, TableResult *result, Err *err)
{
    TRY(buf_terminate(sql, err));
    return query(t, sql->data, result, err);
}

/* ---- state ---- */

static Status has_any(TableSink *t, bool *ret_any, Err *err)
{
    CLEANUP(table_result_done) TableResult result = {0};
    TRY(t->driver->has(t, SINK_PARTS_TABLE, NULL, ret_any, err));
    if (!*ret_any) return OK;
    TRY(t->driver->query(t, "SELECT count(*) FROM " SINK_PARTS_TABLE " WHERE stream = $1",
                         &t->sink.req->pipeline, 1, &result, err));
    *ret_any = table_int64(&result, 0, 0, 0) > 0;
    return OK;
}

static Status read_parts(TableSink *t, Position *position, Err *err)
{
    CLEANUP(table_result_done) TableResult result = {0};
    TRY(query(t,
              "SELECT partition, next_offset FROM " SINK_PARTS_TABLE
              " WHERE stream = $1 AND topic = $2 AND next_offset IS NOT NULL",
              &result, err));
    for (int32_t i = 0; i < result.rows; i++) {
        TRY(position_put(position, (int32_t)table_int64(&result, i, 0, 0),
                         table_int64(&result, i, 1, -1), err));
    }
    return OK;
}

Status table_parts_state(TableSink *t, LoadState *state, Err *err)
{
    Position parts;
    bool any = false;
    position_init(&parts);
    Status status = has_any(t, &any, err);
    if (status == OK && any) status = read_parts(t, &parts, err);
    if (status == OK && any) status = position_copy(&parts, &state->position, err);
    position_done(&parts);
    return status;
}

/* ---- taking over ---- */

/* The stream has loaded rows, and where it was is known no more: the table was dropped or emptied
 * while nothing ran. */
static void warn_of_loss(const TableSink *t)
{
    LOG(LOG_WARN, "stream",
        "the target has lost the stream's offsets; it goes on from its consumer group's: what was "
        "loaded since those were committed is loaded again",
        log_text("stream", t->sink.req->pipeline), log_text("table", STR(SINK_PARTS_TABLE)));
}

/* A version that knew one process only kept the position of all partitions with its runs: when a
 * stream's first parts are taken over, all of them are. */
static Status take_old(TableSink *t, Err *err)
{
    CLEANUP(load_state_done) LoadState old;
    CLEANUP(table_result_done) TableResult result = {0};
    CLEANUP(buf_done) Buf sql = buf_make(STATEMENT_MAX);
    bool any = false;
    load_state_init(&old);
    TRY(has_any(t, &any, err));
    if (!any) TRY(table_loads_state(t, &old, err));
    if (old.position.count == 0) {
        if (old.epoch > 0) warn_of_loss(t);
        return OK;
    }
    TRY(buf_append(&sql,
                   STR("INSERT INTO " SINK_PARTS_TABLE " (stream, topic, partition, next_offset,"
                       " fence) SELECT $1, $2, m.column1, m.column2, 0 FROM (VALUES "),
                   err));
    for (int32_t i = 0; i < old.position.count; i++) {
        const PartPosition *at = &old.position.parts[i];
        TRY(buf_printf(&sql, err, "%s(%d, CAST(%lld AS bigint))", i ? ", " : "", at->part,
                       (long long)at->next));
    }
    TRY(buf_append(&sql,
                   STR(") AS m WHERE true ORDER BY 3"
                       " ON CONFLICT (stream, topic, partition) DO NOTHING"),
                   err));
    return query_buf(t, &sql, &result, err);
}

Status table_parts_take(TableSink *t, const int32_t *parts, int32_t count, Position *ret_from,
                        Err *err)
{
    CLEANUP(table_result_done) TableResult result = {0};
    CLEANUP(buf_done) Buf sql = buf_make(STATEMENT_MAX);
    TRY(take_old(t, err));
    if (count == 0) return OK;
    TRY(buf_append(&sql,
                   STR("INSERT INTO " SINK_PARTS_TABLE " AS p (stream, topic, partition, fence)"
                       " SELECT $1, $2, m.column1, 1 FROM (VALUES "),
                   err));
    for (int32_t i = 0; i < count; i++) {
        TRY(buf_printf(&sql, err, "%s(%d)", i ? ", " : "", parts[i]));
    }
    TRY(buf_append(
        &sql,
        STR(") AS m WHERE true ORDER BY 3 ON CONFLICT (stream, topic, partition)"
            " DO UPDATE SET fence = p.fence + 1 RETURNING partition, next_offset, fence"),
        err));
    TRY(query_buf(t, &sql, &result, err));
    for (int32_t i = 0; i < result.rows; i++) {
        int32_t part = (int32_t)table_int64(&result, i, 0, 0);
        int64_t next = table_int64(&result, i, 1, -1);
        TRY(sink_parts_put(&t->parts, part, next, table_int64(&result, i, 2, 0), err));
        TRY(position_put(ret_from, part, next, err));
    }
    return OK;
}

/* ---- moving ---- */

static Status put_moves(const SinkParts *parts, Buf *sql, Err *err)
{
    bool first = true;
    for (int32_t i = 0; i < parts->count; i++) {
        const SinkPart *part = &parts->items[i];
        if (part->moves < 0) continue;
        TRY(buf_printf(sql, err, "%s(%d, ", first ? "" : ", ", part->part));
        first = false;
        if (part->next < 0) TRY(buf_append(sql, STR("CAST(NULL AS bigint)"), err));
        else TRY(buf_printf(sql, err, "CAST(%lld AS bigint)", (long long)part->next));
        TRY(buf_printf(sql, err, ", CAST(%lld AS bigint), CAST(%lld AS bigint))",
                       (long long)part->fence, (long long)part->moves));
    }
    return OK;
}

/* Rows are locked in one order by all. */
static Status move_rows(TableSink *t, TableResult *result, Err *err)
{
    const SqlDialect *d = t->driver->dialect;
    CLEANUP(buf_done) Buf sql = buf_make(STATEMENT_MAX);
    TRY(buf_append(
        &sql,
        STR("WITH mine AS (SELECT p.partition AS part, m.column4 AS moves FROM " SINK_PARTS_TABLE
            " AS p JOIN (VALUES "),
        err));
    TRY(put_moves(&t->parts, &sql, err));
    TRY(buf_printf(&sql, err,
                   ") AS m ON p.partition = m.column1 WHERE p.stream = $1 AND p.topic = $2"
                   " AND p.fence = m.column3 AND NOT p.next_offset%sm.column2"
                   " ORDER BY p.partition%s) UPDATE " SINK_PARTS_TABLE " AS p"
                   " SET next_offset = mine.moves FROM mine WHERE p.stream = $1 AND p.topic = $2"
                   " AND p.partition = mine.part RETURNING partition",
                   d->differs, d->lock_rows));
    return query_buf(t, &sql, result, err);
}

static void note_moved(SinkParts *parts, const TableResult *result)
{
    for (int32_t i = 0; i < parts->count; i++) {
        if (parts->items[i].moves >= 0) parts->items[i].held = false;
    }
    for (int32_t i = 0; i < result->rows; i++) {
        SinkPart *part = sink_parts_find(parts, (int32_t)table_int64(result, i, 0, -1));
        if (part) part->held = true;
    }
}

Status table_parts_move(TableSink *t, const Position *position, const SinkRun *run, bool *ret_held,
                        Err *err)
{
    CLEANUP(table_result_done) TableResult result = {0};
    assert(t->cycle.phase == TABLE_OPEN);
    *ret_held = true;
    if (t->parts.moving > 0) return OK;
    *ret_held = sink_parts_move(&t->parts, run->from, position);
    if (!*ret_held || t->parts.moving == 0) return OK;
    TRY(move_rows(t, &result, err));
    note_moved(&t->parts, &result);
    *ret_held = result.rows == t->parts.moving;
    return OK;
}
