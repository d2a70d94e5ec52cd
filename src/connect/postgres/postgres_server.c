/* The server that a watermark was taken from: is it still the same, with the same past and clock?
 */
#include "connect/postgres/postgres_server.h"

#include "foundation/base/clock.h"
#include "foundation/base/number.h"

/* Clocks are never quite even, and answers take their time: what may differ without meaning. */
#define SERVER_CLOCK_SLACK_US INT64_C(500000)
enum { SERVER_CLOCK_DRIFT = 5000 }; /* one part of so many */

/* ---- asking ---- */

static const char LOG_SQL[] =
    "SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn() "
    "ELSE pg_catalog.pg_current_wal_insert_lsn() END - '0/0'::pg_catalog.pg_lsn";

/* In the order of server_read; %s: about the cluster. */
static const char SERVER_SQL[] =
    "SELECT (extract(epoch FROM t.now) * 1000000)::bigint, "
    "(extract(epoch FROM t.now::timestamp) * 1000000)::bigint, "
    "(SELECT oid::bigint FROM pg_catalog.pg_database "
    "WHERE datname = pg_catalog.current_database()), "
    "pg_catalog.pg_is_in_recovery(), (%s), "
    "pg_catalog.pg_last_wal_receive_lsn() - '0/0'::pg_catalog.pg_lsn, "
    "pg_catalog.pg_last_wal_replay_lsn() - '0/0'::pg_catalog.pg_lsn, "
    "(extract(epoch FROM pg_catalog.pg_last_xact_replay_timestamp()) * 1000000)::bigint, "
    "EXISTS (SELECT 1 FROM pg_catalog.pg_stat_wal_receiver), "
    "pg_catalog.current_setting('max_prepared_transactions')::int > 0, c.file, c.system "
    "FROM (SELECT pg_catalog.clock_timestamp() AS now OFFSET 0) AS t CROSS JOIN (%s) AS c";

/* Not every service lets its users look at the cluster. */
static const char CLUSTER_SQL[] =
    "SELECT CASE WHEN NOT pg_catalog.pg_is_in_recovery() THEN "
    "pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()) END AS file, "
    "system_identifier AS system FROM pg_catalog.pg_control_system()";
static const char CLUSTER_SQL_CLOSED[] = "SELECT NULL AS file, NULL AS system";

static int64_t number_at(const PGresult *result, int column)
{
    int64_t number = 0;
    (void)number_parse_int64(postgres_db_text(result, 0, column), &number);
    return number;
}

static bool is_true(const PGresult *result, int column)
{
    return str_eq(postgres_db_text(result, 0, column), STR("t"));
}

/* A log file's name begins with its timeline: 8 hexadecimal digits. */
static int64_t timeline_of(Str file)
{
    int64_t timeline = 0;
    for (int64_t i = 0; i < 8 && i < file.len; i++) {
        char c = file.ptr[i];
        timeline = timeline * 16 + (c <= '9' ? c - '0' : c - 'A' + 10);
    }
    return timeline;
}

static void server_read(const PGresult *result, PostgresServer *server)
{
    *server = (PostgresServer){
        .clock_us = number_at(result, 0),
        .local_us = number_at(result, 1),
        .database = number_at(result, 2),
        .standby = is_true(result, 3),
        .lsn = number_at(result, 4),
        .received = number_at(result, 5),
        .recovered = number_at(result, 6),
        .replayed_us = number_at(result, 7),
        .receiving = is_true(result, 8),
        .prepares = is_true(result, 9),
        .timeline = timeline_of(postgres_db_text(result, 0, 10)),
    };
    str_to_array(server->system, sizeof server->system, postgres_db_text(result, 0, 11));
}

static PostgresOwnClocks own_clocks(void)
{
    return (PostgresOwnClocks){clock_now_us(), clock_boot_ns() / 1000};
}

static Status server_ask(PostgresDb *db, const char *cluster, PostgresServer *server, Err *err)
{
    CLEANUP(buf_done) Buf sql = buf_make(1 << 16);
    CLEANUP(postgres_db_clear_p) PGresult *result = NULL;
    TRY(buf_printf(&sql, err, SERVER_SQL, LOG_SQL, cluster));
    TRY(buf_terminate(&sql, err));
    TRY(postgres_db_query(db, sql.data, NULL, 0, &result, err));
    server_read(result, server);
    return OK;
}

Status postgres_server_ask(PostgresDb *db, PostgresSeen *ret_seen, Err *err)
{
    Err why = {0};
    ret_seen->asked = own_clocks();
    if (server_ask(db, CLUSTER_SQL, &ret_seen->server, &why) != OK) {
        bool closed = why.kind == ERR_PERMISSION || strcmp(why.sqlstate, "0A000") == 0;
        if (!closed && err) *err = why;
        if (!closed) return FAIL;
        TRY(server_ask(db, CLUSTER_SQL_CLOSED, &ret_seen->server, err));
    }
    ret_seen->answered = own_clocks();
    clock_boot_id(ret_seen->boot);
    return OK;
}

Status postgres_server_log(PostgresDb *db, int64_t *ret_lsn, Err *err)
{
    return postgres_db_int64(db, LOG_SQL, NULL, 0, ret_lsn, err);
}

int64_t postgres_server_as_of_us(const PostgresServer *server)
{
    bool current = !server->standby || (server->receiving && server->received == server->lsn);
    return current ? server->clock_us : server->replayed_us;
}

/* ---- what has changed ---- */

static bool is_other(const PostgresServer *before, const PostgresServer *now)
{
    bool known = before->system[0] && now->system[0];
    if (known && strcmp(before->system, now->system) != 0) return true;
    return before->database && now->database && before->database != now->database;
}

/* The log that was read up to before->lsn: is it still the beginning of the one that is there? */
static bool has_lost(const PostgresServer *before, const PostgresServer *now)
{
    if (!before->lsn || !now->lsn) return false;
    if (now->lsn < before->lsn && !now->standby) return true;
    if (before->timeline && now->timeline && before->timeline != now->timeline) {
        /* A standby of ours that took over: it says how far it had come. */
        bool kept =
            now->timeline == before->timeline + 1 && now->received && before->lsn <= now->recovered;
        return !kept;
    }
    bool recovery = now->recovered && now->recovered != before->recovered && !now->standby;
    return recovery && before->lsn > now->recovered;
}

/* How long it is since then by our own clocks, at least; < 0: not known. */
static int64_t elapsed_us(const PostgresSeen *before, const PostgresSeen *now)
{
    bool same = before->boot[0] && strcmp(before->boot, now->boot) == 0;
    return same ? now->asked.up_us - before->answered.up_us
                : now->asked.wall_us - before->answered.wall_us;
}

static bool clock_is_back(const PostgresSeen *before, const PostgresSeen *now, int64_t *ret_low_us)
{
    if (!before->server.clock_us) return false;
    int64_t went_us = now->server.clock_us - before->server.clock_us;
    int64_t took_us = elapsed_us(before, now);
    int64_t slack_us = SERVER_CLOCK_SLACK_US + took_us / SERVER_CLOCK_DRIFT;
    if (took_us < 0) {
        *ret_low_us = INT64_MIN;
        return went_us < 0;
    }
    *ret_low_us = now->server.clock_us - took_us - 2 * slack_us;
    return took_us - went_us > slack_us;
}

PostgresChange postgres_server_change(const PostgresSeen *before, const PostgresSeen *now,
                                      bool times, int64_t *ret_low_us)
{
    if (is_other(&before->server, &now->server)) return POSTGRES_OTHER;
    if (has_lost(&before->server, &now->server)) return POSTGRES_LOST;
    bool back = times && clock_is_back(before, now, ret_low_us);
    return back ? POSTGRES_CLOCK_BACK : POSTGRES_SAME;
}

/* ---- JSON ---- */

typedef struct SeenNumber {
    const char *key;
    int64_t offset;
} SeenNumber;

#define SEEN(key, field)                                                                           \
    {                                                                                              \
        key, (int64_t)offsetof(PostgresSeen, field)                                                \
    }

/* What a later run compares. */
static const SeenNumber SEEN_NUMBERS[] = {
    SEEN("timeline", server.timeline),   SEEN("database", server.database),
    SEEN("clock", server.clock_us),      SEEN("lsn", server.lsn),
    SEEN("recovered", server.recovered), SEEN("wall", answered.wall_us),
    SEEN("up", answered.up_us),
};

bool postgres_seen_load(const JsonSlot *json, PostgresSeen *ret_seen)
{
    if (json->kind != JSON_OBJECT) return false;
    PostgresSeen seen = {0};
    for (int64_t i = 0; i < COUNT_OF(SEEN_NUMBERS); i++) {
        JsonSlot slot = json_get_key(json, str_from(SEEN_NUMBERS[i].key));
        int64_t *number = (int64_t *)(void *)((char *)&seen + SEEN_NUMBERS[i].offset);
        if (slot.kind != JSON_NUMBER || number_parse_int64(slot.text, number) != NUMBER_OK) {
            return false;
        }
    }
    JsonSlot system = json_get_key(json, STR("system")), boot = json_get_key(json, STR("boot"));
    if (system.kind == JSON_STRING)
        str_to_array(seen.server.system, sizeof seen.server.system, system.text);
    if (boot.kind == JSON_STRING) str_to_array(seen.boot, sizeof seen.boot, boot.text);
    *ret_seen = seen;
    return true;
}

void postgres_seen_save(const PostgresSeen *seen, JsonWriter *w)
{
    json_object_begin(w);
    json_key(w, "system");
    json_write_text(w, str_from(seen->server.system));
    json_key(w, "boot");
    json_write_text(w, str_from(seen->boot));
    for (int64_t i = 0; i < COUNT_OF(SEEN_NUMBERS); i++) {
        const char *at = (const char *)seen + SEEN_NUMBERS[i].offset;
        json_key(w, SEEN_NUMBERS[i].key);
        json_write_int64(w, *(const int64_t *)(const void *)at);
    }
    json_object_end(w);
}
