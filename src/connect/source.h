/* Where batches come from: the interface of every readable system. */
#ifndef NEURON_SOURCE_H
#define NEURON_SOURCE_H

#include "connect/location.h"
#include "connect/position.h"
#include "engine/expr/expr.h"

/* A named query parameter (`:name`); bound, never pasted. */
typedef struct SourceParam {
    Str name;
    TypeId type; /* BOOL, INT64, NUMERIC, TEXT; TEXT is left to the database to convert */
    bool null;
    Str text;       /* its value as text */
    int64_t ago_us; /* > 0: instead, UTC at the run's start less so much (`YYYY-MM-DD HH:MM:SS`) */
} SourceParam;

/* The parameters of a run that begins at `now_us`: times before it get their text, in the arena. */
MUST_USE Status source_params_at(const SourceParam *params, int32_t count, int64_t now_us,
                                 Arena *arena, const SourceParam **ret_params, Err *err);

/* Rows by ranges of their key. A row's place is its key's value, or a hash of the key (0 … 2^62-1);
 * its range is (place - from) >> shift, and -1 where the key's value is NULL. Columns are those of
 * describe's schema. */
typedef struct SourceRanges {
    const int32_t *key;
    int32_t key_count;
    bool by_value; /* the key is one column, an integer */
    int64_t from;
    int32_t shift;
    const int64_t *numbers; /* ascending: only rows of these ranges; count 0: of all */
    int64_t count;
} SourceRanges;

/* From where on rows are read. */
typedef struct SourceIncremental {
    Str cursor; /* the column's name; empty: all rows are read */
    Str from;   /* rows from this value on, the source's own text; empty: all */
    Str start;  /* where the first run begins; empty: all */
    bool after; /* > instead of >=: no row with that value comes any more */
    bool nulls; /* rows without a cursor are read too, each time; else they are refused */
} SourceIncremental;

/* What is known, and wanted, of the order in which rows appear at the cursor. */
typedef struct SourceOrder {
    int64_t lag_us;          /* stay this much before the newest rows: by time, */
    int64_t lag_count;       /* or by number */
    bool said;               /* `lag` or `overlap` was given: what the order of cursors isn't worth
                                is known */
    bool settle;             /* the run's watermark is kept: no row may appear after it any more */
    bool rows_keyed;         /* a row that comes again is known by its key */
    bool rows_once;          /* no row may come again in a later run (append): with `settle`,
                                nothing past the settled cursor is read */
    const Location *primary; /* of a source that is a standby; NULL: not given */
} SourceOrder;

/* How much is read, and what that may take. */
typedef struct SourceLimits {
    int64_t rows_max;     /* --limit; 0: all */
    bool bounded;         /* sources without an end: END where theirs was at open */
    int32_t parallel;     /* wished parts; >= 1 */
    int64_t batch_bytes;  /* wished input bytes per batch; 0: the connector's own */
    int64_t memory_bytes; /* what the run may take (`memory`): a row of a text file may have an
                             eighth of it, for it is held several times on its way. 0: not known */
} SourceLimits;

/* What to read. Everything is borrowed and outlives the source. */
typedef struct SourceReq {
    const Location *location;
    Str table; /* "name" or "schema.name"; or else */
    Str query; /* SQL with :name parameters */
    const SourceParam *params;
    int32_t param_count;
    SourceIncremental incremental;
    SourceOrder order;
    SourceLimits limits;
    bool open;            /* rows as JSON objects (open schema), for sources that have such */
    const PathSet *paths; /* open: the paths to extract; complete before source_open */
    bool rejects;         /* malformed rows are given as rejects instead of ending the run */
    Str spool_folder;
    const SourceRanges *within; /* only rows of these; set before open; for sources that offer
                                   fingerprints. NULL: all */
    bool texts;  /* text files: columns without a given type are TEXT, none is looked for */
    bool wire;   /* give rows unopened (Batch.wire), where describe offered it; set before open */
    bool places; /* tables: what SinkReject.replayed tells a row by is among the columns */
    const _Atomic bool *stop; /* true: don't wait for a system any longer; NULL: never */
    bool asks;                /* SOURCE_ASSIGN asks where its parts begin; source_begin answers */
    bool kept; /* with `asks`: the target keeps how far each part is; what the source's system keeps
                  is information for others */
} SourceReq;

/* What describe found. Texts in `arena`. */
typedef struct SourceInfo {
    Schema *schema;
    int64_t rows_estimate;  /* -1: unknown */
    int64_t bytes_estimate; /* -1: unknown */
    bool replayable;        /* reading again from a position gives the same rows */
    bool unbounded;
    Str sql;      /* the statement that will run; empty for files */
    Str promise;  /* one sentence */
    Str identity; /* which database a watermark is of, by a name that a change of host or password
                     leaves as it is; empty: not known */
    Str wire; /* what rows are on the source's wire ("postgresql copy"), where a batch of them can
                 be given unopened; empty: never */
    Str *warnings; /* e.g. no index on the cursor */
    int32_t warning_count;
    Arena arena;
} SourceInfo;
void source_info_done(SourceInfo *info);
MUST_USE Status source_info_warn(SourceInfo *info, Err *err, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* What a run tells people although it goes on: what can't be promised, who holds it up. */
typedef struct SourceNotes {
    Str *texts;
    int32_t count;
    Arena arena;
} SourceNotes;

typedef enum SourceEventKind {
    SOURCE_BATCH,  /* `batch`, and `rejects` where rows were malformed (either may be NULL) */
    SOURCE_IDLE,   /* nothing before the deadline, and everything that was there was given */
    SOURCE_WAIT,   /* nothing before the deadline, but there is more to come */
    SOURCE_ASSIGN, /* parts were given: `parts`, `epoch` is theirs from now on. With SourceReq.asks
                      none of them is read before source_begin answered */
    SOURCE_REVOKE, /* `parts` of `epoch` go away; answer with source_revoked before `deadline_ns` */
    SOURCE_LOST,   /* as REVOKE, but they are gone already: abort, nothing may be committed */
    SOURCE_END,    /* the part is exhausted */
} SourceEventKind;

typedef struct SourceEvent {
    SourceEventKind kind;
    Batch *batch;   /* owned by the receiver */
    Batch *rejects; /* reject schema (engine/format/reject.h), owned by the receiver */
    int64_t epoch;
    const int32_t *parts; /* valid until the next call */
    int32_t part_count;
    int64_t deadline_ns; /* clock_mono_ns */
} SourceEvent;

enum { SOURCE_LAG_PARTS = 64 };

/* How far behind one part is. */
typedef struct SourceLag {
    int32_t part;
    int64_t messages; /* not in the sink yet; -1: not known */
    int64_t us;       /* how long the oldest of them waits at most; -1: not known */
    int64_t read;     /* offsets: the first that was not handed out, */
    int64_t settled;  /* that is not in the sink, */
    int64_t end;      /* that is not there yet */
} SourceLag;

/* How far behind a source is: in all (the sum, the oldest), and its first parts. */
typedef struct SourceStats {
    int64_t lag_messages, lag_us;
    int64_t rebalances;
    SourceLag parts[SOURCE_LAG_PARTS];
    int32_t part_count;
} SourceStats;

/* Fingerprints that a system computes itself, so that two of its kind can be compared without
 * reading their rows. */
typedef struct SourceForms {
    Str system;       /* fingerprints of equal systems may be compared */
    const Str *forms; /* per column: two columns of one form hold equal values where their texts in
                         the fingerprint are equal (but not the other way round); empty: none */
    int32_t count;
} SourceForms;

/* The least and greatest value of an integer column. */
typedef struct SourceSpan {
    bool integer; /* the column is one */
    bool some;    /* and there are values */
    int64_t min, max;
} SourceSpan;

typedef struct SourceFingerprintReq {
    const int32_t *columns; /* that count, in an order that both sides share */
    int32_t column_count;
    const int32_t *not_null; /* rows with a NULL in one of these are left out */
    int32_t not_null_count;
    SourceRanges within; /* rows that count */
    int32_t shift;       /* of the ranges that they are summed in */
} SourceFingerprintReq;

typedef struct SourceFingerprint {
    int64_t range, rows;
    char sum[48]; /* of the rows' hashes, in decimals */
} SourceFingerprint;

typedef struct Source Source;

/* What a connector implements; comments on the functions below. NULL entries: not offered. */
typedef struct SourceOps {
    Status (*describe)(Source *source, SourceInfo *ret_info, Err *err);
    Status (*open)(Source *source, const Position *from, Budget *budget, Err *err);
    int32_t (*parts)(const Source *source);
    Status (*next)(Source *source, int32_t part, int64_t deadline_ns, SourceEvent *ret_event,
                   Err *err);
    Status (*poll)(Source *source, SourceEvent *ret_event, Err *err);
    Status (*revoked)(Source *source, int64_t epoch, Err *err);
    Status (*begin)(Source *source, int64_t epoch, const Position *from, Err *err);
    Status (*fenced)(Source *source, const int32_t *parts, int32_t count, Err *err);
    Status (*settled)(Source *source, const Position *position, Err *err);
    Status (*rewind)(Source *source, const Position *position, Err *err);
    Status (*observe)(Source *source, Position *position, Err *err);
    void (*stats)(Source *source, SourceStats *ret_stats);
    Status (*forms)(Source *source, Arena *arena, SourceForms *ret_forms, Err *err);
    Status (*span)(Source *source, int32_t column, SourceSpan *ret_span, Err *err);
    Status (*fingerprint)(Source *source, const SourceFingerprintReq *req,
                          SourceFingerprint **ret_ranges, int64_t *ret_count, Err *err);
    int64_t (*line)(const Source *source, const Batch *batch, int64_t row);
    void (*cancel)(Source *source);
    void (*close)(Source *source);
} SourceOps;

/* Connectors put this first in their own struct. */
struct Source {
    const SourceOps *ops;
    const SourceReq *req;
    void *handle; /* set by open: put into positions, for sinks that commit through it */
    SourceNotes notes;
};

/* The connector's own struct, of which the source is the first member. */
#define SOURCE_SELF(Type, OPS, source) DOWNCAST(Type, source, (source)->ops == &(OPS))

/* Schema, estimates, promise, warnings. No side effects (dry run, validate); may read the data. */
MUST_USE Status source_describe(Source *source, SourceInfo *ret_info, Err *err);
/* Start reading after `from` (NULL or empty: the beginning). Batches are charged to `budget`. */
MUST_USE Status source_open(Source *source, const Position *from, Budget *budget, Err *err);
/* How many parts can be read side by side, all of one snapshot. After open. */
int32_t source_parts(const Source *source);
/* The next event of a part. One thread per part at a time. Polling goes on while a sink stalls. */
MUST_USE Status source_next(Source *source, int32_t part, int64_t deadline_ns,
                            SourceEvent *ret_event, Err *err);
/* While the receiver can't take more: stay alive without reading. Gives ASSIGN, REVOKE, LOST or
 * IDLE, never rows. Only sources with such events offer it. */
MUST_USE Status source_poll(Source *source, SourceEvent *ret_event, Err *err);
/* Nothing of that epoch's revoked parts will be written any more. */
MUST_USE Status source_revoked(Source *source, int64_t epoch, Err *err);
/* The answer to an ASSIGN of that epoch: where its parts begin; one that `from` has at -1 or not at
 * all begins where the source's own system knows. Too late (they are gone meanwhile): nothing. */
MUST_USE Status source_begin(Source *source, int64_t epoch, const Position *from, Err *err);
/* Another process took these parts over in the target, before the source's system said so: nothing
 * more of them is given. Where they turn out to be ours still, they come again by ASSIGN. */
MUST_USE Status source_fenced(Source *source, const int32_t *parts, int32_t count, Err *err);
/* Everything up to the position is durably committed in the sink. From the writer's thread, also
 * while next runs. */
MUST_USE Status source_settled(Source *source, const Position *position, Err *err);
/* Read again from the position (after an aborted cycle). */
MUST_USE Status source_rewind(Source *source, const Position *position, Err *err);
/* In front of the commit of a run: the watermark, and what is needed to advance it later, go into
 * the position. */
MUST_USE Status source_observe(Source *source, Position *position, Err *err);
/* From any thread, while it is open; zeros and -1 where the source has none. */
void source_stats(Source *source, SourceStats *ret_stats);
/* Between describe and open; all of one snapshot with the rows. Does it offer the three? */
bool source_fingerprints(const Source *source);
MUST_USE Status source_forms(Source *source, Arena *arena, SourceForms *ret_forms, Err *err);
MUST_USE Status source_span(Source *source, int32_t column, SourceSpan *ret_span, Err *err);
/* The ranges that have rows, ascending; freed with mem_free. */
MUST_USE Status source_fingerprint(Source *source, const SourceFingerprintReq *req,
                                   SourceFingerprint **ret_ranges, int64_t *ret_count, Err *err);
/* The line, from 1, on which a row of the batch given last stands in its file; 0: unknown. */
int64_t source_line(const Source *source, const Batch *batch, int64_t row);
/* From any thread: let a running call end soon with ERR_CANCELLED. */
void source_cancel(Source *source);
/* For connectors, while they are opened and before their rows are at an end; the same text counts
 * once. Read after that. */
MUST_USE Status source_note(Source *source, Err *err, const char *format, ...) PRINTF_LIKE(3, 4);
/* For connectors: so many rows have no cursor, and the request doesn't want them. The plan says so,
 * open FAILs. */
MUST_USE Status source_info_nulls(const Source *source, SourceInfo *info, int64_t rows, Err *err);
Status source_refuse_nulls(const Source *source, int64_t rows, Err *err);
/* Ends and frees it; any thread, after all calls returned. NULL is fine. */
void source_close(Source *source);

#endif
