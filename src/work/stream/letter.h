/* One dead letter: a refused message taken apart, and the forms in which it can be put somewhere.
 */
#ifndef NEURON_LETTER_H
#define NEURON_LETTER_H

#include "engine/format/message.h"
#include "engine/format/reject.h"
#include "foundation/codec/json_walk.h"

/* One refused message. Texts live in the batches that it was read from or in the arena. */
typedef struct Letter {
    Str stage, column, reason, value, sqlstate;
    Str original;      /* its bytes; STR_NULL: none, or not known */
    bool unknown;      /* original: its place is all that is known of it */
    Str processor;     /* STR_NULL: none */
    Str type;          /* STR_NULL: none, or not known */
    Str topic, key;    /* STR_NULL: none */
    Str headers;       /* JSON object; STR_NULL: none */
    int64_t partition; /* for files: 0 and the line's ordinal */
    int64_t offset;
    int64_t line; /* of a file; 0: none */
    bool has_timestamp;
    int64_t timestamp_us;
} Letter;

/* What is tried in turn where the place for dead letters refuses one. The original is whole in the
 * first two; then only its beginning is there, with its size, its SHA-256 and its place. */
typedef enum LetterForm {
    LETTER_WHOLE, /* as configured: envelope, raw, or a row of the reject schema */
    LETTER_RAW,   /* envelopes in topics: the message's own bytes, with headers that say why */
    LETTER_CUT,
    LETTER_SHORT,
    LETTER_BARE, /* without any of it */
    LETTER_FORM_COUNT,
    LETTER_FORM_MASK = 7,
    LETTER_KEYED = 8, /* flag: a message without a key gets its place as one */
    LETTER_NOW = 16   /* flag: not with the message's own time */
} LetterForm;

/* How many bytes of the original a form has at most; -1: all. */
int64_t letter_bytes(int32_t form);

/* {original_message, error, timestamp, topic, …} as the value of a message. `text` and the arena
 * hold what *ret_message refers to. */
MUST_USE Status letter_envelope(const Letter *letter, int32_t form, Arena *arena, Buf *text,
                                Message *ret_message, Err *err);
/* The message as it was, with headers that say why. */
MUST_USE Status letter_raw(const Letter *letter, int32_t form, Arena *arena, Buf *text,
                           Message *ret_message, Err *err);
/* A row of the reject schema; what a table's JSON and text can't hold is in it as base64. */
MUST_USE Status letter_row(const Letter *letter, int32_t form, Arena *arena, RejectWriter *writer,
                           Err *err);

#endif
