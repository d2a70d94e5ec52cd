/* Bits of integers, and bytea: parts, places, single bytes and bits, encodings of text. */
#include "engine/expr/kernel.h"

/* ---- bits of integers ---- */

#define BITS(name, compute)                                                                        \
    static Status kernel_##name(KernelCall *call, Err *err UNUSED)                                 \
    {                                                                                              \
        FOR_ACTIVE (call, row) {                                                                   \
            int64_t a = kernel_int64(call, 0, row), b = kernel_int64(call, 1, row);                \
            vector_int64(call->result)[row] = (compute);                                           \
        }                                                                                          \
        return OK;                                                                                 \
    }
BITS(bit_and, a &b)
BITS(bit_or, a | b)
BITS(bit_xor, a ^ b)
BITS(shift_left, (int64_t)((uint64_t)a << (b & 63)))
BITS(shift_right, a >> (b & 63))

static Status kernel_bit_not(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) vector_int64(call->result)[row] = ~kernel_int64(call, 0, row);
    return OK;
}

/* ---- parts of bytea ---- */

static void put_joined(KernelCall *call, int64_t row, Str a, Str b, Str c)
{
    char *to = call_text(call, row, a.len + b.len + c.len);
    if (!to) return;
    if (a.len) memcpy(to, a.ptr, (size_t)a.len);
    if (b.len) memcpy(to + a.len, b.ptr, (size_t)b.len);
    if (c.len) memcpy(to + a.len + b.len, c.ptr, (size_t)c.len);
    kernel_put_text(call, row, str_make(to, a.len + b.len + c.len));
}

static Status kernel_join(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        put_joined(call, row, kernel_text(call, 0, row), kernel_text(call, 1, row), STR(""));
    }
    return OK;
}

static Status kernel_part(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        Str bytes = kernel_text(call, 0, row);
        int64_t from = kernel_int64(call, 1, row), end = INT64_MAX;
        int64_t count = call->arg_count > 2 ? kernel_int64(call, 2, row) : INT64_MAX;
        if (count < 0) {
            call_error(call, row, "22011", "negative substring length not allowed");
            continue;
        }
        if (__builtin_add_overflow(from, count, &end)) end = INT64_MAX;
        from = int64_max(from, 1);
        kernel_put_text(call, row, str_slice(bytes, from - 1, int64_max(end, from) - 1));
    }
    return OK;
}

static Status kernel_overlay(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        Str bytes = kernel_text(call, 0, row), other = kernel_text(call, 1, row);
        int64_t from = kernel_int64(call, 2, row);
        int64_t count = call->arg_count > 3 ? kernel_int64(call, 3, row) : other.len;
        if (from < 1) {
            call_error(call, row, "22011", "negative substring length not allowed");
            continue;
        }
        int64_t far = INT64_C(1) << 40;
        int64_t rest = int64_min(from - 1, far) + int64_max(int64_min(count, far), -far);
        put_joined(call, row, str_slice(bytes, 0, from - 1), other,
                   str_slice(bytes, int64_max(rest, 0), bytes.len));
    }
    return OK;
}

static Status kernel_position(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        vector_int64(call->result)[row] =
            str_find(kernel_text(call, 1, row), kernel_text(call, 0, row)) + 1;
    }
    return OK;
}

static Status trim_loop(KernelCall *call, bool left, bool right)
{
    FOR_ACTIVE (call, row) {
        Str bytes = kernel_text(call, 0, row), set = kernel_text(call, 1, row);
        while (left && bytes.len && str_find_char(set, bytes.ptr[0]) >= 0) {
            bytes = str_slice(bytes, 1, bytes.len);
        }
        while (right && bytes.len && str_find_char(set, bytes.ptr[bytes.len - 1]) >= 0) {
            bytes.len--;
        }
        kernel_put_text(call, row, bytes);
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

static Status kernel_bit_count(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        int64_t bits = 0;
        Str bytes = kernel_text(call, 0, row);
        for (int64_t i = 0; i < bytes.len; i++) bits += __builtin_popcount((uint8_t)bytes.ptr[i]);
        vector_int64(call->result)[row] = bits;
    }
    return OK;
}

static Status kernel_octets(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) vector_int64(call->result)[row] = kernel_text(call, 0, row).len;
    return OK;
}

static Status kernel_bits(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) vector_int64(call->result)[row] = kernel_text(call, 0, row).len * 8;
    return OK;
}

/* ---- single bytes and bits; bit 0 is the lowest of the first byte ---- */

static bool place_at(KernelCall *call, int64_t row, int64_t size, int64_t *ret_place)
{
    *ret_place = kernel_int64(call, 1, row);
    if (*ret_place >= 0 && *ret_place < size) return true;
    call_error(call, row, "2202E", "index %lld out of valid range, 0..%lld", (long long)*ret_place,
               (long long)size - 1);
    return false;
}

static Status kernel_get_byte(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        Str bytes = kernel_text(call, 0, row);
        int64_t at = 0;
        if (!place_at(call, row, bytes.len, &at)) continue;
        vector_int64(call->result)[row] = (uint8_t)bytes.ptr[at];
    }
    return OK;
}

static Status kernel_get_bit(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        Str bytes = kernel_text(call, 0, row);
        int64_t at = 0;
        if (!place_at(call, row, bytes.len * 8, &at)) continue;
        vector_int64(call->result)[row] = ((uint8_t)bytes.ptr[at / 8] >> (at % 8)) & 1;
    }
    return OK;
}

static Status set_loop(KernelCall *call, bool bit)
{
    FOR_ACTIVE (call, row) {
        Str bytes = kernel_text(call, 0, row);
        int64_t at = 0, value = kernel_int64(call, 2, row);
        if (!place_at(call, row, bit ? bytes.len * 8 : bytes.len, &at)) continue;
        if (bit && value != 0 && value != 1) {
            call_error(call, row, "22023", "new bit must be 0 or 1");
            continue;
        }
        char *to = call_text(call, row, bytes.len);
        if (!to) continue;
        memcpy(to, bytes.ptr, (size_t)bytes.len);
        int64_t old = bit ? (uint8_t)to[at / 8] & ~(1 << (at % 8)) : 0;
        to[bit ? at / 8 : at] = (char)(bit ? old | value << (at % 8) : value);
        kernel_put_text(call, row, str_make(to, bytes.len));
    }
    return OK;
}

static Status kernel_set_byte(KernelCall *call, Err *err UNUSED)
{
    return set_loop(call, false);
}
static Status kernel_set_bit(KernelCall *call, Err *err UNUSED)
{
    return set_loop(call, true);
}

/* ---- encodings of text ---- */

static bool is_utf8_name(KernelCall *call, int64_t row)
{
    Str name = kernel_text(call, 1, row);
    bool known = str_eq_nocase(name, STR("utf8")) || str_eq_nocase(name, STR("utf-8")) ||
                 str_eq_nocase(name, STR("unicode"));
    if (!known) {
        call_error(call, row, "0A000", "encoding %.*s is not supported (UTF8 is)",
                   STR_ARG(str_slice(name, 0, 40)));
    }
    return known;
}

static Status kernel_convert_to(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        if (is_utf8_name(call, row)) kernel_put_text(call, row, kernel_text(call, 0, row));
    }
    return OK;
}

static Status kernel_convert_from(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        Str bytes = kernel_text(call, 0, row);
        if (!is_utf8_name(call, row)) continue;
        bool text = str_is_utf8(bytes) && (bytes.len == 0 || str_find_char(bytes, 0) < 0);
        if (text) kernel_put_text(call, row, bytes);
        else call_error(call, row, "22021", "invalid byte sequence for encoding UTF8");
    }
    return OK;
}

enum { STRICT = FUNCTION_STRICT, FALLIBLE = FUNCTION_STRICT | FUNCTION_FALLIBLE };
#define B "bytes"
#define OP "operator"

static const Function FUNCTIONS[] = {
    {"&", "bigint, bigint -> bigint", kernel_bit_and, STRICT, OP, "Bits that both have.",
     "91 & 15 = 11", 0, 0, 0},
    {"|", "bigint, bigint -> bigint", kernel_bit_or, STRICT, OP, "Bits that one has.",
     "32 | 3 = 35", 0, 0, 0},
    {"#", "bigint, bigint -> bigint", kernel_bit_xor, STRICT, OP, "Bits that only one has.",
     "17 # 5 = 20", 0, 0, 0},
    {"~", "bigint -> bigint", kernel_bit_not, STRICT, OP, "The other bits.", "~ 1 = -2", 0, 0, 0},
    {"<<", "bigint, bigint -> bigint", kernel_shift_left, STRICT, OP, "Bits moved to the left.",
     "1 << 4 = 16", 0, 0, 0},
    {">>", "bigint, bigint -> bigint", kernel_shift_right, STRICT, OP, "Bits moved to the right.",
     "8 >> 2 = 2", 0, 0, 0},
    {"||", "bytea, bytea -> bytea", kernel_join, FALLIBLE, OP, "Joined bytes.",
     "'\\x01'::bytea || '\\x02' = \"AQI=\"", 0, 0, 0},
    {"substring", "bytea, bigint, [bigint] -> bytea", kernel_part, FALLIBLE, B,
     "Bytes from a place (counted from 1), at most as many as given.",
     "substring('\\x010203'::bytea FROM 2 FOR 1) = \"Ag==\"", 0, 0, 0},
    {"substr", "bytea, bigint, [bigint] -> bytea", kernel_part, FALLIBLE, B,
     "The same as substring.", "substr('\\x0102'::bytea, 2) = \"Ag==\"", 0, 0, "substring"},
    {"overlay", "bytea, bytea, bigint, [bigint] -> bytea", kernel_overlay, FALLIBLE, B,
     "Replaced from a place on.",
     "overlay('\\x0102'::bytea PLACING '\\xff'::bytea FROM 2) = \"Af8=\"", 0, 0, 0},
    {"position", "bytea, bytea -> bigint", kernel_position, STRICT, B,
     "Where the first bytes are in the second, from 1; 0 if absent.",
     "position('\\x02'::bytea IN '\\x0102'::bytea) = 2", 0, 0, 0},
    {"btrim", "bytea, bytea -> bytea", kernel_btrim, STRICT, B,
     "Without the given bytes at both ends.",
     "trim('\\x00'::bytea FROM '\\x000100'::bytea) = \"AQ==\"", 0, 0, 0},
    {"ltrim", "bytea, bytea -> bytea", kernel_ltrim, STRICT, B, "At the start.",
     "ltrim('\\x0001'::bytea, '\\x00'::bytea) = \"AQ==\"", 0, 0, 0},
    {"rtrim", "bytea, bytea -> bytea", kernel_rtrim, STRICT, B, "At the end.",
     "rtrim('\\x0100'::bytea, '\\x00'::bytea) = \"AQ==\"", 0, 0, 0},
    {"octet_length", "bytea -> bigint", kernel_octets, STRICT, B, "Bytes.",
     "octet_length('\\x0102'::bytea) = 2", 0, 0, 0},
    {"bit_length", "bytea -> bigint", kernel_bits, STRICT, B, "Bits.",
     "bit_length('\\x0102'::bytea) = 16", 0, 0, 0},
    {"bit_count", "bytea -> bigint", kernel_bit_count, STRICT, B, "Bits that are set.",
     "bit_count('\\xff01'::bytea) = 9", 0, 0, 0},
    {"get_byte", "bytea, bigint -> bigint", kernel_get_byte, FALLIBLE, B, "A byte, counted from 0.",
     "get_byte('\\x0a0b'::bytea, 1) = 11", 0, 0, 0},
    {"set_byte", "bytea, bigint, bigint -> bytea", kernel_set_byte, FALLIBLE, B,
     "With a byte replaced.", "set_byte('\\x0a0b'::bytea, 1, 255) = \"Cv8=\"", 0, 0, 0},
    {"get_bit", "bytea, bigint -> bigint", kernel_get_bit, FALLIBLE, B,
     "A bit; 0 is the lowest of the first byte.", "get_bit('\\x05'::bytea, 2) = 1", 0, 0, 0},
    {"set_bit", "bytea, bigint, bigint -> bytea", kernel_set_bit, FALLIBLE, B,
     "With a bit set or cleared.", "set_bit('\\x05'::bytea, 1, 1) = \"Bw==\"", 0, 0, 0},
    {"convert_to", "text, text -> bytea", kernel_convert_to, FALLIBLE, B,
     "Bytes of a text in an encoding: UTF8.", "convert_to('é', 'UTF8') = \"w6k=\"", 0, 0, 0},
    {"convert_from", "bytea, text -> text", kernel_convert_from, FALLIBLE, B,
     "Text of bytes in an encoding: UTF8.", "convert_from('\\xc3a9'::bytea, 'UTF8') = \"é\"", 0, 0,
     0},
};
const FunctionTable BYTES_FUNCTIONS = {FUNCTIONS, COUNT_OF(FUNCTIONS)};
