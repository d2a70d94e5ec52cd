/* Collecting refused rows into batches of the reject schema. */
#include "engine/format/reject.h"

#include "engine/format/json_portable.h"
#include "engine/format/json_write.h"
#include "engine/format/message.h"
#include "foundation/codec/json_walk.h"
#include "foundation/codec/json_writer.h"

enum { REJECT_TEXT_MAX = 512 << 20 };

static const Field REJECT_FIELDS[REJECT_COLUMN_COUNT] = {
    [REJECT_STAGE] = {.name = {"stage", 5}, .type = TYPE_TEXT, .not_null = true},
    [REJECT_PART] = {.name = {"part", 4}, .type = TYPE_INT64, .not_null = true},
    [REJECT_ROW] = {.name = {"row", 3}, .type = TYPE_INT64, .not_null = true},
    [REJECT_KEY] = {.name = {"key", 3}, .type = TYPE_JSON},
    [REJECT_COLUMN] = {.name = {"column", 6}, .type = TYPE_TEXT},
    [REJECT_VALUE] = {.name = {"value", 5}, .type = TYPE_TEXT},
    [REJECT_REASON] = {.name = {"reason", 6}, .type = TYPE_TEXT, .not_null = true},
    [REJECT_SQLSTATE] = {.name = {"sqlstate", 8}, .type = TYPE_TEXT},
    [REJECT_POSITION] = {.name = {"position", 8}, .type = TYPE_INT64},
    [REJECT_LINE] = {.name = {"line", 4}, .type = TYPE_INT64},
    [REJECT_DATA] = {.name = {"data", 4}, .type = TYPE_JSON},
};

Status reject_schema(Schema **ret_schema, Err *err)
{
    return schema_new(REJECT_FIELDS, REJECT_COLUMN_COUNT, false, ret_schema, err);
}

Status reject_writer_init(RejectWriter *writer, const Str *key, int32_t key_count, Err *err)
{
    *writer =
        (RejectWriter){.key_count = (int32_t)int64_min(key_count, COUNT_OF(writer->key_names))};
    for (int32_t i = 0; i < writer->key_count; i++) writer->key_names[i] = key[i];
    TRY(reject_schema(&writer->schema, err));
    for (int32_t i = 0; i < REJECT_COLUMN_COUNT; i++) {
        builder_init(&writer->builders[i], REJECT_FIELDS[i].type, NULL);
    }
    return OK;
}

void reject_writer_done(RejectWriter *writer)
{
    if (!writer->schema) return;
    for (int32_t i = 0; i < REJECT_COLUMN_COUNT; i++) builder_done(&writer->builders[i]);
    schema_unref(writer->schema);
    writer->schema = NULL;
}

/* A reject with what reject_writer_row leaves out. */
typedef struct RejectPlace {
    int64_t position; /* < 0: none */
    int64_t line;     /* 0: none */
} RejectPlace;

static Status put_text(RejectWriter *writer, RejectColumn column, Str text, Err *err)
{
    Builder *builder = &writer->builders[column];
    return text.len ? builder_text(builder, text, err) : builder_null(builder, err);
}

static Status put_int64(RejectWriter *writer, RejectColumn column, int64_t value, bool null,
                        Err *err)
{
    Builder *builder = &writer->builders[column];
    return null ? builder_null(builder, err) : builder_int64(builder, value, err);
}

static Status put_row(RejectWriter *writer, const RejectRow *row, RejectPlace place, Err *err)
{
    TRY(builder_text(&writer->builders[REJECT_STAGE], row->stage, err));
    TRY(put_int64(writer, REJECT_PART, row->part, false, err));
    TRY(put_int64(writer, REJECT_ROW, row->row, false, err));
    TRY(put_text(writer, REJECT_KEY, row->key, err));
    TRY(put_text(writer, REJECT_COLUMN, row->column, err));
    TRY(put_text(writer, REJECT_VALUE, row->value, err));
    TRY(builder_text(&writer->builders[REJECT_REASON], row->reason, err));
    TRY(put_text(writer, REJECT_SQLSTATE, row->sqlstate, err));
    TRY(put_int64(writer, REJECT_POSITION, place.position, place.position < 0, err));
    TRY(put_int64(writer, REJECT_LINE, place.line, place.line == 0, err));
    TRY(put_text(writer, REJECT_DATA, row->data, err));
    writer->rows++;
    writer->total++;
    return OK;
}

static Str cut_value(Str value)
{
    Str cut = str_slice(value, 0, REJECT_VALUE_MAX);
    return str_slice(cut, 0, str_utf8_prefix(cut));
}

/* A key column's value; in open rows also a member of the object. */
static Status put_key_value(const Batch *batch, int64_t row, Str name, Buf *out, Err *err)
{
    int32_t column = schema_find(batch->schema, name);
    if (column >= 0) return json_write_value(&batch->columns[column], row, out, err);
    JsonSlot member = {STR_NULL, JSON_MISSING, false, false};
    if (batch->schema->open && !column_is_null(&batch->columns[0], row)) {
        JsonStep step = {name, 0, false};
        JsonPath path = {&step, 1};
        member = json_get_path(column_text(&batch->columns[0], row), &path);
    }
    if (member.kind == JSON_MISSING) return buf_append(out, STR("null"), err);
    Str text = member.text;
    if (member.kind == JSON_STRING) text = str_make(text.ptr - 1, text.len + 2);
    return buf_append(out, text, err);
}

static Status put_key(const RejectWriter *writer, const Batch *batch, int64_t row, Buf *out,
                      Err *err)
{
    if (writer->key_count == 0) return OK;
    TRY(buf_append_char(out, '{', err));
    for (int32_t i = 0; i < writer->key_count; i++) {
        if (i > 0) TRY(buf_append_char(out, ',', err));
        TRY(json_put_text(out, writer->key_names[i], err));
        TRY(buf_append_char(out, ':', err));
        TRY(put_key_value(batch, row, writer->key_names[i], out, err));
    }
    return buf_append_char(out, '}', err);
}

typedef struct RejectTexts {
    Buf key, value, data;
    JsonEncoder *encoder;
} RejectTexts;

static void reject_texts_done(RejectTexts *texts)
{
    buf_done(&texts->key);
    buf_done(&texts->value);
    buf_done(&texts->data);
    json_encoder_free(texts->encoder);
}

static Status add_one(RejectWriter *writer, Str stage, const Batch *batch, const Reject *reject,
                      RejectTexts *texts, Err *err)
{
    buf_clear(&texts->key);
    buf_clear(&texts->value);
    buf_clear(&texts->data);
    TRY(put_key(writer, batch, reject->row, &texts->key, err));
    int32_t column = reject->column.len ? schema_find(batch->schema, reject->column) : -1;
    if (column >= 0) {
        TRY(json_write_plain(&batch->columns[column], reject->row, &texts->value, err));
    }
    TRY(json_encoder_row(texts->encoder, batch, reject->row, &texts->data, err));
    RejectRow row = {
        .stage = stage,
        .key = buf_str(&texts->key),
        .column = reject->column,
        .value = cut_value(buf_str(&texts->value)),
        .reason = reject->reason,
        .sqlstate = str_from(reject->sqlstate),
        .data = buf_str(&texts->data),
        .part = batch->span.part,
        .row = batch_ordinal(batch, reject->row),
    };
    return put_row(writer, &row, (RejectPlace){reject->position, 0}, err);
}

Status reject_writer_add(RejectWriter *writer, Str stage, const Batch *batch,
                         const RejectList *list, Err *err)
{
    CLEANUP(reject_texts_done)
    RejectTexts texts = {buf_make(REJECT_TEXT_MAX), buf_make(REJECT_TEXT_MAX),
                         buf_make(REJECT_TEXT_MAX), NULL};
    if (list->count == 0) return OK;
    TRY(json_encoder_new(batch->schema, &texts.encoder, err));
    for (int64_t i = 0; i < list->count; i++) {
        TRY(add_one(writer, stage, batch, &list->items[i], &texts, err));
    }
    return OK;
}

Status reject_writer_row(RejectWriter *writer, const RejectRow *row, Err *err)
{
    RejectRow copy = *row;
    copy.value = cut_value(row->value);
    return put_row(writer, &copy, (RejectPlace){-1, row->line}, err);
}

Status reject_writer_raw(RejectWriter *writer, Str stage, int32_t part, int64_t ordinal,
                         int64_t line, Str column, Str reason, Str raw, Err *err)
{
    CLEANUP(buf_done) Buf data = buf_make(REJECT_TEXT_MAX);
    TRY(message_put_bytes(raw, &data, err));
    RejectRow row = {
        .stage = stage,
        .column = column,
        .reason = reason,
        .data = buf_str(&data),
        .part = part,
        .row = ordinal,
    };
    return put_row(writer, &row, (RejectPlace){-1, line}, err);
}

Status reject_writer_take(RejectWriter *writer, Batch **ret_batch, Err *err)
{
    if (writer->rows == 0) {
        *ret_batch = NULL;
        return OK;
    }
    CLEANUP(batch_unref_p) Batch *batch = NULL;
    TRY(batch_new(writer->schema, &batch, err));
    batch->rows = writer->rows;
    for (int32_t i = 0; i < REJECT_COLUMN_COUNT; i++) {
        TRY(builder_finish(&writer->builders[i], &batch->columns[i], err));
    }
    writer->rows = 0;
    *ret_batch = TAKE(batch);
    return OK;
}

/* ---- as every database can keep them ---- */

static bool is_portable(const Column *column, int64_t row)
{
    if (column_is_null(column, row)) return true;
    Str text = column_text(column, row);
    return column->type == TYPE_JSON ? json_is_portable(text) : text_is_portable(text);
}

static bool column_is_portable(const Column *column)
{
    bool good = true;
    if (column->type != TYPE_TEXT && column->type != TYPE_JSON) return true;
    for (int64_t row = 0; row < column->length && good; row++) good = is_portable(column, row);
    return good;
}

/* JSON as bytes ({"@base64": …}), other text with marks in it. */
static Status put_portable(Builder *builder, const Column *column, int64_t row, Arena *arena,
                           Err *err)
{
    if (column_is_null(column, row)) return builder_null(builder, err);
    Str text = column_text(column, row);
    if (is_portable(column, row)) return builder_text(builder, text, err);
    if (column->type != TYPE_JSON) {
        TRY(text_portable(text, arena, &text, err));
        return builder_text(builder, text, err);
    }
    CLEANUP(buf_done) Buf coded = buf_make(2 * (int64_t)REJECT_TEXT_MAX);
    TRY(json_put_base64(&coded, text, err));
    return builder_text(builder, buf_str(&coded), err);
}

static Status make_portable(const Column *column, Column *ret_column, Err *err)
{
    Builder builder;
    Arena arena = arena_make(REJECT_TEXT_MAX);
    Status status = OK;
    builder_init(&builder, column->type, NULL);
    for (int64_t row = 0; row < column->length && status == OK; row++) {
        status = put_portable(&builder, column, row, &arena, err);
        arena_clear(&arena);
    }
    if (status == OK) status = builder_finish(&builder, ret_column, err);
    builder_done(&builder);
    arena_done(&arena);
    return status;
}

Status reject_batch_portable(Batch *batch, Batch **ret_batch, Err *err)
{
    bool good = true;
    for (int32_t i = 0; i < batch->schema->count; i++) {
        good &= column_is_portable(&batch->columns[i]);
    }
    if (good) {
        *ret_batch = batch_ref(batch);
        return OK;
    }
    CLEANUP(batch_unref_p) Batch *copy = NULL;
    TRY(batch_like(batch, batch->schema, batch->rows, &copy, err));
    for (int32_t i = 0; i < batch->schema->count; i++) {
        const Column *from = &batch->columns[i];
        TRY(column_is_portable(from) ? column_share(from, &copy->columns[i], err)
                                     : make_portable(from, &copy->columns[i], err));
    }
    *ret_batch = TAKE(copy);
    return OK;
}
