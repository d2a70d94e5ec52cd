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
    Buf origin;  /* what the cursor is of: the pipeline's own JSON; empty: not known */
    Buf steps;   /* what steps keep from one run to the next: {"name":…}, or empty */
    Buf target; /* what the target looked like when it was written: the sink's own JSON; or empty */
    void *
        handle; /* of the source that made it: for sinks that commit through it (Kafka); borrowed */
} Position;

void position_init(Position *position);
void position_done(Position *position);
/* Take a committed batch's span in; spans of one part come in order. */
MUST_USE Status position_merge(Position *position, const Span *span, Err *err);
/* Put the JSON text in the place of `buf`'s, one of the position's. */
MUST_USE Status position_keep(Buf *buf, Str json, Err *err);
MUST_USE Status position_copy(const Position *from, Position *to, Err *err);
/* Where the part is, whatever was known of it; -1: it is a part of ours that nothing is known of.
 */
MUST_USE Status position_put(Position *position, int32_t part, int64_t next, Err *err);
/* The part is none of ours any more. */
void position_remove(Position *position, int32_t part);
/* Parts of ours that are further in `from`; those that aren't in `to` are passed over. */
void position_advance(const Position *from, Position *to);
/* As JSON text {"parts":{"0":12},"cursor":"…","samples":…,"origin":…,"steps":…,"target":…} and back
 * (FAIL: ERR_DATA). */
MUST_USE Status position_format(const Position *position, Buf *out, Err *err);
MUST_USE Status position_parse(Str json, Position *position, Err *err);
/* -1 when the part is unknown. */
int64_t position_next(const Position *position, int32_t part);
bool position_has(const Position *position, int32_t part);

#endif
