/* What the files of the PostgreSQL session share. */
#ifndef NEURON_POSTGRES_DB_IMPL_H
#define NEURON_POSTGRES_DB_IMPL_H

#include "store/db/postgres_db.h"

struct PostgresDb {
    PGconn *conn;
    PGcancel *cancel;
    _Atomic bool cancelled;
    int64_t deadline_ns;      /* of every wait; 0: none */
    const _Atomic bool *stop; /* may be NULL */
    bool roomy;               /* libpq's buffer was made larger */
    bool copying;             /* COPY … TO STDOUT gives rows */
    bool flowing;             /* and gave one since the socket was last asked */
    bool rested;              /* it was asked after a nap, too, and had nothing */
    int64_t refused_line; /* of COPY … FROM STDIN, the row that the server refused; 0: unknown */
    bool unsent;          /* a piece of COPY … FROM STDIN could not be put */
    Err unsent_error;     /* and why */
    char *row;            /* the last row of COPY … TO STDOUT, libpq's memory */
};

/* Wait until there is something to read (or, with `write`, room to write). *ret_ready false at the
 * deadline; a negative one waits until the session is cancelled or breaks. */
MUST_USE Status postgres_wait(PostgresDb *db, bool write, int64_t deadline_ns, bool *ret_ready,
                              Err *err);
/* The next result, NULL when there is none any more; waits as above. */
MUST_USE Status postgres_result(PostgresDb *db, PGresult **ret_result, Err *err);
/* ERR_CANCELLED when the session was cancelled. */
MUST_USE Status postgres_check(PostgresDb *db, Err *err);

#endif
