/* A database for tests of connect/table: it notes each statement, and answers as it is told. */
#ifndef NEURON_TABLE_WORLD_H
#define NEURON_TABLE_WORLD_H

#include <stdio.h>

#include "connect/table/table_loads.h"

enum { WORLD_LOG_MAX = 1 << 16, WORLD_CELLS_MAX = 16, WORLD_BADS_MAX = 8 };

typedef struct TableWorld {
    TableSink sink;
    SinkReq req;
    Str key[2];
    Schema *schema;
    char log[WORLD_LOG_MAX]; /* one line for each statement */
    bool has;                /* tables and columns are there */
    /* The next query's answer. */
    const char *cells[WORLD_CELLS_MAX];
    int32_t rows, columns;
    int64_t changed;
    /* Staged rows that the database refuses, by their numbers, and how. */
    int64_t bads[WORLD_BADS_MAX];
    int32_t bad_count;
    const char *sqlstate;
    WriteError error;
    int64_t numbers[SQL_MERGE_PARTS]; /* what COUNT, MISSING, … give */
} TableWorld;

static inline TableWorld *world_of(TableSink *sink)
{
    return (TableWorld *)sink;
}

static inline PRINTF_LIKE(2, 3) void world_note(TableWorld *w, const char *format, ...)
{
    va_list args;
    size_t used = strlen(w->log);
    va_start(args, format);
    (void)vsnprintf(w->log + used, sizeof w->log - used, format, args);
    va_end(args);
}

static inline Status world_exec(TableSink *sink, const char *sql, Err *err UNUSED)
{
    world_note(world_of(sink), "%s\n", sql);
    return OK;
}

static inline Status world_query(TableSink *sink, const char *sql, const Str *params, int32_t count,
                                 TableResult *result, Err *err)
{
    TableWorld *w = world_of(sink);
    world_note(w, "%s", sql);
    for (int32_t i = 0; i < count; i++) {
        world_note(w, " | %.*s", STR_ARG(params[i].ptr ? params[i] : STR("NULL")));
    }
    world_note(w, "\n");
    *result = (TableResult){.rows = w->rows,
                            .columns = w->columns,
                            .changed = w->changed,
                            .arena = arena_make(1 << 16)};
    int32_t cells = w->rows * w->columns;
    result->cells = ARENA_ARRAY(&result->arena, Str, cells + 1);
    if (!result->cells) return err_memory(err);
    for (int32_t i = 0; i < cells; i++) {
        result->cells[i] = w->cells[i] ? str_from(w->cells[i]) : STR_NULL;
    }
    return OK;
}

static inline Status world_has(TableSink *sink, const char *table UNUSED, const char *column UNUSED,
                               bool *ret_has, Err *err UNUSED)
{
    *ret_has = world_of(sink)->has;
    return OK;
}

static inline const char *world_part_name(SqlMergePart part)
{
    switch (part) {
    case SQL_MERGE_READY:
        return "ready";
    case SQL_MERGE_SUPERSEDE:
        return "supersede";
    case SQL_MERGE_EXPECT:
        return "expect";
    case SQL_MERGE_WRITE:
        return "write";
    case SQL_MERGE_UPDATE:
        return "update";
    case SQL_MERGE_INSERT:
        return "insert";
    case SQL_MERGE_DELETE:
        return "delete";
    case SQL_MERGE_COUNT:
        return "count";
    case SQL_MERGE_MISSING:
        return "missing";
    case SQL_MERGE_ANY:
        return "any";
    case SQL_MERGE_CLEAR:
        return "clear";
    case SQL_MERGE_STAGE:
    case SQL_MERGE_ROW:
    case SQL_MERGE_PARTS:
        break;
    }
    return "other";
}

static inline bool world_is_bad(const TableWorld *w, TableRange range)
{
    for (int32_t i = 0; i < w->bad_count; i++) {
        if (w->bads[i] >= range.from && w->bads[i] <= range.to) return true;
    }
    return false;
}

/* An INSERT writes its range but for what is refused already; what else gives a number is told. */
static inline Status world_run(TableSink *sink, SqlMergePart part, TableRange range,
                               int64_t *ret_numbers, int32_t count, Err *err)
{
    TableWorld *w = world_of(sink);
    world_note(w, "%s", world_part_name(part));
    if (range.part) world_note(w, " %d-%d", (int)range.from, (int)range.to);
    world_note(w, "\n");
    for (int32_t i = 0; i < count; i++) ret_numbers[i] = 0;
    ret_numbers[0] = w->numbers[part];
    if (part != SQL_MERGE_INSERT) return OK;
    if (world_is_bad(w, range)) {
        (void)err_set(err, ERR_CONSTRAINT, "a check failed");
        memcpy(err->sqlstate, w->sqlstate, 6);
        return FAIL;
    }
    ret_numbers[0] = range.to - range.from + 1;
    return OK;
}

static inline Status world_read_row(TableSink *sink UNUSED, int64_t ord, TableRow *row, Err *err)
{
    row->found = true;
    row->row = 100 + ord;
    return buf_append(&row->data, STR("{}"), err);
}

static inline Status world_save(TableSink *sink, TableSave what, Err *err UNUSED)
{
    static const char *const NAMES[] = {"(", ")", "undo"};
    world_note(world_of(sink), "%s\n", NAMES[what]);
    return OK;
}

static inline WriteError world_error(const Err *err UNUSED)
{
    return WRITE_ERROR_ROW;
}

static const TableDriver WORLD_LITE = {
    .dialect = &SQL_SQLITE,
    .exec = world_exec,
    .query = world_query,
    .has = world_has,
    .run = world_run,
    .read_row = world_read_row,
    .save = world_save,
    .error = world_error,
};
static const TableDriver WORLD_POSTGRES = {
    .dialect = &SQL_POSTGRES,
    .exec = world_exec,
    .query = world_query,
    .has = world_has,
    .run = world_run,
    .read_row = world_read_row,
    .save = world_save,
    .error = world_error,
};

/* A sink into the table "t" (id, name); zeroed memory. */
static inline void world_init(TableWorld *w, const TableDriver *driver, SinkMode mode)
{
    static const Field FIELDS[] = {{.name = STR("id"), .type = TYPE_INT64},
                                   {.name = STR("name"), .type = TYPE_TEXT}};
    w->key[0] = STR("id");
    w->sqlstate = "23514";
    w->req = (SinkReq){.mode = mode,
                       .table = STR("t"),
                       .pipeline = STR("p"),
                       .topic = STR("orders"),
                       .config_hash = STR("hash"),
                       .key = w->key,
                       .key_count = mode == SINK_APPEND ? 0 : 1,
                       .max_delete = 1};
    assert_int_equal(schema_new(FIELDS, COUNT_OF(FIELDS), false, &w->schema, NULL), OK);
    table_sink_init(&w->sink, (Sink){.req = &w->req}, driver, 1 << 20);
}

static inline void world_done(TableWorld *w)
{
    schema_unref(w->schema);
    table_sink_done(&w->sink);
}

/* What was noted since the last time. */
static inline void world_expect(TableWorld *w, const char *want)
{
    assert_string_equal(w->log, want);
    w->log[0] = 0;
}

#endif
