/* What a load into SQLite would do: statements, types, warnings. */
#include "connect/sqlite/sqlite_sink.h"

static Status plan_ddl(void *arg, Str sql, Err *err)
{
    return sink_plan_add(arg, PLAN_DDL, err, "%.*s", (int)sql.len, sql.ptr);
}

static Status plan_types(const SqliteTable *table, SinkPlan *plan, Err *err)
{
    CLEANUP(buf_done) Buf declared = buf_make(4096);
    for (int32_t i = 0; i < table->schema->count; i++) {
        const Field *field = &table->schema->fields[i];
        buf_clear(&declared);
        TRY(sqlite_declared_type(field, &declared, err));
        TRY(sink_plan_add(plan, PLAN_TYPE, err, "%.*s: %s -> %.*s", STR_ARG(field->name),
                          type_name(field->type), STR_ARG(buf_str(&declared))));
    }
    return OK;
}

static Status plan_key_index(SqliteSink *self, SinkPlan *plan, Err *err)
{
    if (!self->out.exists || !self->core.plan.keyed) return OK;
    buf_clear(&self->core.sql);
    TRY(buf_append(&self->core.sql,
                   STR("SELECT count(*) FROM pragma_index_list(?1) AS l JOIN pragma_index_info("
                       "l.name) AS i WHERE i.seqno = 0 AND i.name = ?2"),
                   err));
    CLEANUP(sqlite_db_finalize_p) sqlite3_stmt *statement = NULL;
    TRY(sqlite_db_prepare(self->db, buf_str(&self->core.sql), &statement, err));
    Str name = buf_str(&self->out.name);
    Str key = self->core.sink.req->key[0];
    (void)sqlite3_bind_text(statement, 1, name.ptr, (int)name.len, SQLITE_STATIC);
    (void)sqlite3_bind_text(statement, 2, key.ptr, (int)key.len, SQLITE_STATIC);
    bool row = false;
    TRY(sqlite_db_step(self->db, statement, &row, err));
    if (row && sqlite3_column_int(statement, 0) > 0) return OK;
    return sink_plan_add(plan, PLAN_WARNING, err,
                         "no index on %.*s begins with the key column \"%.*s\": merging will scan",
                         STR_ARG(name), STR_ARG(key));
}

Status sqlite_plan(SqliteSink *self, SinkPlan *plan, Err *err)
{
    TRY(sqlite_table_ddl(self, &self->out, plan_ddl, plan, err));
    TRY(plan_types(&self->out, plan, err));
    if (self->core.plan.staged) TRY(table_merge_plan(&self->core, plan, err));
    return plan_key_index(self, plan, err);
}
