/* What a load into PostgreSQL would do: exact statements, types with their losses, warnings. */
#include "connect/postgres/postgres_plan.h"

#include "connect/postgres/postgres_hold.h"
#include "connect/postgres/postgres_merge.h"
#include "connect/postgres/postgres_sink.h"
#include "connect/postgres/postgres_type.h"

static Status plan_ddl(void *arg, Str sql, Err *err)
{
    return sink_plan_add(arg, PLAN_DDL, err, "%.*s", (int)sql.len, sql.ptr);
}

/* Values that the column can't take as they are, where the types alone don't say it. */
static Status refused_note(const Field *field, const PostgresColumn *to, Buf *out, Err *err)
{
    bool whole = field->precision == to->precision && field->scale == to->scale;
    switch (to->kind) {
    case POSTGRES_KIND_INT2:
    case POSTGRES_KIND_INT4:
        if (field->type != TYPE_INT64) return OK;
        return buf_append(out, STR("what is out of its range is refused"), err);
    case POSTGRES_KIND_TEXT:
        if (!to->limit) return OK;
        return buf_printf(out, err, "more than %d characters are refused", to->limit);
    case POSTGRES_KIND_NUMERIC:
        if (!to->precision || (field->type == TYPE_NUMERIC && whole)) return OK;
        return buf_append(out, STR("what it would round or can't hold is refused"), err);
    case POSTGRES_KIND_TIME:
    case POSTGRES_KIND_TIMESTAMP:
    case POSTGRES_KIND_TIMESTAMPTZ:
    case POSTGRES_KIND_INTERVAL:
        if (to->fraction >= 6) return OK;
        return buf_printf(out, err, "more than %d digits of a second are refused", to->fraction);
    case POSTGRES_KIND_BOOL:
    case POSTGRES_KIND_INT8:
    case POSTGRES_KIND_FLOAT4:
    case POSTGRES_KIND_FLOAT8:
    case POSTGRES_KIND_BYTEA:
    case POSTGRES_KIND_JSON:
    case POSTGRES_KIND_JSONB:
    case POSTGRES_KIND_DATE:
    case POSTGRES_KIND_UUID:
    case POSTGRES_KIND_ARRAY:
    case POSTGRES_KIND_OTHER:
        break;
    }
    return OK;
}

/* A new column whose type isn't the source's own. */
static Status changed_note(const PostgresTable *table, int32_t i, Buf *out, Err *err)
{
    const Field *field = &table->schema->fields[i];
    bool own = field->native_of && strcmp(field->native_of, POSTGRES_NATIVE) == 0;
    for (int32_t n = 0; own && n < table->new_count; n++) {
        if (table->new_columns[n] != i || str_eq(field->native, table->columns[i].declared))
            continue;
        TRY(buf_printf(out, err, "%sthe source's type is %.*s", out->len ? "; " : "",
                       STR_ARG(field->native)));
    }
    return OK;
}

static Status plan_types(const PostgresTable *table, const char *zone, SinkPlan *plan, Err *err)
{
    CLEANUP(buf_done) Buf notes = buf_make(1 << 12);
    for (int32_t i = 0; i < table->schema->count; i++) {
        const Field *field = &table->schema->fields[i];
        const char *note = "";
        (void)postgres_route(field->type, &table->columns[i], &note);
        buf_clear(&notes);
        TRY(refused_note(field, &table->columns[i], &notes, err));
        if (*note && notes.len) TRY(buf_append(&notes, STR("; "), err));
        TRY(buf_append(&notes, str_from(note), err));
        if (postgres_route_uses_zone(field->type, &table->columns[i])) {
            TRY(buf_printf(&notes, err, " %s", zone));
        }
        TRY(changed_note(table, i, &notes, err));
        Str text = buf_str(&notes);
        TRY(sink_plan_add(plan, PLAN_TYPE, err, "%.*s: %s -> %.*s%s%.*s%s", STR_ARG(field->name),
                          type_name(field->type), STR_ARG(table->columns[i].declared),
                          text.len ? " (" : "", STR_ARG(text), text.len ? ")" : ""));
    }
    return OK;
}

static Status plan_loads(const PostgresSink *self, TableLoadsSql which, const char *when,
                         SinkPlan *plan, Err *err)
{
    if (!self->core.sink.req->pipeline.len) return OK;
    CLEANUP(buf_done) Buf sql = buf_make(POSTGRES_SQL_MAX);
    TRY(table_loads_put(&SQL_POSTGRES, which, &sql, err));
    return sink_plan_add(plan, PLAN_SQL, err, "%.*s -- %s", (int)sql.len, sql.data, when);
}

static Status plan_copy(const PostgresSink *self, const char *stage, const char *when,
                        SinkPlan *plan, Err *err)
{
    CLEANUP(buf_done) Buf sql = buf_make(POSTGRES_SQL_MAX);
    TRY(postgres_copy_sql(&self->out, stage, &sql, err));
    return sink_plan_add(plan, PLAN_SQL, err, "%.*s%s%s", STR_ARG(buf_str(&sql)),
                         *when ? " -- " : "", when);
}

/* Where the table is there: from here on nobody else alters it. */
static Status plan_hold(const PostgresSink *self, SinkPlan *plan, Err *err)
{
    if (!self->out.exists) return OK;
    CLEANUP(buf_done) Buf sql = buf_make(POSTGRES_SQL_MAX);
    TRY(postgres_table_hold_sql(&self->out, &sql, err));
    return sink_plan_add(plan, PLAN_SQL, err, "%.*s -- locked against ALTER TABLE from here on",
                         STR_ARG(buf_str(&sql)));
}

static const char FENCE_WHEN[] = "one row, or the run is fenced off";

/* Rows that keys may meet go to a stage first, and are merged. */
static Status plan_staged(const PostgresSink *self, Str table, SinkPlan *plan, Err *err)
{
    if (self->keys.ascend && !self->out.cast && !self->out.differs) {
        if (self->out.exists) {
            TRY(sink_plan_add(plan, PLAN_SQL, err,
                              "LOCK TABLE %.*s IN SHARE ROW EXCLUSIVE MODE NOWAIT -- given back "
                              "where the table is not empty",
                              STR_ARG(table)));
        }
        TRY(plan_copy(self, NULL, "while the table is empty, locked, and keys ascend; else:", plan,
                      err));
    }
    CLEANUP(buf_done) Buf stage = buf_make(POSTGRES_SQL_MAX);
    TRY(sql_merge_put(&self->core.plan.merge, SQL_MERGE_STAGE, false, &stage, err));
    TRY(sink_plan_add(plan, PLAN_SQL, err, "%.*s", STR_ARG(buf_str(&stage))));
    TRY(plan_copy(self, POSTGRES_STAGE, "", plan, err));
    TRY(plan_loads(self, TABLE_LOADS_FENCE, FENCE_WHEN, plan, err));
    TRY(plan_hold(self, plan, err));
    return table_merge_plan(&self->core, plan, err);
}

static Status plan_sql(const PostgresSink *self, Str table, SinkPlan *plan, Err *err)
{
    TRY(sink_plan_add(plan, PLAN_SQL, err, "BEGIN ISOLATION LEVEL READ COMMITTED"));
    if (self->core.plan.staged) {
        TRY(plan_staged(self, table, plan, err));
    } else {
        bool deletes = self->core.sink.req->mode == SINK_REPLACE && self->out.exists;
        TRY(plan_loads(self, TABLE_LOADS_FENCE, FENCE_WHEN, plan, err));
        TRY(plan_hold(self, plan, err));
        if (deletes) TRY(sink_plan_add(plan, PLAN_SQL, err, "DELETE FROM %.*s", STR_ARG(table)));
        TRY(plan_copy(self, NULL, "", plan, err));
    }
    TRY(plan_loads(self, TABLE_LOADS_RECORD, "counts, watermark", plan, err));
    return sink_plan_add(plan, PLAN_SQL, err, "COMMIT");
}

static const char PARTITIONED[] =
    "SELECT count(*) FROM pg_class WHERE oid = to_regclass($1) AND relkind = 'p'";

static Status plan_key_index(PostgresSink *self, SinkPlan *plan, Err *err)
{
    if (!self->out.exists || !self->core.plan.keyed || self->out.unique) return OK;
    CLEANUP(buf_done) Buf name = buf_make(1 << 16);
    CLEANUP(buf_done) Buf columns = buf_make(1 << 16);
    TRY(postgres_db_quote_table(&name, buf_str(&self->out.name), err));
    Str param = buf_str(&name);
    int64_t partitioned = 0;
    TRY(postgres_db_int64(self->session.db, PARTITIONED, &param, 1, &partitioned, err));
    for (int32_t i = 0; i < self->core.sink.req->key_count; i++) {
        if (i) TRY(buf_append(&columns, STR(", "), err));
        TRY(postgres_db_quote(&columns, self->core.sink.req->key[i], err));
    }
    return sink_plan_add(plan, PLAN_WARNING, err,
                         "no unique index on the key of \"%.*s\": merging scans the table, and"
                         " nothing keeps others from writing a key twice; CREATE UNIQUE INDEX %sON"
                         " %.*s (%.*s)",
                         STR_ARG(buf_str(&self->out.name)), partitioned ? "" : "CONCURRENTLY ",
                         STR_ARG(buf_str(&name)), STR_ARG(buf_str(&columns)));
}

static const char MISSING_RIGHTS[] =
    "SELECT string_agg(p, ', ') FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE'])"
    " WITH ORDINALITY AS r (p, n) WHERE n <= $2::int"
    " AND NOT has_table_privilege(to_regclass($1), p)";

static Status plan_rights(PostgresSink *self, SinkPlan *plan, Err *err)
{
    if (!self->out.exists) return OK;
    CLEANUP(buf_done) Buf name = buf_make(1 << 16);
    TRY(postgres_db_quote_table(&name, buf_str(&self->out.name), err));
    bool deletes = self->core.plan.deletes || self->core.sink.req->mode == SINK_REPLACE;
    Str params[] = {buf_str(&name), deletes                 ? STR("4")
                                    : self->core.plan.keyed ? STR("3")
                                                            : STR("2")};
    CLEANUP(postgres_db_clear_p) PGresult *result = NULL;
    TRY(postgres_db_query(self->session.db, MISSING_RIGHTS, params, 2, &result, err));
    Str missing = postgres_db_text(result, 0, 0);
    if (!missing.len) return OK;
    return sink_plan_add(plan, PLAN_WARNING, err, "the user may not %.*s on \"%.*s\"",
                         STR_ARG(missing), STR_ARG(buf_str(&self->out.name)));
}

/* What others can do with the table meanwhile; locks are held to COMMIT. */
static Status plan_locks(const PostgresSink *self, Str table, SinkPlan *plan, Err *err)
{
    if (!self->out.exists) return OK; /* nobody else sees it before COMMIT */
    bool fresh =
        self->core.plan.staged && self->keys.ascend && !self->out.cast && !self->out.differs;
    const char *writes = !self->core.plan.staged   ? "COPY"
                         : self->core.plan.deletes ? "UPDATE, INSERT, DELETE of what changed"
                                                   : "UPDATE, INSERT of what changed";
    if (!self->core.plan.staged && self->core.sink.req->mode == SINK_REPLACE)
        writes = "DELETE of all rows, COPY";
    TRY(sink_plan_add(plan, PLAN_LOCK, err,
                      "%.*s: ROW EXCLUSIVE (%s): readers and writers go on; who writes a row that"
                      " the run writes waits for its COMMIT",
                      STR_ARG(table), writes));
    if (fresh) {
        TRY(sink_plan_add(plan, PLAN_LOCK, err,
                          "%.*s: SHARE ROW EXCLUSIVE where it is empty: readers go on, writers wait"
                          " for the COMMIT",
                          STR_ARG(table)));
    }
    if (self->out.new_count == 0) return OK;
    TRY(sink_plan_add(
        plan, PLAN_LOCK, err,
        "%.*s: ACCESS EXCLUSIVE (ALTER TABLE), from %s on: readers and writers wait for"
        " the COMMIT",
        STR_ARG(table), self->core.plan.staged ? "the merge" : "the first row"));
    return sink_plan_add(
        plan, PLAN_WARNING, err,
        "adding columns locks \"%.*s\" against readers (ACCESS EXCLUSIVE) until the"
        " run commits",
        STR_ARG(buf_str(&self->out.name)));
}

static Status plan_references(const PostgresSink *self, SinkPlan *plan, Err *err)
{
    bool replace =
        self->core.sink.req->mode == SINK_REPLACE && self->out.referred && !self->core.plan.deletes;
    if (!replace) return OK;
    return sink_plan_add(plan, PLAN_WARNING, err,
                         "other tables refer to \"%.*s\": replacing it needs a key",
                         STR_ARG(buf_str(&self->out.name)));
}

static Status plan_ddls(PostgresSink *self, SinkPlan *plan, Err *err)
{
    TRY(postgres_table_ddl(self, &self->out, plan_ddl, plan, err));
    if (!self->core.sink.req->pipeline.len) return OK;
    bool has = false;
    TRY(self->core.driver->has(&self->core, TABLE_LOADS, NULL, &has, err));
    if (has) return OK;
    CLEANUP(buf_done) Buf sql = buf_make(POSTGRES_SQL_MAX);
    TRY(table_loads_put(&SQL_POSTGRES, TABLE_LOADS_CREATE, &sql, err));
    return plan_ddl(plan, buf_str(&sql), err);
}

Status postgres_plan(PostgresSink *self, SinkPlan *plan, Err *err)
{
    plan->exactly_once = self->core.sink.req->pipeline.len > 0;
    plan->promise = plan->exactly_once
                        ? STR("exactly once: rows, watermark and run record in one transaction")
                        : STR("all rows or none: one transaction");
    CLEANUP(buf_done) Buf name = buf_make(1 << 16);
    TRY(postgres_db_quote_table(&name, buf_str(&self->out.name), err));
    TRY(plan_ddls(self, plan, err));
    TRY(plan_types(&self->out, self->session.zone_name, plan, err));
    TRY(plan_sql(self, buf_str(&name), plan, err));
    TRY(plan_locks(self, buf_str(&name), plan, err));
    TRY(plan_key_index(self, plan, err));
    TRY(plan_rights(self, plan, err));
    return plan_references(self, plan, err);
}
