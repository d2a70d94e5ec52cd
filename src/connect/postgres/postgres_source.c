/* Reads a table or query of a PostgreSQL database in one snapshot by binary COPY. */
#include "connect/postgres/postgres_source.h"

#include "connect/postgres/postgres_fingerprint.h"
#include "connect/postgres/postgres_location.h"
#include "connect/postgres/postgres_memory.h"
#include "connect/postgres/postgres_part.h"
#include "connect/postgres/postgres_ranges.h"
#include "connect/postgres/postgres_select.h"
#include "connect/postgres/postgres_statement.h"
#include "connect/postgres/postgres_warnings.h"
#include "connect/postgres/postgres_watermark.h"
#include "foundation/base/mem.h"

static const SourceOps POSTGRES_SOURCE_OPS;

/* Readers of one table. */
enum { POSTGRES_PARTS_MAX = 64 };

/* ---- describing ---- */

/* ERR_CONFIG for a type that has no use as a cursor. */
static Status check_cursor(const PostgresSource *self, const Field *field, Err *err)
{
    const PostgresType *type = &self->columns.types[self->cursor];
    /* What is only held as a text (an enum, inet) has an order that the server alone knows. */
    bool text = type->read == POSTGRES_AS_IS && postgres_type_find(type->oid);
    bool ordered = cursor_type_orders(field->type);
    if (ordered && (text || field->type != TYPE_TEXT)) return OK;
    (void)err_set(err, ERR_CONFIG, "the cursor \"%.*s\" is of type %.*s, which %s",
                  STR_ARG(field->name), STR_ARG(field->native),
                  ordered ? "has an order of its own" : "doesn't grow");
    return err_hint(err, "a cursor is a number, a time, a UUID or a text");
}

static Status check_lag(const SourceReq *req, const Field *field, Err *err)
{
    bool number = field->type == TYPE_INT64;
    bool settles = postgres_watermark_settles(req, field->type);
    if (req->order.lag_us && !settles) {
        (void)err_set(err, ERR_CONFIG, "`lag` doesn't fit the cursor \"%.*s\" of type %.*s",
                      STR_ARG(req->incremental.cursor), STR_ARG(field->native));
        return err_hint(err, "it is for integers, dates and timestamps");
    }
    if (!req->order.lag_count || number) return OK;
    (void)err_set(err, ERR_CONFIG, "`lag` is a number, and the cursor \"%.*s\" is of type %.*s",
                  STR_ARG(req->incremental.cursor), STR_ARG(field->native));
    return err_hint(err, "say a time like 5m");
}

static Status find_cursor(PostgresSource *self, Err *err)
{
    const SourceReq *req = self->source.req;
    self->cursor = -1;
    if (req->incremental.cursor.len == 0) return OK;
    self->cursor = schema_find(self->columns.schema, req->incremental.cursor);
    if (self->cursor >= 0) {
        const Field *field = &self->columns.schema->fields[self->cursor];
        TRY(check_cursor(self, field, err));
        return check_lag(req, field, err);
    }
    (void)err_set(err, ERR_CONFIG, "the cursor column \"%.*s\" is not in the query's result",
                  STR_ARG(req->incremental.cursor));
    Str near = schema_nearest(self->columns.schema, req->incremental.cursor);
    if (near.len) return err_hint(err, "did you mean \"%.*s\"?", STR_ARG(near));
    return err_hint(err, "select the cursor column too");
}

static Status describe_columns(PostgresSource *self, PostgresColumns *columns, Err *err)
{
    const SourceReq *req = self->source.req;
    if (postgres_columns_describe(self->db, self->query.base.data, columns, err) == OK) {
        /* An outer join gives NULL for a column that is NOT NULL in its table. */
        for (int32_t i = 0; req->query.len && i < columns->count; i++) {
            columns->schema->fields[i].not_null = false;
        }
        return OK;
    }
    if (err && !err->where[0]) {
        (void)err_where(err, "%.*s", STR_ARG(req->table.len ? req->table : STR("query")));
    }
    return FAIL;
}

static Status begin(PostgresSource *self, Err *err)
{
    TRY(postgres_db_begin(self->db, POSTGRES_READ_MODE, POSTGRES_ZONE_SESSION, err));
    self->in_transaction = true;
    return OK;
}

static Status end(PostgresSource *self, Err *err)
{
    self->in_transaction = false;
    return postgres_db_exec(self->db, "ROLLBACK", err);
}

/* Session, snapshot, types: once; describe and open share them. */
static Status prepare(PostgresSource *self, Err *err)
{
    if (self->in_transaction) return OK;
    if (!self->db)
        TRY(postgres_open(self->source.req->location, self->source.req->stop, &self->db, err));
    postgres_db_stop_on(self->db, self->source.req->stop);
    self->begin.from = self->source.req->incremental.from;
    TRY(begin(self, err));
    TRY(postgres_select_base(self, err));
    TRY(describe_columns(self, &self->columns, err));
    TRY(find_cursor(self, err));
    return postgres_statement_make(self, err);
}

/* Rows that no run from a watermark on would read; 0 where the column can't be NULL. */
static Status count_nulls(PostgresSource *self, int64_t *ret_rows, Err *err)
{
    const PostgresOrigin *origin = &self->columns.origins[self->cursor];
    CLEANUP(buf_done) Buf sql = buf_make(POSTGRES_SQL_MAX);
    int64_t not_null = 0;
    TRY(buf_printf(&sql, err,
                   "SELECT pg_catalog.count(*) FROM pg_catalog.pg_attribute "
                   "WHERE attrelid = %u AND attnum = %d AND attnotnull",
                   origin->table, origin->column));
    TRY(buf_terminate(&sql, err));
    TRY(postgres_db_int64(self->db, sql.data, NULL, 0, &not_null, err));
    *ret_rows = 0;
    if (not_null) return OK;
    buf_clear(&sql);
    TRY(buf_append(&sql, STR("SELECT pg_catalog.count(*) FROM "), err));
    TRY(postgres_select_from(self, &sql, err));
    TRY(buf_append(&sql, STR(" WHERE "), err));
    TRY(postgres_db_quote(&sql, self->source.req->incremental.cursor, err));
    TRY(buf_append(&sql, STR(" IS NULL"), err));
    TRY(buf_terminate(&sql, err));
    return postgres_db_int64(self->db, sql.data, NULL, 0, ret_rows, err);
}

static Status postgres_source_describe(Source *source, SourceInfo *info, Err *err)
{
    PostgresSource *self = SOURCE_SELF(PostgresSource, POSTGRES_SOURCE_OPS, source);
    TRY(prepare(self, err));
    info->schema = schema_ref(self->columns.schema);
    info->replayable = true;
    info->promise = STR("one snapshot of the database");
    bool counts = self->cursor >= 0 && !self->source.req->incremental.nulls;
    if (counts) TRY(count_nulls(self, &self->begin.nulls, err));
    if (self->begin.nulls) TRY(source_info_nulls(source, info, self->begin.nulls, err));
    Str database = str_from(PQdb(postgres_db_conn(self->db)));
    TRY(arena_copy(&info->arena, database, &info->identity, err));
    bool plain = !self->columns.cast && self->cursor < 0;
    info->wire = plain ? STR(POSTGRES_WIRE) : STR_NULL;
    TRY(postgres_warnings_describe(self, info, err));
    return arena_copy(&info->arena, buf_str(&self->query.sql), &info->sql, err);
}

/* ---- opening ---- */

/* The snapshot of describe makes way for one that begins after the watermark is stable; what the
 * query gives must still be the same. */
static Status settle_watermark(PostgresSource *self, const Position *from, Err *err)
{
    TRY(end(self, err));
    self->watermark.settling = true;
    TRY(postgres_watermark_settle(self, from, err));
    TRY(begin(self, err));
    PostgresColumns again = {0};
    TRY(describe_columns(self, &again, err));
    bool same = schema_eq(again.schema, self->columns.schema);
    for (int32_t i = 0; same && i < again.count; i++) {
        same = again.types[i].oid == self->columns.types[i].oid;
    }
    postgres_columns_done(&again);
    if (!same) return err_set(err, ERR_SCHEMA, "the query's columns changed in this moment");
    /* Everything that this snapshot sees is in the log up to here. */
    TRY(postgres_server_log(self->db, &self->watermark.seen.server.lsn, err));
    return postgres_statement_make(self, err);
}

static Status readers_make(PostgresSource *self, Err *err)
{
    const SourceReq *req = self->source.req;
    TRY(postgres_ranges_make(self, err));
    int32_t wished = self->readers.range_count ? req->limits.parallel : 1;
    if (wished > self->readers.range_count && self->readers.range_count)
        wished = self->readers.range_count;
    if (wished > POSTGRES_PARTS_MAX) wished = POSTGRES_PARTS_MAX;
    self->readers.parts = mem_array(wished, (int64_t)sizeof *self->readers.parts);
    if (!self->readers.parts) return err_memory(err);
    self->readers.part_count = wished;
    self->readers.parts[0].db = self->db;
    TRY(postgres_ranges_readers(self, err));
    return postgres_part_start(self, &self->readers.parts[0], err);
}

static Status postgres_source_open(Source *source, const Position *from, Budget *budget, Err *err)
{
    PostgresSource *self = SOURCE_SELF(PostgresSource, POSTGRES_SOURCE_OPS, source);
    const SourceReq *req = self->source.req;
    TRY(prepare(self, err));
    self->budget = budget;
    if (self->begin.nulls) return source_refuse_nulls(source, self->begin.nulls, err);
    if (self->cursor >= 0) {
        TypeId type = self->columns.schema->fields[self->cursor].type;
        bool settles = req->order.settle && postgres_watermark_settles(req, type);
        if (settles) TRY(settle_watermark(self, from, err));
        if (from)
            TRY(cursor_value_parse(&self->watermark.highest, type, buf_str(&from->cursor), err));
    }
    if (req->within) TRY(postgres_statement_make(self, err)); /* set after describe */
    return readers_make(self, err);
}

static int32_t postgres_source_parts(const Source *source)
{
    return SOURCE_SELF(const PostgresSource, POSTGRES_SOURCE_OPS, source)->readers.part_count;
}

static Status postgres_source_next(Source *source, int32_t part, int64_t deadline_ns,
                                   SourceEvent *ret_event, Err *err)
{
    PostgresSource *self = SOURCE_SELF(PostgresSource, POSTGRES_SOURCE_OPS, source);
    if (postgres_part_next(self, &self->readers.parts[part], part, deadline_ns, ret_event, err) ==
        OK) {
        return OK;
    }
    return err_prefix(err, "read: ");
}

static Status postgres_source_observe(Source *source, Position *position, Err *err)
{
    PostgresSource *self = SOURCE_SELF(PostgresSource, POSTGRES_SOURCE_OPS, source);
    return self->watermark.settling ? postgres_memory_save(self, position, err) : OK;
}

static void postgres_source_cancel(Source *source)
{
    PostgresSource *self = SOURCE_SELF(PostgresSource, POSTGRES_SOURCE_OPS, source);
    if (self->db) postgres_db_cancel(self->db);
    if (self->watermark.primary) postgres_db_cancel(self->watermark.primary);
    for (int32_t i = 1; i < self->readers.part_count; i++) {
        if (self->readers.parts[i].db) postgres_db_cancel(self->readers.parts[i].db);
    }
}

static void postgres_source_close(Source *source)
{
    PostgresSource *self = SOURCE_SELF(PostgresSource, POSTGRES_SOURCE_OPS, source);
    for (int32_t i = 0; i < self->readers.part_count; i++) {
        if (i > 0) postgres_db_close(self->readers.parts[i].db);
        postgres_part_done(&self->readers.parts[i]);
    }
    mem_free(self->readers.parts);
    mem_free(self->readers.ranges);
    arena_done(&self->readers.range_arena);
    postgres_db_close(self->db);
    postgres_db_close(self->watermark.primary);
    postgres_columns_done(&self->columns);
    postgres_samples_done(&self->watermark.samples);
    cursor_value_done(&self->watermark.highest);
    buf_done(&self->watermark.stable);
    buf_done(&self->begin.low);
    buf_done(&self->query.base);
    buf_done(&self->query.where);
    buf_done(&self->query.sql);
    pthread_mutex_destroy(&self->watermark.mutex);
    mem_free(self);
}

static Status postgres_source_forms(Source *source, Arena *arena, SourceForms *ret_forms, Err *err)
{
    const PostgresSource *self = SOURCE_SELF(PostgresSource, POSTGRES_SOURCE_OPS, source);
    return postgres_fingerprint_forms(self, arena, ret_forms, err);
}

static Status postgres_source_span(Source *source, int32_t column, SourceSpan *ret_span, Err *err)
{
    PostgresSource *self = SOURCE_SELF(PostgresSource, POSTGRES_SOURCE_OPS, source);
    return postgres_fingerprint_span(self, column, ret_span, err);
}

static Status postgres_source_fingerprint(Source *source, const SourceFingerprintReq *req,
                                          SourceFingerprint **ret_ranges, int64_t *ret_count,
                                          Err *err)
{
    PostgresSource *self = SOURCE_SELF(PostgresSource, POSTGRES_SOURCE_OPS, source);
    return postgres_fingerprint(self, req, ret_ranges, ret_count, err);
}

static const SourceOps POSTGRES_SOURCE_OPS = {
    .describe = postgres_source_describe,
    .open = postgres_source_open,
    .parts = postgres_source_parts,
    .next = postgres_source_next,
    .observe = postgres_source_observe,
    .forms = postgres_source_forms,
    .span = postgres_source_span,
    .fingerprint = postgres_source_fingerprint,
    .cancel = postgres_source_cancel,
    .close = postgres_source_close,
};

Status postgres_source_new(const SourceReq *req, Source **ret_source, Err *err)
{
    if (req->open) return err_set(err, ERR_CONFIG, "postgresql gives columns, not JSON objects");
    PostgresSource *self = mem_zalloc((int64_t)sizeof *self);
    if (!self) return err_memory(err);
    self->source = (Source){.ops = &POSTGRES_SOURCE_OPS, .req = req};
    self->query.base = buf_make(POSTGRES_SQL_MAX);
    self->query.sql = buf_make(POSTGRES_SQL_MAX);
    self->query.where = buf_make(POSTGRES_SQL_MAX);
    self->watermark.stable = buf_make(1 << 16);
    self->begin.low = buf_make(1 << 16);
    self->readers.range_arena = arena_make(POSTGRES_SQL_MAX);
    postgres_samples_init(&self->watermark.samples);
    pthread_mutex_init(&self->watermark.mutex, NULL);
    *ret_source = &self->source;
    return OK;
}
