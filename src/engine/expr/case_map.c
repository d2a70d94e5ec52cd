/* Upper, lower and title case of UTF-8 text by Unicode's simple mappings (utf8proc). */
#include "engine/expr/case_map.h"

#include <utf8proc.h>

static bool is_word(utf8proc_int32_t c)
{
    utf8proc_category_t category = utf8proc_category(c);
    return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) ||
           (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO);
}

static utf8proc_int32_t map_char(CaseMap map, utf8proc_int32_t c, bool inside)
{
    bool upper = map == CASE_UPPER || (map == CASE_TITLE && !inside);
    if (c == 0xdf) return c; /* ß has no simple upper case; PostgreSQL leaves it too */
    return upper ? utf8proc_toupper(c) : utf8proc_tolower(c);
}

/* ASCII alone, which most text is. */
static bool map_ascii(CaseMap map, Str text, char *to)
{
    bool inside = false;
    for (int64_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if ((uint8_t)c >= 0x80) return false;
        bool letter = (c | 32) >= 'a' && (c | 32) <= 'z';
        bool upper = map == CASE_UPPER || (map == CASE_TITLE && !inside);
        if (letter) c = (char)(upper ? c & ~32 : c | 32);
        to[i] = c;
        inside = letter || (c >= '0' && c <= '9');
    }
    return true;
}

Status case_map(CaseMap map, Str text, Arena *arena, Str *ret_text, Err *err)
{
    /* A simple mapping makes a character at most twice as long. */
    char *to = arena_raw(arena, text.len * 2 + 4);
    if (!to) return err_memory(err);
    if (map_ascii(map, text, to)) {
        *ret_text = str_make(to, text.len);
        return OK;
    }
    int64_t len = 0;
    bool inside = false;
    const utf8proc_uint8_t *at = (const utf8proc_uint8_t *)text.ptr;
    for (int64_t left = text.len; left > 0;) {
        utf8proc_int32_t c;
        utf8proc_ssize_t step = utf8proc_iterate(at, left, &c);
        if (step <= 0) break;
        len += utf8proc_encode_char(map_char(map, c, inside), (utf8proc_uint8_t *)to + len);
        inside = is_word(c);
        at += step;
        left -= step;
    }
    *ret_text = str_make(to, len);
    return OK;
}
