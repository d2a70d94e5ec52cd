/* The inside of the PostgreSQL source, for its files. */
#ifndef NEURON_POSTGRES_SOURCE_H
#define NEURON_POSTGRES_SOURCE_H

#include <pthread.h>
#include <stdatomic.h>

#include "connect/postgres/postgres_describe.h"
#include "connect/postgres/postgres_samples.h"
#include "connect/postgres/postgres_server.h"
#include "connect/source.h"
#include "engine/column/cursor_value.h"

/* Pages of one table; to_page -1: to the end. */
typedef struct PostgresRange {
    Str table; /* as it stands in SQL */
    int64_t from_page, to_page;
} PostgresRange;

typedef struct PostgresPart PostgresPart;

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

MUST_USE Status postgres_source_new(const SourceReq *req, Source **ret_source, Err *err);

#endif
