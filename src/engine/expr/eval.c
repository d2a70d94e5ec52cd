/* Running a checked tree: calls with strictness and errors, AND, OR, CASE, coalesce, try. */
#include "engine/expr/eval.h"

#include <stdarg.h>
#include <stdio.h>

#include "foundation/base/redact.h"

/* ---- masks ---- */

Mask mask_all(int64_t rows)
{
    Mask mask = {{0}};
    for (int64_t i = 0; i < rows / 64; i++) mask.words[i] = UINT64_MAX;
    if (rows % 64) mask.words[rows / 64] = (UINT64_C(1) << (rows % 64)) - 1;
    return mask;
}

bool mask_any(const Mask *mask)
{
    uint64_t any = 0;
    for (int32_t i = 0; i < VECTOR_WORDS; i++) any |= mask->words[i];
    return any != 0;
}

bool mask_is_all(const Mask *mask, int64_t rows)
{
    Mask all = mask_all(rows);
    return memcmp(&all, mask, sizeof all) == 0;
}

static Mask mask_without(const Mask *a, const uint64_t *b)
{
    Mask out = *a;
    for (int32_t i = 0; b && i < VECTOR_WORDS; i++) out.words[i] &= ~b[i];
    return out;
}

static Mask mask_and(const Mask *a, const uint64_t *b)
{
    Mask out = *a;
    for (int32_t i = 0; b && i < VECTOR_WORDS; i++) out.words[i] &= b[i];
    return out;
}

/* ---- errors ---- */

static void lane_add(ErrorLane *lane, const LaneError *error)
{
    if (lane->count == lane->capacity) {
        int64_t capacity = int64_max(lane->capacity * 2, 16);
        LaneError *items = ARENA_ARRAY(lane->arena, LaneError, capacity);
        if (!items) {
            lane->full = true;
            return;
        }
        if (lane->count) memcpy(items, lane->items, (size_t)lane->count * sizeof *items);
        lane->items = items;
        lane->capacity = capacity;
    }
    lane->items[lane->count++] = *error;
}

void lane_forget(ErrorLane *lane, int64_t start, const uint64_t *rows)
{
    for (int64_t i = start; i < lane->count; i++) {
        int32_t row = lane->items[i].row;
        if ((rows[row >> 6] >> (row & 63)) & 1) lane->items[i].forgotten = true;
    }
}

const LaneError *lane_find(const ErrorLane *lane, int64_t row)
{
    for (int64_t i = 0; i < lane->count; i++) {
        if (lane->items[i].row == row && !lane->items[i].forgotten) return &lane->items[i];
    }
    return NULL;
}

/* The column or path that a failed call is about, where it got only one. */
static Str only_column(const ExprNode *site)
{
    const ExprNode *column = NULL;
    int32_t found = 0;
    for (int32_t i = 0; i < site->arg_count; i++) {
        if (site->args[i]->kind != EXPR_COLUMN) continue;
        column = site->args[i];
        found++;
    }
    return found == 1 ? column->written : STR("");
}

void call_error(KernelCall *call, int64_t row, const char *sqlstate, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    redact_quoted(text);
    Vector *result = call->result;
    if (!result->errors) {
        result->errors = ARENA_ARRAY(call->arena, uint64_t, VECTOR_WORDS);
        if (!result->errors) {
            call->lane->full = true;
            return;
        }
    }
    result->errors[row >> 6] |= UINT64_C(1) << (row & 63);
    call_null(call, row);
    LaneError error = {
        .row = (int32_t)row, .position = call->site->position, .column = only_column(call->site)};
    memcpy(error.sqlstate, sqlstate, 5);
    Str message = str_from(text);
    message.len = str_utf8_prefix(message);
    if (arena_copy(call->lane->arena, message, &error.message, NULL) != OK) call->lane->full = true;
    lane_add(call->lane, &error);
}

enum { CALL_TEXT_MAX = 256 << 20 };

char *call_text(KernelCall *call, int64_t row, int64_t len)
{
    if (len > CALL_TEXT_MAX) {
        call_error(call, row, "54000", "the text would be too long (%lld bytes)", (long long)len);
        return NULL;
    }
    char *text = arena_raw(call->arena, len + 1);
    /* Want of memory ends the run; it is no property of the row. */
    if (!text) call->lane->full = true;
    return text;
}

/* ---- calls ---- */

enum { EVAL_ARGS_MAX = 64 };

typedef struct Arguments {
    Vector *vectors;
    Mask active;      /* rows where no argument failed (and, if strict, none is NULL) */
    uint64_t *errors; /* union of the arguments' errors */
    bool constant;    /* all of them are */
} Arguments;

/* A text column compared with a constant need not be loaded. */
static bool takes_views(const ExprNode *node, int32_t arg)
{
    const ExprNode *column = node->args[arg];
    bool wanted = node->function->flags & FUNCTION_VIEWS && arg == 0 && node->arg_count == 2 &&
                  node->args[1]->kind == EXPR_LITERAL;
    return wanted && column->kind == EXPR_COLUMN && column->path.count == 0 &&
           (column->type == TYPE_TEXT || column->type == TYPE_BYTES);
}

static Status eval_argument(Eval *eval, const ExprNode *node, int32_t arg, const Mask *active,
                            Vector *v, Err *err)
{
    const ExprNode *child = node->args[arg];
    if (!takes_views(node, arg)) return eval_node(eval, child, active, v, err);
    return eval_load_views(eval, &eval->batch->columns[child->column], v, err);
}

static Status eval_arguments(Eval *eval, const ExprNode *node, const Mask *active, Arguments *out,
                             Err *err)
{
    bool strict = node->function->flags & FUNCTION_STRICT;
    out->vectors = ARENA_ARRAY(eval->arena, Vector, node->arg_count ? node->arg_count : 1);
    if (!out->vectors) return err_memory(err);
    out->active = *active;
    out->constant = true;
    Mask todo = *active; /* rows without an error so far: the leftmost error wins */
    for (int32_t i = 0; i < node->arg_count; i++) {
        Vector *v = &out->vectors[i];
        TRY(eval_argument(eval, node, i, &todo, v, err));
        out->constant &= v->mask == 0;
        if (v->errors) {
            if (!out->errors) out->errors = ARENA_ARRAY(eval->arena, uint64_t, VECTOR_WORDS);
            if (!out->errors) return err_memory(err);
            for (int32_t w = 0; w < VECTOR_WORDS; w++) {
                out->errors[w] |= v->errors[w] & todo.words[w];
            }
            todo = mask_without(&todo, v->errors);
            out->active = mask_without(&out->active, v->errors);
        }
        if (strict) out->active = mask_and(&out->active, v->valid);
    }
    return OK;
}

/* A constant's one value at row 0; its validity and error bits spread over all rows. */
static Status spread_constant(Eval *eval, Vector *v, Err *err)
{
    v->mask = 0;
    bool null = v->valid && !(v->valid[0] & 1);
    bool error = v->errors && (v->errors[0] & 1);
    if (!null) v->valid = NULL;
    else memset(v->valid, 0, VECTOR_WORDS * 8);
    if (!error) {
        v->errors = NULL;
        return OK;
    }
    memset(v->errors, 0xff, VECTOR_WORDS * 8);
    /* The row's error counts for every row. */
    int64_t count = eval->lane.count;
    for (int64_t row = 1; row < eval->rows; row++) {
        LaneError copy = eval->lane.items[count - 1];
        copy.row = (int32_t)row;
        lane_add(&eval->lane, &copy);
    }
    return eval->lane.full ? err_memory(err) : OK;
}

static Status run_kernel(Eval *eval, const ExprNode *node, Arguments *args, int64_t rows,
                         const Mask *active, Vector *result, Err *err)
{
    bool all = mask_is_all(active, rows);
    /* Numbers of rows that don't count are never looked at; other types must be defined. */
    bool number =
        node->type == TYPE_INT64 || node->type == TYPE_DOUBLE || node->type == TYPE_NUMERIC;
    bool raw = number || (all && node->type != TYPE_DYNAMIC);
    TRY(vector_make(eval->arena, node->type, rows, raw, result, err));
    result->valid = ARENA_ARRAY(eval->arena, uint64_t, VECTOR_WORDS);
    if (!result->valid) return err_memory(err);
    memcpy(result->valid, active->words, sizeof active->words);
    if (!mask_any(active)) return OK;
    KernelCall call = {
        .function = node->function,
        .rows = rows,
        .active = active->words,
        .all_active = all,
        .arg_count = node->arg_count,
        .args = args->vectors,
        .result = result,
        .arena = eval->arena,
        .run = eval->run,
        .state = node->state,
        .site = node,
        .lane = &eval->lane,
    };
    TRY(node->function->kernel(&call, err));
    /* What such a kernel left half done is not to be looked at. */
    return eval->lane.full ? err_memory(err) : OK;
}

static Status eval_call(Eval *eval, const ExprNode *node, const Mask *active, Vector *result,
                        Err *err)
{
    Arguments args = {0};
    TRY(eval_arguments(eval, node, active, &args, err));
    bool once = args.constant && !args.errors && !(node->function->flags & FUNCTION_VOLATILE);
    if (once) {
        Mask one = {{1}};
        bool null = (node->function->flags & FUNCTION_STRICT) && !mask_any(&args.active);
        if (null) one.words[0] = 0;
        TRY(run_kernel(eval, node, &args, 1, &one, result, err));
        return spread_constant(eval, result, err);
    }
    TRY(run_kernel(eval, node, &args, eval->rows, &args.active, result, err));
    if (!args.errors) return OK;
    if (!result->errors) {
        result->errors = args.errors;
        return OK;
    }
    for (int32_t i = 0; i < VECTOR_WORDS; i++) result->errors[i] |= args.errors[i];
    return OK;
}

/* ---- AND, OR ---- */

/* Rows of a boolean vector that are `truth`. */
static Mask rows_that_are(const Vector *v, bool truth, const Mask *active, int64_t rows)
{
    Mask out = {{0}};
    Mask valid = mask_and(active, v->valid);
    valid = mask_without(&valid, v->errors);
    const uint8_t *data = vector_bool(v);
    if (v->mask == 0) return data[0] == truth ? valid : out;
    for (int64_t base = 0; base < rows; base += 64) {
        uint64_t word = bools_pack(data + base, rows - base);
        out.words[base / 64] = (truth ? word : ~word) & valid.words[base / 64];
    }
    return out;
}

/* AND stops a row at the first false, OR at the first true: errors and NULLs of that row don't
 * count then. Otherwise an error beats NULL. */
static Status eval_logic(Eval *eval, const ExprNode *node, const Mask *active, Vector *result,
                         Err *err)
{
    bool decisive = node->kind == EXPR_OR;
    int64_t start = eval->lane.count;
    Mask todo = *active;
    Mask decided = {{0}}, nulls = {{0}}, errors = {{0}};
    for (int32_t i = 0; i < node->arg_count && mask_any(&todo); i++) {
        Vector v;
        TRY(eval_node(eval, node->args[i], &todo, &v, err));
        Mask hit = rows_that_are(&v, decisive, &todo, eval->rows);
        for (int32_t w = 0; w < VECTOR_WORDS; w++) {
            uint64_t failed = v.errors ? v.errors[w] & todo.words[w] : 0;
            uint64_t valid = v.valid ? v.valid[w] : UINT64_MAX;
            errors.words[w] |= failed;
            nulls.words[w] |= todo.words[w] & ~valid & ~failed;
            decided.words[w] |= hit.words[w];
            todo.words[w] &= ~hit.words[w];
        }
    }
    lane_forget(&eval->lane, start, decided.words);
    /* Whole groups of eight are written. */
    TRY(vector_make(eval->arena, TYPE_BOOL, (eval->rows + 7) / 8 * 8, true, result, err));
    result->valid = ARENA_ARRAY(eval->arena, uint64_t, VECTOR_WORDS);
    result->errors = ARENA_ARRAY(eval->arena, uint64_t, VECTOR_WORDS);
    if (!result->valid || !result->errors) return err_memory(err);
    bool any_error = false;
    for (int32_t w = 0; w < VECTOR_WORDS; w++) {
        result->errors[w] = errors.words[w] & ~decided.words[w];
        any_error |= result->errors[w] != 0;
        uint64_t unknown = (nulls.words[w] | errors.words[w]) & ~decided.words[w];
        result->valid[w] = active->words[w] & ~unknown;
    }
    uint8_t *data = vector_bool(result);
    for (int64_t row = 0; row < eval->rows; row += 8) {
        uint64_t hit = decided.words[row >> 6] >> (row & 63);
        bools_unpack8(decisive ? hit : ~hit, data + row);
    }
    if (!any_error) result->errors = NULL;
    return OK;
}

/* ---- choosing between vectors ---- */

static Status choice_begin(Eval *eval, TypeId type, Vector *result, Err *err)
{
    TRY(vector_make(eval->arena, type, eval->rows, false, result, err));
    result->valid = ARENA_ARRAY(eval->arena, uint64_t, VECTOR_WORDS);
    return result->valid ? OK : err_memory(err);
}

static Status choice_errors(Eval *eval, Vector *result, const uint64_t *errors, const Mask *rows,
                            Err *err)
{
    if (!errors) return OK;
    if (!result->errors) result->errors = ARENA_ARRAY(eval->arena, uint64_t, VECTOR_WORDS);
    if (!result->errors) return err_memory(err);
    for (int32_t w = 0; w < VECTOR_WORDS; w++) result->errors[w] |= errors[w] & rows->words[w];
    return OK;
}

/* Values of eight bytes, row by row without a branch; constants too. */
static void choice_copy_8(const Vector *from, const Mask *rows, Vector *to, int64_t count)
{
    const uint64_t *source = from->data;
    uint64_t *target = to->data;
    int64_t mask = from->mask;
    for (int64_t base = 0; base < count; base += 64) {
        uint64_t bits = rows->words[base / 64];
        int64_t end = int64_min(count, base + 64);
        for (int64_t row = base; bits && row < end; row++, bits >>= 1) {
            target[row] = bits & 1 ? source[row & mask] : target[row];
        }
    }
}

/* Copy the values of the rows. */
static void choice_copy(const Vector *from, const Mask *rows, Vector *to, int64_t count)
{
    int64_t width = vector_width(to->type);
    if (width == 8) {
        choice_copy_8(from, rows, to, count);
        return;
    }
    for (int32_t w = 0; w < VECTOR_WORDS; w++) {
        for (uint64_t bits = rows->words[w]; bits; bits &= bits - 1) {
            int64_t row = w * 64 + __builtin_ctzll(bits);
            memcpy((char *)to->data + row * width,
                   (const char *)from->data + (row & from->mask) * width, (size_t)width);
            if (to->scales) to->scales[row] = vector_scale(from, row);
        }
    }
}

static Status choice_take(Eval *eval, const Vector *from, const Mask *rows, Vector *to, Err *err)
{
    Mask valid = mask_and(rows, from->valid);
    valid = mask_without(&valid, from->errors);
    choice_copy(from, &valid, to, eval->rows);
    for (int32_t w = 0; w < VECTOR_WORDS; w++) to->valid[w] |= valid.words[w];
    return choice_errors(eval, to, from->errors, rows, err);
}

/* Rows of one word; the steps, 1 or 0 for a constant, are known when this is compiled. */
static ALWAYS_INLINE void choose_rows(uint64_t word, int64_t count, const uint64_t *a,
                                      int64_t step_a, const uint64_t *b, int64_t step_b,
                                      uint64_t *restrict out)
{
    for (int64_t i = 0; i < count; i++) {
        uint64_t all = 0 - ((word >> i) & 1);
        out[i] = (a[i * step_a] & all) | (b[i * step_b] & ~all);
    }
}

/* a where the row's bit is set, else b; without a branch. */
static HOT_LOOP void choose_words(const Mask *bits, const Vector *yes, const Vector *no,
                                  uint64_t *restrict out, int64_t rows)
{
    const uint64_t *a = yes->data, *b = no->data;
    for (int64_t base = 0; base < rows; base += 64) {
        uint64_t word = bits->words[base / 64];
        int64_t count = int64_min(rows - base, 64);
        if (yes->mask && no->mask) choose_rows(word, count, a + base, 1, b + base, 1, out + base);
        else if (yes->mask) choose_rows(word, count, a + base, 1, b, 0, out + base);
        else if (no->mask) choose_rows(word, count, a, 0, b + base, 1, out + base);
        else choose_rows(word, count, a, 0, b, 0, out + base);
    }
}

/* CASE WHEN c THEN a ELSE b END of numbers: both branches put together in one pass. */
static Status eval_either(Eval *eval, const ExprNode *node, const Mask *active, Vector *result,
                          Err *err)
{
    Vector condition, yes = {.mask = 0}, no = {.mask = 0};
    uint64_t nothing = 0;
    yes.data = no.data = &nothing;
    TRY(eval_node(eval, node->args[0], active, &condition, err));
    Mask hit = rows_that_are(&condition, true, active, eval->rows);
    Mask miss = mask_without(active, condition.errors);
    miss = mask_without(&miss, hit.words);
    TRY(vector_make(eval->arena, node->type, eval->rows, true, result, err));
    result->valid = ARENA_ARRAY(eval->arena, uint64_t, VECTOR_WORDS);
    if (!result->valid) return err_memory(err);
    TRY(choice_errors(eval, result, condition.errors, active, err));
    if (mask_any(&hit)) TRY(eval_node(eval, node->args[1], &hit, &yes, err));
    if (mask_any(&miss)) TRY(eval_node(eval, node->args[2], &miss, &no, err));
    TRY(choice_errors(eval, result, yes.errors, &hit, err));
    TRY(choice_errors(eval, result, no.errors, &miss, err));
    choose_words(&hit, &yes, &no, result->data, eval->rows);
    Mask left = mask_without(&hit, yes.errors), right = mask_without(&miss, no.errors);
    left = mask_and(&left, yes.valid);
    right = mask_and(&right, no.valid);
    for (int32_t w = 0; w < VECTOR_WORDS; w++) result->valid[w] = left.words[w] | right.words[w];
    return OK;
}

static Status eval_case(Eval *eval, const ExprNode *node, const Mask *active, Vector *result,
                        Err *err)
{
    bool number = node->type == TYPE_INT64 || node->type == TYPE_DOUBLE;
    if (number && node->has_else && node->arg_count == 3) {
        return eval_either(eval, node, active, result, err);
    }
    TRY(choice_begin(eval, node->type, result, err));
    Mask todo = *active;
    int32_t i = 0;
    for (; i + 1 < node->arg_count && mask_any(&todo); i += 2) {
        Vector condition, value;
        TRY(eval_node(eval, node->args[i], &todo, &condition, err));
        TRY(choice_errors(eval, result, condition.errors, &todo, err));
        Mask hit = rows_that_are(&condition, true, &todo, eval->rows);
        todo = mask_without(&todo, condition.errors);
        todo = mask_without(&todo, hit.words);
        if (!mask_any(&hit)) continue;
        TRY(eval_node(eval, node->args[i + 1], &hit, &value, err));
        TRY(choice_take(eval, &value, &hit, result, err));
    }
    if (!node->has_else || !mask_any(&todo)) return OK;
    Vector value;
    TRY(eval_node(eval, node->args[node->arg_count - 1], &todo, &value, err));
    return choice_take(eval, &value, &todo, result, err);
}

static Status eval_coalesce(Eval *eval, const ExprNode *node, const Mask *active, Vector *result,
                            Err *err)
{
    TRY(choice_begin(eval, node->type, result, err));
    Mask todo = *active;
    for (int32_t i = 0; i < node->arg_count && mask_any(&todo); i++) {
        Vector value;
        TRY(eval_node(eval, node->args[i], &todo, &value, err));
        TRY(choice_take(eval, &value, &todo, result, err));
        Mask there = mask_and(&todo, value.valid);
        todo = mask_without(&todo, there.words);
        todo = mask_without(&todo, value.errors);
    }
    return OK;
}

/* try(e): NULL where e fails. e CATCH f: f where e fails. */
static Status eval_caught(Eval *eval, const ExprNode *node, const Mask *active, Vector *result,
                          Err *err)
{
    int64_t start = eval->lane.count;
    Vector value;
    TRY(eval_node(eval, node->args[0], active, &value, err));
    if (!value.errors) {
        *result = value;
        return OK;
    }
    Mask failed = mask_and(active, value.errors);
    lane_forget(&eval->lane, start, failed.words);
    Mask good = mask_without(active, value.errors);
    TRY(choice_begin(eval, node->type, result, err));
    TRY(choice_take(eval, &value, &good, result, err));
    if (node->kind == EXPR_TRY) return OK;
    Vector otherwise;
    TRY(eval_node(eval, node->args[1], &failed, &otherwise, err));
    return choice_take(eval, &otherwise, &failed, result, err);
}

Status eval_node(Eval *eval, const ExprNode *node, const Mask *active, Vector *result, Err *err)
{
    switch (node->kind) {
    case EXPR_LITERAL:
        *result = node->vector;
        return OK;
    case EXPR_COLUMN:
        TRY(eval_load(eval, &eval->batch->columns[node->column], result, err));
        return node->path.count ? eval_path(eval, node, active, result, err) : OK;
    case EXPR_CALL:
        return eval_call(eval, node, active, result, err);
    case EXPR_AND:
    case EXPR_OR:
        return eval_logic(eval, node, active, result, err);
    case EXPR_CASE:
        return eval_case(eval, node, active, result, err);
    case EXPR_COALESCE:
        return eval_coalesce(eval, node, active, result, err);
    case EXPR_TRY:
    case EXPR_CATCH:
        return eval_caught(eval, node, active, result, err);
    case EXPR_CAST:
        break;
    }
    return err_set(err, ERR_INTERNAL, "an unchecked expression");
}
