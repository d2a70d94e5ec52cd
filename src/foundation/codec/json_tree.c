/* Parsing small JSON documents into a tree in an arena. */
#include "foundation/codec/json_tree.h"

#include "foundation/base/number.h"
#include "foundation/codec/json_scan_impl.h"

typedef struct TreeReader {
    JsonScan scan;
    Arena *arena;
    Err *err;
    bool short_of_memory;
} TreeReader;

static const char *read_value(TreeReader *reader, const char *at, int32_t depth, JsonValue *value);

static const char *tree_memory(TreeReader *reader)
{
    reader->short_of_memory = true;
    return json_scan_fail(&reader->scan, reader->scan.start, "no memory");
}

static void append_child(JsonValue *parent, JsonValue *child)
{
    if (parent->last) {
        parent->last->next = child;
    } else {
        parent->first = child;
    }
    parent->last = child;
    parent->count++;
}

static const char *read_child(TreeReader *reader, const char *at, int32_t depth, JsonValue *parent)
{
    JsonValue *child = ARENA_NEW(reader->arena, JsonValue);
    if (!child) return tree_memory(reader);
    if (parent->kind == JSON_OBJECT) {
        JsonSlot key;
        at = json_scan_key(&reader->scan, at, &key);
        if (!at) return NULL;
        if (json_text(&key, reader->arena, &child->key, reader->err) != OK) {
            return tree_memory(reader);
        }
    }
    append_child(parent, child);
    return read_value(reader, at, depth + 1, child);
}

static const char *read_children(TreeReader *reader, const char *at, int32_t depth,
                                 JsonValue *parent)
{
    JsonScan *scan = &reader->scan;
    bool object = parent->kind == JSON_OBJECT;
    char close = object ? '}' : ']';
    if (depth >= JSON_DEPTH_MAX) {
        return json_scan_fail(scan, at, "nested more than 1000 levels deep");
    }
    at = json_scan_space(scan, at + 1);
    if (json_scan_peek(scan, at) == close) return at + 1;
    for (;;) {
        at = read_child(reader, at, depth, parent);
        if (!at) return NULL;
        at = json_scan_space(scan, at);
        char c = json_scan_peek(scan, at);
        if (c == close) return at + 1;
        if (c != ',') return json_scan_fail_close(scan, at, object);
        at = json_scan_space(scan, at + 1);
    }
}

static const char *read_value(TreeReader *reader, const char *at, int32_t depth, JsonValue *value)
{
    const char *from = at;
    char c = json_scan_peek(&reader->scan, at);
    value->offset = at - reader->scan.start;
    if (c == '{' || c == '[') {
        value->kind = c == '{' ? JSON_OBJECT : JSON_ARRAY;
        at = read_children(reader, at, depth, value);
        if (at) value->text = str_make(from, at - from);
        return at;
    }
    JsonSlot slot;
    at = json_scan_scalar(&reader->scan, at, &slot);
    if (!at) return NULL;
    value->kind = slot.kind;
    value->integer = slot.integer;
    value->boolean = slot.kind == JSON_BOOL && *from == 't';
    value->text = slot.text;
    if (slot.kind == JSON_STRING && json_text(&slot, reader->arena, &value->text, reader->err)) {
        return tree_memory(reader);
    }
    return at;
}

static Status tree_mistake(const JsonScan *scan, Err *err)
{
    int64_t line = 1;
    const char *line_start = scan->start;
    for (const char *p = scan->start; p < scan->failed_at; p++) {
        if (*p != '\n') continue;
        line++;
        line_start = p + 1;
    }
    int64_t column = scan->failed_at - line_start + 1;
    Status status = err_set(err, ERR_DATA, "not valid JSON: %s at line %lld, column %lld",
                            scan->reason, (long long)line, (long long)column);
    err_at(err, line, column);
    return status;
}

Status json_parse(Str text, Arena *arena, JsonValue **ret_value, Err *err)
{
    TreeReader reader = {json_scan_make(text, 0), arena, err, false};
    JsonValue *root = ARENA_NEW(arena, JsonValue);
    if (!root) return err_memory(err);
    const char *at = json_scan_space(&reader.scan, reader.scan.start);
    at = read_value(&reader, at, 0, root);
    if (reader.short_of_memory) return err_memory(err);
    if (!at || !json_scan_finish(&reader.scan, at)) return tree_mistake(&reader.scan, err);
    *ret_value = root;
    return OK;
}

const JsonValue *json_member(const JsonValue *object, Str key)
{
    const JsonValue *found = NULL;
    if (!object || object->kind != JSON_OBJECT) return NULL;
    for (const JsonValue *member = object->first; member; member = member->next) {
        if (str_eq(member->key, key)) found = member;
    }
    return found;
}

const JsonValue *json_element(const JsonValue *array, int64_t index)
{
    if (!array || array->kind != JSON_ARRAY || index < 0) return NULL;
    const JsonValue *item = array->first;
    while (item && index-- > 0) item = item->next;
    return item;
}

Str json_member_text(const JsonValue *object, Str key, Str otherwise)
{
    const JsonValue *member = json_member(object, key);
    return member && member->kind == JSON_STRING ? member->text : otherwise;
}

bool json_int64(const JsonValue *value, int64_t *ret_number)
{
    if (!value || value->kind != JSON_NUMBER || !value->integer) return false;
    return number_parse_int64(value->text, ret_number) == NUMBER_OK;
}

bool json_double(const JsonValue *value, double *ret_number)
{
    if (!value || value->kind != JSON_NUMBER) return false;
    return number_parse_double(value->text, ret_number) == NUMBER_OK;
}

bool json_is_true(const JsonValue *value)
{
    return value && value->kind == JSON_BOOL && value->boolean;
}
