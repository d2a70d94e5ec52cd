/* Samples of the stable watermark: up to which cursor no row can appear any more. Logic only. */
#ifndef NEURON_POSTGRES_SAMPLES_H
#define NEURON_POSTGRES_SAMPLES_H

#include "foundation/base/arena.h"
#include "foundation/base/buf.h"
#include "foundation/codec/json_walk.h"
#include "foundation/codec/json_writer.h"

/* A row whose transaction commits late has a cursor below ones that were read long before. So a
 * cursor is stable only once everything has ended that was under way when it was the highest: who
 * took a lower value had begun before, and by then is visible or gone. What is under way is
 *
 *   an open transaction   its now() and its sequence numbers are as old as itself
 *   a running message     now() of each of its transactions may be the time when the message came,
 *                         also of one that it leaves open; a procedure that commits keeps numbers
 *                         in its variables
 *   a prepared one        it has no session any more, and ends whenever somebody says so
 *
 *   sample:  cursor = max(cursor), then look = what is under way
 *   pass:    a later look takes away what has ended; of a message a transaction may stay, and
 *            what ended by PREPARE lives on in the prepared ones of that look
 *   stable:  the latest sample that waits for nothing more, before the snapshot in which the rows
 *            are read
 *
 * The order counts: the cursor before its look, the last look before the snapshot. */

enum { POSTGRES_SAMPLES_MAX = 16, POSTGRES_WAITS_SAVED_MAX = 200 };

/* PostgresSession.message_us of a session that runs none, and of one whose message isn't shown (to
 * us, or by a background process): it is over when the session is seen without a transaction. */
enum { POSTGRES_MESSAGE_NONE = 0, POSTGRES_MESSAGE_HIDDEN = -1 };

/* One session of the database. Texts are borrowed. */
typedef struct PostgresSession {
    int64_t pid;
    int64_t start_us;   /* when it began; 0: not shown */
    int64_t message_us; /* when the message came that it runs */
    int64_t began_us;   /* when its open transaction began, as its now() says; 0: not shown */
    Str transaction;    /* virtual id of that transaction, "3/1234"; empty: none */
} PostgresSession;

/* What is under way at one moment: sessions first, then prepared transactions. */
typedef struct PostgresLook {
    const PostgresSession *sessions;
    int32_t session_count;
    const Str *prepared; /* transaction ids */
    int32_t prepared_count;
} PostgresLook;

/* What a sample waits for: pid 0: the prepared transaction of that id; else what is set of message
 * and transaction. began_us has no meaning. */
typedef PostgresSession PostgresWait;

typedef struct PostgresSample {
    int64_t cursor;  /* the number, days or microseconds since 1970 */
    int64_t ripe_us; /* not stable before this time of the server's clock */
    int64_t lsn;     /* < 0: it waits; else rows are to be read where the log is known up to here */
    PostgresWait *waits;
    int32_t count;
} PostgresSample;

/* Samples that are not stable yet, the oldest first. Embedded: init … done. */
typedef struct PostgresSamples {
    PostgresSample items[POSTGRES_SAMPLES_MAX];
    int32_t count;
    Arena arena;
} PostgresSamples;

void postgres_samples_init(PostgresSamples *samples);
void postgres_samples_done(PostgresSamples *samples);
void postgres_samples_forget(PostgresSamples *samples);

/* The newest sample. When there is no room the one before it makes way: old ones are the first to
 * become stable. */
MUST_USE Status postgres_samples_add(PostgresSamples *samples, int64_t cursor, int64_t ripe_us,
                                     const PostgresLook *look, Err *err);
/* A later look than theirs: what has ended is waited for no longer. *ret_freed true when a sample
 * now waits for nothing more: give its log position by postgres_samples_free. */
MUST_USE Status postgres_samples_pass(PostgresSamples *samples, const PostgresLook *look,
                                      bool *ret_freed, Err *err);
/* The log position, asked after that look. */
void postgres_samples_free(PostgresSamples *samples, int64_t lsn);
/* True with the latest stable cursor, when there is one, by the server's clock and by the log as it
 * is known where rows are read; it and those before are forgotten. */
bool postgres_samples_decide(PostgresSamples *samples, int64_t clock_us, int64_t lsn,
                             int64_t *ret_cursor);

/* From and to a JSON array. What can't be read is forgotten (the run then only knows its own
 * sample); samples that wait for very many are not saved. */
MUST_USE Status postgres_samples_load(PostgresSamples *samples, const JsonSlot *json, Err *err);
void postgres_samples_save(const PostgresSamples *samples, JsonWriter *writer);

#endif
