/* The plan of a dry run: what would run, what it would change, what rows would land. */
#include "engine/format/json_write.h"
#include "foundation/base/clock.h"
#include "foundation/base/redact.h"
#include "foundation/codec/json_writer.h"
#include "work/pipeline/pipeline_impl.h"

enum { PLAN_ROWS = 5, PLAN_READS_MAX = 64 };

/* Where values are masked, a row shows its columns alone. */
static Status put_row(const Batch *batch, int64_t row, Buf *rows, Err *err)
{
    if (!redact_values()) return json_write_row(batch, row, rows, err);
    JsonWriter w = json_writer_make(rows, err);
    json_object_begin(&w);
    for (int32_t c = 0; c < batch->schema->count; c++) {
        json_key_str(&w, batch->schema->fields[c].name);
        json_write_text(&w, STR(REDACT_MASK));
    }
    json_object_end(&w);
    return json_writer_end(&w);
}

/* The first rows as they would land: read, through the steps, and no further. */
static Status first_rows(Assembly *a, Buf *rows, int64_t *ret_count, Err *err)
{
    a->req.source.order.settle = false;
    TRY(source_open(a->source, NULL, a->env->budget, err));
    RejectWriter rejects;
    TRY(reject_writer_init(&rejects, NULL, 0, err));
    ExprRun run = {.now_us = clock_now_us()};
    *ret_count = 0;
    Status status = OK;
    for (int32_t i = 0; i < PLAN_READS_MAX && status == OK && *ret_count < PLAN_ROWS; i++) {
        SourceEvent event = {0};
        Batch *out = NULL;
        status = source_next(a->source, 0, clock_mono_ns() + 1000000000, &event, err);
        if (status != OK || event.kind == SOURCE_END) break;
        batch_unref(event.rejects);
        if (!event.batch) continue;
        status = step_chain_run(a->steps, 0, a->step_count, &run, event.batch, &rejects, &out, err);
        for (int64_t row = 0; status == OK && out && row < out->rows; row++) {
            if (*ret_count == PLAN_ROWS) break;
            if (*ret_count) status = buf_append_char(rows, '\n', err);
            if (status == OK) status = put_row(out, row, rows, err);
            ++*ret_count;
        }
        batch_unref(out);
    }
    reject_writer_done(&rejects);
    return status;
}

static void write_texts(JsonWriter *w, const char *key, const Str *texts, int32_t count)
{
    json_key(w, key);
    json_array_begin(w);
    for (int32_t i = 0; i < count; i++) json_write_text(w, texts[i]);
    json_array_end(w);
}

static void write_warnings(JsonWriter *w, const Assembly *a, const SinkPlan *plan)
{
    json_key(w, "warnings");
    json_array_begin(w);
    for (int32_t i = 0; i < a->info.warning_count; i++) json_write_text(w, a->info.warnings[i]);
    for (int32_t i = 0; i < plan->warning_count; i++) json_write_text(w, plan->warnings[i]);
    json_array_end(w);
}

static Status plan_json(const Assembly *a, const SinkPlan *plan, Str rows, Buf *out, Err *err)
{
    JsonWriter w = json_writer_make(out, err);
    json_object_begin(&w);
    json_key(&w, "pipeline");
    json_write_text_or_null(&w, a->config->name.len ? a->config->name : STR_NULL);
    json_key(&w, "dry_run");
    json_write_bool(&w, true);
    json_key(&w, "from");
    json_write_text(&w, a->config->from.text);
    json_key(&w, "read_sql");
    json_write_text_or_null(&w, a->info.sql.len ? a->info.sql : STR_NULL);
    json_key(&w, "estimated_rows");
    if (a->info.rows_estimate >= 0) json_write_int64(&w, a->info.rows_estimate);
    else json_write_null(&w);
    json_key(&w, "cursor_from");
    Str from = buf_str(&a->cursor.from);
    json_write_text_or_null(&w, from.len ? from : STR_NULL);
    json_key(&w, "to");
    json_write_text(&w, a->config->to.text);
    json_key(&w, "table");
    json_write_text_or_null(&w, a->config->table.len ? a->config->table : STR_NULL);
    json_key(&w, "promise");
    json_write_text(&w, plan->promise);
    write_texts(&w, "ddl", plan->ddl, plan->ddl_count);
    write_texts(&w, "sql", plan->sql, plan->sql_count);
    write_texts(&w, "types", plan->types, plan->type_count);
    write_texts(&w, "locks", plan->locks, plan->lock_count);
    write_warnings(&w, a, plan);
    json_key(&w, "first_rows");
    json_array_begin(&w);
    Str row;
    while (rows.len && str_next_part(&rows, '\n', &row)) json_write_raw(&w, row);
    json_array_end(&w);
    json_object_end(&w);
    return json_writer_end(&w);
}

static Status put_list(Buf *out, const char *title, const Str *texts, int32_t count, Err *err)
{
    if (count == 0) return OK;
    if (title[0]) TRY(buf_printf(out, err, "%s\n", title));
    for (int32_t i = 0; i < count; i++) {
        TRY(buf_append(out, STR("  "), err));
        TRY(buf_append(out, texts[i], err));
        TRY(buf_append_char(out, '\n', err));
    }
    return OK;
}

static Status plan_text(const Assembly *a, const SinkPlan *plan, Str rows, Buf *out, Err *err)
{
    TRY(buf_printf(out, err, "plan of %.*s (nothing is written)\n",
                   STR_ARG(a->config->name.len ? a->config->name : STR("copy"))));
    TRY(buf_printf(out, err, "from  %.*s", STR_ARG(a->config->from.text)));
    if (a->info.rows_estimate >= 0) {
        TRY(buf_printf(out, err, ", %lld rows", (long long)a->info.rows_estimate));
    }
    TRY(buf_printf(out, err, "\nto    %.*s %.*s\n", STR_ARG(a->config->to.text),
                   STR_ARG(a->config->table)));
    TRY(buf_printf(out, err, "%.*s\n", STR_ARG(plan->promise)));
    TRY(put_list(out, "read", &a->info.sql, a->info.sql.len > 0, err));
    TRY(put_list(out, "changes to the target's tables", plan->ddl, plan->ddl_count, err));
    TRY(put_list(out, "publishing transaction", plan->sql, plan->sql_count, err));
    TRY(put_list(out, "types", plan->types, plan->type_count, err));
    TRY(put_list(out, "locks", plan->locks, plan->lock_count, err));
    TRY(put_list(out, "warnings", a->info.warnings, a->info.warning_count, err));
    TRY(put_list(out, "warnings", plan->warnings, plan->warning_count, err));
    Str row;
    if (rows.len) TRY(buf_append(out, STR("first rows\n"), err));
    while (rows.len && str_next_part(&rows, '\n', &row)) TRY(put_list(out, "", &row, 1, err));
    return OK;
}

static Status plan_assembly(Assembly *a, bool json, Buf *out, Err *err)
{
    SinkPlan plan = {.arena = arena_make(INT64_C(64) << 20)};
    CLEANUP(buf_done) Buf rows = buf_make(INT64_C(1) << 30);
    int64_t count = 0;
    Status status = sink_describe(a->sink, a->schema, &plan, err);
    if (status == OK) status = first_rows(a, &rows, &count, err);
    if (status == OK) {
        status = json ? plan_json(a, &plan, buf_str(&rows), out, err)
                      : plan_text(a, &plan, buf_str(&rows), out, err);
    }
    sink_plan_done(&plan);
    return status;
}

Status pipeline_plan(const PipelineConfig *config, const RunOptions *options,
                     const PipelineEnv *env, bool json, Buf *out, Err *err)
{
    Assembly assembly;
    Status status = assembly_open(&assembly, config, options, env, err);
    if (status == OK) status = plan_assembly(&assembly, json, out, err);
    assembly_close(&assembly);
    if (status != OK && config->name.len) (void)err_prefix(err, "%.*s: ", STR_ARG(config->name));
    return status;
}
