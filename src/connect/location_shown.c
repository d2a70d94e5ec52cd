/* What of a location's text people may see. */
#include "connect/location_shown.h"

#include "foundation/base/redact.h"
#include "foundation/codec/url.h"

/* Part of a text; empty: there is none. */
typedef struct Span {
    int64_t from, to;
} Span;

/* ---- secret parameters ---- */

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

/* The key of an encrypted database (`?key=…`): an option of that name is none. */
static bool is_database_key(Str text, Span name)
{
    Str key = str_slice(text, name.from, name.to);
    bool named = str_eq_nocase(key, STR("key")) || str_eq_nocase(key, STR("hexkey")) ||
                 str_eq_nocase(key, STR("textkey"));
    int64_t question = str_find_char(text, '?'), hash = str_find_char(text, '#');
    return named && question >= 0 && question < name.from && (hash < 0 || hash > name.from);
}

/* The value after the = at `equals`, where the name before it is that of a secret. */
static Span secret_value(Str text, int64_t equals)
{
    Span name = {equals, equals}, value = {equals + 1, equals + 1};
    while (name.to > 0 && text.ptr[name.to - 1] == ' ') name.to--;
    name.from = name.to;
    while (name.from > 0 && is_name_char(text.ptr[name.from - 1])) name.from--;
    bool secret = url_name_is_secret(str_slice(text, name.from, name.to));
    if (!secret && !is_database_key(text, name)) return (Span){0};
    while (value.to < text.len && !strchr("&#", text.ptr[value.to])) value.to++;
    return value;
}

static Status add(Str secret, Arena *arena, Err *err)
{
    Str decoded;
    TRY(redact_secret(secret, err));
    TRY(url_decode(secret, arena, &decoded, err));
    return redact_secret(decoded, err);
}

/* How far it goes depends on who wrote it: all of it, its first word, what is quoted in it. */
static Status add_value(Str value, Arena *arena, Err *err)
{
    value = str_trim(value);
    TRY(add(value, arena, err));
    bool quoted = value.len > 0 && strchr("\"'", value.ptr[0]);
    char quote[2] = {quoted ? value.ptr[0] : 0, 0};
    if (quoted) value = str_slice(value, 1, value.len);
    int64_t end = 0;
    while (end < value.len && !strchr(quoted ? quote : ";, \t\"'", value.ptr[end])) end++;
    return add(str_slice(value, 0, end), arena, err);
}

Status location_secrets(Str text, Arena *arena, Err *err)
{
    for (int64_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '=') continue;
        Span value = secret_value(text, i);
        TRY(add_value(str_slice(text, value.from, value.to), arena, err));
        /* To the end of what is quoted, whatever it holds. */
        bool quoted = value.to > value.from && strchr("\"'", text.ptr[value.from]);
        if (quoted) TRY(add_value(str_slice(text, value.from, text.len), arena, err));
    }
    return OK;
}

Status location_secrets_unparsed(Str text, Arena *arena, Err *err)
{
    int64_t start = str_find(text, STR("://")), at = -1;
    Str rest = str_slice(text, start < 0 ? 0 : start + 3, text.len);
    for (int64_t i = 0; i < rest.len; i++) {
        if (rest.ptr[i] == '@') at = i;
    }
    Str user = str_slice(rest, 0, at < 0 ? 0 : at);
    int64_t colon = str_find_char(user, ':');
    TRY(add(colon < 0 ? user : str_slice(user, colon + 1, user.len), arena, err));
    return location_secrets(text, arena, err);
}

/* ---- shown ---- */

bool location_is_plain(Str text)
{
    return str_find_char(text, ':') < 0 && str_find_char(text, '=') < 0 &&
           str_find_char(text, '@') < 0;
}

Status location_shown_unparsed(Str text, Arena *arena, Str *ret_shown, Err *err)
{
    int64_t end = 0;
    if (location_is_plain(text)) return arena_copy(arena, text, ret_shown, err);
    while (is_name_char(text.ptr[end]) || text.ptr[end] == '+') end++;
    if (text.ptr[end] != ':') return arena_copy(arena, STR(REDACT_MASK), ret_shown, err);
    bool slashes = str_starts(str_slice(text, end, text.len), STR("://"));
    return arena_printf(arena, ret_shown, err, "%.*s%s" REDACT_MASK, (int)end, text.ptr,
                        slashes ? "://" : ":");
}

/* The password of `scheme://user:password@host`; of a text that doesn't parse all after `://`. */
static Span find_password(Str text)
{
    Url url;
    int64_t start = str_find(text, STR("://"));
    if (start < 0 || str_starts(text, STR("file:"))) return (Span){0};
    if (url_parse(text, &url, NULL) != OK) return (Span){start + 3, text.len};
    if (!url.password.len) return (Span){0};
    int64_t from = url.password.ptr - text.ptr;
    return (Span){from, from + url.password.len};
}

Status location_shown(Str text, bool authority, Arena *arena, Str *ret_shown, Err *err)
{
    Span hidden = authority ? find_password(text) : (Span){0};
    char *out = arena_alloc(arena, text.len * 4 + 8);
    if (!out) return err_memory(err);
    int64_t len = 0;
    for (int64_t i = 0; i < text.len; i++) {
        if (i >= hidden.to && text.ptr[i] == '=') {
            out[len++] = '=';
            hidden = secret_value(text, i);
            continue;
        }
        bool inside = i >= hidden.from && i < hidden.to;
        if (!inside) out[len++] = text.ptr[i];
        else if (i == hidden.from) memcpy(out + len, REDACT_MASK, 3), len += 3;
    }
    *ret_shown = str_make(out, len);
    return OK;
}
