/* Lines of JSON files: ends, blank lines, byte order marks, long lines, reads of any size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stddef.h>
#include <cmocka.h>

#include "connect/ndjson/ndjson_lines.h"
#include "foundation/base/buf.h"

/* Gives a text in pieces of `step` bytes. */
typedef struct Pieces {
    Str text;
    int64_t at, step;
} Pieces;

static Status read_piece(void *ctx, void *buffer, int64_t size, int64_t *ret_len, Err *err)
{
    (void)err;
    Pieces *pieces = ctx;
    int64_t len = int64_min(int64_min(pieces->step, size), pieces->text.len - pieces->at);
    memcpy(buffer, pieces->text.ptr + pieces->at, (size_t)len);
    pieces->at += len;
    *ret_len = len;
    return OK;
}

/* All lines as "number:text|", and the bytes that they stand for. */
static void list_lines(NdjsonLines *lines, Buf *out, int64_t *bytes)
{
    Err err = {0};
    NdjsonLine line;
    bool more = true;
    for (;;) {
        assert_int_equal(ndjson_lines_next(lines, &line, &more, &err), OK);
        if (!more) return;
        assert_int_equal(buf_printf(out, &err, "%lld:", (long long)line.number), OK);
        assert_int_equal(buf_append(out, line.text, &err), OK);
        assert_int_equal(buf_append_char(out, '|', &err), OK);
        *bytes += line.bytes;
    }
}

static void check(Str text, const char *want)
{
    static const int64_t steps[] = {1, 2, 3, 7, 100, 1 << 20};
    for (int64_t i = 0; i < COUNT_OF(steps); i++) {
        Pieces pieces = {text, 0, steps[i]};
        NdjsonLines lines;
        Buf out = buf_make(1 << 20);
        int64_t bytes = 0;
        ndjson_lines_init(&lines, 0, NULL);
        ndjson_lines_file(&lines, read_piece, &pieces);
        list_lines(&lines, &out, &bytes);
        if (!str_eq(buf_str(&out), str_from(want))) {
            fail_msg("step %lld: got \"%.*s\", want \"%s\"", (long long)steps[i],
                     STR_ARG(buf_str(&out)), want);
        }
        assert_true(bytes <= text.len);
        ndjson_lines_done(&lines);
        buf_done(&out);
    }
}

static void test_ends(void **state)
{
    (void)state;
    check(STR(""), "");
    check(STR("\n"), "");
    check(STR("{}"), "1:{}|");
    check(STR("{}\n"), "1:{}|");
    check(STR("a\nb"), "1:a|2:b|");
    check(STR("a\r\nb\r\n"), "1:a|2:b|");
    check(STR("a\n\n \t\n\r\nb\n"), "1:a|5:b|");
    check(STR("\xef\xbb\xbf{}\n\xef\xbb\xbf{}\n"), "1:{}|2:\xef\xbb\xbf{}|");
    check(STR("\xef\xbb\xbf"), "");
    check(STR("a\rb\n"), "1:a\rb|");
}

static void test_next_file(void **state)
{
    (void)state;
    Pieces first = {STR("\xef\xbb\xbf"
                        "a\nb"),
                    0, 2},
           second = {STR("\xef\xbb\xbf"
                         "c\nd\n"),
                     0, 2};
    NdjsonLines lines;
    Buf out = buf_make(1 << 20);
    int64_t bytes = 0;
    ndjson_lines_init(&lines, 0, NULL);
    ndjson_lines_file(&lines, read_piece, &first);
    list_lines(&lines, &out, &bytes);
    ndjson_lines_file(&lines, read_piece, &second);
    list_lines(&lines, &out, &bytes);
    assert_true(str_eq(buf_str(&out), STR("1:a|2:b|1:c|2:d|")));
    assert_int_equal(bytes, 13);
    ndjson_lines_done(&lines);
    buf_done(&out);
}

/* Lines longer than a block, and lines kept while reading goes on. */
static void test_long_lines(void **state)
{
    (void)state;
    enum { LEN = 3000000, LINES = 5 };
    char *text = malloc((size_t)LEN * LINES);
    memset(text, 'x', (size_t)LEN * LINES);
    for (int64_t i = 0; i < LINES; i++) text[i * LEN] = (char)('0' + i);
    for (int64_t i = 1; i <= LINES; i++) text[i * LEN - 1] = '\n';
    Pieces pieces = {str_make(text, (int64_t)LEN * LINES), 0, 50000};
    NdjsonLines lines;
    Err err = {0};
    NdjsonLine kept[LINES], behind;
    bool more;
    ndjson_lines_init(&lines, 0, NULL);
    ndjson_lines_file(&lines, read_piece, &pieces);
    for (int32_t i = 0; i < LINES; i++) {
        assert_int_equal(ndjson_lines_next(&lines, &kept[i], &more, &err), OK);
        assert_true(more);
        buffer_ref(kept[i].heap);
    }
    assert_int_equal(ndjson_lines_next(&lines, &behind, &more, &err), OK);
    assert_false(more);
    ndjson_lines_done(&lines);
    for (int32_t i = 0; i < LINES; i++) {
        Str want = str_make(text + (int64_t)i * LEN, LEN - 1);
        assert_true(str_eq(kept[i].text, want));
        buffer_unref(kept[i].heap);
    }
    free(text);
}

/* A line without an end: refused before it fills the memory. */
static Status read_forever(void *ctx, void *buffer, int64_t size, int64_t *ret_len, Err *err)
{
    (void)err;
    memset(buffer, 'x', (size_t)size);
    *(int64_t *)ctx += size;
    *ret_len = size;
    return OK;
}

static void test_endless_line(void **state)
{
    (void)state;
    NdjsonLines lines;
    NdjsonLine line;
    Err err = {0};
    bool more;
    int64_t given = 0;
    ndjson_lines_init(&lines, 1 << 20, NULL);
    ndjson_lines_file(&lines, read_forever, &given);
    assert_int_equal(ndjson_lines_next(&lines, &line, &more, &err), FAIL);
    assert_int_equal(err.kind, ERR_LIMIT);
    assert_string_equal(err.message, "line 1 is longer than 256 MiB");
    assert_true(given < 3 * NDJSON_LINE_MAX);
    ndjson_lines_done(&lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_next_file),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_endless_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
