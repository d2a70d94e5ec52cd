/* Text functions that look at text or give a part of it: no bytes are copied. */
#include "engine/expr/kernel.h"
#include "engine/expr/utf8_text.h"

static Status kernel_length(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        vector_int64(call->result)[row] = utf8_count(kernel_text(call, 0, row));
    }
    return OK;
}

static Status kernel_octet_length(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) vector_int64(call->result)[row] = kernel_text(call, 0, row).len;
    return OK;
}

static Status kernel_bit_length(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) vector_int64(call->result)[row] = kernel_text(call, 0, row).len * 8;
    return OK;
}

/* SQL's substring: places count from 1, what lies before the text is cut off. */
static Status kernel_substring(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        Str text = kernel_text(call, 0, row);
        int64_t from = kernel_int64(call, 1, row);
        int64_t end = INT64_MAX;
        if (call->arg_count > 2) {
            int64_t count = kernel_int64(call, 2, row);
            if (count < 0) {
                call_error(call, row, "22011", "negative substring length not allowed");
                continue;
            }
            if (__builtin_add_overflow(from, count, &end)) end = INT64_MAX;
        }
        from = int64_max(from, 1);
        kernel_put_text(call, row, utf8_slice(text, from - 1, end == INT64_MAX ? end : end - from));
    }
    return OK;
}

static Status kernel_left(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        Str text = kernel_text(call, 0, row);
        int64_t count = kernel_int64(call, 1, row);
        if (count < 0) count = int64_max(utf8_count(text) + count, 0);
        kernel_put_text(call, row, utf8_slice(text, 0, count));
    }
    return OK;
}

static Status kernel_right(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        Str text = kernel_text(call, 0, row);
        int64_t count = kernel_int64(call, 1, row), have = utf8_count(text);
        int64_t skip =
            count < 0 ? int64_min(-int64_max(count, -have), have) : int64_max(have - count, 0);
        kernel_put_text(call, row, str_slice(text, utf8_offset(text, skip), text.len));
    }
    return OK;
}

static bool in_set(Str set, Str c)
{
    for (int64_t at = 0; at < set.len;) {
        Str one = utf8_char_at(set, at);
        if (str_eq(one, c)) return true;
        at += one.len;
    }
    return false;
}

static Str trim(Str text, Str set, bool left, bool right)
{
    while (left && text.len) {
        Str c = utf8_char_at(text, 0);
        if (!in_set(set, c)) break;
        text = str_slice(text, c.len, text.len);
    }
    while (right && text.len) {
        int64_t at = text.len - 1;
        while (at > 0 && ((uint8_t)text.ptr[at] & 0xc0) == 0x80) at--;
        if (!in_set(set, str_slice(text, at, text.len))) break;
        text.len = at;
    }
    return text;
}

static Status trim_loop(KernelCall *call, bool left, bool right)
{
    FOR_ACTIVE (call, row) {
        Str set = call->arg_count > 1 ? kernel_text(call, 1, row) : STR(" ");
        kernel_put_text(call, row, trim(kernel_text(call, 0, row), set, left, right));
    }
    return OK;
}

static Status kernel_btrim(KernelCall *call, Err *err UNUSED)
{
    return trim_loop(call, true, true);
}
static Status kernel_ltrim(KernelCall *call, Err *err UNUSED)
{
    return trim_loop(call, true, false);
}
static Status kernel_rtrim(KernelCall *call, Err *err UNUSED)
{
    return trim_loop(call, false, true);
}

static int64_t find_char_position(Str text, Str needle)
{
    int64_t at = str_find(text, needle);
    return at < 0 ? 0 : utf8_count(str_slice(text, 0, at)) + 1;
}

static Status kernel_position(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        vector_int64(call->result)[row] =
            find_char_position(kernel_text(call, 1, row), kernel_text(call, 0, row));
    }
    return OK;
}

static Status kernel_strpos(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        vector_int64(call->result)[row] =
            find_char_position(kernel_text(call, 0, row), kernel_text(call, 1, row));
    }
    return OK;
}

static Status kernel_starts_with(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        vector_bool(call->result)[row] =
            str_starts(kernel_text(call, 0, row), kernel_text(call, 1, row));
    }
    return OK;
}

static Status kernel_ends_with(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        vector_bool(call->result)[row] =
            str_ends(kernel_text(call, 0, row), kernel_text(call, 1, row));
    }
    return OK;
}

static Status kernel_contains(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        vector_bool(call->result)[row] =
            str_find(kernel_text(call, 0, row), kernel_text(call, 1, row)) >= 0;
    }
    return OK;
}

/* Field n from the start, or from the end when n is negative. */
static Str split_part(Str text, Str separator, int64_t n)
{
    int64_t total = 1;
    if (n < 0) {
        Str rest = text;
        for (int64_t at = str_find(rest, separator); at >= 0 && separator.len;
             at = str_find(rest, separator)) {
            rest = str_slice(rest, at + separator.len, rest.len);
            total++;
        }
        n = total + n + 1;
    }
    if (n < 1) return STR("");
    for (;; n--) {
        int64_t at = separator.len ? str_find(text, separator) : -1;
        if (n == 1) return at < 0 ? text : str_slice(text, 0, at);
        if (at < 0) return STR("");
        text = str_slice(text, at + separator.len, text.len);
    }
}

static Status kernel_split_part(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        int64_t n = kernel_int64(call, 2, row);
        if (n == 0) call_error(call, row, "22023", "field position must not be zero");
        else {
            kernel_put_text(call, row,
                            split_part(kernel_text(call, 0, row), kernel_text(call, 1, row), n));
        }
    }
    return OK;
}

static Status kernel_ascii(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        Str c = utf8_char_at(kernel_text(call, 0, row), 0);
        int64_t code = c.len ? (uint8_t)c.ptr[0] : 0;
        if (c.len > 1) code &= 0x7f >> c.len;
        for (int64_t i = 1; i < c.len; i++) code = code << 6 | (c.ptr[i] & 0x3f);
        vector_int64(call->result)[row] = code;
    }
    return OK;
}

enum { STRICT = FUNCTION_STRICT, FALLIBLE = FUNCTION_STRICT | FUNCTION_FALLIBLE };
#define T "text"

static const Function FUNCTIONS[] = {
    {"length", "text -> bigint", kernel_length, STRICT, T, "Characters.", "length('añ') = 2", 0, 0,
     0},
    {"length", "bytea -> bigint", kernel_octet_length, STRICT, T, "Bytes.",
     "length('\\x00ff'::bytea) = 2", 0, 0, 0},
    {"textlen", "text -> bigint", kernel_length, STRICT, T, "The same as length.",
     "textlen('abc') = 3", 0, 0, "length"},
    {"char_length", "text -> bigint", kernel_length, STRICT, T, "The same as length.",
     "char_length('abc') = 3", 0, 0, "length"},
    {"character_length", "text -> bigint", kernel_length, STRICT, T, "The same as length.",
     "character_length('abc') = 3", 0, 0, "length"},
    {"octet_length", "text -> bigint", kernel_octet_length, STRICT, T, "Bytes.",
     "octet_length('é') = 2", 0, 0, 0},
    {"bit_length", "text -> bigint", kernel_bit_length, STRICT, T, "Bits.", "bit_length('ab') = 16",
     0, 0, 0},
    {"substring", "text, bigint, [bigint] -> text", kernel_substring, FALLIBLE, T,
     "Characters from a position (counted from 1), at most as many as given.",
     "substring('abcdef' FROM 2 FOR 3) = \"bcd\"", 0, 0, 0},
    {"substr", "text, bigint, [bigint] -> text", kernel_substring, FALLIBLE, T,
     "The same as substring.", "substr('abc', 2) = \"bc\"", 0, 0, "substring"},
    {"left", "text, bigint -> text", kernel_left, STRICT, T,
     "The first characters; negative: all but the last.", "left('abcd', -1) = \"abc\"", 0, 0, 0},
    {"right", "text, bigint -> text", kernel_right, STRICT, T,
     "The last characters; negative: all but the first.", "right('abcd', 2) = \"cd\"", 0, 0, 0},
    {"btrim", "text, [text] -> text", kernel_btrim, STRICT, T,
     "Without blanks (or the given characters) at both ends.", "trim('  a ') = \"a\"", 0, 0, 0},
    {"trim", "text, [text] -> text", kernel_btrim, STRICT, T, "The same as btrim.",
     "trim(BOTH 'x' FROM 'xax') = \"a\"", 0, 0, "btrim"},
    {"ltrim", "text, [text] -> text", kernel_ltrim, STRICT, T, "At the start.",
     "ltrim('xxa', 'x') = \"a\"", 0, 0, 0},
    {"rtrim", "text, [text] -> text", kernel_rtrim, STRICT, T, "At the end.",
     "rtrim('a  ') = \"a\"", 0, 0, 0},
    {"position", "text, text -> bigint", kernel_position, STRICT, T,
     "Position of the first text in the second, from 1; 0 if absent.", "position('b' IN 'abc') = 2",
     0, 0, 0},
    {"strpos", "text, text -> bigint", kernel_strpos, STRICT, T,
     "Position of the second text in the first.", "strpos('abc', 'c') = 3", 0, 0, 0},
    {"starts_with", "text, text -> boolean", kernel_starts_with, STRICT, T, "Begins with.",
     "starts_with('abc', 'ab') = true", 0, 0, 0},
    {"ends_with", "text, text -> boolean", kernel_ends_with, STRICT, T, "Ends with.",
     "ends_with('abc', 'bc') = true", 0, 0, 0},
    {"contains", "text, text -> boolean", kernel_contains, STRICT, T, "Has it somewhere.",
     "contains('abc', 'b') = true", 0, 0, 0},
    {"split_part", "text, text, bigint -> text", kernel_split_part, FALLIBLE, T,
     "The n-th part between separators; negative: from the end.",
     "split_part('a-b-c', '-', 2) = \"b\"", 0, 0, 0},
    {"ascii", "text -> bigint", kernel_ascii, STRICT, T, "The first character's code point.",
     "ascii('A') = 65", 0, 0, 0},
};
const FunctionTable TEXT_PART_FUNCTIONS = {FUNCTIONS, COUNT_OF(FUNCTIONS)};
