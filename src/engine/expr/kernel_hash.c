/* Hashes, encodings and UUIDs. */
#include "engine/expr/kernel.h"
#include "engine/expr/number_value.h"
#include "engine/expr/row_encode.h"
#include "engine/expr/text_value.h"
#include "foundation/base/hash.h"
#include "foundation/codec/base64.h"
#include "foundation/codec/uuid.h"

static const char HEX[] = "0123456789abcdef";

static void put_hex(KernelCall *call, int64_t row, const uint8_t *bytes, int64_t len)
{
    char *to = call_text(call, row, len * 2);
    if (!to) return;
    for (int64_t i = 0; i < len; i++) {
        to[i * 2] = HEX[bytes[i] >> 4];
        to[i * 2 + 1] = HEX[bytes[i] & 15];
    }
    kernel_put_text(call, row, str_make(to, len * 2));
}

/* As hex text, or as bytes where that is the function's type. */
static Status digest_loop(KernelCall *call, const char *name, Err *err)
{
    FOR_ACTIVE (call, row) {
        uint8_t digest[HASH_DIGEST_MAX];
        int64_t len = 0;
        TRY(hash_digest(name, kernel_text(call, 0, row), digest, &len, err));
        if (call->result->type == TYPE_TEXT) put_hex(call, row, digest, len);
        else kernel_put_copy(call, row, (const char *)digest, len);
    }
    return OK;
}

static Status kernel_md5(KernelCall *call, Err *err)
{
    return digest_loop(call, "md5", err);
}
static Status kernel_sha1(KernelCall *call, Err *err)
{
    return digest_loop(call, "sha1", err);
}
static Status kernel_sha224(KernelCall *call, Err *err)
{
    return digest_loop(call, "sha224", err);
}
static Status kernel_sha384(KernelCall *call, Err *err)
{
    return digest_loop(call, "sha384", err);
}
static Status kernel_sha256(KernelCall *call, Err *err)
{
    return digest_loop(call, "sha256", err);
}
static Status kernel_sha512(KernelCall *call, Err *err)
{
    return digest_loop(call, "sha512", err);
}

/* ---- row_hash ---- */

static Status encode_cell(Buf *out, const Cell *cell, Err *err)
{
    NumberValue n;
    if (cell_number(cell, &n)) {
        return n.is_double ? encode_double(out, n.real, err) : encode_decimal(out, n.decimal, err);
    }
    if (cell->type == TYPE_BOOL) return encode_bool(out, cell->boolean, err);
    if (cell->type == TYPE_JSON) return encode_json(out, cell->text, err);
    if (cell->type == TYPE_BYTES) return encode_bytes(out, cell->text, err);
    return encode_text(out, cell->text, err);
}

static Status encode_value(Buf *out, const Vector *v, int64_t row, Err *err)
{
    if (!kernel_valid(v, row)) return encode_null(out, err);
    int64_t at = row & v->mask;
    switch (v->type) {
    case TYPE_BOOL:
        return encode_bool(out, vector_bool(v)[at], err);
    case TYPE_INT64:
        return encode_decimal(out, (Decimal){vector_int64(v)[at], 0}, err);
    case TYPE_DOUBLE:
        return encode_double(out, vector_double(v)[at], err);
    case TYPE_NUMERIC: {
        NumberValue n = number_at(v, row);
        return n.is_double ? encode_double(out, n.real, err) : encode_decimal(out, n.decimal, err);
    }
    case TYPE_TEXT:
        return encode_text(out, vector_text(v)[at], err);
    case TYPE_BYTES:
        return encode_bytes(out, vector_text(v)[at], err);
    case TYPE_JSON:
        return encode_json(out, vector_text(v)[at], err);
    case TYPE_DATE:
        return encode_date(out, vector_date(v)[at], err);
    case TYPE_TIME:
        return encode_time(out, vector_int64(v)[at], err);
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        return encode_timestamp(out, vector_int64(v)[at], err);
    case TYPE_INTERVAL:
        return encode_interval(out, vector_interval(v)[at], err);
    case TYPE_UUID:
        return encode_uuid(out, vector_uuid(v, row), err);
    case TYPE_DYNAMIC:
        return encode_cell(out, &vector_cell(v)[at], err);
    case TYPE_COUNT:
        break;
    }
    return OK;
}

static Status kernel_row_hash(KernelCall *call, Err *err)
{
    CLEANUP(buf_done) Buf bytes = buf_make(INT64_C(1) << 32);
    FOR_ACTIVE (call, row) {
        buf_clear(&bytes);
        for (int32_t i = 0; i < call->arg_count; i++) {
            TRY(encode_value(&bytes, &call->args[i], row, err));
        }
        char *to = call_text(call, row, 32);
        if (!to) continue;
        hash_128_hex(hash_128(buf_str(&bytes)), to);
        kernel_put_text(call, row, str_make(to, 32));
    }
    return OK;
}

static Status kernel_xxh64(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        uint64_t hash = hash_64(kernel_text(call, 0, row), 0);
        memcpy(&vector_int64(call->result)[row], &hash, 8);
    }
    return OK;
}

/* ---- encode, decode ---- */

/* Zero bytes and those past ASCII as \\ooo, the backslash doubled. */
static void put_escaped(KernelCall *call, int64_t row, Str bytes)
{
    char *to = call_text(call, row, bytes.len * 4);
    int64_t len = 0;
    for (int64_t i = 0; to && i < bytes.len; i++) {
        uint8_t c = (uint8_t)bytes.ptr[i];
        if (c == 0 || c >= 0x80) {
            to[len++] = '\\';
            to[len++] = (char)('0' + (c >> 6));
            to[len++] = (char)('0' + (c >> 3 & 7));
            to[len++] = (char)('0' + (c & 7));
        } else {
            if (c == '\\') to[len++] = '\\';
            to[len++] = (char)c;
        }
    }
    if (to) kernel_put_text(call, row, str_make(to, len));
}

static Status kernel_encode(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        Str bytes = kernel_text(call, 0, row), format = kernel_text(call, 1, row);
        if (str_eq_nocase(format, STR("hex"))) {
            put_hex(call, row, (const uint8_t *)bytes.ptr, bytes.len);
        } else if (str_eq_nocase(format, STR("base64"))) {
            char *to = call_text(call, row, base64_encoded_len(bytes.len));
            if (!to) continue;
            base64_encode(bytes, to);
            kernel_put_text(call, row, str_make(to, base64_encoded_len(bytes.len)));
        } else if (str_eq_nocase(format, STR("escape"))) {
            put_escaped(call, row, bytes);
        } else {
            call_error(call, row, "22023", "unrecognized encoding: \"%.*s\" (hex, base64, escape)",
                       STR_ARG(str_slice(format, 0, 40)));
        }
    }
    return OK;
}

static bool decode_hex(Str text, char *to, int64_t *ret_len)
{
    for (int64_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        int32_t digit = c >= '0' && c <= '9' ? c - '0' : (c | 32) - 'a' + 10;
        if (digit < 0 || digit > 15 || (c > '9' && (c | 32) < 'a')) return false;
        to[i / 2] = (char)(i % 2 ? to[i / 2] | digit : digit << 4);
    }
    *ret_len = text.len / 2;
    return text.len % 2 == 0;
}

static Status kernel_decode(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        Str text = kernel_text(call, 0, row), format = kernel_text(call, 1, row);
        char *to = call_text(call, row, text.len + 3);
        int64_t len = 0;
        if (!to) continue;
        if (str_eq_nocase(format, STR("escape"))) {
            text_unescape_bytes(call, row, text);
            continue;
        }
        bool hex = str_eq_nocase(format, STR("hex"));
        bool ok =
            hex ? decode_hex(text, to, &len)
                : str_eq_nocase(format, STR("base64")) && base64_decode(text, (uint8_t *)to, &len);
        if (ok) kernel_put_text(call, row, str_make(to, len));
        else call_error(call, row, "22023", "not valid %.*s", STR_ARG(str_slice(format, 0, 40)));
    }
    return OK;
}

static Status kernel_to_hex(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        uint64_t value = (uint64_t)kernel_int64(call, 0, row);
        char text[16];
        int64_t at = 16;
        do {
            text[--at] = HEX[value & 15];
            value >>= 4;
        } while (value);
        kernel_put_copy(call, row, text + at, 16 - at);
    }
    return OK;
}

/* ---- UUIDs ---- */

static Status kernel_uuid_random(KernelCall *call, Err *err)
{
    FOR_ACTIVE (call, row) {
        TRY(uuid_random(vector_uuid(call->result, row), err));
    }
    return OK;
}

static Status kernel_random(KernelCall *call, Err *err)
{
    FOR_ACTIVE (call, row) {
        uint64_t bits = 0;
        TRY(hash_random(&bits, 8, err));
        vector_double(call->result)[row] = (double)(bits >> 11) * 0x1p-53;
    }
    return OK;
}

enum { STRICT = FUNCTION_STRICT, FALLIBLE = FUNCTION_STRICT | FUNCTION_FALLIBLE };
#define H "hash and encoding"

static const Function FUNCTIONS[] = {
    {"row_hash", "any… -> text", kernel_row_hash, 0, H,
     "A stable 128-bit hash of typed values; row_hash(*) of all columns.",
     "row_hash(1.0) = row_hash(1) = true", 0, 0, 0},
    {"md5", "text -> text", kernel_md5, STRICT, H, "MD5 in hex.",
     "md5('abc') = \"900150983cd24fb0d6963f7d28e17f72\"", 0, 0, 0},
    {"md5", "bytea -> text", kernel_md5, STRICT, H, "MD5 of bytes.",
     "md5('\\x616263'::bytea) = \"900150983cd24fb0d6963f7d28e17f72\"", 0, 0, 0},
    {"sha1", "text -> text", kernel_sha1, STRICT, H, "SHA-1 in hex.",
     "sha1('abc') = \"a9993e364706816aba3e25717850c26c9cd0d89d\"", 0, 0, 0},
    {"sha224", "bytea -> bytea", kernel_sha224, STRICT, H, "SHA-224.",
     "left(encode(sha224('abc'), 'hex'), 8) = \"23097d22\"", 0, 0, 0},
    {"sha224", "text -> bytea", kernel_sha224, STRICT, H, "SHA-224 of the UTF-8 bytes.",
     "left(encode(sha224('abc'::text), 'hex'), 8) = \"23097d22\"", 0, 0, 0},
    {"sha256", "bytea -> bytea", kernel_sha256, STRICT, H, "SHA-256.",
     "left(encode(sha256('abc'), 'hex'), 8) = \"ba7816bf\"", 0, 0, 0},
    {"sha256", "text -> bytea", kernel_sha256, STRICT, H, "SHA-256 of the UTF-8 bytes.",
     "left(encode(sha256('abc'::text), 'hex'), 8) = \"ba7816bf\"", 0, 0, 0},
    {"sha384", "bytea -> bytea", kernel_sha384, STRICT, H, "SHA-384.",
     "left(encode(sha384('abc'), 'hex'), 8) = \"cb00753f\"", 0, 0, 0},
    {"sha384", "text -> bytea", kernel_sha384, STRICT, H, "SHA-384 of the UTF-8 bytes.",
     "left(encode(sha384('abc'::text), 'hex'), 8) = \"cb00753f\"", 0, 0, 0},
    {"sha512", "bytea -> bytea", kernel_sha512, STRICT, H, "SHA-512.",
     "left(encode(sha512('abc'), 'hex'), 8) = \"ddaf35a1\"", 0, 0, 0},
    {"sha512", "text -> bytea", kernel_sha512, STRICT, H, "SHA-512 of the UTF-8 bytes.",
     "left(encode(sha512('abc'::text), 'hex'), 8) = \"ddaf35a1\"", 0, 0, 0},
    {"xxh64", "text -> bigint", kernel_xxh64, STRICT, H, "XXH3, 64 bits.",
     "xxh64('') = 3244421341483603138", 0, 0, 0},
    {"encode", "bytea, text -> text", kernel_encode, FALLIBLE, H, "Bytes as hex, base64 or escape.",
     "encode('\\x00ff'::bytea, 'base64') = \"AP8=\"", 0, 0, 0},
    {"decode", "text, text -> bytea", kernel_decode, FALLIBLE, H, "Bytes of hex, base64 or escape.",
     "encode(decode('00ff', 'hex'), 'hex') = \"00ff\"", 0, 0, 0},
    {"to_hex", "bigint -> text", kernel_to_hex, STRICT, H, "Hex digits.", "to_hex(255) = \"ff\"", 0,
     0, 0},
    {"gen_random_uuid", " -> uuid", kernel_uuid_random, FUNCTION_VOLATILE, H, "A random UUID.",
     "length(gen_random_uuid()::text) = 36", 0, 0, 0},
    {"random", " -> double", kernel_random, FUNCTION_VOLATILE, "number", "0 <= x < 1.",
     "random() < 1 = true", 0, 0, 0},
};
const FunctionTable HASH_FUNCTIONS = {FUNCTIONS, COUNT_OF(FUNCTIONS)};
