/* Who is at work in a database: sessions, their messages and transactions, prepared transactions.
 */
#ifndef NEURON_POSTGRES_SESSIONS_H
#define NEURON_POSTGRES_SESSIONS_H

#include "connect/postgres/postgres_samples.h"
#include "store/db/postgres_db.h"

/* One look. Zeroed at first; looked any number of times; done at the end. */
typedef struct PostgresSessions {
    PGresult *result, *open, *prepared;
    PostgresSession *items;
    Str *ids;
    PostgresLook look; /* points into the rest; valid until the next look */
    int32_t hidden;    /* sessions whose messages our role may not see */
} PostgresSessions;

/* `prepares` false: prepared transactions are left out. For samples outside a transaction, in which
 * sessions would be those of its beginning. ERR_LIMIT for very many. */
MUST_USE Status postgres_sessions_look(PostgresDb *db, bool prepares, PostgresSessions *sessions,
                                       Err *err);
void postgres_sessions_done(PostgresSessions *sessions);

/* What hidden sessions mean, and the GRANT; nothing where none is hidden. */
MUST_USE Status postgres_sessions_hidden(const PostgresSessions *sessions, PostgresDb *db, Buf *out,
                                         Err *err);

/* Which of those that the sample waits for has been at it longest, as people read it: pid,
 * application, user, since when. *ret_age_us: how long, -1 unknown. Nothing when it waits for
 * nobody of this look. */
MUST_USE Status postgres_sessions_holder(const PostgresSessions *sessions,
                                         const PostgresSample *sample, Buf *out,
                                         int64_t *ret_age_us, Err *err);

#endif
