/* A row's result depends on that row alone: any split of the input into batches gives the same
 * bytes and the same refused rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "engine/format/json_read.h"
#include "engine/format/json_write.h"

enum { ROWS = 400, TEXT_MAX = 1 << 24 };

typedef struct Outcome {
    Buf rows, refused;
} Outcome;

static const char *const SELECTS[] = {
    "*",
    "a + b AS sum, a * b AS product, a / nullif(b, 0) AS q, a::text || 'x' AS t",
    "a / b AS q",
    "upper(t) AS u, t::numeric AS n",
    "CASE WHEN b > 2 THEN 1 / (a - 3) ELSE length(t) END AS c, try(t::int) AS i",
    "row_hash(*) AS h, a > 5 AND 10 / b > 1 AS both, coalesce(o.x, a) AS x",
    "o.list[1] AS first, o.x + 1 AS next, (t::date) CATCH date '2000-01-01' AS d",
    "greatest(a, b) AS g, regexp_replace(t, '[0-9]+', '#') AS r, a % b AS m, a ^ 2 AS p",
};

/* Numbers of every size and type in one column, missing members, nulls, texts that are numbers. */
static int document(int64_t i, char *out, size_t size)
{
    static const char *const A[] = {"1",  "2.50", "9223372036854775807", "1e30",
                                    "-7", "0.1",  "12345678.90",         "null",
                                    "3",  "1e300"};
    static const char *const B[] = {"0", "1", "3.25", "-2", "1e10", "null", "7"};
    static const char *const T[] = {
        "\"12\"", "\"abc\"", "\"2024-02-29\"", "\"\"", "\"\xc3\xa9t\xc3\xa9 5\"",
        "null",   "\"007\""};
    static const char *const O[] = {"{\"x\":5,\"list\":[1,\"two\"]}", "{\"x\":\"text\"}", "{}",
                                    "null", "{\"list\":[]}"};
    return snprintf(out, size, "{\"a\":%s,\"b\":%s,\"t\":%s,\"o\":%s}", A[i * 7 % 10], B[i * 5 % 7],
                    T[i * 3 % 7], O[i * 11 % 5]);
}

typedef struct Machine {
    PathSet paths;
    Schema *open;
    Select *select;
    JsonReader *reader;
    JsonEncoder *encoder;
} Machine;

static void machine_init(Machine *m, const char *text)
{
    Err err = {0};
    *m = (Machine){0};
    pathset_init(&m->paths);
    assert_int_equal(pathset_schema(&m->paths, false, &m->open, &err), OK);
    if (select_compile(str_from(text), m->open, &m->paths, &m->select, &err) != OK) {
        fail_msg("%s: %s", text, err.message);
    }
    assert_int_equal(json_reader_open(&m->paths, false, NULL, &m->reader, &err), OK);
    assert_int_equal(json_encoder_new(select_schema(m->select), &m->encoder, &err), OK);
}

static void machine_done(Machine *m)
{
    json_encoder_free(m->encoder);
    json_reader_free(m->reader);
    select_free(m->select);
    schema_unref(m->open);
    pathset_done(&m->paths);
}

static void run_batch(Machine *m, int64_t first, Outcome *out)
{
    Err err = {0};
    ExprRun run = {.now_us = 0};
    CLEANUP(batch_unref_p) Batch *in = NULL;
    CLEANUP(batch_unref_p) Batch *result = NULL;
    CLEANUP(reject_list_done) RejectList rejects;
    reject_list_init(&rejects);
    assert_int_equal(json_reader_finish(m->reader, &in, &err), OK);
    if (select_run(m->select, &run, in, &rejects, &result, &err) != OK) fail_msg("%s", err.message);
    assert_int_equal(json_encoder_rows(m->encoder, result, 0, result->rows, &out->rows, &err), OK);
    for (int64_t i = 0; i < rejects.count; i++) {
        assert_int_equal(buf_printf(&out->refused, &err, "%lld %s %.*s\n",
                                    (long long)(first + rejects.items[i].row),
                                    rejects.items[i].sqlstate, STR_ARG(rejects.items[i].reason)),
                         OK);
    }
}

/* The rows in batches of 1 … `split` of them, in turn. */
static Outcome run_split(const char *select, int64_t split)
{
    Err err = {0};
    Machine m;
    machine_init(&m, select);
    Outcome out = {buf_make(TEXT_MAX), buf_make(TEXT_MAX)};
    int64_t size = split, first = 0;
    for (int64_t i = 0; i < ROWS; i++) {
        char text[256];
        JsonRefusal refusal;
        bool taken = false;
        int len = document(i, text, sizeof text);
        assert_int_equal(json_reader_add(m.reader, str_make(text, len), &taken, &refusal, &err),
                         OK);
        assert_true(taken);
        if (json_reader_rows(m.reader) < size && i + 1 < ROWS) continue;
        run_batch(&m, first, &out);
        first = i + 1;
        size = size > 1 ? size - 1 : split;
    }
    machine_done(&m);
    return out;
}

static void same_bytes(const Buf *got, const Buf *want, const char *select, int64_t split)
{
    if (str_eq(buf_str(got), buf_str(want))) return;
    int64_t at = 0;
    while (at < got->len && at < want->len && got->data[at] == want->data[at]) at++;
    fail_msg("%s in batches of %lld: differs at byte %lld:\n%.60s\n%.60s", select, (long long)split,
             (long long)at, got->data + at, want->data + at);
}

static void splits_change_nothing(void **state)
{
    (void)state;
    static const int64_t SPLITS[] = {1, 2, 3, 7, 64, 65};
    int64_t refused = 0;
    for (int64_t i = 0; i < COUNT_OF(SELECTS); i++) {
        Outcome whole = run_split(SELECTS[i], ROWS);
        refused += whole.refused.len > 0;
        for (int64_t j = 0; j < COUNT_OF(SPLITS); j++) {
            Outcome parts = run_split(SELECTS[i], SPLITS[j]);
            same_bytes(&parts.rows, &whole.rows, SELECTS[i], SPLITS[j]);
            same_bytes(&parts.refused, &whole.refused, SELECTS[i], SPLITS[j]);
            buf_done(&parts.rows);
            buf_done(&parts.refused);
        }
        buf_done(&whole.rows);
        buf_done(&whole.refused);
    }
    assert_true(refused >= 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(splits_change_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
