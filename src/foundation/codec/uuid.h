/* UUIDs as text (RFC 4122). */
#ifndef NEURON_UUID_H
#define NEURON_UUID_H

#include "foundation/base/err.h"

enum { UUID_TEXT_LEN = 36 };

/* A random one (version 4). FAIL: the system gives no random bytes. */
MUST_USE Status uuid_random(uint8_t ret_bytes[16], Err *err);
/* xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx in lower case. */
void uuid_format(const uint8_t bytes[16], char ret_text[UUID_TEXT_LEN]);
/* 32 hex digits in any case, with hyphens in their four places or without any. */
bool uuid_parse(Str text, uint8_t ret_bytes[16]);

#endif
