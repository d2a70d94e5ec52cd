/* Positions: spans merged per part, and their JSON text. */
#include "connect/position.h"

#include "foundation/base/mem.h"
#include "foundation/base/number.h"
#include "foundation/codec/json_walk.h"

enum {
    POSITION_PARTS_MAX = 1 << 20,
    POSITION_CURSOR_MAX = 1 << 20,
    POSITION_JSON_MAX = 16 << 20,
};

void position_init(Position *position)
{
    *position = (Position){0};
    position->cursor = buf_make(POSITION_CURSOR_MAX);
    position->samples = buf_make(POSITION_JSON_MAX);
    position->origin = buf_make(POSITION_JSON_MAX);
    position->steps = buf_make(POSITION_JSON_MAX);
    position->target = buf_make(POSITION_JSON_MAX);
}

void position_done(Position *position)
{
    mem_free(position->parts);
    buf_done(&position->cursor);
    buf_done(&position->samples);
    buf_done(&position->origin);
    buf_done(&position->steps);
    buf_done(&position->target);
    *position = (Position){0};
}

/* The first index whose part is not below `part`. */
static int32_t part_index(const Position *position, int32_t part)
{
    int32_t low = 0;
    int32_t high = position->count;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (position->parts[middle].part < part) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool part_is_at(const Position *position, int32_t index, int32_t part)
{
    return index < position->count && position->parts[index].part == part;
}

static Status position_reserve(Position *position, int32_t count, Err *err)
{
    if (count <= position->capacity) return OK;
    if (count > POSITION_PARTS_MAX) {
        return err_set(err, ERR_LIMIT, "a position of more than %d parts", POSITION_PARTS_MAX);
    }
    int32_t capacity = position->capacity ? position->capacity * 2 : 4;
    if (capacity < count) capacity = count;
    PartPosition *parts =
        mem_realloc(position->parts, (int64_t)capacity * (int64_t)sizeof(PartPosition));
    if (!parts) return err_memory(err);
    position->parts = parts;
    position->capacity = capacity;
    return OK;
}

Status position_put(Position *position, int32_t part, int64_t next, Err *err)
{
    int32_t index = part_index(position, part);
    if (!part_is_at(position, index, part)) {
        TRY(position_reserve(position, position->count + 1, err));
        PartPosition *at = position->parts + index;
        memmove(at + 1, at, (size_t)(position->count - index) * sizeof *at);
        at->part = part;
        position->count++;
    }
    position->parts[index].next = next;
    return OK;
}

void position_remove(Position *position, int32_t part)
{
    int32_t index = part_index(position, part);
    if (!part_is_at(position, index, part)) return;
    PartPosition *at = position->parts + index;
    position->count--;
    memmove(at, at + 1, (size_t)(position->count - index) * sizeof *at);
}

void position_advance(const Position *from, Position *to)
{
    for (int32_t i = 0; i < to->count; i++) {
        PartPosition *at = &to->parts[i];
        at->next = int64_max(at->next, position_next(from, at->part));
    }
}

Status position_keep(Buf *buf, Str text, Err *err)
{
    if (text.len > buf->len) TRY(buf_reserve(buf, text.len - buf->len, err));
    buf_clear(buf);
    return buf_append(buf, text, err);
}

Status position_merge(Position *position, const Span *span, Err *err)
{
    TRY(position_put(position, span->part, span->next, err));
    return span->cursor.len > 0 ? position_keep(&position->cursor, span->cursor, err) : OK;
}

Status position_copy(const Position *from, Position *to, Err *err)
{
    if (from == to) return OK;
    TRY(position_reserve(to, from->count, err));
    TRY(position_keep(&to->cursor, buf_str(&from->cursor), err));
    TRY(position_keep(&to->samples, buf_str(&from->samples), err));
    TRY(position_keep(&to->origin, buf_str(&from->origin), err));
    TRY(position_keep(&to->steps, buf_str(&from->steps), err));
    TRY(position_keep(&to->target, buf_str(&from->target), err));
    if (from->count > 0) {
        memcpy(to->parts, from->parts, (size_t)from->count * sizeof(PartPosition));
    }
    to->count = from->count;
    to->handle = from->handle;
    return OK;
}

int64_t position_next(const Position *position, int32_t part)
{
    int32_t index = part_index(position, part);
    return part_is_at(position, index, part) ? position->parts[index].next : -1;
}

bool position_has(const Position *position, int32_t part)
{
    return part_is_at(position, part_index(position, part), part);
}

static Status format_string(Buf *out, Str text, Err *err)
{
    TRY(buf_append_char(out, '"', err));
    for (int64_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < 0x20) {
            TRY(buf_printf(out, err, "\\u%04x", (unsigned)c));
            continue;
        }
        if (c == '"' || c == '\\') TRY(buf_append_char(out, '\\', err));
        TRY(buf_append_char(out, (char)c, err));
    }
    return buf_append_char(out, '"', err);
}

static Status format_json(Buf *out, const char *name, const Buf *json, Err *err)
{
    if (json->len == 0) return OK;
    TRY(buf_printf(out, err, ",\"%s\":", name));
    return buf_append(out, buf_str(json), err);
}

Status position_format(const Position *position, Buf *out, Err *err)
{
    if (!str_is_utf8(buf_str(&position->cursor))) {
        return err_set(err, ERR_DATA, "a cursor is not UTF-8 text");
    }
    TRY(buf_append(out, STR("{\"parts\":{"), err));
    const char *comma = "";
    for (int32_t i = 0; i < position->count; i++) {
        const PartPosition *at = &position->parts[i];
        if (at->next < 0) continue;
        TRY(buf_printf(out, err, "%s\"%d\":%lld", comma, (int)at->part, (long long)at->next));
        comma = ",";
    }
    TRY(buf_append_char(out, '}', err));
    if (position->cursor.len > 0) {
        TRY(buf_append(out, STR(",\"cursor\":"), err));
        TRY(format_string(out, buf_str(&position->cursor), err));
    }
    TRY(format_json(out, "samples", &position->samples, err));
    TRY(format_json(out, "origin", &position->origin, err));
    TRY(format_json(out, "steps", &position->steps, err));
    TRY(format_json(out, "target", &position->target, err));
    return buf_append_char(out, '}', err);
}

static Status not_a_position(Err *err, const char *what)
{
    return err_set(err, ERR_DATA, "not a position: %s", what);
}

static Status parse_parts(Position *position, const JsonSlot *parts, Err *err)
{
    if (parts->kind == JSON_MISSING) return OK;
    if (parts->kind != JSON_OBJECT) return not_a_position(err, "'parts' must be an object");
    JsonIter iter = json_iter(parts);
    JsonSlot key;
    JsonSlot value;
    while (json_iter_next(&iter, &key, &value)) {
        int64_t part;
        int64_t next;
        bool good = number_parse_int64(key.text, &part) == NUMBER_OK && part >= 0 &&
                    part <= INT32_MAX && value.kind == JSON_NUMBER &&
                    number_parse_int64(value.text, &next) == NUMBER_OK && next >= 0;
        if (!good) return not_a_position(err, "'parts' must be part numbers with whole numbers");
        TRY(position_put(position, (int32_t)part, next, err));
    }
    return OK;
}

static Status parse_cursor(Position *position, const JsonSlot *cursor, Err *err)
{
    if (cursor->kind == JSON_MISSING || cursor->kind == JSON_NULL) return OK;
    if (cursor->kind == JSON_NUMBER) return buf_append(&position->cursor, cursor->text, err);
    if (cursor->kind != JSON_STRING) return not_a_position(err, "'cursor' must be text");
    TRY(buf_reserve(&position->cursor, cursor->text.len, err));
    position->cursor.len = json_decode(cursor->text, position->cursor.data);
    return OK;
}

/* A string slot is without its quotes; what is kept is JSON text. */
static Status parse_json(const JsonSlot *root, const char *name, Buf *json, Err *err)
{
    JsonSlot slot = json_get_key(root, str_from(name));
    if (slot.kind == JSON_MISSING || slot.kind == JSON_NULL) return OK;
    if (slot.kind != JSON_STRING) return buf_append(json, slot.text, err);
    TRY(buf_append_char(json, '"', err));
    TRY(buf_append(json, slot.text, err));
    return buf_append_char(json, '"', err);
}

static Status parse_into(Str json, Position *position, Err *err)
{
    JsonSlot root;
    JsonError where;
    if (!json_scan(json, &root, &where)) return not_a_position(err, where.reason);
    if (root.kind != JSON_OBJECT) return not_a_position(err, "it must be a JSON object");
    JsonSlot parts = json_get_key(&root, STR("parts"));
    JsonSlot cursor = json_get_key(&root, STR("cursor"));
    TRY(parse_parts(position, &parts, err));
    TRY(parse_cursor(position, &cursor, err));
    TRY(parse_json(&root, "samples", &position->samples, err));
    TRY(parse_json(&root, "origin", &position->origin, err));
    TRY(parse_json(&root, "steps", &position->steps, err));
    return parse_json(&root, "target", &position->target, err);
}

Status position_parse(Str json, Position *position, Err *err)
{
    Position parsed;
    position_init(&parsed);
    if (parse_into(json, &parsed, err) != OK) {
        position_done(&parsed);
        return FAIL;
    }
    parsed.handle = position->handle;
    position_done(position);
    *position = parsed;
    return OK;
}
