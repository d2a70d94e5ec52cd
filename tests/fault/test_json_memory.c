/* JSON reading and writing with the 1st, 2nd, 3rd… allocation failing: an error each time, no leak.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/format/json_read.h"
#include "engine/format/json_write.h"
#include "engine/format/reject.h"
#include "foundation/base/mem.h"
#include "foundation/codec/json_tree.h"

enum { ATTEMPTS_MOST = 2000 };

static const char *const LINES[] = {
    "{\"a\":1,\"b\":\"a text that is longer than twelve bytes\",\"c\":{\"d\":[1,2]},\"a\":2}",
    "{\"a\":1.5,\"b\":\"escaped \\u0041 and longer than twelve\",\"e\":\"2024-02-29\"}",
    "{\"a\":\"x\",\"c\":[true],\"k1\":1,\"k2\":2,\"k3\":3,\"k4\":4,\"k5\":5,\"k6\":6,\"k7\":7}",
    "broken",
};

static Status infer_schema(Schema **ret_schema, Err *err)
{
    CLEANUP(json_infer_free_p) JsonInfer *infer = NULL;
    TRY(json_infer_new(STR("e:date,n:numeric(5,2)"), &infer, err));
    for (int64_t i = 0; i < COUNT_OF(LINES); i++) {
        bool taken;
        JsonRefusal refusal;
        TRY(json_infer_add(infer, str_from(LINES[i]), 0, &taken, &refusal, err));
    }
    return json_infer_schema(infer, ret_schema, err);
}

static Status read_all(JsonReader *reader, Batch **ret_batch, RejectWriter *rejects, Err *err)
{
    for (int64_t i = 0; i < COUNT_OF(LINES); i++) {
        bool taken;
        JsonRefusal refusal;
        TRY(json_reader_add(reader, str_from(LINES[i]), &taken, &refusal, err));
        if (taken) continue;
        TRY(reject_writer_raw(rejects, STR("read"), 0, i, i + 1, refusal.column,
                              str_from(refusal.reason), str_from(LINES[i]), err));
    }
    return json_reader_finish(reader, ret_batch, err);
}

static Status write_all(const Batch *batch, RejectWriter *rejects, Err *err)
{
    CLEANUP(json_encoder_free_p) JsonEncoder *encoder = NULL;
    CLEANUP(buf_done) Buf out = buf_make(1 << 20);
    TRY(json_encoder_new(batch->schema, &encoder, err));
    TRY(json_encoder_rows(encoder, batch, 0, batch->rows, &out, err));
    CLEANUP(reject_list_done) RejectList list;
    reject_list_init(&list);
    Reject reject = {.row = 1,
                     .kind = ERR_DATA,
                     .position = -1,
                     .column = STR("b"),
                     .reason = STR("for the test")};
    TRY(reject_list_add(&list, &reject, err));
    return reject_writer_add(rejects, STR("select"), batch, &list, err);
}

static Status columns_with(RejectWriter *rejects, Err *err)
{
    CLEANUP(schema_unref_p) Schema *schema = NULL;
    CLEANUP(json_reader_free_p) JsonReader *reader = NULL;
    CLEANUP(batch_unref_p) Batch *batch = NULL;
    CLEANUP(batch_unref_p) Batch *rejected = NULL;
    TRY(infer_schema(&schema, err));
    TRY(json_reader_columns(schema, NULL, &reader, err));
    TRY(read_all(reader, &batch, rejects, err));
    TRY(write_all(batch, rejects, err));
    return reject_writer_take(rejects, &rejected, err);
}

static Status columns(Err *err)
{
    CLEANUP(reject_writer_done) RejectWriter rejects = {0};
    Str key = STR("a");
    TRY(reject_writer_init(&rejects, &key, 1, err));
    return columns_with(&rejects, err);
}

static Status open_rows(Err *err)
{
    CLEANUP(json_reader_free_p) JsonReader *reader = NULL;
    CLEANUP(batch_unref_p) Batch *batch = NULL;
    CLEANUP(reject_writer_done) RejectWriter rejects = {0};
    Str names[] = {STR("a"), STR("c.d[-1]"), STR("b")};
    PathSet paths = {.paths = names, .count = 3};
    TRY(reject_writer_init(&rejects, NULL, 0, err));
    TRY(json_reader_open(&paths, false, NULL, &reader, err));
    TRY(read_all(reader, &batch, &rejects, err));
    return write_all(batch, &rejects, err);
}

static Status tree(Err *err)
{
    CLEANUP(arena_done) Arena arena = arena_make(1 << 20);
    JsonValue *value;
    return json_parse(str_from(LINES[1]), &arena, &value, err);
}

static void fail_each(Status (*work)(Err *err))
{
    for (int64_t nth = 1; nth < ATTEMPTS_MOST; nth++) {
        Err err = {0};
        mem_fail_at(nth, false);
        Status status = work(&err);
        bool reached = mem_fail_count() >= nth;
        mem_fail_at(0, false);
        if (!reached) {
            assert_int_equal(status, OK);
            assert_true(nth > 1);
            return;
        }
        if (status == OK || err.kind != ERR_MEMORY) {
            fail_msg("allocation %lld: %s", (long long)nth,
                     status == OK ? "the failure was swallowed" : err.message);
        }
    }
    fail_msg("it does not end");
}

static void test_columns(void **state)
{
    (void)state;
    fail_each(columns);
}

static void test_open_rows(void **state)
{
    (void)state;
    fail_each(open_rows);
}

static void test_tree(void **state)
{
    (void)state;
    fail_each(tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_open_rows),
        cmocka_unit_test(test_tree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
