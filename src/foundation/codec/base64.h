/* Base64 (RFC 4648 section 4): with padding, without line breaks. */
#ifndef NEURON_BASE64_H
#define NEURON_BASE64_H

#include "foundation/base/str.h"

/* Characters that `len` bytes become. */
static inline int64_t base64_encoded_len(int64_t len)
{
    return (len + 2) / 3 * 4;
}
/* Writes base64_encoded_len(bytes.len) characters. */
void base64_encode(Str bytes, char *ret_text);
/* Room for the result: text.len / 4 * 3 + 3 bytes is enough. Strict: full groups of four, padding
 * only at the end, no other characters, no stray bits. False when it is not base64. */
bool base64_decode(Str text, uint8_t *ret_bytes, int64_t *ret_len);

#endif
