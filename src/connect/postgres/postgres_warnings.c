/* What the plan says about a PostgreSQL source: estimates, and what makes a cursor slow or leaky.
 */
#include "connect/postgres/postgres_warnings.h"
#include "connect/postgres/postgres_location.h"
#include "connect/postgres/postgres_order.h"
#include "connect/postgres/postgres_primary.h"
#include "connect/postgres/postgres_sessions.h"
#include "connect/postgres/postgres_watermark.h"
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
static Status explain_cursor(const PostgresSource *self, Err *err)
{
    const SourceReq *req = self->source.req;
    bool syntax =
        err && (strcmp(err->sqlstate, "22P02") == 0 || strncmp(err->sqlstate, "2200", 4) == 0);
    if (!syntax || self->cursor < 0 || !req->incremental.from.len) return FAIL;
    return err_hint(err,
                    "is \"%.*s\" a value of the cursor \"%.*s\"? `start`, or `neuron state set`, "
                    "fixes it",
                    STR_ARG(req->incremental.from), STR_ARG(req->incremental.cursor));
}

static Status estimate(PostgresSource *self, SourceInfo *info, Err *err)
{
    CLEANUP(buf_done) Buf sql = buf_make(POSTGRES_SQL_MAX);
    CLEANUP(postgres_db_clear_p) PGresult *result = NULL;
    TRY(buf_append(&sql, STR("EXPLAIN (FORMAT JSON) "), err));
    TRY(buf_append(&sql, buf_str(&self->query.sql), err));
    TRY(buf_terminate(&sql, err));
    if (postgres_db_query(self->db, sql.data, NULL, 0, &result, err) != OK) {
        return explain_cursor(self, err);
    }
    Str plan = postgres_db_text(result, 0, 0);
    int64_t width = plan_number(plan, STR("\"Plan Width\": "));
    info->rows_estimate = plan_number(plan, STR("\"Plan Rows\": "));
    bool known = info->rows_estimate >= 0 && width >= 0;
    info->bytes_estimate = known ? info->rows_estimate * width : -1;
    return OK;
}

/* Who vouches for the watermark of a standby. */
static Status warn_of_standby(PostgresSource *self, SourceInfo *info, Err *err)
{
    const SourceReq *req = self->source.req;
    if (req->order.primary) {
        return source_info_warn(info, err,
                                "the source is a standby: who is at work is asked of its primary, "
                                "%.*s, and rows are read when they have arrived from there",
                                STR_ARG(req->order.primary->text));
    }
    return source_info_warn(info, err,
                            "the source is a standby and doesn't see its primary's open "
                            "transactions: no row is missed that comes no later than `%s` says",
                            req->order.lag_us || req->order.lag_count ? "lag" : "overlap");
}

static Status warn_of_index(PostgresSource *self, const PostgresOrder *order, SourceInfo *info,
                            Err *err)
{
    if (!order->table.len || order->indexed) return OK;
    return source_info_warn(info, err,
                            "no index begins with the cursor \"%.*s\": each run reads the whole "
                            "table%s%.*s",
                            STR_ARG(self->source.req->incremental.cursor),
                            order->index.len ? "; " : "", STR_ARG(order->index));
}

/* Sessions whose messages our role may not see: the plan says so too. */
static Status warn_of_hidden(PostgresSource *self, SourceInfo *info, Err *err)
{
    CLEANUP(postgres_sessions_done) PostgresSessions sessions = {0};
    CLEANUP(buf_done) Buf text = buf_make(1 << 16);
    PostgresDb *db = self->watermark.primary ? self->watermark.primary : self->db;
    TypeId type = self->columns.schema->fields[self->cursor].type;
    bool alone = self->standby && !self->watermark.primary;
    if (alone || !postgres_watermark_settles(self->source.req, type)) return OK;
    TRY(postgres_sessions_look(db, false, &sessions, err));
    TRY(postgres_sessions_hidden(&sessions, db, &text, err));
    return text.len ? source_info_warn(info, err, "%.*s", STR_ARG(buf_str(&text))) : OK;
}

/* What can't be promised is in the plan, and in each run that keeps its watermark. */
static Status warn_of_order(PostgresSource *self, const PostgresOrder *order, SourceInfo *info,
                            Err *err)
{
    CLEANUP(buf_done) Buf doubt = buf_make(1 << 16);
    TRY(postgres_order_doubt(self, order, &doubt, err));
    if (doubt.len == 0) return OK;
    TRY(source_info_warn(info, err, "%.*s", STR_ARG(buf_str(&doubt))));
    if (!self->source.req->order.settle) return OK;
    return source_note(&self->source, err, "%.*s", STR_ARG(buf_str(&doubt)));
}

/* Expressions of the query that make moments of times without a zone, or the other way round. */
static Status warn_of_zone(PostgresSource *self, SourceInfo *info, Err *err)
{
    const char *zone = PQparameterStatus(postgres_db_conn(self->db), "TimeZone");
    bool utc = !zone || strcmp(zone, "UTC") == 0 || strcmp(zone, "Etc/UTC") == 0;
    bool times = false;
    for (int32_t i = 0; i < self->columns.schema->count; i++) {
        TypeId type = self->columns.schema->fields[i].type;
        times = times || type == TYPE_TIMESTAMP || type == TYPE_TIMESTAMPTZ;
    }
    if (utc || !times) return OK;
    return source_info_warn(info, err,
                            "the server reads times without a zone in the session's time zone, %s"
                            " (as the role, the database or the URL sets it)",
                            zone);
}

Status postgres_warnings_describe(PostgresSource *self, SourceInfo *info, Err *err)
{
    TRY(estimate(self, info, err));
    if (self->source.req->limits.parallel > 1 && !self->source.req->table.len) {
        TRY(source_info_warn(info, err, "a query is read by one reader; `parallel` needs a table"));
    }
    TRY(warn_of_zone(self, info, err));
    if (self->cursor < 0) return OK;
    PostgresOrder order;
    TRY(postgres_order_ask(self, &info->arena, &order, err));
    self->standby = order.standby;
    self->watermark.clocked = postgres_order_is_clocked(&order);
    if (order.standby && self->source.req->order.settle) {
        TRY(postgres_primary_open(self, err));
        TRY(warn_of_standby(self, info, err));
    }
    if (self->source.req->order.settle) TRY(warn_of_hidden(self, info, err));
    TRY(warn_of_index(self, &order, info, err));
    return warn_of_order(self, &order, info, err);
}
