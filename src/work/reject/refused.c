/* Refused rows out of topics, files and tables: envelopes, raw messages with headers, reject rows.
 */
#include "work/reject/refused.h"

#include <stdatomic.h>
#include <stdio.h>

#include "engine/format/json_write.h"
#include "engine/format/message.h"
#include "foundation/base/clock.h"
#include "foundation/base/datetime.h"
#include "foundation/base/hash.h"
#include "foundation/base/number.h"
#include "foundation/base/redact.h"
#include "foundation/codec/base64.h"
#include "foundation/codec/json_tree.h"

#define WAIT_NS INT64_C(500000000)
#define TEXT_MAX (INT64_C(1) << 31)

typedef struct Reading {
    const RefusedPlace *place;
    const RefusedEnv *env;
    RefusedEach *each;
    void *arg;
    Arena arena; /* of the row at hand */
    Buf row, headers, place_text;
    int64_t number;
} Reading;

/* ---- places ---- */

static bool is_message(const RefusedPlace *place)
{
    return place->location->kind == LOCATION_TOPIC;
}

bool refused_place_stream(const StreamConfig *s, RefusedPlace *ret_place)
{
    if (!s->letters.kept) return false;
    const Location *location = s->letters.elsewhere ? &s->letters.to : &s->to;
    *ret_place = (RefusedPlace){.name = s->name,
                                .stream = s,
                                .location = location,
                                .table = s->letters.name,
                                .ordered = s->letters.messages};
    ret_place->lasting = ret_place->ordered && !is_message(ret_place);
    return true;
}

bool refused_place_pipeline(const PipelineConfig *p, RefusedPlace *ret_place)
{
    if (!p->reject.on) return false;
    const Location *location = p->reject.elsewhere ? &p->reject.to : &p->to;
    bool table = location->kind == LOCATION_TABLE;
    bool named = table || !p->reject.elsewhere;
    *ret_place = (RefusedPlace){.name = p->name,
                                .pipeline = p,
                                .location = location,
                                .table = named ? p->reject.table : STR_NULL,
                                .ordered = !table,
                                .inside = table && !p->reject.elsewhere};
    ret_place->lasting = ret_place->ordered && !is_message(ret_place);
    return true;
}

/* ---- causes ---- */

/* The kind of a reason: without numbers and without what stands in quotes. */
static void put_kind(Buf *out, Str reason)
{
    bool digits = false;
    char quote = 0;
    for (int64_t i = 0; i < reason.len; i++) {
        char c = reason.ptr[i];
        bool digit = c >= '0' && c <= '9';
        bool guillemet = (uint8_t)c == 0xC2 && i + 1 < reason.len;
        if (guillemet && (uint8_t)reason.ptr[i + 1] == 0xAB) quote = '>';
        if (guillemet && (uint8_t)reason.ptr[i + 1] == 0xBB && quote == '>') quote = 0;
        if (quote == 0 && c == '\'') quote = c;
        else if (quote == c) quote = 0;
        if (quote == 0 && !(digit && digits)) IGNORE(buf_append_char(out, digit ? '#' : c, NULL));
        digits = digit;
    }
}

static void set_cause(Refused *refused)
{
    CLEANUP(buf_done) Buf text = buf_make(1 << 16);
    IGNORE(buf_append(&text, refused->stage, NULL));
    IGNORE(buf_append_char(&text, 0, NULL));
    put_kind(&text, str_slice(refused->reason, 0, 1000));
    (void)snprintf(refused->cause, sizeof refused->cause, "%08x",
                   (unsigned)(hash_64(buf_str(&text), 0) & 0xffffffff));
}

/* ---- shapes ---- */

/* A text, or {"@base64": …}: its bytes; false for anything else. */
static bool text_of(Arena *arena, const JsonValue *value, Str *ret_text)
{
    const JsonValue *coded = json_member(value, STR("@base64"));
    if (value && value->kind == JSON_STRING) {
        *ret_text = value->text.ptr ? value->text : STR("");
        return true;
    }
    if (!coded || coded->kind != JSON_STRING || value->count != 1) return false;
    int64_t len = 0;
    uint8_t *bytes = arena_alloc(arena, coded->text.len / 4 * 3 + 4);
    if (!bytes || !base64_decode(coded->text, bytes, &len)) return false;
    *ret_text = str_make((const char *)bytes, len);
    return true;
}

static void set_original(Reading *r, const JsonValue *value, bool coded, Refused *refused)
{
    Str text = STR_NULL;
    if (!value || value->kind == JSON_NULL) return;
    if (!text_of(&r->arena, value, &text)) {
        refused->original = value->text;
        refused->object = value->kind == JSON_OBJECT;
        return;
    }
    refused->original = text;
    int64_t len = 0;
    uint8_t *bytes = coded ? arena_alloc(&r->arena, text.len / 4 * 3 + 4) : NULL;
    if (bytes && base64_decode(text, bytes, &len)) {
        refused->original = str_make((const char *)bytes, len);
    }
    /* An object may be there as base64: nested too deeply for an envelope, or not for a table. */
    JsonSlot slot;
    bool as_bytes = coded || value->kind == JSON_OBJECT;
    refused->object =
        as_bytes && json_scan(refused->original, &slot, NULL) && slot.kind == JSON_OBJECT;
}

/* Of a letter whose original was cut. */
static void set_cut(const JsonValue *letter, Refused *refused)
{
    const JsonValue *cut = json_member(letter, STR("original_truncated"));
    refused->bytes = -1;
    refused->cut = json_is_true(cut);
    if (!refused->cut) return;
    refused->object = false;
    (void)json_int64(json_member(letter, STR("original_bytes")), &refused->bytes);
    refused->sha256 = json_member_text(letter, STR("original_sha256"), STR_NULL);
}

/* RFC 3339, or milliseconds as brokers have them. */
static void set_time(const JsonValue *value, Refused *refused)
{
    int64_t ms = 0;
    bool zone = false;
    refused->message.has_timestamp = json_int64(value, &ms);
    refused->message.timestamp_us = ms * 1000;
    if (!value || value->kind != JSON_STRING) return;
    refused->message.has_timestamp =
        datetime_parse_timestamp(value->text, &refused->message.timestamp_us, &zone);
}

static void set_headers(Reading *r, const JsonValue *headers, Refused *refused)
{
    Str text = STR_NULL;
    if (!headers || headers->kind != JSON_OBJECT) return;
    refused->message.headers = headers->text;
    /* As a whole in base64, where a table could not hold them. */
    JsonSlot slot;
    bool coded = text_of(&r->arena, headers, &text) && json_scan(text, &slot, NULL);
    if (coded && slot.kind == JSON_OBJECT) refused->message.headers = text;
}

/* Where a message came from, as refused rows carry it in `key`. */
static void set_origin(Reading *r, const JsonValue *key, Refused *refused)
{
    refused->message.topic = json_member_text(key, STR("topic"), STR_NULL);
    (void)json_int64(json_member(key, STR("partition")), &refused->message.part);
    (void)json_int64(json_member(key, STR("offset")), &refused->message.offset);
    (void)text_of(&r->arena, json_member(key, STR("key")), &refused->message.key);
    set_headers(r, json_member(key, STR("headers")), refused);
    set_time(json_member(key, STR("timestamp")), refused);
}

static void from_envelope(Reading *r, const JsonValue *letter, Refused *refused)
{
    bool coded = json_member_text(letter, STR("encoding"), STR_NULL).len > 0;
    set_original(r, json_member(letter, STR("original_message")), coded, refused);
    refused->reason = json_member_text(letter, STR("error"), STR(""));
    refused->time = json_member_text(letter, STR("timestamp"), STR_NULL);
    refused->stage = json_member_text(letter, STR("stage"), STR(""));
    refused->column = json_member_text(letter, STR("path"), STR_NULL);
    refused->type = json_member_text(letter, STR("type"), STR_NULL);
    refused->message.topic = json_member_text(letter, STR("topic"), STR_NULL);
    (void)json_int64(json_member(letter, STR("partition")), &refused->message.part);
    (void)json_int64(json_member(letter, STR("offset")), &refused->message.offset);
    (void)text_of(&r->arena, json_member(letter, STR("key")), &refused->message.key);
    set_headers(r, json_member(letter, STR("headers")), refused);
    set_time(json_member(letter, STR("original_timestamp")), refused);
    set_cut(letter, refused);
}

/* A row of the reject schema; in tables and CSV its JSON columns may be texts. */
static Status json_of(Reading *r, const JsonValue *value, const JsonValue **ret_value, Err *err)
{
    JsonValue *parsed = NULL;
    *ret_value = value;
    if (!value || value->kind != JSON_STRING || !json_validate(value->text, NULL)) return OK;
    TRY(json_parse(value->text, &r->arena, &parsed, err));
    *ret_value = parsed;
    return OK;
}

/* What SinkReject.replayed tells rows by. */
static Status set_place(Reading *r, const JsonValue *row, Refused *refused, Err *err)
{
    static const char *const NAMES[] = {"neuron_rowid", "run_id", "seq", "part", "row"};
    if (r->place->ordered || r->place->location->kind != LOCATION_TABLE) return OK;
    buf_clear(&r->place_text);
    JsonWriter w = json_writer_make(&r->place_text, err);
    json_object_begin(&w);
    for (int32_t i = 0; i < COUNT_OF(NAMES); i++) {
        const JsonValue *value = json_member(row, str_from(NAMES[i]));
        if (!value) continue;
        json_key(&w, NAMES[i]);
        if (value->kind == JSON_STRING) json_write_text(&w, value->text);
        else json_write_raw(&w, value->text);
    }
    json_object_end(&w);
    refused->place = buf_str(&r->place_text);
    return json_writer_end(&w);
}

static Status from_row(Reading *r, const JsonValue *row, Refused *refused, Err *err)
{
    const JsonValue *data = NULL, *key = NULL;
    TRY(json_of(r, json_member(row, STR("data")), &data, err));
    TRY(json_of(r, json_member(row, STR("key")), &key, err));
    set_original(r, data, false, refused);
    if (r->place->stream) set_cut(data, refused);
    if (refused->cut) {
        refused->original = json_member_text(data, STR("original_message"), STR_NULL);
    }
    refused->reason = json_member_text(row, STR("reason"), STR(""));
    refused->stage = json_member_text(row, STR("stage"), STR(""));
    refused->column = json_member_text(row, STR("column"), STR_NULL);
    (void)json_int64(json_member(row, STR("part")), &refused->message.part);
    (void)json_int64(json_member(row, STR("row")), &refused->message.offset);
    if (r->place->stream) set_origin(r, key, refused);
    return set_place(r, row, refused, err);
}

/* A message as it was, with headers that say why; those that were its own are kept. */
static Status from_headers(Reading *r, const JsonValue *headers, Refused *refused, Err *err)
{
    buf_clear(&r->headers);
    JsonWriter w = json_writer_make(&r->headers, err);
    json_object_begin(&w);
    int64_t own = 0;
    for (const JsonValue *at = headers ? headers->first : NULL; at; at = at->next) {
        if (str_starts(at->key, STR("dlq."))) continue;
        json_key_str(&w, at->key);
        if (at->kind == JSON_STRING) json_write_text(&w, at->text);
        else json_write_raw(&w, at->text);
        own++;
    }
    json_object_end(&w);
    TRY(json_writer_end(&w));
    refused->message.headers = own ? buf_str(&r->headers) : STR_NULL;
    refused->reason = json_member_text(headers, STR("dlq.error.message"), STR(""));
    refused->stage = json_member_text(headers, STR("dlq.stage"), STR(""));
    refused->column = json_member_text(headers, STR("dlq.error.path"), STR_NULL);
    refused->time = json_member_text(headers, STR("dlq.failed_at"), STR_NULL);
    refused->message.topic = json_member_text(headers, STR("dlq.topic"), STR_NULL);
    const JsonValue *time = json_member(headers, STR("dlq.timestamp"));
    if (time) set_time(time, refused);
    Str place = json_member_text(headers, STR("dlq.partition"), STR_NULL);
    (void)number_parse_int64(place, &refused->message.part);
    place = json_member_text(headers, STR("dlq.offset"), STR_NULL);
    (void)number_parse_int64(place, &refused->message.offset);
    return OK;
}

/* Topics are read in no order of their partitions: only place and offset stay the same. */
static void set_id(Reading *r, Refused *refused)
{
    r->number++;
    if (is_message(r->place)) {
        (void)snprintf(refused->id, sizeof refused->id, "%d/%lld", refused->part,
                       (long long)refused->ordinal);
    } else {
        (void)snprintf(refused->id, sizeof refused->id, "%lld", (long long)r->number);
    }
}

static Status give(Reading *r, Refused *refused, Err *err)
{
    set_id(r, refused);
    set_cause(refused);
    return r->each(r->arg, refused, err);
}

/* ---- rows and messages ---- */

static bool is_open(const RefusedPlace *place)
{
    return place->location->connector->open_rows;
}

/* The row as JSON: as it stands, or made of its columns. */
static Status row_json(Reading *r, const Batch *batch, int64_t row, Str *ret_json, Err *err)
{
    if (is_open(r->place)) {
        *ret_json = column_text(&batch->columns[0], row);
        return OK;
    }
    buf_clear(&r->row);
    TRY(json_write_row(batch, row, &r->row, err));
    *ret_json = buf_str(&r->row);
    return OK;
}

static Status visit_row(Reading *r, const Batch *batch, int64_t row, Err *err)
{
    Str json,
        header_text = is_message(r->place) ? batch_text_in(batch, STR("@headers"), row) : STR_NULL;
    JsonValue *root = NULL, *headers = NULL;
    arena_clear(&r->arena);
    TRY(row_json(r, batch, row, &json, err));
    TRY(json_parse(json, &r->arena, &root, err));
    if (header_text.len) TRY(json_parse(header_text, &r->arena, &headers, err));
    Refused refused = {.part = batch->span.part, .ordinal = batch_ordinal(batch, row)};
    if (is_message(r->place)) refused.message.key = message_open_key(batch, row);
    if (json_member(headers, STR("dlq.error.message"))) {
        int32_t at = schema_find(batch->schema, STR("@timestamp"));
        refused.message.has_timestamp = at >= 0 && !column_is_null(&batch->columns[at], row);
        if (refused.message.has_timestamp)
            refused.message.timestamp_us = column_int64(&batch->columns[at])[row];
        refused.original = json;
        refused.object = true;
        TRY(from_headers(r, headers, &refused, err));
    } else if (json_member(root, STR("original_message"))) {
        from_envelope(r, root, &refused);
    } else if (json_member(root, STR("reason"))) {
        TRY(from_row(r, root, &refused, err));
    } else {
        return OK; /* none of ours */
    }
    return give(r, &refused, err);
}

/* A message that is no JSON object came from the broker as a refused row: its bytes in `data`. */
static Status visit_raw(Reading *r, const Batch *rejects, int64_t row, Err *err)
{
    Str key_text = column_text(&rejects->columns[REJECT_KEY], row);
    JsonValue *key = NULL, *data = NULL;
    arena_clear(&r->arena);
    Refused refused = {.part = (int32_t)column_int64(&rejects->columns[REJECT_PART])[row],
                       .ordinal = column_int64(&rejects->columns[REJECT_ROW])[row]};
    if (!column_is_null(&rejects->columns[REJECT_KEY], row)) {
        TRY(json_parse(key_text, &r->arena, &key, err));
    }
    if (!column_is_null(&rejects->columns[REJECT_DATA], row)) {
        TRY(json_parse(column_text(&rejects->columns[REJECT_DATA], row), &r->arena, &data, err));
    }
    const JsonValue *headers = json_member(key, STR("headers"));
    if (!json_member(headers, STR("dlq.error.message"))) return OK; /* none of ours */
    (void)text_of(&r->arena, json_member(key, STR("key")), &refused.message.key);
    set_time(json_member(key, STR("timestamp")), &refused);
    set_original(r, data, false, &refused);
    TRY(from_headers(r, headers, &refused, err));
    return give(r, &refused, err);
}

static Status visit_event(Reading *r, const SourceEvent *event, Err *err)
{
    CLEANUP(batch_unref_p) Batch *batch = event->batch;
    CLEANUP(batch_unref_p) Batch *rejects = event->rejects;
    for (int64_t row = 0; batch && row < batch->rows; row++) TRY(visit_row(r, batch, row, err));
    if (!rejects || !is_message(r->place)) return OK;
    for (int64_t row = 0; row < rejects->rows; row++) TRY(visit_raw(r, rejects, row, err));
    return OK;
}

static Status read_parts(Reading *r, Source *source, Err *err)
{
    for (int32_t part = 0; part < source_parts(source); part++) {
        for (bool more = true; more;) {
            SourceEvent event = {0};
            if (r->env->stop && atomic_load(r->env->stop)) {
                return err_set(err, ERR_CANCELLED, "cancelled");
            }
            TRY(source_next(source, part, clock_mono_ns() + WAIT_NS, &event, err));
            more = event.kind != SOURCE_END;
            TRY(visit_event(r, &event, err));
        }
    }
    return OK;
}

static Status read_source(Reading *r, const SourceReq *req, Err *err)
{
    Source *source = NULL;
    SourceInfo info = {.arena = arena_make(16 << 20)};
    Status status = connector_source(req, &source, err);
    if (status == OK) status = source_describe(source, &info, err);
    if (status == OK) status = source_open(source, NULL, r->env->budget, err);
    if (status == OK) status = read_parts(r, source, err);
    source_close(source);
    source_info_done(&info);
    return status;
}

/* A file that nothing was refused into does not exist, nor does a table. */
static bool is_not_there(const RefusedPlace *place, const Err *why)
{
    return !is_message(place) && why->kind == ERR_NOT_FOUND;
}

static Status read_place(Reading *r, Err *err)
{
    Arena arena = arena_make(1 << 20);
    PathSet paths;
    pathset_init(&paths);
    Location from = *r->place->location;
    char tail[32];
    (void)snprintf(tail, sizeof tail, "%lld", (long long)r->env->tail);
    Status status = OK;
    if (is_message(r->place) && r->env->tail > 0) {
        status = location_set(&from, &arena, STR("tail"), str_from(tail), err);
    }
    SourceReq req = {.location = &from,
                     .table = r->place->table,
                     .limits.bounded = true,
                     .limits.parallel = 1,
                     .open = is_open(r->place),
                     .paths = &paths,
                     .rejects = true,
                     .places = from.kind == LOCATION_TABLE,
                     .spool_folder = r->env->spool_folder,
                     .stop = r->env->stop};
    Err why = {0};
    if (status == OK && read_source(r, &req, &why) != OK && !is_not_there(r->place, &why)) {
        if (err) *err = why;
        status = FAIL;
    }
    pathset_done(&paths);
    arena_done(&arena);
    return status;
}

Status refused_read(const RefusedPlace *place, const RefusedEnv *env, RefusedEach *each, void *arg,
                    Err *err)
{
    Reading r = {.place = place,
                 .env = env,
                 .each = each,
                 .arg = arg,
                 .arena = arena_make(TEXT_MAX),
                 .row = buf_make(TEXT_MAX),
                 .headers = buf_make(TEXT_MAX),
                 .place_text = buf_make(1 << 20)};
    Status status = read_place(&r, err);
    buf_done(&r.row);
    buf_done(&r.headers);
    buf_done(&r.place_text);
    arena_done(&r.arena);
    return status;
}

/* ---- as JSON ---- */

Str refused_reason(Str reason, char to[REFUSED_REASON_MAX])
{
    if (!redact_values()) return reason;
    (void)snprintf(to, REFUSED_REASON_MAX, "%.*s", STR_ARG(reason));
    redact_quoted(to);
    return str_slice(str_from(to), 0, str_utf8_prefix(str_from(to)));
}

void refused_write(const Refused *refused, JsonWriter *w)
{
    json_key_text_or_null(w, "id", str_from(refused->id));
    json_key_text_or_null(w, "cause", str_from(refused->cause));
    json_key_text_or_null(w, "stage", refused->stage);
    json_key_text_or_null(w, "column", refused->column);
    char reason[REFUSED_REASON_MAX];
    json_key_text_or_null(w, "reason", refused_reason(refused->reason, reason));
    json_key_text_or_null(w, "type", redact_value(refused->type));
    json_key_text_or_null(w, "time", refused->time);
    json_key_text_or_null(w, "topic", refused->message.topic);
    json_key_int64(w, "partition", refused->message.part);
    json_key_int64(w, "offset", refused->message.offset);
    json_key(w, "original");
    if (redact_values()) json_write_text(w, STR(REDACT_MASK));
    else if (refused->object) json_write_raw(w, refused->original);
    else if (str_is_utf8(refused->original)) json_write_text_or_null(w, refused->original);
    else json_write_text(w, STR("(no text)"));
    if (!refused->cut) return;
    json_key(w, "original_truncated");
    json_write_bool(w, true);
    json_key(w, "original_bytes");
    if (refused->bytes < 0) json_write_null(w);
    else json_write_int64(w, refused->bytes);
    json_key_text_or_null(w, "original_sha256", refused->sha256);
}
