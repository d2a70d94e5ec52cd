/* Positions: how far a source is committed; spans of batches merged. */
#ifndef NEURON_POSITION_H
#define NEURON_POSITION_H

#include "engine/column/batch.h"
#include "foundation/base/buf.h"

typedef struct PartPosition {
    int32_t part;
    int64_t next; /* first ordinal or offset that is not committed; -1: none was ever */
} PartPosition;

/* Embedded: position_init … position_done. */
typedef struct Position {
    PartPosition *parts; /* ascending by part */
    int32_t count, capacity;
    Buf cursor;  /* the highest committed cursor, in the source's own text; empty: none */
    Buf samples; /* what the source needs to settle a watermark later (its own JSON) */
    void *
        handle; /* of the source that made it: for sinks that commit through it (Kafka); borrowed */
} Position;

void position_init(Position *position);
void position_done(Position *position);
/* Take a committed batch's span in; spans of one part come in order. */
MUST_USE Status position_merge(Position *position, const Span *span, Err *err);
MUST_USE Status position_copy(const Position *from, Position *to, Err *err);
/* Where the part is, whatever was known of it; -1: it is a part of ours that nothing is known of.
 */
MUST_USE Status position_put(Position *position, int32_t part, int64_t next, Err *err);
/* The part is none of ours any more. */
void position_remove(Position *position, int32_t part);
/* Parts of ours that are further in `from`; those that aren't in `to` are passed over. */
void position_advance(const Position *from, Position *to);
/* As JSON text {"parts":{"0":12},"cursor":"…","samples":…} and back (false: ERR_DATA). */
MUST_USE Status position_format(const Position *position, Buf *out, Err *err);
MUST_USE Status position_parse(Str json, Position *position, Err *err);
/* -1 when the part is unknown. */
int64_t position_next(const Position *position, int32_t part);
bool position_has(const Position *position, int32_t part);

#endif
