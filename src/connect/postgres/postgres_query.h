/* The query of a source with its parameters in it. */
#ifndef NEURON_POSTGRES_QUERY_H
#define NEURON_POSTGRES_QUERY_H

#include "connect/source.h"
#include "store/db/postgres_db.h"

/* The query with its :name parameters as literals, without a semicolon at its end. Texts, comments,
 * casts (::) and slices (a[1:n]) are left alone; `\:` is a colon. ERR_CONFIG for a parameter
 * without a value. */
MUST_USE Status postgres_query_bind(PostgresDb *db, const SourceReq *req, Buf *out, Err *err);

#endif
