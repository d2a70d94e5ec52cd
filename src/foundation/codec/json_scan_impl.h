/* The scanner under all JSON walks: strings by 64-byte blocks, numbers, literals, whole values. */
#ifndef NEURON_JSON_SCAN_IMPL_H
#define NEURON_JSON_SCAN_IMPL_H

#include "foundation/codec/json_walk.h"

/* Inlined everywhere: as calls these cost a third of the walk. */
#define JSON_HOT inline __attribute__((always_inline))

/* One document being walked. The walk's place is no member but travels through the functions as
 * `at`, so that it stays in a register: each takes the place where it starts and returns the place
 * after what it read, or NULL after json_scan_fail.
 *
 * Bytes are classified 64 at a time, once per block: `stops` has a bit for every byte that may end
 * or change a string (quote, backslash, control character). */
typedef struct JsonScan {
    const char *end;      /* one past the document */
    const char *start;    /* the document */
    const char *readable; /* bytes before it may be loaded, >= end */
    const char *block;    /* the classified block; NULL: none yet */
    uint64_t stops;
    uint64_t beyond_ascii; /* not 0: some byte >= 0x80 was seen */
    const char *failed_at; /* set by the first failure */
    const char *reason;
} JsonScan;

static inline JsonScan json_scan_make(Str text, int64_t padding)
{
    const char *start = text.ptr ? text.ptr : "";
    const char *end = start + text.len;
    return (JsonScan){end, start, end + padding, NULL, 0, 0, start, NULL};
}

/* Classify the block that holds `at`. */
void json_scan_block(JsonScan *scan, const char *at);

/* Returns NULL. */
const char *json_scan_fail(JsonScan *scan, const char *at, const char *reason);
/* Fail at a place where one of these was expected: a comma or the level's end. */
const char *json_scan_fail_close(JsonScan *scan, const char *at, bool object);

static inline bool json_is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline const char *json_scan_space(const JsonScan *scan, const char *at)
{
    if (LIKELY(at < scan->end && (unsigned char)*at > ' ')) return at;
    while (at < scan->end && json_is_space(*at)) at++;
    return at;
}

/* The byte at a place, 0 at the end (a real 0 is refused by every user alike). */
static inline char json_scan_peek(const JsonScan *scan, const char *at)
{
    return LIKELY(at < scan->end) ? *at : 0;
}

/* `at` stands on a backslash: check the escape. */
const char *json_scan_escape(JsonScan *scan, const char *at);

/* `at` stands after the opening quote. */
static JSON_HOT const char *json_scan_string(JsonScan *scan, const char *at, JsonSlot *ret_slot)
{
    const char *from = at;
    bool escaped = false;
    for (;;) {
        uintptr_t in_block = (uintptr_t)at - (uintptr_t)scan->block;
        if (UNLIKELY(in_block >= 64)) {
            if (at >= scan->end) break;
            json_scan_block(scan, at);
            in_block = (uintptr_t)at - (uintptr_t)scan->block;
        }
        uint64_t stops = scan->stops >> in_block;
        if (stops == 0) {
            at = scan->block + 64;
            continue;
        }
        at += __builtin_ctzll(stops);
        if (UNLIKELY(at >= scan->end)) break;
        if (LIKELY(*at == '"')) {
            *ret_slot = (JsonSlot){{from, at - from}, JSON_STRING, escaped, false};
            return at + 1;
        }
        if (*at != '\\') return json_scan_fail(scan, at, "control character in a string");
        escaped = true;
        at = json_scan_escape(scan, at);
        if (!at) return NULL;
    }
    return json_scan_fail(scan, scan->end, "string without an end");
}

static inline bool json_is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

/* After the digits that stand at `at`. */
static inline const char *json_scan_digits(const JsonScan *scan, const char *at)
{
    while (at < scan->end && json_is_digit(*at)) at++;
    return at;
}

/* `at` stands on - or a digit. */
static JSON_HOT const char *json_scan_number(JsonScan *scan, const char *at, JsonSlot *ret_slot)
{
    const char *from = at;
    bool integer = true;
    if (*at == '-') at++;
    const char *digits = at;
    at = json_scan_digits(scan, at);
    if (UNLIKELY(at == digits)) return json_scan_fail(scan, at, "number without digits");
    if (UNLIKELY(*digits == '0' && at - digits > 1)) {
        return json_scan_fail(scan, digits, "number with a leading zero");
    }
    char c = json_scan_peek(scan, at);
    if (c == '.') {
        integer = false;
        digits = at + 1;
        at = json_scan_digits(scan, digits);
        if (at == digits) {
            return json_scan_fail(scan, at, "number without digits after its point");
        }
        c = json_scan_peek(scan, at);
    }
    if (UNLIKELY((c | 0x20) == 'e')) {
        integer = false;
        digits = at + 1;
        c = json_scan_peek(scan, digits);
        if (c == '+' || c == '-') digits++;
        at = json_scan_digits(scan, digits);
        if (at == digits) return json_scan_fail(scan, at, "number without digits in its exponent");
    }
    *ret_slot = (JsonSlot){{from, at - from}, JSON_NUMBER, false, integer};
    return at;
}

static inline const char *json_scan_literal(JsonScan *scan, const char *at, Str word, JsonKind kind,
                                            JsonSlot *ret_slot)
{
    if (scan->end - at < word.len || memcmp(at, word.ptr, (size_t)word.len) != 0) {
        return json_scan_fail(scan, at, "a value was expected here");
    }
    *ret_slot = (JsonSlot){{at, word.len}, kind, false, false};
    return at + word.len;
}

/* A string, number or literal at `at`; fails on everything else. */
static JSON_HOT const char *json_scan_scalar(JsonScan *scan, const char *at, JsonSlot *ret_slot)
{
    char c = json_scan_peek(scan, at);
    if (c == '"') return json_scan_string(scan, at + 1, ret_slot);
    if (json_is_digit(c) || c == '-') return json_scan_number(scan, at, ret_slot);
    if (c == 't') return json_scan_literal(scan, at, STR("true"), JSON_BOOL, ret_slot);
    if (c == 'f') return json_scan_literal(scan, at, STR("false"), JSON_BOOL, ret_slot);
    if (c == 'n') return json_scan_literal(scan, at, STR("null"), JSON_NULL, ret_slot);
    return json_scan_fail(scan, at,
                          at < scan->end ? "a value was expected here" : "text ends too early");
}

/* `at` on a quote: the key, the colon, and white space after it. */
static JSON_HOT const char *json_scan_key(JsonScan *scan, const char *at, JsonSlot *ret_key)
{
    if (UNLIKELY(json_scan_peek(scan, at) != '"')) {
        return json_scan_fail(scan, at, "a key in double quotes was expected here");
    }
    at = json_scan_string(scan, at + 1, ret_key);
    if (UNLIKELY(!at)) return NULL;
    if (UNLIKELY(json_scan_peek(scan, at) != ':')) {
        at = json_scan_space(scan, at);
        if (json_scan_peek(scan, at) != ':') {
            return json_scan_fail(scan, at, "a colon was expected here");
        }
    }
    return json_scan_space(scan, at + 1);
}

/* A whole value of any kind at `at` (no white space before it), standing `depth` levels deep (0:
 * the document itself). Everything in it is checked except that non-ASCII bytes are UTF-8
 * (json_scan_finish does). */
const char *json_scan_value(JsonScan *scan, const char *at, int32_t depth, JsonSlot *ret_slot);

/* After the document's value: only white space may follow, and the bytes must be UTF-8. */
bool json_scan_finish(JsonScan *scan, const char *at);

static inline JsonError json_scan_error(const JsonScan *scan)
{
    return (JsonError){scan->failed_at - scan->start, scan->reason};
}

#endif
