/* The named parameters (:name) in a query's text. Texts, comments, casts (::) and slices (a[1:n])
 * are no parameters; `\:` is a colon. */
#ifndef NEURON_QUERY_PARAMS_H
#define NEURON_QUERY_PARAMS_H

#include "foundation/base/str.h"

/* Some text as it is, and what follows it: a parameter, a colon that was escaped, or the end. */
typedef struct QueryPiece {
    Str text;  /* may be empty */
    Str param; /* its name; empty: none follows */
    bool colon;
} QueryPiece;

/* The piece at *at (0 at first), which moves after it. False at the end. */
bool query_piece_next(Str query, int64_t *at, QueryPiece *ret_piece);
/* The query has a parameter of that name; also written as SQLite's @name and $name. */
bool query_uses(Str query, Str name);
/* The parameter whose name is near to `name`; empty: none. */
Str query_nearest(Str query, Str name);

#endif
