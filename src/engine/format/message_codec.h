/* How the value of a message becomes a row, and a row the value of a message. */
#ifndef NEURON_MESSAGE_CODEC_H
#define NEURON_MESSAGE_CODEC_H

#include "engine/column/builder.h"
#include "engine/expr/expr.h"

enum { MESSAGE_REASON_MAX = 384 };

/* The format's own struct, of which a decoder or encoder is the first member. */
#define MESSAGE_SELF(Type, OPS, coder) DOWNCAST(Type, coder, (coder)->ops == &(OPS))

/* Values into batches of pathset_schema, one row each. One thread. */
typedef struct MessageDecoder MessageDecoder;

typedef struct MessageDecoderOps {
    Status (*add)(MessageDecoder *decoder, Str value, bool *ret_taken,
                  char ret_reason[MESSAGE_REASON_MAX], Err *err);
    Builder *(*builder)(MessageDecoder *decoder, int32_t field);
    int64_t (*rows)(const MessageDecoder *decoder);
    Status (*finish)(MessageDecoder *decoder, Batch **ret_batch, Err *err);
    void (*free)(MessageDecoder *decoder);
} MessageDecoderOps;

/* Decoders put this first in their own struct. */
struct MessageDecoder {
    const MessageDecoderOps *ops;
};

/* One row. *ret_taken false: refused, nothing was added, ret_reason says why. FAIL: memory,
 * limits. The value may go afterwards. */
MUST_USE static inline Status message_decoder_add(MessageDecoder *decoder, Str value,
                                                  bool *ret_taken,
                                                  char ret_reason[MESSAGE_REASON_MAX], Err *err)
{
    return decoder->ops->add(decoder, value, ret_taken, ret_reason, err);
}

/* The builder of a metadata field: after a value was taken the caller appends one value to each. */
static inline Builder *message_decoder_builder(MessageDecoder *decoder, int32_t field)
{
    return decoder->ops->builder(decoder, field);
}

/* Rows since the last finish. */
static inline int64_t message_decoder_rows(const MessageDecoder *decoder)
{
    return decoder->ops->rows(decoder);
}

/* The rows as a batch (also when there are none); span and the like are the caller's. */
MUST_USE static inline Status message_decoder_finish(MessageDecoder *decoder, Batch **ret_batch,
                                                     Err *err)
{
    return decoder->ops->finish(decoder, ret_batch, err);
}

void message_decoder_free(MessageDecoder *decoder);

/* Rows of one schema into values. One thread. */
typedef struct MessageEncoder MessageEncoder;

typedef struct MessageEncoderOps {
    Status (*row)(MessageEncoder *encoder, const Batch *batch, int64_t row, Buf *out, Err *err);
    void (*free)(MessageEncoder *encoder);
} MessageEncoderOps;

/* Encoders put this first in their own struct. */
struct MessageEncoder {
    const MessageEncoderOps *ops;
};

/* Append the value of one row. The batch has the encoder's schema. */
MUST_USE static inline Status message_encoder_row(MessageEncoder *encoder, const Batch *batch,
                                                  int64_t row, Buf *out, Err *err)
{
    return encoder->ops->row(encoder, batch, row, out, err);
}

void message_encoder_free(MessageEncoder *encoder);

/* One format of values. */
typedef struct MessageCodec {
    /* `meta`: with the fields of pathset_schema that are the caller's. The paths are borrowed;
     * `budget` (may be NULL) is charged by the builders. */
    Status (*decoder_new)(const PathSet *paths, bool meta, Budget *budget,
                          MessageDecoder **ret_decoder, Err *err);
    Status (*encoder_new)(const Schema *schema, MessageEncoder **ret_encoder, Err *err);
} MessageCodec;

/* A JSON object per message (json_read.h, json_write.h). */
extern const MessageCodec message_codec_json;

#endif
