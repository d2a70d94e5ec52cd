/* The step of a stream: each message to the processor of its type, to its first case that is true.
 */
#include <stdio.h>

#include "engine/format/json_write.h"
#include "foundation/base/clock.h"
#include "foundation/base/mem.h"
#include "foundation/base/redact.h"
#include "foundation/codec/json_writer.h"
#include "foundation/obs/metrics.h"
#include "work/stream/stream_impl.h"

/* Processors of messages that have none. */
enum { ROUTE_UNKNOWN = -1, ROUTE_FAILED = -2 };

typedef struct RouteStep {
    Step step;
    Route *route;
    StreamStats *stats;
    RouteOutput output;
    RejectList list;
    Buf key, reason;
    /* Of one batch, as long as the largest so far. */
    int64_t capacity;
    int32_t *processors;
    RoutePlace *places;
    int64_t *rows, *rest; /* messages of a processor; of those the ones that no case took yet */
    uint64_t *keep;
    RoutePart *parts;
    int32_t part_count, part_max;
} RouteStep;

static const StepOps ROUTE_OPS;

/* What one call of run works on. */
typedef struct RouteRun {
    RouteStep *self;
    const ExprRun *run;
    Batch *in;
    RejectWriter *rejects;
} RouteRun;

static Status reserve(RouteStep *self, int64_t rows, Err *err)
{
    if (rows <= self->capacity) return OK;
    mem_free(self->processors);
    mem_free(self->places);
    mem_free(self->rows);
    mem_free(self->rest);
    mem_free(self->keep);
    self->capacity = 0;
    self->processors = mem_array(rows, (int64_t)sizeof *self->processors);
    self->places = mem_array(rows, (int64_t)sizeof *self->places);
    self->rows = mem_array(rows, (int64_t)sizeof *self->rows);
    self->rest = mem_array(rows, (int64_t)sizeof *self->rest);
    self->keep = mem_array(rows / 64 + 1, (int64_t)sizeof *self->keep);
    if (!self->processors || !self->places || !self->rows || !self->rest || !self->keep) {
        return err_memory(err);
    }
    self->capacity = rows;
    return OK;
}

/* ---- refused messages ---- */

Status route_put_place(const Batch *in, int64_t row, Buf *out, Err *err)
{
    static const char *const NAMES[] = {"topic", "partition", "offset", "timestamp", "headers"};
    if (schema_find(in->schema, STR("@topic")) < 0) return OK;
    for (int32_t i = 0; i < COUNT_OF(NAMES); i++) {
        char name[16];
        int len = snprintf(name, sizeof name, "@%s", NAMES[i]);
        const Column *column = &in->columns[schema_find(in->schema, str_make(name, len))];
        TRY(buf_printf(out, err, "%c\"%s\":", i ? ',' : '{', NAMES[i]));
        if (column_is_null(column, row)) TRY(buf_append(out, STR("null"), err));
        else TRY(json_write_value(column, row, out, err));
    }
    Str key = message_open_key(in, row);
    TRY(buf_append(out, STR(",\"key\":"), err));
    if (key.ptr) TRY(message_put_bytes(key, out, err));
    else TRY(buf_append(out, STR("null"), err));
    return buf_append_char(out, '}', err);
}

/* The message of a row of the whole batch, with its own bytes. */
static Status refuse(RouteRun *r, int64_t row, Str stage, const Reject *reject, Err *err)
{
    RouteStep *self = r->self;
    buf_clear(&self->key);
    TRY(route_put_place(r->in, row, &self->key, err));
    RejectRow refused = {
        .stage = stage,
        .key = buf_str(&self->key),
        .column = reject->column,
        .reason = reject->reason,
        .sqlstate = str_from(reject->sqlstate),
        .data = column_text(&r->in->columns[0], row),
        .part = r->in->span.part,
        .row = batch_ordinal(r->in, row),
    };
    return reject_writer_row(r->rejects, &refused, err);
}

/* The failed rows of a part; `rows` says where they stand in the whole batch. */
static Status refuse_list(RouteRun *r, Str stage, const int64_t *rows, Err *err)
{
    RejectList *list = &r->self->list;
    for (int64_t i = 0; i < list->count; i++) {
        TRY(refuse(r, rows[list->items[i].row], stage, &list->items[i], err));
    }
    return OK;
}

/* ---- which processor? ---- */

static int32_t find_processor(const Route *route, Str type)
{
    for (int32_t i = 0; i < route->processor_count; i++) {
        if (str_eq(route->processors[i].type, type)) return i;
    }
    return ROUTE_UNKNOWN;
}

/* The text that names the type; false where there is none. */
static bool type_text(const Column *column, int64_t row, Str *ret_type)
{
    if (column_is_null(column, row)) return false;
    if (column->type == TYPE_DYNAMIC) column = column_dynamic(column, row, &row);
    if (column->type != TYPE_TEXT) return false;
    *ret_type = column_text(column, row);
    return true;
}

static Status unknown_message(RouteRun *r, int64_t row, const Str *type, Err *err)
{
    RouteStep *self = r->self;
    atomic_fetch_add(&self->stats->unknown, 1);
    if (self->route->config->routing.unknown == UNKNOWN_PASS) self->places[row].part = ROUTE_PASS;
    if (self->route->config->routing.unknown != UNKNOWN_DEAD_LETTER) return OK;
    buf_clear(&self->reason);
    if (type) {
        TRY(buf_append(&self->reason, STR("no processor for the type \""), err));
        TRY(buf_append(&self->reason, redact_value(str_slice(*type, 0, 200)), err));
        self->reason.len = str_utf8_prefix(buf_str(&self->reason));
        TRY(buf_append(&self->reason, STR("\""), err));
    } else {
        TRY(buf_append(&self->reason, STR("the message has no type"), err));
    }
    Reject reject = {.row = row, .reason = buf_str(&self->reason)};
    return refuse(r, row, STR("route"), &reject, err);
}

static Status route_types(RouteRun *r, const Column *types, Err *err)
{
    RouteStep *self = r->self;
    Str type = STR_NULL;
    for (int64_t row = 0; row < r->in->rows; row++) {
        if (self->processors[row] == ROUTE_FAILED) continue;
        bool has = type_text(types, row, &type);
        self->processors[row] = has ? find_processor(self->route, type) : ROUTE_UNKNOWN;
        if (self->processors[row] != ROUTE_UNKNOWN) continue;
        TRY(unknown_message(r, row, has ? &type : NULL, err));
    }
    return OK;
}

static Status find_types(RouteRun *r, Err *err)
{
    RouteStep *self = r->self;
    const Route *route = self->route;
    int64_t count = r->in->rows;
    for (int64_t row = 0; row < count; row++) {
        self->places[row] = (RoutePlace){ROUTE_NOWHERE, 0};
        self->rows[row] = row;
        self->processors[row] = route->config->routing.only >= 0 ? route->config->routing.only : 0;
    }
    if (route->config->routing.only >= 0 || !route->route_by) return OK;
    Column types = {0};
    reject_list_clear(&self->list);
    TRY(expr_column(route->route_by, r->run, r->in, &types, &self->list, err));
    for (int64_t i = 0; i < self->list.count; i++) {
        self->processors[self->list.items[i].row] = ROUTE_FAILED;
    }
    Status status = refuse_list(r, STR("route"), self->rows, err);
    if (status == OK) status = route_types(r, &types, err);
    column_done(&types);
    return status;
}

/* ---- processors ---- */

static Status part_add(RouteStep *self, RouteCase *from, RoutePart **ret_part, Err *err)
{
    if (self->part_count == self->part_max) {
        int32_t most = self->part_max ? self->part_max * 2 : 16;
        RoutePart *parts = mem_realloc(self->parts, most * (int64_t)sizeof *parts);
        if (!parts) return err_memory(err);
        self->parts = parts;
        self->part_max = most;
    }
    *ret_part = &self->parts[self->part_count++];
    **ret_part = (RoutePart){.from = from};
    return OK;
}

static void parts_clear(RouteStep *self)
{
    for (int32_t i = 0; i < self->part_count; i++) {
        batch_unref(self->parts[i].out);
        if (self->parts[i].has_key) column_done(&self->parts[i].key);
    }
    self->part_count = 0;
}

/* The rows that didn't fail, of `rows`, into `rest`; the list has the failed ones, ascending. */
static int64_t rows_left(RouteStep *self, const int64_t *rows, int64_t count)
{
    int64_t left = 0, failed = 0;
    for (int64_t i = 0; i < count; i++) {
        if (failed < self->list.count && self->list.items[failed].row == i) failed++;
        else self->rest[left++] = rows[i];
    }
    return left;
}

/* Where the outputs of a part stand; those whose key fails are refused. */
static Status place_outputs(RouteRun *r, RoutePart *part, int32_t number, Err *err)
{
    RouteStep *self = r->self;
    const int64_t *rows = self->rest;
    for (int64_t i = 0; i < part->out->rows; i++) {
        self->places[rows[i]] = (RoutePlace){number, i};
    }
    if (!part->from->key) return OK;
    reject_list_clear(&self->list);
    TRY(expr_column(part->from->key, r->run, part->out, &part->key, &self->list, err));
    part->has_key = true;
    for (int64_t i = 0; i < self->list.count; i++) {
        self->places[rows[self->list.items[i].row]].part = ROUTE_NOWHERE;
    }
    return refuse_list(r, part->from->stage, rows, err);
}

/* The messages that a case took: their outputs. */
static Status case_outputs(RouteRun *r, RouteCase *c, Batch *batch, const int64_t *rows, Err *err)
{
    RouteStep *self = r->self;
    RoutePart *part = NULL;
    TRY(part_add(self, c, &part, err));
    reject_list_clear(&self->list);
    TRY(select_run(c->select, r->run, batch, &self->list, &part->out, err));
    TRY(refuse_list(r, c->stage, rows, err));
    if (rows_left(self, rows, batch->rows) != part->out->rows) {
        return err_set(err, ERR_INTERNAL, "%.*s: rows are missing", STR_ARG(c->stage));
    }
    return place_outputs(r, part, self->part_count - 1, err);
}

static int64_t keep_rows(const RouteStep *self, const int64_t *rows, int64_t count, int64_t *ret)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < count; i++) {
        if (bit_get((const uint8_t *)self->keep, i)) ret[kept++] = rows[i];
    }
    return kept;
}

/* One case over what no earlier one took: *batch and rows become what it leaves. */
static Status run_case(RouteRun *r, RouteCase *c, Batch **batch, int64_t *rows, Err *err)
{
    RouteStep *self = r->self;
    Batch *all = *batch;
    int64_t count = all->rows;
    if (!c->where) {
        TRY(case_outputs(r, c, all, rows, err));
        batch_unref(all);
        *batch = NULL;
        return OK;
    }
    reject_list_clear(&self->list);
    TRY(expr_filter(c->where, r->run, all, self->keep, &self->list, err));
    TRY(refuse_list(r, c->stage, rows, err));
    CLEANUP(batch_unref_p) Batch *taken = NULL;
    CLEANUP(batch_unref_p) Batch *left = NULL;
    TRY(batch_filter(all, (const uint8_t *)self->keep, &taken, err));
    int64_t *taken_rows = mem_array(count + 1, (int64_t)sizeof *taken_rows);
    if (!taken_rows) return err_memory(err);
    (void)keep_rows(self, rows, count, taken_rows);
    /* What stays: neither taken nor failed. */
    for (int64_t word = 0; word < (count + 63) / 64; word++) self->keep[word] = ~self->keep[word];
    for (int64_t i = 0; i < self->list.count; i++) {
        bit_clear((uint8_t *)self->keep, self->list.items[i].row);
    }
    Status status = batch_filter(all, (const uint8_t *)self->keep, &left, err);
    if (status == OK) (void)keep_rows(self, rows, count, rows);
    if (status == OK && taken->rows > 0) status = case_outputs(r, c, taken, taken_rows, err);
    mem_free(taken_rows);
    TRY(status);
    batch_unref(all);
    *batch = TAKE(left);
    return OK;
}

/* What became of a processor's messages. */
static void count_type(RouteRun *r, int32_t number, int64_t count, int64_t failed, int64_t filtered)
{
    StreamStats *stats = r->self->stats;
    atomic_fetch_add(&stats->messages_processed, count - failed);
    if (number >= stats->type_count) return;
    StreamTypeStats *type = &stats->types[number];
    atomic_fetch_add(&type->messages, count);
    atomic_fetch_add(&type->failed, failed);
    atomic_fetch_add(&type->filtered, filtered);
    atomic_fetch_add(&type->emitted, count - failed - filtered);
}

static Status run_processor(RouteRun *r, int32_t number, Err *err)
{
    RouteStep *self = r->self;
    RouteProcessor *processor = &self->route->processors[number];
    int64_t count = 0, failed_before = r->rejects->total;
    for (int64_t row = 0; row < r->in->rows; row++) {
        if (self->processors[row] == number) self->rows[count++] = row;
    }
    if (count == 0) return OK;
    CLEANUP(batch_unref_p) Batch *batch = NULL;
    if (count == r->in->rows) batch = batch_ref(r->in);
    else TRY(batch_take(r->in, self->rows, count, &batch, err));
    for (int32_t i = 0; i < processor->case_count && batch && batch->rows > 0; i++) {
        TRY(run_case(r, &processor->cases[i], &batch, self->rows, err));
    }
    count_type(r, number, count, r->rejects->total - failed_before, batch ? batch->rows : 0);
    return OK;
}

static Status run_all(RouteRun *r, Batch **ret_out, Err *err)
{
    RouteStep *self = r->self;
    TRY(reserve(self, r->in->rows, err));
    TRY(find_types(r, err));
    for (int32_t i = 0; i < self->route->processor_count; i++) TRY(run_processor(r, i, err));
    return route_output_make(&self->output, r->in, self->places, self->parts, ret_out, err);
}

static void measure(RouteStep *self, const Batch *batch, int64_t ns)
{
    StreamStats *stats = self->stats;
    if (batch->rows == 0) return;
    atomic_fetch_add(&stats->pace.routed, batch->rows);
    atomic_fetch_add(&stats->pace.route_ns, ns);
    metrics_observe(METRIC_STREAM_PROCESSING, (double)ns / 1e9 / (double)batch->rows,
                    LABELS(self->route->config->name));
    int32_t at = schema_find(batch->schema, STR("@timestamp"));
    if (at < 0 || column_is_null(&batch->columns[at], 0)) return;
    int64_t first_us = column_int64(&batch->columns[at])[0];
    int64_t oldest_us = atomic_load(&stats->cycles.oldest_us);
    if (oldest_us == 0 || first_us < oldest_us) atomic_store(&stats->cycles.oldest_us, first_us);
}

static Status route_step_run(Step *step, const ExprRun *run, Batch *in, RejectWriter *rejects,
                             Batch **ret_out, Err *err)
{
    RouteStep *self = STEP_SELF(RouteStep, ROUTE_OPS, step);
    CLEANUP(batch_unref_p) Batch *batch = in;
    RouteRun r = {.self = self, .run = run, .in = batch, .rejects = rejects};
    int64_t start_ns = clock_mono_ns();
    Status status = batch->rows > 0 ? run_all(&r, ret_out, err) : OK;
    parts_clear(self);
    measure(self, batch, clock_mono_ns() - start_ns);
    return status;
}

static void route_step_free(Step *step)
{
    RouteStep *self = STEP_SELF(RouteStep, ROUTE_OPS, step);
    parts_clear(self);
    route_output_done(&self->output);
    reject_list_done(&self->list);
    buf_done(&self->key);
    buf_done(&self->reason);
    mem_free(self->processors);
    mem_free(self->places);
    mem_free(self->rows);
    mem_free(self->rest);
    mem_free(self->keep);
    mem_free(self->parts);
    mem_free(self);
}

static const StepOps ROUTE_OPS = {.run = route_step_run, .free = route_step_free};

Status route_step_new(Route *route, StreamStats *stats, Step **ret_step, Err *err)
{
    RouteStep *self = mem_zalloc((int64_t)sizeof *self);
    if (!self) return err_memory(err);
    self->step.ops = &ROUTE_OPS;
    self->step.schema = schema_ref(route->out);
    (void)snprintf(self->step.name, sizeof self->step.name, "route");
    self->route = route;
    self->stats = stats;
    self->key = buf_make(STREAM_TEXT_MAX);
    self->reason = buf_make(4096);
    reject_list_init(&self->list);
    if (route_output_init(&self->output, route, err) != OK) {
        step_free(&self->step);
        return FAIL;
    }
    *ret_step = &self->step;
    return OK;
}
