/* Where source and target may differ, found by their servers: sums of row hashes per key range. */
#include "work/pipeline/verify_ranges.h"

#include <stdio.h>

#include "foundation/base/mem.h"
#include "foundation/base/thread.h"
#include "work/pipeline/pipeline_impl.h"

enum {
    CUT_BITS = 6,        /* a range is cut into 64 */
    HASH_BITS = 62,      /* of places that are hashes */
    ROWS_FEW = 2000,     /* so many are read, and compared here */
    RANGES_MAX = 1 << 16 /* that one statement may give */
};

/* One side while its ranges are compared. Columns are in the order of `VerifyRanges.forms`. */
typedef struct NarrowSide {
    Source *source;
    SourceForms forms;
    SourceFingerprintReq req;
    int32_t *columns, *key, *not_null;
    SourceFingerprint *found;
    int64_t count;
    Status status;
    Err err;
} NarrowSide;

typedef struct VerifyRanges {
    const PipelineConfig *config;
    VerifyByRange *result;
    Assembly assembly;
    SourceReq target_req;
    SourceInfo target_info;
    NarrowSide source, target;
    Arena arena;
} VerifyRanges;

void verify_ranges_done(VerifyByRange *by_range)
{
    mem_free(by_range->keys);
    mem_free(by_range->numbers);
    *by_range = (VerifyByRange){0};
}

/* It can't be done so: OK, and the reason. */
static Status give_up(VerifyRanges *n, bool *ret_can, const char *format, ...) PRINTF_LIKE(3, 4);
static Status give_up(VerifyRanges *n, bool *ret_can, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(n->result->reason, sizeof n->result->reason, format, args);
    va_end(args);
    *ret_can = false;
    return OK;
}

/* ---- can the servers do it? ---- */

static bool is_named(const Str *names, int32_t count, Str name)
{
    for (int32_t i = 0; i < count; i++) {
        if (str_eq(names[i], name)) return true;
    }
    return false;
}

/* The source's column that a column after `steps` steps is; -1: none, it is computed. */
static int32_t source_column(const Assembly *a, int32_t steps, int32_t column)
{
    for (int32_t i = steps - 1; i >= 0 && column >= 0; i--) column = step_pass(a->steps[i], column);
    return column;
}

static Status not_null_add(VerifyRanges *n, int32_t step, int32_t column, bool *ret_can)
{
    int32_t from = source_column(&n->assembly, step, column);
    SourceFingerprintReq *req = &n->source.req;
    if (from < 0) return give_up(n, ret_can, "step %d drops by a computed column", step + 1);
    for (int32_t i = 0; i < req->not_null_count; i++) {
        if (req->not_null[i] == from) return OK;
    }
    n->source.not_null[req->not_null_count++] = from;
    return OK;
}

static Status drop_nulls_add(VerifyRanges *n, int32_t step, bool *ret_can)
{
    const StepConfig *config = &n->config->steps[step];
    const Schema *in = n->assembly.steps[step]->schema;
    for (int32_t i = 0; i < in->count && *ret_can; i++) {
        bool named = !config->column_count ||
                     is_named(config->columns, config->column_count, in->fields[i].name);
        if (named) TRY(not_null_add(n, step, i, ret_can));
    }
    return OK;
}

static Status check_steps(VerifyRanges *n, bool *ret_can, Err *err)
{
    static const char *const NAMES[] = {"select", "where", "drop_nulls", "drop_duplicates",
                                        "check"};
    n->source.not_null = ARENA_ARRAY(&n->arena, int32_t, n->source.forms.count + 1);
    if (!n->source.not_null) return err_memory(err);
    n->source.req.not_null = n->source.not_null;
    for (int32_t i = 0; i < n->config->step_count && *ret_can; i++) {
        StepKind kind = n->config->steps[i].kind;
        if (kind == STEP_SELECT) continue;
        if (kind == STEP_DROP_NULLS) TRY(drop_nulls_add(n, i, ret_can));
        else TRY(give_up(n, ret_can, "step %d (%s) runs here", i + 1, NAMES[kind]));
    }
    return OK;
}

static Status column_add(VerifyRanges *n, int32_t column, bool key, bool *ret_can)
{
    NarrowSide *source = &n->source, *target = &n->target;
    Str name = n->assembly.schema->fields[column].name;
    int32_t from = source_column(&n->assembly, n->config->step_count, column);
    int32_t to = schema_find(n->target_info.schema, name);
    if (from < 0) return give_up(n, ret_can, "\"%.*s\" is computed here", STR_ARG(name));
    if (to < 0) return give_up(n, ret_can, "the target has no column \"%.*s\"", STR_ARG(name));
    Str a = source->forms.forms[from], b = target->forms.forms[to];
    if (!a.len || !str_eq(a, b)) {
        return give_up(n, ret_can, "the types of \"%.*s\" are compared here", STR_ARG(name));
    }
    int32_t at = source->req.column_count++;
    source->columns[at] = from;
    target->columns[at] = to;
    if (!key) return OK;
    at = source->req.within.key_count++;
    source->key[at] = from;
    target->key[at] = to;
    return OK;
}

static Status side_columns(VerifyRanges *n, NarrowSide *side, Err *err)
{
    int32_t count = n->assembly.schema->count + 1;
    side->columns = ARENA_ARRAY(&n->arena, int32_t, count);
    side->key = ARENA_ARRAY(&n->arena, int32_t, count);
    if (!side->columns || !side->key) return err_memory(err);
    side->req.columns = side->columns;
    side->req.within.key = side->key;
    return OK;
}

/* Without a key all columns are it, and rows are counted. */
static Status check_columns(VerifyRanges *n, bool *ret_can, Err *err)
{
    const PipelineConfig *c = n->config;
    TRY(side_columns(n, &n->source, err));
    TRY(side_columns(n, &n->target, err));
    for (int32_t i = 0; i < n->assembly.schema->count && *ret_can; i++) {
        Str name = n->assembly.schema->fields[i].name;
        bool key = c->target.key_count == 0 || is_named(c->target.key, c->target.key_count, name);
        bool named = c->target.key_count > 0 && key;
        if (!named && is_named(c->target.ignore_for_change, c->target.ignore_count, name)) continue;
        TRY(column_add(n, i, key, ret_can));
    }
    n->target.req.column_count = n->source.req.column_count;
    n->target.req.within.key_count = n->source.req.within.key_count;
    if (*ret_can && !n->source.req.within.key_count) {
        return give_up(n, ret_can, "no column is compared");
    }
    return OK;
}

static Status check_systems(VerifyRanges *n, bool *ret_can, Err *err)
{
    const PipelineConfig *c = n->config;
    if (!source_fingerprints(n->source.source) || !source_fingerprints(n->target.source)) {
        return give_up(n, ret_can, "not both sides are databases that compute fingerprints");
    }
    if (c->mode == SINK_APPEND && c->incremental.cursor.len) {
        return give_up(n, ret_can, "rows past the settled cursor don't count yet");
    }
    TRY(source_forms(n->source.source, &n->arena, &n->source.forms, err));
    TRY(source_forms(n->target.source, &n->arena, &n->target.forms, err));
    Str a = n->source.forms.system, b = n->target.forms.system;
    if (a.len && str_eq(a, b)) return OK;
    return give_up(n, ret_can, "the servers' encodings differ, or one is too old");
}

/* ---- ranges ---- */

static int32_t bits_of(int64_t span)
{
    return span ? 64 - __builtin_clzll((uint64_t)span) : 0;
}

/* Integer keys have ranges of their values, which an index finds; all others of a hash. */
static Status first_ranges(VerifyRanges *n, Err *err)
{
    SourceRanges *ranges = &n->source.req.within;
    int32_t bits = HASH_BITS;
    SourceSpan a = {0}, b = {0};
    if (ranges->key_count == 1) {
        TRY(source_span(n->source.source, n->source.key[0], &a, err));
        TRY(source_span(n->target.source, n->target.key[0], &b, err));
    }
    if (a.integer && b.integer && (a.some || b.some)) {
        int64_t min = !b.some || (a.some && a.min < b.min) ? a.min : b.min;
        int64_t max = !b.some || (a.some && a.max > b.max) ? a.max : b.max, span;
        ranges->by_value = !__builtin_sub_overflow(max, min, &span);
        ranges->from = ranges->by_value ? min : 0;
        if (ranges->by_value) bits = bits_of(span);
    }
    n->source.req.shift = bits > CUT_BITS ? bits - CUT_BITS : 0;
    return OK;
}

static void side_run(void *arg)
{
    NarrowSide *side = arg;
    side->status =
        source_fingerprint(side->source, &side->req, &side->found, &side->count, &side->err);
}

/* Both servers at once. */
static Status both_sides(VerifyRanges *n, Err *err)
{
    const int32_t *key = n->target.key;
    n->target.req.within = n->source.req.within;
    n->target.req.within.key = key;
    n->target.req.shift = n->source.req.shift;
    Thread thread = {0};
    TRY(thread_start(&thread, "verify", side_run, &n->target, err));
    side_run(&n->source);
    thread_join(&thread);
    NarrowSide *failed = n->source.status != OK ? &n->source : &n->target;
    if (failed->status == OK) return OK;
    if (err) *err = failed->err;
    return err_prefix(err, failed == &n->source ? "source: " : "target: ");
}

static void side_forget(NarrowSide *side)
{
    mem_free(side->found);
    side->found = NULL;
    side->count = 0;
}

static bool found_equal(const SourceFingerprint *a, const SourceFingerprint *b)
{
    return a && b && a->rows == b->rows && strcmp(a->sum, b->sum) == 0;
}

/* Merge the two ascending lists; what differs goes to `numbers`. */
static void compare(VerifyRanges *n, int64_t *numbers, int64_t *ret_count)
{
    const NarrowSide *s = &n->source, *t = &n->target;
    VerifyByRange *r = n->result;
    int64_t i = 0, j = 0, count = 0, source_rows = 0, target_rows = 0;
    while (i < s->count || j < t->count) {
        const SourceFingerprint *a = i < s->count ? &s->found[i] : NULL;
        const SourceFingerprint *b = j < t->count ? &t->found[j] : NULL;
        if (a && b && a->range != b->range) *(a->range < b->range ? &b : &a) = NULL;
        i += a != NULL;
        j += b != NULL;
        r->ranges++;
        if (found_equal(a, b)) continue;
        numbers[count++] = a ? a->range : b->range;
        source_rows += a ? a->rows : 0;
        target_rows += b ? b->rows : 0;
    }
    r->ranges_differing = count;
    r->rows = int64_max(source_rows, target_rows);
    *ret_count = count;
}

static int64_t rows_of(const NarrowSide *side)
{
    int64_t rows = 0;
    for (int64_t i = 0; i < side->count; i++) rows += side->found[i].rows;
    return rows;
}

/* One statement on either side. *ret_more: the differing ranges are worth cutting again. */
static Status level(VerifyRanges *n, bool first, bool *ret_more, Err *err)
{
    VerifyByRange *r = n->result;
    int64_t before = r->rows, count = 0;
    TRY(both_sides(n, err));
    if (first) {
        r->source_rows = rows_of(&n->source);
        r->target_rows = rows_of(&n->target);
    }
    int64_t *numbers = mem_array(n->source.count + n->target.count + 1, (int64_t)sizeof *numbers);
    if (!numbers) return err_memory(err);
    compare(n, numbers, &count);
    side_forget(&n->source);
    side_forget(&n->target);
    mem_free(r->numbers);
    r->numbers = numbers;
    SourceRanges *ranges = &n->source.req.within;
    ranges->numbers = numbers;
    ranges->count = count;
    ranges->shift = n->source.req.shift;
    bool spread = !first && r->rows > before - before / 4; /* differences are everywhere */
    *ret_more =
        r->rows > ROWS_FEW && ranges->shift > 0 && !spread && count << CUT_BITS <= RANGES_MAX;
    n->source.req.shift = ranges->shift > CUT_BITS ? ranges->shift - CUT_BITS : 0;
    return OK;
}

static Status bisect(VerifyRanges *n, Err *err)
{
    TRY(first_ranges(n, err));
    bool more = true;
    for (bool first = true; more; first = false) TRY(level(n, first, &more, err));
    VerifyByRange *r = n->result;
    int32_t count = n->source.req.within.key_count;
    r->keys = mem_array(count * INT64_C(2), (int64_t)sizeof *r->keys);
    if (!r->keys) return err_memory(err);
    memcpy(r->keys, n->source.key, (size_t)count * sizeof *r->keys);
    memcpy(r->keys + count, n->target.key, (size_t)count * sizeof *r->keys);
    r->source = r->target = n->source.req.within;
    r->source.key = r->keys;
    r->target.key = r->keys + count;
    r->server = true;
    return OK;
}

/* ---- all of it ---- */

static Status open_target(VerifyRanges *n, const PipelineEnv *env, Err *err)
{
    n->target_req = (SourceReq){.location = &n->config->to,
                                .table = n->config->table,
                                .limits.parallel = 1,
                                .limits.bounded = true,
                                .spool_folder = env->spool_folder,
                                .stop = env->cancelled};
    Status status = connector_source(&n->target_req, &n->target.source, err);
    if (status == OK) status = source_describe(n->target.source, &n->target_info, err);
    return status == OK ? OK : err_prefix(err, "target: ");
}

static Status by_range_run(VerifyRanges *n, const PipelineEnv *env, Err *err)
{
    bool can = true;
    n->source.source = n->assembly.source;
    TRY(open_target(n, env, err));
    TRY(check_systems(n, &can, err));
    if (can) TRY(check_steps(n, &can, err));
    if (can) TRY(check_columns(n, &can, err));
    return can ? bisect(n, err) : OK;
}

Status verify_ranges(const PipelineConfig *config, const PipelineEnv *env,
                     VerifyByRange *ret_by_range, Err *err)
{
    *ret_by_range = (VerifyByRange){0};
    VerifyRanges n = {.config = config, .result = ret_by_range, .arena = arena_make(16 << 20)};
    n.target_info.arena = arena_make(16 << 20);
    RunOptions options = {.full_refresh = true};
    Status status = assembly_open(&n.assembly, config, &options, env, err);
    if (status == OK) status = by_range_run(&n, env, err);
    side_forget(&n.source);
    side_forget(&n.target);
    source_close(n.target.source);
    source_info_done(&n.target_info);
    assembly_close(&n.assembly);
    arena_done(&n.arena);
    return status;
}
