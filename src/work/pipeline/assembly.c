/* Puts a pipeline together: source, watermark, steps, sinks. */
#include "foundation/base/clock.h"
#include "foundation/base/datetime.h"
#include "foundation/base/number.h"
#include "work/pipeline/pipeline_impl.h"
#include "foundation/codec/json_walk.h"
#include "foundation/codec/json_writer.h"
#include "work/step/skip_taken.h"
#include "work/step/step_check.h"

/* ---- where to read from ---- */

/* A number put back, which can't pass the least. */
static Status put_number_back(Str cursor, int64_t overlap, Buf *out, Err *err)
{
    int64_t number = 0;
    if (number_parse_int64(cursor, &number) != NUMBER_OK) {
        (void)err_set(err, ERR_CONFIG, "`overlap` is a number, and the watermark is \"%.*s\"",
                      STR_ARG(cursor));
        return err_hint(err, "say a time like 10m for a cursor that is one");
    }
    if (__builtin_sub_overflow(number, overlap, &number)) number = INT64_MIN;
    return buf_printf(out, err, "%lld", (long long)number);
}

/* A time cursor put back by the overlap, in the form in which the source writes it. */
static Status put_time_back(Str cursor, int64_t overlap_us, Buf *out, Err *err)
{
    int64_t us = 0;
    bool zone = false;
    if (!datetime_cast_timestamp(cursor, &us, &zone)) {
        (void)err_set(err, ERR_CONFIG, "`overlap` needs a time cursor; the watermark is \"%.*s\"",
                      STR_ARG(cursor));
        return err_hint(err, "say a number like 1000 for a cursor that is one");
    }
    char text[DATETIME_TEXT_MAX];
    int64_t len;
    if (cursor.len == 10) {
        int64_t days =
            (us - overlap_us) / DATETIME_DAY_US - ((us - overlap_us) % DATETIME_DAY_US < 0);
        len = datetime_format_date((int32_t)days, text);
    } else {
        len = datetime_format_timestamp(us - overlap_us, cursor.ptr[10], zone, text);
    }
    return buf_append(out, str_make(text, len), err);
}

static Status cursor_from(Assembly *a, Err *err)
{
    const Incremental *inc = &a->config->incremental;
    if (a->options->since.len) return buf_append(&a->cursor.from, a->options->since, err);
    bool first = a->fresh || a->state.position.cursor.len == 0;
    if (first) return buf_append(&a->cursor.from, inc->start, err);
    Str watermark = buf_str(&a->state.position.cursor);
    if (inc->overlap_count) {
        return put_number_back(watermark, inc->overlap_count, &a->cursor.from, err);
    }
    if (inc->overlap_us) return put_time_back(watermark, inc->overlap_us, &a->cursor.from, err);
    return buf_append(&a->cursor.from, watermark, err);
}

/* Without a key rows with the watermark's value are read again only where it is known which of them
 * the last run had, and not where `lag` says that no more of them come. */
static bool ties_come(const Assembly *a)
{
    const Incremental *inc = &a->config->incremental;
    bool lag = inc->lag_us || inc->lag_count;
    return !lag && skip_taken_knows(buf_str(&a->state.position.steps));
}

static Status source_request(Assembly *a, Err *err)
{
    const PipelineConfig *c = a->config;
    const SourceParam *params = NULL;
    TRY(source_params_at(c->params, c->param_count, clock_now_us(), &a->param_arena, &params, err));
    if (a->options->since.len && !c->incremental.cursor.len) {
        (void)err_set(err, ERR_USAGE, "--since needs an incremental pipeline");
        return err_hint(err, "name the cursor column: `incremental: { cursor: … }`");
    }
    if (c->incremental.cursor.len) TRY(cursor_from(a, err));
    bool again = c->to.connector->merges && c->target.key_count > 0;
    bool watermark = !a->options->since.len && !a->fresh && a->state.position.cursor.len > 0;
    a->req.source = (SourceReq){
        .location = &c->from,
        .table = c->from_table,
        .query = c->query,
        .params = params,
        .param_count = c->param_count,
        .incremental.cursor = c->incremental.cursor,
        .incremental.from = buf_str(&a->cursor.from),
        .incremental.after = watermark && !again && !ties_come(a),
        .incremental.nulls = c->incremental.nulls_read,
        .incremental.start = c->incremental.start,
        .order.lag_us = c->incremental.lag_us,
        .order.lag_count = c->incremental.lag_count,
        .order.said = c->incremental.order_said,
        .order.primary = c->primary.connector ? &c->primary : NULL,
        .order.rows_keyed = again,
        .order.settle = c->incremental.cursor.len > 0 && a->advance,
        .order.rows_once = c->mode == SINK_APPEND,
        .limits.rows_max = a->options->rows_max,
        .limits.parallel = c->parallel > 1 ? c->parallel : 1,
        .rejects = c->reject.on,
        .limits.bounded = true,
        .within = a->options->within,
        .spool_folder = a->env->spool_folder,
        .limits.memory_bytes = a->env->budget ? a->env->budget->max_bytes : 0,
        .stop = a->env->cancelled,
    };
    return OK;
}

/* ---- what the watermark is of ---- */

static Status origin_make(Assembly *a, const Field *field, Err *err)
{
    JsonWriter w = json_writer_make(&a->cursor.origin, err);
    json_object_begin(&w);
    json_key_text(&w, "cursor", a->config->incremental.cursor);
    json_key_text(&w, "type", str_from(type_name(field->type)));
    json_key_text_or_null(&w, "source", a->info.identity);
    json_key_text_or_null(&w, "table", a->config->from_table);
    json_object_end(&w);
    return json_writer_end(&w);
}

static Status refuse_origin(const Assembly *a, const char *what, Str before, Str now, Err *err)
{
    Str watermark = buf_str(&a->state.position.cursor);
    (void)err_set(err, ERR_CONFIG, "the watermark %.*s is of the %s \"%.*s\", not of \"%.*s\"",
                  STR_ARG(watermark), what, STR_ARG(before), STR_ARG(now));
    return err_hint(err,
                    "`--full-refresh` reads all rows again; `neuron state set %.*s WATERMARK` says "
                    "from where to go on",
                    STR_ARG(a->config->name));
}

/* A member of the kept text that is another one now; what either side doesn't know is no change. */
static Status origin_compare(const Assembly *a, const JsonSlot *before, const char *key,
                             const char *what, Err *err)
{
    JsonSlot now;
    if (!json_scan(buf_str(&a->cursor.origin), &now, NULL)) return OK;
    JsonSlot x = json_get_key(before, str_from(key)), y = json_get_key(&now, str_from(key));
    bool known = x.kind == JSON_STRING && y.kind == JSON_STRING;
    if (!known || str_eq(x.text, y.text)) return OK;
    return refuse_origin(a, what, x.text, y.text, err);
}

/* A watermark says nothing of another column, of one of another type, or of another source. */
static Status origin_check(Assembly *a, Err *err)
{
    int32_t cursor = schema_find(a->schema, a->config->incremental.cursor);
    JsonSlot before;
    if (cursor < 0) return OK;
    TRY(origin_make(a, &a->schema->fields[cursor], err));
    Str kept = buf_str(&a->state.position.origin);
    bool used = !a->options->since.len && !a->fresh && !a->options->within;
    if (!used || !kept.len || !json_scan(kept, &before, NULL)) return OK;
    TRY(origin_compare(a, &before, "cursor", "cursor", err));
    TRY(origin_compare(a, &before, "source", "source", err));
    TRY(origin_compare(a, &before, "table", "table", err));
    return origin_compare(a, &before, "type", "type", err);
}

/* ---- steps ---- */

/* An expression's own position moved to where its text stands in the configuration. */
static Status place_error(const StepConfig *step, int32_t number, Err *err)
{
    if (step->line && err->line) {
        int64_t column = err->line == 1 ? step->column + err->column - 1 : err->column;
        (void)err_at(err, step->line + err->line - 1, column);
    } else if (step->line) {
        (void)err_at(err, step->line, step->column);
    }
    return err_prefix(err, "step %d: ", number);
}

static Status check_step_new(Assembly *a, const StepConfig *config, int32_t number, Err *err)
{
    StepCheckOptions options = {.set = config->quality,
                                .on_fail = config->on_fail,
                                .budget = &a->step_budget,
                                .spool_folder = a->env->spool_folder,
                                .now_us = clock_now_us()};
    return step_check_new(number, &options, a->schema, &a->steps[a->step_count], err);
}

static Status step_add(Assembly *a, const StepConfig *config, Err *err)
{
    int32_t count = a->step_count - a->own_steps;
    int32_t number = a->config->steps_before + count + 1;
    if (count == PIPELINE_STEPS_MAX) {
        return err_set(err, ERR_CONFIG, "more than %d steps", PIPELINE_STEPS_MAX);
    }
    Step **at = &a->steps[a->step_count];
    DropDuplicates duplicates = {
        .by = config->columns,
        .count = config->column_count,
        .keep_last = config->keep_last,
        .budget = &a->step_budget,
        .spool_folder = a->env->spool_folder,
    };
    Status status = OK;
    switch (config->kind) {
    case STEP_SELECT:
        status = step_select_new(number, config->text, a->schema, NULL, at, err);
        break;
    case STEP_WHERE:
        status = step_where_new(number, config->text, a->schema, NULL, at, err);
        break;
    case STEP_DROP_NULLS:
        status =
            step_drop_nulls_new(number, config->columns, config->column_count, a->schema, at, err);
        break;
    case STEP_DROP_DUPLICATES:
        status = step_drop_duplicates_new(number, &duplicates, a->schema, at, err);
        break;
    case STEP_CHECK:
        status = check_step_new(a, config, number, err);
        break;
    }
    if (status != OK) return place_error(config, number, err);
    a->schema = (*at)->schema;
    a->step_count++;
    return OK;
}

/* Rows at the watermark that the last run had: read again, and let go. Where `lag` says that no
 * more of them come, none is read again. */
static Status skip_taken_add(Assembly *a, Err *err)
{
    const PipelineConfig *c = a->config;
    const RunOptions *options = a->options;
    int32_t cursor = schema_find(a->schema, c->incremental.cursor);
    bool lag = c->incremental.lag_us || c->incremental.lag_count;
    bool keyed = a->req.source.order.rows_keyed;
    if (cursor < 0 || options->within) return OK;
    bool again = a->fresh || options->since.len;
    SkipTaken taken = {.cursor = cursor,
                       .keyed = keyed,
                       .tieless = lag && !keyed,
                       .kept = again ? STR_NULL : buf_str(&a->state.position.steps)};
    TRY(step_skip_taken_new(&taken, a->schema, &a->steps[a->step_count], err));
    a->step_count++;
    a->own_steps++;
    return OK;
}

/* ---- sinks ---- */

static void sink_request(Assembly *a)
{
    const PipelineConfig *c = a->config;
    a->req.sink = (SinkReq){
        .location = &c->to,
        .table = c->table,
        .mode = c->mode,
        .key = c->target.key,
        .key_count = c->target.key_count,
        .cursor = c->incremental.cursor,
        .ignore_for_change = c->target.ignore_for_change,
        .ignore_count = c->target.ignore_count,
        .create = c->target.create,
        .evolve = c->target.evolve,
        .max_delete = c->target.max_delete,
        .pipeline = c->name,
        .config_hash = c->config_hash,
        .reject.wanted = c->reject.on,
        .reject.table = c->reject.elsewhere ? STR_NULL : c->reject.table,
        .reject.replayed = a->options->replayed,
        .stop = a->env->cancelled,
    };
    a->req.reject = (SinkReq){
        .location = &c->reject.to,
        .table = c->reject.table,
        .mode = SINK_APPEND,
        .create = true,
        .evolve = true,
        .reject.table = c->reject.table,
        .stop = a->env->cancelled,
    };
}

static Status sinks_make(Assembly *a, Err *err)
{
    const PipelineConfig *c = a->config;
    sink_request(a);
    TRY(connector_sink(&a->req.sink, &a->sink, err));
    if (c->reject.on && c->reject.elsewhere) {
        TRY(connector_sink(&a->req.reject, &a->reject_sink, err));
    }
    if (c->name.len && a->sink->ops->state) {
        TRY(sink_state(a->sink, &a->state, err));
        if (a->options->epoch) a->state.epoch = *a->options->epoch;
        return OK;
    }
    if (c->incremental.cursor.len) {
        (void)err_set(err, ERR_CONFIG,
                      "an incremental pipeline needs a target that keeps its "
                      "watermark; %.*s can't",
                      STR_ARG(c->to.text));
        return err_hint(err, "load into a database");
    }
    return OK;
}

static const char *target_text(TargetChange change)
{
    switch (change) {
    case TARGET_GONE:
        return "it is gone";
    case TARGET_EMPTIED:
        return "it is empty, and had rows";
    case TARGET_OTHER:
        return "it was created again or filled again";
    case TARGET_SAME:
        break;
    }
    return NULL;
}

/* A watermark describes a table that has the rows below it. */
static Status target_check(Assembly *a, Err *err)
{
    const PipelineConfig *c = a->config;
    const char *what = target_text(a->state.target);
    if (!what || !c->incremental.cursor.len || !a->advance || a->fresh) return OK;
    a->fresh = a->state.position.cursor.len == 0; /* all is read anyway, but for what was taken */
    if (a->fresh) return OK;
    bool keyed = c->to.connector->merges && c->target.key_count > 0;
    bool again = keyed || a->state.target != TARGET_OTHER;
    a->target_note = what;
    if (c->incremental.emptied == EMPTIED_CONTINUE) return OK;
    a->fresh = c->incremental.emptied == EMPTIED_RELOAD && again;
    if (a->fresh) return OK;
    (void)err_set(err, ERR_CONFIG,
                  "the table \"%.*s\" isn't as the last run left it: %s; rows below the watermark "
                  "%.*s would be missing",
                  STR_ARG(c->table), what, STR_ARG(buf_str(&a->state.position.cursor)));
    return err_hint(
        err,
        "`--full-refresh` loads it again, `neuron state set %.*s WATERMARK` goes on with "
        "the table as it is; `incremental: { emptied: reload }` or `continue` does so "
        "each time",
        STR_ARG(c->name));
}

Status assembly_open(Assembly *a, const PipelineConfig *config, const RunOptions *options,
                     const PipelineEnv *env, Err *err)
{
    *a = (Assembly){.config = config, .options = options, .env = env};
    load_state_init(&a->state);
    a->cursor.from = buf_make(1 << 16);
    a->cursor.origin = buf_make(1 << 16);
    a->param_arena = arena_make(16 << 20);
    a->info.arena = arena_make(16 << 20);
    budget_init(&a->step_budget, "steps", env->budget,
                env->budget ? env->budget->max_bytes * 3 / 4 : INT64_MAX);
    a->fresh = options->full_refresh;
    a->advance = !options->since.len && !options->rows_max && !options->within;
    if (sinks_make(a, err) != OK || target_check(a, err) != OK) return err_prefix(err, "target: ");
    Status status = source_request(a, err);
    if (status == OK) status = connector_source(&a->req.source, &a->source, err);
    if (status == OK) status = source_describe(a->source, &a->info, err);
    if (status != OK) return err_prefix(err, "source: ");
    a->info_ready = true;
    a->schema = a->info.schema;
    if (config->incremental.cursor.len) {
        TRY(origin_check(a, err));
        TRY(skip_taken_add(a, err));
    }
    for (int32_t i = 0; i < config->step_count; i++) TRY(step_add(a, &config->steps[i], err));
    return OK;
}

void assembly_close(Assembly *a)
{
    source_close(a->source);
    sink_close(a->sink);
    sink_close(a->reject_sink);
    for (int32_t i = 0; i < a->step_count; i++) step_free(a->steps[i]);
    source_info_done(&a->info);
    load_state_done(&a->state);
    buf_done(&a->cursor.from);
    buf_done(&a->cursor.origin);
    arena_done(&a->param_arena);
}
