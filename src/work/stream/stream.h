/* Streams: messages routed by their type through processors, delivered with their positions. */
#ifndef NEURON_STREAM_H
#define NEURON_STREAM_H

#include <pthread.h>
#include <stdatomic.h>

#include "connect/connector.h"
#include "foundation/codec/json_writer.h"
#include "work/flow/flow.h"

/* A text of the configuration and where its first character stands; line 0: nowhere. */
typedef struct StreamText {
    Str text; /* empty: not given */
    int64_t line, column;
} StreamText;

/* One case of a processor: the first whose `where` is true makes the output. */
typedef struct StreamCase {
    StreamText where;  /* not given: always */
    StreamText select; /* not given: the message as it is */
} StreamCase;

typedef struct StreamProcessor {
    Str type;
    const StreamCase *cases;
    int32_t case_count;
} StreamProcessor;

typedef enum StreamUnknown { UNKNOWN_DROP, UNKNOWN_DEAD_LETTER, UNKNOWN_PASS } StreamUnknown;
typedef enum DeadLetterFormat { DEAD_LETTER_ENVELOPE, DEAD_LETTER_RAW } DeadLetterFormat;

enum { STREAM_PROCESSORS_MAX = 256 };

typedef struct StreamRouting {
    StreamText by; /* an expression, as a rule a path */
    const StreamProcessor *processors;
    int32_t processor_count;
    StreamUnknown unknown;
    int32_t only; /* every message goes to this processor, whatever its type (tests); -1: none */
} StreamRouting;

/* Where dead letters go. */
typedef struct StreamLetters {
    bool kept;      /* false: the first message that fails ends the stream */
    bool elsewhere; /* to `to`; else a port of the sink itself */
    bool messages;  /* in `format`; else rows of the reject schema */
    bool topic;     /* they keep their key, headers and time */
    Location to;
    Str name; /* topic or table */
    DeadLetterFormat format;
} StreamLetters;

/* With a larger share (0…1) of dead letters within `window_us` the stream is held. 0: none. */
typedef struct StreamBreaker {
    double max_rejects;
    int64_t window_us;
} StreamBreaker;

/* A stream as configured; texts live in the configuration's arena. */
typedef struct StreamConfig {
    Str name;
    Location from;      /* a broker's with its options: group, delivery … */
    Str topic;          /* empty: a file */
    bool from_messages; /* the source gives @topic, @partition, @offset, @key … */
    StreamRouting routing;

    Location to;
    Str to_name;      /* topic or table; empty: a file */
    bool to_messages; /* the sink takes messages (a topic, JSON lines); else rows of one table */
    StreamText key;   /* messages: an expression over the output; not given: no key */
    SinkMode mode;    /* tables: append or upsert */
    const Str *key_columns;
    int32_t key_column_count;
    bool create, evolve;

    StreamLetters letters;
    StreamBreaker breaker;

    int64_t cycle_us, cycle_rows; /* a cycle ends at the first of both */
    Str config_hash;
} StreamConfig;

/* ---- Statistics: written by the stream, read by anybody at any time ---- */

typedef struct StreamTypeStats {
    Str type; /* of the configuration */
    /* messages = emitted + filtered + failed */
    _Atomic int64_t messages, emitted, filtered, failed;
} StreamTypeStats;

typedef enum StreamState {
    STREAM_STOPPED,
    STREAM_STARTING,
    STREAM_RUNNING,
    STREAM_WAITING, /* for a system that can't be reached */
    STREAM_FAILED,
    STREAM_PAUSED,
    STREAM_HELD /* by its breaker (ERR_LIMIT), until it is resumed; or since what it must write is
                   not taken: tried again by itself */
} StreamState;
const char *stream_state_name(StreamState state);

/* What committed cycles did: consumed = emitted + filtered + dead_lettered + gap, the gap being 0.
 * `filtered` includes dropped messages of unknown type, and rows that were superseded in the target
 * or discarded by it. */
typedef struct StreamLedger {
    _Atomic int64_t consumed, emitted, filtered, dead_lettered, gap;
} StreamLedger;

typedef struct StreamCycles {
    _Atomic int64_t done, aborted;
    _Atomic int64_t oldest_us; /* timestamp of the open one's oldest message; 0: none */
} StreamCycles;

typedef struct StreamPace {
    _Atomic int64_t routed, route_ns; /* for the average */
    _Atomic int64_t per_second_milli; /* throughput, messages a second · 1000 */
} StreamPace;

/* Outlives the configuration's stream: init … done. */
typedef struct StreamStats {
    StreamLedger ledger;
    _Atomic int64_t in_flight;       /* read, and not committed yet */
    _Atomic int64_t messages_failed; /* = dead_lettered, by the guide's name */
    /* As they pass, committed or not. */
    _Atomic int64_t messages_processed; /* by a processor, without failing */
    _Atomic int64_t unknown;
    _Atomic int64_t bytes;
    StreamPace pace;
    StreamCycles cycles;
    _Atomic int64_t restarts;
    _Atomic int64_t lag_messages, lag_us; /* -1: not known */
    _Atomic int64_t rebalances;
    StreamTypeStats *types;
    int32_t type_count;
    _Atomic int state;                /* StreamState */
    _Atomic int64_t trouble_since_us; /* 0: none */
    pthread_mutex_t mutex;
    Err error;       /* the last one; under mutex */
    SourceStats lag; /* by part; under mutex */
} StreamStats;

MUST_USE Status stream_stats_init(StreamStats *stats, const StreamConfig *config, Err *err);
void stream_stats_done(StreamStats *stats);
/* Members of an open object: the guide's four (messages_processed, messages_failed,
 * average_processing_time in seconds, throughput_per_second), then all others. */
void stream_stats_write(StreamStats *stats, JsonWriter *w);
/* One JSON object: stream, status, and those. */
MUST_USE Status stream_stats_json(StreamStats *stats, const StreamConfig *config, Buf *out,
                                  Err *err);

/* ---- Running ---- */

typedef struct StreamEnv {
    Budget *budget;
    Str spool_folder;
    bool drain; /* end when everything was read, also where more can come */
    /* How long a system that can't be reached is waited for before the stream fails; < 0: for
     * ever. Counted anew after each committed cycle. */
    int64_t patience_us;
    const _Atomic bool *stop; /* finish the cycle, commit, end with OK */
    int64_t stop_us;          /* how long a cycle may take then; 0: 20 s */
    bool breaker_off;         /* somebody let the stream go on in spite of its breaker */
    /* The state changed (never twice the same); `why` with WAITING, FAILED and HELD. May be NULL.
     */
    void (*changed)(void *arg, StreamState state, const Err *why);
    void *changed_arg;
    void (*progress)(void *arg, const FlowProgress *progress);
    void *progress_arg;
} StreamEnv;

/* Reads, routes and writes until the end of the source, `stop` or an error. Errors that can pass
 * are waited out and the stream goes on from what was committed. `stats` is initialised; it is
 * filled on failure too. The state is HELD where the breaker holds it (ERR_LIMIT), and where a
 * place takes nothing of it: no such topic (ERR_MISSING), not allowed (ERR_PERMISSION), no space,
 * or a dead letter that fits in no form (ERR_HELD). */
MUST_USE Status stream_run(const StreamConfig *config, const StreamEnv *env, StreamStats *stats,
                           Err *err);

/* ---- On a thread of its own ---- */

typedef struct Stream Stream;

/* Everything is borrowed and outlives the stream. `env.stop`, `drain` and `patience_us` are the
 * stream's own. */
typedef struct StreamOptionsRun {
    const StreamConfig *config;
    StreamEnv env;
    bool paused; /* from the start */
} StreamOptionsRun;

/* Ready to start. All calls may come from any thread, but for free. */
MUST_USE Status stream_new(const StreamOptionsRun *options, Stream **ret_stream, Err *err);
/* Starts its thread: the stream runs, waits for systems as long as it takes, and after any other
 * failure tries again after 30 s, a minute … 5 minutes. */
MUST_USE Status stream_start(Stream *stream, Err *err);
/* Pausing finishes the cycle and commits it; resuming also ends a wait and lets a held stream go
 * on, its breaker being off for as long as it looks back. Returns at once. */
void stream_pause(Stream *stream, bool pause);
bool stream_is_paused(Stream *stream);
/* Ask for an orderly end; returns at once. */
void stream_stop(Stream *stream);
/* Stops it, waits for its end, frees. NULL is fine. */
void stream_free(Stream *stream);
/* Readable while the stream lives. */
StreamStats *stream_stats(Stream *stream);
const StreamConfig *stream_config(const Stream *stream);

/* Lines of JSON as messages into the topic that the stream reads. FAIL: ERR_USAGE (a line is no
 * JSON, the source is no topic), ERR_CONNECT. */
MUST_USE Status stream_send(const StreamConfig *config, const StreamEnv *env, Str lines,
                            int64_t *ret_count, Err *err);

/* The same of a batch of the message schema. */
MUST_USE Status stream_send_batch(const StreamConfig *config, const StreamEnv *env, Batch *batch,
                                  Err *err);

/* Finds every mistake in expressions and output columns without touching a system: `mistake` is
 * called for each (`where` NULL: of the stream as a whole). FAIL only when memory runs out. */
typedef void StreamMistake(void *arg, const StreamText *where, const Err *err);
MUST_USE Status stream_check(const StreamConfig *config, StreamMistake *mistake, void *arg,
                             Err *err);

#endif
