/* The target of a sink: looked at, and how rows get into it. */
#include "connect/postgres/postgres_target.h"

#include "connect/postgres/postgres_merge.h"
#include "connect/postgres/postgres_sink.h"

static Status check_key_types(const PostgresSink *self, Err *err)
{
    const SinkReq *req = self->core.sink.req;
    for (int32_t i = 0; i < req->key_count && self->core.plan.keyed; i++) {
        const PostgresColumn *column =
            &self->out.columns[schema_find(self->out.schema, req->key[i])];
        if (column->kind != POSTGRES_KIND_JSON) continue;
        return err_set(err, ERR_CONFIG,
                       "the key column \"%.*s\" is of type json, which can't be "
                       "compared",
                       STR_ARG(req->key[i]));
    }
    return OK;
}

Status postgres_target_look(PostgresSink *self, Str name, const Schema *schema, Err *err)
{
    TableSink *core = &self->core;
    const SinkReq *req = core->sink.req;
    TRY(table_check_key(req, schema, err));
    TRY(postgres_table_inspect(self, &self->out, name, schema, req->create, req->evolve, err));
    table_decide(core, self->out.referred);
    /* Rows may refer to later ones of the cycle: those are judged together, in one statement. */
    core->plan.staged =
        core->plan.staged || self->out.cast || (req->reject.wanted && self->out.deferrable);
    TRY(check_key_types(self, err));
    return postgres_merge_describe(self, err);
}
