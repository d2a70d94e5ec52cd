/* Merges staged rows into the target: what SQLite does for connect/table. */
#include <stdio.h>

#include "connect/sqlite/sqlite_sink.h"

/* Foreign keys that SQLite would judge at COMMIT only, where nobody can tell which row it was. */
static bool judges(const SqliteSink *self)
{
    return self->core.sink.req->reject.wanted && self->out.deferrable;
}

static Status judge_foreign_keys(SqliteSink *self, Err *err)
{
    int broken = 0, highest = 0;
    (void)sqlite3_db_status(self->db, SQLITE_DBSTATUS_DEFERRED_FKS, &broken, &highest, 0);
    if (!broken) return OK;
    (void)err_set(err, ERR_CONSTRAINT, "sqlite: FOREIGN KEY constraint failed");
    memcpy(err->sqlstate, "23503", 6);
    return FAIL;
}

/* A key is staged in the collation of the target's column: that decides what is one key. Others
 * than these belong to the program that made them, and nobody else can write to their column. */
static const char *key_collation(SqliteSink *self, const char *name)
{
    static const char *const KNOWN[][2] = {{"NOCASE", "COLLATE NOCASE"},
                                           {"RTRIM", "COLLATE RTRIM"}};
    Str table = buf_str(&self->out.name);
    int64_t dot = str_find_char(table, '.');
    char schema[64] = "main", bare[256];
    if (dot >= 0) str_to_array(schema, (int64_t)sizeof schema, str_slice(table, 0, dot));
    str_to_array(bare, (int64_t)sizeof bare, str_slice(table, dot + 1, table.len));
    const char *collation = NULL;
    int code = sqlite3_table_column_metadata(self->db, schema, bare, name, NULL, &collation, NULL,
                                             NULL, NULL);
    for (int64_t i = 0; code == SQLITE_OK && collation && i < COUNT_OF(KNOWN); i++) {
        if (sqlite3_stricmp(collation, KNOWN[i][0]) == 0) return KNOWN[i][1];
    }
    return "";
}

static void collate_keys(SqliteSink *self)
{
    const TablePlan *plan = &self->core.plan;
    for (int32_t i = 0; self->out.exists && i < plan->merge.count; i++) {
        char name[256];
        if (!plan->columns[i].key) continue;
        str_to_array(name, (int64_t)sizeof name, plan->columns[i].name);
        plan->columns[i].stage = str_from(key_collation(self, name));
    }
}

Status sqlite_merge_describe(SqliteSink *self, Err *err)
{
    TableSink *core = &self->core;
    TRY(table_describe(core, buf_str(&self->out.name), self->out.schema, err));
    collate_keys(self);
    core->plan.exists = self->out.exists;
    core->plan.differs = self->out.differs;
    core->plan.uncounted = self->out.view;
    core->plan.together = self->out.halfway || judges(self);
    core->plan.merge.unique = self->out.unique;
    core->plan.merge.conflict = self->out.conflict;
    return OK;
}

void sqlite_merge_forget(SqliteSink *self)
{
    for (int32_t i = 0; i < SQL_MERGE_PARTS; i++) {
        for (int32_t range = 0; range < 2; range++) {
            sqlite3_finalize(self->merge[i][range]);
            self->merge[i][range] = NULL;
        }
    }
}

Status sqlite_write_error(SqliteSink *self, Err *err)
{
    IGNORE(sqlite_db_error(self->db, err));
    if (self->core.cycle.phase != TABLE_OPEN || !sqlite3_get_autocommit(self->db)) return FAIL;
    /* A full disk and an interrupt undo it too, and are no row's. */
    if (sqlite_db_error_in_write(err) == WRITE_ERROR_RUN) return FAIL;
    memcpy(err->sqlstate, "40000", 6);
    (void)err_prefix(err, "one row undid the whole transaction: ");
    return err_hint(err, "fix the row, or let the trigger's RAISE(ROLLBACK) be"
                         " ABORT, so that it can be rejected alone");
}

Status sqlite_save(SqliteSink *self, TableSave what, Err *err)
{
    static const char *const TEXTS[] = {"SAVEPOINT neuron", "RELEASE neuron", "ROLLBACK TO neuron"};
    bool row = false;
    if (!self->save[what]) {
        TRY(sqlite_db_prepare(self->db, str_from(TEXTS[what]), &self->save[what], err));
    }
    Status status = sqlite_db_step(self->db, self->save[what], &row, err);
    (void)sqlite3_reset(self->save[what]);
    return status == OK && what == TABLE_SAVE_UNDO ? sqlite_save(self, TABLE_SAVE_KEEP, err)
                                                   : status;
}

static Status driver_save(TableSink *core, TableSave what, Err *err)
{
    SqliteSink *self = TABLE_SELF(SqliteSink, SQLITE_TABLE_DRIVER, core);
    TRY(sqlite_db_check(&self->stop, err));
    return core->plan.together ? sqlite_save(self, what, err) : OK;
}

static Status driver_judge(TableSink *core, Err *err)
{
    SqliteSink *self = TABLE_SELF(SqliteSink, SQLITE_TABLE_DRIVER, core);
    return judges(self) ? judge_foreign_keys(self, err) : OK;
}

static Status driver_exec(TableSink *core, const char *sql, Err *err)
{
    return sqlite_db_exec(TABLE_SELF(SqliteSink, SQLITE_TABLE_DRIVER, core)->db, sql, err);
}

static Status bind_params(sqlite3_stmt *statement, const Str *params, int32_t count, Err *err)
{
    for (int32_t i = 0; i < count; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "$%d", i + 1);
        int index = sqlite3_bind_parameter_index(statement, name);
        if (index > 0 && params[i].ptr) TRY(sqlite_bind_str(statement, index, params[i], err));
    }
    return OK;
}

enum { RESULT_MAX = 64 << 20, CELLS_FIRST = 16 };

static Status add_row(sqlite3_stmt *statement, TableResult *result, int32_t *capacity, Err *err)
{
    int32_t used = result->rows * result->columns;
    if (used + result->columns > *capacity) {
        int32_t more = *capacity ? *capacity * 2 : result->columns * CELLS_FIRST;
        Str *cells = arena_alloc(&result->arena, more * (int64_t)sizeof *cells);
        if (!cells) return err_memory(err);
        if (used) memcpy(cells, result->cells, (size_t)used * sizeof *cells);
        result->cells = cells;
        *capacity = more;
    }
    for (int32_t i = 0; i < result->columns; i++) {
        const char *text = (const char *)sqlite3_column_text(statement, i);
        Str cell = str_make(text, sqlite3_column_bytes(statement, i));
        result->cells[used + i] = STR_NULL;
        if (text) TRY(arena_copy(&result->arena, cell, &result->cells[used + i], err));
    }
    result->rows++;
    return OK;
}

static Status read_rows(SqliteSink *self, sqlite3_stmt *statement, TableResult *result, Err *err)
{
    int32_t capacity = 0;
    bool row = false;
    int64_t before = sqlite3_total_changes64(self->db);
    TRY(sqlite_db_step(self->db, statement, &row, err));
    while (row) {
        TRY(add_row(statement, result, &capacity, err));
        TRY(sqlite_db_step(self->db, statement, &row, err));
    }
    bool wrote = sqlite3_total_changes64(self->db) > before;
    result->changed = wrote ? sqlite3_changes64(self->db) : 0;
    return OK;
}

static Status driver_query(TableSink *core, const char *sql, const Str *params, int32_t count,
                           TableResult *ret_result, Err *err)
{
    SqliteSink *self = TABLE_SELF(SqliteSink, SQLITE_TABLE_DRIVER, core);
    CLEANUP(sqlite_db_finalize_p) sqlite3_stmt *statement = NULL;
    TRY(sqlite_db_prepare(self->db, str_from(sql), &statement, err));
    TRY(bind_params(statement, params, count, err));
    TableResult result = {.columns = sqlite3_column_count(statement),
                          .arena = arena_make(RESULT_MAX)};
    Status status = read_rows(self, statement, &result, err);
    if (status == OK) *ret_result = result;
    else arena_done(&result.arena);
    return status;
}

static Status driver_has(TableSink *core, const char *table, const char *column, bool *ret_has,
                         Err *err)
{
    SqliteSink *self = TABLE_SELF(SqliteSink, SQLITE_TABLE_DRIVER, core);
    CLEANUP(sqlite_db_finalize_p) sqlite3_stmt *rows = NULL;
    TRY(sqlite_db_has_table(self->db, str_from(table), ret_has, err));
    if (!*ret_has || !column) return OK;
    TRY(sqlite_db_prepare(self->db, STR("SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2"),
                          &rows, err));
    TRY(sqlite_bind_str(rows, 1, str_from(table), err));
    TRY(sqlite_bind_str(rows, 2, str_from(column), err));
    return sqlite_db_step(self->db, rows, ret_has, err);
}

/* A statement that can't be made is no row's fault. */
static Status prepared(SqliteSink *self, SqlMergePart part, bool range,
                       sqlite3_stmt **ret_statement, Err *err)
{
    TableSink *core = &self->core;
    sqlite3_stmt **statement = &self->merge[part][range];
    *ret_statement = *statement;
    if (*statement) return OK;
    buf_clear(&core->sql);
    TRY(sql_merge_put(&core->plan.merge, part, range, &core->sql, err));
    if (sqlite_db_prepare(self->db, buf_str(&core->sql), statement, err) != OK) {
        memcpy(err->sqlstate, "42000", 6);
        return FAIL;
    }
    *ret_statement = *statement;
    return OK;
}

static Status driver_run(TableSink *core, SqlMergePart part, TableRange range, int64_t *ret_numbers,
                         int32_t count, Err *err)
{
    SqliteSink *self = TABLE_SELF(SqliteSink, SQLITE_TABLE_DRIVER, core);
    sqlite3_stmt *statement = NULL;
    TRY(prepared(self, part, range.part, &statement, err));
    if (range.part) {
        (void)sqlite3_bind_int64(statement, 1, range.from);
        (void)sqlite3_bind_int64(statement, 2, range.to);
    }
    int code = sqlite3_step(statement);
    for (int i = 0; i < count && code == SQLITE_ROW; i++) {
        ret_numbers[i] = sqlite3_column_int64(statement, i);
    }
    if (code == SQLITE_DONE) ret_numbers[0] = sqlite3_changes64(self->db);
    Status status = code == SQLITE_ROW || code == SQLITE_DONE ? OK : sqlite_write_error(self, err);
    (void)sqlite3_reset(statement);
    return status;
}

static Status put_text(sqlite3_stmt *statement, int column, Buf *out, Err *err)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);
    return buf_append(out, str_make(text, sqlite3_column_bytes(statement, column)), err);
}

static Status driver_read_row(TableSink *core, int64_t ord, TableRow *row, Err *err)
{
    SqliteSink *self = TABLE_SELF(SqliteSink, SQLITE_TABLE_DRIVER, core);
    sqlite3_stmt *statement = NULL;
    TRY(prepared(self, SQL_MERGE_ROW, false, &statement, err));
    (void)sqlite3_bind_int64(statement, 1, ord);
    Status status = sqlite_db_step(self->db, statement, &row->found, err);
    if (status == OK && row->found) {
        row->row = sqlite3_column_int64(statement, 0);
        status = put_text(statement, 1, &row->data, err);
        if (status == OK && core->plan.keyed) status = put_text(statement, 2, &row->key, err);
    }
    (void)sqlite3_reset(statement);
    return status;
}

const TableDriver SQLITE_TABLE_DRIVER = {
    .dialect = &SQL_SQLITE,
    .exec = driver_exec,
    .query = driver_query,
    .has = driver_has,
    .run = driver_run,
    .read_row = driver_read_row,
    .save = driver_save,
    .judge = driver_judge,
    .error = sqlite_db_error_in_write,
};
