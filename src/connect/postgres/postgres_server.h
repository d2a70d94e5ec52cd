/* The server that a watermark was taken from: is it still the same, with the same past and clock?
 */
#ifndef NEURON_POSTGRES_SERVER_H
#define NEURON_POSTGRES_SERVER_H

#include "foundation/codec/json_walk.h"
#include "foundation/codec/json_writer.h"
#include "store/db/postgres_db.h"

/* Numbers are 0 where the server doesn't say. Log positions are bytes since 0/0. */
typedef struct PostgresServer {
    char system[24];     /* the cluster's identifier */
    int64_t timeline;    /* of what it writes; 0: a standby */
    int64_t database;    /* its oid */
    int64_t clock_us;    /* now */
    int64_t local_us;    /* the same as the session's zone shows it, for times without a zone */
    int64_t lsn;         /* the end of its log: what it wrote, or a standby replayed */
    int64_t received;    /* what a standby got; stays after its promotion */
    int64_t recovered;   /* where its last recovery ended, or is */
    int64_t replayed_us; /* commit time of the last transaction that a standby replayed */
    bool standby;
    bool receiving; /* a standby that has a connection for the log */
    bool prepares;  /* prepared transactions are allowed */
} PostgresServer;

/* How far a standby has come: no later transaction of the primary is known. */
int64_t postgres_server_as_of_us(const PostgresServer *server);

/* Our own clocks: the time of day, and the time since this machine started. */
typedef struct PostgresOwnClocks {
    int64_t wall_us, up_us;
} PostgresOwnClocks;

/* A server as it was at some moment between two of ours. */
typedef struct PostgresSeen {
    PostgresServer server;
    PostgresOwnClocks asked, answered;
    char boot[40]; /* which start of which machine */
} PostgresSeen;

/* Outside a transaction. */
MUST_USE Status postgres_server_ask(PostgresDb *db, PostgresSeen *ret_seen, Err *err);
/* The end of its log alone, also inside a transaction. */
MUST_USE Status postgres_server_log(PostgresDb *db, int64_t *ret_lsn, Err *err);

typedef enum PostgresChange {
    POSTGRES_SAME,
    POSTGRES_OTHER, /* another cluster or database */
    POSTGRES_LOST,  /* transactions that were read may never have been: a failover, a crash with
                         asynchronous commits, a restored backup */
    POSTGRES_CLOCK_BACK, /* only for cursors that are times */
} PostgresChange;

/* `*ret_low_us` with CLOCK_BACK: no time was stamped below it since `before`. */
PostgresChange postgres_server_change(const PostgresSeen *before, const PostgresSeen *now,
                                      bool times, int64_t *ret_low_us);

/* From and to a JSON object; false when it isn't one of ours. */
bool postgres_seen_load(const JsonSlot *json, PostgresSeen *ret_seen);
void postgres_seen_save(const PostgresSeen *seen, JsonWriter *writer);

#endif
