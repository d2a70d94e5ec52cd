/* What the catalog says about a cursor: what fills it, and whether its values grow in the order in
 * which they are given out. */
#include "connect/postgres/postgres_order.h"
#include "connect/postgres/postgres_location.h"
#include "connect/postgres/postgres_watermark.h"
#include "foundation/base/number.h"

/* A view's column is the column of the same name that its query reads, where there is just one.
 * Columns in the order of order_read. */
static const char ORDER_SQL[] =
    "WITH RECURSIVE found(rel, att) AS (SELECT $1::oid, $2::int UNION "
    "SELECT d.refobjid, d.refobjsubid FROM found f "
    "JOIN pg_catalog.pg_class c ON c.oid = f.rel AND c.relkind = 'v' "
    "JOIN pg_catalog.pg_attribute o ON o.attrelid = f.rel AND o.attnum = f.att "
    "JOIN pg_catalog.pg_rewrite r ON r.ev_class = f.rel "
    "JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass "
    "AND d.objid = r.oid AND d.refclassid = 'pg_catalog.pg_class'::regclass "
    "AND d.refobjid <> f.rel AND d.refobjsubid > 0 "
    "JOIN pg_catalog.pg_attribute i ON i.attrelid = d.refobjid AND i.attnum = d.refobjsubid "
    "AND i.attname = o.attname), "
    "base AS (SELECT rel, att FROM found JOIN pg_catalog.pg_class c ON c.oid = rel "
    "WHERE c.relkind <> 'v'), "
    "col AS (SELECT a.*, c.relkind, pg_catalog.pg_get_expr(e.adbin, e.adrelid) AS fill, "
    "e.oid AS fill_oid FROM base b JOIN pg_catalog.pg_class c ON c.oid = b.rel "
    "JOIN pg_catalog.pg_attribute a ON a.attrelid = b.rel AND a.attnum = b.att "
    "LEFT JOIN pg_catalog.pg_attrdef e ON e.adrelid = b.rel AND e.adnum = b.att "
    "WHERE (SELECT count(*) FROM base) = 1), "
    "seq AS (SELECT s.* FROM col JOIN pg_catalog.pg_depend d ON "
    "(d.classid = 'pg_catalog.pg_attrdef'::regclass AND d.objid = col.fill_oid) "
    "OR (d.classid = 'pg_catalog.pg_class'::regclass AND d.refobjid = col.attrelid "
    "AND d.refobjsubid = col.attnum AND d.deptype = 'i') "
    "JOIN pg_catalog.pg_sequence s ON s.seqrelid IN (d.objid, d.refobjid)), "
    "zone AS (SELECT reset_val AS name FROM pg_catalog.pg_settings WHERE name = 'TimeZone') "
    "SELECT col.attrelid::regclass, col.relkind, "
    "CASE WHEN col.attidentity <> '' "
    "OR col.fill ~ '(nextval|txid_current|pg_current_xact_id)\\(' THEN 'sequence' "
    "WHEN col.fill ~* '(date_trunc|date_bin|interval)' THEN 'other' "
    "WHEN col.fill ~* '(now\\(|clock_timestamp\\(|statement_timestamp\\(|"
    "transaction_timestamp\\(|current_timestamp|localtimestamp|current_date)' THEN "
    "CASE WHEN col.fill ~* '(timezone\\(|at time zone)' THEN 'zoned clock' ELSE 'clock' END "
    "WHEN EXISTS (SELECT 1 FROM pg_catalog.pg_trigger g WHERE g.tgrelid = col.attrelid "
    "AND NOT g.tgisinternal AND g.tgtype & 3 = 3) THEN 'trigger' "
    "WHEN col.fill IS NOT NULL THEN 'other' END, "
    "EXISTS (SELECT 1 FROM pg_catalog.pg_subscription_rel u WHERE u.srrelid = col.attrelid), "
    "(SELECT max(seqrelid::regclass::text) FROM seq), (SELECT max(seqcache) FROM seq), "
    "(SELECT CASE WHEN min(seqincrement) < 0 THEN min(seqincrement) ELSE max(seqincrement) END "
    "FROM seq), coalesce((SELECT bool_or(seqcycle) FROM seq), false), "
    "(SELECT name FROM zone WHERE "
    "(timestamptz '2026-01-15 12:00:00+00' AT TIME ZONE name) - timestamp '2026-01-15 12:00:00' "
    "<> (timestamptz '2026-07-15 12:00:00+00' AT TIME ZONE name) "
    "- timestamp '2026-07-15 12:00:00'), "
    "EXISTS (SELECT 1 FROM pg_catalog.pg_index i WHERE i.indrelid = col.attrelid "
    "AND i.indkey[0] = col.attnum AND i.indisvalid AND i.indpred IS NULL), "
    "CASE WHEN col.relkind IN ('r', 'm', 'p') THEN pg_catalog.format("
    "'CREATE INDEX %sON %s (%I)', CASE col.relkind WHEN 'p' THEN '' ELSE 'CONCURRENTLY ' END, "
    "col.attrelid::regclass, col.attname) END FROM col";

static int64_t number_at(const PGresult *result, int column)
{
    int64_t number = 0;
    (void)number_parse_int64(postgres_db_text(result, 0, column), &number);
    return number;
}

static bool is_true(const PGresult *result, int column)
{
    return str_eq(postgres_db_text(result, 0, column), STR("t"));
}

static Status order_read(const PGresult *result, Arena *arena, PostgresOrder *order, Err *err)
{
    Str kind = postgres_db_text(result, 0, 1);
    order->kind = kind.len ? kind.ptr[0] : 0;
    order->subscribed = is_true(result, 3);
    order->cache = number_at(result, 5);
    order->increment = number_at(result, 6);
    order->cycles = is_true(result, 7);
    order->indexed = is_true(result, 9);
    TRY(arena_copy(arena, postgres_db_text(result, 0, 0), &order->table, err));
    TRY(arena_copy(arena, postgres_db_text(result, 0, 2), &order->fills, err));
    TRY(arena_copy(arena, postgres_db_text(result, 0, 4), &order->sequence, err));
    TRY(arena_copy(arena, postgres_db_text(result, 0, 8), &order->zone, err));
    return arena_copy(arena, postgres_db_text(result, 0, 10), &order->index, err);
}

Status postgres_order_ask(PostgresSource *self, Arena *arena, PostgresOrder *ret_order, Err *err)
{
    const PostgresOrigin *origin = &self->columns.origins[self->cursor];
    char table[NUMBER_TEXT_MAX], column[NUMBER_TEXT_MAX];
    Str params[] = {str_make(table, number_format_int64(origin->table, table)),
                    str_make(column, number_format_int64(origin->column, column))};
    CLEANUP(postgres_db_clear_p) PGresult *result = NULL;
    PostgresOrder order = {0};
    int64_t standby = 0;
    TRY(postgres_db_int64(self->db, "SELECT pg_catalog.pg_is_in_recovery()::int", NULL, 0, &standby,
                          err));
    TRY(postgres_db_query(self->db, ORDER_SQL, params, 2, &result, err));
    TRY(order_read(result, arena, &order, err));
    order.standby = standby == 1;
    *ret_order = order;
    return OK;
}

/* ---- what nobody guarantees ---- */

static bool fills(const PostgresOrder *order, const char *what)
{
    return str_eq(order->fills, str_from(what));
}

bool postgres_order_is_clocked(const PostgresOrder *order)
{
    return fills(order, "clock") || fills(order, "zoned clock") || fills(order, "trigger");
}

static Status sequence_doubt(const PostgresOrder *order, Str name, Buf *out, Err *err)
{
    if (order->increment < 0 || order->cycles) {
        return buf_printf(out, err, "the sequence %.*s of \"%.*s\" %s", STR_ARG(order->sequence),
                          STR_ARG(name), order->cycles ? "begins again (CYCLE)" : "counts down");
    }
    if (order->cache > 1) {
        return buf_printf(out, err,
                          "the sequence %.*s of \"%.*s\" gives each session %lld numbers at once "
                          "(CACHE), which come out of order (ALTER SEQUENCE %.*s CACHE 1 ends it)",
                          STR_ARG(order->sequence), STR_ARG(name), (long long)order->cache,
                          STR_ARG(order->sequence));
    }
    if (order->increment > 1) {
        return buf_printf(
            out, err,
            "the sequence %.*s of \"%.*s\" increments by %lld: clients that take that many "
            "numbers at once use them out of order",
            STR_ARG(order->sequence), STR_ARG(name), (long long)order->increment);
    }
    return OK;
}

/* Where the values come from another server, or from a moment that nobody here sees. */
static const char *foreign_doubt(const PostgresOrder *order)
{
    if (order->subscribed) return "is filled by logical replication: it commits in another order";
    if (order->kind == 'f') return "is of a foreign table: its server's transactions are not seen";
    if (order->kind == 'm') return "is of a materialized view: rows come when it is refreshed";
    if (!order->table.len) return "is an expression or comes from several tables";
    return NULL;
}

static Status fill_doubt(const PostgresSource *self, const PostgresOrder *order, Buf *out, Err *err)
{
    const Field *field = &self->columns.schema->fields[self->cursor];
    Str name = self->source.req->incremental.cursor;
    const char *foreign = foreign_doubt(order);
    if (foreign) return buf_printf(out, err, "\"%.*s\" %s", STR_ARG(name), foreign);
    bool number = field->type == TYPE_INT64;
    bool zoned = field->type == TYPE_TIMESTAMP || field->type == TYPE_DATE;
    if (fills(order, "sequence")) return sequence_doubt(order, name, out, err);
    if (fills(order, "clock") && zoned && order->zone.len) {
        return buf_printf(out, err,
                          "\"%.*s\" has no zone and is written in %.*s, whose clocks are set back "
                          "each year (timestamptz ends it)",
                          STR_ARG(name), STR_ARG(order->zone));
    }
    if (postgres_order_is_clocked(order)) return OK;
    return buf_printf(out, err, "\"%.*s\" has no default that %s, and its table no trigger%s",
                      STR_ARG(name), number ? "counts up" : "is the time",
                      number ? ": numbers of clients come in any order"
                             : ": clocks of clients differ");
}

/* How many rows to stay away: what helps where order is doubtful. */
static Status fix_of(const PostgresSource *self, bool settles, Buf *out, Err *err)
{
    TypeId type = self->columns.schema->fields[self->cursor].type;
    bool date = type == TYPE_DATE;
    if (!settles && !date) {
        return buf_append(out, STR("; use a number from a sequence or a timestamp as the cursor"),
                          err);
    }
    bool number = type == TYPE_INT64;
    return buf_printf(out, err,
                      "; say how far: `lag: %s` stays that much before the newest rows, "
                      "`overlap: %s` reads that much again (with a `key`)",
                      number ? "1000"
                      : date ? "1d"
                             : "5m",
                      number ? "1000"
                      : date ? "1d"
                             : "5m");
}

Status postgres_order_doubt(const PostgresSource *self, const PostgresOrder *order, Buf *out,
                            Err *err)
{
    const SourceReq *req = self->source.req;
    const Field *field = &self->columns.schema->fields[self->cursor];
    bool settles = postgres_watermark_settles(req, field->type);
    bool falls = order->increment < 0 || order->cycles;
    if (req->order.said && !falls) return OK;
    if (settles) {
        TRY(fill_doubt(self, order, out, err));
    } else {
        TRY(buf_printf(out, err, "the cursor \"%.*s\" of type %.*s gives no stable watermark",
                       STR_ARG(req->incremental.cursor), STR_ARG(field->native)));
    }
    if (out->len == 0) return OK;
    TRY(buf_append(out, STR(": a row that commits with a value below one that was read is missed"),
                   err));
    return fix_of(self, settles, out, err);
}
