/* JSON objects into batches and back: types, inference, casts, refusals, open rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/format/json_read.h"
#include "engine/format/json_write.h"

static void check_text(Str got, const char *want)
{
    if (!str_eq(got, str_from(want))) fail_msg("got \"%.*s\", want \"%s\"", STR_ARG(got), want);
}

/* "name type native" of each field, separated by commas. */
static void check_schema(const Schema *schema, const char *want)
{
    Buf out = buf_make(1 << 16);
    Err err = {0};
    for (int32_t i = 0; i < schema->count; i++) {
        const Field *field = &schema->fields[i];
        assert_int_equal(buf_printf(&out, &err, "%s%.*s %s%s%.*s", i ? ", " : "",
                                    STR_ARG(field->name), type_name(field->type),
                                    field->native.len ? " " : "", STR_ARG(field->native)),
                         OK);
    }
    check_text(buf_str(&out), want);
    buf_done(&out);
}

static Schema *infer(const char *types, const char *const *lines)
{
    JsonInfer *infer;
    Err err = {0};
    Schema *schema;
    if (json_infer_new(str_from(types), &infer, &err) != OK) fail_msg("%s", err.message);
    for (; *lines; lines++) {
        bool taken;
        JsonRefusal refusal;
        assert_int_equal(json_infer_add(infer, str_from(*lines), 0, &taken, &refusal, &err), OK);
    }
    assert_int_equal(json_infer_schema(infer, &schema, &err), OK);
    json_infer_free(infer);
    return schema;
}

static Buffer *heap_of(const char *const *lines, Str *ret_lines)
{
    Buffer *heap;
    Err err = {0};
    int64_t size = 0, at = 0;
    for (int32_t i = 0; lines[i]; i++) size += (int64_t)strlen(lines[i]) + 1;
    assert_int_equal(buffer_new(size, NULL, &heap, &err), OK);
    for (int32_t i = 0; lines[i]; i++) {
        int64_t len = (int64_t)strlen(lines[i]);
        memcpy(heap->data + at, lines[i], (size_t)len + 1);
        ret_lines[i] = str_make((const char *)heap->data + at, len);
        at += len + 1;
    }
    return heap;
}

/* Reads the lines, writes the batch, and compares; refusals appear as "! column: reason". */
static void check_read(JsonReader *reader, const char *const *lines, bool use_heap,
                       const char *want)
{
    Err err = {0};
    Buf out = buf_make(1 << 20);
    Str in_heap[32];
    Buffer *heap = heap_of(lines, in_heap);
    if (use_heap) json_reader_heap(reader, heap);
    for (int32_t i = 0; lines[i]; i++) {
        bool taken;
        JsonRefusal refusal;
        Str line = use_heap ? in_heap[i] : str_from(lines[i]);
        assert_int_equal(json_reader_add(reader, line, &taken, &refusal, &err), OK);
        if (taken) continue;
        assert_int_equal(buf_printf(&out, &err, "! %.*s: %s at %lld\n", STR_ARG(refusal.column),
                                    refusal.reason, (long long)refusal.offset),
                         OK);
    }
    json_reader_heap(reader, NULL);
    buffer_unref(heap);
    Batch *batch;
    assert_int_equal(json_reader_finish(reader, &batch, &err), OK);
    JsonEncoder *encoder;
    assert_int_equal(json_encoder_new(batch->schema, &encoder, &err), OK);
    assert_int_equal(json_encoder_rows(encoder, batch, 0, batch->rows, &out, &err), OK);
    check_text(buf_str(&out), want);
    json_encoder_free(encoder);
    batch_unref(batch);
    buf_done(&out);
}

static void check_columns(const char *types, const char *const *lines, const char *schema_want,
                          const char *want)
{
    Schema *schema = infer(types, lines);
    check_schema(schema, schema_want);
    JsonReader *reader;
    Err err = {0};
    assert_int_equal(json_reader_columns(schema, NULL, &reader, &err), OK);
    check_read(reader, lines, true, want);
    check_read(reader, lines, false, want); /* again, with the same reader, copying */
    json_reader_free(reader);
    schema_unref(schema);
}

static void test_inferred_types(void **state)
{
    (void)state;
    const char *const lines[] = {
        "{\"id\":1,\"price\":1.50,\"name\":\"a\",\"ok\":true,\"tags\":[1, 2],\"none\":null}",
        "{\"name\":\"text longer than twelve bytes\",\"id\":2,\"late\":{\"x\":1},\"ok\":null}",
        "{\"id\":9223372036854775807,\"price\":1e2,\"mixed\":1}",
        "{\"mixed\":\"x\",\"price\":-0.001}",
        "{\"mixed\":[true],\"id\":-5,\"none\":null}",
        NULL,
    };
    check_columns(
        "", lines,
        "id numeric bigint, price numeric, name text json string, ok boolean, tags json, none text "
        "json string, "
        "late json, mixed dynamic",
        "{\"id\":1,\"price\":1.50,\"name\":\"a\",\"ok\":true,\"tags\":[1, 2],\"none\":null,"
        "\"late\":null,\"mixed\":null}\n"
        "{\"id\":2,\"price\":null,\"name\":\"text longer than twelve bytes\",\"ok\":null,"
        "\"tags\":null,\"none\":null,\"late\":{\"x\":1},\"mixed\":null}\n"
        "{\"id\":9223372036854775807,\"price\":100,\"name\":null,\"ok\":null,\"tags\":null,"
        "\"none\":null,\"late\":null,\"mixed\":1}\n"
        "{\"id\":null,\"price\":-0.001,\"name\":null,\"ok\":null,\"tags\":null,\"none\":null,"
        "\"late\":null,\"mixed\":\"x\"}\n"
        "{\"id\":-5,\"price\":null,\"name\":null,\"ok\":null,\"tags\":null,\"none\":null,"
        "\"late\":null,\"mixed\":[true]}\n");
}

static void test_exact_numbers(void **state)
{
    (void)state;
    const char *const lines[] = {
        "{\"n\":12345678901234567890123456789012345678}",
        "{\"n\":0.00000000000000000000000000000000000001}",
        "{\"n\":123456789012345678901234567890123456789}",
        "{\"n\":1e300}",
        "{\"n\":9223372036854775808}",
        "{\"n\":-1.500e3}",
        "{\"n\":1e400}",
        NULL,
    };
    check_columns("", lines, "n numeric",
                  "! n: 1e400 does not fit numeric at 5\n"
                  "{\"n\":12345678901234567890123456789012345678}\n"
                  "{\"n\":0.00000000000000000000000000000000000001}\n"
                  "{\"n\":1.2345678901234568e+38}\n"
                  "{\"n\":1e+300}\n"
                  "{\"n\":9223372036854775808}\n"
                  "{\"n\":-1500}\n");
}

static void test_repeated_and_escaped_keys(void **state)
{
    (void)state;
    const char *const lines[] = {
        "{\"a\":\"x\",\"a\":1,\"b\\\"\":2}",
        "{\"\\u0061\":3,\"b\\u0022\":\"4\\n\"}",
        NULL,
    };
    check_columns("", lines, "a numeric bigint, b\" dynamic",
                  "{\"a\":1,\"b\\\"\":2}\n{\"a\":3,\"b\\\"\":\"4\\n\"}\n");
}

static void test_declared_types(void **state)
{
    (void)state;
    const char *const lines[] = {
        "{\"d\":\"2024-02-29\",\"t\":\"2024-02-29T12:00:00.5+02:00\",\"u\":"
        "\"00112233-4455-6677-8899-AABBCCDDEEFF\",\"n\":\"1.50\",\"i\":\"42\",\"b\":\"Zm9v\",\"s\":"
        "7,"
        "\"j\":\"x\"}",
        "{\"d\":null,\"i\":3.0,\"n\":2}",
        "{\"d\":\"2024-02-30\"}",
        "{\"i\":1.5}",
        "{\"i\":\"9223372036854775808\"}",
        "{\"n\":1.555}",
        "{\"n\":12345}",
        "{\"b\":\"Zm9\"}",
        "{\"u\":\"001122334455\"}",
        "{\"d\":5}",
        NULL,
    };
    check_columns(
        "t:timestamptz,n:numeric(6,2), d : date,u:uuid,i:bigint,b:bytea,s:text,j:json,x:time",
        lines,
        "d date, t timestamptz, u uuid, n numeric, i bigint, b bytea, s text json string, j json, "
        "x time",
        "! d: \"2024-02-30\" does not fit date at 5\n"
        "! i: 1.5 does not fit bigint at 5\n"
        "! i: \"9223372036854775808\" does not fit bigint at 5\n"
        "! n: 1.555 does not fit numeric(6,2) at 5\n"
        "! n: 12345 does not fit numeric(6,2) at 5\n"
        "! b: \"Zm9\" does not fit bytea at 5\n"
        "! u: \"001122334455\" does not fit uuid at 5\n"
        "! d: 5 does not fit date at 5\n"
        "{\"d\":\"2024-02-29\",\"t\":\"2024-02-29T10:00:00.5Z\",\"u\":\"00112233-4455-6677-"
        "8899-aabbccddeeff\",\"n\":1.50,\"i\":42,\"b\":\"Zm9v\",\"s\":\"7\",\"j\":\"x\","
        "\"x\":null}\n"
        "{\"d\":null,\"t\":null,\"u\":null,\"n\":2.00,\"i\":3,\"b\":null,\"s\":null,"
        "\"j\":null,\"x\":null}\n");
}

static void test_bad_declarations(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"a", "types: \"a\" is not name:type"},
        {":text", "types: \":text\" is not name:type"},
        {"a:tixt", "types: \"tixt\" of column \"a\" is not a type"},
        {"a:text,a:date", "types: column \"a\" is there twice"},
    };
    for (int64_t i = 0; i < COUNT_OF(bad); i++) {
        JsonInfer *infer;
        Err err = {0};
        assert_int_equal(json_infer_new(str_from(bad[i][0]), &infer, &err), FAIL);
        assert_int_equal(err.kind, ERR_CONFIG);
        assert_string_equal(err.message, bad[i][1]);
        if (i != 3) assert_true(err.hint[0] != 0);
    }
}

static void test_refused_documents(void **state)
{
    (void)state;
    const char *const lines[] = {
        "{\"a\":1}", "{\"a\":2", "[1]", "", "{\"a\":3}{", "{\"b\":\"\xff\"}", "{\"a\":4}", NULL,
    };
    check_columns("", lines, "a numeric bigint",
                  "! : not valid JSON: text ends too early at 6\n"
                  "! : a JSON object was expected at 0\n"
                  "! : not valid JSON: text ends too early at 0\n"
                  "! : not valid JSON: something follows the value at 7\n"
                  "! : not valid JSON: text that is not UTF-8 at 6\n"
                  "{\"a\":1}\n{\"a\":4}\n");
}

static void add_path(PathSet *paths, Str *texts, const char *text)
{
    texts[paths->count] = str_from(text);
    paths->paths = texts;
    paths->count++;
}

/* Dynamic columns as "kind:value" by the type of each row's child. */
static void describe(const Column *column, int64_t row, Buf *out)
{
    Err err = {0};
    if (column_is_null(column, row)) {
        assert_int_equal(buf_append(out, STR("null "), &err), OK);
        return;
    }
    int64_t child_row;
    const Column *child = column_dynamic(column, row, &child_row);
    assert_int_equal(buf_printf(out, &err, "%s:", type_name(child->type)), OK);
    assert_int_equal(json_write_value(child, child_row, out, &err), OK);
    assert_int_equal(buf_append_char(out, ' ', &err), OK);
}

static void test_open_rows(void **state)
{
    (void)state;
    const char *const lines[] = {
        " {\"a\":{\"b\":12},\"c\":\"x\",\"extra\":[1]} ",
        "{\"a\":{\"b\":1.50},\"c\":\"text longer than twelve bytes\"}",
        "{\"a\":{\"b\":\"esc\\u0061ped text that is longer\"},\"c\":{\"d\":[1,2,3,4,5,6,7]}}",
        "{\"a\":{\"b\":true},\"c\":null}",
        "{\"a\":{\"b\":99999999999999999999},\"c\":[1]}",
        NULL,
    };
    static const char *const wants[] = {
        "bigint:12 text:\"x\" ",
        "numeric:1.50 text:\"text longer than twelve bytes\" ",
        "text:\"escaped text that is longer\" json:{\"d\":[1,2,3,4,5,6,7]} ",
        "boolean:true null ",
        "numeric:99999999999999999999 json:[1] ",
    };
    PathSet paths = {0};
    Str texts[2];
    add_path(&paths, texts, "a.b");
    add_path(&paths, texts, "c");
    JsonReader *reader;
    Err err = {0};
    if (json_reader_open(&paths, false, NULL, &reader, &err) != OK) fail_msg("%s", err.message);
    Str in_heap[8];
    Buffer *heap = heap_of(lines, in_heap);
    json_reader_heap(reader, heap);
    for (int32_t i = 0; lines[i]; i++) {
        bool taken;
        JsonRefusal refusal;
        assert_int_equal(json_reader_add(reader, in_heap[i], &taken, &refusal, &err), OK);
        assert_true(taken);
    }
    buffer_unref(heap);
    Batch *batch;
    assert_int_equal(json_reader_finish(reader, &batch, &err), OK);
    json_reader_free(reader); /* the batch lives on its own */
    assert_int_equal(batch->rows, 5);
    assert_true(batch->schema->open);
    for (int64_t row = 0; row < batch->rows; row++) {
        Buf out = buf_make(1 << 16);
        describe(&batch->columns[1], row, &out);
        describe(&batch->columns[2], row, &out);
        check_text(buf_str(&out), wants[row]);
        buf_done(&out);
    }
    check_text(column_text(&batch->columns[0], 0), "{\"a\":{\"b\":12},\"c\":\"x\",\"extra\":[1]}");
    batch_unref(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inferred_types),
        cmocka_unit_test(test_exact_numbers),
        cmocka_unit_test(test_repeated_and_escaped_keys),
        cmocka_unit_test(test_declared_types),
        cmocka_unit_test(test_bad_declarations),
        cmocka_unit_test(test_refused_documents),
        cmocka_unit_test(test_open_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
