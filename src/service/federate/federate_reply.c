/* Judging replies and finding in them what the client needs. */
#include "service/federate/federate_reply.h"

#include <stdio.h>

#include "foundation/codec/json_writer.h"

static const OperationForm FORMS[OP_COUNT] = {
    [OP_REGISTER] = {.name = "register",
                     .path = "/api/api-neurons/register",
                     .post = true,
                     .open = true,
                     .status = 201,
                     .needed = "token",
                     .kind = JSON_STRING},
    [OP_HEARTBEAT] = {.name = "heartbeat",
                      .path = "/api/api-neurons/heartbeat",
                      .post = true,
                      .status = 200,
                      .needed = "heartbeatId",
                      .kind = JSON_NUMBER},
    [OP_COMMANDS] = {.name = "commands",
                     .path = "/api/api-neurons/commands/pending",
                     .status = 200},
    [OP_ACKNOWLEDGE] = {.name = "acknowledge",
                        .post = true,
                        .status = 200,
                        .needed = "commandId",
                        .kind = JSON_STRING},
    [OP_COMPLETE] = {.name = "complete",
                     .post = true,
                     .status = 200,
                     .needed = "commandId",
                     .kind = JSON_STRING},
    [OP_CONFIG] = {.name = "config",
                   .path = "/api/neuron/config",
                   .status = 200,
                   .needed = "configVersion",
                   .kind = JSON_STRING},
    [OP_ANALYTICS] = {.name = "analytics",
                      .path = "/api/api-neurons/analytics/report",
                      .post = true,
                      .status = 200,
                      .needed = "id",
                      .kind = JSON_NUMBER},
};

const OperationForm *operation_form(Operation operation)
{
    return &FORMS[operation];
}

const char *outcome_name(Outcome outcome)
{
    static const char *const NAMES[] = {"ok",   "down",  "error",   "token",
                                        "gone", "large", "refused", "strange"};
    return NAMES[outcome];
}

static Outcome by_status(int32_t status, bool json)
{
    if (status == 401) return CALL_TOKEN;
    if (status == 413) return CALL_LARGE;
    if (status >= 500) return CALL_ERROR;
    if (status == 404) return json ? CALL_GONE : CALL_STRANGE;
    return status >= 400 ? CALL_REFUSED : CALL_STRANGE;
}

static void add_text(char text[FEDERATE_TEXT_MAX], const char *between, Str more)
{
    int64_t len = (int64_t)strlen(text), space = FEDERATE_TEXT_MAX - 1 - len;
    if (!more.len) return;
    Str pieces[] = {len ? str_from(between) : STR_NULL, more};
    for (int32_t i = 0; i < COUNT_OF(pieces) && pieces[i].len <= space; i++) {
        for (int64_t k = 0; k < pieces[i].len; k++) {
            char c = pieces[i].ptr[k];
            text[len++] = (unsigned char)c < 0x20 || c == 0x7f ? ' ' : c;
        }
        space -= pieces[i].len;
    }
    text[len] = 0;
}

static Str bounded(Str text)
{
    text = str_slice(text, 0, FEDERATE_TEXT_MAX / 2);
    return str_slice(text, 0, str_utf8_prefix(text));
}

/* The reply's own words: `error` with the fields of its details, or `message`. */
static void say_why(const JsonValue *root, Answer *a)
{
    Str error = json_member_text(root, STR("error"), STR_NULL);
    if (!error.len) error = json_member_text(root, STR("message"), STR_NULL);
    add_text(a->text, "", bounded(error));
    const JsonValue *details = json_member(root, STR("details"));
    bool list = details && details->kind == JSON_ARRAY;
    for (const JsonValue *at = list ? details->first : NULL; at; at = at->next) {
        const JsonValue *first = json_element(json_member(at, STR("path")), 0);
        Str field = first && first->kind == JSON_STRING ? first->text : STR_NULL;
        add_text(a->text, "; ", bounded(field));
        add_text(a->text, field.len ? ": " : "; ",
                 bounded(json_member_text(at, STR("message"), STR_NULL)));
    }
}

void reply_judge(Operation operation, int32_t status, bool is_json, Str body, Arena *arena,
                 Answer *a)
{
    const OperationForm *form = &FORMS[operation];
    JsonValue *root = NULL;
    bool json = is_json && json_parse(body, arena, &root, NULL) == OK;
    *a = (Answer){.outcome = CALL_STRANGE, .status = status};
    if (status != form->status) {
        a->outcome = by_status(status, json);
        say_why(root, a);
        if (!a->text[0]) add_text(a->text, "", json ? STR("no reason given") : STR("no JSON"));
        return;
    }
    const JsonValue *data = json_member(root, STR("data"));
    const JsonValue *needed = form->needed ? json_member(data, str_from(form->needed)) : NULL;
    if (!json) {
        add_text(a->text, "", STR("a page instead of JSON: nothing answers at this path"));
    } else if (!json_is_true(json_member(root, STR("success")))) {
        add_text(a->text, "", STR("the reply has no success"));
    } else if (form->needed && (!needed || needed->kind != form->kind)) {
        (void)snprintf(a->text, sizeof a->text, "the reply has no %s", form->needed);
    } else {
        a->outcome = CALL_OK;
        a->data = data;
    }
}

bool reply_token(const JsonValue *data, Str *ret_token)
{
    Str token = json_member_text(data, STR("token"), STR_NULL);
    bool good = token.len > 0 && token.len <= FEDERATE_TOKEN_MAX;
    for (int64_t i = 0; good && i < token.len; i++)
        good = token.ptr[i] > 0x20 && token.ptr[i] < 0x7f;
    if (good) *ret_token = token;
    return good;
}

int64_t reply_pending(const JsonValue *data)
{
    int64_t count = 0;
    return json_int64(json_member(data, STR("pendingCommands")), &count) ? count : 0;
}

/* ---- commands ---- */

static bool is_name(Str text)
{
    return text.len > 0 && text.len <= FEDERATE_ID_MAX && str_find_char(text, 0) < 0;
}

Status reply_commands(const JsonValue *data, Buf *scratch,
                      Status (*each)(void *arg, const ReplyCommand *command, Err *err), void *arg,
                      int64_t *ret_skipped, Err *err)
{
    int64_t taken = 0;
    *ret_skipped = 0;
    if (!data || data->kind != JSON_ARRAY) return OK;
    for (const JsonValue *at = data->first; at; at = at->next) {
        const JsonValue *body = json_member(at, STR("commandData"));
        ReplyCommand c = {.id = json_member_text(at, STR("commandId"), STR_NULL),
                          .type = json_member_text(at, STR("commandType"), STR_NULL),
                          .body = body ? body->text : STR("{}")};
        if (!is_name(c.id) || !is_name(c.type) || taken == FEDERATE_COMMANDS_MAX) {
            ++*ret_skipped;
            continue;
        }
        if (body && body->kind == JSON_STRING) {
            buf_clear(scratch);
            TRY(json_put_text(scratch, body->text, err));
            c.body = buf_str(scratch);
        }
        taken++;
        TRY(each(arg, &c, err));
    }
    return OK;
}

/* ---- configuration ---- */

void reply_config(const JsonValue *data, ReplyConfig *ret_config)
{
    Str version = json_member_text(data, STR("configVersion"), STR_NULL);
    version = str_slice(version, 0, FEDERATE_VERSION_MAX);
    const JsonValue *config = json_member(data, STR("config"));
    bool given = config && config->kind == JSON_OBJECT && config->count > 0;
    *ret_config = (ReplyConfig){.version = str_slice(version, 0, str_utf8_prefix(version)),
                                .content = given ? config->text : STR_NULL};
}
