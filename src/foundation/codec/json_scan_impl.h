/* The scanner under all JSON walks: strings by 64-byte blocks, numbers, literals, whole values. */
#ifndef NEURON_JSON_SCAN_IMPL_H
#define NEURON_JSON_SCAN_IMPL_H

#include "foundation/codec/json_walk.h"

/* One document being walked. Bytes are classified 64 at a time, once per block: `stops` has a bit for
 * every byte that may end or change a string (quote, backslash, control character). */
typedef struct JsonScan {
    const char *at;       /* where the walk stands */
    const char *end;      /* one past the document */
    const char *start;    /* the document */
    const char *readable; /* bytes before it may be loaded, >= end */
    const char *block;    /* the classified block; NULL: none yet */
    uint64_t stops;
    uint64_t beyond_ascii; /* not 0: some byte >= 0x80 was seen */
    const char *reason;    /* set by the first failure, with `at` on the place */
} JsonScan;

static inline JsonScan json_scan_make(Str text, int64_t padding)
{
    const char *start = text.ptr ? text.ptr : "";
    return (JsonScan){start, start + text.len, start, start + text.len + padding, NULL, 0, 0, NULL};
}

/* Classify the block that holds scan->at. */
void json_scan_block(JsonScan *scan);

static inline bool json_scan_fail(JsonScan *scan, const char *at, const char *reason)
{
    scan->at = at;
    scan->reason = reason;
    return false;
}

static inline void json_scan_space(JsonScan *scan)
{
    const char *p = scan->at;
    while (p < scan->end && UNLIKELY(*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) p++;
    scan->at = p;
}

/* The byte at the walk's place, 0 at the end (a real 0 is refused by every user alike). */
static inline char json_scan_peek(const JsonScan *scan)
{
    return scan->at < scan->end ? *scan->at : 0;
}

/* `at` stands behind a backslash: check the escape and go behind it. */
bool json_scan_escape(JsonScan *scan);

/* `at` stands behind the opening quote; goes behind the closing one. */
static inline bool json_scan_string(JsonScan *scan, JsonSlot *ret_slot)
{
    const char *from = scan->at;
    bool escaped = false;
    for (;;) {
        uintptr_t in_block = (uintptr_t)scan->at - (uintptr_t)scan->block;
        if (UNLIKELY(in_block >= 64)) {
            if (scan->at >= scan->end) break;
            json_scan_block(scan);
            in_block = (uintptr_t)scan->at - (uintptr_t)scan->block;
        }
        uint64_t stops = scan->stops >> in_block;
        if (stops == 0) {
            scan->at = scan->block + 64;
            continue;
        }
        scan->at += __builtin_ctzll(stops);
        if (UNLIKELY(scan->at >= scan->end)) break;
        if (LIKELY(*scan->at == '"')) {
            *ret_slot = (JsonSlot){{from, scan->at - from}, JSON_STRING, escaped, false};
            scan->at++;
            return true;
        }
        if (*scan->at != '\\') {
            return json_scan_fail(scan, scan->at, "control character in a string");
        }
        escaped = true;
        scan->at++;
        if (!json_scan_escape(scan)) return false;
    }
    return json_scan_fail(scan, scan->end, "string without an end");
}

static inline bool json_is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

/* `at` stands on - or a digit. */
static inline bool json_scan_number(JsonScan *scan, JsonSlot *ret_slot)
{
    const char *from = scan->at, *p = from, *end = scan->end;
    bool integer = true;
    if (*p == '-') p++;
    if (p >= end || !json_is_digit(*p)) return json_scan_fail(scan, p, "number without digits");
    if (*p == '0') {
        p++;
        if (p < end && json_is_digit(*p)) {
            return json_scan_fail(scan, p, "number with a leading zero");
        }
    } else {
        while (p < end && json_is_digit(*p)) p++;
    }
    if (p < end && *p == '.') {
        integer = false;
        p++;
        if (p >= end || !json_is_digit(*p)) {
            return json_scan_fail(scan, p, "number without digits behind its point");
        }
        while (p < end && json_is_digit(*p)) p++;
    }
    if (p < end && (*p | 0x20) == 'e') {
        integer = false;
        p++;
        if (p < end && (*p == '+' || *p == '-')) p++;
        if (p >= end || !json_is_digit(*p)) {
            return json_scan_fail(scan, p, "number without digits in its exponent");
        }
        while (p < end && json_is_digit(*p)) p++;
    }
    *ret_slot = (JsonSlot){{from, p - from}, JSON_NUMBER, false, integer};
    scan->at = p;
    return true;
}

static inline bool json_scan_literal(JsonScan *scan, Str word, JsonKind kind, JsonSlot *ret_slot)
{
    if (scan->end - scan->at < word.len || memcmp(scan->at, word.ptr, (size_t)word.len) != 0) {
        return json_scan_fail(scan, scan->at, "a value was expected here");
    }
    *ret_slot = (JsonSlot){{scan->at, word.len}, kind, false, false};
    scan->at += word.len;
    return true;
}

/* A string, number or literal at `at`; fails on everything else. */
static inline bool json_scan_scalar(JsonScan *scan, JsonSlot *ret_slot)
{
    char c = json_scan_peek(scan);
    if (c == '"') {
        scan->at++;
        return json_scan_string(scan, ret_slot);
    }
    if (c == '-' || json_is_digit(c)) return json_scan_number(scan, ret_slot);
    if (c == 't') return json_scan_literal(scan, STR("true"), JSON_BOOL, ret_slot);
    if (c == 'f') return json_scan_literal(scan, STR("false"), JSON_BOOL, ret_slot);
    if (c == 'n') return json_scan_literal(scan, STR("null"), JSON_NULL, ret_slot);
    return json_scan_fail(scan, scan->at,
                          scan->at < scan->end ? "a value was expected here" : "text ends too early");
}

/* `at` on a quote: the key, the colon, and white space behind it. */
static inline bool json_scan_key(JsonScan *scan, JsonSlot *ret_key)
{
    if (UNLIKELY(json_scan_peek(scan) != '"')) {
        return json_scan_fail(scan, scan->at, "a key in double quotes was expected here");
    }
    scan->at++;
    if (!json_scan_string(scan, ret_key)) return false;
    json_scan_space(scan);
    if (UNLIKELY(json_scan_peek(scan) != ':')) {
        return json_scan_fail(scan, scan->at, "a colon was expected here");
    }
    scan->at++;
    json_scan_space(scan);
    return true;
}

/* A whole value of any kind at `at` (no white space before it), standing `depth` levels deep (0: the
 * document itself). Everything in it is checked except that non-ASCII bytes are UTF-8
 * (json_scan_finish does). */
bool json_scan_value(JsonScan *scan, int32_t depth, JsonSlot *ret_slot);

/* After the document's value: only white space may follow, and the bytes must be UTF-8. */
bool json_scan_finish(JsonScan *scan);

static inline JsonError json_scan_error(const JsonScan *scan)
{
    return (JsonError){scan->at - scan->start, scan->reason};
}

#endif
