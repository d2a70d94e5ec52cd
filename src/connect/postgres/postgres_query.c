/* A query's named parameters become literals: COPY takes none. */
#include "connect/postgres/postgres_query.h"
#include "connect/postgres/postgres_location.h"
#include "connect/query_params.h"
#include "foundation/base/decimal.h"

static const SourceParam *param_find(const SourceReq *req, Str name)
{
    for (int32_t i = 0; i < req->param_count; i++) {
        if (str_eq(req->params[i].name, name)) return &req->params[i];
    }
    return NULL;
}

static Status param_missing(Str name, Err *err)
{
    (void)err_set(err, ERR_CONFIG, "the query's parameter :%.*s has no value", STR_ARG(name));
    return err_hint(err, "give it under `params:` or with --param %.*s=…", STR_ARG(name));
}

/* Numbers stand as they are, in brackets when negative; the rest is a quoted text that PostgreSQL
 * takes for the type that it is compared with. */
static Status param_literal(PostgresDb *db, const SourceParam *param, Buf *out, Err *err)
{
    if (param->null) return buf_append(out, STR("NULL"), err);
    Decimal number;
    bool numeric = param->type == TYPE_INT64 || param->type == TYPE_NUMERIC;
    if (numeric && decimal_parse(param->text, &number) == DECIMAL_OK) {
        Str text = str_trim(param->text);
        if (text.ptr[0] != '-') return buf_append(out, text, err);
        return buf_printf(out, err, "(%.*s)", STR_ARG(text));
    }
    if (param->type == TYPE_BOOL) {
        bool value = str_eq(param->text, STR("true"));
        return buf_append(out, value ? STR("TRUE") : STR("FALSE"), err);
    }
    return postgres_db_literal(db, out, param->text, err);
}

static Status bind_param(PostgresDb *db, const SourceReq *req, Str name, Buf *out, Err *err)
{
    const SourceParam *param = param_find(req, name);
    return param ? param_literal(db, param, out, err) : param_missing(name, err);
}

Status postgres_query_bind(PostgresDb *db, const SourceReq *req, Buf *out, Err *err)
{
    Str query = str_trim(req->query);
    while (str_ends(query, STR(";"))) query = str_trim(str_slice(query, 0, query.len - 1));
    QueryPiece piece;
    for (int64_t at = 0; query_piece_next(query, &at, &piece);) {
        TRY(buf_append(out, piece.text, err));
        if (piece.colon) TRY(buf_append_char(out, ':', err));
        if (piece.param.len) TRY(bind_param(db, req, piece.param, out, err));
    }
    return OK;
}
