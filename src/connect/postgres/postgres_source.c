/* Reads a table or query of a PostgreSQL database in one snapshot by binary COPY. */
#include "connect/postgres/postgres_source_impl.h"
#include "foundation/base/mem.h"
#include "foundation/base/number.h"

/* ---- the statement ---- */

static Status base_sql(PostgresSource *self, Err *err)
{
    const SourceReq *req = self->source.req;
    buf_clear(&self->base);
    if (req->query.len) {
        TRY(postgres_query_bind(self->db, req, &self->base, err));
    } else {
        TRY(buf_append(&self->base, STR("SELECT * FROM "), err));
        TRY(postgres_db_quote_table(&self->base, req->table, err));
    }
    return buf_terminate(&self->base, err);
}

/* "cursor" > 'value'; text by its bytes, as we compare it too. */
static Status cursor_condition(PostgresSource *self, Buf *out, Err *err)
{
    const SourceReq *req = self->source.req;
    bool text = self->columns.schema->fields[self->cursor].type == TYPE_TEXT;
    TRY(buf_append(out, STR(" WHERE "), err));
    TRY(postgres_db_quote(out, req->cursor, err));
    if (text) TRY(buf_append(out, STR(" COLLATE \"C\""), err));
    TRY(buf_append(out, req->cursor_inclusive ? STR(" >= ") : STR(" > "), err));
    return postgres_db_literal(self->db, out, req->cursor_from, err);
}

Status postgres_source_sql(PostgresSource *self, Buf *out, Err *err)
{
    const SourceReq *req = self->source.req;
    bool plain = !self->columns.cast && self->cursor < 0 && !req->rows_max;
    if (plain && req->query.len) return buf_append(out, buf_str(&self->base), err);
    TRY(buf_append(out, STR("SELECT "), err));
    TRY(postgres_columns_list(&self->columns, out, err));
    TRY(buf_append(out, STR(" FROM "), err));
    if (req->query.len) {
        TRY(buf_append_char(out, '(', err));
        TRY(buf_append(out, buf_str(&self->base), err));
        TRY(buf_append(out, STR("\n) AS neuron_rows"), err));
    } else {
        TRY(postgres_db_quote_table(out, req->table, err));
    }
    if (self->cursor >= 0 && req->cursor_from.len) TRY(cursor_condition(self, out, err));
    if (!req->rows_max) return OK;
    if (self->cursor >= 0) {
        TRY(buf_append(out, STR(" ORDER BY "), err));
        TRY(postgres_db_quote(out, req->cursor, err));
    }
    return buf_printf(out, err, " LIMIT %lld", (long long)req->rows_max);
}

/* ---- describing ---- */

static Status find_cursor(PostgresSource *self, Err *err)
{
    const SourceReq *req = self->source.req;
    self->cursor = -1;
    if (req->cursor.len == 0) return OK;
    self->cursor = schema_find(self->columns.schema, req->cursor);
    if (self->cursor >= 0) {
        return postgres_cursor_check(&self->columns.schema->fields[self->cursor], err);
    }
    (void)err_set(err, ERR_CONFIG, "the cursor column «%.*s» is not in the query's result",
                  STR_ARG(req->cursor));
    Str near = schema_nearest(self->columns.schema, req->cursor);
    if (near.len) return err_hint(err, "did you mean «%.*s»?", STR_ARG(near));
    return err_hint(err, "select the cursor column too");
}

/* Session, snapshot, types: once; describe and open share them. */
static Status prepare(PostgresSource *self, Err *err)
{
    if (self->in_transaction) return OK;
    const SourceReq *req = self->source.req;
    if (!self->db) TRY(postgres_db_open(req->location->url, &self->db, err));
    TRY(postgres_db_begin(self->db, POSTGRES_READ_MODE, err));
    self->in_transaction = true;
    TRY(base_sql(self, err));
    if (postgres_columns_describe(self->db, self->base.data, &self->columns, err) != OK) {
        if (err && !err->where[0]) {
            (void)err_where(err, "%.*s", STR_ARG(req->table.len ? req->table : STR("query")));
        }
        return FAIL;
    }
    TRY(find_cursor(self, err));
    buf_clear(&self->sql);
    TRY(postgres_source_sql(self, &self->sql, err));
    return buf_terminate(&self->sql, err);
}

static Status postgres_source_describe(Source *source, SourceInfo *info, Err *err)
{
    PostgresSource *self = (PostgresSource *)source;
    TRY(prepare(self, err));
    info->schema = schema_ref(self->columns.schema);
    info->replayable = true;
    info->promise = STR("one snapshot of the database");
    return arena_copy(&info->arena, buf_str(&self->sql), &info->sql, err);
}

/* ---- reading ---- */

static Status copy_start(PostgresSource *self, PostgresPart *part, Str sql, Err *err)
{
    CLEANUP(buf_done) Buf copy = buf_make(POSTGRES_SQL_MAX);
    TRY(buf_append(&copy, STR("COPY ("), err));
    TRY(buf_append(&copy, sql, err));
    TRY(buf_append(&copy, STR("\n) TO STDOUT (FORMAT binary)"), err));
    TRY(buf_terminate(&copy, err));
    TRY(postgres_rows_init(&part->rows, self->columns.count, POSTGRES_BATCH_ROWS,
                           POSTGRES_BATCH_BYTES, err));
    TRY(postgres_db_copy_out(part->db, copy.data, err));
    part->started = true;
    return OK;
}

static Status postgres_source_open(Source *source, const Position *from UNUSED, Budget *budget,
                                   Err *err)
{
    PostgresSource *self = (PostgresSource *)source;
    TRY(prepare(self, err));
    self->budget = budget;
    self->parts = mem_array(1, (int64_t)sizeof *self->parts);
    if (!self->parts) return err_memory(err);
    self->part_count = 1;
    self->parts[0].db = self->db;
    return copy_start(self, &self->parts[0], buf_str(&self->sql), err);
}

static int32_t postgres_source_parts(const Source *source)
{
    return ((const PostgresSource *)source)->part_count;
}

static Status postgres_source_next(Source *source, int32_t part, int64_t deadline_ns,
                                   SourceEvent *ret_event, Err *err)
{
    PostgresSource *self = (PostgresSource *)source;
    if (postgres_part_next(self, &self->parts[part], part, deadline_ns, ret_event, err) == OK) {
        return OK;
    }
    return err_prefix(err, "read: ");
}

static void postgres_source_cancel(Source *source)
{
    PostgresSource *self = (PostgresSource *)source;
    for (int32_t i = 0; i < self->part_count; i++) postgres_db_cancel(self->parts[i].db);
    if (self->part_count == 0 && self->db) postgres_db_cancel(self->db);
}

static void postgres_source_close(Source *source)
{
    PostgresSource *self = (PostgresSource *)source;
    for (int32_t i = 0; i < self->part_count; i++) postgres_part_done(&self->parts[i]);
    mem_free(self->parts);
    postgres_db_close(self->db);
    postgres_columns_done(&self->columns);
    buf_done(&self->base);
    buf_done(&self->sql);
    mem_free(self);
}

static const SourceOps POSTGRES_SOURCE_OPS = {
    .describe = postgres_source_describe,
    .open = postgres_source_open,
    .parts = postgres_source_parts,
    .next = postgres_source_next,
    .cancel = postgres_source_cancel,
    .close = postgres_source_close,
};

Status postgres_source_new(const SourceReq *req, Source **ret_source, Err *err)
{
    if (req->open) return err_set(err, ERR_CONFIG, "postgresql gives columns, not JSON objects");
    if (!req->table.len && !req->query.len) {
        (void)err_set(err, ERR_CONFIG, "no table and no query for %.*s",
                      STR_ARG(req->location->text));
        return err_hint(err, "name one: --from-table or --query, or `query:` in the pipeline");
    }
    PostgresSource *self = mem_zalloc((int64_t)sizeof *self);
    if (!self) return err_memory(err);
    self->source = (Source){.ops = &POSTGRES_SOURCE_OPS, .req = req};
    self->base = buf_make(POSTGRES_SQL_MAX);
    self->sql = buf_make(POSTGRES_SQL_MAX);
    *ret_source = &self->source;
    return OK;
}
