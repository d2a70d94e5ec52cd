/* Keys that ascend can't come twice; and an empty target that is ours alone takes rows by COPY. */
#include "connect/postgres/postgres_keys.h"

#include "connect/postgres/postgres_sink.h"

/* Types whose order and equality are those of one integer, here and in the target. */
static bool is_ordered(TypeId type, PostgresKind kind)
{
    switch (type) {
    case TYPE_INT64:
        return kind == POSTGRES_KIND_INT2 || kind == POSTGRES_KIND_INT4 ||
               kind == POSTGRES_KIND_INT8 || kind == POSTGRES_KIND_NUMERIC;
    case TYPE_DATE:
        return kind == POSTGRES_KIND_DATE;
    case TYPE_TIMESTAMP:
        return kind == POSTGRES_KIND_TIMESTAMP;
    case TYPE_TIMESTAMPTZ:
        return kind == POSTGRES_KIND_TIMESTAMPTZ;
    case TYPE_BOOL:
    case TYPE_DOUBLE:
    case TYPE_NUMERIC:
    case TYPE_TEXT:
    case TYPE_BYTES:
    case TYPE_JSON:
    case TYPE_TIME:
    case TYPE_INTERVAL:
    case TYPE_UUID:
    case TYPE_DYNAMIC:
    case TYPE_COUNT:
        break;
    }
    return false;
}

void postgres_keys_begin(PostgresSink *self)
{
    PostgresKeys *keys = &self->keys;
    const SinkReq *req = self->core.sink.req;
    *keys = (PostgresKeys){.ascend = self->core.plan.keyed && req->key_count <= POSTGRES_KEYS_MAX};
    for (int32_t i = 0; i < req->key_count && keys->ascend; i++) {
        int32_t field = schema_find(self->out.schema, req->key[i]);
        keys->fields[keys->count++] = field;
        keys->ascend = field >= 0 && is_ordered(self->out.schema->fields[field].type,
                                                self->out.columns[field].kind);
    }
}

static int64_t key_at(const Column *column, int64_t row)
{
    return column->type == TYPE_DATE ? column_date(column)[row] : column_int64(column)[row];
}

/* Is the row's key greater than `last`? Fills `last` with it. */
static bool key_ascends(const PostgresKeys *keys, const Batch *batch, int64_t row, bool first,
                        int64_t *last)
{
    int order = first ? 1 : 0;
    for (int32_t i = 0; i < keys->count; i++) {
        const Column *column = &batch->columns[keys->fields[i]];
        if (column_is_null(column, row)) return false;
        int64_t value = key_at(column, row);
        if (order == 0) order = (value > last[i]) - (value < last[i]);
        last[i] = value;
    }
    return order > 0;
}

void postgres_keys_note(PostgresSink *self, const Batch *batch)
{
    PostgresKeys *keys = &self->keys;
    for (int64_t row = 0; row < batch->rows && keys->ascend; row++) {
        keys->ascend = key_ascends(keys, batch, row, !keys->some, keys->last);
        keys->some = true;
    }
}

/* Nobody else may write until we commit; who writes already keeps us from it. */
static Status lock_empty(PostgresSink *self, bool *ret_empty, Err *err)
{
    CLEANUP(buf_done) Buf name = buf_make(1 << 16);
    TRY(postgres_db_quote_table(&name, buf_str(&self->out.name), err));
    buf_clear(&self->core.sql);
    TRY(buf_printf(&self->core.sql, err,
                   "SAVEPOINT neuron_lock; LOCK TABLE %.*s IN SHARE ROW EXCLUSIVE"
                   " MODE NOWAIT",
                   STR_ARG(buf_str(&name))));
    if (postgres_session_run(self, err) != OK) {
        if (err->kind != ERR_DEADLOCK && err->kind != ERR_PERMISSION) return FAIL;
        err_clear(err);
        return postgres_db_exec(self->session.db, "ROLLBACK TO neuron_lock; RELEASE neuron_lock",
                                err);
    }
    int64_t some = 0;
    buf_clear(&self->core.sql);
    TRY(buf_printf(&self->core.sql, err, "SELECT count(*) FROM (SELECT FROM %.*s LIMIT 1) AS one",
                   STR_ARG(buf_str(&name))));
    TRY(buf_terminate(&self->core.sql, err));
    TRY(postgres_db_int64(self->session.db, self->core.sql.data, NULL, 0, &some, err));
    *ret_empty = some == 0;
    if (*ret_empty) return postgres_db_exec(self->session.db, "RELEASE neuron_lock", err);
    return postgres_db_exec(self->session.db, "ROLLBACK TO neuron_lock; RELEASE neuron_lock", err);
}

Status postgres_fresh_try(PostgresSink *self, Err *err)
{
    self->core.cycle.fresh = false;
    bool late = self->core.sink.req->reject.wanted && self->out.deferrable;
    if (!self->keys.ascend || self->out.cast || self->out.differs || late ||
        self->core.cycle.number != 0)
        return OK;
    self->core.cycle.fresh = !self->out.exists;
    return self->out.exists ? lock_empty(self, &self->core.cycle.fresh, err) : OK;
}
