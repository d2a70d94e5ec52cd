/* neuron_positions in PostgreSQL: where each partition of a stream's topic is, and its fence. */
#include "connect/postgres/postgres_sink.h"
#include "foundation/base/number.h"

enum { ARRAY_MAX = 1 << 20 };

/* ---- arrays of numbers as text ---- */

static Status array_add(Buf *array, int64_t value, bool null, Err *err)
{
    TRY(buf_append_char(array, array->len ? ',' : '{', err));
    return null ? buf_append(array, STR("NULL"), err)
                : buf_printf(array, err, "%lld", (long long)value);
}

static Status array_end(Buf *array, Err *err)
{
    return buf_append(array, array->len ? STR("}") : STR("{}"), err);
}

static int64_t field_int64(const PGresult *result, int row, int column)
{
    int64_t value = -1;
    if (PQgetisnull(result, row, column)) return -1;
    (void)number_parse_int64(postgres_db_text(result, row, column), &value);
    return value;
}

/* ---- state ---- */

static Status read_parts(PostgresSink *self, Position *position, bool *ret_any, Err *err)
{
    int64_t there = 0;
    Str params[] = {self->core.sink.req->pipeline, self->core.sink.req->topic};
    TRY(postgres_db_int64(self->db, "SELECT count(to_regclass('" SINK_PARTS_TABLE "'))", NULL, 0,
                          &there, err));
    *ret_any = false;
    if (there == 0) return OK;
    TRY(postgres_db_int64(self->db, "SELECT count(*) FROM " SINK_PARTS_TABLE " WHERE stream = $1",
                          params, 1, &there, err));
    *ret_any = there > 0;
    CLEANUP(postgres_db_clear_p) PGresult *result = NULL;
    TRY(postgres_db_query(self->db,
                          "SELECT partition, next_offset FROM " SINK_PARTS_TABLE
                          " WHERE stream = $1 AND topic = $2 AND next_offset IS NOT NULL",
                          params, 2, &result, err));
    for (int i = 0; i < PQntuples(result); i++) {
        TRY(position_put(position, (int32_t)field_int64(result, i, 0), field_int64(result, i, 1),
                         err));
    }
    return OK;
}

Status postgres_parts_state(PostgresSink *self, LoadState *state, Err *err)
{
    Position parts;
    bool any = false;
    position_init(&parts);
    Status status = read_parts(self, &parts, &any, err);
    if (status == OK && any) status = position_copy(&parts, &state->position, err);
    position_done(&parts);
    return status;
}

/* ---- taking over ---- */

/* A version that knew one process only kept the position of all partitions with its runs: when a
 * stream's first parts are taken over, all of them are. */
static const char TAKE_OLD[] =
    "INSERT INTO " SINK_PARTS_TABLE " (stream, topic, partition, next_offset, fence)"
    " SELECT $1, $2, o.key::integer, o.value::bigint, 0 FROM (SELECT l.position FROM neuron_loads"
    " AS l WHERE l.pipeline = $1 AND l.position IS NOT NULL ORDER BY l.epoch DESC LIMIT 1) AS l,"
    " json_each_text(l.position::json -> 'parts') AS o WHERE NOT EXISTS"
    " (SELECT FROM " SINK_PARTS_TABLE " AS p WHERE p.stream = $1) ORDER BY 3"
    " ON CONFLICT (stream, topic, partition) DO NOTHING";
static const char TAKE[] =
    "INSERT INTO " SINK_PARTS_TABLE " AS p (stream, topic, partition, fence)"
    " SELECT $1, $2, n, 1 FROM unnest($3::integer[]) AS n ORDER BY 3"
    " ON CONFLICT (stream, topic, partition) DO UPDATE SET fence = p.fence + 1"
    " RETURNING partition, next_offset, fence";

static Status take_all(PostgresSink *self, Str parts, Position *ret_from, Err *err)
{
    Str params[] = {self->core.sink.req->pipeline, self->core.sink.req->topic, parts};
    CLEANUP(postgres_db_clear_p) PGresult *old = NULL;
    CLEANUP(postgres_db_clear_p) PGresult *result = NULL;
    /* Who is about to commit one of them holds its row, and not for long. */
    TRY(postgres_db_exec(self->db, "SET LOCAL lock_timeout = '2s'", err));
    TRY(postgres_db_query(self->db, TAKE_OLD, params, 2, &old, err));
    TRY(postgres_db_query(self->db, TAKE, params, 3, &result, err));
    for (int i = 0; i < PQntuples(result); i++) {
        int32_t part = (int32_t)field_int64(result, i, 0);
        int64_t next = field_int64(result, i, 1);
        TRY(sink_parts_put(&self->core.parts, part, next, field_int64(result, i, 2), err));
        TRY(position_put(ret_from, part, next, err));
    }
    return OK;
}

static Status take_begin(PostgresSink *self, Err *err)
{
    return postgres_db_begin(self->db, "ISOLATION LEVEL READ COMMITTED", POSTGRES_ZONE_UTC, err);
}

Status postgres_parts_take(Sink *sink, const int32_t *parts, int32_t count, Position *ret_from,
                           bool *ret_taken, Err *err)
{
    PostgresSink *self = (PostgresSink *)sink;
    CLEANUP(buf_done) Buf array = buf_make(ARRAY_MAX);
    for (int32_t i = 0; i < count; i++) TRY(array_add(&array, parts[i], false, err));
    TRY(array_end(&array, err));
    TRY(postgres_session_begin(self, take_begin, err));
    Status status = take_all(self, buf_str(&array), ret_from, err);
    if (status == OK) status = postgres_db_exec(self->db, "COMMIT", err);
    if (status == OK) return OK;
    postgres_db_rollback(self->db);
    if (strcmp(err->sqlstate, "55P03") != 0) return FAIL;
    err_clear(err);
    *ret_taken = false;
    return OK;
}

bool postgres_parts_holds(const Sink *sink, int32_t part)
{
    return sink_parts_hold(&((const PostgresSink *)sink)->core.parts, part);
}

Status postgres_parts_claim(Sink *sink, const Position *position, const SinkRun *run,
                            bool *ret_held, Err *err)
{
    return postgres_parts_move((PostgresSink *)sink, position, run, ret_held, err);
}

/* ---- moving ---- */

/* Rows are locked in one order by all. */
static const char MOVE[] =
    "WITH mine AS (SELECT p.partition, m.moves FROM " SINK_PARTS_TABLE " AS p JOIN"
    " unnest($3::integer[], $4::bigint[], $5::bigint[], $6::bigint[])"
    " AS m (partition, next, fence, moves) ON p.partition = m.partition"
    " WHERE p.stream = $1 AND p.topic = $2 AND p.fence = m.fence"
    " AND p.next_offset IS NOT DISTINCT FROM m.next ORDER BY p.partition FOR UPDATE OF p)"
    " UPDATE " SINK_PARTS_TABLE " AS p SET next_offset = mine.moves FROM mine"
    " WHERE p.stream = $1 AND p.topic = $2 AND p.partition = mine.partition"
    " RETURNING p.partition";

static Status move_params(const SinkParts *parts, Buf arrays[4], Err *err)
{
    for (int32_t i = 0; i < parts->count; i++) {
        const SinkPart *part = &parts->items[i];
        if (part->moves < 0) continue;
        TRY(array_add(&arrays[0], part->part, false, err));
        TRY(array_add(&arrays[1], part->next, part->next < 0, err));
        TRY(array_add(&arrays[2], part->fence, false, err));
        TRY(array_add(&arrays[3], part->moves, false, err));
    }
    for (int32_t i = 0; i < 4; i++) TRY(array_end(&arrays[i], err));
    return OK;
}

static void note_moved(SinkParts *parts, const PGresult *result)
{
    for (int32_t i = 0; i < parts->count; i++) {
        if (parts->items[i].moves >= 0) parts->items[i].held = false;
    }
    for (int i = 0; i < PQntuples(result); i++) {
        SinkPart *part = sink_parts_find(parts, (int32_t)field_int64(result, i, 0));
        if (part) part->held = true;
    }
}

static Status move_rows(PostgresSink *self, Buf arrays[4], bool *ret_held, Err *err)
{
    TRY(move_params(&self->core.parts, arrays, err));
    Str params[6] = {self->core.sink.req->pipeline, self->core.sink.req->topic};
    for (int32_t i = 0; i < 4; i++) params[2 + i] = buf_str(&arrays[i]);
    CLEANUP(postgres_db_clear_p) PGresult *result = NULL;
    TRY(postgres_db_query(self->db, MOVE, params, COUNT_OF(params), &result, err));
    note_moved(&self->core.parts, result);
    *ret_held = PQntuples(result) == self->core.parts.moving;
    return OK;
}

Status postgres_parts_move(PostgresSink *self, const Position *position, const SinkRun *run,
                           bool *ret_held, Err *err)
{
    *ret_held = true;
    if (self->core.parts.moving > 0) return OK;
    *ret_held = sink_parts_move(&self->core.parts, run->from, position);
    if (!*ret_held || self->core.parts.moving == 0) return OK;
    Buf arrays[4];
    for (int32_t i = 0; i < 4; i++) arrays[i] = buf_make(ARRAY_MAX);
    Status status = move_rows(self, arrays, ret_held, err);
    for (int32_t i = 0; i < 4; i++) buf_done(&arrays[i]);
    return status;
}
