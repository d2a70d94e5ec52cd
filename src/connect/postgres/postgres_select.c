/* The pieces that a source's statements are made of. */
#include "connect/postgres/postgres_select.h"

#include "connect/postgres/postgres_query.h"

Status postgres_select_base(PostgresSource *self, Err *err)
{
    const SourceReq *req = self->source.req;
    buf_clear(&self->query.base);
    if (req->query.len) {
        TRY(postgres_query_bind(self->db, req, &self->query.base, err));
    } else {
        TRY(buf_append(&self->query.base, STR("SELECT * FROM "), err));
        TRY(postgres_db_quote_table(&self->query.base, req->table, err));
    }
    return buf_terminate(&self->query.base, err);
}

Status postgres_select_from(PostgresSource *self, Buf *out, Err *err)
{
    const SourceReq *req = self->source.req;
    if (!req->query.len) return postgres_db_quote_table(out, req->table, err);
    TRY(buf_append_char(out, '(', err));
    TRY(buf_append(out, buf_str(&self->query.base), err));
    return buf_append(out, STR("\n) AS neuron_rows"), err);
}

Status postgres_select_bound(PostgresSource *self, const char *op, Str value, Buf *out, Err *err)
{
    bool text = self->columns.schema->fields[self->cursor].type == TYPE_TEXT;
    TRY(postgres_db_quote(out, self->source.req->incremental.cursor, err));
    if (text) TRY(buf_append(out, STR(" COLLATE \"C\""), err));
    TRY(buf_printf(out, err, " %s ", op));
    return postgres_db_literal(self->db, out, value, err);
}
