/* PostgreSQL's SQLSTATEs and libpq's messages as errors of our kinds. */
#ifndef NEURON_POSTGRES_ERROR_H
#define NEURON_POSTGRES_ERROR_H

#include <libpq-fe.h>

#include "foundation/base/err.h"
#include "store/db/write_error.h"

/* The kind of a five-character SQLSTATE; `cancelled`: we asked for the cancellation (57014). */
ErrKind postgres_error_kind(const char *sqlstate, bool cancelled);
/* Of an error that ended INSERT, UPDATE or COPY. */
WriteError postgres_error_in_write(const Err *err);
/* FAIL with what a failed result says. What a function of the database raises, and what a policy of
 * row-level security refuses, is ERR_CONSTRAINT unless its state is one of the environment's. */
Status postgres_error_result(const PGresult *result, bool cancelled, Err *err);
/* FAIL with what the connection says: opening failed (`opening`), or it broke. */
Status postgres_error_connection(const PGconn *conn, bool opening, Err *err);

#endif
