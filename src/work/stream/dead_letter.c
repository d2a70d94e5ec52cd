/* Dead letters: refused messages as the guide's envelope, or as they were with headers that say
 * why.
 */
#include <stdio.h>

#include "foundation/base/clock.h"
#include "foundation/base/datetime.h"
#include "foundation/codec/base64.h"
#include "foundation/codec/json_tree.h"
#include "foundation/codec/json_writer.h"
#include "work/stream/stream_impl.h"

#define LETTER_ARENA_MAX (INT64_C(2) << 30)

/* One refused message, taken apart. Texts live in the batch or in the arena. */
typedef struct Letter {
    Str stage, column, reason;
    Str original;      /* its bytes */
    Str processor;     /* STR_NULL: none */
    Str type;          /* STR_NULL: none, or not known */
    Str topic, key;    /* STR_NULL: none */
    Str headers;       /* JSON object; STR_NULL: none */
    int64_t partition; /* for files: 0 and the line's ordinal */
    int64_t offset;
    bool has_timestamp;
    int64_t timestamp_us;
} Letter;

Status dead_letters_init(DeadLetters *letters, const StreamConfig *config, Err *err)
{
    *letters = (DeadLetters){.config = config,
                             .text = buf_make(LETTER_ARENA_MAX),
                             .arena = arena_make(LETTER_ARENA_MAX),
                             .path_arena = arena_make(1 << 20)};
    Str topic = config->topic.len ? config->topic : config->from.path;
    kept_letters_init(&letters->kept, topic, location_option(&config->from, STR("group")));
    Err ignored = {0};
    if (json_path_parse(config->route_by.text, &letters->path_arena, &letters->route_by,
                        &ignored) != OK) {
        letters->route_by.count = 0;
    }
    return message_writer_init(&letters->writer, NULL, err);
}

void dead_letters_done(DeadLetters *letters)
{
    message_writer_done(&letters->writer);
    kept_letters_done(&letters->kept);
    buf_done(&letters->text);
    arena_done(&letters->arena);
    arena_done(&letters->path_arena);
}

/* ---- taking a reject apart ---- */

static Str column_or_null(const Batch *batch, RejectColumn column, int64_t row)
{
    const Column *from = &batch->columns[column];
    return column_is_null(from, row) ? STR_NULL : column_text(from, row);
}

/* A JSON text, or {"@base64": "…"}: the bytes that it stands for. *ret_is false for other JSON. */
static Status bytes_of(const JsonValue *value, Arena *arena, Str *ret_bytes, bool *ret_is, Err *err)
{
    *ret_is = value && value->kind == JSON_STRING;
    if (*ret_is) *ret_bytes = value->text.ptr ? value->text : STR("");
    const JsonValue *coded = json_member(value, STR("@base64"));
    if (*ret_is || !coded || coded->kind != JSON_STRING || value->count != 1) return OK;
    uint8_t *bytes = arena_alloc(arena, coded->text.len / 4 * 3 + 4);
    if (!bytes) return err_memory(err);
    int64_t len = 0;
    *ret_is = base64_decode(coded->text, bytes, &len);
    if (*ret_is) *ret_bytes = str_make((const char *)bytes, len);
    return OK;
}

/* What could not be read stands in the reject as text or base64; all else is JSON already. */
static Status find_original(Str data, bool routed, Arena *arena, Str *ret_original, Err *err)
{
    *ret_original = data;
    JsonSlot slot;
    if (routed || !json_scan(data, &slot, NULL)) return OK;
    bool coded = slot.kind == JSON_OBJECT && json_count(&slot) == 1;
    if (slot.kind != JSON_STRING && !coded) return OK;
    JsonValue *value = NULL;
    bool is = false;
    TRY(json_parse(data, arena, &value, err));
    return bytes_of(value, arena, ret_original, &is, err);
}

static Status find_origin(Str json, Arena *arena, Letter *letter, Err *err)
{
    JsonValue *key = NULL;
    bool is = false;
    if (!json.len) return OK;
    TRY(json_parse(json, arena, &key, err));
    letter->topic = json_member_text(key, STR("topic"), STR_NULL);
    (void)json_int64(json_member(key, STR("partition")), &letter->partition);
    (void)json_int64(json_member(key, STR("offset")), &letter->offset);
    TRY(bytes_of(json_member(key, STR("key")), arena, &letter->key, &is, err));
    const JsonValue *headers = json_member(key, STR("headers"));
    if (headers && headers->kind == JSON_OBJECT) letter->headers = headers->text;
    int64_t ms = 0;
    bool zone = false;
    const JsonValue *time = json_member(key, STR("timestamp"));
    letter->has_timestamp = json_int64(time, &ms); /* as brokers have it */
    letter->timestamp_us = ms * 1000;
    if (time && time->kind == JSON_STRING) {
        letter->has_timestamp = datetime_parse_timestamp(time->text, &letter->timestamp_us, &zone);
    }
    return OK;
}

static Status find_type(const DeadLetters *letters, Arena *arena, Letter *letter, Err *err)
{
    if (letters->route_by.count == 0 || !json_validate(letter->original, NULL)) return OK;
    JsonSlot slot = json_get_path(letter->original, &letters->route_by);
    return slot.kind == JSON_STRING ? json_text(&slot, arena, &letter->type, err) : OK;
}

static Status letter_read(DeadLetters *letters, const Batch *rejects, int64_t row, Letter *letter,
                          Err *err)
{
    *letter = (Letter){
        .stage = column_or_null(rejects, REJECT_STAGE, row),
        .column = column_or_null(rejects, REJECT_COLUMN, row),
        .reason = column_or_null(rejects, REJECT_REASON, row),
        .partition = column_int64(&rejects->columns[REJECT_PART])[row],
        .offset = column_int64(&rejects->columns[REJECT_ROW])[row],
    };
    int64_t slash = letter->stage.len - 1;
    while (slash >= 0 && letter->stage.ptr[slash] != '/') slash--;
    if (slash >= 0) letter->processor = str_slice(letter->stage, 0, slash);
    bool routed = slash >= 0 || str_eq(letter->stage, STR("route"));
    Arena *arena = &letters->arena;
    Str data = column_or_null(rejects, REJECT_DATA, row);
    TRY(find_original(data, routed, arena, &letter->original, err));
    TRY(find_origin(column_or_null(rejects, REJECT_KEY, row), arena, letter, err));
    return find_type(letters, arena, letter, err);
}

/* ---- envelope ---- */

/* Parsed JSON, or a text where it is none, or base64 where it is no text. */
static void put_original(JsonWriter *w, const Letter *letter, Arena *arena)
{
    Str bytes = letter->original;
    json_key(w, "original_message");
    if (!bytes.ptr) json_write_null(w);
    else if (json_validate(bytes, NULL)) json_write_raw(w, str_trim(bytes));
    else if (str_is_utf8(bytes)) json_write_text(w, bytes);
    else {
        char *text = arena_alloc(arena, base64_encoded_len(bytes.len));
        if (text) base64_encode(bytes, text);
        json_write_text_or_null(w, str_make(text, text ? base64_encoded_len(bytes.len) : 0));
        json_key(w, "encoding");
        json_write_text(w, STR("base64"));
    }
}

static Str now_text(char text[DATETIME_TEXT_MAX])
{
    return str_make(text, datetime_format_timestamp(clock_now_us(), 'T', true, text));
}

static Status put_envelope(DeadLetters *letters, const Letter *letter, Err *err)
{
    char now[DATETIME_TEXT_MAX];
    JsonWriter w = json_writer_make(&letters->text, err);
    json_object_begin(&w);
    put_original(&w, letter, &letters->arena);
    json_key(&w, "error");
    json_write_text(&w, letter->reason);
    json_key(&w, "timestamp");
    json_write_text(&w, now_text(now));
    json_key(&w, "topic");
    json_write_text_or_null(&w, letter->topic);
    json_key(&w, "partition");
    json_write_int64(&w, letter->partition);
    json_key(&w, "offset");
    json_write_int64(&w, letter->offset);
    json_key(&w, "type");
    json_write_text_or_null(&w, letter->type);
    json_key(&w, "processor");
    json_write_text_or_null(&w, letter->processor);
    json_key(&w, "stage");
    json_write_text(&w, letter->stage);
    json_key(&w, "path");
    json_write_text_or_null(&w, letter->column.len ? letter->column : STR_NULL);
    json_object_end(&w);
    return json_writer_end(&w);
}

static Status add_envelope(DeadLetters *letters, const Letter *letter, Err *err)
{
    buf_clear(&letters->text);
    TRY(put_envelope(letters, letter, err));
    Message message = {.key = letter->key, .value = buf_str(&letters->text)};
    return message_writer_add(&letters->writer, &message, err);
}

/* ---- raw ---- */

static void put_header(JsonWriter *w, const char *name, Str value)
{
    if (!value.len) return;
    json_key(w, name);
    json_write_text(w, value);
}

static Status put_headers(DeadLetters *letters, const Letter *letter, Err *err)
{
    char now[DATETIME_TEXT_MAX], partition[32], offset[32];
    (void)snprintf(partition, sizeof partition, "%lld", (long long)letter->partition);
    (void)snprintf(offset, sizeof offset, "%lld", (long long)letter->offset);
    JsonWriter w = json_writer_make(&letters->text, err);
    json_object_begin(&w);
    JsonSlot object, key, value;
    if (letter->headers.len && json_scan(letter->headers, &object, NULL)) {
        JsonIter iter = json_iter(&object);
        while (json_iter_next(&iter, &key, &value)) {
            Str name, text;
            TRY(json_text(&key, &letters->arena, &name, err));
            TRY(json_text(&value, &letters->arena, &text, err));
            json_key_str(&w, name);
            json_write_text(&w, text);
        }
    }
    put_header(&w, "dlq.error.message", str_slice(letter->reason, 0, 1000));
    put_header(&w, "dlq.error.path", letter->column);
    put_header(&w, "dlq.stage", letter->stage);
    put_header(&w, "dlq.processor", letter->processor);
    put_header(&w, "dlq.topic", letter->topic);
    put_header(&w, "dlq.partition", str_from(partition));
    put_header(&w, "dlq.offset", str_from(offset));
    put_header(&w, "dlq.failed_at", now_text(now));
    json_object_end(&w);
    return json_writer_end(&w);
}

static Status add_raw(DeadLetters *letters, const Letter *letter, Err *err)
{
    buf_clear(&letters->text);
    TRY(put_headers(letters, letter, err));
    Message message = {
        .key = letter->key,
        .value = letter->original,
        .headers = buf_str(&letters->text),
        .has_timestamp = letter->has_timestamp,
        .timestamp_us = letter->timestamp_us,
    };
    return message_writer_add(&letters->writer, &message, err);
}

/* *ret_there: the letter was written by a cycle that wasn't committed. */
static Status find_kept(DeadLetters *letters, const Batch *rejects, int64_t row, bool *ret_there,
                        Err *err)
{
    *ret_there = false;
    if (!letters->keeps) return OK;
    KeptLetter letter = kept_letter(rejects, row);
    *ret_there = kept_letters_pass(&letters->kept, &letter);
    return *ret_there ? OK : kept_letters_add(&letters->kept, &letter, err);
}

Status dead_letters_keep(void *arg, const Position *position, Str before, Buf *ret_samples,
                         Err *err)
{
    return kept_letters_format(&((DeadLetters *)arg)->kept, position, before, ret_samples, err);
}

/* Whoever had the parts before may have written letters of a cycle that he didn't commit. */
Status dead_letters_taken(void *arg, const Position *taken, Err *err)
{
    DeadLetters *letters = arg;
    CLEANUP(load_state_done) LoadState state;
    load_state_init(&state);
    TRY(sink_state(letters->sink, &state, err));
    for (int32_t i = 0; i < taken->count; i++) {
        kept_letters_forget(&letters->kept, &taken->parts[i].part, 1);
    }
    return kept_letters_load(&letters->kept, buf_str(&state.position.samples), taken, taken, err);
}

void dead_letters_gone(void *arg, const int32_t *parts, int32_t count)
{
    kept_letters_forget(&((DeadLetters *)arg)->kept, parts, count);
}

void dead_letters_ended(void *arg, FlowRejectsEnd end)
{
    kept_letters_ended(&((DeadLetters *)arg)->kept, end);
}

void dead_letters_committed(void *arg, const Position *position)
{
    kept_letters_committed(&((DeadLetters *)arg)->kept, position);
}

Status dead_letters_shape(void *arg, const Batch *rejects, Batch **ret_batch, Err *err)
{
    DeadLetters *letters = arg;
    bool raw = letters->config->format == DEAD_LETTER_RAW;
    for (int64_t row = 0; row < rejects->rows; row++) {
        Letter letter;
        bool there = false;
        TRY(find_kept(letters, rejects, row, &there, err));
        if (there) continue;
        arena_clear(&letters->arena);
        TRY(letter_read(letters, rejects, row, &letter, err));
        if (raw) TRY(add_raw(letters, &letter, err));
        else TRY(add_envelope(letters, &letter, err));
    }
    if (letters->writer.rows == 0) return OK;
    CLEANUP(batch_unref_p) Batch *batch = NULL;
    TRY(message_writer_take(&letters->writer, &batch, err));
    batch->span = rejects->span;
    batch->span.cursor = STR_NULL;
    batch->epoch = rejects->epoch;
    *ret_batch = TAKE(batch);
    return OK;
}
