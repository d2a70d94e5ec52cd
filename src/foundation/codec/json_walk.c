/* Strict walks over JSON text: validation, iteration, single look-ups. */
#include "foundation/codec/json_walk.h"

#include "foundation/codec/json_scan_impl.h"

#if defined(__x86_64__)
#include <immintrin.h>

/* Every x86-64 has this one. */
static uint64_t block_stops_sse2(const char *bytes, uint64_t *beyond_ascii)
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

__attribute__((target("avx2"))) static uint64_t block_stops_avx2(const char *bytes,
                                                                 uint64_t *beyond_ascii)
{
    const __m256i quote = _mm256_set1_epi8('"');
    const __m256i backslash = _mm256_set1_epi8('\\');
    const __m256i control = _mm256_set1_epi8(0x1f);
    __m256i all = _mm256_setzero_si256();
    uint64_t stops = 0;
    for (int32_t i = 0; i < 2; i++) {
        __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(bytes + 32 * i));
        __m256i hit = _mm256_or_si256(_mm256_cmpeq_epi8(v, quote), _mm256_cmpeq_epi8(v, backslash));
        hit = _mm256_or_si256(hit, _mm256_cmpeq_epi8(_mm256_min_epu8(v, control), v));
        all = _mm256_or_si256(all, v);
        stops |= (uint64_t)(uint32_t)_mm256_movemask_epi8(hit) << (32 * i);
    }
    *beyond_ascii |= (uint64_t)(uint32_t)_mm256_movemask_epi8(all);
    return stops;
}

static uint64_t block_stops(const char *bytes, uint64_t *beyond_ascii)
{
    if (LIKELY(__builtin_cpu_supports("avx2"))) return block_stops_avx2(bytes, beyond_ascii);
    return block_stops_sse2(bytes, beyond_ascii);
}
#else
/* Eight bytes at a time: the high bit of each byte that is zero in `v`. Exact per byte, since no
 * carry crosses a byte. */
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

const char *json_scan_fail(JsonScan *scan, const char *at, const char *reason)
{
    scan->failed_at = at;
    scan->reason = reason;
    return NULL;
}

const char *json_scan_fail_close(JsonScan *scan, const char *at, bool object)
{
    if (at >= scan->end) return json_scan_fail(scan, at, "text ends too early");
    return json_scan_fail(
        scan, at, object ? "a comma or } was expected here" : "a comma or ] was expected here");
}

void json_scan_block(JsonScan *scan, const char *at)
{
    scan->block = scan->start + ((at - scan->start) & ~INT64_C(63));
    if (LIKELY(scan->readable - scan->block >= 64)) {
        scan->stops = block_stops(scan->block, &scan->beyond_ascii);
        return;
    }
    /* Zeros after the end are control characters: the string scan stops there. */
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

const char *json_scan_escape(JsonScan *scan, const char *at)
{
    int64_t left = scan->end - at;
    if (left < 2) return json_scan_fail(scan, scan->end, "string without an end");
    if (at[1] != 'u') {
        if (memchr("\"\\/bfnrt", at[1], 8)) return at + 2;
        return json_scan_fail(scan, at, "escape that JSON does not have");
    }
    int32_t unit = hex_unit(at + 2, scan->end);
    if (unit < 0) return json_scan_fail(scan, at, "\\u without four hex digits");
    if (is_low_surrogate(unit)) return json_scan_fail(scan, at, "surrogate without its pair");
    if (!is_high_surrogate(unit)) return at + 6;
    bool pair = left >= 12 && at[6] == '\\' && at[7] == 'u' &&
                is_low_surrogate(hex_unit(at + 8, scan->end));
    return pair ? at + 12 : json_scan_fail(scan, at, "surrogate without its pair");
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

/* After a complete value inside an open level: close levels and go to the next value; where the
 * last level was closed, depth is 0. */
static inline const char *after_value(JsonScan *scan, LevelStack *stack, const char *at)
{
    while (stack->depth > 0) {
        at = json_scan_space(scan, at);
        char c = json_scan_peek(scan, at);
        bool object = level_is_object(stack);
        if (c == ',') {
            at = json_scan_space(scan, at + 1);
            JsonSlot key;
            return object ? json_scan_key(scan, at, &key) : at;
        }
        if (c != (object ? '}' : ']')) return json_scan_fail_close(scan, at, object);
        at++;
        stack->depth--;
    }
    return at;
}

/* On { or [: open the level and go to its first value (or close it again). */
static inline const char *open_level(JsonScan *scan, LevelStack *stack, int32_t depth,
                                     const char *at)
{
    bool object = *at == '{';
    if (stack->depth + depth >= JSON_DEPTH_MAX) {
        return json_scan_fail(scan, at, "nested more than 1000 levels deep");
    }
    at = json_scan_space(scan, at + 1);
    if (json_scan_peek(scan, at) == (object ? '}' : ']')) {
        return after_value(scan, stack, at + 1);
    }
    level_push(stack, object);
    JsonSlot key;
    return object ? json_scan_key(scan, at, &key) : at;
}

const char *json_scan_value(JsonScan *scan, const char *at, int32_t depth, JsonSlot *ret_slot)
{
    const char *from = at;
    char opening = json_scan_peek(scan, at);
    if (opening != '{' && opening != '[') return json_scan_scalar(scan, at, ret_slot);
    LevelStack stack;
    stack.depth = 0;
    do {
        char c = json_scan_peek(scan, at);
        if (c == '{' || c == '[') {
            at = open_level(scan, &stack, depth, at);
        } else {
            JsonSlot scalar;
            at = json_scan_scalar(scan, at, &scalar);
            if (LIKELY(at != NULL)) at = after_value(scan, &stack, at);
        }
        if (UNLIKELY(!at)) return NULL;
    } while (stack.depth > 0);
    JsonKind kind = opening == '{' ? JSON_OBJECT : JSON_ARRAY;
    *ret_slot = (JsonSlot){{from, at - from}, kind, false, false};
    return at;
}

bool json_scan_finish(JsonScan *scan, const char *at)
{
    at = json_scan_space(scan, at);
    if (at < scan->end) {
        json_scan_fail(scan, at, "something follows the value");
        return false;
    }
    if (LIKELY(scan->beyond_ascii == 0)) return true;
    Str text = str_make(scan->start, scan->end - scan->start);
    int64_t good = str_utf8_prefix(text);
    if (good == text.len) return true;
    json_scan_fail(scan, scan->start + good, "text that is not UTF-8");
    return false;
}

bool json_scan(Str text, JsonSlot *ret_value, JsonError *ret_error)
{
    JsonScan scan = json_scan_make(text, 0);
    JsonSlot value;
    const char *at = json_scan_value(&scan, json_scan_space(&scan, scan.start), 0, &value);
    if (at && json_scan_finish(&scan, at)) {
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
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return c;
    }
}

/* p stands after "\u"; returns the place after the escape. */
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
    if (!object && value->kind != JSON_ARRAY)
        return (JsonIter){end, end, end, NULL, 0, false, true};
    const char *start = value->text.ptr;
    return (JsonIter){start + 1, end, start, NULL, 0, object, true};
}

bool json_iter_next(JsonIter *iter, JsonSlot *ret_key, JsonSlot *ret_value)
{
    JsonScan scan = json_scan_make(str_make(iter->start, iter->end - iter->start), 0);
    scan.block = iter->block;
    scan.stops = iter->stops;
    const char *at = json_scan_space(&scan, iter->at);
    iter->at = iter->end;
    char c = json_scan_peek(&scan, at);
    if (c == ']' || c == '}') return false;
    if (!iter->first) {
        if (c != ',') return false;
        at = json_scan_space(&scan, at + 1);
    }
    JsonSlot key = {STR_NULL, JSON_MISSING, false, false};
    if (iter->object) at = json_scan_key(&scan, at, &key);
    if (at) at = json_scan_value(&scan, at, 0, ret_value);
    if (!at) return false;
    if (ret_key) *ret_key = key;
    iter->at = at;
    iter->block = scan.block;
    iter->stops = scan.stops;
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
    const char *at = json_scan_space(&scan, scan.start);
    if (!json_scan_value(&scan, at, 0, &slot)) return json_missing;
    for (int32_t i = 0; i < path->count && slot.kind != JSON_MISSING; i++) {
        const JsonStep *step = &path->steps[i];
        slot = step->is_index ? json_get_index(&slot, step->index) : json_get_key(&slot, step->key);
    }
    return slot;
}
