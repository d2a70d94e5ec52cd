/* The primary of a source that is a standby: who is at work shows only there. */
#include "connect/postgres/postgres_primary.h"
#include "connect/postgres/postgres_location.h"

static Status check(const PostgresServer *standby, const PostgresServer *primary, Err *err)
{
    if (primary->standby) {
        (void)err_set(err, ERR_CONFIG, "it is a standby too");
        return err_hint(err, "name the primary, or all hosts with target_session_attrs=primary");
    }
    bool known = primary->system[0] && standby->system[0];
    if (known && strcmp(primary->system, standby->system) != 0) {
        (void)err_set(err, ERR_CONFIG, "the source is not a standby of it: another cluster");
        return err_hint(err, "name the server that the source replicates");
    }
    if (primary->database != standby->database) {
        (void)err_set(err, ERR_CONFIG, "it is another database than the source");
        return err_hint(err, "name the same database in both URLs");
    }
    return OK;
}

static Status open_checked(PostgresSource *self, Err *err)
{
    PostgresSeen standby, primary;
    TRY(postgres_open(self->source.req->order.primary, self->source.req->stop,
                      &self->watermark.primary, err));
    postgres_db_stop_on(self->watermark.primary, self->source.req->stop);
    TRY(postgres_server_ask(self->watermark.primary, &primary, err));
    TRY(postgres_server_ask(self->db, &standby, err));
    return check(&standby.server, &primary.server, err);
}

Status postgres_primary_open(PostgresSource *self, Err *err)
{
    const SourceReq *req = self->source.req;
    if (self->watermark.primary) return OK;
    if (req->order.primary)
        return open_checked(self, err) == OK ? OK : err_prefix(err, "primary: ");
    if (req->order.said) return OK;
    (void)err_set(err, ERR_CONFIG,
                  "the source is a standby, which doesn't see its primary's open transactions: "
                  "rows that commit late would be missed");
    return err_hint(err, "name the primary by `primary:` in the pipeline; or say by "
                         "`incremental: { lag: 5m }` how late a row may come at most");
}
