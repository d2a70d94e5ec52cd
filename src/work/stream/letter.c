/* The forms of a dead letter: envelope, raw, row; whole, or cut with the original's size and hash.
 */
#include "work/stream/letter.h"

#include <stdio.h>

#include "engine/format/json_portable.h"
#include "foundation/base/clock.h"
#include "foundation/base/datetime.h"
#include "foundation/base/hash.h"
#include "foundation/codec/base64.h"
#include "foundation/codec/json_writer.h"

/* Texts of a cut letter are no longer than this. */
enum { LETTER_TEXT_MAX = 1000 };
#define TABLE_TEXT_MAX (INT64_C(1) << 30)

int64_t letter_bytes(int32_t form)
{
    static const int64_t BYTES[LETTER_FORM_COUNT] = {
        [LETTER_WHOLE] = -1, [LETTER_RAW] = -1, [LETTER_CUT] = 16384, [LETTER_SHORT] = 1024};
    return BYTES[form & LETTER_FORM_MASK];
}

static bool is_cut(const Letter *letter, int32_t form)
{
    int64_t bytes = letter_bytes(form);
    return letter->unknown || (bytes >= 0 && letter->original.len > bytes);
}

/* A text no longer than a cut letter may have it. */
static Str limited(Str text, int32_t form)
{
    if (letter_bytes(form) < 0 || text.len <= LETTER_TEXT_MAX) return text;
    Str cut = str_slice(text, 0, LETTER_TEXT_MAX);
    return str_slice(cut, 0, str_utf8_prefix(cut));
}

static Str now_text(char text[DATETIME_TEXT_MAX])
{
    return str_make(text, datetime_format_timestamp(clock_now_us(), 'T', true, text));
}

static Str time_text(int64_t us, char text[DATETIME_TEXT_MAX])
{
    return str_make(text, datetime_format_timestamp(us, 'T', true, text));
}

/* ---- the original as JSON ---- */

static Status base64_text(Str bytes, Arena *arena, Str *ret_text, Err *err)
{
    int64_t len = base64_encoded_len(bytes.len);
    char *text = arena_alloc(arena, len + 1);
    if (!text) return err_memory(err);
    base64_encode(bytes, text);
    *ret_text = str_make(text, len);
    return OK;
}

/* A text, or {"@base64": …} where the bytes are none. */
static Status write_bytes(JsonWriter *w, Str bytes, bool text, Arena *arena, Err *err)
{
    Str coded;
    if (text) {
        json_write_text(w, bytes);
        return OK;
    }
    TRY(base64_text(bytes, arena, &coded, err));
    json_object_begin(w);
    json_key(w, "@base64");
    json_write_text(w, coded);
    json_object_end(w);
    return OK;
}

/* As a text, or base64 where it is none; `encoding` follows then. */
static Status put_bytes(JsonWriter *w, Str bytes, bool text, Arena *arena, Err *err)
{
    Str coded;
    json_key(w, "original_message");
    if (text) {
        json_write_text(w, bytes);
        return OK;
    }
    TRY(base64_text(bytes, arena, &coded, err));
    json_write_text(w, coded);
    json_key(w, "encoding");
    json_write_text(w, STR("base64"));
    return OK;
}

/* Its beginning, its size and its hash. */
static Status put_cut(JsonWriter *w, const Letter *letter, int32_t form, Arena *arena, Err *err)
{
    uint8_t digest[HASH_DIGEST_MAX];
    int64_t digest_len = 0;
    char hex[2 * HASH_DIGEST_MAX + 1];
    bool text = str_is_utf8(letter->original);
    Str part = str_slice(letter->original, 0, letter_bytes(form));
    if (text) part = str_slice(part, 0, str_utf8_prefix(part));
    if (letter->unknown || part.len == 0) {
        json_key(w, "original_message");
        json_write_null(w);
    } else {
        TRY(put_bytes(w, part, text, arena, err));
    }
    json_key(w, "original_truncated");
    json_write_bool(w, true);
    if (letter->unknown) return OK;
    TRY(hash_digest("sha256", letter->original, digest, &digest_len, err));
    for (int64_t i = 0; i < digest_len; i++) (void)snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    json_key(w, "original_bytes");
    json_write_int64(w, letter->original.len);
    json_key(w, "original_sha256");
    json_write_text(w, str_make(hex, 2 * digest_len));
    return OK;
}

/* Parsed JSON, a text where it is none, base64 where it is no text. `flat`: base64 in any case,
 * since an envelope around it would be nested too deeply. */
static Status put_original(JsonWriter *w, const Letter *letter, int32_t form, bool flat,
                           Arena *arena, Err *err)
{
    Str bytes = letter->original;
    if (is_cut(letter, form)) return put_cut(w, letter, form, arena, err);
    bool json = bytes.ptr && !flat && json_validate(bytes, NULL);
    if (bytes.ptr && !json) return put_bytes(w, bytes, !flat && str_is_utf8(bytes), arena, err);
    json_key(w, "original_message");
    if (json) json_write_raw(w, str_trim(bytes));
    else json_write_null(w);
    return OK;
}

/* ---- key and headers ---- */

/* The place as a key, for places that take no message without one. */
static Status place_key(const Letter *letter, Arena *arena, Str *ret_key, Err *err)
{
    return arena_printf(arena, ret_key, err, "%.*s/%lld/%lld", STR_ARG(letter->topic),
                        (long long)letter->partition, (long long)letter->offset);
}

static Status letter_key(const Letter *letter, int32_t form, Arena *arena, Str *ret_key, Err *err)
{
    bool fits = letter_bytes(form) < 0 || letter->key.len <= LETTER_TEXT_MAX;
    *ret_key = fits ? letter->key : STR_NULL;
    return !ret_key->ptr && (form & LETTER_KEYED) ? place_key(letter, arena, ret_key, err) : OK;
}

/* What a replay needs beside the original. */
static Status put_own(JsonWriter *w, const Letter *letter, int32_t form, Arena *arena, Err *err)
{
    char time[DATETIME_TEXT_MAX];
    bool cut = letter_bytes(form) >= 0;
    if (letter->key.ptr && (!cut || letter->key.len <= LETTER_TEXT_MAX)) {
        json_key(w, "key");
        TRY(write_bytes(w, letter->key, str_is_utf8(letter->key), arena, err));
    }
    if (letter->headers.len && (!cut || letter->headers.len <= LETTER_TEXT_MAX)) {
        json_key(w, "headers");
        json_write_raw(w, letter->headers);
    }
    if (!letter->has_timestamp) return OK;
    json_key(w, "original_timestamp");
    json_write_text(w, time_text(letter->timestamp_us, time));
    return OK;
}

/* ---- envelope ---- */

static void put_text(JsonWriter *w, const char *name, Str text, int32_t form)
{
    json_key(w, name);
    json_write_text_or_null(w, limited(text, form));
}

static Status put_envelope(const Letter *letter, int32_t form, bool flat, Arena *arena, Buf *text,
                           Err *err)
{
    char now[DATETIME_TEXT_MAX];
    buf_clear(text);
    JsonWriter w = json_writer_make(text, err);
    json_object_begin(&w);
    TRY(put_original(&w, letter, form, flat, arena, err));
    put_text(&w, "error", letter->reason.ptr ? letter->reason : STR(""), form);
    put_text(&w, "timestamp", now_text(now), form);
    put_text(&w, "topic", letter->topic, form);
    json_key(&w, "partition");
    json_write_int64(&w, letter->partition);
    json_key(&w, "offset");
    json_write_int64(&w, letter->offset);
    put_text(&w, "type", letter->type, form);
    put_text(&w, "processor", letter->processor, form);
    put_text(&w, "stage", letter->stage.ptr ? letter->stage : STR(""), form);
    put_text(&w, "path", letter->column.len ? letter->column : STR_NULL, form);
    TRY(put_own(&w, letter, form, arena, err));
    json_object_end(&w);
    return json_writer_end(&w);
}

Status letter_envelope(const Letter *letter, int32_t form, Arena *arena, Buf *text,
                       Message *ret_message, Err *err)
{
    TRY(put_envelope(letter, form, false, arena, text, err));
    /* Only what is long can be nested so deeply that nobody could read the envelope. */
    bool deep = letter->original.len > JSON_DEPTH_MAX && !json_validate(buf_str(text), NULL);
    if (deep) TRY(put_envelope(letter, form, true, arena, text, err));
    *ret_message = (Message){.value = buf_str(text)};
    return letter_key(letter, form, arena, &ret_message->key, err);
}

/* ---- raw ---- */

static void put_header(JsonWriter *w, const char *name, Str value)
{
    if (!value.len) return;
    json_key(w, name);
    json_write_text(w, value);
}

static void put_number(JsonWriter *w, const char *name, int64_t value)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%lld", (long long)value);
    put_header(w, name, str_from(text));
}

/* Texts, {"@base64": …} and nulls as they are. */
static Status put_own_headers(JsonWriter *w, Str headers, Arena *arena, Err *err)
{
    JsonSlot object, key, value;
    if (!headers.len || !json_scan(headers, &object, NULL)) return OK;
    JsonIter iter = json_iter(&object);
    while (json_iter_next(&iter, &key, &value)) {
        Str name, raw = value.text;
        TRY(json_text(&key, arena, &name, err));
        if (value.kind == JSON_STRING) raw = str_make(raw.ptr - 1, raw.len + 2);
        json_key_str(w, name);
        json_write_raw(w, raw);
    }
    return OK;
}

static Status put_headers(const Letter *letter, int32_t form, Arena *arena, Buf *text, Err *err)
{
    char now[DATETIME_TEXT_MAX];
    JsonWriter w = json_writer_make(text, err);
    json_object_begin(&w);
    TRY(put_own_headers(&w, letter->headers, arena, err));
    put_header(&w, "dlq.error.message", str_slice(letter->reason, 0, LETTER_TEXT_MAX));
    put_header(&w, "dlq.error.path", letter->column);
    put_header(&w, "dlq.stage", letter->stage);
    put_header(&w, "dlq.processor", letter->processor);
    put_header(&w, "dlq.topic", letter->topic);
    put_number(&w, "dlq.partition", letter->partition);
    put_number(&w, "dlq.offset", letter->offset);
    if (letter->has_timestamp && (form & LETTER_NOW)) {
        put_header(&w, "dlq.timestamp", time_text(letter->timestamp_us, now));
    }
    put_header(&w, "dlq.failed_at", now_text(now));
    json_object_end(&w);
    return json_writer_end(&w);
}

Status letter_raw(const Letter *letter, int32_t form, Arena *arena, Buf *text, Message *ret_message,
                  Err *err)
{
    buf_clear(text);
    TRY(put_headers(letter, form, arena, text, err));
    *ret_message = (Message){
        .value = letter->original,
        .headers = buf_str(text),
        .has_timestamp = letter->has_timestamp && !(form & LETTER_NOW),
        .timestamp_us = letter->timestamp_us,
    };
    return letter_key(letter, form, arena, &ret_message->key, err);
}

/* ---- a row of the reject schema ---- */

/* As a database can keep it, and no longer than a cut letter may have it. */
static Status table_text(Str text, int32_t form, Arena *arena, Str *ret_text, Err *err)
{
    return text_portable(limited(text, form), arena, ret_text, err);
}

/* {"topic":…,"partition":…,"offset":…,"key":…,"timestamp":…,"headers":{…}}, of topics. */
static Status row_key(const Letter *letter, int32_t form, bool plain, Arena *arena, Buf *text,
                      Err *err)
{
    char time[DATETIME_TEXT_MAX];
    bool small = letter->key.len + letter->headers.len <= LETTER_TEXT_MAX;
    bool whole = letter_bytes(form) < 0 || small;
    if (!letter->topic.ptr) return OK;
    JsonWriter w = json_writer_make(text, err);
    json_object_begin(&w);
    put_text(&w, "topic", letter->topic, form);
    json_key(&w, "partition");
    json_write_int64(&w, letter->partition);
    json_key(&w, "offset");
    json_write_int64(&w, letter->offset);
    json_key(&w, "key");
    if (!letter->key.ptr || !whole) json_write_null(&w);
    else TRY(write_bytes(&w, letter->key, plain && str_is_utf8(letter->key), arena, err));
    json_key(&w, "timestamp");
    if (letter->has_timestamp) json_write_text(&w, time_text(letter->timestamp_us, time));
    else json_write_null(&w);
    json_key(&w, "headers");
    if (!letter->headers.len || !whole) json_write_null(&w);
    else if (plain) json_write_raw(&w, letter->headers);
    else TRY(write_bytes(&w, letter->headers, false, arena, err));
    json_object_end(&w);
    return json_writer_end(&w);
}

/* The original as JSON; {"@base64": …} where a table could not hold it, or it is no text. */
static Status row_data(const Letter *letter, int32_t form, Arena *arena, Buf *text, Err *err)
{
    Str bytes = letter->original;
    JsonWriter w = json_writer_make(text, err);
    if (is_cut(letter, form)) {
        json_object_begin(&w);
        TRY(put_cut(&w, letter, form, arena, err));
        json_object_end(&w);
        return json_writer_end(&w);
    }
    if (!bytes.ptr) return OK;
    bool json = json_validate(bytes, NULL);
    bool fits = json ? json_is_portable(bytes) : str_is_utf8(bytes) && str_find_char(bytes, 0) < 0;
    if (json && fits) json_write_raw(&w, str_trim(bytes));
    else TRY(write_bytes(&w, bytes, fits, arena, err));
    return json_writer_end(&w);
}

Status letter_row(const Letter *letter, int32_t form, Arena *arena, RejectWriter *writer, Err *err)
{
    CLEANUP(buf_done) Buf key = buf_make(TABLE_TEXT_MAX);
    CLEANUP(buf_done) Buf data = buf_make(TABLE_TEXT_MAX);
    RejectRow row = {.part = (int32_t)letter->partition,
                     .row = letter->offset,
                     .sqlstate = letter->sqlstate,
                     .line = letter->line};
    TRY(row_key(letter, form, true, arena, &key, err));
    if (!json_is_portable(buf_str(&key))) {
        buf_clear(&key);
        TRY(row_key(letter, form, false, arena, &key, err));
    }
    TRY(row_data(letter, form, arena, &data, err));
    TRY(table_text(letter->stage, form, arena, &row.stage, err));
    TRY(table_text(letter->column, form, arena, &row.column, err));
    TRY(table_text(letter->value, form, arena, &row.value, err));
    TRY(table_text(letter->reason, form, arena, &row.reason, err));
    row.key = buf_str(&key);
    row.data = buf_str(&data);
    return reject_writer_row(writer, &row, err);
}
