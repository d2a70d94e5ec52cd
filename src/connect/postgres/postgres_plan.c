/* What a load into PostgreSQL would do: exact statements, types with their losses, warnings. */
#include "connect/postgres/postgres_plan.h"

#include "foundation/codec/json_writer.h"

static Status plan_ddl(void *arg, Str sql, Err *err)
{
    return sink_plan_add(arg, PLAN_DDL, err, "%.*s", (int)sql.len, sql.ptr);
}

static Status plan_types(const PostgresTable *table, SinkPlan *plan, Err *err)
{
    for (int32_t i = 0; i < table->schema->count; i++) {
        const Field *field = &table->schema->fields[i];
        const char *note = "";
        (void)postgres_route(field->type, &table->columns[i], &note);
        TRY(sink_plan_add(plan, PLAN_TYPE, err, "%.*s: %s -> %.*s%s%s%s", STR_ARG(field->name),
                          type_name(field->type), STR_ARG(table->columns[i].declared),
                          *note ? " (" : "", note, *note ? ")" : ""));
    }
    return OK;
}

static Status plan_sql(const PostgresSink *self, SinkPlan *plan, Err *err)
{
    CLEANUP(buf_done) Buf name = buf_make(1 << 16);
    TRY(postgres_db_quote_table(&name, buf_str(&self->out.name), err));
    Str table = buf_str(&name);
    TRY(sink_plan_add(plan, PLAN_SQL, err, "BEGIN ISOLATION LEVEL READ COMMITTED"));
    bool deletes = self->sink.req->mode == SINK_REPLACE && !self->deletes && self->out.exists;
    if (deletes) TRY(sink_plan_add(plan, PLAN_SQL, err, "DELETE FROM %.*s", STR_ARG(table)));
    if (self->keys.ascend && !self->out.cast) {
        TRY(sink_plan_add(plan, PLAN_SQL, err,
                          "COPY %.*s FROM STDIN (FORMAT binary) (while the table is empty, locked"
                          " against other writers, and keys ascend; else:)",
                          STR_ARG(table)));
    }
    if (self->staged) {
        TRY(sink_plan_add(plan, PLAN_SQL, err,
                          "COPY pg_temp.neuron_stage FROM STDIN (FORMAT binary)"));
        TRY(postgres_merge_sql(self, plan, err));
    } else {
        TRY(sink_plan_add(plan, PLAN_SQL, err, "COPY %.*s FROM STDIN (FORMAT binary)",
                          STR_ARG(table)));
    }
    if (self->sink.req->pipeline.len) {
        TRY(sink_plan_add(plan, PLAN_SQL, err,
                          "INSERT INTO neuron_loads … ON CONFLICT (pipeline, epoch) DO NOTHING"
                          " (one row, or the run is fenced off)"));
    }
    return sink_plan_add(plan, PLAN_SQL, err, "COMMIT");
}

/* The key as a JSON array of names. */
static Status key_json(const PostgresSink *self, Buf *out, Err *err)
{
    JsonWriter w = json_writer_make(out, err);
    json_array_begin(&w);
    for (int32_t i = 0; i < self->sink.req->key_count; i++) {
        json_write_text(&w, self->sink.req->key[i]);
    }
    json_array_end(&w);
    return json_writer_end(&w);
}

static const char UNIQUE_INDEX[] =
    "SELECT count(*) FROM pg_index AS i WHERE i.indrelid = to_regclass($1) AND i.indisunique"
    " AND i.indpred IS NULL AND i.indexprs IS NULL AND"
    " (SELECT array_agg(a.attname::text COLLATE \"C\" ORDER BY a.attname::text COLLATE \"C\")"
    " FROM unnest(i.indkey[0:i.indnkeyatts - 1]) AS k JOIN pg_attribute AS a"
    " ON a.attrelid = i.indrelid AND a.attnum = k) ="
    " (SELECT array_agg(x COLLATE \"C\" ORDER BY x COLLATE \"C\")"
    " FROM json_array_elements_text($2::json) AS x)";

static Status plan_key_index(PostgresSink *self, SinkPlan *plan, Err *err)
{
    if (!self->out.exists || !self->keyed) return OK;
    CLEANUP(buf_done) Buf name = buf_make(1 << 16);
    CLEANUP(buf_done) Buf key = buf_make(1 << 16);
    TRY(postgres_db_quote_table(&name, buf_str(&self->out.name), err));
    TRY(key_json(self, &key, err));
    Str params[] = {buf_str(&name), buf_str(&key)};
    int64_t count = 0;
    TRY(postgres_db_int64(self->db, UNIQUE_INDEX, params, 2, &count, err));
    if (count > 0) return OK;
    return sink_plan_add(plan, PLAN_WARNING, err,
                         "no unique index on the key %.*s of «%.*s»: merging scans the table, and"
                         " nothing keeps others from writing a key twice",
                         STR_ARG(buf_str(&key)), STR_ARG(buf_str(&self->out.name)));
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
    bool deletes = self->deletes || self->sink.req->mode == SINK_REPLACE;
    Str params[] = {buf_str(&name), deletes ? STR("4") : self->keyed ? STR("3") : STR("2")};
    CLEANUP(postgres_db_clear_p) PGresult *result = NULL;
    TRY(postgres_db_query(self->db, MISSING_RIGHTS, params, 2, &result, err));
    Str missing = postgres_db_text(result, 0, 0);
    if (!missing.len) return OK;
    return sink_plan_add(plan, PLAN_WARNING, err, "the user may not %.*s on «%.*s»",
                         STR_ARG(missing), STR_ARG(buf_str(&self->out.name)));
}

static Status plan_locks(const PostgresSink *self, SinkPlan *plan, Err *err)
{
    if (self->out.exists && self->out.new_count) {
        TRY(sink_plan_add(plan, PLAN_WARNING, err,
                          "adding columns locks «%.*s» against readers (ACCESS EXCLUSIVE) until"
                          " the run commits",
                          STR_ARG(buf_str(&self->out.name))));
    }
    bool replace = self->sink.req->mode == SINK_REPLACE && self->out.referred && !self->deletes;
    if (!replace) return OK;
    return sink_plan_add(plan, PLAN_WARNING, err,
                         "other tables refer to «%.*s»: replacing it needs a key",
                         STR_ARG(buf_str(&self->out.name)));
}

Status postgres_plan(PostgresSink *self, SinkPlan *plan, Err *err)
{
    plan->exactly_once = self->sink.req->pipeline.len > 0;
    plan->promise = plan->exactly_once
                        ? STR("exactly once: rows, watermark and run record in one transaction")
                        : STR("all rows or none: one transaction");
    TRY(postgres_table_ddl(self, &self->out, plan_ddl, plan, err));
    TRY(plan_types(&self->out, plan, err));
    TRY(plan_sql(self, plan, err));
    TRY(plan_key_index(self, plan, err));
    TRY(plan_rights(self, plan, err));
    return plan_locks(self, plan, err);
}
