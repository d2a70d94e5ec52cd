/* What the files of the PostgreSQL session share. */
#ifndef NEURON_POSTGRES_DB_IMPL_H
#define NEURON_POSTGRES_DB_IMPL_H

#include <stdatomic.h>

#include "foundation/net/peer_probe.h"
#include "store/db/postgres_db.h"

/* What may cancel a session's statement, from any thread and also after its end. */
typedef struct PostgresCanceller PostgresCanceller;

struct PostgresDb {
    PGconn *conn;
    PostgresCanceller *canceller;
    _Atomic bool cancelled;
    int64_t cancelled_ns,
        cancel_ns;       /* since when it waits as such, when the server is told again */
    int64_t deadline_ns; /* of every wait; 0: none */
    int64_t timeout_ns;  /* how long a statement may give nothing */
    int64_t heard_ns;    /* when the server said something last, or was asked */
    PeerProbe probe;     /* while it says nothing */
    int64_t probe_ns;    /* the next, or when this one is given up */
    int32_t probe_failures;
    int64_t notices, notice_bytes; /* of the statement */
    const _Atomic bool *stop;      /* may be NULL */
    bool roomy;                    /* libpq's buffer was made larger */
    bool copying;                  /* COPY … TO STDOUT gives rows */
    bool flowing;                  /* and gave one since the socket was last asked */
    bool rested;                   /* it was asked after a nap, too, and had nothing */
    int64_t refused_line; /* of COPY … FROM STDIN, the row that the server refused; 0: unknown */
    bool unsent;          /* a piece of COPY … FROM STDIN could not be put */
    Err unsent_error;     /* and why */
    char *row;            /* the last row of COPY … TO STDOUT, libpq's memory */
};

MUST_USE Status postgres_canceller_new(PGconn *conn, PostgresCanceller **ret_canceller, Err *err);
/* NULL is fine. */
void postgres_canceller_unref(PostgresCanceller *canceller);
/* PQnoticeReceiver of a session: counts them. */
void postgres_on_notice(void *arg, const PGresult *result);
/* A statement, or a piece of one, is on its way: from now on the server may be silent for as long
 * as its timeout. */
void postgres_asked(PostgresDb *db);
/* Send what libpq holds. */
MUST_USE Status postgres_flush(PostgresDb *db, Err *err);
/* Wait until there is something to read (or, with `write`, room to write). *ret_ready false at the
 * deadline; a negative one waits until the session is cancelled, breaks, is silent for too long
 * (ERR_TIMEOUT) or sends notices without end (ERR_LIMIT). */
MUST_USE Status postgres_wait(PostgresDb *db, bool write, int64_t deadline_ns, bool *ret_ready,
                              Err *err);
/* The next result, NULL when there is none any more; waits as above. */
MUST_USE Status postgres_result(PostgresDb *db, PGresult **ret_result, Err *err);
/* ERR_CANCELLED when the session was cancelled. */
MUST_USE Status postgres_check(PostgresDb *db, Err *err);

#endif
