/* Dead letters: refused messages taken apart and given the form that their place takes. */
#include "foundation/base/datetime.h"
#include "foundation/base/mem.h"
#include "foundation/codec/base64.h"
#include "foundation/codec/json_tree.h"
#include "work/stream/letter.h"
#include "work/stream/stream_impl.h"

#define LETTER_ARENA_MAX (INT64_C(2) << 30)

Status dead_letters_init(DeadLetters *letters, const StreamConfig *config, Err *err)
{
    *letters = (DeadLetters){.config = config,
                             .text = buf_make(LETTER_ARENA_MAX),
                             .place = buf_make(LETTER_ARENA_MAX),
                             .arena = arena_make(LETTER_ARENA_MAX),
                             .path_arena = arena_make(1 << 20)};
    Str topic = config->topic.len ? config->topic : config->from.path;
    letter_filter_init(&letters->kept, topic, location_option(&config->from, STR("group")));
    Err ignored = {0};
    if (json_path_parse(config->routing.by.text, &letters->path_arena, &letters->route_by,
                        &ignored) != OK) {
        letters->route_by.count = 0;
    }
    TRY(reject_writer_init(&letters->rows, NULL, 0, err));
    return message_writer_init(&letters->writer, NULL, err);
}

const Schema *dead_letters_schema(const DeadLetters *letters)
{
    return letters->config->letters.messages ? letters->writer.schema : letters->rows.schema;
}

void dead_letters_done(DeadLetters *letters)
{
    message_writer_done(&letters->writer);
    reject_writer_done(&letters->rows);
    letter_filter_done(&letters->kept);
    buf_done(&letters->text);
    buf_done(&letters->place);
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

/* Rows that the target refused are of the output: the message is what they were made of. */
static Status find_message(DeadLetters *letters, const FlowRejectRows *rows, Str *ret_key,
                           Letter *letter, Err *err)
{
    int64_t at = 0;
    const Batch *origin =
        flow_origin(rows->origins, (int32_t)letter->partition, letter->offset, &at);
    letter->unknown = !origin;
    *ret_key = STR_NULL;
    if (!origin) return OK;
    letter->original = column_text(&origin->columns[0], at);
    buf_clear(&letters->place);
    TRY(route_put_place(origin, at, &letters->place, err));
    *ret_key = buf_str(&letters->place);
    return OK;
}

static Status letter_read(DeadLetters *letters, const FlowRejectRows *rows, int64_t row,
                          Letter *letter, Err *err)
{
    const Batch *rejects = rows->rejects;
    *letter = (Letter){
        .stage = column_or_null(rejects, REJECT_STAGE, row),
        .column = column_or_null(rejects, REJECT_COLUMN, row),
        .reason = column_or_null(rejects, REJECT_REASON, row),
        .value = column_or_null(rejects, REJECT_VALUE, row),
        .sqlstate = column_or_null(rejects, REJECT_SQLSTATE, row),
        .partition = column_int64(&rejects->columns[REJECT_PART])[row],
        .offset = column_int64(&rejects->columns[REJECT_ROW])[row],
    };
    const Column *line = &rejects->columns[REJECT_LINE];
    if (!column_is_null(line, row)) letter->line = column_int64(line)[row];
    int64_t slash = letter->stage.len - 1;
    while (slash >= 0 && letter->stage.ptr[slash] != '/') slash--;
    if (slash >= 0) letter->processor = str_slice(letter->stage, 0, slash);
    bool routed = slash >= 0 || str_eq(letter->stage, STR("route"));
    bool is_message = routed || str_eq(letter->stage, STR("read"));
    Arena *arena = &letters->arena;
    Str key = column_or_null(rejects, REJECT_KEY, row);
    Str data = column_or_null(rejects, REJECT_DATA, row);
    if (is_message) TRY(find_original(data, routed, arena, &letter->original, err));
    else TRY(find_message(letters, rows, &key, letter, err));
    TRY(find_origin(key, arena, letter, err));
    return find_type(letters, arena, letter, err);
}

/* *ret_there: the letter was written by a cycle that wasn't committed. */
static Status find_kept(DeadLetters *letters, const Batch *rejects, int64_t row, bool *ret_there,
                        Err *err)
{
    *ret_there = false;
    if (!letters->keeps) return OK;
    KeptLetter letter = kept_letter(rejects, row);
    *ret_there = letter_filter_pass(&letters->kept, &letter);
    return *ret_there ? OK : letter_filter_add(&letters->kept, &letter, err);
}

Status dead_letters_keep(void *arg, const Position *position, Str before, Buf *ret_samples,
                         Err *err)
{
    return letter_filter_format(&((DeadLetters *)arg)->kept, position, before, ret_samples, err);
}

/* Whoever had the parts before may have written letters of a cycle that he didn't commit. */
Status dead_letters_taken(void *arg, const Position *taken, Err *err)
{
    DeadLetters *letters = arg;
    CLEANUP(load_state_done) LoadState state;
    load_state_init(&state);
    TRY(sink_state(letters->sink, &state, err));
    for (int32_t i = 0; i < taken->count; i++) {
        letter_filter_forget(&letters->kept, &taken->parts[i].part, 1);
    }
    return letter_filter_load(&letters->kept, buf_str(&state.position.samples), taken, taken, err);
}

void dead_letters_gone(void *arg, const int32_t *parts, int32_t count)
{
    letter_filter_forget(&((DeadLetters *)arg)->kept, parts, count);
}

void dead_letters_ended(void *arg, FlowRejectsEnd end)
{
    letter_filter_ended(&((DeadLetters *)arg)->kept, end);
}

void dead_letters_committed(void *arg, const Position *position)
{
    letter_filter_committed(&((DeadLetters *)arg)->kept, position);
}

/* ---- shaping ---- */

int32_t dead_letters_next(void *arg, int32_t form, Str sqlstate)
{
    const StreamConfig *config = ((DeadLetters *)arg)->config;
    int32_t base = form & LETTER_FORM_MASK, flags = form & ~LETTER_FORM_MASK;
    bool time = str_eq(sqlstate, STR("22008")), key = str_eq(sqlstate, STR("23502"));
    if (time && !(flags & LETTER_NOW)) return form | LETTER_NOW;
    if (key && config->letters.messages && !(flags & LETTER_KEYED)) return form | LETTER_KEYED;
    bool as_raw = config->letters.topic && config->letters.format == DEAD_LETTER_ENVELOPE;
    base += base + 1 == LETTER_RAW && !as_raw ? 2 : 1;
    return base < LETTER_FORM_COUNT ? base | flags : -1;
}

static Status add_letter(DeadLetters *letters, const Letter *letter, int32_t form, Err *err)
{
    const StreamConfig *config = letters->config;
    int32_t base = form & LETTER_FORM_MASK;
    if (!config->letters.messages) {
        return letter_row(letter, form, &letters->arena, &letters->rows, err);
    }
    Message message;
    bool whole_raw = base == LETTER_WHOLE && config->letters.format == DEAD_LETTER_RAW;
    bool raw = (base == LETTER_RAW || whole_raw) && !letter->unknown;
    TRY((raw ? letter_raw : letter_envelope)(letter, form, &letters->arena, &letters->text,
                                             &message, err));
    return message_writer_add(&letters->writer, &message, err);
}

/* Letters are known by where their messages stand, so that their place can name one it refuses. */
static Status take_letters(DeadLetters *letters, const Batch *rejects, const int64_t *ordinals,
                           int64_t count, Batch **ret_batch, Err *err)
{
    CLEANUP(batch_unref_p) Batch *batch = NULL;
    if (count == 0) return OK;
    if (letters->config->letters.messages) {
        TRY(message_writer_take(&letters->writer, &batch, err));
    } else {
        TRY(reject_writer_take(&letters->rows, &batch, err));
    }
    batch->span = rejects->span;
    batch->span.cursor = STR_NULL;
    batch->epoch = rejects->epoch;
    TRY(buffer_new(count * 8, NULL, &batch->ordinals, err));
    memcpy(batch->ordinals->data, ordinals, (size_t)count * 8);
    *ret_batch = TAKE(batch);
    return OK;
}

/* Those that are not in their file already; *ret_count of them. */
static Status add_letters(DeadLetters *letters, const FlowRejectRows *rows, int64_t *ordinals,
                          int64_t *ret_count, Err *err)
{
    for (int64_t row = 0; row < rows->rejects->rows; row++) {
        Letter letter;
        bool there = false;
        if (rows->forms[row] == 0) TRY(find_kept(letters, rows->rejects, row, &there, err));
        if (there) continue;
        arena_clear(&letters->arena);
        TRY(letter_read(letters, rows, row, &letter, err));
        TRY(add_letter(letters, &letter, rows->forms[row], err));
        ordinals[(*ret_count)++] = letter.offset;
    }
    return OK;
}

Status dead_letters_shape(void *arg, const FlowRejectRows *rows, Batch **ret_batch, Err *err)
{
    DeadLetters *letters = arg;
    int64_t count = 0;
    int64_t *ordinals = mem_array(rows->rejects->rows, (int64_t)sizeof *ordinals);
    if (!ordinals) return err_memory(err);
    Status status = add_letters(letters, rows, ordinals, &count, err);
    if (status == OK) {
        status = take_letters(letters, rows->rejects, ordinals, count, ret_batch, err);
    }
    mem_free(ordinals);
    return status;
}
