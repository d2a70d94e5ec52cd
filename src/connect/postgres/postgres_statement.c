/* The statements of a source: the SELECT of its request, whole or by ranges, and its COPY. */
#include "connect/postgres/postgres_statement.h"

#include "connect/postgres/postgres_fingerprint.h"
#include "connect/postgres/postgres_ranges.h"
#include "connect/postgres/postgres_select.h"

/* " OR cursor IS NULL)", after a condition that began with "(". */
static Status or_null(const PostgresSource *self, Buf *out, Err *err)
{
    TRY(buf_append(out, STR(" OR "), err));
    TRY(postgres_db_quote(out, self->source.req->incremental.cursor, err));
    return buf_append(out, STR(" IS NULL)"), err);
}

/* Nothing past the stable cursor, where a row must not come again in a later run. */
static Status stable_condition(PostgresSource *self, Buf *out, Err *err)
{
    bool none = self->watermark.stable.len == 0;
    if (none && self->source.req->incremental.nulls) {
        TRY(postgres_db_quote(out, self->source.req->incremental.cursor, err));
        return buf_append(out, STR(" IS NULL"), err);
    }
    if (none) return buf_append(out, STR("false"), err);
    bool nulls = self->source.req->incremental.nulls;
    if (nulls) TRY(buf_append_char(out, '(', err));
    TRY(postgres_select_bound(self, "<=", buf_str(&self->watermark.stable), out, err));
    return nulls ? or_null(self, out, err) : OK;
}

/* " WHERE …" of the request: made once, by the thread that opens, since quoting needs its session.
 */
static Status conditions(PostgresSource *self, Buf *out, Err *err)
{
    const SourceReq *req = self->source.req;
    Str sep = STR(" WHERE ");
    if (self->cursor >= 0 && self->begin.from.len) {
        TRY(buf_append(out, sep, err));
        if (req->incremental.nulls) TRY(buf_append_char(out, '(', err));
        TRY(postgres_select_bound(self, req->incremental.after ? ">" : ">=", self->begin.from, out,
                                  err));
        if (req->incremental.nulls) TRY(or_null(self, out, err));
        sep = STR(" AND ");
    }
    if (self->watermark.settling && req->order.rows_once) {
        TRY(buf_append(out, sep, err));
        TRY(stable_condition(self, out, err));
        sep = STR(" AND ");
    }
    if (!req->within) return OK;
    TRY(buf_append(out, sep, err));
    return postgres_fingerprint_within(self, req->within, out, err);
}

/* The SELECT that reads what the request wants: all of it, or one range. */
static Status select_sql(PostgresSource *self, const PostgresRange *range, Buf *out, Err *err)
{
    const SourceReq *req = self->source.req;
    bool plain = !self->columns.cast && self->cursor < 0 && !req->limits.rows_max && !req->within;
    if (plain && req->query.len) return buf_append(out, buf_str(&self->query.base), err);
    TRY(buf_append(out, STR("SELECT "), err));
    TRY(postgres_columns_list(&self->columns, out, err));
    TRY(buf_append(out, STR(" FROM "), err));
    if (range) TRY(buf_append(out, range->table, err));
    else TRY(postgres_select_from(self, out, err));
    TRY(buf_append(out, buf_str(&self->query.where), err));
    if (range) {
        TRY(buf_append(out, self->query.where.len ? STR(" AND ") : STR(" WHERE "), err));
        TRY(postgres_ranges_condition(range, out, err));
    }
    if (!req->limits.rows_max) return OK;
    if (self->cursor >= 0) {
        TRY(buf_append(out, STR(" ORDER BY "), err));
        TRY(postgres_db_quote(out, req->incremental.cursor, err));
    }
    return buf_printf(out, err, " LIMIT %lld", (long long)req->limits.rows_max);
}

Status postgres_statement_next(PostgresSource *self, bool *ret_some, Buf *out, Err *err)
{
    int32_t count = self->readers.range_count ? self->readers.range_count : 1;
    int32_t index = atomic_fetch_add(&self->readers.next_statement, 1);
    *ret_some = index < count;
    if (!*ret_some) return OK;
    TRY(buf_append(out, STR("COPY ("), err));
    TRY(select_sql(self, self->readers.range_count ? &self->readers.ranges[index] : NULL, out,
                   err));
    TRY(buf_append(out, STR("\n) TO STDOUT (FORMAT binary)"), err));
    return buf_terminate(out, err);
}

Status postgres_statement_make(PostgresSource *self, Err *err)
{
    buf_clear(&self->query.where);
    TRY(conditions(self, &self->query.where, err));
    buf_clear(&self->query.sql);
    TRY(select_sql(self, NULL, &self->query.sql, err));
    return buf_terminate(&self->query.sql, err);
}
