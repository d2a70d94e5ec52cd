/* Tests of connect/query_params.h: what is a parameter, and what only looks like one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stddef.h>
#include <cmocka.h>

#include "connect/query_params.h"
#include "foundation/base/buf.h"

/* The query with {name} where its parameters stand. */
static void check_pieces(const char *query, const char *wanted)
{
    CLEANUP(buf_done) Buf out = buf_make(1 << 16);
    QueryPiece piece;
    for (int64_t at = 0; query_piece_next(str_from(query), &at, &piece);) {
        assert_int_equal(buf_append(&out, piece.text, NULL), OK);
        if (piece.colon) assert_int_equal(buf_append_char(&out, ':', NULL), OK);
        if (!piece.param.len) continue;
        assert_int_equal(buf_printf(&out, NULL, "{%.*s}", STR_ARG(piece.param)), OK);
    }
    assert_int_equal(buf_append_char(&out, 0, NULL), OK);
    assert_string_equal(buf_str(&out).ptr, wanted);
}

static void test_pieces(void **state UNUSED)
{
    check_pieces("", "");
    check_pieces("SELECT 1", "SELECT 1");
    check_pieces(":a", "{a}");
    check_pieces("a = :a AND b=:b_2;", "a = {a} AND b={b_2};");
    check_pieces(":a:b", "{a}:b");
    check_pieces("x::text, a[1:n], a[lo:hi], ':q', \":i\"",
                 "x::text, a[1:n], a[lo:hi], ':q', \":i\"");
    check_pieces("E'\\':a' :b -- :c\n/* :d /* */ :e */:f",
                 "E'\\':a' {b} -- :c\n/* :d /* */ :e */{f}");
    check_pieces("$$:a$$ $t$:b$t$ :c", "$$:a$$ $t$:b$t$ {c}");
    check_pieces("\\:a :b", ":a {b}");
    check_pieces("x := 1, :1", "x := 1, :1");
}

static void test_names(void **state UNUSED)
{
    Str query = STR("SELECT :min, @other, $third, '@no', ':none'");
    assert_true(query_uses(query, STR("min")));
    assert_true(query_uses(query, STR("other")));
    assert_true(query_uses(query, STR("third")));
    assert_false(query_uses(query, STR("mi")));
    assert_false(query_uses(query, STR("none")));
    assert_false(query_uses(query, STR("")));
    assert_false(query_uses(STR_NULL, STR("min")));
    assert_true(str_eq(query_nearest(query, STR("mni")), STR("min")));
    assert_int_equal(query_nearest(query, STR("something")).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
