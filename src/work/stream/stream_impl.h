/* What the files of this room share: processors compiled, the step that runs them, dead letters. */
#ifndef NEURON_STREAM_IMPL_H
#define NEURON_STREAM_IMPL_H

#include "engine/format/message.h"
#include "foundation/codec/json_walk.h"
#include "work/stream/stream.h"

enum { STREAM_TEXT_MAX = 1 << 30 };

/* ---- route.c: processors compiled ---- */

typedef struct RouteCase {
    Str stage;   /* "transaction/1": the processor, and which of its cases from 1 */
    Expr *where; /* NULL: always */
    Select *select;
    Expr *key;            /* messages; NULL: none */
    JsonEncoder *encoder; /* messages */
    int32_t *columns; /* rows: which column of the case goes into each of the table's, -1: none */
} RouteCase;

typedef struct RouteProcessor {
    Str type;
    RouteCase *cases;
    int32_t case_count;
} RouteProcessor;

/* Embedded, and not moved: what is compiled points to `paths` and `base`. */
typedef struct Route {
    const StreamConfig *config;
    PathSet paths;
    Schema *base; /* what the expressions were compiled against */
    Schema *in;   /* with all paths: what the batches have */
    Schema *out;
    Expr *route_by;
    RouteProcessor *processors;
    int32_t processor_count;
    Arena arena;
} Route;

/* With `mistake` every mistake is told and FAIL means want of memory; without, the first one is the
 * error. `route` is freed with route_done in either case. */
MUST_USE Status route_compile(Route *route, const StreamConfig *config, StreamMistake *mistake,
                              void *arg, Err *err);
void route_done(Route *route);

/* ---- route_output.c: outputs of many cases put together in the order of the messages ---- */

typedef struct RoutePlace {
    int32_t part; /* of RouteParts; ROUTE_NOWHERE, ROUTE_PASS */
    int64_t row;
} RoutePlace;
enum { ROUTE_NOWHERE = -1, ROUTE_PASS = -2 };

/* What one case made of its messages. */
typedef struct RoutePart {
    RouteCase *from;
    Batch *out;
    Column key;
    bool has_key;
} RoutePart;

typedef struct RouteOutput {
    const Route *route;
    MessageWriter messages;
    Builder *builders; /* rows of a table */
    Buf text;
} RouteOutput;
MUST_USE Status route_output_init(RouteOutput *output, const Route *route, Err *err);
void route_output_done(RouteOutput *output);
/* *ret_out NULL: nothing. `places` has one entry per row of `in`. */
MUST_USE Status route_output_make(RouteOutput *output, const Batch *in, const RoutePlace *places,
                                  const RoutePart *parts, Batch **ret_out, Err *err);

/* ---- route_step.c ---- */

/* Borrows the compiled route and the statistics. */
MUST_USE Status route_step_new(Route *route, StreamStats *stats, Step **ret_step, Err *err);

/* ---- breaker.c ---- */

enum { BREAKER_BUCKETS = 60 };

/* What became of the messages of the last while. Used by the writer's thread alone. */
typedef struct Breaker {
    const StreamConfig *config;
    int64_t off_until_ns;  /* clock_mono_ns */
    int64_t bucket_ns, at; /* the newest bucket: clock_mono_ns / bucket_ns */
    int64_t consumed[BREAKER_BUCKETS], rejected[BREAKER_BUCKETS];
} Breaker;
void breaker_init(Breaker *breaker, const StreamConfig *config, bool off);
/* Before a cycle is committed; FAIL: ERR_LIMIT, it would be too many. For FlowGate. */
MUST_USE Status breaker_check(void *breaker, Sink *sink, const SinkRun *run, Err *err);
/* After it was. */
void breaker_add(Breaker *breaker, int64_t consumed, int64_t rejected);

/* ---- dead_letter.c ---- */

/* Gives reject batches the configured shape. Embedded. */
typedef struct DeadLetters {
    const StreamConfig *config;
    MessageWriter writer;
    Position position; /* what the place for dead letters has already; others are left out */
    Buf text;
    Arena arena;
    JsonPath route_by; /* of the type; count 0: not a path */
    Arena path_arena;
} DeadLetters;
MUST_USE Status dead_letters_init(DeadLetters *letters, const StreamConfig *config, Err *err);
void dead_letters_done(DeadLetters *letters);
/* For FlowRejectShape; `arg` is the DeadLetters. */
MUST_USE Status dead_letters_shape(void *arg, const Batch *rejects, Batch **ret_batch, Err *err);

#endif
