/* neuron_loads: each published run with its epoch, watermark and counts. A run of many cycles (a
 * stream) keeps one row, whose epoch and counts grow. */
#include "connect/table/table_loads.h"

#include <assert.h>

#include "foundation/base/number.h"

#define TIME_NAMES "started_at, published_at"
#define COUNT_NAMES                                                                                \
    "records_extracted, records_transformed, records_dropped, records_rejected,"                   \
    " records_loaded, inserted, updated, unchanged, deleted"
enum { COUNTS = 9, STATEMENT_MAX = 1 << 16 };

typedef struct Int64Text {
    char text[NUMBER_TEXT_MAX];
} Int64Text;

static Str int64_text(int64_t value, Int64Text *text)
{
    return str_make(text->text, number_format_int64(value, text->text));
}

/* ---- the table ---- */

static Status put_create(const SqlDialect *d, Buf *sql, Err *err)
{
    static const char *const COUNT_COLUMNS[COUNTS] = {
        "records_extracted", "records_transformed", "records_dropped",
        "records_rejected",  "records_loaded",      "inserted",
        "updated",           "unchanged",           "deleted"};
    TRY(buf_printf(sql, err,
                   "CREATE TABLE IF NOT EXISTS " TABLE_LOADS " (pipeline text NOT NULL,"
                   " run_id text NOT NULL, epoch bigint NOT NULL, cycle bigint NOT NULL DEFAULT 0,"
                   " watermark text, position text, started_at %s NOT NULL DEFAULT %s,"
                   " published_at %s NOT NULL DEFAULT %s, status text NOT NULL DEFAULT 'success'",
                   d->time, d->now, d->time, d->now));
    for (int32_t i = 0; i < COUNTS; i++) {
        TRY(buf_printf(sql, err, ", %s bigint NOT NULL DEFAULT 0", COUNT_COLUMNS[i]));
    }
    return buf_append(sql, STR(", config_hash text, PRIMARY KEY (pipeline, epoch))"), err);
}

/* ---- the epoch ---- */

/* An older table has no defaults. `epoch`, `position`, `watermark`: expressions. */
static Status put_first(const SqlDialect *d, const char *values, Buf *sql, Err *err)
{
    return buf_printf(sql, err,
                      "INSERT INTO " TABLE_LOADS " (pipeline, run_id, epoch, cycle, position,"
                      " watermark, " TIME_NAMES ", status, " COUNT_NAMES ")"
                      " SELECT $1, $2, %s, %s, %s, 'success', 0, 0, 0, 0, 0, 0, 0, 0, 0",
                      values, d->now, d->now);
}

/* The first cycle of a run makes its row, with the position of the one before; later ones move it
 * on. The primary key makes two that want the same epoch wait for each other. */
static Status put_fence_first(const SqlDialect *d, Buf *sql, Err *err)
{
    TRY(put_first(d,
                  "CAST($3 AS bigint) + 1, CAST($4 AS bigint), (SELECT l.position FROM " TABLE_LOADS
                  " AS l WHERE l.pipeline = $1 AND l.epoch = CAST($3 AS bigint)),"
                  " (SELECT l.watermark FROM " TABLE_LOADS " AS l WHERE l.pipeline = $1"
                  " AND l.epoch = CAST($3 AS bigint))",
                  sql, err));
    return buf_append(sql,
                      STR(" WHERE NOT EXISTS (SELECT 1 FROM " TABLE_LOADS " AS n"
                          " WHERE n.pipeline = $1 AND n.epoch > CAST($3 AS bigint))"
                          " ON CONFLICT (pipeline, epoch) DO NOTHING"),
                      err);
}

static Status put_fence_next(Buf *sql, Err *err)
{
    return buf_append(sql,
                      STR("UPDATE " TABLE_LOADS " SET epoch = epoch + 1, cycle = CAST($4 AS bigint)"
                          " WHERE pipeline = $1 AND run_id = $2 AND epoch = CAST($3 AS bigint)"
                          " AND NOT EXISTS (SELECT 1 FROM " TABLE_LOADS
                          " AS n WHERE n.pipeline = $1"
                          " AND n.epoch > CAST($3 AS bigint))"),
                      err);
}

static Status put_record(const SqlDialect *d, Buf *sql, Err *err)
{
    return buf_printf(
        sql, err,
        "UPDATE " TABLE_LOADS " SET position = CASE WHEN $3 = 'advance' THEN $4 ELSE position END,"
        " watermark = CASE WHEN $3 = 'advance' THEN $5 ELSE watermark END,"
        " started_at = CAST($6 AS %s), published_at = %s, config_hash = $7,"
        " records_extracted = records_extracted + CAST($8 AS bigint),"
        " records_transformed = records_transformed + CAST($9 AS bigint),"
        " records_dropped = records_dropped + CAST($10 AS bigint),"
        " records_rejected = records_rejected + CAST($11 AS bigint),"
        " records_loaded = records_loaded + CAST($12 AS bigint),"
        " inserted = inserted + CAST($13 AS bigint), updated = updated + CAST($14 AS bigint),"
        " unchanged = unchanged + CAST($15 AS bigint), deleted = deleted + CAST($16 AS bigint),"
        " cycle = CAST($18 AS bigint)"
        " WHERE pipeline = $1 AND epoch = CAST($2 AS bigint) AND run_id = $17",
        d->time, d->now);
}

/* Streams that several processes share: each has a row of its own. */
static Status put_count_first(const SqlDialect *d, Buf *sql, Err *err)
{
    TRY(put_first(d, "coalesce(max(epoch), 0) + 1, 0, NULL, NULL", sql, err));
    return buf_append(sql,
                      STR(" FROM " TABLE_LOADS " WHERE pipeline = $1"
                          " ON CONFLICT (pipeline, epoch) DO NOTHING RETURNING epoch"),
                      err);
}

Status table_loads_put(const SqlDialect *d, TableLoadsSql which, Buf *sql, Err *err)
{
    switch (which) {
    case TABLE_LOADS_CREATE:
        return put_create(d, sql, err);
    case TABLE_LOADS_FENCE:
        return put_fence_first(d, sql, err);
    case TABLE_LOADS_FENCE_NEXT:
        return put_fence_next(sql, err);
    case TABLE_LOADS_RECORD:
        return put_record(d, sql, err);
    case TABLE_LOADS_COUNT:
        return put_count_first(d, sql, err);
    }
    return OK;
}

static Status run(TableSink *t, TableLoadsSql which, const Str *params, int32_t count,
                  TableResult *result, Err *err)
{
    CLEANUP(buf_done) Buf sql = buf_make(STATEMENT_MAX);
    TRY(table_loads_put(t->driver->dialect, which, &sql, err));
    TRY(buf_terminate(&sql, err));
    return t->driver->query(t, sql.data, params, count, result, err);
}

/* ---- made ---- */

/* One of two that create a table at once loses with one of these. */
bool table_lost_race(const Err *err)
{
    return strcmp(err->sqlstate, "23505") == 0 || strcmp(err->sqlstate, "42P07") == 0 ||
           strcmp(err->sqlstate, "42710") == 0 || strcmp(err->sqlstate, "42701") == 0;
}

static Status create(TableSink *t, const char *name, const char *column, const char *sql, Err *err)
{
    bool has = false;
    TRY(t->driver->has(t, name, column, &has, err));
    if (has || t->driver->exec(t, sql, err) == OK) return OK;
    if (table_lost_race(err)) {
        err_clear(err);
        return OK;
    }
    (void)err_prefix(err, "the table %s can't be %s: ", name, column ? "altered" : "created");
    bool read_only = strcmp(err->sqlstate, "25006") == 0;
    if (read_only || (err->kind != ERR_PERMISSION && err->kind != ERR_SCHEMA)) return FAIL;
    return err_hint(err, "%s there: grant CREATE on the schema, or create the table beforehand",
                    strcmp(name, TABLE_LOADS) == 0 ? "the pipeline keeps its watermark"
                                                   : "the stream keeps its offsets");
}

/* An older version of SQLite's table has no `cycle`. */
Status table_loads_create(TableSink *t, bool parts, Err *err)
{
    CLEANUP(buf_done) Buf sql = buf_make(STATEMENT_MAX);
    TRY(put_create(t->driver->dialect, &sql, err));
    TRY(buf_terminate(&sql, err));
    TRY(create(t, TABLE_LOADS, NULL, sql.data, err));
    TRY(create(t, TABLE_LOADS, "cycle",
               "ALTER TABLE " TABLE_LOADS " ADD COLUMN cycle bigint NOT NULL DEFAULT 0", err));
    return parts ? create(t, SINK_PARTS_TABLE, NULL, SINK_PARTS_CREATE, err) : OK;
}

/* ---- state ---- */

Status table_loads_state(TableSink *t, LoadState *ret_state, Err *err)
{
    bool has = false, zone = false;
    TRY(t->driver->has(t, TABLE_LOADS, NULL, &has, err));
    if (!has) return OK;
    CLEANUP(table_result_done) TableResult result = {0};
    CLEANUP(buf_done) Buf sql = buf_make(STATEMENT_MAX);
    TRY(buf_printf(&sql, err,
                   "SELECT epoch, run_id, position, %s FROM " TABLE_LOADS
                   " WHERE pipeline = $1 ORDER BY epoch DESC LIMIT 1",
                   t->driver->dialect->published));
    TRY(buf_terminate(&sql, err));
    TRY(t->driver->query(t, sql.data, &t->sink.req->pipeline, 1, &result, err));
    if (result.rows == 0) return OK;
    ret_state->epoch = table_int64(&result, 0, 0, 0);
    Str run_id = str_slice(table_text(&result, 0, 1), 0, (int64_t)sizeof ret_state->run_id - 1);
    if (run_id.len) memcpy(ret_state->run_id, run_id.ptr, (size_t)run_id.len);
    ret_state->run_id[run_id.len] = 0;
    (void)datetime_parse_timestamp(table_text(&result, 0, 3), &ret_state->published_at_us, &zone);
    Str position = table_text(&result, 0, 2);
    if (!position.len) return OK;
    TRY(position_parse(position, &ret_state->position, err));
    return table_target_change(t, buf_str(&ret_state->position.target), &ret_state->target, err);
}

/* ---- a cycle ---- */

static Status fenced(TableSink *t, Err *err)
{
    (void)err_set(err, ERR_FENCED,
                  "another run of \"%.*s\" published meanwhile (this run began at epoch %lld)",
                  STR_ARG(t->sink.req->pipeline), (long long)t->epoch);
    return err_hint(err, "nothing of this run was published; the next run takes up from there");
}

Status table_loads_fence(TableSink *t, Str run_id, Err *err)
{
    Int64Text epoch, cycle;
    Str params[] = {t->sink.req->pipeline, run_id, int64_text(t->epoch, &epoch),
                    int64_text(t->cycle.number, &cycle)};
    CLEANUP(table_result_done) TableResult result = {0};
    assert(t->cycle.phase == TABLE_OPEN && !t->cycle.fenced);
    TableLoadsSql which = t->cycle.number == 0 ? TABLE_LOADS_FENCE : TABLE_LOADS_FENCE_NEXT;
    if (run(t, which, params, COUNT_OF(params), &result, err) != OK) {
        return strcmp(err->sqlstate, "23505") == 0 ? fenced(t, err) : FAIL;
    }
    if (result.changed != 1) return fenced(t, err);
    t->cycle.fenced = true;
    return OK;
}

/* *ret_rows: how many were there. */
static Status record(TableSink *t, const Position *position, const SinkRun *run_record,
                     int64_t *ret_rows, Err *err)
{
    CLEANUP(buf_done) Buf json = buf_make(1 << 26);
    CLEANUP(position_done) Position noted;
    position_init(&noted);
    TRY(position_copy(position, &noted, err));
    buf_clear(&noted.target);
    if (position->origin.len) TRY(table_target_note(t, &noted.target, err));
    TRY(position_format(&noted, &json, err));
    const SinkCounts *c = &run_record->counts;
    const int64_t counts[COUNTS] = {run_record->extracted,
                                    run_record->transformed,
                                    run_record->dropped,
                                    run_record->rejected,
                                    c->loaded,
                                    c->inserted,
                                    c->updated,
                                    c->unchanged,
                                    c->deleted};
    Int64Text epoch, cycle, texts[COUNTS];
    char started[DATETIME_TEXT_MAX];
    Str params[18] = {
        t->sink.req->pipeline,
        int64_text(t->epoch + 1, &epoch),
        run_record->advance ? STR("advance") : STR("stay"),
        buf_str(&json),
        position->cursor.len ? buf_str(&position->cursor) : STR_NULL,
        str_make(started, datetime_format_timestamp(run_record->started_us, 'T', true, started)),
        t->sink.req->config_hash,
    };
    for (int64_t i = 0; i < COUNTS; i++) params[7 + i] = int64_text(counts[i], &texts[i]);
    params[16] = run_record->run_id;
    params[17] = int64_text(t->cycle.number, &cycle);
    CLEANUP(table_result_done) TableResult result = {0};
    TRY(run(t, TABLE_LOADS_RECORD, params, COUNT_OF(params), &result, err));
    *ret_rows = result.changed;
    return OK;
}

Status table_loads_record(TableSink *t, const Position *position, const SinkRun *run_record,
                          Err *err)
{
    int64_t rows = 0;
    assert(t->cycle.phase == TABLE_OPEN && t->cycle.fenced);
    TRY(record(t, position, run_record, &rows, err));
    return rows == 1 ? OK : fenced(t, err);
}

enum { COUNT_TRIES = 100 };

/* Two that begin at once want the same number: the second one waits for the first, and counts on.
 */
static Status count_first(TableSink *t, Str run_id, Err *err)
{
    Str params[] = {t->sink.req->pipeline, run_id};
    for (int i = 0; i < COUNT_TRIES; i++) {
        CLEANUP(table_result_done) TableResult result = {0};
        TRY(run(t, TABLE_LOADS_COUNT, params, COUNT_OF(params), &result, err));
        if (result.rows == 0) continue;
        t->epoch = table_int64(&result, 0, 0, 1) - 1;
        return OK;
    }
    return err_set(err, ERR_DEADLOCK, "no number is to be had in " TABLE_LOADS);
}

Status table_loads_count(TableSink *t, const SinkRun *run_record, Err *err)
{
    Position none;
    int64_t rows = 0;
    SinkRun counted = *run_record;
    assert(t->cycle.phase == TABLE_OPEN);
    counted.advance = false; /* where it is, neuron_positions says */
    position_init(&none);
    Status status = record(t, &none, &counted, &rows, err);
    if (status == OK && rows == 0) {
        status = count_first(t, run_record->run_id, err);
        if (status == OK) status = record(t, &none, &counted, &rows, err);
    }
    position_done(&none);
    if (status == OK && rows == 0) return fenced(t, err);
    return status;
}

/* A table without `cycle` is of an older version, which kept a row for each cycle. */
Status table_loads_outcome(TableSink *t, Str run_id, int64_t cycle, Outcome *ret_outcome,
                           SinkCounts *ret_counts, Err *err)
{
    Int64Text text;
    bool has = false;
    Str params[] = {t->sink.req->pipeline, run_id, int64_text(cycle, &text)};
    CLEANUP(table_result_done) TableResult result = {0};
    *ret_outcome = OUTCOME_NOT_COMMITTED;
    TRY(t->driver->has(t, TABLE_LOADS, "cycle", &has, err));
    TRY(t->driver->query(t,
                         has ? "SELECT records_loaded, inserted, updated, unchanged, deleted"
                               " FROM " TABLE_LOADS " WHERE pipeline = $1 AND run_id = $2"
                               " AND cycle >= CAST($3 AS bigint)"
                             : "SELECT records_loaded, inserted, updated, unchanged, deleted"
                               " FROM " TABLE_LOADS " WHERE pipeline = $1 AND run_id = $2",
                         params, has ? 3 : 2, &result, err));
    if (result.rows == 0) return OK;
    *ret_outcome = OUTCOME_COMMITTED;
    *ret_counts = (SinkCounts){.loaded = table_int64(&result, 0, 0, 0),
                               .inserted = table_int64(&result, 0, 1, 0),
                               .updated = table_int64(&result, 0, 2, 0),
                               .unchanged = table_int64(&result, 0, 3, 0),
                               .deleted = table_int64(&result, 0, 4, 0)};
    return OK;
}
