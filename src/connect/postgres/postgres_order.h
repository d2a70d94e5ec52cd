/* What the catalog says about the order of a cursor, and what nobody guarantees about it. */
#ifndef NEURON_POSTGRES_ORDER_H
#define NEURON_POSTGRES_ORDER_H

#include "connect/postgres/postgres_source.h"

/* What the catalog says about the cursor. Texts in the arena given; empty: none. */
typedef struct PostgresOrder {
    bool standby;
    bool indexed;
    Str index;       /* the statement that makes an index */
    Str table;       /* that it is a column of, also through views; empty: an expression */
    char kind;       /* pg_class.relkind of that */
    Str fills;       /* what fills it: "sequence", "clock", "zoned clock", "trigger", "other" */
    bool subscribed; /* by logical replication */
    Str sequence;
    int64_t cache, increment;
    bool cycles;
    Str zone; /* of the session, where its offset changes in the year */
} PostgresOrder;
MUST_USE Status postgres_order_ask(PostgresSource *self, Arena *arena, PostgresOrder *ret_order,
                                   Err *err);
/* A clock fills it, or may. */
bool postgres_order_is_clocked(const PostgresOrder *order);
/* What nobody guarantees about the order of the cursor's values, as a sentence that says the fix;
 * empty: they grow as they are given out. */
MUST_USE Status postgres_order_doubt(const PostgresSource *self, const PostgresOrder *order,
                                     Buf *out, Err *err);

#endif
