/* Reads refused rows and dead letters from where they were put, whatever their shape. */
#ifndef NEURON_REFUSED_H
#define NEURON_REFUSED_H

#include "connect/connector.h"
#include "work/pipeline/pipeline.h"
#include "work/stream/stream.h"

enum { REFUSED_CAUSE_SIZE = 9, REFUSED_ID_SIZE = 40 };

/* Of the message that it was. */
typedef struct RefusedMessage {
    Str key;     /* STR_NULL: none */
    Str headers; /* a JSON object; STR_NULL: none */
    bool has_timestamp;
    int64_t timestamp_us;
    Str topic; /* where it came from; STR_NULL: not known */
    int64_t part, offset;
} RefusedMessage;

/* One refused row. Texts live until the next one. */
typedef struct Refused {
    char id[REFUSED_ID_SIZE]; /* names it: partition/offset, or its number from 1 */
    int32_t part; /* where it stands in its place: partition and offset; 0 and the line or row */
    int64_t ordinal;
    Str place; /* in a table instead: what tells the row from all others, a JSON object */
    Str stage, reason, column, type;
    Str time;      /* when it was refused; empty: not known */
    Str original;  /* its bytes */
    bool object;   /* they are a JSON object */
    bool cut;      /* only their beginning: they did not fit into any form of a dead letter */
    int64_t bytes; /* cut: how many they were; -1: not known */
    Str sha256;    /* cut: of all of them, in hex; STR_NULL: not known */
    RefusedMessage message;
    char cause[REFUSED_CAUSE_SIZE]; /* the same for the same stage and kind of reason */
} Refused;

/* Where they are. Borrowed. */
typedef struct RefusedPlace {
    Str name; /* of the stream or pipeline */
    const StreamConfig *stream;
    const PipelineConfig *pipeline; /* one of both */
    const Location *location;
    Str table;    /* or topic; empty: a file */
    bool ordered; /* ordinals stay the same: topics and files, not tables */
    bool lasting; /* and rows do not go away by themselves: files */
    bool inside;  /* a table beside the data: what is replayed leaves it as it is loaded */
} RefusedPlace;
/* False: it has none. */
bool refused_place_stream(const StreamConfig *stream, RefusedPlace *ret_place);
bool refused_place_pipeline(const PipelineConfig *pipeline, RefusedPlace *ret_place);

typedef struct RefusedEnv {
    const Registry *registry;
    Budget *budget;
    Str spool_folder;
    const _Atomic bool *stop;
    int64_t tail; /* topics: only so many of each partition's last; 0: all */
} RefusedEnv;

/* Each one in order. A place that isn't there yet has none. FAIL: what `each` gave, or ERR_CONNECT
 * …
 */
typedef Status RefusedEach(void *arg, const Refused *refused, Err *err);
MUST_USE Status refused_read(const RefusedPlace *place, const RefusedEnv *env, RefusedEach *each,
                             void *arg, Err *err);

/* Its reason as it may be seen: where values are masked (redact.h), without those that a reason of
 * former days holds. In `to`, or the text itself. */
enum { REFUSED_REASON_MAX = 1024 };
Str refused_reason(Str reason, char to[REFUSED_REASON_MAX]);
/* One as a JSON object's members, in an open object; masked where values are. */
void refused_write(const Refused *refused, JsonWriter *w);

#endif
