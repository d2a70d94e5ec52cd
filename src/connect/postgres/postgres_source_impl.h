/* What the files of the PostgreSQL source share. */
#ifndef NEURON_POSTGRES_SOURCE_IMPL_H
#define NEURON_POSTGRES_SOURCE_IMPL_H

#include <stdatomic.h>

#include "connect/postgres/postgres_decode.h"
#include "connect/postgres/postgres_impl.h"

enum {
    POSTGRES_BATCH_ROWS = 8192,
    POSTGRES_BATCH_BYTES = 1 << 20,
};

/* One stream of rows: its session, its COPY. Part 0 reads over the source's own session. */
typedef struct PostgresPart {
    PostgresDb *db;
    PostgresRows rows;
    Str pending;  /* a row that the last batch had no room for; libpq's until the next row */
    bool started; /* the COPY runs */
    bool header;  /* the stream's header is behind us */
    bool end;
    int64_t ordinal, seq, bytes;
    int32_t refusals; /* times in a row that the budget had no room */
    PostgresCursor cursor;
} PostgresPart;

typedef struct PostgresSource {
    Source source;
    PostgresDb *db;
    bool in_transaction;
    PostgresColumns columns;
    Buf base;       /* the query with its parameters, or SELECT * FROM table */
    int32_t cursor; /* column index, -1: none */
    Buf sql;        /* the SELECT that runs */
    Budget *budget;
    PostgresPart *parts;
    int32_t part_count;
} PostgresSource;

/* The SELECT that reads what the request wants of the base query. */
MUST_USE Status postgres_source_sql(PostgresSource *self, Buf *out, Err *err);
/* The next batch of a part (ret_event->batch NULL with SOURCE_IDLE or SOURCE_END). */
MUST_USE Status postgres_part_next(PostgresSource *self, PostgresPart *part, int32_t number,
                                   int64_t deadline_ns, SourceEvent *ret_event, Err *err);
void postgres_part_done(PostgresPart *part);

#endif
