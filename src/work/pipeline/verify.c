/* Compares source and target by fingerprints of key ranges, and key by key where they differ. */
#include "work/pipeline/verify.h"

#include <stdatomic.h>

#include "engine/expr/row_hash.h"
#include "engine/format/json_write.h"
#include "foundation/base/clock.h"
#include "foundation/base/mem.h"
#include "foundation/base/redact.h"
#include "foundation/codec/json_writer.h"
#include "work/pipeline/pipeline_impl.h"
#include "work/pipeline/verify_map.h"

enum { RANGES = 1 << 16, CHUNK = 1024, COLUMNS_MAX = 1600, WAIT_NS = 1000000000 };
enum { ROWS_DIRECT = 100000 }; /* so few rows are not put into ranges here as well */

/* An order-free fingerprint: sums of the rows' hashes, and how many there are. */
typedef struct Fingerprint {
    uint64_t low, high;
    int64_t rows;
} Fingerprint;

typedef struct Verify {
    const PipelineConfig *config;
    const PipelineEnv *env;
    VerifyResult *result;
    Fingerprint *source, *target; /* RANGES of each */
    int32_t key[COLUMNS_MAX], rest[COLUMNS_MAX];
    int32_t key_count, rest_count;
    bool keyed;
    bool all_differ; /* few rows are left: all of them are compared key by key */
    VerifyMap map;
    int64_t missing_left; /* keys that the last pass still looks for */
} Verify;

/* What a pass does with each row: its key, the rest, where it stands. */
typedef Status RowVisit(Verify *v, Hash128 key, Hash128 row, const Batch *batch, int64_t at,
                        Err *err);

void verify_result_init(VerifyResult *result)
{
    *result = (VerifyResult){.keys = buf_make(1 << 20)};
}

void verify_result_done(VerifyResult *result)
{
    buf_done(&result->keys);
    verify_ranges_done(&result->by_range);
}

static int64_t range_of(Hash128 key)
{
    return (int64_t)(key.high >> 48);
}

static bool range_differs(const Verify *v, Hash128 key)
{
    if (v->all_differ) return true;
    const Fingerprint *a = &v->source[range_of(key)], *b = &v->target[range_of(key)];
    return a->low != b->low || a->high != b->high || a->rows != b->rows;
}

/* ---- rows of either side ---- */

static bool is_named(const Str *names, int32_t count, Str name)
{
    for (int32_t i = 0; i < count; i++) {
        if (str_eq(names[i], name)) return true;
    }
    return false;
}

/* Which columns are the key, and which make a row differ. */
static Status columns_split(Verify *v, const Schema *schema, Err *err)
{
    const PipelineConfig *c = v->config;
    if (schema->count > COLUMNS_MAX) {
        return err_set(err, ERR_LIMIT, "more than %d columns", COLUMNS_MAX);
    }
    v->keyed = c->target.key_count > 0;
    v->key_count = v->rest_count = 0;
    for (int32_t i = 0; i < schema->count; i++) {
        Str name = schema->fields[i].name;
        bool key = v->keyed && is_named(c->target.key, c->target.key_count, name);
        if (!key && is_named(c->target.ignore_for_change, c->target.ignore_count, name)) continue;
        if (key || !v->keyed) v->key[v->key_count++] = i;
        else v->rest[v->rest_count++] = i;
    }
    return OK;
}

static Status visit_batch(Verify *v, const Batch *batch, RowVisit *visit, Err *err)
{
    Hash128 keys[CHUNK], rows[CHUNK];
    v->result->rows_read += batch->rows;
    for (int64_t from = 0; from < batch->rows; from += CHUNK) {
        int64_t count = int64_min(CHUNK, batch->rows - from);
        TRY(row_hash_batch(batch, v->key, v->key_count, from, count, keys, err));
        TRY(row_hash_batch(batch, v->rest, v->rest_count, from, count, rows, err));
        for (int64_t i = 0; i < count; i++) {
            TRY(visit(v, keys[i], rows[i], batch, from + i, err));
        }
    }
    return OK;
}

typedef struct Side {
    Source *source;
    Step *const *steps;
    int32_t step_count;
    RejectWriter rejects;
    ExprRun run;
} Side;

static Status drop_rejects(Side *side, Err *err)
{
    CLEANUP(batch_unref_p) Batch *refused = NULL;
    return reject_writer_take(&side->rejects, &refused, err);
}

static Status side_event(Verify *v, Side *side, SourceEvent *event, RowVisit *visit, Err *err)
{
    batch_unref(event->rejects);
    if (!event->batch) return OK;
    CLEANUP(batch_unref_p) Batch *out = NULL;
    TRY(step_chain_run(side->steps, 0, side->step_count, &side->run, event->batch, &side->rejects,
                       &out, err));
    TRY(drop_rejects(side, err));
    return out ? visit_batch(v, out, visit, err) : OK;
}

static Status side_part(Verify *v, Side *side, int32_t part, RowVisit *visit, Err *err)
{
    while (true) {
        if (v->env->cancelled && atomic_load(v->env->cancelled)) {
            return err_set(err, ERR_CANCELLED, "cancelled");
        }
        SourceEvent event = {0};
        TRY(source_next(side->source, part, clock_mono_ns() + WAIT_NS, &event, err));
        if (event.kind == SOURCE_END) return OK;
        TRY(side_event(v, side, &event, visit, err));
    }
}

static Status side_rows(Verify *v, Side *side, RowVisit *visit, Err *err)
{
    TRY(source_open(side->source, NULL, v->env->budget, err));
    int32_t parts = source_parts(side->source);
    for (int32_t part = 0; part < parts; part++) TRY(side_part(v, side, part, visit, err));
    for (int32_t at = 0;;) {
        CLEANUP(batch_unref_p) Batch *out = NULL;
        TRY(step_chain_finish(side->steps, side->step_count, &side->run, &side->rejects, &at, &out,
                              err));
        if (!out) return OK;
        TRY(visit_batch(v, out, visit, err));
    }
}

static Status side_read(Verify *v, Source *source, Step *const *steps, int32_t step_count,
                        RowVisit *visit, Err *err)
{
    Side side = {.source = source,
                 .steps = steps,
                 .step_count = step_count,
                 .run = {.now_us = clock_now_us()}};
    TRY(reject_writer_init(&side.rejects, NULL, 0, err));
    Status status = side_rows(v, &side, visit, err);
    reject_writer_done(&side.rejects);
    return status;
}

/* ---- the target, its columns as the types that the pipeline gives ---- */

static Status put_column(const Field *field, bool first, Buf *out, Err *err)
{
    if (!first) TRY(buf_append(out, STR(", "), err));
    CLEANUP(buf_done) Buf name = buf_make(1 << 16);
    TRY(buf_append_char(&name, '"', err));
    for (int64_t i = 0; i < field->name.len; i++) {
        if (field->name.ptr[i] == '"') TRY(buf_append_char(&name, '"', err));
        TRY(buf_append_char(&name, field->name.ptr[i], err));
    }
    TRY(buf_append_char(&name, '"', err));
    Str quoted = buf_str(&name);
    TRY(buf_append(out, quoted, err));
    if (field->type != TYPE_DYNAMIC) TRY(buf_printf(out, err, "::%s", type_name(field->type)));
    TRY(buf_append(out, STR(" AS "), err));
    return buf_append(out, quoted, err);
}

static Status target_read(Verify *v, const Schema *schema, RowVisit *visit, Err *err)
{
    SourceReq req = {.location = &v->config->to,
                     .table = v->config->table,
                     .limits.parallel = 1,
                     .limits.bounded = true,
                     .spool_folder = v->env->spool_folder,
                     .within = v->result->by_range.server ? &v->result->by_range.target : NULL,
                     .stop = v->env->cancelled};
    CLEANUP(buf_done) Buf select = buf_make(1 << 20);
    for (int32_t i = 0; i < schema->count; i++) {
        TRY(put_column(&schema->fields[i], i == 0, &select, err));
    }
    Source *source = NULL;
    Step *step = NULL;
    SourceInfo info = {.arena = arena_make(16 << 20)};
    Status status = connector_source(&req, &source, err);
    if (status == OK) status = source_describe(source, &info, err);
    if (status == OK) {
        status = step_select_new(1, buf_str(&select), info.schema, NULL, &step, err);
    }
    if (status == OK) status = side_read(v, source, &step, 1, visit, err);
    source_close(source);
    step_free(step);
    source_info_done(&info);
    return status == OK ? OK : err_prefix(err, "target: ");
}

/* ---- passes ---- */

static void fingerprint_add(Fingerprint *f, Hash128 key, Hash128 row)
{
    /* The two are mixed, so that rows which exchanged their values don't cancel out. */
    Hash128 both[2] = {key, row};
    Hash128 mixed = hash_128(str_make((const char *)both, sizeof both));
    f->low += mixed.low;
    f->high += mixed.high;
    f->rows++;
}

static Status count_source(Verify *v, Hash128 key, Hash128 row, const Batch *batch UNUSED,
                           int64_t at UNUSED, Err *err UNUSED)
{
    if (!v->result->by_range.server) v->result->source_rows++;
    fingerprint_add(&v->source[range_of(key)], key, row);
    return OK;
}

static Status count_target(Verify *v, Hash128 key, Hash128 row, const Batch *batch UNUSED,
                           int64_t at UNUSED, Err *err UNUSED)
{
    if (!v->result->by_range.server) v->result->target_rows++;
    fingerprint_add(&v->target[range_of(key)], key, row);
    return OK;
}

static Status keep_source(Verify *v, Hash128 key, Hash128 row, const Batch *batch UNUSED,
                          int64_t at UNUSED, Err *err)
{
    if (!range_differs(v, key)) return OK;
    VerifyEntry *entry;
    TRY(verify_map_put(&v->map, key, &entry, err));
    if (v->keyed && entry->count) v->result->superseded++;
    entry->row = row;
    entry->count = v->keyed ? 1 : entry->count + 1;
    return OK;
}

static Status report(Verify *v, const Batch *batch, int64_t at, VerifyDifference difference,
                     Err *err)
{
    static const char *const NAMES[] = {"missing", "different", "extra"};
    VerifyResult *r = v->result;
    if (r->key_count == VERIFY_KEYS_MAX) return OK;
    Buf *out = &r->keys;
    TRY(buf_append(out, r->key_count++ ? STR(",{\"key\":{") : STR("{\"key\":{"), err));
    for (int32_t i = 0; i < v->key_count; i++) {
        const Field *field = &batch->schema->fields[v->key[i]];
        if (i) TRY(buf_append_char(out, ',', err));
        JsonWriter w = json_writer_make(out, err);
        json_write_text(&w, field->name);
        TRY(json_writer_end(&w));
        TRY(buf_append_char(out, ':', err));
        if (redact_values()) TRY(buf_append(out, STR("\"***\""), err));
        else TRY(json_write_value(&batch->columns[v->key[i]], at, out, err));
    }
    return buf_printf(out, err, "},\"difference\":\"%s\"}", NAMES[difference]);
}

static Status compare_target(Verify *v, Hash128 key, Hash128 row, const Batch *batch, int64_t at,
                             Err *err)
{
    if (!range_differs(v, key)) return OK;
    VerifyEntry *entry = verify_map_find(&v->map, key);
    if (!entry || entry->count == 0) {
        v->result->extra++;
        return report(v, batch, at, VERIFY_EXTRA, err);
    }
    entry->count--;
    if (hash_128_eq(entry->row, row)) return OK;
    v->result->different++;
    return report(v, batch, at, VERIFY_DIFFERENT, err);
}

static Status name_missing(Verify *v, Hash128 key, Hash128 row UNUSED, const Batch *batch,
                           int64_t at, Err *err)
{
    if (v->missing_left == 0 || !range_differs(v, key)) return OK;
    VerifyEntry *entry = verify_map_find(&v->map, key);
    if (!entry || entry->count == 0) return OK;
    entry->count--;
    v->missing_left--;
    return report(v, batch, at, VERIFY_MISSING, err);
}

static void count_missing(Verify *v)
{
    for (int64_t i = 0; i < v->map.capacity; i++) v->result->missing += v->map.entries[i].count;
    v->missing_left = v->result->missing;
}

/* One reading of the source; with `target_visit` one of the target after it, in its types. */
static Status pass(Verify *v, RowVisit *source_visit, RowVisit *target_visit, Err *err)
{
    RunOptions options = {.full_refresh = true};
    Assembly a;
    Status status = assembly_open(&a, v->config, &options, v->env, err);
    if (v->result->by_range.server) a.req.source.within = &v->result->by_range.source;
    if (v->config->mode != SINK_APPEND)
        a.req.source.order.settle = false; /* no rows depend on it */
    if (status == OK) status = columns_split(v, a.schema, err);
    if (status == OK) {
        status = side_read(v, a.source, a.steps, a.step_count, source_visit, err);
        if (status != OK) (void)err_prefix(err, "source: ");
    }
    if (status == OK && target_visit) status = target_read(v, a.schema, target_visit, err);
    assembly_close(&a);
    return status;
}

static Status count_ranges(Verify *v, Err *err)
{
    VerifyResult *r = v->result;
    TRY(pass(v, count_source, count_target, err));
    r->ranges = RANGES;
    r->ranges_differing = 0;
    for (int64_t i = 0; i < RANGES; i++) {
        Hash128 key = {.high = (uint64_t)i << 48};
        r->ranges_differing += range_differs(v, key);
    }
    return OK;
}

static Status verify_all(Verify *v, Err *err)
{
    VerifyResult *r = v->result;
    TRY(verify_ranges(v->config, v->env, &r->by_range, err));
    if (r->by_range.server) {
        r->source_rows = r->by_range.source_rows;
        r->target_rows = r->by_range.target_rows;
        r->ranges = r->by_range.ranges;
        r->ranges_differing = r->by_range.ranges_differing;
        v->all_differ = r->by_range.rows <= ROWS_DIRECT;
    }
    if (!v->all_differ) TRY(count_ranges(v, err));
    if (r->ranges_differing == 0) return OK;
    TRY(pass(v, keep_source, compare_target, err));
    count_missing(v);
    return v->missing_left ? pass(v, name_missing, NULL, err) : OK;
}

Status pipeline_verify(const PipelineConfig *config, const PipelineEnv *env,
                       VerifyResult *ret_result, Err *err)
{
    Verify v = {.config = config, .env = env, .result = ret_result, .map = {.budget = env->budget}};
    v.source = mem_zalloc(RANGES * (int64_t)sizeof *v.source);
    v.target = mem_zalloc(RANGES * (int64_t)sizeof *v.target);
    Status status = v.source && v.target ? verify_all(&v, err) : err_memory(err);
    mem_free(v.source);
    mem_free(v.target);
    verify_map_done(&v.map);
    return status == OK ? OK : err_prefix(err, "%.*s: ", STR_ARG(config->name));
}
