/* One stream of a source: its session, its COPY, rows gathered into batches. */
#ifndef NEURON_POSTGRES_PART_H
#define NEURON_POSTGRES_PART_H

#include "connect/postgres/postgres_decode.h"
#include "connect/postgres/postgres_source.h"

enum {
    POSTGRES_BATCH_ROWS = 4096,
    POSTGRES_BATCH_BYTES = 1 << 18,
};

/* One reader: its session, its COPY. Part 0 reads over the source's own session. */
struct PostgresPart {
    PostgresDb *db;
    PostgresRows rows;
    Str pending;  /* a row that the last batch had no room for; libpq's until the next row */
    bool reading; /* a COPY runs */
    bool header;  /* its header was read */
    bool end;     /* there is nothing more to read */
    int64_t ordinal, seq, bytes;
    int64_t started_ns, left_ns; /* when its statement began, when its last batch was given away */
    int64_t held_up_ns;          /* how long since the start nobody asked it for more */
    int32_t refusals;            /* times in a row that the budget had no room */
};

/* Start the part's next statement, where it doesn't read one already. */
MUST_USE Status postgres_part_start(PostgresSource *self, PostgresPart *part, Err *err);
/* The next batch of a part (ret_event->batch NULL with SOURCE_IDLE or SOURCE_END). */
MUST_USE Status postgres_part_next(PostgresSource *self, PostgresPart *part, int32_t number,
                                   int64_t deadline_ns, SourceEvent *ret_event, Err *err);
void postgres_part_done(PostgresPart *part);

#endif
