/* Expression kernels beside hand-written C loops over the same columns, with the same checks for
 * NULL, overflow and division by zero; prints nanoseconds per row and the ratio. The goal is for
 * the evaluation to vectors; what a whole column costs, its memory included, is shown beside. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/column/builder.h"
#include "engine/expr/expr.h"
#include "engine/expr/tree.h"
#include "engine/expr/program.h"

enum { ROWS = 8192, ROUNDS = 1000, COLUMNS = 7 };
#define GOAL 1.5

/* What a loop by hand gives: values, validity, and whether a row failed. */
typedef struct Hand {
    void *values;
    uint64_t *valid;
    int64_t errors;
} Hand;

typedef void (*Loop)(const Column *c, Hand *out);

typedef struct Case {
    const char *text;
    Loop loop;
    int64_t width; /* bytes per value by hand; 0: bits */
} Case;

static void valid_both(const Column *a, const Column *b, uint64_t *out)
{
    const uint64_t *x = (const uint64_t *)(const void *)a->valid->data;
    const uint64_t *y = (const uint64_t *)(const void *)b->valid->data;
    for (int64_t i = 0; i < ROWS / 64; i++) out[i] = x[i] & y[i];
}

static bool is_set(const uint64_t *bits, int64_t i)
{
    return (bits[i >> 6] >> (i & 63)) & 1;
}

/* ---- the loops: columns a, b are int64; x, y double; n, m numeric(18,2); t text ---- */

static void add_int(const Column *c, Hand *out)
{
    const int64_t *a = column_int64(&c[0]), *b = column_int64(&c[1]);
    int64_t *to = out->values;
    uint64_t overflow = 0;
    valid_both(&c[0], &c[1], out->valid);
    for (int64_t i = 0; i < ROWS; i++) {
        uint64_t sum = (uint64_t)a[i] + (uint64_t)b[i];
        overflow |= ((uint64_t)a[i] ^ sum) & ((uint64_t)b[i] ^ sum);
        to[i] = (int64_t)sum;
    }
    out->errors = (int64_t)(overflow >> 63);
}

static void multiply_int(const Column *c, Hand *out)
{
    const int64_t *a = column_int64(&c[0]), *b = column_int64(&c[1]);
    int64_t *to = out->values;
    valid_both(&c[0], &c[1], out->valid);
    for (int64_t i = 0; i < ROWS; i++) {
        out->errors += __builtin_mul_overflow(a[i], b[i], &to[i]) && is_set(out->valid, i);
    }
}

static void divide_int(const Column *c, Hand *out)
{
    const int64_t *a = column_int64(&c[0]), *b = column_int64(&c[1]);
    int64_t *to = out->values;
    valid_both(&c[0], &c[1], out->valid);
    for (int64_t i = 0; i < ROWS; i++) {
        to[i] = 0;
        if (!is_set(out->valid, i)) continue;
        if (b[i] == 0 || (b[i] == -1 && a[i] == INT64_MIN)) out->errors++;
        else to[i] = a[i] / b[i];
    }
}

static void multiply_double(const Column *c, Hand *out)
{
    const double *x = column_double(&c[2]), *y = column_double(&c[3]);
    double *to = out->values;
    valid_both(&c[2], &c[3], out->valid);
    for (int64_t i = 0; i < ROWS; i++) {
        to[i] = x[i] * y[i];
        bool infinite = __builtin_isinf(to[i]) && !__builtin_isinf(x[i]) && !__builtin_isinf(y[i]);
        out->errors += infinite | ((to[i] == 0) & (x[i] != 0) & (y[i] != 0));
    }
}

static void add_numeric(const Column *c, Hand *out)
{
    const Int128 *n = column_numeric(&c[4]), *m = column_numeric(&c[5]);
    Int128 *to = out->values;
    Int128 limit = decimal_power10(38);
    valid_both(&c[4], &c[5], out->valid);
    for (int64_t i = 0; i < ROWS; i++) {
        Int128 sum = n[i] + m[i];
        out->errors += sum >= limit || sum <= -limit;
        to[i] = sum;
    }
}

static void less_int(const Column *c, Hand *out)
{
    const int64_t *a = column_int64(&c[0]), *b = column_int64(&c[1]);
    uint64_t *to = out->values;
    valid_both(&c[0], &c[1], out->valid);
    for (int64_t w = 0; w < ROWS / 64; w++) {
        uint64_t bits = 0;
        for (int64_t i = 0; i < 64; i++) bits |= (uint64_t)(a[w * 64 + i] < b[w * 64 + i]) << i;
        to[w] = bits & out->valid[w];
    }
}

static void both_conditions(const Column *c, Hand *out)
{
    const int64_t *a = column_int64(&c[0]), *b = column_int64(&c[1]);
    const uint64_t *va = (const uint64_t *)(const void *)c[0].valid->data;
    const uint64_t *vb = (const uint64_t *)(const void *)c[1].valid->data;
    uint64_t *to = out->values;
    for (int64_t w = 0; w < ROWS / 64; w++) {
        uint64_t left = 0, right = 0;
        for (int64_t i = 0; i < 64; i++) {
            left |= (uint64_t)(a[w * 64 + i] > 0) << i;
            right |= (uint64_t)(b[w * 64 + i] < 500) << i;
        }
        to[w] = left & va[w] & right & vb[w];
        /* False decides whether or not the other side is NULL. */
        out->valid[w] = (va[w] & vb[w]) | (va[w] & ~left) | (vb[w] & ~right);
    }
}

static void choose_larger(const Column *c, Hand *out)
{
    const int64_t *a = column_int64(&c[0]), *b = column_int64(&c[1]);
    int64_t *to = out->values;
    const uint64_t *vb = (const uint64_t *)(const void *)c[1].valid->data;
    valid_both(&c[0], &c[1], out->valid);
    for (int64_t i = 0; i < ROWS; i++) {
        bool first = is_set(out->valid, i) && a[i] > b[i];
        to[i] = first ? a[i] : b[i];
    }
    for (int64_t w = 0; w < ROWS / 64; w++) out->valid[w] = vb[w];
}

static void text_length(const Column *c, Hand *out)
{
    int64_t *to = out->values;
    memcpy(out->valid, c[6].valid->data, ROWS / 8);
    for (int64_t i = 0; i < ROWS; i++) {
        Str s = column_text(&c[6], i);
        int64_t count = 0;
        for (int64_t k = 0; k < s.len; k++) count += (s.ptr[k] & 0xc0) != 0x80;
        to[i] = count;
    }
}

static void text_like(const Column *c, Hand *out)
{
    uint64_t *to = out->values;
    memcpy(out->valid, c[6].valid->data, ROWS / 8);
    for (int64_t w = 0; w < ROWS / 64; w++) {
        to[w] = 0;
        for (int64_t i = 0; i < 64; i++) {
            Str s = column_text(&c[6], w * 64 + i);
            bool found = s.len >= 3 && memmem(s.ptr, (size_t)s.len, "abc", 3) != NULL;
            to[w] |= (uint64_t)found << i;
        }
    }
}

static void text_equal(const Column *c, Hand *out)
{
    uint64_t *to = out->values;
    memcpy(out->valid, c[6].valid->data, ROWS / 8);
    for (int64_t w = 0; w < ROWS / 64; w++) {
        to[w] = 0;
        for (int64_t i = 0; i < 64; i++) {
            to[w] |= (uint64_t)str_eq(column_text(&c[6], w * 64 + i), STR("some abc text")) << i;
        }
    }
}

static const Case CASES[] = {
    {"a + b", add_int, 8},
    {"a * b", multiply_int, 8},
    {"a / b", divide_int, 8},
    {"x * y", multiply_double, 8},
    {"n + m", add_numeric, 16},
    {"a < b", less_int, 0},
    {"a > 0 AND b < 500", both_conditions, 0},
    {"CASE WHEN a > b THEN a ELSE b END", choose_larger, 8},
    {"length(t)", text_length, 8},
    {"t LIKE '%abc%'", text_like, 0},
    {"t = 'some abc text'", text_equal, 0},
};

static Status put_value(Builder *b, int32_t column, int64_t i, Err *err)
{
    static const char *const TEXTS[] = {"short", "some abc text", "a text that is somewhat longer",
                                        "gr\xc3\xbc\xc3\x9f"
                                        "e"};
    uint64_t r = ((uint64_t)i * UINT64_C(0x9e3779b97f4a7c15)) >> (20 + column);
    if (r % 16 == 0) return builder_null(b, err);
    if (column < 2) return builder_int64(b, (int64_t)(r % 2000) - 1000 + (column == 1) * 1001, err);
    if (column < 4) return builder_double(b, (double)(r % 100000) / 7, err);
    if (column < 6) return builder_numeric(b, (Decimal){(Int128)(r % 10000000), 2}, err);
    return builder_text(b, str_from(TEXTS[r % 4]), err);
}

static Status make_batch(Batch **ret_batch, Err *err)
{
    static const Field FIELDS[COLUMNS] = {
        {.name = {"a", 1}, .type = TYPE_INT64},   {.name = {"b", 1}, .type = TYPE_INT64},
        {.name = {"x", 1}, .type = TYPE_DOUBLE},  {.name = {"y", 1}, .type = TYPE_DOUBLE},
        {.name = {"n", 1}, .type = TYPE_NUMERIC}, {.name = {"m", 1}, .type = TYPE_NUMERIC},
        {.name = {"t", 1}, .type = TYPE_TEXT},
    };
    Schema *schema = NULL;
    Batch *batch = NULL;
    TRY(schema_new(FIELDS, COLUMNS, false, &schema, err));
    TRY(batch_new(schema, &batch, err));
    for (int32_t c = 0; c < COLUMNS; c++) {
        Builder b;
        builder_init(&b, FIELDS[c].type, NULL);
        for (int64_t i = 0; i < ROWS; i++) TRY(put_value(&b, c, i, err));
        TRY(builder_finish(&b, &batch->columns[c], err));
    }
    batch->rows = ROWS;
    *ret_batch = batch;
    return OK;
}

static int64_t cpu_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* One round by hand, memory for the result included, as the engine has it. */
static int64_t time_hand(const Case *one, const Batch *batch)
{
    int64_t start = cpu_ns();
    int64_t bytes = one->width ? one->width * ROWS : ROWS / 8;
    Hand out = {malloc((size_t)bytes), malloc(ROWS / 8), 0};
    if (!out.values || !out.valid) abort();
    one->loop(batch->columns, &out);
    __asm__ volatile("" : : "r"(out.values), "r"(out.valid), "r"(out.errors) : "memory");
    free(out.values);
    free(out.valid);
    return cpu_ns() - start;
}

static int64_t time_column(Expr *expr, const Batch *batch)
{
    Err err = {0};
    ExprRun run = {0};
    RejectList rejects;
    Column column;
    int64_t start = cpu_ns();
    reject_list_init(&rejects);
    if (expr_column(expr, &run, batch, &column, &rejects, &err) != OK) abort();
    column_done(&column);
    reject_list_done(&rejects);
    return cpu_ns() - start;
}

static Status run_chunk(void *root, Eval *eval, const Mask *rows, Err *err)
{
    Vector vector;
    TRY(eval_node(eval, root, rows, &vector, err));
    __asm__ volatile("" : : "r"(vector.data), "r"(vector.valid) : "memory");
    return OK;
}

static int64_t time_kernels(Program *program, ExprNode *root, const Batch *batch)
{
    Err err = {0};
    ExprRun run = {0};
    const ChunkRun chunks = {
        .program = program, .run = &run, .batch = batch, .chunk = run_chunk, .arg = root};
    int64_t start = cpu_ns();
    if (program_run(&chunks, &err) != OK) abort();
    return cpu_ns() - start;
}

static bool report(const char *text, int64_t kernels, int64_t hand, int64_t column)
{
    double ratio = (double)kernels / (double)hand;
    (void)printf(
        "  %s %-33s %6.2f ns/row, by hand %6.2f: ratio %.2f (goal <= %.1f); a column %.2f\n",
        ratio <= GOAL ? "reached" : "MISSED ", text, (double)kernels / ROWS, (double)hand / ROWS,
        ratio, GOAL, (double)column / ROWS);
    return ratio <= GOAL;
}

static Status measure(const Case *one, const Batch *batch, bool *ret_reached, Err *err)
{
    Program program;
    ExprNode *root = NULL;
    Expr *expr = NULL;
    Str text = str_from(one->text);
    TRY(expr_compile(text, batch->schema, NULL, TYPE_COUNT, &expr, err));
    TRY(program_init(&program, text, batch->schema, NULL, err));
    TRY(parse_expression(program.checker.text, program.checker.arena, &root, err));
    TRY(check_node(&program.checker, &root, err));
    int64_t hand = INT64_MAX, kernels = INT64_MAX, column = INT64_MAX;
    for (int i = 0; i < ROUNDS; i++) {
        hand = int64_min(hand, time_hand(one, batch));
        kernels = int64_min(kernels, time_kernels(&program, root, batch));
        column = int64_min(column, time_column(expr, batch));
    }
    *ret_reached = report(one->text, kernels, hand, column);
    expr_free(expr);
    program_done(&program);
    return OK;
}

/* With an argument: only the case of that text. */
int main(int argc, char **argv)
{
    Err err = {0};
    Batch *batch = NULL;
    if (make_batch(&batch, &err) != OK) return 1;
    bool reached = true;
    for (int64_t i = 0; i < COUNT_OF(CASES); i++) {
        if (argc > 1 && strcmp(argv[1], CASES[i].text) != 0) continue;
        bool one = false;
        if (measure(&CASES[i], batch, &one, &err) != OK) {
            (void)fprintf(stderr, "%s: %s\n", CASES[i].text, err.message);
            return 1;
        }
        reached &= one;
    }
    batch_unref(batch);
    return reached ? 0 : 1;
}
