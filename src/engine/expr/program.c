/* Compiled conditions and expressions, and the loop over chunks that all of them run in. */
#include "engine/expr/program.h"

#include "engine/column/builder.h"
#include "engine/expr/store.h"
#include "foundation/base/mem.h"

#define PROGRAM_ARENA_MAX (INT64_C(256) << 20)
#define CHUNK_ARENA_MAX (INT64_C(4) << 30)

/* ---- paths of open schemas ---- */

void pathset_init(PathSet *paths)
{
    *paths = (PathSet){.arena = arena_make(INT64_C(16) << 20)};
}

void pathset_done(PathSet *paths)
{
    mem_free(paths->paths);
    arena_done(&paths->arena);
    *paths = (PathSet){0};
}

static const struct {
    const char *name;
    TypeId type;
} METADATA[] = {
    {"@topic", TYPE_TEXT},     {"@partition", TYPE_INT64},       {"@offset", TYPE_INT64},
    {"@key", TYPE_TEXT},       {"@timestamp", TYPE_TIMESTAMPTZ}, {"@headers", TYPE_JSON},
    {"@key_bytes", TYPE_BYTES}};

Status pathset_schema(const PathSet *paths, bool meta, Schema **ret_schema, Err *err)
{
    int32_t meta_count = meta ? (int32_t)COUNT_OF(METADATA) : 0;
    int32_t count = 1 + meta_count + paths->count;
    Field *fields = mem_array(count, (int64_t)sizeof *fields);
    if (!fields) return err_memory(err);
    fields[0] = (Field){.name = STR("*"), .type = TYPE_JSON, .not_null = true, .spread = true};
    for (int32_t i = 0; i < meta_count; i++) {
        fields[1 + i] = (Field){.name = str_from(METADATA[i].name), .type = METADATA[i].type};
    }
    for (int32_t i = 0; i < paths->count; i++) {
        fields[1 + meta_count + i] = (Field){.name = paths->paths[i], .type = TYPE_DYNAMIC};
    }
    Status status = schema_new(fields, count, true, ret_schema, err);
    mem_free(fields);
    return status;
}

/* ---- programs ---- */

Status program_init(Program *p, Str text, const Schema *in, PathSet *paths, Err *err)
{
    *p = (Program){.arena = arena_make(PROGRAM_ARENA_MAX), .chunk = arena_make(CHUNK_ARENA_MAX)};
    Str copy;
    TRY(arena_copy(&p->arena, text, &copy, err));
    bool meta = schema_find(in, STR("@topic")) >= 0;
    p->checker = (Checker){
        .text = copy,
        .schema = in,
        .paths = in->open ? paths : NULL,
        .path_base = 1 + (meta ? (int32_t)COUNT_OF(METADATA) : 0),
        .arena = &p->arena,
    };
    return OK;
}

void program_done(Program *p)
{
    checker_release(&p->checker);
    arena_done(&p->chunk);
    arena_done(&p->arena);
}

Status program_note_errors(const ChunkRun *run, Eval *eval, const Vector *v, Err *err)
{
    if (!v->errors) return OK;
    for (int64_t row = 0; row < eval->rows; row++) {
        if (!((v->errors[row >> 6] >> (row & 63)) & 1)) continue;
        int64_t at = eval->from + row;
        if (bit_get((const uint8_t *)run->failed, at)) continue;
        bit_set((uint8_t *)run->failed, at);
        const LaneError *error = lane_find(&eval->lane, row);
        if (!error) return err_set(err, ERR_INTERNAL, "a failed row without a reason");
        Reject reject = {.row = at,
                         .kind = ERR_DATA,
                         .position = error->position,
                         .column = error->column,
                         .reason = error->message};
        memcpy(reject.sqlstate, error->sqlstate, sizeof reject.sqlstate);
        TRY(reject_list_add(run->rejects, &reject, err));
    }
    return OK;
}

Status program_run(const ChunkRun *run, Err *err)
{
    Arena *arena = &run->program->chunk;
    for (int64_t from = 0; from < run->batch->rows; from += VECTOR_ROWS) {
        if (run->run->cancelled && *run->run->cancelled) {
            return err_set(err, ERR_CANCELLED, "cancelled");
        }
        arena_clear(arena);
        Eval eval = {
            .run = run->run,
            .batch = run->batch,
            .from = from,
            .rows = int64_min(VECTOR_ROWS, run->batch->rows - from),
            .arena = arena,
            .lane = {.arena = arena},
        };
        Mask rows = mask_all(eval.rows);
        TRY(run->chunk(run->arg, &eval, &rows, err));
    }
    return OK;
}

/* ---- single expressions ---- */

struct Expr {
    Program program;
    ExprNode *root;
};

static Status expr_build(Expr *expr, Str text, const Schema *in, PathSet *paths, TypeId want,
                         Err *err)
{
    TRY(program_init(&expr->program, text, in, paths, err));
    Checker *c = &expr->program.checker;
    TRY(parse_expression(c->text, c->arena, &expr->root, err));
    TRY(check_node(c, &expr->root, err));
    TypeId type = expr->root->type;
    bool fits =
        want == TYPE_UNKNOWN || type == want || type == TYPE_DYNAMIC || type == TYPE_UNKNOWN;
    if (!fits) {
        return expr_fail(c->text, 0, err, "this must be %s, not %s", type_name(want),
                         type_name(type));
    }
    if (want != TYPE_UNKNOWN) return check_coerce(c, &expr->root, want, err);
    return check_settle(c, &expr->root, err);
}

Status expr_compile(Str text, const Schema *in, PathSet *paths, TypeId want, Expr **ret_expr,
                    Err *err)
{
    Expr *expr = mem_zalloc((int64_t)sizeof *expr);
    if (!expr) return err_memory(err);
    if (expr_build(expr, text, in, paths, want, err) != OK) {
        expr_free(expr);
        return FAIL;
    }
    *ret_expr = expr;
    return OK;
}

void expr_free(Expr *expr)
{
    if (!expr) return;
    program_done(&expr->program);
    mem_free(expr);
}

TypeId expr_type(const Expr *expr)
{
    return expr->root->type;
}

typedef struct FilterRun {
    ChunkRun chunks;
    const ExprNode *root;
    uint64_t *keep;
} FilterRun;

static Status filter_chunk(void *arg, Eval *eval, const Mask *rows, Err *err)
{
    FilterRun *filter = arg;
    Vector v;
    TRY(eval_node(eval, filter->root, rows, &v, err));
    const uint8_t *data = vector_bool(&v);
    uint64_t *keep = filter->keep + eval->from / 64;
    for (int64_t base = 0; base < eval->rows; base += 64) {
        uint64_t word = v.mask    ? bools_pack(data + base, eval->rows - base)
                        : data[0] ? UINT64_MAX >> (64 - int64_min(64, eval->rows - base))
                                  : 0;
        if (v.valid) word &= v.valid[base / 64];
        if (v.errors) word &= ~v.errors[base / 64];
        keep[base / 64] = word;
    }
    return program_note_errors(&filter->chunks, eval, &v, err);
}

static Status failed_bits(const Batch *batch, uint64_t **ret_bits, Err *err)
{
    *ret_bits = mem_array((batch->rows + 63) / 64 + 1, 8);
    return *ret_bits ? OK : err_memory(err);
}

Status expr_filter(Expr *expr, const ExprRun *run, const Batch *in, uint64_t *ret_keep,
                   RejectList *rejects, Err *err)
{
    FilterRun filter = {.root = expr->root, .keep = ret_keep};
    filter.chunks = (ChunkRun){.program = &expr->program,
                               .run = run,
                               .batch = in,
                               .rejects = rejects,
                               .chunk = filter_chunk,
                               .arg = &filter};
    TRY(failed_bits(in, &filter.chunks.failed, err));
    Status status = program_run(&filter.chunks, err);
    mem_free(filter.chunks.failed);
    return status;
}

typedef struct ColumnRun {
    ChunkRun chunks;
    const ExprNode *root;
    Builder builder;
} ColumnRun;

static Status column_chunk(void *arg, Eval *eval, const Mask *rows, Err *err)
{
    ColumnRun *column = arg;
    Vector v;
    TRY(eval_node(eval, column->root, rows, &v, err));
    TRY(store_vector(&column->builder, &v, eval->rows, err));
    return program_note_errors(&column->chunks, eval, &v, err);
}

Status expr_column(Expr *expr, const ExprRun *run, const Batch *in, Column *ret_column,
                   RejectList *rejects, Err *err)
{
    ColumnRun column = {.root = expr->root};
    column.chunks = (ChunkRun){.program = &expr->program,
                               .run = run,
                               .batch = in,
                               .rejects = rejects,
                               .chunk = column_chunk,
                               .arg = &column};
    TRY(failed_bits(in, &column.chunks.failed, err));
    builder_init(&column.builder, expr->root->type, NULL);
    Status status = builder_reserve(&column.builder, in->rows, err);
    if (status == OK) status = program_run(&column.chunks, err);
    if (status == OK) status = builder_finish(&column.builder, ret_column, err);
    builder_done(&column.builder);
    mem_free(column.chunks.failed);
    return status;
}
