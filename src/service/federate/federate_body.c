/* Clamping, clipping and cleaning of what is sent. */
#include "service/federate/federate_body.h"

#include <math.h>

enum { DEPTH_MAX = 40, BODY_JSON_MAX = 8 << 20 };

static Str without_nul(Str text, Buf *scratch)
{
    buf_clear(scratch);
    if (str_find_char(text, 0) < 0) return text;
    for (int64_t i = 0; i < text.len; i++) {
        if (text.ptr[i] && buf_append_char(scratch, text.ptr[i], NULL) != OK) return STR_NULL;
    }
    return buf_str(scratch);
}

static void write_value(JsonWriter *w, const JsonValue *value, int32_t depth, Buf *scratch)
{
    bool object = value->kind == JSON_OBJECT;
    if (value->kind == JSON_STRING) {
        json_write_text(w, without_nul(value->text, scratch));
        return;
    }
    if (!object && value->kind != JSON_ARRAY) {
        json_write_raw(w, value->text);
        return;
    }
    if (depth == DEPTH_MAX) {
        json_write_null(w);
        return;
    }
    (object ? json_object_begin : json_array_begin)(w);
    for (const JsonValue *at = value->first; at; at = at->next) {
        if (object) json_key_str(w, without_nul(at->key, scratch));
        write_value(w, at, depth + 1, scratch);
    }
    (object ? json_object_end : json_array_end)(w);
}

void body_value(JsonWriter *w, const JsonValue *value)
{
    CLEANUP(buf_done) Buf scratch = buf_make(BODY_JSON_MAX);
    if (value) write_value(w, value, 0, &scratch);
    else json_write_null(w);
}

Status body_clean(Str json, Buf *out, Err *err)
{
    Arena arena = arena_make(8 * BODY_JSON_MAX);
    JsonValue *root = NULL;
    Status status = json_parse(json, &arena, &root, err);
    if (status == OK) {
        JsonWriter w = json_writer_make(out, err);
        body_value(&w, root);
        status = json_writer_end(&w);
    }
    arena_done(&arena);
    return status;
}

void body_text(JsonWriter *w, const char *key, Str text, int64_t most)
{
    json_key(w, key);
    json_write_text(w, body_clip(text, most));
}

void body_int(JsonWriter *w, const char *key, double value)
{
    json_key(w, key);
    value = isnan(value) ? 0 : fmin(fmax(round(value), 0), INT32_MAX);
    json_write_int64(w, (int64_t)value);
}

void body_double(JsonWriter *w, const char *key, double value)
{
    json_key(w, key);
    json_write_double(w, isfinite(value) ? value : 0);
}
