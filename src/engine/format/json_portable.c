/* JSON and texts as every database can keep them. */
#include "engine/format/json_portable.h"

#include <string.h>

#include "foundation/codec/json_writer.h"

/* PostgreSQL's jsonb takes more digits, but no exponent of any size; longer texts than this none.
 */
enum { PORTABLE_JSON_MAX = 64 << 20, PORTABLE_DIGITS_MAX = 1000 };

/* The end of a number, and whether every database can keep it as one. */
static int64_t number_end(Str json, int64_t at, bool *ret_fits)
{
    int64_t from = at, exponent = -1;
    while (at < json.len && strchr("0123456789+-.eE", json.ptr[at])) {
        if (json.ptr[at] == 'e' || json.ptr[at] == 'E') exponent = at;
        at++;
    }
    int64_t digits = exponent < 0 ? at - from : exponent - from;
    int64_t scale = exponent < 0 ? 0 : at - exponent;
    if (digits > PORTABLE_DIGITS_MAX || scale > 5) *ret_fits = false;
    return at;
}

/* Where the string that begins there ends; a zero byte in it fits into no text of PostgreSQL. */
static int64_t string_end(Str json, int64_t at, bool *ret_fits)
{
    for (at++; at < json.len && json.ptr[at] != '"'; at++) {
        if (json.ptr[at] != '\\') continue;
        at++;
        if (str_starts(str_slice(json, at, at + 5), STR("u0000"))) *ret_fits = false;
    }
    return at + 1;
}

bool json_is_portable(Str json)
{
    bool fits = json.len <= PORTABLE_JSON_MAX;
    for (int64_t at = 0; at < json.len && fits;) {
        char c = json.ptr[at];
        if (c == '"') at = string_end(json, at, &fits);
        else if (c == '-' || (c >= '0' && c <= '9')) at = number_end(json, at, &fits);
        else at++;
    }
    return fits;
}

bool text_is_portable(Str text)
{
    return str_is_utf8(text) && str_find_char(text, 0) < 0;
}

Status json_put_base64(Buf *out, Str bytes, Err *err)
{
    TRY(buf_append(out, STR("{\"@base64\":"), err));
    TRY(json_put_bytes(out, bytes, err));
    return buf_append_char(out, '}', err);
}

Status text_portable(Str text, Arena *arena, Str *ret_text, Err *err)
{
    *ret_text = text;
    if (text_is_portable(text)) return OK;
    char *out = arena_alloc(arena, text.len * 3 + 1);
    if (!out) return err_memory(err);
    int64_t len = 0;
    for (int64_t at = 0; at < text.len;) {
        Str rest = str_slice(text, at, text.len);
        int64_t zero = str_find_char(rest, 0);
        int64_t good = str_utf8_prefix(zero < 0 ? rest : str_slice(rest, 0, zero));
        memcpy(out + len, rest.ptr, (size_t)good);
        len += good;
        at += good;
        if (at == text.len) break;
        memcpy(out + len, "\xEF\xBF\xBD", 3);
        len += 3;
        at++;
    }
    *ret_text = str_make(out, len);
    return OK;
}
