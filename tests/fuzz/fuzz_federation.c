/* Fuzz target: replies of the core to every operation; what comes of them can be kept and sent. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "service/federate/federate_body.h"
#include "service/federate/federate_day.h"
#include "service/federate/federate_reply.h"
#include "service/federate/federate_url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) abort();
}

static Status check_command(void *arg, const ReplyCommand *c, Err *err)
{
    Arena arena = arena_make(1 << 26);
    JsonValue *body = NULL;
    (void)arg;
    must(c->id.len > 0 && c->id.len <= FEDERATE_ID_MAX && str_is_utf8(c->id));
    must(c->type.len > 0 && c->type.len <= FEDERATE_ID_MAX && str_is_utf8(c->type));
    must(str_find_char(c->id, 0) < 0 && str_find_char(c->type, 0) < 0);
    must(json_parse(c->body, &arena, &body, err) == OK || (err && err->kind != ERR_DATA));
    arena_done(&arena);
    return OK;
}

static void check_data(const JsonValue *data)
{
    Err err = {0};
    Str token = STR_NULL;
    ReplyConfig config;
    int64_t skipped = 0;
    Day day;
    Buf scratch = buf_make(1 << 20);
    if (reply_token(data, &token)) must(token.len > 0 && token.len <= FEDERATE_TOKEN_MAX);
    (void)reply_pending(data);
    IGNORE(reply_commands(data, &scratch, check_command, NULL, &skipped, &err));
    reply_config(data, &config);
    must(config.version.len <= FEDERATE_VERSION_MAX && str_is_utf8(config.version));
    day_read(&day, data);
    buf_done(&scratch);
}

static void check_reply(Operation operation, int32_t status, Str body)
{
    Arena arena = arena_make(1 << 26);
    Answer a;
    reply_judge(operation, status, true, body, &arena, &a);
    must(strlen(a.text) < FEDERATE_TEXT_MAX);
    must((a.outcome == CALL_OK) == (a.text[0] == 0));
    check_data(a.outcome == CALL_OK ? a.data : NULL);
    arena_done(&arena);
}

/* Cleaned once it is clean. */
static void check_clean(Str body)
{
    Buf once = buf_make(1 << 24), twice = buf_make(1 << 24);
    if (body_clean(body, &once, NULL) == OK) {
        must(body_clean(buf_str(&once), &twice, NULL) == OK);
        must(str_eq(buf_str(&once), buf_str(&twice)));
        must(str_find(buf_str(&once), STR("\\u0000")) < 0 ||
             str_find(buf_str(&once), STR("\\\\u0000")) >= 0);
    }
    buf_done(&once);
    buf_done(&twice);
}

/* The one spelling is its own. */
static void check_url(Str url)
{
    Buf once = buf_make(1 << 16), twice = buf_make(1 << 16);
    if (federate_url(url, true, &once, NULL) == OK) {
        must(federate_url(buf_str(&once), true, &twice, NULL) == OK);
        must(str_eq(buf_str(&once), buf_str(&twice)));
        must(federate_url_same(url, buf_str(&once)));
    }
    buf_done(&once);
    buf_done(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int32_t STATUSES[] = {200, 201, 400, 401, 404, 413, 500};
    Arena arena = arena_make(1 << 26);
    JsonValue *root = NULL;
    if (size == 0) return 0;
    Str body = str_make((const char *)data + 1, (int64_t)size - 1);
    Operation operation = (Operation)(data[0] % OP_COUNT);
    for (size_t i = 0; i < sizeof STATUSES / sizeof STATUSES[0]; i++) {
        check_reply(operation, STATUSES[i], body);
    }
    if (json_parse(body, &arena, &root, NULL) == OK) check_data(root);
    arena_done(&arena);
    check_clean(body);
    check_url(body);
    return 0;
}
