/* Comparisons: = <> < <= > >=, IS DISTINCT FROM, greatest, least, nullif. */
#include "engine/column/builder.h"
#include "engine/expr/canonical.h"
#include "engine/expr/kernel.h"
#include "engine/expr/number_value.h"

typedef enum CompareOp { OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE } CompareOp;

static bool holds(CompareOp op, int order)
{
    switch (op) {
    case OP_EQ:
        return order == 0;
    case OP_NE:
        return order != 0;
    case OP_LT:
        return order < 0;
    case OP_LE:
        return order <= 0;
    case OP_GT:
        return order > 0;
    case OP_GE:
        return order >= 0;
    }
    return false;
}

/* ---- plain numbers: every row is compared, NULL or not; loops that vectorise ---- */

#define LOOP(Type, op)                                                                             \
    do {                                                                                           \
        const Type *a = (const Type *)call->args[0].data;                                          \
        const Type *b = (const Type *)call->args[1].data;                                          \
        int64_t ma = call->args[0].mask, mb = call->args[1].mask;                                  \
        if (ma && !mb) {                                                                           \
            Type k = b[0];                                                                         \
            for (int64_t i = 0; i < rows; i++) out[i] = a[i] op k;                                 \
        } else if (ma && mb) {                                                                     \
            for (int64_t i = 0; i < rows; i++) out[i] = a[i] op b[i];                              \
        } else {                                                                                   \
            for (int64_t i = 0; i < rows; i++) out[i] = a[i & ma] op b[i & mb];                    \
        }                                                                                          \
    } while (0)

#define OPS(Type)                                                                                  \
    switch (op) {                                                                                  \
    case OP_EQ:                                                                                    \
        LOOP(Type, ==);                                                                            \
        return;                                                                                    \
    case OP_NE:                                                                                    \
        LOOP(Type, !=);                                                                            \
        return;                                                                                    \
    case OP_LT:                                                                                    \
        LOOP(Type, <);                                                                             \
        return;                                                                                    \
    case OP_LE:                                                                                    \
        LOOP(Type, <=);                                                                            \
        return;                                                                                    \
    case OP_GT:                                                                                    \
        LOOP(Type, >);                                                                             \
        return;                                                                                    \
    case OP_GE:                                                                                    \
        LOOP(Type, >=);                                                                            \
        return;                                                                                    \
    }

static HOT_LOOP void compare_int64(const KernelCall *call, CompareOp op, uint8_t *out)
{
    int64_t rows = call->rows;
    OPS(int64_t)
}

static HOT_LOOP void compare_int32(const KernelCall *call, CompareOp op, uint8_t *out)
{
    int64_t rows = call->rows;
    OPS(int32_t)
}

static void compare_bool(const KernelCall *call, CompareOp op, uint8_t *out)
{
    int64_t rows = call->rows;
    OPS(uint8_t)
}

static void compare_int128(const KernelCall *call, CompareOp op, uint8_t *out)
{
    int64_t rows = call->rows;
    OPS(Int128)
}

/* ---- one row at a time ---- */

static bool compare_cells(KernelCall *call, int64_t row, const Cell *a, const Cell *b, int *ret)
{
    NumberValue x, y;
    if (cell_number(a, &x) && cell_number(b, &y)) {
        *ret = number_compare(x, y);
        return true;
    }
    if (a->type != b->type) {
        call_error(call, row, "42883", "%s can't be compared with %s", type_name((TypeId)a->type),
                   type_name((TypeId)b->type));
        return false;
    }
    if (a->type == TYPE_BOOL) *ret = a->boolean - b->boolean;
    else if (a->type == TYPE_JSON) *ret = canonical_compare(a->text, b->text, call->arena);
    else *ret = str_compare(a->text, b->text);
    return true;
}

/* < 0, 0, > 0 for two values of one type; false: the row failed. */
static bool compare_row(KernelCall *call, int64_t row, const Vector *a, const Vector *b, int *ret)
{
    int64_t i = row & a->mask, j = row & b->mask;
    __int128 x, y;
    switch (a->type) {
    case TYPE_BOOL:
        *ret = vector_bool(a)[i] - vector_bool(b)[j];
        return true;
    case TYPE_INT64:
    case TYPE_TIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        *ret =
            (vector_int64(a)[i] > vector_int64(b)[j]) - (vector_int64(a)[i] < vector_int64(b)[j]);
        return true;
    case TYPE_DATE:
        *ret = (vector_date(a)[i] > vector_date(b)[j]) - (vector_date(a)[i] < vector_date(b)[j]);
        return true;
    case TYPE_DOUBLE:
        *ret = double_compare(vector_double(a)[i], vector_double(b)[j]);
        return true;
    case TYPE_NUMERIC:
        *ret = number_compare(number_at(a, row), number_at(b, row));
        return true;
    case TYPE_TEXT:
    case TYPE_BYTES:
        *ret = str_compare(vector_text(a)[i], vector_text(b)[j]);
        return true;
    case TYPE_JSON:
        *ret = canonical_compare(vector_text(a)[i], vector_text(b)[j], call->arena);
        return true;
    case TYPE_INTERVAL:
        x = interval_order(vector_interval(a)[i]);
        y = interval_order(vector_interval(b)[j]);
        *ret = (x > y) - (x < y);
        return true;
    case TYPE_UUID:
        *ret = memcmp(vector_uuid(a, row), vector_uuid(b, row), 16);
        return true;
    case TYPE_DYNAMIC:
        return compare_cells(call, row, &vector_cell(a)[i], &vector_cell(b)[j], ret);
    case TYPE_COUNT:
        break;
    }
    return false;
}

/* Equal bytes; texts of 8 to 16 bytes, the most usual ones, by two overlapping loads. */
static inline bool same_bytes(const char *a, const char *b, int64_t len)
{
    if (len < 8 || len > 16) return len == 0 || memcmp(a, b, (size_t)len) == 0;
    uint64_t a_first, a_last, b_first, b_last;
    memcpy(&a_first, a, 8);
    memcpy(&b_first, b, 8);
    memcpy(&a_last, a + len - 8, 8);
    memcpy(&b_last, b + len - 8, 8);
    return ((a_first ^ b_first) | (a_last ^ b_last)) == 0;
}

/* Every row, also NULLs: their text is empty. */
static void texts_equal(const Str *texts, int64_t rows, Str wanted, bool equal, uint8_t *out)
{
    for (int64_t row = 0; row < rows; row++) {
        bool same =
            texts[row].len == wanted.len && same_bytes(texts[row].ptr, wanted.ptr, wanted.len);
        out[row] = same == equal;
    }
}

static ALWAYS_INLINE uint64_t word_at(const void *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, 8);
    return word;
}

/* A view is 16 bytes: the length, then the text or, when that is longer than 12 bytes, its first
 * four. */
static void views_equal(const Vector *v, int64_t rows, Str wanted, bool equal, uint8_t *out)
{
    const TextView *views = v->views;
    int32_t len = (int32_t)wanted.len;
    TextView pattern = builder_view_of(wanted.ptr, len, 0, 0);
    uint64_t first = word_at(&pattern), second = word_at(pattern.inlined + 4);
    if (len <= 12) {
        for (int64_t row = 0; row < rows; row++) {
            uint64_t differ =
                (word_at(&views[row]) ^ first) | (word_at(views[row].inlined + 4) ^ second);
            out[row] = (differ == 0) == equal;
        }
        return;
    }
    for (int64_t row = 0; row < rows; row++) {
        bool same = word_at(&views[row]) == first;
        if (same) {
            const uint8_t *heap = v->heaps[views[row].ref.heap]->data;
            same = same_bytes((const char *)heap + views[row].ref.offset, wanted.ptr, len);
        }
        out[row] = same == equal;
    }
}

static void compare_text(KernelCall *call, CompareOp op, uint8_t *out)
{
    const Vector *a = &call->args[0], *b = &call->args[1];
    if (op != OP_EQ && op != OP_NE) {
        FOR_ACTIVE (call, row) {
            out[row] = holds(
                op, str_compare(vector_text(a)[row & a->mask], vector_text(b)[row & b->mask]));
        }
        return;
    }
    bool equal = op == OP_EQ;
    if (a->views) {
        views_equal(a, call->rows, vector_text(b)[0], equal, out);
        return;
    }
    if (b->mask == 0 && a->mask) {
        texts_equal(vector_text(a), call->rows, vector_text(b)[0], equal, out);
        return;
    }
    FOR_ACTIVE (call, row) {
        out[row] = str_eq(vector_text(a)[row & a->mask], vector_text(b)[row & b->mask]) == equal;
    }
}

static Status compare(KernelCall *call, CompareOp op)
{
    uint8_t *out = vector_bool(call->result);
    const Vector *a = &call->args[0], *b = &call->args[1];
    bool int64 = a->type == TYPE_INT64 || a->type == TYPE_TIME || a->type == TYPE_TIMESTAMP ||
                 a->type == TYPE_TIMESTAMPTZ;
    bool same_scale = a->type == TYPE_NUMERIC && !a->scales && !b->scales && a->scale == b->scale;
    if (int64) compare_int64(call, op, out);
    else if (a->type == TYPE_DATE) compare_int32(call, op, out);
    else if (a->type == TYPE_BOOL) compare_bool(call, op, out);
    else if (same_scale) compare_int128(call, op, out);
    else if (a->type == TYPE_TEXT || a->type == TYPE_BYTES) compare_text(call, op, out);
    else {
        FOR_ACTIVE (call, row) {
            int order = 0;
            if (compare_row(call, row, a, b, &order)) out[row] = holds(op, order);
        }
    }
    return OK;
}

static Status kernel_eq(KernelCall *call, Err *err UNUSED)
{
    return compare(call, OP_EQ);
}
static Status kernel_ne(KernelCall *call, Err *err UNUSED)
{
    return compare(call, OP_NE);
}
static Status kernel_lt(KernelCall *call, Err *err UNUSED)
{
    return compare(call, OP_LT);
}
static Status kernel_le(KernelCall *call, Err *err UNUSED)
{
    return compare(call, OP_LE);
}
static Status kernel_gt(KernelCall *call, Err *err UNUSED)
{
    return compare(call, OP_GT);
}
static Status kernel_ge(KernelCall *call, Err *err UNUSED)
{
    return compare(call, OP_GE);
}

/* ---- with NULLs ---- */

static Status kernel_is_distinct(KernelCall *call, Err *err UNUSED)
{
    const Vector *a = &call->args[0], *b = &call->args[1];
    uint8_t *out = vector_bool(call->result);
    FOR_ACTIVE (call, row) {
        bool has_a = kernel_valid(a, row), has_b = kernel_valid(b, row);
        int order = 0;
        if (!has_a || !has_b) out[row] = has_a != has_b;
        else if (compare_row(call, row, a, b, &order)) out[row] = order != 0;
    }
    return OK;
}

/* The largest (smallest) of the values that are there; NULL when none is. */
static Status extreme(KernelCall *call, int sign)
{
    FOR_ACTIVE (call, row) {
        const Vector *best = NULL;
        bool failed = false;
        for (int32_t i = 0; i < call->arg_count && !failed; i++) {
            const Vector *v = &call->args[i];
            int order = 1;
            if (!kernel_valid(v, row)) continue;
            if (best) failed = !compare_row(call, row, v, best, &order);
            else order = sign;
            if (order * sign > 0) best = v;
        }
        if (failed) continue;
        if (best) kernel_copy(best, row, call->result);
        else call_null(call, row);
    }
    return OK;
}

static Status kernel_greatest(KernelCall *call, Err *err UNUSED)
{
    return extreme(call, 1);
}

static Status kernel_least(KernelCall *call, Err *err UNUSED)
{
    return extreme(call, -1);
}

static Status kernel_nullif(KernelCall *call, Err *err UNUSED)
{
    const Vector *a = &call->args[0], *b = &call->args[1];
    FOR_ACTIVE (call, row) {
        int order = 1;
        bool null = !kernel_valid(a, row);
        if (!null && kernel_valid(b, row) && !compare_row(call, row, a, b, &order)) {
            continue;
        }
        if (null || order == 0) call_null(call, row);
        else kernel_copy(a, row, call->result);
    }
    return OK;
}

enum { STRICT = FUNCTION_STRICT, FALLIBLE = FUNCTION_STRICT | FUNCTION_FALLIBLE };
#define OP "operator"
#define LOGIC "conditional"

static const Function FUNCTIONS[] = {
    {"=", "T, T -> boolean", kernel_eq, STRICT | FUNCTION_VIEWS, OP, "Equal.", "1.0 = 1 = true", 0,
     0, 0},
    {"<>", "T, T -> boolean", kernel_ne, STRICT | FUNCTION_VIEWS, OP, "Not equal; != is the same.",
     "'a' <> 'b' = true", 0, 0, 0},
    {"<", "T, T -> boolean", kernel_lt, STRICT, OP, "Less; text compares by bytes.",
     "'a' < 'b' = true", 0, 0, 0},
    {"<=", "T, T -> boolean", kernel_le, STRICT, OP, "Less or equal.", "2 <= 1 = false", 0, 0, 0},
    {">", "T, T -> boolean", kernel_gt, STRICT, OP, "Greater.", "2 > 1 = true", 0, 0, 0},
    {">=", "T, T -> boolean", kernel_ge, STRICT, OP, "Greater or equal.", "2 >= 2 = true", 0, 0, 0},
    {"is_distinct", "T, T -> boolean", kernel_is_distinct, 0, OP,
     "IS DISTINCT FROM: unequal, with NULL as a value.", "1 IS DISTINCT FROM NULL = true", 0, 0, 0},
    {"greatest", "T, T… -> T", kernel_greatest, 0, LOGIC, "The largest value; NULLs don't count.",
     "greatest(1, NULL, 3) = 3", 0, 0, 0},
    {"least", "T, T… -> T", kernel_least, 0, LOGIC, "The smallest value; NULLs don't count.",
     "least(2, 1) = 1", 0, 0, 0},
    {"nullif", "T, T -> T", kernel_nullif, 0, LOGIC, "NULL where both are equal, else the first.",
     "nullif('a', 'a') = null", 0, 0, 0},
};
const FunctionTable COMPARE_FUNCTIONS = {FUNCTIONS, COUNT_OF(FUNCTIONS)};
