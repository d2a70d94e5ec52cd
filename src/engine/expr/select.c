/* Select lists: stars expanded, columns passed through by sharing, the others computed. */
#include <stdlib.h>

#include "engine/column/builder.h"
#include "engine/expr/program.h"
#include "engine/expr/store.h"
#include "foundation/base/mem.h"

/* One output column: a field passed through, or an expression. */
typedef struct Output {
    Field field;
    int32_t pass; /* field of the input; -1: expr */
    ExprNode *expr;
    int32_t position;
} Output;

struct Select {
    Program program;
    Output *outputs;
    int32_t count, capacity;
    Schema *schema;
    int32_t computed; /* outputs with an expression */
};

/* ---- compiling ---- */

static Status output_add(Select *s, const Output *output, Err *err)
{
    if (s->count == s->capacity) {
        int32_t capacity = s->capacity ? s->capacity * 2 : 16;
        Output *outputs = mem_realloc(s->outputs, capacity * (int64_t)sizeof *outputs);
        if (!outputs) return err_memory(err);
        s->outputs = outputs;
        s->capacity = capacity;
    }
    s->outputs[s->count++] = *output;
    s->computed += output->expr != NULL;
    return OK;
}

static bool in_names(Str name, const Str *names, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        if (str_eq_nocase(names[i], name)) return true;
    }
    return false;
}

static Status add_expr(Select *s, ExprNode *expr, Str name, int32_t position, Err *err)
{
    Checker *c = &s->program.checker;
    TRY(check_node(c, &expr, err));
    TRY(check_settle(c, &expr, err));
    Output output = {.pass = -1, .expr = expr, .position = position};
    output.field = (Field){.name = name, .type = expr->type};
    if (expr->kind == EXPR_COLUMN && expr->path.count == 0) {
        output.pass = expr->column;
        output.expr = NULL;
        const Field *from =
            c->paths && expr->column >= c->schema->count ? NULL : &c->schema->fields[expr->column];
        if (from) output.field = *from;
        output.field.name = name;
        output.field.spread = false;
        output.field.spread_except_count = 0;
        output.field.type = expr->type;
    }
    if (output.field.name.len == 0) {
        TRY(arena_printf(c->arena, &output.field.name, err, "column%d", s->count + 1));
    }
    return output_add(s, &output, err);
}

static const SelectItem *replacement(const SelectItem *star, Str name)
{
    for (int32_t i = 0; i < star->replace_count; i++) {
        if (str_eq_nocase(star->replace[i].name, name)) return &star->replace[i];
    }
    return NULL;
}

/* EXCEPT and REPLACE name columns that must be there. */
static Status check_star_names(Select *s, const SelectItem *star, Err *err)
{
    const Schema *in = s->program.checker.schema;
    if (in->open) return OK;
    for (int32_t i = 0; i < star->except_count + star->replace_count; i++) {
        bool except = i < star->except_count;
        Str name = except ? star->except[i] : star->replace[i - star->except_count].name;
        bool found = false;
        for (int32_t f = 0; f < in->count; f++) found |= str_eq_nocase(in->fields[f].name, name);
        if (found) continue;
        (void)expr_fail(s->program.checker.text, star->position, err,
                        "* has no column \"%.*s\" to %s", STR_ARG(name),
                        except ? "leave out" : "replace");
        Str near = schema_nearest(in, name);
        return near.len ? err_hint(err, "did you mean \"%.*s\"?", STR_ARG(near)) : FAIL;
    }
    return OK;
}

/* The object's own members, without those that EXCEPT names; replaced ones are computed after. */
static Status add_open_star(Select *s, const SelectItem *star, Err *err)
{
    Checker *c = &s->program.checker;
    const Field *row = &c->schema->fields[0];
    int32_t count = row->spread_except_count + star->except_count;
    Str *except = ARENA_ARRAY(c->arena, Str, count + 1);
    if (!except) return err_memory(err);
    for (int32_t i = 0; i < row->spread_except_count; i++) except[i] = row->spread_except[i];
    for (int32_t i = 0; i < star->except_count; i++) {
        except[row->spread_except_count + i] = star->except[i];
    }
    Output spread = {.pass = 0, .field = *row, .position = star->position};
    spread.field.spread_except = except;
    spread.field.spread_except_count = count;
    TRY(output_add(s, &spread, err));
    for (int32_t f = 1; f < c->schema->count && !c->paths; f++) {
        const Field *field = &c->schema->fields[f];
        if (field->name.len && field->name.ptr[0] == '@') continue;
        if (in_names(field->name, star->except, star->except_count)) continue;
        if (replacement(star, field->name)) continue;
        Output pass = {.pass = f, .field = *field, .position = star->position};
        TRY(output_add(s, &pass, err));
    }
    for (int32_t i = 0; i < star->replace_count; i++) {
        const SelectItem *item = &star->replace[i];
        TRY(add_expr(s, item->expr, item->name, item->position, err));
    }
    return OK;
}

static Status add_star(Select *s, const SelectItem *star, Err *err)
{
    const Schema *in = s->program.checker.schema;
    TRY(check_star_names(s, star, err));
    if (in->open) return add_open_star(s, star, err);
    for (int32_t f = 0; f < in->count; f++) {
        const Field *field = &in->fields[f];
        if (in_names(field->name, star->except, star->except_count)) continue;
        const SelectItem *item = replacement(star, field->name);
        if (item) {
            TRY(add_expr(s, item->expr, field->name, item->position, err));
            continue;
        }
        Output pass = {.pass = f, .field = *field, .position = star->position};
        TRY(output_add(s, &pass, err));
    }
    return OK;
}

static Status check_names(const Select *s, Err *err)
{
    for (int32_t i = 0; i < s->count; i++) {
        for (int32_t j = 0; j < i; j++) {
            const Output *a = &s->outputs[i];
            if (a->field.spread || !str_eq(a->field.name, s->outputs[j].field.name)) continue;
            (void)expr_fail(s->program.checker.text, a->position, err,
                            "two columns would be named \"%.*s\"", STR_ARG(a->field.name));
            return err_hint(err, "name one of them with AS, or write * REPLACE (… AS %.*s)",
                            STR_ARG(a->field.name));
        }
    }
    return OK;
}

/* Computed columns take the place of members of the same name. */
static Status extend_except(Select *s, Err *err)
{
    Checker *c = &s->program.checker;
    Output *spread = NULL;
    for (int32_t i = 0; i < s->count; i++) {
        if (s->outputs[i].field.spread) spread = &s->outputs[i];
    }
    if (!spread) return OK;
    int32_t count = spread->field.spread_except_count;
    Str *except = ARENA_ARRAY(c->arena, Str, count + s->count);
    if (!except) return err_memory(err);
    for (int32_t i = 0; i < count; i++) except[i] = spread->field.spread_except[i];
    for (int32_t i = 0; i < s->count; i++) {
        if (!s->outputs[i].field.spread) except[count++] = s->outputs[i].field.name;
    }
    spread->field.spread_except = except;
    spread->field.spread_except_count = count;
    return OK;
}

/* An open schema has its object in front: computed members follow those that were read. */
static void object_first(Select *s)
{
    for (int32_t i = 1; i < s->count; i++) {
        if (!s->outputs[i].field.spread) continue;
        Output object = s->outputs[i];
        memmove(&s->outputs[1], &s->outputs[0], (size_t)i * sizeof object);
        s->outputs[0] = object;
        return;
    }
}

static Status make_schema(Select *s, Err *err)
{
    TRY(check_names(s, err));
    object_first(s);
    TRY(extend_except(s, err));
    Field *fields = mem_array(s->count, (int64_t)sizeof *fields);
    if (!fields) return err_memory(err);
    bool open = false;
    for (int32_t i = 0; i < s->count; i++) {
        fields[i] = s->outputs[i].field;
        open |= fields[i].spread;
    }
    Status status = schema_new(fields, s->count, open, &s->schema, err);
    mem_free(fields);
    return status;
}

static Status select_build(Select *s, Str text, const Schema *in, PathSet *paths, Err *err)
{
    TRY(program_init(&s->program, text, in, paths, err));
    SelectItem *items = NULL;
    int32_t count = 0;
    Checker *c = &s->program.checker;
    TRY(parse_select(c->text, c->arena, &items, &count, err));
    for (int32_t i = 0; i < count; i++) {
        if (items[i].kind == ITEM_STAR) TRY(add_star(s, &items[i], err));
        else TRY(add_expr(s, items[i].expr, items[i].name, items[i].position, err));
    }
    return make_schema(s, err);
}

Status select_compile(Str text, const Schema *in, PathSet *paths, Select **ret_select, Err *err)
{
    Select *s = mem_zalloc((int64_t)sizeof *s);
    if (!s) return err_memory(err);
    if (select_build(s, text, in, paths, err) != OK) {
        select_free(s);
        return FAIL;
    }
    *ret_select = s;
    return OK;
}

void select_free(Select *s)
{
    if (!s) return;
    program_done(&s->program);
    schema_unref(s->schema);
    mem_free(s->outputs);
    mem_free(s);
}

const Schema *select_schema(const Select *s)
{
    return s->schema;
}

int32_t select_pass(const Select *select, int32_t column)
{
    return select->outputs[column].pass;
}

/* ---- running ---- */

typedef struct SelectRun {
    ChunkRun chunks;
    const Select *select;
    Builder *builders; /* one per output; unused for columns passed through */
} SelectRun;

static Status select_chunk(void *arg, Eval *eval, const Mask *rows, Err *err)
{
    SelectRun *run = arg;
    for (int32_t i = 0; i < run->select->count; i++) {
        const Output *output = &run->select->outputs[i];
        if (!output->expr) continue;
        Vector v;
        TRY(eval_node(eval, output->expr, rows, &v, err));
        TRY(store_vector(&run->builders[i], &v, eval->rows, err));
        TRY(program_note_errors(&run->chunks, eval, &v, err));
    }
    return OK;
}

static Status take_columns(SelectRun *run, const Batch *in, Batch *out, Err *err)
{
    for (int32_t i = 0; i < run->select->count; i++) {
        const Output *output = &run->select->outputs[i];
        if (output->expr) TRY(builder_finish(&run->builders[i], &out->columns[i], err));
        else TRY(column_share(&in->columns[output->pass], &out->columns[i], err));
    }
    return OK;
}

static int by_row(const void *a, const void *b)
{
    int64_t x = ((const Reject *)a)->row, y = ((const Reject *)b)->row;
    return (x > y) - (x < y);
}

/* The batch without its failed rows. */
static Status drop_failed(const SelectRun *run, Batch *all, RejectList *rejects, int64_t before,
                          Batch **ret_out, Err *err)
{
    if (rejects->count == before) {
        *ret_out = batch_ref(all);
        return OK;
    }
    qsort(rejects->items + before, (size_t)(rejects->count - before), sizeof *rejects->items,
          by_row);
    int64_t words = (all->rows + 63) / 64;
    for (int64_t i = 0; i < words; i++) run->chunks.failed[i] = ~run->chunks.failed[i];
    return batch_filter(all, (const uint8_t *)run->chunks.failed, ret_out, err);
}

static Status select_rows(SelectRun *run, Batch *in, RejectList *rejects, Batch **ret_out, Err *err)
{
    int64_t before = rejects->count;
    if (run->select->computed) TRY(program_run(&run->chunks, err));
    CLEANUP(batch_unref_p) Batch *all = NULL;
    TRY(batch_like(in, run->select->schema, in->rows, &all, err));
    TRY(take_columns(run, in, all, err));
    return drop_failed(run, all, rejects, before, ret_out, err);
}

Status select_run(Select *s, const ExprRun *run, Batch *in, RejectList *rejects, Batch **ret_out,
                  Err *err)
{
    SelectRun select = {.select = s};
    select.chunks = (ChunkRun){.program = &s->program,
                               .run = run,
                               .batch = in,
                               .rejects = rejects,
                               .chunk = select_chunk,
                               .arg = &select};
    select.builders = mem_array(s->count, (int64_t)sizeof *select.builders);
    select.chunks.failed = mem_array((in->rows + 63) / 64 + 1, 8);
    Status status = select.builders && select.chunks.failed ? OK : err_memory(err);
    for (int32_t i = 0; status == OK && i < s->count; i++) {
        builder_init(&select.builders[i], s->outputs[i].field.type, NULL);
        if (s->outputs[i].expr) status = builder_reserve(&select.builders[i], in->rows, err);
    }
    if (status == OK) status = select_rows(&select, in, rejects, ret_out, err);
    for (int32_t i = 0; select.builders && i < s->count; i++) builder_done(&select.builders[i]);
    mem_free(select.builders);
    mem_free(select.chunks.failed);
    return status;
}

/* ---- explaining ---- */

Status select_explain(const Select *s, Buf *out, Err *err)
{
    const Checker *c = &s->program.checker;
    TRY(buf_append(out, STR("columns:\n"), err));
    for (int32_t i = 0; i < s->count; i++) {
        const Output *o = &s->outputs[i];
        if (o->field.spread) {
            TRY(buf_append(out, STR("  * (all members as they are)\n"), err));
            continue;
        }
        TRY(buf_printf(out, err, "  %.*s: %s%s\n", STR_ARG(o->field.name), type_name(o->field.type),
                       !o->expr                 ? ", as it is"
                       : node_can_fail(o->expr) ? ", can fail"
                                                : ""));
    }
    if (!c->paths) return OK;
    TRY(buf_append(out, STR("reads:\n"), err));
    for (int32_t i = 0; i < c->paths->count; i++) {
        TRY(buf_printf(out, err, "  %.*s\n", STR_ARG(c->paths->paths[i])));
    }
    return OK;
}
