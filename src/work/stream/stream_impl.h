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
    Expr *key;               /* messages; NULL: none */
    MessageEncoder *encoder; /* messages */
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
MUST_USE Status route_output_make(RouteOutput *output, Batch *in, const RoutePlace *places,
                                  const RoutePart *parts, Batch **ret_out, Err *err);

/* ---- route_step.c ---- */

/* {"topic":…,"partition":…,"offset":…,"key":…,"timestamp":…,"headers":{…}} of a message that the
 * source gave; nothing where it has no such metadata. */
MUST_USE Status route_put_place(const Batch *in, int64_t row, Buf *out, Err *err);

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

/* ---- letter_filter.c: letters in a file whose cycle is not committed yet ---- */

/* Letters are committed before the data; when the data's commit fails the same messages are read
 * again. Exactly the letters that stand in the file then are left out: those of this part and
 * offset and, where both are known, of this mark. */
typedef struct KeptLetter {
    int32_t part;
    bool passed; /* in the open cycle */
    int64_t offset;
    uint64_t mark; /* of the message's own bytes, which another topic of that name doesn't have; 0:
                      not known (a row that the target refused) */
} KeptLetter;
KeptLetter kept_letter(const Batch *rejects, int64_t row);

typedef struct LetterFilter {
    Str topic, group; /* of the stream's source; borrowed */
    KeptLetter *items;
    int64_t kept;  /* the first ones, sorted: they stand in the file */
    int64_t total; /* after them: written in the open cycle */
    int64_t capacity;
} LetterFilter;
void letter_filter_init(LetterFilter *letters, Str topic, Str group);
void letter_filter_done(LetterFilter *letters);
/* Add what letter_filter_format made, but for letters of another topic or group, those that the
 * data's sink has committed, and, with `ours`, those of parts that it hasn't. Empty: none. */
MUST_USE Status letter_filter_load(LetterFilter *letters, Str json, const Position *committed,
                                   const Position *ours, Err *err);
/* `before` is what others, who have other parts, wrote there: their letters stay. */
MUST_USE Status letter_filter_format(const LetterFilter *letters, const Position *ours, Str before,
                                     Buf *out, Err *err);
/* Those of the parts are others' now. */
void letter_filter_forget(LetterFilter *letters, const int32_t *parts, int32_t count);
/* It stands in the file already, and is left out. */
bool letter_filter_pass(LetterFilter *letters, const KeptLetter *letter);
MUST_USE Status letter_filter_add(LetterFilter *letters, const KeptLetter *letter, Err *err);
void letter_filter_ended(LetterFilter *letters, FlowRejectsEnd end);
/* So far the source is committed: letters before it are forgotten. Those of former cycles too,
 * which the load can't tell where the target (a topic) keeps no position. */
void letter_filter_committed(LetterFilter *letters, const Position *position);

/* ---- dead_letter.c ---- */

/* Gives reject batches the configured shape. Embedded. */
typedef struct DeadLetters {
    const StreamConfig *config;
    Sink *sink;           /* where they go; borrowed; NULL: with the data */
    MessageWriter writer; /* topics and files of messages */
    RejectWriter rows;    /* tables */
    bool keeps;           /* letters go to a file: `kept` is kept in its journal */
    LetterFilter kept;
    Buf text, place;
    Arena arena;
    JsonPath route_by; /* of the type; count 0: not a path */
    Arena path_arena;
} DeadLetters;
MUST_USE Status dead_letters_init(DeadLetters *letters, const StreamConfig *config, Err *err);
void dead_letters_done(DeadLetters *letters);
/* Of the batches that shape gives. */
const Schema *dead_letters_schema(const DeadLetters *letters);
/* For FlowRejectShape; `arg` is the DeadLetters. All but the first two where letters are kept. */
MUST_USE Status dead_letters_shape(void *arg, const FlowRejectRows *rows, Batch **ret_batch,
                                   Err *err);
int32_t dead_letters_next(void *arg, int32_t form, Str sqlstate);
MUST_USE Status dead_letters_keep(void *arg, const Position *position, Str before, Buf *ret_samples,
                                  Err *err);
MUST_USE Status dead_letters_taken(void *arg, const Position *taken, Err *err);
void dead_letters_gone(void *arg, const int32_t *parts, int32_t count);
void dead_letters_ended(void *arg, FlowRejectsEnd end);
void dead_letters_committed(void *arg, const Position *position);

#endif
