/* What the plan says about a PostgreSQL source: estimates, and what makes a cursor slow or leaky.
 */
#include "connect/postgres/postgres_source_impl.h"
#include "foundation/base/number.h"

/* A number of EXPLAIN's JSON; the first is the whole plan's. */
static int64_t plan_number(Str plan, Str key)
{
    int64_t at = str_find(plan, key);
    if (at < 0) return -1;
    Str rest = str_slice(plan, at + key.len, plan.len);
    int64_t end = 0;
    while (end < rest.len && rest.ptr[end] >= '0' && rest.ptr[end] <= '9') end++;
    int64_t value = 0;
    return number_parse_int64(str_slice(rest, 0, end), &value) == NUMBER_OK ? value : -1;
}

/* A watermark or start that isn't of the cursor's type. */
static Status mend_cursor(const PostgresSource *self, Err *err)
{
    const SourceReq *req = self->source.req;
    bool syntax =
        err && (strcmp(err->sqlstate, "22P02") == 0 || strncmp(err->sqlstate, "2200", 4) == 0);
    if (!syntax || self->cursor < 0 || !req->cursor_from.len) return FAIL;
    return err_hint(err,
                    "is «%.*s» a value of the cursor «%.*s»? `start`, or `neuron state set`, "
                    "mends it",
                    STR_ARG(req->cursor_from), STR_ARG(req->cursor));
}

static Status estimate(PostgresSource *self, SourceInfo *info, Err *err)
{
    CLEANUP(buf_done) Buf sql = buf_make(POSTGRES_SQL_MAX);
    CLEANUP(postgres_db_clear_p) PGresult *result = NULL;
    TRY(buf_append(&sql, STR("EXPLAIN (FORMAT JSON) "), err));
    TRY(buf_append(&sql, buf_str(&self->sql), err));
    TRY(buf_terminate(&sql, err));
    if (postgres_db_query(self->db, sql.data, NULL, 0, &result, err) != OK) {
        return mend_cursor(self, err);
    }
    Str plan = postgres_db_text(result, 0, 0);
    int64_t width = plan_number(plan, STR("\"Plan Width\": "));
    info->rows_estimate = plan_number(plan, STR("\"Plan Rows\": "));
    bool known = info->rows_estimate >= 0 && width >= 0;
    info->bytes_estimate = known ? info->rows_estimate * width : -1;
    return OK;
}

typedef struct CursorFacts {
    bool indexed, filled, standby;
    int64_t cache; /* of its sequence */
    Str index;     /* the statement that makes one, in the plan's arena; empty: it can have none */
} CursorFacts;

static bool is_true(const PGresult *result, int column)
{
    return str_eq(postgres_db_text(result, 0, column), STR("t"));
}

static Status cursor_facts(PostgresSource *self, CursorFacts *facts, Arena *arena, Err *err)
{
    const PostgresOrigin *origin = &self->columns.origins[self->cursor];
    char table[NUMBER_TEXT_MAX], column[NUMBER_TEXT_MAX];
    Str params[] = {str_make(table, number_format_int64(origin->table, table)),
                    str_make(column, number_format_int64(origin->column, column))};
    CLEANUP(postgres_db_clear_p) PGresult *result = NULL;
    TRY(postgres_db_query(
        self->db,
        "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_index i WHERE i.indrelid = $1::oid "
        "AND i.indkey[0] = $2::int AND i.indisvalid AND i.indpred IS NULL), "
        "coalesce((SELECT a.atthasdef OR a.attidentity <> '' FROM pg_catalog.pg_attribute a "
        "WHERE a.attrelid = $1::oid AND a.attnum = $2::int), false) OR EXISTS "
        "(SELECT 1 FROM pg_catalog.pg_trigger g WHERE g.tgrelid = $1::oid "
        "AND NOT g.tgisinternal), pg_catalog.pg_is_in_recovery(), "
        "(SELECT max(s.seqcache) FROM pg_catalog.pg_sequence s "
        "JOIN pg_catalog.pg_depend d ON d.objid = s.seqrelid "
        "AND d.classid = 'pg_catalog.pg_class'::regclass "
        "WHERE d.refobjid = $1::oid AND d.refobjsubid = $2::int), "
        "(SELECT pg_catalog.format('CREATE INDEX %sON %s (%I)', "
        "CASE c.relkind WHEN 'p' THEN '' ELSE 'CONCURRENTLY ' END, c.oid::regclass, a.attname) "
        "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid "
        "WHERE c.oid = $1::oid AND a.attnum = $2::int AND c.relkind IN ('r', 'm', 'p'))",
        params, 2, &result, err));
    facts->indexed = is_true(result, 0);
    facts->filled = is_true(result, 1);
    facts->standby = is_true(result, 2);
    (void)number_parse_int64(postgres_db_text(result, 0, 3), &facts->cache);
    return arena_copy(arena, postgres_db_text(result, 0, 4), &facts->index, err);
}

static Status warn_of_order(PostgresSource *self, const CursorFacts *facts, SourceInfo *info,
                            Err *err)
{
    const SourceReq *req = self->source.req;
    const Field *field = &self->columns.schema->fields[self->cursor];
    bool time = field->type == TYPE_TIMESTAMP || field->type == TYPE_TIMESTAMPTZ;
    if (facts->standby) {
        return source_info_warn(info, err,
                                "the server is a standby: rows that commit late on the primary "
                                "may be missed; use the primary, or `overlap` with a `key`");
    }
    if (!postgres_watermark_settles(field->type)) {
        return source_info_warn(info, err,
                                "the cursor «%.*s» of type %.*s can't be settled: rows that commit "
                                "late may be missed; use a number from a sequence, a timestamp, or "
                                "`overlap` with a `key`",
                                STR_ARG(req->cursor), STR_ARG(field->native));
    }
    if (facts->cache > 1) {
        return source_info_warn(info, err,
                                "the sequence of «%.*s» hands out %lld numbers at once (CACHE): "
                                "sessions use them out of order, so rows may be missed",
                                STR_ARG(req->cursor), (long long)facts->cache);
    }
    bool known = self->columns.origins[self->cursor].table != 0;
    if (!time || !known || facts->filled || req->overlap_us) return OK;
    return source_info_warn(info, err,
                            "«%.*s» has no default and its table no trigger: clocks of clients "
                            "that go wrong leave rows behind the watermark; `overlap` reads that "
                            "much again (with a `key`, which tells what is there already)",
                            STR_ARG(req->cursor));
}

static Status warn_of_index(PostgresSource *self, const CursorFacts *facts, SourceInfo *info,
                            Err *err)
{
    if (self->columns.origins[self->cursor].table == 0 || facts->indexed) return OK;
    return source_info_warn(info, err,
                            "no index begins with the cursor «%.*s»: each run reads the whole "
                            "table%s%.*s",
                            STR_ARG(self->source.req->cursor), facts->index.len ? "; " : "",
                            STR_ARG(facts->index));
}

Status postgres_warnings_describe(PostgresSource *self, SourceInfo *info, Err *err)
{
    TRY(estimate(self, info, err));
    if (self->source.req->parallel > 1 && !self->source.req->table.len) {
        TRY(source_info_warn(info, err, "a query is read by one reader; `parallel` needs a table"));
    }
    if (self->cursor < 0) return OK;
    CursorFacts facts = {0};
    TRY(cursor_facts(self, &facts, &info->arena, err));
    self->standby = facts.standby;
    TRY(warn_of_index(self, &facts, info, err));
    return warn_of_order(self, &facts, info, err);
}
