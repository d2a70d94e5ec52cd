/* Base64 encoding and strict decoding. */
#include "foundation/codec/base64.h"

static const char alphabet[64] = {'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M',
                                  'N', 'O', 'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z',
                                  'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm',
                                  'n', 'o', 'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z',
                                  '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '+', '/'};

void base64_encode(Str bytes, char *ret_text)
{
    const unsigned char *in = (const unsigned char *)bytes.ptr;
    char *out = ret_text;
    int64_t i = 0;
    for (; i + 3 <= bytes.len; i += 3) {
        uint32_t v = (uint32_t)in[i] << 16 | (uint32_t)in[i + 1] << 8 | in[i + 2];
        *out++ = alphabet[v >> 18];
        *out++ = alphabet[(v >> 12) & 63];
        *out++ = alphabet[(v >> 6) & 63];
        *out++ = alphabet[v & 63];
    }
    int64_t left = bytes.len - i;
    if (left == 0) return;
    uint32_t v = (uint32_t)in[i] << 16 | (left == 2 ? (uint32_t)in[i + 1] << 8 : 0);
    *out++ = alphabet[v >> 18];
    *out++ = alphabet[(v >> 12) & 63];
    *out++ = left == 2 ? alphabet[(v >> 6) & 63] : '=';
    *out++ = '=';
}

static int32_t digit_value(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+') return 62;
    return c == '/' ? 63 : -1;
}

bool base64_decode(Str text, uint8_t *ret_bytes, int64_t *ret_len)
{
    if (text.len % 4 != 0) return false;
    int64_t pads = 0;
    while (pads < 2 && pads < text.len && text.ptr[text.len - 1 - pads] == '=') pads++;
    uint8_t *out = ret_bytes;
    for (int64_t i = 0; i < text.len; i += 4) {
        int64_t digits = i + 4 == text.len ? 4 - pads : 4;
        uint32_t v = 0;
        for (int64_t k = 0; k < 4; k++) {
            int32_t digit = k < digits ? digit_value(text.ptr[i + k]) : 0;
            if (digit < 0) return false;
            v = v << 6 | (uint32_t)digit;
        }
        if (digits < 4 && (v & (digits == 3 ? 0xffu : 0xffffu)) != 0) return false;
        *out++ = (uint8_t)(v >> 16);
        if (digits > 2) *out++ = (uint8_t)(v >> 8);
        if (digits > 3) *out++ = (uint8_t)v;
    }
    *ret_len = out - ret_bytes;
    return true;
}
