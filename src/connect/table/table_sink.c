/* What sinks that write into tables decide alike: the key, what is staged, what is deleted. */
#include "connect/table/table_sink.h"

#include <assert.h>

#include "foundation/base/mem.h"
#include "foundation/codec/json_writer.h"

void table_sink_init(TableSink *sink, Sink base, const TableDriver *driver, int64_t sql_max)
{
    sink->sink = base;
    sink->driver = driver;
    sink->run_id = buf_make(256);
    sink->sql = buf_make(sql_max);
}

void table_sink_done(TableSink *sink)
{
    sink_parts_done(&sink->parts);
    mem_free(sink->plan.columns);
    buf_done(&sink->run_id);
    buf_done(&sink->sql);
}

/* ---- the plan ---- */

static bool mode_needs_key(SinkMode mode)
{
    return mode == SINK_UPSERT || mode == SINK_MIRROR;
}

Status table_check_key(const SinkReq *req, const Schema *schema, Err *err)
{
    if (mode_needs_key(req->mode) && req->key_count == 0) {
        (void)err_set(err, ERR_CONFIG, "mode %s needs a key",
                      req->mode == SINK_MIRROR ? "mirror" : "upsert");
        return err_hint(err, "name its columns: `key: [id]` or --key id");
    }
    for (int32_t i = 0; i < req->key_count; i++) {
        if (schema_find(schema, req->key[i]) >= 0) continue;
        (void)err_set(err, ERR_CONFIG, "the key column \"%.*s\" is not among the columns to load",
                      STR_ARG(req->key[i]));
        Str near = schema_nearest(schema, req->key[i]);
        if (near.len) return err_hint(err, "did you mean \"%.*s\"?", STR_ARG(near));
        return FAIL;
    }
    if (schema->open) {
        return err_set(err, ERR_CONFIG, "a table needs known columns; name them in a select");
    }
    return OK;
}

Status table_key_json(const SinkReq *req, Buf *out, Err *err)
{
    JsonWriter w = json_writer_make(out, err);
    json_array_begin(&w);
    for (int32_t i = 0; i < req->key_count; i++) json_write_text(&w, req->key[i]);
    json_array_end(&w);
    return json_writer_end(&w);
}

/* Replace deletes all and writes anew; where other tables refer to the rows, it merges and deletes
 * what is missing, so that what they refer to stays. An incremental append with a key reads the
 * rows at the watermark again: they are merged too. */
void table_decide(TableSink *sink, bool referred)
{
    const SinkReq *req = sink->sink.req;
    bool again = req->mode == SINK_APPEND && req->key_count > 0 && req->cursor.len > 0;
    bool kept = req->mode == SINK_REPLACE && referred && req->key_count > 0;
    sink->plan.keyed = mode_needs_key(req->mode) || again || kept;
    sink->plan.deletes = req->mode == SINK_MIRROR || kept;
    sink->plan.staged = sink->plan.keyed;
}

static bool in_list(Str name, const Str *list, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        if (str_eq(list[i], name)) return true;
    }
    return false;
}

Status table_describe(TableSink *sink, Str name, const Schema *schema, Err *err)
{
    const SinkReq *req = sink->sink.req;
    SqlColumn *columns = mem_array(schema->count, (int64_t)sizeof *columns);
    if (!columns) return err_memory(err);
    for (int32_t i = 0; i < schema->count; i++) {
        Str column = schema->fields[i].name;
        columns[i] = (SqlColumn){
            .name = column,
            .key = in_list(column, req->key, req->key_count),
            .ignored = in_list(column, req->ignore_for_change, req->ignore_count),
        };
    }
    mem_free(sink->plan.columns);
    sink->plan.columns = columns;
    sink->plan.merge = (SqlMerge){
        .dialect = sink->driver->dialect,
        .table = name,
        .columns = columns,
        .count = schema->count,
        .keyed = sink->plan.keyed,
        .cursor = req->cursor.len ? schema_find(schema, req->cursor) : -1,
        .conflict = "",
    };
    return OK;
}

bool table_deletes_first(const TableSink *sink)
{
    return sink->sink.req->mode == SINK_REPLACE && !sink->plan.deletes && sink->cycle.number == 0 &&
           sink->plan.exists;
}

/* ---- the target as it is ---- */

Status table_missing(Str name, Err *err)
{
    (void)err_set(err, ERR_SCHEMA, "no table \"%.*s\" in the target, and `create: false`",
                  STR_ARG(name));
    return err_hint(err, "create it, or allow it with `create: true`");
}

Status table_column_missing(Str name, Str column, Err *err)
{
    (void)err_set(err, ERR_SCHEMA, "table \"%.*s\" has no column \"%.*s\", and `evolve: false`",
                  STR_ARG(name), STR_ARG(column));
    return err_hint(err, "add the column, leave it out in a select, or allow `evolve: true`");
}

bool table_names_near(Str a, Str b)
{
    return str_eq_nocase(str_trim(a), str_trim(b));
}

Status table_column_near(const Buf *table, Str column, Str there, Err *err)
{
    (void)err_set(err, ERR_SCHEMA, "table \"%.*s\" has no column \"%.*s\", but one named \"%.*s\"",
                  STR_ARG(buf_str(table)), STR_ARG(column), STR_ARG(there));
    return err_hint(err, "map it in a select of all columns: --select '\"%.*s\" AS \"%.*s\", …'",
                    STR_ARG(column), STR_ARG(there));
}

Status table_dropped(Str name, Err *err)
{
    (void)err_set(err, ERR_SCHEMA, "table \"%.*s\" was dropped meanwhile", STR_ARG(name));
    return err_hint(err, "run again: it is created again where that is allowed");
}

/* ---- the cycle ---- */

void table_cycle_begin(TableSink *sink, int64_t number)
{
    assert(sink->cycle.phase == TABLE_CLOSED);
    sink->cycle = (TableCycle){.number = number, .phase = TABLE_OPEN, .next_ord = 1};
}

void table_cycle_unknown(TableSink *sink)
{
    assert(sink->cycle.phase == TABLE_OPEN);
    sink->cycle.phase = TABLE_UNKNOWN;
}

void table_cycle_end(TableSink *sink, bool committed)
{
    assert(!committed || sink->cycle.phase != TABLE_CLOSED);
    if (committed && sink->cycle.fenced) sink->epoch++;
    sink->cycle.fenced = false;
    sink->cycle.phase = TABLE_CLOSED;
    sink_parts_end(&sink->parts, committed);
}

/* ---- replace ---- */

static Status has_rows(TableSink *sink, bool *ret_some, Err *err)
{
    int64_t some = 0;
    TableRange all = {0};
    TRY(sink->driver->run(sink, SQL_MERGE_ANY, all, &some, 1, err));
    *ret_some = some > 0;
    return OK;
}

/* Rows that others refer to must not take those along (ON DELETE CASCADE). */
Status table_clear(TableSink *sink, bool referred, Err *err)
{
    bool some = false;
    int64_t gone = 0;
    assert(sink->cycle.phase == TABLE_OPEN);
    TableRange all = {0};
    if (referred) TRY(has_rows(sink, &some, err));
    if (some) {
        (void)err_set(err, ERR_CONFIG, "other tables refer to rows of \"%.*s\"",
                      STR_ARG(sink->plan.merge.table));
        return err_hint(err, "name the key (`key: [id]`), so that rows are merged and only those"
                             " that are missing are deleted");
    }
    TRY(sink->driver->run(sink, SQL_MERGE_CLEAR, all, &gone, 1, err));
    if (sink->plan.differs) TRY(has_rows(sink, &some, err));
    if (!some) return OK;
    (void)err_set(err, ERR_CONSTRAINT, "rows of \"%.*s\" are still there after DELETE",
                  STR_ARG(sink->plan.merge.table));
    return err_hint(err, "a trigger, rule or policy of the table keeps them: replace can't be had"
                         " with it");
}

Status table_rejects_result(const TableSink *sink, Str table, Status status, Err *err)
{
    bool stream = sink->sink.req->cycle_us > 0;
    if (status == OK || !err || !stream) return status;
    if (err->kind != ERR_CONSTRAINT && err->kind != ERR_DATA && err->kind != ERR_SCHEMA)
        return FAIL;
    err->kind = ERR_HELD;
    (void)err_prefix(err, "the table of dead letters \"%.*s\" takes none: ", STR_ARG(table));
    return err_hint(err,
                    "let the table take every letter (no constraints, triggers or policies of its "
                    "own); nothing of the cycle was committed, and it is tried again");
}

Status table_rejects_lost(Str table, int64_t rows, int64_t kept, Err *err)
{
    (void)err_set(err, ERR_CONSTRAINT, "of %lld refused rows \"%.*s\" kept %lld", (long long)rows,
                  STR_ARG(table), (long long)kept);
    return err_hint(err, "a trigger, rule or policy of that table leaves some out: nothing was"
                         " loaded, so that none is lost");
}

SinkCounts table_straight_counts(const TableSink *sink)
{
    int64_t rows = sink->cycle.written - sink->cycle.discarded;
    return (SinkCounts){.loaded = rows, .inserted = rows, .discarded = sink->cycle.discarded};
}
