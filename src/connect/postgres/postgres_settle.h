/* Which watermark is settled: a cursor behind which no row can appear any more. Logic only. */
#ifndef NEURON_POSTGRES_SETTLE_H
#define NEURON_POSTGRES_SETTLE_H

#include "foundation/base/arena.h"
#include "foundation/base/buf.h"

/* A row whose transaction commits late has a cursor below ones that were seen long before. So a
 * watermark is only taken for settled when all transactions that ran while it was the highest
 * cursor have ended: whoever took a lower value had begun before, and by now is visible or gone.
 *
 *   sample:  cursor = max(cursor), then running = the virtual transactions that are open
 *   settled: the latest sample of whose transactions none is open now, in front of the snapshot
 *            that the rows are read in
 *
 * The order counts: the cursor in front of the list, the list of now in front of the snapshot. */

enum { POSTGRES_SAMPLES_MAX = 16, POSTGRES_SAMPLE_SAVED_MAX = 200 };

typedef struct PostgresSample {
    int64_t cursor; /* the number, or microseconds since 1970 */
    Str *running;   /* virtual transaction ids, «3/1234» */
    int32_t count;
} PostgresSample;

/* Samples that are not settled yet, the oldest first. Embedded: init … done. */
typedef struct PostgresSettle {
    PostgresSample samples[POSTGRES_SAMPLES_MAX];
    int32_t count;
    Arena arena;
} PostgresSettle;

void postgres_settle_init(PostgresSettle *settle);
void postgres_settle_done(PostgresSettle *settle);
/* From and to the JSON of Position.samples. What can't be read is forgotten (the run then only
 * knows its own sample); samples of very many transactions are not saved. Without
 * samples an empty list is written: it says that the cursor beside it is settled. */
MUST_USE Status postgres_settle_load(PostgresSettle *settle, Str json, Err *err);
MUST_USE Status postgres_settle_save(const PostgresSettle *settle, Buf *out, Err *err);
/* The newest sample. When there is no room the one before it makes way: old ones settle first. */
MUST_USE Status postgres_settle_add(PostgresSettle *settle, int64_t cursor, const Str *running,
                                    int32_t count, Err *err);
/* True with the latest settled cursor, when there is one; it and those before are forgotten. */
bool postgres_settle_decide(PostgresSettle *settle, const Str *now, int32_t count,
                            int64_t *ret_cursor);

#endif
