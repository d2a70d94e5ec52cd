/* What the files of this room share: one statement with its values, under the store's lock. */
#ifndef NEURON_STATE_STORE_IMPL_H
#define NEURON_STATE_STORE_IMPL_H

#include "store/db/sqlite_db.h"
#include "store/state/state_store.h"

typedef enum StateValueKind { STATE_INT, STATE_TEXT, STATE_REAL } StateValueKind;

/* A value that is bound to ?1, ?2 … */
typedef struct StateValue {
    StateValueKind kind;
    int64_t integer;
    double real;
    Str text;
} StateValue;

static inline StateValue state_int(int64_t value)
{
    return (StateValue){.kind = STATE_INT, .integer = value};
}

static inline StateValue state_text(Str value)
{
    return (StateValue){.kind = STATE_TEXT, .text = value};
}

static inline StateValue state_real(double value)
{
    return (StateValue){.kind = STATE_REAL, .real = value};
}

typedef Status (*StateRowEach)(void *arg, sqlite3_stmt *row, Err *err);

/* Run one statement; `each` (may be NULL) gets its rows. */
typedef struct StateQuery {
    const char *sql;
    const StateValue *values;
    int32_t value_count;
    StateRowEach each;
    void *arg;
    int64_t changes, last_id; /* afterwards */
} StateQuery;
MUST_USE Status state_query(StateStore *store, StateQuery *query, Err *err);
/* Several as one transaction. */
MUST_USE Status state_queries(StateStore *store, StateQuery *queries, int32_t count, Err *err);

/* For an initialiser of StateQuery: .values = …, .value_count = … */
#define STATE_VALUES(...)                                                                          \
    .values = (const StateValue[]){__VA_ARGS__},                                                   \
    .value_count = (int32_t)COUNT_OF(((const StateValue[]){__VA_ARGS__}))

Str state_column(sqlite3_stmt *row, int column);

#endif
