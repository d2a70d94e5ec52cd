/* Signing in with the token: a form, and a cookie that holds no secret. */
#include "service/api/login.h"

#include <stdio.h>

#include "foundation/base/hash.h"
#include "service/api/api_state.h"
#include "service/api/session.h"

enum { SESSION_S = 12 * 3600, TOKEN_MAX = 4096 };

static const char HEAD[] =
    "<!doctype html>\n<html lang=en><head><meta charset=utf-8>"
    "<meta name=viewport content=\"width=device-width,initial-scale=1\"><title>neuron</title>"
    "<style>:root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;max-width:24rem;"
    "margin:15vh auto;padding:0 16px}input,button{font:inherit;padding:6px 10px;width:100%;"
    "box-sizing:border-box;margin-top:8px}p[role=alert]{color:#c62a2f}</style></head><body>"
    "<h1>neuron</h1><form method=post action=/login><label>This neuron asks for its token."
    "<input name=token type=password autocomplete=current-password required autofocus></label>"
    "<button>Sign in</button></form>";

Status login_page(Request *r, const char *message, Err *err)
{
    buf_clear(&r->answer.out);
    TRY(request_page(r, str_from(HEAD), err));
    if (message) TRY(buf_printf(&r->answer.out, err, "<p role=alert>%s</p>", message));
    return buf_append(&r->answer.out, STR("</body></html>\n"), err);
}

static int32_t hex_of(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* application/x-www-form-urlencoded. */
static Status decode(Str text, Buf *out, Err *err)
{
    for (int64_t i = 0; i < text.len; i++) {
        char c = text.ptr[i] == '+' ? ' ' : text.ptr[i];
        int32_t high = c == '%' && i + 2 < text.len ? hex_of(text.ptr[i + 1]) : -1;
        int32_t low = high >= 0 ? hex_of(text.ptr[i + 2]) : -1;
        if (low >= 0) {
            c = (char)(high * 16 + low);
            i += 2;
        }
        TRY(buf_append_char(out, c, err));
    }
    return OK;
}

static Status given_token(const Request *r, Buf *out, Err *err)
{
    Str rest = buf_str(&r->body), part;
    while (rest.len && str_next_part(&rest, '&', &part)) {
        if (!str_starts(part, STR("token="))) continue;
        return decode(str_slice(part, 6, part.len), out, err);
    }
    return OK;
}

Status login_post(Request *r, Err *err)
{
    Api *api = r->api;
    CLEANUP(buf_done) Buf token = buf_make(TOKEN_MAX);
    char session[SESSION_SIZE];
    if (api->options.token.len == 0) {
        return err_set(err, ERR_NOT_FOUND, "this neuron has no token");
    }
    /* What is too long is wrong like any other. */
    bool read = given_token(r, &token, NULL) == OK;
    if (!read || !secret_is(buf_str(&token), api->options.token)) {
        bool many = request_guessed(r);
        r->answer.status = many ? 429 : 401;
        return login_page(
            r, many ? "This is not the token; too many were tried." : "This is not the token.",
            err);
    }
    TRY(session_of(api, session, err));
    (void)snprintf(r->answer.cookie, sizeof r->answer.cookie,
                   "neuron_session=%s; Path=/; Max-Age=%d; HttpOnly; SameSite=Strict", session,
                   SESSION_S);
    r->answer.location = "/";
    return OK;
}

Status logout_post(Request *r, Err *err UNUSED)
{
    (void)snprintf(r->answer.cookie, sizeof r->answer.cookie,
                   "neuron_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict");
    r->answer.location = "/";
    return OK;
}
