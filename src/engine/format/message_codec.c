/* What all codecs of messages share, and the one of JSON. */
#include "engine/format/message_codec.h"

#include <stdio.h>

#include "engine/format/json_read.h"
#include "engine/format/json_write.h"
#include "foundation/base/mem.h"

void message_decoder_free(MessageDecoder *decoder)
{
    if (decoder) decoder->ops->free(decoder);
}

void message_encoder_free(MessageEncoder *encoder)
{
    if (encoder) encoder->ops->free(encoder);
}

/* ---- JSON ---- */

typedef struct JsonDecoder {
    MessageDecoder decoder;
    JsonReader *reader;
} JsonDecoder;

static const MessageDecoderOps JSON_DECODER_OPS;

static Status json_decoder_add(MessageDecoder *decoder, Str value, bool *ret_taken,
                               char ret_reason[MESSAGE_REASON_MAX], Err *err)
{
    JsonRefusal refusal;
    int64_t mark = str_starts(value, STR("\xef\xbb\xbf")) ? 3 : 0; /* a byte order mark */
    Str document = str_slice(value, mark, value.len);
    TRY(json_reader_add(MESSAGE_SELF(JsonDecoder, JSON_DECODER_OPS, decoder)->reader, document,
                        ret_taken, &refusal, err));
    if (*ret_taken) return OK;
    (void)snprintf(ret_reason, MESSAGE_REASON_MAX, "%s at byte %lld", refusal.reason,
                   (long long)(mark + refusal.offset) + 1);
    return OK;
}

static Builder *json_decoder_builder(MessageDecoder *decoder, int32_t field)
{
    return json_reader_builder(MESSAGE_SELF(JsonDecoder, JSON_DECODER_OPS, decoder)->reader, field);
}

static int64_t json_decoder_rows(const MessageDecoder *decoder)
{
    return json_reader_rows(MESSAGE_SELF(const JsonDecoder, JSON_DECODER_OPS, decoder)->reader);
}

static Status json_decoder_finish(MessageDecoder *decoder, Batch **ret_batch, Err *err)
{
    return json_reader_finish(MESSAGE_SELF(JsonDecoder, JSON_DECODER_OPS, decoder)->reader,
                              ret_batch, err);
}

static void json_decoder_free(MessageDecoder *decoder)
{
    json_reader_free(MESSAGE_SELF(JsonDecoder, JSON_DECODER_OPS, decoder)->reader);
    mem_free(decoder);
}

static const MessageDecoderOps JSON_DECODER_OPS = {
    .add = json_decoder_add,
    .builder = json_decoder_builder,
    .rows = json_decoder_rows,
    .finish = json_decoder_finish,
    .free = json_decoder_free,
};

static Status json_decoder_new(const PathSet *paths, bool meta, Budget *budget,
                               MessageDecoder **ret_decoder, Err *err)
{
    JsonDecoder *self = mem_zalloc((int64_t)sizeof *self);
    if (!self) return err_memory(err);
    self->decoder.ops = &JSON_DECODER_OPS;
    if (json_reader_open(paths, meta, budget, &self->reader, err) != OK) {
        mem_free(self);
        return FAIL;
    }
    *ret_decoder = &self->decoder;
    return OK;
}

typedef struct JsonMessageEncoder {
    MessageEncoder encoder;
    JsonEncoder *rows;
} JsonMessageEncoder;

static const MessageEncoderOps JSON_ENCODER_OPS;

static Status json_message_row(MessageEncoder *encoder, const Batch *batch, int64_t row, Buf *out,
                               Err *err)
{
    return json_encoder_row(MESSAGE_SELF(JsonMessageEncoder, JSON_ENCODER_OPS, encoder)->rows,
                            batch, row, out, err);
}

static void json_message_free(MessageEncoder *encoder)
{
    json_encoder_free(MESSAGE_SELF(JsonMessageEncoder, JSON_ENCODER_OPS, encoder)->rows);
    mem_free(encoder);
}

static const MessageEncoderOps JSON_ENCODER_OPS = {
    .row = json_message_row,
    .free = json_message_free,
};

static Status json_message_new(const Schema *schema, MessageEncoder **ret_encoder, Err *err)
{
    JsonMessageEncoder *self = mem_zalloc((int64_t)sizeof *self);
    if (!self) return err_memory(err);
    self->encoder.ops = &JSON_ENCODER_OPS;
    if (json_encoder_new(schema, &self->rows, err) != OK) {
        mem_free(self);
        return FAIL;
    }
    *ret_encoder = &self->encoder;
    return OK;
}

const MessageCodec message_codec_json = {
    .decoder_new = json_decoder_new,
    .encoder_new = json_message_new,
};
