/* What the files of the PostgreSQL source share. */
#ifndef NEURON_POSTGRES_SOURCE_IMPL_H
#define NEURON_POSTGRES_SOURCE_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "connect/postgres/postgres_decode.h"
#include "connect/postgres/postgres_impl.h"
#include "connect/postgres/postgres_server.h"
#include "connect/postgres/postgres_sessions.h"
#include "engine/column/cursor_value.h"

enum {
    POSTGRES_BATCH_ROWS = 4096,
    POSTGRES_BATCH_BYTES = 1 << 18,
};

/* Pages of one table; to_page -1: to the end. */
typedef struct PostgresRange {
    Str table; /* as it stands in SQL */
    int64_t from_page, to_page;
} PostgresRange;

/* One reader: its session, its COPY. Part 0 reads over the source's own session. */
typedef struct PostgresPart {
    PostgresDb *db;
    PostgresRows rows;
    Str pending;  /* a row that the last batch had no room for; libpq's until the next row */
    bool reading; /* a COPY runs */
    bool header;  /* its header is behind us */
    bool end;     /* there is nothing more to read */
    int64_t ordinal, seq, bytes;
    int64_t started_ns, left_ns; /* when its statement began, when its last batch was given away */
    int64_t held_up_ns;          /* how long since the start nobody asked it for more */
    int32_t refusals;            /* times in a row that the budget had no room */
} PostgresPart;

/* The texts that are sent. */
typedef struct PostgresQuery {
    Buf base;  /* the query with its parameters, or SELECT * FROM table */
    Buf sql;   /* the SELECT that runs */
    Buf where; /* its conditions, without those of a range */
} PostgresQuery;

/* Where to read from: the request's cursor_from, or below it (postgres_memory.c). */
typedef struct PostgresBegin {
    Str from;
    Buf low;       /* `from`, where it isn't the request's */
    int64_t nulls; /* rows without a cursor, which the request doesn't want */
} PostgresBegin;

typedef struct PostgresWatermark {
    PostgresDb *primary;     /* of a standby; NULL: sessions are asked over the source's own */
    bool clocked;            /* a clock fills the cursor, not a sequence */
    bool settling;           /* it is the stable one, not the highest cursor */
    PostgresSamples samples; /* not stable yet */
    PostgresSeen seen;       /* the server whose sessions are asked, as it was last */
    Buf stable;              /* empty: none yet */
    CursorValue highest;
    pthread_mutex_t mutex; /* guards `highest` */
} PostgresWatermark;

typedef struct PostgresReaders {
    PostgresPart *parts;
    int32_t part_count;
    PostgresRange *ranges; /* none: one statement reads all */
    int32_t range_count, range_capacity;
    Arena range_arena;
    _Atomic int32_t next_statement;
} PostgresReaders;

typedef struct PostgresSource {
    Source source;
    PostgresDb *db;
    bool in_transaction, standby;
    PostgresColumns columns;
    int32_t cursor; /* column index, -1: none */
    Budget *budget;
    PostgresQuery query;
    PostgresBegin begin;
    PostgresWatermark watermark;
    PostgresReaders readers;
} PostgresSource;

/* "table", or (query) AS neuron_rows. */
MUST_USE Status postgres_source_from(PostgresSource *self, Buf *out, Err *err);
/* "cursor" <op> 'value'; text by its bytes, as we compare it too. */
MUST_USE Status postgres_source_bound(PostgresSource *self, const char *op, Str value, Buf *out,
                                      Err *err);
/* The next COPY that a free reader may run, from any reader's thread; *ret_some false when there is
 * none any more. */
MUST_USE Status postgres_source_statement(PostgresSource *self, bool *ret_some, Buf *out, Err *err);

/* ---- parts (postgres_part.c) ---- */

/* Start the part's next statement, where it doesn't read one already. */
MUST_USE Status postgres_part_start(PostgresSource *self, PostgresPart *part, Err *err);
/* The next batch of a part (ret_event->batch NULL with SOURCE_IDLE or SOURCE_END). */
MUST_USE Status postgres_part_next(PostgresSource *self, PostgresPart *part, int32_t number,
                                   int64_t deadline_ns, SourceEvent *ret_event, Err *err);
void postgres_part_done(PostgresPart *part);
/* Let time pass until clock_mono_ns() reaches `until_ns`. */
void postgres_pause(int64_t until_ns);

/* ---- values that can't be held (postgres_refuse.c) ---- */

/* FAIL naming row, column and value. */
Status postgres_refuse_run(const PostgresSource *self, const PostgresPart *part,
                           const PostgresBad *bad, Err *err);
/* The rows of `bads` leave the batch (a new one takes its place) and become rejects. */
MUST_USE Status postgres_refuse_rows(const PostgresSource *self, const PostgresPart *part,
                                     const PostgresBads *bads, Batch **batch, Batch **ret_rejects,
                                     Err *err);

/* ---- watermark (postgres_watermark.c) ---- */

/* True for types whose highest value can become stable. */
bool postgres_watermark_settles(const SourceReq *req, TypeId type);
/* Take a sample and wait a little for it to become stable; fills `stable`, and sets from where to
 * read. Outside a transaction, before the snapshot that the rows are read in. ERR_DATA where rows
 * below the watermark may be new and can't be told from the others. */
MUST_USE Status postgres_watermark_settle(PostgresSource *self, const Position *from, Err *err);

/* The session with the primary of a standby, checked. ERR_CONFIG where none is named and neither
 * `lag` nor `overlap` says what may be missed. Also inside a transaction of the source. */
MUST_USE Status postgres_primary_open(PostgresSource *self, Err *err);

/* ---- what is kept from run to run (postgres_memory.c) ---- */

/* Watermark and samples of the run before; void where the server isn't as it was. */
MUST_USE Status postgres_memory_load(PostgresSource *self, const Position *from, Err *err);
/* Into the position: the stable cursor, the samples, the server as it was seen. */
MUST_USE Status postgres_memory_save(const PostgresSource *self, Position *position, Err *err);

/* ---- ranges (postgres_ranges.c) ---- */

/* Cut the table into ranges, where that is wanted and possible; else none. */
MUST_USE Status postgres_ranges_make(PostgresSource *self, Err *err);
MUST_USE Status postgres_ranges_condition(const PostgresRange *range, Buf *out, Err *err);
/* Sessions for the parts after the first, in the first one's snapshot. */
MUST_USE Status postgres_ranges_readers(PostgresSource *self, Err *err);

/* ---- fingerprints (postgres_fingerprint.c): in the source's open transaction ---- */

MUST_USE Status postgres_fingerprint_forms(const PostgresSource *self, Arena *arena,
                                           SourceForms *ret_forms, Err *err);
MUST_USE Status postgres_fingerprint_span(PostgresSource *self, int32_t column,
                                          SourceSpan *ret_span, Err *err);
MUST_USE Status postgres_fingerprint(PostgresSource *self, const SourceFingerprintReq *req,
                                     SourceFingerprint **ret_ranges, int64_t *ret_count, Err *err);
/* The condition that a row is in one of the ranges. */
MUST_USE Status postgres_fingerprint_within(PostgresSource *self, const SourceRanges *ranges,
                                            Buf *out, Err *err);

/* ---- plan (postgres_warnings.c, postgres_order.c) ---- */

/* Estimates and warnings. ERR_CONFIG for a standby whose watermark nobody can vouch for. */
MUST_USE Status postgres_warnings_describe(PostgresSource *self, SourceInfo *info, Err *err);

/* What the catalog says about the cursor. Texts in the arena given; empty: none. */
typedef struct PostgresOrder {
    bool standby;
    bool indexed;
    Str index;       /* the statement that makes an index */
    Str table;       /* that it is a column of, also through views; empty: an expression */
    char kind;       /* pg_class.relkind of that */
    Str fills;       /* what fills it: "sequence", "clock", "zoned clock", "trigger", "other" */
    bool subscribed; /* by logical replication */
    Str sequence;
    int64_t cache, increment;
    bool cycles;
    Str zone; /* of the session, where its offset changes in the year */
} PostgresOrder;
MUST_USE Status postgres_order_ask(PostgresSource *self, Arena *arena, PostgresOrder *ret_order,
                                   Err *err);
/* A clock fills it, or may. */
bool postgres_order_is_clocked(const PostgresOrder *order);
/* What nobody guarantees about the order of the cursor's values, as a sentence that says the fix;
 * empty: they grow as they are given out. */
MUST_USE Status postgres_order_doubt(const PostgresSource *self, const PostgresOrder *order,
                                     Buf *out, Err *err);

#endif
