/* Strict walks over JSON text: validation, iteration, single look-ups. */
#include "foundation/codec/json_walk.h"

#include "foundation/codec/json_scan_impl.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#if defined(__SSE2__)
static uint64_t block_stops(const char *bytes, uint64_t *beyond_ascii)
{
    const __m128i quote = _mm_set1_epi8('"');
    const __m128i backslash = _mm_set1_epi8('\\');
    const __m128i control = _mm_set1_epi8(0x1f);
    __m128i all = _mm_setzero_si128();
    uint64_t stops = 0;
    for (int32_t i = 0; i < 4; i++) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(bytes + 16 * i));
        __m128i hit = _mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, backslash));
        hit = _mm_or_si128(hit, _mm_cmpeq_epi8(_mm_min_epu8(v, control), v));
        all = _mm_or_si128(all, v);
        stops |= (uint64_t)(uint32_t)_mm_movemask_epi8(hit) << (16 * i);
    }
    *beyond_ascii |= (uint64_t)(uint32_t)_mm_movemask_epi8(all);
    return stops;
}
#else
/* Eight bytes at a time: the high bit of each byte that is zero in `v`. Exact per byte, since no carry
 * crosses a byte. */
static uint64_t swar_zeros(uint64_t v)
{
    const uint64_t low7 = UINT64_C(0x7f7f7f7f7f7f7f7f);
    return ~(((v & low7) + low7) | v | low7);
}

static uint64_t block_stops(const char *bytes, uint64_t *beyond_ascii)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t stops = 0;
    for (int32_t i = 0; i < 8; i++) {
        uint64_t v = 0;
        for (int32_t b = 0; b < 8; b++) v |= (uint64_t)(unsigned char)bytes[8 * i + b] << (8 * b);
        *beyond_ascii |= v & (ones * 0x80);
        uint64_t hit = swar_zeros(v ^ (ones * '"')) | swar_zeros(v ^ (ones * '\\')) |
                       swar_zeros(v & (ones * 0xe0));
        uint64_t bits = ((hit >> 7) * UINT64_C(0x0102040810204080)) >> 56;
        stops |= bits << (8 * i);
    }
    return stops;
}
#endif

void json_scan_block(JsonScan *scan)
{
    int64_t offset = (scan->at - scan->start) & ~INT64_C(63);
    scan->block = scan->start + offset;
    if (LIKELY(scan->readable - scan->block >= 64)) {
        scan->stops = block_stops(scan->block, &scan->beyond_ascii);
        return;
    }
    /* Zeros behind the end are control characters: the string scan stops there. */
    char tail[64] = {0};
    memcpy(tail, scan->block, (size_t)(scan->end - scan->block));
    scan->stops = block_stops(tail, &scan->beyond_ascii);
}

static int32_t hex_digit(char c)
{
    if (json_is_digit(c)) return c - '0';
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Four hex digits at p, or -1. */
static int32_t hex_unit(const char *p, const char *end)
{
    if (end - p < 4) return -1;
    int32_t unit = 0;
    for (int32_t i = 0; i < 4; i++) {
        int32_t digit = hex_digit(p[i]);
        if (digit < 0) return -1;
        unit = unit * 16 + digit;
    }
    return unit;
}

static bool is_high_surrogate(int32_t unit)
{
    return unit >= 0xd800 && unit < 0xdc00;
}

static bool is_low_surrogate(int32_t unit)
{
    return unit >= 0xdc00 && unit < 0xe000;
}

bool json_scan_escape(JsonScan *scan)
{
    const char *p = scan->at;
    if (p >= scan->end) return json_scan_fail(scan, p, "string without an end");
    if (*p != 'u') {
        if (*p == 0 || !memchr("\"\\/bfnrt", *p, 8)) {
            return json_scan_fail(scan, p - 1, "escape that JSON does not have");
        }
        scan->at = p + 1;
        return true;
    }
    int32_t unit = hex_unit(p + 1, scan->end);
    if (unit < 0) return json_scan_fail(scan, p - 1, "\\u without four hex digits");
    if (is_low_surrogate(unit)) return json_scan_fail(scan, p - 1, "surrogate without its pair");
    if (is_high_surrogate(unit)) {
        bool pair = scan->end - p >= 11 && p[5] == '\\' && p[6] == 'u' &&
                    is_low_surrogate(hex_unit(p + 7, scan->end));
        if (!pair) return json_scan_fail(scan, p - 1, "surrogate without its pair");
        p += 6;
    }
    scan->at = p + 5;
    return true;
}

/* ---- Whole values ---- */

/* Which of the open levels are objects, one bit each. */
typedef struct LevelStack {
    uint64_t objects[(JSON_DEPTH_MAX + 63) / 64 + 1];
    int32_t depth;
} LevelStack;

static inline bool level_is_object(const LevelStack *stack)
{
    int32_t level = stack->depth - 1;
    return (stack->objects[level >> 6] >> (level & 63)) & 1;
}

static inline void level_push(LevelStack *stack, bool object)
{
    uint64_t bit = UINT64_C(1) << (stack->depth & 63);
    uint64_t *word = &stack->objects[stack->depth >> 6];
    *word = object ? *word | bit : *word & ~bit;
    stack->depth++;
}

typedef enum Next { NEXT_VALUE, NEXT_DONE, NEXT_FAIL } Next;

/* Behind a complete value inside an open level: go to the next value, or close levels. */
static inline Next after_value(JsonScan *scan, LevelStack *stack)
{
    while (stack->depth > 0) {
        json_scan_space(scan);
        char c = json_scan_peek(scan);
        bool object = level_is_object(stack);
        if (c == ',') {
            scan->at++;
            json_scan_space(scan);
            JsonSlot key;
            if (object && !json_scan_key(scan, &key)) return NEXT_FAIL;
            return NEXT_VALUE;
        }
        if (c != (object ? '}' : ']')) {
            json_scan_fail(scan, scan->at,
                           scan->at >= scan->end ? "text ends too early"
                           : object              ? "a comma or } was expected here"
                                                 : "a comma or ] was expected here");
            return NEXT_FAIL;
        }
        scan->at++;
        stack->depth--;
    }
    return NEXT_DONE;
}

/* Behind { or [ of a level just pushed. */
static inline Next after_open(JsonScan *scan, LevelStack *stack, bool object)
{
    json_scan_space(scan);
    if (json_scan_peek(scan) == (object ? '}' : ']')) {
        scan->at++;
        stack->depth--;
        return after_value(scan, stack);
    }
    JsonSlot key;
    if (object && !json_scan_key(scan, &key)) return NEXT_FAIL;
    return NEXT_VALUE;
}

bool json_scan_value(JsonScan *scan, int32_t depth, JsonSlot *ret_slot)
{
    const char *from = scan->at;
    char opening = json_scan_peek(scan);
    if (opening != '{' && opening != '[') return json_scan_scalar(scan, ret_slot);
    LevelStack stack;
    stack.depth = 0;
    Next next = NEXT_VALUE;
    while (next == NEXT_VALUE) {
        char c = json_scan_peek(scan);
        if (c == '{' || c == '[') {
            if (stack.depth + depth >= JSON_DEPTH_MAX) {
                return json_scan_fail(scan, scan->at, "nested more than 1000 levels deep");
            }
            scan->at++;
            level_push(&stack, c == '{');
            next = after_open(scan, &stack, c == '{');
            continue;
        }
        JsonSlot scalar;
        if (!json_scan_scalar(scan, &scalar)) return false;
        next = after_value(scan, &stack);
    }
    if (next == NEXT_FAIL) return false;
    JsonKind kind = opening == '{' ? JSON_OBJECT : JSON_ARRAY;
    *ret_slot = (JsonSlot){{from, scan->at - from}, kind, false, false};
    return true;
}

bool json_scan_finish(JsonScan *scan)
{
    json_scan_space(scan);
    if (scan->at < scan->end) {
        return json_scan_fail(scan, scan->at, "something follows the value");
    }
    if (scan->beyond_ascii == 0) return true;
    Str text = str_make(scan->start, scan->end - scan->start);
    int64_t good = str_utf8_prefix(text);
    if (good == text.len) return true;
    return json_scan_fail(scan, scan->start + good, "text that is not UTF-8");
}

bool json_scan(Str text, JsonSlot *ret_value, JsonError *ret_error)
{
    JsonScan scan = json_scan_make(text, 0);
    JsonSlot value;
    json_scan_space(&scan);
    if (json_scan_value(&scan, 0, &value) && json_scan_finish(&scan)) {
        *ret_value = value;
        return true;
    }
    if (ret_error) *ret_error = json_scan_error(&scan);
    return false;
}

bool json_validate(Str text, JsonError *ret_error)
{
    JsonSlot value;
    return json_scan(text, &value, ret_error);
}

Status json_check(Str text, Err *err)
{
    JsonError error;
    if (json_validate(text, &error)) return OK;
    return err_set(err, ERR_DATA, "not valid JSON: %s at byte %lld", error.reason,
                   (long long)error.offset + 1);
}

/* ---- Strings ---- */

static char *put_utf8(char *out, uint32_t c)
{
    if (c < 0x80) {
        *out++ = (char)c;
    } else if (c < 0x800) {
        *out++ = (char)(0xc0 | (c >> 6));
        *out++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *out++ = (char)(0xe0 | (c >> 12));
        *out++ = (char)(0x80 | ((c >> 6) & 0x3f));
        *out++ = (char)(0x80 | (c & 0x3f));
    } else {
        *out++ = (char)(0xf0 | (c >> 18));
        *out++ = (char)(0x80 | ((c >> 12) & 0x3f));
        *out++ = (char)(0x80 | ((c >> 6) & 0x3f));
        *out++ = (char)(0x80 | (c & 0x3f));
    }
    return out;
}

static char simple_escape(char c)
{
    switch (c) {
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return c;
    }
}

/* p stands behind "\u"; returns the place behind the escape. */
static const char *decode_unicode(const char *p, const char *end, char **out)
{
    int32_t unit = hex_unit(p, end);
    if (unit < 0) return end;
    p += 4;
    if (is_high_surrogate(unit) && end - p >= 6) {
        int32_t low = hex_unit(p + 2, end);
        unit = 0x10000 + ((unit - 0xd800) << 10) + ((low - 0xdc00) & 0x3ff);
        p += 6;
    }
    *out = put_utf8(*out, (uint32_t)unit);
    return p;
}

int64_t json_decode(Str raw, char *ret_text)
{
    const char *p = raw.ptr, *end = raw.ptr + raw.len;
    char *out = ret_text;
    while (p < end) {
        const char *stop = memchr(p, '\\', (size_t)(end - p));
        size_t plain = (size_t)((stop ? stop : end) - p);
        memmove(out, p, plain);
        out += plain;
        p += plain;
        if (!stop || end - p < 2) break;
        char c = p[1];
        p += 2;
        if (c == 'u') {
            p = decode_unicode(p, end, &out);
        } else {
            *out++ = simple_escape(c);
        }
    }
    return out - ret_text;
}

Status json_text(const JsonSlot *slot, Arena *arena, Str *ret_text, Err *err)
{
    if (!slot->escaped) {
        *ret_text = slot->text;
        return OK;
    }
    char *text = arena_alloc(arena, slot->text.len + 1);
    if (!text) return err_memory(err);
    *ret_text = str_make(text, json_decode(slot->text, text));
    return OK;
}

bool json_text_is(const JsonSlot *slot, Str value)
{
    if (!slot->escaped) return str_eq(slot->text, value);
    /* An escape is at most six times as long as what it stands for. */
    if (value.len > slot->text.len || slot->text.len > 6 * value.len) return false;
    const char *p = slot->text.ptr, *end = p + slot->text.len;
    int64_t matched = 0;
    while (p < end) {
        char piece[4];
        char *out = piece;
        if (*p != '\\') {
            *out++ = *p++;
        } else if (end - p >= 2 && p[1] == 'u') {
            p = decode_unicode(p + 2, end, &out);
        } else {
            *out++ = end - p >= 2 ? simple_escape(p[1]) : '\\';
            p += 2;
        }
        int64_t len = out - piece;
        if (value.len - matched < len) return false;
        if (memcmp(value.ptr + matched, piece, (size_t)len) != 0) return false;
        matched += len;
    }
    return matched == value.len;
}

/* ---- Members and elements ---- */

JsonIter json_iter(const JsonSlot *value)
{
    const char *end = value->text.ptr + value->text.len;
    bool object = value->kind == JSON_OBJECT;
    if (!object && value->kind != JSON_ARRAY) return (JsonIter){end, end, end, false, true};
    return (JsonIter){value->text.ptr + 1, end, value->text.ptr, object, true};
}

bool json_iter_next(JsonIter *iter, JsonSlot *ret_key, JsonSlot *ret_value)
{
    JsonScan scan = json_scan_make(str_make(iter->at, iter->end - iter->at), 0);
    iter->at = iter->end;
    json_scan_space(&scan);
    char c = json_scan_peek(&scan);
    if (c == ']' || c == '}') return false;
    if (!iter->first) {
        if (c != ',') return false;
        scan.at++;
        json_scan_space(&scan);
    }
    JsonSlot key = {STR_NULL, JSON_MISSING, false, false};
    if (iter->object && !json_scan_key(&scan, &key)) return false;
    if (!json_scan_value(&scan, 0, ret_value)) return false;
    if (ret_key) *ret_key = key;
    iter->at = scan.at;
    iter->first = false;
    return true;
}

static const JsonSlot json_missing = {{NULL, 0}, JSON_MISSING, false, false};

JsonSlot json_get_key(const JsonSlot *object, Str key)
{
    JsonSlot found = json_missing;
    if (object->kind != JSON_OBJECT) return found;
    JsonIter iter = json_iter(object);
    JsonSlot name, value;
    while (json_iter_next(&iter, &name, &value)) {
        if (json_text_is(&name, key)) found = value;
    }
    return found;
}

int64_t json_count(const JsonSlot *value)
{
    JsonIter iter = json_iter(value);
    JsonSlot item;
    int64_t count = 0;
    while (json_iter_next(&iter, NULL, &item)) count++;
    return count;
}

JsonSlot json_get_index(const JsonSlot *array, int64_t index)
{
    if (array->kind != JSON_ARRAY) return json_missing;
    if (index < 0) index += json_count(array);
    if (index < 0) return json_missing;
    JsonIter iter = json_iter(array);
    JsonSlot item;
    while (json_iter_next(&iter, NULL, &item)) {
        if (index-- == 0) return item;
    }
    return json_missing;
}

JsonSlot json_get_path(Str json, const JsonPath *path)
{
    JsonScan scan = json_scan_make(json, 0);
    JsonSlot slot;
    json_scan_space(&scan);
    if (!json_scan_value(&scan, 0, &slot)) return json_missing;
    for (int32_t i = 0; i < path->count && slot.kind != JSON_MISSING; i++) {
        const JsonStep *step = &path->steps[i];
        slot = step->is_index ? json_get_index(&slot, step->index) : json_get_key(&slot, step->key);
    }
    return slot;
}
