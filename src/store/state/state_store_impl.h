/* What the files of this room share: one statement with its values, on either kind of store. */
#ifndef NEURON_STATE_STORE_IMPL_H
#define NEURON_STATE_STORE_IMPL_H

#include <pthread.h>

#include "store/db/postgres_db.h"
#include "store/db/sqlite_db.h"
#include "store/state/state_store.h"

enum { STATE_OWNER_SIZE = 33 };

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

/* A row of either kind. */
typedef struct StateRow {
    sqlite3_stmt *sqlite;   /* or else */
    const PGresult *result; /* and its row */
    int row;
} StateRow;
typedef Status (*StateRowEach)(void *arg, const StateRow *row, Err *err);
/* NULL is empty and 0. */
Str state_column(const StateRow *row, int column);
int64_t state_column_int(const StateRow *row, int column);
double state_column_real(const StateRow *row, int column);

/* One statement in the SQL that SQLite and PostgreSQL share, its parameters as ?1, ?2 …; {now} is
 * the store's own clock (microseconds since the epoch), {scope} the part of it that is this
 * neuron's. `each` (may be NULL) gets its rows. */
typedef struct StateQuery {
    const char *sql;
    const StateValue *values;
    int32_t value_count;
    StateRowEach each;
    void *arg;
    int64_t changes; /* afterwards */
} StateQuery;
MUST_USE Status state_query(StateStore *store, StateQuery *query, Err *err);
/* Several as one transaction. */
MUST_USE Status state_queries(StateStore *store, StateQuery *queries, int32_t count, Err *err);

/* One call at a time: the session or file is the caller's until it gives it back. FAIL: no answer
 * in time. */
MUST_USE Status state_turn_take(StateStore *store, Err *err);
void state_turn_give(StateStore *store);

#define STATE_LETTER_SQL "INSERT INTO outbox(kind, body, at_us, scope) VALUES(?1,?2,?3,{scope})"
/* Of a letter. */
#define STATE_LETTER_VALUES(letter)                                                                \
    STATE_VALUES(state_text((letter)->kind), state_text((letter)->body), state_int((letter)->at_us))

/* For an initialiser of StateQuery: .values = …, .value_count = … */
#define STATE_VALUES(...)                                                                          \
    .values = (const StateValue[]){__VA_ARGS__},                                                   \
    .value_count = (int32_t)COUNT_OF(((const StateValue[]){__VA_ARGS__}))

struct StateStore {
    pthread_mutex_t lock; /* of the next four */
    pthread_cond_t freed;
    bool silent;         /* the last call ended at its deadline */
    int64_t since_ns;    /* of the call that uses the rest; 0: none does */
    int64_t last_ns;     /* when the last call ended */
    int64_t deadline_ns; /* of the call that uses the rest */
    sqlite3 *db;         /* or else */
    PostgresDb *session; /* NULL while it is lost */
    Buf url;             /* of the session */
    Buf sql;             /* scratch */
    Buf scope;
    char owner[STATE_OWNER_SIZE];
};

/* By the one call that uses the store. `count` statements, of which all or none are kept. */
MUST_USE Status state_sqlite_open(Str path, StateStore *store, Err *err);
MUST_USE Status state_sqlite_run(StateStore *store, StateQuery *queries, int32_t count, Err *err);
MUST_USE Status state_postgres_open(Str url, StateStore *store, Err *err);
MUST_USE Status state_postgres_run(StateStore *store, StateQuery *queries, int32_t count, Err *err);
/* The statement's text into store->sql: ?1 as ?1 or, numbered, as $1::type; {now} as `now`; {scope}
 * as the store's scope, a literal. */
MUST_USE Status state_sql(StateStore *store, const StateQuery *query, const char *now,
                          bool numbered, Err *err);

#endif
