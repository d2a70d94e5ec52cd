/* Finding the columns and types of JSON objects by looking at all of them. */
#include "engine/format/json_keys.h"
#include "engine/format/json_read.h"
#include "engine/format/json_refusal.h"
#include "foundation/base/mem.h"
#include "foundation/base/number.h"
#include "foundation/codec/json_extract.h"

/* What values of a key were seen. */
enum { SEEN_BOOL = 1, SEEN_INT64 = 2, SEEN_NUMBER = 4, SEEN_TEXT = 8, SEEN_NESTED = 16 };

typedef struct KeyStats {
    uint8_t seen;
    bool declared;
    TypeId type; /* declared */
    int32_t precision, scale;
    int64_t last_member; /* in the current document */
} KeyStats;

struct JsonInfer {
    bool plain;        /* texts are no strings of JSON */
    JsonKeys declared; /* names in `types`, and what they say: */
    KeyStats *declared_stats;
    JsonKeys keys; /* in order of appearance */
    KeyStats *stats;
    int32_t stats_capacity;
    JsonMembers members;
    int32_t *member_keys; /* key index of each member */
    int64_t member_capacity;
    Arena arena; /* decoded keys of one document */
};

/* ---- types=name:type,… ---- */

static Status unknown_type(Str name, Str type, Err *err)
{
    Str names[TYPE_COUNT];
    for (int32_t i = 0; i < TYPE_COUNT; i++) names[i] = str_from(type_name((TypeId)i));
    Str near = str_nearest(type, names, TYPE_COUNT);
    Status status = err_set(err, ERR_CONFIG, "types: \"%.*s\" of column \"%.*s\" is not a type",
                            STR_ARG(type), STR_ARG(name));
    if (near.len) {
        err_hint(err, "did you mean %.*s?", STR_ARG(near));
    } else {
        err_hint(err, "types are boolean, bigint, numeric, double precision, text, date, time, "
                      "timestamp, timestamptz, interval, uuid, bytea, json");
    }
    return status;
}

static Status declare(JsonInfer *infer, Str entry, Err *err)
{
    int64_t colon = entry.len - 1;
    while (colon >= 0 && entry.ptr[colon] != ':') colon--;
    Str name = str_trim(str_slice(entry, 0, colon));
    if (colon < 0 || name.len == 0) {
        (void)err_set(err, ERR_CONFIG, "types: \"%.*s\" is not name:type", STR_ARG(entry));
        return err_hint(err, "write types=created:timestamptz,amount:numeric");
    }
    Str type = str_trim(str_slice(entry, colon + 1, entry.len));
    KeyStats stats = {.declared = true};
    if (!type_parse(type, &stats.type, &stats.precision, &stats.scale)) {
        return unknown_type(name, type, err);
    }
    if (json_keys_find(&infer->declared, name, -1) >= 0) {
        return err_set(err, ERR_CONFIG, "types: column \"%.*s\" is there twice", STR_ARG(name));
    }
    int64_t size = (infer->declared.count + 1) * (int64_t)sizeof stats;
    KeyStats *all = mem_realloc(infer->declared_stats, size);
    if (!all) return err_memory(err);
    infer->declared_stats = all;
    all[infer->declared.count] = stats;
    return json_keys_add(&infer->declared, name, err);
}

/* Commas inside parentheses belong to numeric(p,s). */
static int64_t entry_end(Str types)
{
    int32_t open = 0;
    for (int64_t i = 0; i < types.len; i++) {
        char c = types.ptr[i];
        if (c == '(') open++;
        if (c == ')') open--;
        if (c == ',' && open <= 0) return i;
    }
    return types.len;
}

static Status declare_all(JsonInfer *infer, Str types, Err *err)
{
    while (types.len > 0) {
        int64_t end = entry_end(types);
        TRY(declare(infer, str_slice(types, 0, end), err));
        types = str_slice(types, end + 1, types.len);
    }
    return OK;
}

Status json_infer_new(Str types, JsonInfer **ret_infer, Err *err)
{
    CLEANUP(json_infer_free_p) JsonInfer *infer = mem_zalloc((int64_t)sizeof *infer);
    if (!infer) return err_memory(err);
    json_keys_init(&infer->declared);
    json_keys_init(&infer->keys);
    infer->arena = arena_make(INT64_C(512) << 20);
    TRY(declare_all(infer, types, err));
    *ret_infer = TAKE(infer);
    return OK;
}

void json_infer_free(JsonInfer *infer)
{
    if (!infer) return;
    json_keys_done(&infer->declared);
    json_keys_done(&infer->keys);
    json_members_done(&infer->members);
    arena_done(&infer->arena);
    mem_free(infer->declared_stats);
    mem_free(infer->stats);
    mem_free(infer->member_keys);
    mem_free(infer);
}

/* ---- Documents ---- */

static Status add_key(JsonInfer *infer, Str name, Err *err)
{
    if (infer->keys.count == infer->stats_capacity) {
        int32_t capacity = infer->stats_capacity ? 2 * infer->stats_capacity : 32;
        KeyStats *stats = mem_realloc(infer->stats, capacity * (int64_t)sizeof *stats);
        if (!stats) return err_memory(err);
        infer->stats = stats;
        infer->stats_capacity = capacity;
    }
    int32_t declared = json_keys_find(&infer->declared, name, -1);
    infer->stats[infer->keys.count] =
        declared >= 0 ? infer->declared_stats[declared] : (KeyStats){.seen = 0};
    return json_keys_add(&infer->keys, name, err);
}

static Status find_keys(JsonInfer *infer, Err *err)
{
    JsonMembers *members = &infer->members;
    if (members->count > infer->member_capacity) {
        int32_t *keys = mem_realloc(infer->member_keys, members->capacity * (int64_t)sizeof *keys);
        if (!keys) return err_memory(err);
        infer->member_keys = keys;
        infer->member_capacity = members->capacity;
    }
    int32_t hint = 0;
    for (int64_t i = 0; i < members->count; i++) {
        Str name;
        TRY(json_text(&members->items[i].key, &infer->arena, &name, err));
        int32_t key = json_keys_find(&infer->keys, name, hint);
        if (key < 0) {
            key = infer->keys.count;
            TRY(add_key(infer, name, err));
        }
        infer->member_keys[i] = key;
        infer->stats[key].last_member = i;
        hint = key + 1;
    }
    return OK;
}

static uint8_t seen_number(const JsonSlot *slot)
{
    int64_t value;
    bool small = slot->integer && number_parse_int64(slot->text, &value) == NUMBER_OK;
    return small ? SEEN_INT64 : SEEN_NUMBER;
}

static uint8_t seen_value(const JsonSlot *slot)
{
    switch (slot->kind) {
    case JSON_BOOL:
        return SEEN_BOOL;
    case JSON_NUMBER:
        return seen_number(slot);
    case JSON_STRING:
        return SEEN_TEXT;
    case JSON_OBJECT:
    case JSON_ARRAY:
        return SEEN_NESTED;
    case JSON_NULL:
    case JSON_MISSING:
        break;
    }
    return 0;
}

Status json_infer_add(JsonInfer *infer, Str document, int64_t padding, bool *ret_taken,
                      JsonRefusal *ret_refusal, Err *err)
{
    JsonDocument kind;
    JsonError error;
    TRY(json_members_read(&infer->members, document, padding, &kind, &error, err));
    *ret_taken = kind == JSON_DOCUMENT_OBJECT;
    if (!*ret_taken) {
        json_refusal_document(ret_refusal, kind == JSON_DOCUMENT_INVALID ? &error : NULL);
        return OK;
    }
    arena_clear(&infer->arena);
    TRY(find_keys(infer, err));
    for (int64_t i = 0; i < infer->members.count; i++) {
        KeyStats *stats = &infer->stats[infer->member_keys[i]];
        if (stats->last_member != i || stats->seen == UINT8_MAX) continue;
        stats->seen = (uint8_t)(stats->seen | seen_value(&infer->members.items[i].value));
    }
    return OK;
}

static Field infer_field(Str name, const KeyStats *stats)
{
    Field field = {.name = name, .type = TYPE_DYNAMIC};
    if (stats->declared) {
        field.type = stats->type;
        field.precision = stats->precision;
        field.scale = stats->scale;
        return field;
    }
    if (stats->seen == 0 || stats->seen == SEEN_TEXT) field.type = TYPE_TEXT;
    field.no_values = stats->seen == 0;
    if (stats->seen == SEEN_BOOL) field.type = TYPE_BOOL;
    if (stats->seen == SEEN_NESTED) field.type = TYPE_JSON;
    if (stats->seen && !(stats->seen & ~(SEEN_INT64 | SEEN_NUMBER))) field.type = TYPE_NUMERIC;
    if (stats->seen == SEEN_INT64) field.native = STR("bigint");
    return field;
}

static Field text_field(const JsonInfer *infer, Field field)
{
    bool string = field.type == TYPE_TEXT && !infer->plain;
    if (string) field.native = STR(JSON_STRING_NATIVE);
    return field;
}

void json_infer_plain(JsonInfer *infer)
{
    infer->plain = true;
}

Status json_infer_schema(const JsonInfer *infer, Schema **ret_schema, Err *err)
{
    int32_t most = infer->keys.count + infer->declared.count, count = infer->keys.count;
    Field *fields = mem_array(most + 1, (int64_t)sizeof *fields);
    if (!fields) return err_memory(err);
    for (int32_t i = 0; i < count; i++) {
        fields[i] = text_field(infer, infer_field(infer->keys.names[i], &infer->stats[i]));
    }
    for (int32_t i = 0; i < infer->declared.count; i++) {
        Str name = infer->declared.names[i];
        if (json_keys_find(&infer->keys, name, -1) >= 0) continue;
        fields[count++] = text_field(infer, infer_field(name, &infer->declared_stats[i]));
    }
    Status status = schema_new(fields, count, false, ret_schema, err);
    mem_free(fields);
    return status;
}
