/* Merges staged rows into the target: what PostgreSQL does for connect/table. */
#include "connect/postgres/postgres_merge.h"

#include "connect/postgres/postgres_look.h"
#include "connect/postgres/postgres_sink.h"
#include "foundation/base/number.h"
#include "store/db/postgres_error.h"

Status postgres_merge_describe(PostgresSink *self, Err *err)
{
    TableSink *core = &self->core;
    TRY(table_describe(core, buf_str(&self->out.name), self->out.schema, err));
    for (int32_t i = 0; i < core->plan.merge.count; i++) {
        const PostgresColumn *column = &self->out.columns[i];
        core->plan.columns[i].by_text = column->by_text;
        core->plan.columns[i].identity = column->identity;
        core->plan.columns[i].stage = column->stage;
        core->plan.columns[i].fold = column->fold;
        if (postgres_look_is_cast(column)) core->plan.columns[i].cast = column->declared;
    }
    core->plan.exists = self->out.exists;
    core->plan.differs = self->out.differs;
    core->plan.apart = self->out.ruled;
    core->plan.together = true;
    core->cycle.distinct = self->keys.ascend && self->keys.some;
    core->plan.merge.unique = self->out.unique;
    core->plan.merge.own_rows = core->cycle.fresh && core->cycle.direct > 0;
    return OK;
}

static Status driver_exec(TableSink *core, const char *sql, Err *err)
{
    return postgres_db_exec(TABLE_SELF(PostgresSink, POSTGRES_TABLE_DRIVER, core)->session.db, sql,
                            err);
}

static Status driver_query(TableSink *core, const char *sql, const Str *params, int32_t count,
                           TableResult *ret_result, Err *err)
{
    CLEANUP(postgres_db_clear_p) PGresult *rows = NULL;
    TRY(postgres_db_query(TABLE_SELF(PostgresSink, POSTGRES_TABLE_DRIVER, core)->session.db, sql,
                          params, count, &rows, err));
    TableResult result = {
        .rows = PQntuples(rows), .columns = PQnfields(rows), .arena = arena_make(POSTGRES_SQL_MAX)};
    int64_t cells = (int64_t)result.rows * result.columns;
    Status status = OK;
    (void)number_parse_int64(str_from(PQcmdTuples(rows)), &result.changed);
    if (cells) result.cells = arena_alloc(&result.arena, cells * (int64_t)sizeof *result.cells);
    if (cells && !result.cells) status = err_memory(err);
    for (int64_t i = 0; i < cells && status == OK; i++) {
        Str text = postgres_db_text(rows, (int)(i / result.columns), (int)(i % result.columns));
        if (text.ptr) status = arena_copy(&result.arena, text, &result.cells[i], err);
    }
    if (status == OK) *ret_result = result;
    else arena_done(&result.arena);
    return status;
}

static Status driver_has(TableSink *core, const char *table, const char *column, bool *ret_has,
                         Err *err)
{
    static const char COLUMN[] = "SELECT count(*) FROM pg_catalog.pg_attribute WHERE attrelid ="
                                 " to_regclass($1) AND attname = $2 AND NOT attisdropped";
    PostgresDb *db = TABLE_SELF(PostgresSink, POSTGRES_TABLE_DRIVER, core)->session.db;
    Str params[] = {str_from(table), str_from(column)};
    int64_t has = 0;
    TRY(postgres_db_int64(db, column ? COLUMN : "SELECT count(to_regclass($1))", params,
                          column ? 2 : 1, &has, err));
    *ret_has = has > 0;
    return OK;
}

static Str number_str(int64_t value, char text[NUMBER_TEXT_MAX])
{
    return str_make(text, number_format_int64(value, text));
}

static Status driver_run(TableSink *core, SqlMergePart part, TableRange range, int64_t *ret_numbers,
                         int32_t count, Err *err)
{
    PostgresSink *self = TABLE_SELF(PostgresSink, POSTGRES_TABLE_DRIVER, core);
    char from[NUMBER_TEXT_MAX], to[NUMBER_TEXT_MAX];
    Str params[] = {number_str(range.from, from), number_str(range.to, to)};
    CLEANUP(postgres_db_clear_p) PGresult *result = NULL;
    buf_clear(&core->sql);
    TRY(sql_merge_put(&core->plan.merge, part, range.part, &core->sql, err));
    TRY(buf_terminate(&core->sql, err));
    TRY(postgres_db_query(self->session.db, core->sql.data, params, range.part ? 2 : 0, &result,
                          err));
    if (PQntuples(result) == 0) {
        ret_numbers[0] = 0;
        (void)number_parse_int64(str_from(PQcmdTuples(result)), &ret_numbers[0]);
        return OK;
    }
    for (int i = 0; i < count; i++) {
        (void)number_parse_int64(postgres_db_text(result, 0, i), &ret_numbers[i]);
    }
    return OK;
}

static Status driver_read_row(TableSink *core, int64_t ord, TableRow *row, Err *err)
{
    PostgresSink *self = TABLE_SELF(PostgresSink, POSTGRES_TABLE_DRIVER, core);
    char text[NUMBER_TEXT_MAX];
    Str param = number_str(ord, text);
    CLEANUP(postgres_db_clear_p) PGresult *result = NULL;
    buf_clear(&core->sql);
    TRY(sql_merge_put(&core->plan.merge, SQL_MERGE_ROW, false, &core->sql, err));
    TRY(buf_terminate(&core->sql, err));
    TRY(postgres_db_query(self->session.db, core->sql.data, &param, 1, &result, err));
    row->found = PQntuples(result) > 0;
    if (!row->found) return OK;
    (void)number_parse_int64(postgres_db_text(result, 0, 0), &row->row);
    if (core->plan.keyed) TRY(buf_append(&row->key, postgres_db_text(result, 0, 2), err));
    return buf_append(&row->data, postgres_db_text(result, 0, 1), err);
}

static Status driver_save(TableSink *core, TableSave what, Err *err)
{
    static const char *const TEXTS[] = {"SAVEPOINT neuron_merge", "RELEASE neuron_merge",
                                        "ROLLBACK TO neuron_merge; RELEASE neuron_merge"};
    return postgres_db_exec(TABLE_SELF(PostgresSink, POSTGRES_TABLE_DRIVER, core)->session.db,
                            TEXTS[what], err);
}

const TableDriver POSTGRES_TABLE_DRIVER = {
    .dialect = &SQL_POSTGRES,
    .exec = driver_exec,
    .query = driver_query,
    .has = driver_has,
    .run = driver_run,
    .read_row = driver_read_row,
    .save = driver_save,
    .error = postgres_error_in_write,
};

Status postgres_merge(PostgresSink *self, RejectWriter *rejects, SinkCounts *counts, Err *err)
{
    TRY(postgres_merge_describe(self, err));
    if (self->core.sink.req->reject.wanted && self->out.deferrable) {
        /* The server speaks while a refused row can still be found. */
        TRY(postgres_db_exec(self->session.db, "SET CONSTRAINTS ALL IMMEDIATE", err));
    }
    return table_merge(&self->core, rejects, counts, err);
}
