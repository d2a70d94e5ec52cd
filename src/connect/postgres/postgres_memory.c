/* What a run knows of the one before: its watermark, its samples, the server as it was then; and
 * what becomes of them when that server has another past or clock now. */
#include "connect/postgres/postgres_memory.h"

/* ---- when the watermark is void ---- */

/* The low end of what may have been stamped since, where it is below the watermark. */
static Status step_back(PostgresSource *self, int64_t low_us, bool *ret_void, Err *err)
{
    TypeId type = self->columns.schema->fields[self->cursor].type;
    const PostgresServer *server = &self->watermark.seen.server;
    int64_t watermark = 0;
    bool zone = false;
    if (type == TYPE_INT64) low_us = INT64_MIN; /* what its numbers mean isn't known */
    *ret_void = false;
    if (type != TYPE_INT64 &&
        !datetime_cast_timestamp(buf_str(&self->watermark.stable), &watermark, &zone))
        return OK;
    bool known = low_us != INT64_MIN;
    if (known && type != TYPE_TIMESTAMPTZ) low_us += server->local_us - server->clock_us;
    if (known && low_us >= watermark) return OK;
    *ret_void = true;
    buf_clear(&self->watermark.stable);
    if (!known) return OK;
    CursorValue low = {.some = true, .type = type, .number = low_us};
    if (type == TYPE_DATE) low.number = low_us / DATETIME_DAY_US - 1;
    return cursor_value_format(&low, &self->watermark.stable, err);
}

static const char *change_text(PostgresChange change)
{
    switch (change) {
    case POSTGRES_OTHER:
        return "the source is another database than the last run's";
    case POSTGRES_LOST:
        return "the source went back to an earlier state (a failover, a crash or a restored "
               "backup), and transactions that were read may be gone";
    case POSTGRES_CLOCK_BACK:
        return "the source's clock was set back, and rows since then have times before the "
               "watermark";
    case POSTGRES_SAME:
        break;
    }
    return "";
}

/* Without a key nobody can say which rows below the watermark are new. */
static Status refuse(const PostgresSource *self, PostgresChange change, Err *err)
{
    (void)err_set(err, ERR_DATA, "%s: the watermark no longer holds", change_text(change));
    return err_hint(err,
                    "a `key` lets the run read such rows again; or `neuron state set` the "
                    "watermark from which rows of \"%.*s\" are to be appended",
                    STR_ARG(self->source.req->incremental.cursor));
}

/* Read again what may be new below the watermark: from there, or all. */
static Status read_again(PostgresSource *self, PostgresChange change, Err *err)
{
    const SourceReq *req = self->source.req;
    if (!req->order.rows_keyed) return refuse(self, change, err);
    postgres_samples_forget(&self->watermark.samples);
    buf_clear(&self->begin.low);
    TRY(buf_append(&self->begin.low,
                   self->watermark.stable.len ? buf_str(&self->watermark.stable)
                                              : req->incremental.start,
                   err));
    self->begin.from = buf_str(&self->begin.low);
    return source_note(&self->source, err, "%s: %s", change_text(change),
                       self->watermark.stable.len ? "rows since then are read again"
                                                  : "all rows are read again");
}

static Status judge(PostgresSource *self, const PostgresSeen *before, Err *err)
{
    TypeId type = self->columns.schema->fields[self->cursor].type;
    int64_t low_us = INT64_MIN;
    bool times = type != TYPE_INT64 || self->watermark.clocked;
    PostgresChange change = postgres_server_change(before, &self->watermark.seen, times, &low_us);
    bool is_void = change != POSTGRES_SAME;
    if (change == POSTGRES_CLOCK_BACK) TRY(step_back(self, low_us, &is_void, err));
    else if (is_void) buf_clear(&self->watermark.stable);
    return is_void ? read_again(self, change, err) : OK;
}

/* ---- {"server":{…},"samples":[…]} ---- */

Status postgres_memory_load(PostgresSource *self, const Position *from, Err *err)
{
    JsonSlot root;
    PostgresSeen before;
    Str json = buf_str(&from->samples);
    bool watermark = from->cursor.len > 0;
    TRY(buf_append(&self->watermark.stable, buf_str(&from->cursor), err));
    bool some = json.len > 0 && json_scan(json, &root, NULL) && root.kind == JSON_OBJECT;
    if (!some) return OK;
    JsonSlot samples = json_get_key(&root, STR("samples"));
    JsonSlot server = json_get_key(&root, STR("server"));
    TRY(postgres_samples_load(&self->watermark.samples, &samples, err));
    bool known = postgres_seen_load(&server, &before);
    return watermark && known ? judge(self, &before, err) : OK;
}

Status postgres_memory_save(const PostgresSource *self, Position *position, Err *err)
{
    buf_clear(&position->cursor);
    buf_clear(&position->samples);
    TRY(buf_append(&position->cursor, buf_str(&self->watermark.stable), err));
    JsonWriter w = json_writer_make(&position->samples, err);
    json_object_begin(&w);
    json_key(&w, "server");
    postgres_seen_save(&self->watermark.seen, &w);
    json_key(&w, "samples");
    postgres_samples_save(&self->watermark.samples, &w);
    json_object_end(&w);
    return json_writer_end(&w);
}
