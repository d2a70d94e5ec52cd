/* A codec for tests: the value `v<letters>` is the row {"v":"<letters>"}; all else is refused. */
#ifndef NEURON_TESTS_TINY_CODEC_H
#define NEURON_TESTS_TINY_CODEC_H

#include "engine/format/message_codec.h"
#include "foundation/base/mem.h"

enum { TINY_FIELDS = 8 };

typedef struct TinyDecoder {
    MessageDecoder decoder;
    Schema *schema;
    Builder builders[TINY_FIELDS];
    int64_t rows;
} TinyDecoder;

static inline Status tiny_add(MessageDecoder *decoder, Str value, bool *ret_taken,
                              char ret_reason[MESSAGE_REASON_MAX], Err *err)
{
    TinyDecoder *self = (TinyDecoder *)decoder;
    char object[64];
    *ret_taken = str_starts(value, STR("v"));
    (void)snprintf(ret_reason, MESSAGE_REASON_MAX, "no v");
    if (!*ret_taken) return OK;
    Str letters = str_slice(value, 1, value.len);
    (void)snprintf(object, sizeof object, "{\"v\":\"%.*s\"}", STR_ARG(letters));
    self->rows++;
    return builder_text(&self->builders[0], str_from(object), err);
}

static inline Builder *tiny_builder(MessageDecoder *decoder, int32_t field)
{
    return &((TinyDecoder *)decoder)->builders[field];
}

static inline int64_t tiny_rows(const MessageDecoder *decoder)
{
    return ((const TinyDecoder *)decoder)->rows;
}

static inline Status tiny_finish(MessageDecoder *decoder, Batch **ret_batch, Err *err)
{
    TinyDecoder *self = (TinyDecoder *)decoder;
    TRY(batch_new(self->schema, ret_batch, err));
    for (int32_t i = 0; i < self->schema->count; i++) {
        TRY(builder_finish(&self->builders[i], &(*ret_batch)->columns[i], err));
    }
    (*ret_batch)->rows = self->rows;
    self->rows = 0;
    return OK;
}

static inline void tiny_decoder_free(MessageDecoder *decoder)
{
    TinyDecoder *self = (TinyDecoder *)decoder;
    for (int32_t i = 0; i < self->schema->count; i++) builder_done(&self->builders[i]);
    schema_unref(self->schema);
    mem_free(self);
}

static inline Status tiny_decoder_new(const PathSet *paths, bool meta, Budget *budget,
                                      MessageDecoder **ret_decoder, Err *err)
{
    static const MessageDecoderOps OPS = {.add = tiny_add,
                                          .builder = tiny_builder,
                                          .rows = tiny_rows,
                                          .finish = tiny_finish,
                                          .free = tiny_decoder_free};
    TinyDecoder *self = mem_zalloc((int64_t)sizeof *self);
    if (!self) return err_memory(err);
    self->decoder.ops = &OPS;
    TRY(pathset_schema(paths, meta, &self->schema, err));
    for (int32_t i = 0; i < self->schema->count; i++) {
        builder_init(&self->builders[i], self->schema->fields[i].type, budget);
    }
    *ret_decoder = &self->decoder;
    return OK;
}

/* A row's value is `v` and its first column, a text. */
static inline Status tiny_row(MessageEncoder *encoder UNUSED, const Batch *batch, int64_t row,
                              Buf *out, Err *err)
{
    TRY(buf_append_char(out, 'v', err));
    return buf_append(out, column_text(&batch->columns[0], row), err);
}

static inline void tiny_encoder_free(MessageEncoder *encoder)
{
    mem_free(encoder);
}

static inline Status tiny_encoder_new(const Schema *schema UNUSED, MessageEncoder **ret_encoder,
                                      Err *err)
{
    static const MessageEncoderOps OPS = {.row = tiny_row, .free = tiny_encoder_free};
    MessageEncoder *self = mem_zalloc((int64_t)sizeof *self);
    if (!self) return err_memory(err);
    self->ops = &OPS;
    *ret_encoder = self;
    return OK;
}

static const MessageCodec tiny_codec = {tiny_decoder_new, tiny_encoder_new};

#endif
