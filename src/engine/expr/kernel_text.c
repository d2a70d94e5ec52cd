/* Text functions that make new text: case, joining, padding, replacing, formatting. */
#include "engine/expr/case_map.h"
#include "engine/expr/kernel.h"
#include "engine/expr/text_value.h"
#include "engine/expr/unicode_escape.h"
#include "engine/expr/utf8_text.h"

static Status map_case(KernelCall *call, CaseMap map, Err *err)
{
    FOR_ACTIVE (call, row) {
        TRY(case_map(map, kernel_text(call, 0, row), call->arena, &vector_text(call->result)[row],
                     err));
    }
    return OK;
}

static Status kernel_upper(KernelCall *call, Err *err)
{
    return map_case(call, CASE_UPPER, err);
}
static Status kernel_lower(KernelCall *call, Err *err)
{
    return map_case(call, CASE_LOWER, err);
}
static Status kernel_initcap(KernelCall *call, Err *err)
{
    return map_case(call, CASE_TITLE, err);
}

static Status kernel_concat_op(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        Str a = kernel_text(call, 0, row), b = kernel_text(call, 1, row);
        char *to = call_text(call, row, a.len + b.len);
        if (!to) continue;
        if (a.len) memcpy(to, a.ptr, (size_t)a.len);
        if (b.len) memcpy(to + a.len, b.ptr, (size_t)b.len);
        kernel_put_text(call, row, str_make(to, a.len + b.len));
    }
    return OK;
}

/* One side is text, the other any value: as its cast to text would be. */
static Status kernel_concat_any(KernelCall *call, Err *err)
{
    CLEANUP(buf_done) Buf out = buf_make(INT64_C(1) << 28);
    FOR_ACTIVE (call, row) {
        buf_clear(&out);
        for (int32_t i = 0; i < 2; i++) {
            text_of_value(call, row, &call->args[i]);
            TRY(buf_append(&out, vector_text(call->result)[row], err));
        }
        kernel_put_copy(call, row, out.data ? out.data : "", out.len);
    }
    return OK;
}

/* The values' texts with `separator` between them; NULLs are left out. */
static Status concat_row(KernelCall *call, int64_t row, int32_t first, Str separator, Buf *out,
                         Err *err)
{
    buf_clear(out);
    bool any = false;
    for (int32_t i = first; i < call->arg_count; i++) {
        char scratch[128];
        Str text;
        if (!text_of_argument(call, &call->args[i], row, scratch, &text)) continue;
        if (any) TRY(buf_append(out, separator, err));
        TRY(buf_append(out, text, err));
        any = true;
    }
    kernel_put_copy(call, row, out->data ? out->data : "", out->len);
    return OK;
}

static Status kernel_concat(KernelCall *call, Err *err)
{
    CLEANUP(buf_done) Buf out = buf_make(INT64_C(1) << 28);
    FOR_ACTIVE (call, row) TRY(concat_row(call, row, 0, STR_NULL, &out, err));
    return OK;
}

static Status kernel_concat_ws(KernelCall *call, Err *err)
{
    CLEANUP(buf_done) Buf out = buf_make(INT64_C(1) << 28);
    FOR_ACTIVE (call, row) {
        if (!kernel_valid(&call->args[0], row)) call_null(call, row);
        else TRY(concat_row(call, row, 1, kernel_text(call, 0, row), &out, err));
    }
    return OK;
}

static Status kernel_repeat(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        Str text = kernel_text(call, 0, row);
        int64_t count = int64_max(kernel_int64(call, 1, row), 0), len = 0;
        if (__builtin_mul_overflow(text.len, count, &len)) len = INT64_MAX / 2;
        char *to = call_text(call, row, len);
        if (!to) continue;
        for (int64_t i = 0; i < count && text.len; i++) {
            memcpy(to + i * text.len, text.ptr, (size_t)text.len);
        }
        kernel_put_text(call, row, str_make(to, len));
    }
    return OK;
}

static Status kernel_reverse(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        Str text = kernel_text(call, 0, row);
        char *to = call_text(call, row, text.len);
        if (!to) continue;
        for (int64_t at = 0; at < text.len;) {
            Str c = utf8_char_at(text, at);
            memcpy(to + text.len - at - c.len, c.ptr, (size_t)c.len);
            at += c.len;
        }
        kernel_put_text(call, row, str_make(to, text.len));
    }
    return OK;
}

/* `count` characters of `fill`, over and over, at `to`; returns bytes. NULL: only counts. */
static int64_t put_fill(char *to, Str fill, int64_t count)
{
    int64_t len = 0;
    for (int64_t at = 0; count > 0 && fill.len; count--) {
        Str c = utf8_char_at(fill, at);
        if (to) memcpy(to + len, c.ptr, (size_t)c.len);
        len += c.len;
        at = at + c.len >= fill.len ? 0 : at + c.len;
    }
    return len;
}

static Status pad(KernelCall *call, bool left)
{
    FOR_ACTIVE (call, row) {
        Str text = kernel_text(call, 0, row);
        int64_t wanted = int64_max(kernel_int64(call, 1, row), 0);
        Str fill = call->arg_count > 2 ? kernel_text(call, 2, row) : STR(" ");
        int64_t have = utf8_count(text);
        if (have >= wanted || fill.len == 0) {
            kernel_put_text(call, row, utf8_slice(text, 0, wanted));
            continue;
        }
        if (wanted > (64 << 20)) {
            call_error(call, row, "54000", "the text would be too long");
            continue;
        }
        int64_t filled = put_fill(NULL, fill, wanted - have);
        char *to = call_text(call, row, text.len + filled);
        if (!to) continue;
        (void)put_fill(left ? to : to + text.len, fill, wanted - have);
        if (text.len) memcpy(left ? to + filled : to, text.ptr, (size_t)text.len);
        kernel_put_text(call, row, str_make(to, text.len + filled));
    }
    return OK;
}

static Status kernel_lpad(KernelCall *call, Err *err UNUSED)
{
    return pad(call, true);
}
static Status kernel_rpad(KernelCall *call, Err *err UNUSED)
{
    return pad(call, false);
}

static Status replace_row(KernelCall *call, int64_t row, Buf *out, Err *err)
{
    Str text = kernel_text(call, 0, row), from = kernel_text(call, 1, row);
    Str to = kernel_text(call, 2, row);
    int64_t at = from.len ? str_find(text, from) : -1;
    if (at < 0) {
        kernel_put_text(call, row, text);
        return OK;
    }
    buf_clear(out);
    for (; at >= 0; at = str_find(text, from)) {
        TRY(buf_append(out, str_slice(text, 0, at), err));
        TRY(buf_append(out, to, err));
        text = str_slice(text, at + from.len, text.len);
    }
    TRY(buf_append(out, text, err));
    kernel_put_copy(call, row, out->data ? out->data : "", out->len);
    return OK;
}

static Status kernel_replace(KernelCall *call, Err *err)
{
    CLEANUP(buf_done) Buf out = buf_make(INT64_C(1) << 28);
    FOR_ACTIVE (call, row) TRY(replace_row(call, row, &out, err));
    return OK;
}

/* Characters of `from` become those at the same place of `to`, or go. */
static Status kernel_translate(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        Str text = kernel_text(call, 0, row), from = kernel_text(call, 1, row);
        Str to = kernel_text(call, 2, row);
        char *out = call_text(call, row, text.len * 4);
        if (!out) continue;
        int64_t len = 0;
        for (int64_t at = 0; at < text.len;) {
            Str c = utf8_char_at(text, at);
            int64_t found = str_find(from, c);
            Str with = c;
            if (found >= 0) {
                with = utf8_slice(to, utf8_count(str_slice(from, 0, found)), 1);
            }
            if (with.len) memcpy(out + len, with.ptr, (size_t)with.len);
            len += with.len;
            at += c.len;
        }
        kernel_put_text(call, row, str_make(out, len));
    }
    return OK;
}

/* Characters [0, from) + other + the rest after `count` characters. */
static Status kernel_overlay(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        Str text = kernel_text(call, 0, row), other = kernel_text(call, 1, row);
        int64_t from = kernel_int64(call, 2, row);
        int64_t count = call->arg_count > 3 ? kernel_int64(call, 3, row) : utf8_count(other);
        if (from < 1) {
            call_error(call, row, "22011", "negative substring length not allowed");
            continue;
        }
        Str head = utf8_slice(text, 0, from - 1);
        int64_t behind = int64_max(from - 1 + int64_max(int64_min(count, INT32_MAX), INT32_MIN), 0);
        Str tail = str_slice(text, utf8_offset(text, behind), text.len);
        char *to = call_text(call, row, head.len + other.len + tail.len);
        if (!to) continue;
        if (head.len) memcpy(to, head.ptr, (size_t)head.len);
        if (other.len) memcpy(to + head.len, other.ptr, (size_t)other.len);
        if (tail.len) memcpy(to + head.len + other.len, tail.ptr, (size_t)tail.len);
        kernel_put_text(call, row, str_make(to, head.len + other.len + tail.len));
    }
    return OK;
}

static Status kernel_chr(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        int64_t code = kernel_int64(call, 0, row);
        if (code <= 0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
            call_error(call, row, "54000", "requested character not valid: %lld", (long long)code);
            continue;
        }
        char bytes[4];
        int32_t n = unicode_put((uint32_t)code, bytes);
        kernel_put_copy(call, row, bytes, n);
    }
    return OK;
}

enum { STRICT = FUNCTION_STRICT, FALLIBLE = FUNCTION_STRICT | FUNCTION_FALLIBLE };
#define T "text"

static const Function FUNCTIONS[] = {
    {"||", "text, text -> text", kernel_concat_op, FALLIBLE, "operator", "Joined text.",
     "'a' || 'b' = \"ab\"", 0, 0, 0},
    {"||", "text, any -> text", kernel_concat_any, FALLIBLE, "operator", "Joined text.",
     "'a' || 1.50 = \"a1.50\"", 0, 0, 0},
    {"||", "any, text -> text", kernel_concat_any, FALLIBLE, "operator", "Joined text.",
     "5 || 'b' = \"5b\"", 0, 0, 0},
    {"upper", "text -> text", kernel_upper, STRICT, T, "Upper case.", "upper('aé') = \"AÉ\"", 0, 0,
     0},
    {"lower", "text -> text", kernel_lower, STRICT, T, "Lower case.", "lower('AÉ') = \"aé\"", 0, 0,
     0},
    {"initcap", "text -> text", kernel_initcap, STRICT, T, "First letters upper, others lower.",
     "initcap('hi THOMAS') = \"Hi Thomas\"", 0, 0, 0},
    {"concat", "any… -> text", kernel_concat, FUNCTION_FALLIBLE, T,
     "The texts of all values; NULLs are left out.", "concat('a', 1, NULL) = \"a1\"", 0, 0, 0},
    {"concat_ws", "text, any… -> text", kernel_concat_ws, FUNCTION_FALLIBLE, T,
     "The same with a separator.", "concat_ws('-', 'a', NULL, 2) = \"a-2\"", 0, 0, 0},
    {"repeat", "text, bigint -> text", kernel_repeat, FALLIBLE, T, "Over and over.",
     "repeat('ab', 2) = \"abab\"", 0, 0, 0},
    {"reverse", "text -> text", kernel_reverse, FALLIBLE, T, "From the end to the start.",
     "reverse('añb') = \"bña\"", 0, 0, 0},
    {"lpad", "text, bigint, [text] -> text", kernel_lpad, FALLIBLE, T,
     "Filled at the left (or cut) to a length.", "lpad('7', 3, '0') = \"007\"", 0, 0, 0},
    {"rpad", "text, bigint, [text] -> text", kernel_rpad, FALLIBLE, T,
     "Filled at the right (or cut) to a length.", "rpad('7', 3, '*') = \"7**\"", 0, 0, 0},
    {"replace", "text, text, text -> text", kernel_replace, FALLIBLE, T, "Every occurrence.",
     "replace('banana', 'an', 'o') = \"booa\"", 0, 0, 0},
    {"translate", "text, text, text -> text", kernel_translate, FALLIBLE, T,
     "Character by character.", "translate('12345', '143', 'ax') = \"a2x5\"", 0, 0, 0},
    {"overlay", "text, text, bigint, [bigint] -> text", kernel_overlay, FALLIBLE, T,
     "Replaced from a place on.", "overlay('Txxxxas' PLACING 'hom' FROM 2 FOR 4) = \"Thomas\"", 0,
     0, 0},
    {"chr", "bigint -> text", kernel_chr, FALLIBLE, T, "The character of a code point.",
     "chr(8364) = \"€\"", 0, 0, 0},
};
const FunctionTable TEXT_FUNCTIONS = {FUNCTIONS, COUNT_OF(FUNCTIONS)};
