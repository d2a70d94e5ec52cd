/* UUIDs as text. */
#include "foundation/codec/uuid.h"

#include "foundation/base/hash.h"

Status uuid_random(uint8_t ret_bytes[16], Err *err)
{
    TRY(hash_random(ret_bytes, 16, err));
    ret_bytes[6] = (uint8_t)((ret_bytes[6] & 0x0f) | 0x40);
    ret_bytes[8] = (uint8_t)((ret_bytes[8] & 0x3f) | 0x80);
    return OK;
}

void uuid_format(const uint8_t bytes[16], char ret_text[UUID_TEXT_LEN])
{
    static const char hex[] = "0123456789abcdef";
    char *out = ret_text;
    for (int32_t i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) *out++ = '-';
        *out++ = hex[bytes[i] >> 4];
        *out++ = hex[bytes[i] & 15];
    }
}

static int32_t hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool uuid_parse(Str text, uint8_t ret_bytes[16])
{
    bool hyphens = text.len == UUID_TEXT_LEN;
    if (!hyphens && text.len != 32) return false;
    const char *p = text.ptr;
    uint8_t bytes[16];
    for (int32_t i = 0; i < 16; i++) {
        if (hyphens && (i == 4 || i == 6 || i == 8 || i == 10) && *p++ != '-') return false;
        int32_t high = hex_digit(p[0]), low = hex_digit(p[1]);
        if (high < 0 || low < 0) return false;
        bytes[i] = (uint8_t)(high << 4 | low);
        p += 2;
    }
    memcpy(ret_bytes, bytes, sizeof bytes);
    return true;
}
