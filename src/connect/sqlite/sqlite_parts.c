/* neuron_positions in SQLite: where each partition of a stream's topic is, and its fence. */
#include "connect/sqlite/sqlite_sink.h"

/* A version that knew one process only kept the position of all partitions with its runs. */
static const char HAS_ANY[] =
    "SELECT EXISTS (SELECT 1 FROM " SINK_PARTS_TABLE " WHERE stream = ?1)";
static const char READ[] = "SELECT partition, next_offset FROM " SINK_PARTS_TABLE
                           " WHERE stream = ?1 AND topic = ?2 AND next_offset IS NOT NULL";
static const char TAKE[] =
    "INSERT INTO " SINK_PARTS_TABLE " (stream, topic, partition, next_offset, fence)"
    " VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (stream, topic, partition)"
    " DO UPDATE SET fence = fence + 1 RETURNING next_offset, fence";
static const char MOVE[] = "UPDATE " SINK_PARTS_TABLE " SET next_offset = ?4 WHERE stream = ?1"
                           " AND topic = ?2 AND partition = ?3 AND fence = ?5"
                           " AND next_offset IS ?6";

static Status prepare(sqlite3 *db, const char *sql, const SinkReq *req,
                      sqlite3_stmt **ret_statement, Err *err)
{
    TRY(sqlite_db_prepare(db, str_from(sql), ret_statement, err));
    TRY(sqlite_bind_str(*ret_statement, 1, req->pipeline, err));
    return sqlite3_bind_parameter_count(*ret_statement) > 1
               ? sqlite_bind_str(*ret_statement, 2, req->topic, err)
               : OK;
}

static Status has_any(sqlite3 *db, const SinkReq *req, bool *ret_any, Err *err)
{
    CLEANUP(sqlite_db_finalize_p) sqlite3_stmt *statement = NULL;
    bool row = false;
    TRY(sqlite_db_has_table(db, STR(SINK_PARTS_TABLE), ret_any, err));
    if (!*ret_any) return OK;
    TRY(prepare(db, HAS_ANY, req, &statement, err));
    TRY(sqlite_db_step(db, statement, &row, err));
    *ret_any = row && sqlite3_column_int(statement, 0) != 0;
    return OK;
}

Status sqlite_parts_state(sqlite3 *db, const SinkReq *req, Position *position, bool *ret_any,
                          Err *err)
{
    CLEANUP(sqlite_db_finalize_p) sqlite3_stmt *statement = NULL;
    bool row = false;
    TRY(has_any(db, req, ret_any, err));
    if (!*ret_any) return OK;
    TRY(prepare(db, READ, req, &statement, err));
    TRY(sqlite_db_step(db, statement, &row, err));
    while (row) {
        TRY(position_put(position, sqlite3_column_int(statement, 0),
                         sqlite3_column_int64(statement, 1), err));
        TRY(sqlite_db_step(db, statement, &row, err));
    }
    return OK;
}

static void bind_next(sqlite3_stmt *statement, int index, int64_t next)
{
    if (next < 0) (void)sqlite3_bind_null(statement, index);
    else (void)sqlite3_bind_int64(statement, index, next);
}

/* The row as it is after that, or as it is made. */
static Status take_one(SqliteSink *self, sqlite3_stmt *statement, int32_t part, int64_t next,
                       int64_t fence, SinkPart *ret_part, Err *err)
{
    bool row = false;
    (void)sqlite3_bind_int(statement, 3, part);
    bind_next(statement, 4, next);
    (void)sqlite3_bind_int64(statement, 5, fence);
    TRY(sqlite_db_step(self->db, statement, &row, err));
    if (!row) return err_set(err, ERR_INTERNAL, "sqlite: a position was not written");
    bool known = sqlite3_column_type(statement, 0) != SQLITE_NULL;
    *ret_part = (SinkPart){.next = known ? sqlite3_column_int64(statement, 0) : -1,
                           .fence = sqlite3_column_int64(statement, 1)};
    while (row) TRY(sqlite_db_step(self->db, statement, &row, err));
    (void)sqlite3_reset(statement);
    return OK;
}

static Status take_old(SqliteSink *self, sqlite3_stmt *statement, Err *err)
{
    CLEANUP(load_state_done) LoadState old;
    load_state_init(&old);
    SinkPart part;
    bool any = false;
    TRY(has_any(self->db, self->core.sink.req, &any, err));
    if (any) return OK;
    TRY(sqlite_loads_state(self->db, self->core.sink.req->pipeline, &old, err));
    for (int32_t i = 0; i < old.position.count; i++) {
        const PartPosition *at = &old.position.parts[i];
        TRY(take_one(self, statement, at->part, at->next, 0, &part, err));
    }
    return OK;
}

static Status take_all(SqliteSink *self, const int32_t *parts, int32_t count, Position *ret_from,
                       Err *err)
{
    CLEANUP(sqlite_db_finalize_p) sqlite3_stmt *statement = NULL;
    TRY(sqlite_db_exec(self->db, SINK_PARTS_CREATE, err));
    TRY(prepare(self->db, TAKE, self->core.sink.req, &statement, err));
    TRY(take_old(self, statement, err));
    for (int32_t i = 0; i < count; i++) {
        SinkPart part;
        TRY(take_one(self, statement, parts[i], -1, 1, &part, err));
        TRY(sink_parts_put(&self->core.parts, parts[i], part.next, part.fence, err));
        TRY(position_put(ret_from, parts[i], part.next, err));
    }
    return OK;
}

Status sqlite_parts_take(SqliteSink *self, const int32_t *parts, int32_t count, Position *ret_from,
                         bool *ret_taken, Err *err)
{
    *ret_taken = sqlite_db_exec(self->db, "BEGIN IMMEDIATE", err) == OK;
    if (!*ret_taken && err->kind != ERR_DEADLOCK) return FAIL;
    if (!*ret_taken) {
        err_clear(err);
        return OK;
    }
    Status status = take_all(self, parts, count, ret_from, err);
    if (status == OK) status = sqlite_db_exec(self->db, "COMMIT", err);
    if (status != OK) IGNORE(sqlite_db_exec(self->db, "ROLLBACK", NULL));
    return status;
}

Status sqlite_parts_move(SqliteSink *self, const Position *position, const SinkRun *run,
                         bool *ret_held, Err *err)
{
    CLEANUP(sqlite_db_finalize_p) sqlite3_stmt *statement = NULL;
    *ret_held = sink_parts_move(&self->core.parts, run->from, position);
    if (!*ret_held || self->core.parts.moving == 0) return OK;
    TRY(prepare(self->db, MOVE, self->core.sink.req, &statement, err));
    for (int32_t i = 0; i < self->core.parts.count; i++) {
        SinkPart *part = &self->core.parts.items[i];
        bool row = false;
        if (part->moves < 0) continue;
        (void)sqlite3_bind_int(statement, 3, part->part);
        (void)sqlite3_bind_int64(statement, 4, part->moves);
        (void)sqlite3_bind_int64(statement, 5, part->fence);
        bind_next(statement, 6, part->next);
        TRY(sqlite_db_step(self->db, statement, &row, err));
        (void)sqlite3_reset(statement);
        part->held = sqlite3_changes64(self->db) == 1;
        *ret_held &= part->held;
    }
    return OK;
}
