/* URLs taken apart: scheme, user, password and hosts; what doesn't parse is refused, never quoted.
 */
#include "foundation/codec/url.h"

#include "foundation/base/number.h"
#include "foundation/base/redact.h"

enum { URL_PORT_MAX = 65535 };

static Status refuse(const char *what, Err *err)
{
    (void)err_set(err, ERR_CONFIG, "the URL's authority doesn't parse: %s", what);
    return err_hint(err, "write scheme://user:password@host:port/…, and percent-encode what the "
                         "password holds: / as %%2F, @ as %%40, : as %%3A, # as %%23, ? as %%3F, "
                         "%% as %%25");
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* The byte of the escape at `at`; -1: there is none. */
static int escape_at(Str text, int64_t at)
{
    if (text.ptr[at] != '%' || at + 2 >= text.len) return -1;
    int high = hex_value(text.ptr[at + 1]), low = hex_value(text.ptr[at + 2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

Status url_decode(Str text, Arena *arena, Str *ret_text, Err *err)
{
    char *out = arena_alloc(arena, text.len + 1);
    if (!out) return err_memory(err);
    int64_t len = 0;
    for (int64_t i = 0; i < text.len; i++) {
        int byte = escape_at(text, i);
        out[len++] = byte < 0 ? text.ptr[i] : (char)byte;
        if (byte >= 0) i += 2;
    }
    *ret_text = str_make(out, len);
    return OK;
}

bool url_name_is_secret(Str name)
{
    static const char *const WORDS[] = {
        "pass",          "pwd",    "secret",  "token",   "key.pem",    "oauthbearer.config",
        "authorization", "apikey", "api_key", "api-key", "credential", "jaas"};
    for (int64_t i = 0; i < COUNT_OF(WORDS); i++) {
        Str word = str_from(WORDS[i]);
        for (int64_t at = 0; at + word.len <= name.len; at++) {
            if (str_eq_nocase(str_slice(name, at, at + word.len), word)) return true;
        }
    }
    return false;
}

/* ---- parsing ---- */

static int64_t find_any(Str text, const char *chars)
{
    for (int64_t i = 0; i < text.len; i++) {
        if (text.ptr[i] && strchr(chars, text.ptr[i])) return i;
    }
    return text.len;
}

static Status check_escapes(Str text, Err *err)
{
    for (int64_t i = 0; i < text.len; i++) {
        int byte = escape_at(text, i);
        if (text.ptr[i] == '%' && byte < 0) {
            return refuse("a % is not followed by two hex digits", err);
        }
        if (byte == 0) return refuse("it holds %00", err);
    }
    return OK;
}

static Status check_host(Str host, Err *err)
{
    Str port = STR_NULL;
    if (str_starts(host, STR("["))) {
        int64_t end = str_find_char(host, ']');
        if (end < 0) return refuse("a [ is not closed", err);
        port = str_slice(host, end + 1, host.len);
    } else {
        int64_t colon = str_find_char(host, ':');
        if (colon >= 0) port = str_slice(host, colon, host.len);
    }
    if (!port.len) return OK;
    int64_t number = 0;
    Str digits = str_trim(str_slice(port, 1, port.len));
    if (port.ptr[0] != ':') return refuse("a host goes on after its ]", err);
    if (!digits.len) return OK;
    bool good = number_parse_int64(digits, &number) == NUMBER_OK && number >= 1 &&
                number <= URL_PORT_MAX && digits.ptr[0] != '+';
    return good ? OK : refuse("a port is not a number from 1 to 65535", err);
}

static Status check_hosts(Str hosts, Err *err)
{
    Str host;
    while (str_next_part(&hosts, ',', &host)) TRY(check_host(host, err));
    return OK;
}

/* Parameters whose values may be names with an @ in them (`user=me@corp`). */
static bool takes_at(Str item)
{
    static const char *const NAMES[] = {"user=", "password=", "options=", "application_name="};
    for (int64_t i = 0; i < COUNT_OF(NAMES); i++) {
        if (str_starts(item, str_from(NAMES[i]))) return true;
    }
    return false;
}

/* After the authority an @ is the end of a password that began before. */
static Status check_rest(Str rest, Err *err)
{
    int64_t question = find_any(rest, "?#");
    Str query = str_slice(rest, question + 1, find_any(rest, "#")), item;
    bool good = str_find_char(str_slice(rest, 0, question), '@') < 0 &&
                str_find_char(str_slice(rest, find_any(rest, "#"), rest.len), '@') < 0;
    while (good && query.len && str_next_part(&query, '&', &item)) {
        good = str_find_char(item, '@') < 0 || takes_at(item);
    }
    return good ? OK : refuse("an @ comes after a / ? or #", err);
}

Status url_parse(Str text, Url *ret_url, Err *err)
{
    int64_t scheme = str_find(text, STR("://"));
    if (scheme < 0) return refuse("it has no ://", err);
    Str rest = str_slice(text, scheme + 3, text.len);
    int64_t end = find_any(rest, "/?#");
    Str authority = str_slice(rest, 0, end);
    Url url = {.scheme = str_slice(text, 0, scheme), .rest = str_slice(rest, end, rest.len)};
    for (int64_t i = 0; i < authority.len; i++) {
        unsigned char c = (unsigned char)authority.ptr[i];
        if (c < ' ' || c == 0x7f) return refuse("it holds a control character", err);
    }
    url.hosts = authority;
    int64_t at = str_find_char(authority, '@');
    if (at >= 0) {
        url.user = str_slice(authority, 0, at);
        url.hosts = str_slice(authority, at + 1, authority.len);
        int64_t colon = str_find_char(url.user, ':');
        if (colon >= 0) url.password = str_slice(url.user, colon + 1, url.user.len);
        if (colon >= 0) url.user = str_slice(url.user, 0, colon);
    }
    if (str_find_char(url.hosts, '@') >= 0) return refuse("it has more than one @", err);
    TRY(check_hosts(url.hosts, err));
    TRY(check_rest(url.rest, err));
    TRY(check_escapes(str_slice(text, 0, text.len - url.rest.len), err));
    TRY(check_escapes(str_slice(url.rest, 0, find_any(url.rest, "#")), err));
    *ret_url = url;
    return OK;
}

static Status add_secret(Str raw, Arena *arena, Err *err)
{
    Str decoded;
    TRY(redact_secret(raw, err));
    TRY(url_decode(raw, arena, &decoded, err));
    return redact_secret(decoded, err);
}

Status url_secrets(const Url *url, Arena *arena, Err *err)
{
    TRY(add_secret(url->password, arena, err));
    int64_t from = find_any(url->rest, "?#");
    Str items = str_slice(url->rest, from + 1, url->rest.len), item;
    while (items.len) {
        int64_t end = find_any(items, "&#;");
        item = str_slice(items, 0, end);
        items = str_slice(items, end + 1, items.len);
        int64_t equals = str_find_char(item, '=');
        if (equals < 0 || !url_name_is_secret(str_slice(item, 0, equals))) continue;
        TRY(add_secret(str_slice(item, equals + 1, item.len), arena, err));
    }
    return OK;
}
