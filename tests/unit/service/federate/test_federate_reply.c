/* Replies of the core: what counts as good, and what is taken from them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "service/federate/federate_reply.h"

static Answer judge(Operation operation, int32_t status, const char *body)
{
    Arena arena = arena_make(1 << 20);
    Answer a;
    reply_judge(operation, status, body[0] == '{', str_from(body), &arena, &a);
    a.data = NULL;
    arena_done(&arena);
    return a;
}

static void test_outcomes(void **state)
{
    (void)state;
    static const struct {
        Operation operation;
        int32_t status;
        const char *body;
        Outcome outcome;
        const char *text;
    } CASES[] = {
        {OP_HEARTBEAT, 200, "{\"success\":true,\"data\":{\"heartbeatId\":1}}", CALL_OK, ""},
        {OP_HEARTBEAT, 200, "<html>", CALL_STRANGE,
         "a page instead of JSON: nothing answers at this path"},
        {OP_HEARTBEAT, 200, "{\"success\":true,\"data\":{\"heartbeatId\":\"1\"}}", CALL_STRANGE,
         "the reply has no heartbeatId"},
        {OP_HEARTBEAT, 200, "{\"success\":\"true\",\"data\":{\"heartbeatId\":1}}", CALL_STRANGE,
         "the reply has no success"},
        {OP_HEARTBEAT, 500, "{\"success\":false,\"error\":\"Failed to record heartbeat\"}",
         CALL_ERROR, "Failed to record heartbeat"},
        {OP_HEARTBEAT, 502, "<html>", CALL_ERROR, "no JSON"},
        {OP_HEARTBEAT, 401, "{\"success\":false,\"error\":\"Invalid or expired token\"}",
         CALL_TOKEN, "Invalid or expired token"},
        {OP_HEARTBEAT, 413, "{\"message\":\"request entity too large\"}", CALL_LARGE,
         "request entity too large"},
        {OP_CONFIG, 404, "{\"success\":false,\"error\":\"Neuron not found\"}", CALL_GONE,
         "Neuron not found"},
        {OP_CONFIG, 404, "not found", CALL_STRANGE, "no JSON"},
        {OP_REGISTER, 200, "{\"success\":true,\"data\":{\"token\":\"x\"}}", CALL_STRANGE,
         "no reason given"},
        {OP_REGISTER, 400,
         "{\"error\":\"Validation "
         "error\",\"details\":[{\"path\":[\"name\"],\"message\":\"Required\"}"
         ",{\"path\":[],\"message\":\"a\\nb\"}]}",
         CALL_REFUSED, "Validation error; name: Required; a b"},
    };
    for (int i = 0; i < COUNT_OF(CASES); i++) {
        Answer a = judge(CASES[i].operation, CASES[i].status, CASES[i].body);
        assert_int_equal(a.outcome, CASES[i].outcome);
        assert_string_equal(a.text, CASES[i].text);
    }
}

static const JsonValue *parse(const char *text, Arena *arena)
{
    JsonValue *root = NULL;
    assert_int_equal(json_parse(str_from(text), arena, &root, NULL), OK);
    return root;
}

static void test_tokens(void **state)
{
    (void)state;
    Arena arena = arena_make(1 << 20);
    Str token = STR_NULL;
    assert_true(reply_token(parse("{\"token\":\"a.b-c_d\"}", &arena), &token));
    assert_true(str_eq(token, STR("a.b-c_d")));
    static const char *const BAD[] = {"{}", "{\"token\":\"\"}", "{\"token\":\"a b\"}",
                                      "{\"token\":\"a\\r\\nX: y\"}", "{\"token\":\"\\u00e9\"}"};
    for (int i = 0; i < COUNT_OF(BAD); i++) {
        assert_false(reply_token(parse(BAD[i], &arena), &token));
    }
    arena_done(&arena);
}

static Status collect(void *arg, const ReplyCommand *c, Err *err)
{
    return buf_printf(arg, err, "%.*s/%.*s/%.*s ", STR_ARG(c->id), STR_ARG(c->type),
                      STR_ARG(c->body));
}

static void test_commands(void **state)
{
    (void)state;
    Arena arena = arena_make(1 << 20);
    Buf scratch = buf_make(1000), out = buf_make(1000);
    int64_t skipped = 0;
    const JsonValue *list =
        parse("[{\"commandId\":\"1\",\"commandType\":\"stop\"},"
              "{\"commandId\":\"2\",\"commandType\":\"x\",\"commandData\":\"t\"},"
              "{\"commandId\":3,\"commandType\":\"x\"},{\"commandId\":\"4\"},5,"
              "{\"commandId\":\"\\u0000\",\"commandType\":\"x\"},"
              "{\"commandId\":\"6\",\"commandType\":\"y\",\"commandData\":[1]}]",
              &arena);
    assert_int_equal(reply_commands(list, &scratch, collect, &out, &skipped, NULL), OK);
    assert_true(str_eq(buf_str(&out), STR("1/stop/{} 2/x/\"t\" 6/y/[1] ")));
    assert_int_equal(skipped, 4);
    assert_int_equal(reply_commands(NULL, &scratch, collect, &out, &skipped, NULL), OK);
    buf_done(&scratch);
    buf_done(&out);
    arena_done(&arena);
}

static void test_configuration(void **state)
{
    (void)state;
    Arena arena = arena_make(1 << 20);
    ReplyConfig c;
    reply_config(parse("{\"config\":{\"a\":1},\"configVersion\":\"1.0\"}", &arena), &c);
    assert_true(str_eq(c.content, STR("{\"a\":1}")) && str_eq(c.version, STR("1.0")));
    reply_config(
        parse("{\"config\":{},\"configVersion\":\"12345678901234567890123456789012345678901"
              "23456789\\u00e9\"}",
              &arena),
        &c);
    assert_true(c.content.len == 0 && c.version.len == 49); /* not half a character */
    reply_config(parse("{\"config\":[1]}", &arena), &c);
    assert_true(c.content.len == 0 && c.version.len == 0);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outcomes), cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_commands), cmocka_unit_test(test_configuration)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
