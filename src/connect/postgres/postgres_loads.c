/* neuron_loads in PostgreSQL: each published run with its epoch, watermark and counts. */
#include "connect/postgres/postgres_sink.h"
#include "foundation/base/clock.h"
#include "foundation/base/number.h"

/* A run of many cycles (a stream) keeps one row, whose epoch and counts grow. */
static const char CREATE_LOADS[] =
    "CREATE TABLE IF NOT EXISTS neuron_loads ("
    "pipeline text NOT NULL, run_id text NOT NULL, epoch bigint NOT NULL,"
    " cycle bigint NOT NULL DEFAULT 0, watermark text, position text,"
    " started_at timestamptz NOT NULL DEFAULT now(),"
    " published_at timestamptz NOT NULL DEFAULT now(), status text NOT NULL DEFAULT 'success',"
    " records_extracted bigint NOT NULL DEFAULT 0, records_transformed bigint NOT NULL DEFAULT 0,"
    " records_dropped bigint NOT NULL DEFAULT 0, records_rejected bigint NOT NULL DEFAULT 0,"
    " records_loaded bigint NOT NULL DEFAULT 0, inserted bigint NOT NULL DEFAULT 0,"
    " updated bigint NOT NULL DEFAULT 0, unchanged bigint NOT NULL DEFAULT 0,"
    " deleted bigint NOT NULL DEFAULT 0, config_hash text, PRIMARY KEY (pipeline, epoch))";

typedef struct Int64Text {
    char text[NUMBER_TEXT_MAX];
} Int64Text;

static Str int64_text(int64_t value, Int64Text *text)
{
    return str_make(text->text, number_format_int64(value, text->text));
}

static int64_t field_int64(const PGresult *result, int column)
{
    int64_t value = 0;
    (void)number_parse_int64(postgres_db_text(result, 0, column), &value);
    return value;
}

Status postgres_loads_has(PostgresDb *db, bool *ret_has, Err *err)
{
    int64_t there = 0;
    TRY(postgres_db_int64(db, "SELECT count(to_regclass('neuron_loads'))", NULL, 0, &there, err));
    *ret_has = there > 0;
    return OK;
}

/* One of two that create a table at once loses with one of these. */
bool postgres_lost_race(const Err *err)
{
    return strcmp(err->sqlstate, "23505") == 0 || strcmp(err->sqlstate, "42P07") == 0 ||
           strcmp(err->sqlstate, "42710") == 0;
}

static Status create(PostgresDb *db, const char *name, const char *sql, Err *err)
{
    int64_t there = 0;
    Str param = str_from(name);
    TRY(postgres_db_int64(db, "SELECT count(to_regclass($1))", &param, 1, &there, err));
    if (there > 0 || postgres_db_exec(db, sql, err) == OK) return OK;
    if (postgres_lost_race(err)) {
        err_clear(err);
        return OK;
    }
    (void)err_prefix(err, "the table %s can't be created: ", name);
    bool read_only = strcmp(err->sqlstate, "25006") == 0;
    if (read_only || (err->kind != ERR_PERMISSION && err->kind != ERR_SCHEMA)) return FAIL;
    return err_hint(err, "%s there: grant CREATE on the schema, or create the table beforehand",
                    sql == CREATE_LOADS ? "the pipeline keeps its watermark"
                                        : "the stream keeps its offsets");
}

Status postgres_loads_create(PostgresDb *db, bool parts, Err *err)
{
    TRY(create(db, "neuron_loads", CREATE_LOADS, err));
    return parts ? create(db, SINK_PARTS_TABLE, SINK_PARTS_CREATE, err) : OK;
}

Status postgres_loads_state(PostgresDb *db, Str pipeline, LoadState *ret_state, Err *err)
{
    bool has = false;
    TRY(postgres_loads_has(db, &has, err));
    if (!has) return OK;
    CLEANUP(postgres_db_clear_p) PGresult *result = NULL;
    TRY(postgres_db_query(db,
                          "SELECT epoch, run_id, position,"
                          " (extract(epoch FROM published_at) * 1000000)::bigint"
                          " FROM neuron_loads WHERE pipeline = $1 ORDER BY epoch DESC LIMIT 1",
                          &pipeline, 1, &result, err));
    if (PQntuples(result) == 0) return OK;
    ret_state->epoch = field_int64(result, 0);
    Str run_id =
        str_slice(postgres_db_text(result, 0, 1), 0, (int64_t)sizeof ret_state->run_id - 1);
    if (run_id.len) memcpy(ret_state->run_id, run_id.ptr, (size_t)run_id.len);
    ret_state->run_id[run_id.len] = 0;
    ret_state->published_at_us = field_int64(result, 3);
    Str position = postgres_db_text(result, 0, 2);
    return position.len ? position_parse(position, &ret_state->position, err) : OK;
}

static Status fenced(PostgresSink *self, Err *err)
{
    (void)err_set(err, ERR_FENCED,
                  "another run of \"%.*s\" published meanwhile (this run began at epoch %lld)",
                  STR_ARG(self->core.sink.req->pipeline), (long long)self->core.epoch);
    return err_hint(err, "nothing of this run was published; the next run takes up from there");
}

/* The first cycle of a run makes its row, with the position of the one before; later ones move it
 * on. The primary key makes two that want the same epoch wait for each other. */
static const char FENCE_FIRST[] =
    "INSERT INTO neuron_loads (pipeline, run_id, epoch, cycle, position, watermark)"
    " SELECT $1, $2, $3::bigint + 1, $4::bigint,"
    " (SELECT l.position FROM neuron_loads AS l WHERE l.pipeline = $1 AND l.epoch = $3::bigint),"
    " (SELECT l.watermark FROM neuron_loads AS l WHERE l.pipeline = $1 AND l.epoch = $3::bigint)"
    " WHERE NOT EXISTS (SELECT FROM neuron_loads AS n WHERE n.pipeline = $1"
    " AND n.epoch > $3::bigint) ON CONFLICT (pipeline, epoch) DO NOTHING";
static const char FENCE_NEXT[] =
    "UPDATE neuron_loads SET epoch = epoch + 1, cycle = $4::bigint"
    " WHERE pipeline = $1 AND run_id = $2 AND epoch = $3::bigint"
    " AND NOT EXISTS (SELECT FROM neuron_loads AS n WHERE n.pipeline = $1"
    " AND n.epoch > $3::bigint)";

Status postgres_loads_fence(PostgresSink *self, Str run_id, Err *err)
{
    Int64Text epoch, cycle;
    Str params[] = {self->core.sink.req->pipeline, run_id, int64_text(self->core.epoch, &epoch),
                    int64_text(self->core.cycle, &cycle)};
    CLEANUP(postgres_db_clear_p) PGresult *result = NULL;
    const char *sql = self->core.cycle == 0 ? FENCE_FIRST : FENCE_NEXT;
    if (postgres_db_query(self->db, sql, params, 4, &result, err) != OK) {
        return strcmp(err->sqlstate, "23505") == 0 ? fenced(self, err) : FAIL;
    }
    if (!str_eq(str_from(PQcmdTuples(result)), STR("1"))) return fenced(self, err);
    self->fenced = true;
    return OK;
}

static void xid_keep(PostgresSink *self, Str xid)
{
    xid = str_slice(xid, 0, (int64_t)sizeof self->xid - 1);
    memcpy(self->xid, xid.ptr, (size_t)xid.len);
    self->xid[xid.len] = 0;
}

static const char RECORD[] =
    "UPDATE neuron_loads SET"
    " position = CASE WHEN $3 = 'advance' THEN $4 ELSE position END,"
    " watermark = CASE WHEN $3 = 'advance' THEN $5 ELSE watermark END,"
    " started_at = 'epoch'::timestamptz + $6::bigint * interval '1 microsecond',"
    " published_at = clock_timestamp(), config_hash = $7,"
    " records_extracted = records_extracted + $8::bigint,"
    " records_transformed = records_transformed + $9::bigint,"
    " records_dropped = records_dropped + $10::bigint,"
    " records_rejected = records_rejected + $11::bigint,"
    " records_loaded = records_loaded + $12::bigint, inserted = inserted + $13::bigint,"
    " updated = updated + $14::bigint, unchanged = unchanged + $15::bigint,"
    " deleted = deleted + $16::bigint, cycle = $18::bigint"
    " WHERE pipeline = $1 AND epoch = $2::bigint AND run_id = $17 RETURNING txid_current()";

const char *postgres_loads_sql(PostgresLoadsSql which)
{
    const char *const texts[] = {CREATE_LOADS, FENCE_FIRST, RECORD};
    return texts[which];
}

/* *ret_rows: how many were there. The transaction's id is noted. */
static Status record(PostgresSink *self, const Position *position, const SinkRun *run,
                     int64_t *ret_rows, Err *err)
{
    CLEANUP(buf_done) Buf json = buf_make(1 << 24);
    TRY(position_format(position, &json, err));
    const int64_t counts[] = {run->extracted,      run->transformed,      run->dropped,
                              run->rejected,       run->counts.loaded,    run->counts.inserted,
                              run->counts.updated, run->counts.unchanged, run->counts.deleted};
    Int64Text epoch, started, cycle, texts[COUNT_OF(counts)];
    Str params[18] = {
        self->core.sink.req->pipeline,
        int64_text(self->core.epoch + 1, &epoch),
        run->advance ? STR("advance") : STR("stay"),
        buf_str(&json),
        position->cursor.len ? buf_str(&position->cursor) : STR_NULL,
        int64_text(run->started_us, &started),
        self->core.sink.req->config_hash,
    };
    for (int64_t i = 0; i < COUNT_OF(counts); i++) params[7 + i] = int64_text(counts[i], &texts[i]);
    params[16] = run->run_id;
    params[17] = int64_text(self->core.cycle, &cycle);
    CLEANUP(postgres_db_clear_p) PGresult *result = NULL;
    TRY(postgres_db_query(self->db, RECORD, params, COUNT_OF(params), &result, err));
    *ret_rows = PQntuples(result);
    if (*ret_rows == 1) xid_keep(self, postgres_db_text(result, 0, 0));
    return OK;
}

Status postgres_loads_record(PostgresSink *self, const Position *position, const SinkRun *run,
                             Err *err)
{
    int64_t rows = 0;
    TRY(record(self, position, run, &rows, err));
    return rows == 1 ? OK : fenced(self, err);
}

/* ---- streams that several processes share ---- */

enum { COUNT_TRIES = 100 };
static const char COUNT_FIRST[] =
    "INSERT INTO neuron_loads (pipeline, run_id, epoch) SELECT $1, $2, coalesce(max(epoch), 0) + 1"
    " FROM neuron_loads WHERE pipeline = $1 ON CONFLICT (pipeline, epoch) DO NOTHING"
    " RETURNING epoch";

/* Two that begin at once want the same number: the second one waits for the first, and counts on.
 */
static Status count_first(PostgresSink *self, Str run_id, Err *err)
{
    Str params[] = {self->core.sink.req->pipeline, run_id};
    for (int i = 0; i < COUNT_TRIES; i++) {
        CLEANUP(postgres_db_clear_p) PGresult *result = NULL;
        TRY(postgres_db_query(self->db, COUNT_FIRST, params, 2, &result, err));
        if (PQntuples(result) == 0) continue;
        self->core.epoch = field_int64(result, 0) - 1;
        return OK;
    }
    return err_set(err, ERR_DEADLOCK, "postgresql: no number is to be had in neuron_loads");
}

Status postgres_loads_count(PostgresSink *self, const SinkRun *run, Err *err)
{
    Position none;
    int64_t rows = 0;
    SinkRun counted = *run;
    counted.advance = false; /* where it is stands in neuron_positions */
    position_init(&none);
    Status status = record(self, &none, &counted, &rows, err);
    if (status == OK && rows == 0) {
        status = count_first(self, run->run_id, err);
        if (status == OK) status = record(self, &none, &counted, &rows, err);
    }
    position_done(&none);
    if (status == OK && rows == 0) return fenced(self, err);
    return status;
}

/* Our own transaction whose session broke may still be open on a server that didn't see the break:
 * it waits for a COMMIT that will never come, and would keep the next run waiting. Known by its
 * backend and its beginning, and ended only while it is idle. */
static Status end_orphan(PostgresSink *self, Err *err)
{
    if (!self->pid[0]) return OK;
    Str params[] = {str_from(self->pid), str_from(self->began)};
    CLEANUP(postgres_db_clear_p) PGresult *result = NULL;
    return postgres_db_query(self->db,
                             "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                             " WHERE pid = $1::int AND xact_start = $2::timestamptz"
                             " AND state LIKE 'idle in transaction%' AND pid <> pg_backend_pid()",
                             params, 2, &result, err);
}

/* An insert of the next epoch waits for whoever is at it: afterwards the answer is final. */
static Status wait_for_writer(PostgresDb *db, Str pipeline, Err *err)
{
    TRY(postgres_db_exec(db, "SET LOCAL lock_timeout = '5s'", err));
    CLEANUP(postgres_db_clear_p) PGresult *result = NULL;
    TRY(postgres_db_query(db,
                          "INSERT INTO neuron_loads (pipeline, run_id, epoch) SELECT $1, 'probe',"
                          " coalesce(max(epoch), 0) + 1 FROM neuron_loads WHERE pipeline = $1"
                          " ON CONFLICT (pipeline, epoch) DO NOTHING",
                          &pipeline, 1, &result, err));
    return OK;
}

static Status read_outcome(PostgresDb *db, Str pipeline, Str run_id, int64_t cycle,
                           Outcome *ret_outcome, SinkCounts *ret_counts, Err *err)
{
    Int64Text text;
    Str params[] = {pipeline, run_id, int64_text(cycle, &text)};
    CLEANUP(postgres_db_clear_p) PGresult *result = NULL;
    TRY(postgres_db_query(db,
                          "SELECT records_loaded, inserted, updated, unchanged, deleted"
                          " FROM neuron_loads WHERE pipeline = $1 AND run_id = $2"
                          " AND cycle >= $3::bigint",
                          params, 3, &result, err));
    *ret_outcome = OUTCOME_NOT_COMMITTED;
    if (PQntuples(result) == 0) return OK;
    *ret_outcome = OUTCOME_COMMITTED;
    *ret_counts = (SinkCounts){.loaded = field_int64(result, 0),
                               .inserted = field_int64(result, 1),
                               .updated = field_int64(result, 2),
                               .unchanged = field_int64(result, 3),
                               .deleted = field_int64(result, 4)};
    return OK;
}

Status postgres_loads_outcome(PostgresSink *self, Str run_id, int64_t cycle, Outcome *ret_outcome,
                              SinkCounts *ret_counts, Err *err)
{
    bool has = false;
    Str pipeline = self->core.sink.req->pipeline;
    *ret_outcome = OUTCOME_NOT_COMMITTED;
    TRY(postgres_loads_has(self->db, &has, err));
    if (!has) return OK;
    if (self->unknown) TRY(end_orphan(self, err));
    TRY(postgres_db_begin(self->db, "ISOLATION LEVEL READ COMMITTED", POSTGRES_ZONE_UTC, err));
    Status status = wait_for_writer(self->db, pipeline, err);
    if (status == OK) {
        status = read_outcome(self->db, pipeline, run_id, cycle, ret_outcome, ret_counts, err);
    }
    postgres_db_rollback(self->db);
    return status;
}

/* ---- a transaction without a run record ---- */

Status postgres_xid_note(PostgresSink *self, Err *err)
{
    CLEANUP(postgres_db_clear_p) PGresult *result = NULL;
    TRY(postgres_db_query(self->db, "SELECT txid_current()", NULL, 0, &result, err));
    xid_keep(self, postgres_db_text(result, 0, 0));
    return OK;
}

Status postgres_xid_outcome(PostgresSink *self, Outcome *ret_outcome, Err *err)
{
    Str xid = str_from(self->xid);
    CLEANUP(postgres_db_clear_p) PGresult *result = NULL;
    TRY(end_orphan(self, err));
    TRY(postgres_db_query(self->db, "SELECT txid_status($1::bigint)", &xid, 1, &result, err));
    Str status = postgres_db_text(result, 0, 0);
    if (str_eq(status, STR("committed"))) *ret_outcome = OUTCOME_COMMITTED;
    if (str_eq(status, STR("aborted"))) *ret_outcome = OUTCOME_NOT_COMMITTED;
    return OK;
}
