/* A sink's session with its server. */
#ifndef NEURON_POSTGRES_SESSION_H
#define NEURON_POSTGRES_SESSION_H

#include "foundation/base/thread.h"
#include "foundation/codec/timezone.h"
#include "store/db/postgres_db.h"

typedef struct PostgresSink PostgresSink;

typedef struct PostgresSinkSession {
    PostgresDb *db;        /* NULL: not connected */
    pthread_mutex_t mutex; /* guards db against the thread that cancels */
    Timezone *zone;        /* of the first session: as the database, role, URL or PGTZ sets it; */
    char zone_name[64];    /* zone NULL: one that isn't known here */
    bool cancelled;        /* db was told to stop: it is of no more use */
    bool begun;            /* the first cycle has begun */
    char xid[24]; /* of the last COMMIT without an OUT port or of a shared stream: what it came to
                     can be asked for */
    char pid[16]; /* of the open transaction's backend, and when it began: what tells it from all */
    char began[40]; /* others when it has to be ended */
} PostgresSinkSession;

/* Where there is none. */
MUST_USE Status postgres_session_open(PostgresSink *self, Err *err);
void postgres_session_close(PostgresSink *self);
/* It broke, or was told to stop. */
bool postgres_session_is_lost(const PostgresSink *self);
/* `begin` in a session that works: in a new one where it turns out that the old one broke while
 * nothing was under way. */
MUST_USE Status postgres_session_begin(PostgresSink *self,
                                       Status (*begin)(PostgresSink *self, Err *err), Err *err);
/* BEGIN of a cycle, with its settings. */
MUST_USE Status postgres_session_transaction(PostgresSink *self, Err *err);

/* Run what self->core.sql holds. */
MUST_USE Status postgres_session_run(PostgresSink *self, Err *err);

#endif
