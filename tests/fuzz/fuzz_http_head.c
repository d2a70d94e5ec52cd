/* Fuzz target: the first look at a request's head; whole heads are whole once, and nothing is read
 * past them. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "service/api/request_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(Str bytes, Str part)
{
    if (part.len == 0) return;
    if (part.ptr < bytes.ptr || part.ptr + part.len > bytes.ptr + bytes.len) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    RequestHead head, again;
    Str bytes = str_make((const char *)data, (int64_t)size);
    HeadState state = request_head_parse(bytes, &head);
    if (state != HEAD_WHOLE) {
        /* What is no whole head has no whole beginning. */
        Str half = str_slice(bytes, 0, bytes.len / 2);
        bool large = state == HEAD_LARGE;
        if (!large && request_head_parse(half, &again) == HEAD_WHOLE) abort();
        return 0;
    }
    if (head.len < 2 || head.len > bytes.len || head.len > REQUEST_HEAD_MAX) abort();
    Str whole = str_slice(bytes, 0, head.len);
    const Str parts[] = {head.method, head.path, head.bearer, head.session};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) check_inside(whole, parts[i]);
    if (request_head_parse(whole, &again) != HEAD_WHOLE || again.len != head.len) abort();
    Str shorter = str_slice(whole, 0, whole.len - 1);
    if (request_head_parse(shorter, &again) == HEAD_WHOLE) abort();
    return 0;
}
