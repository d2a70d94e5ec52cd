/* Cycle after cycle into one PostgreSQL sink, as a stream commits, for tests: URL CYCLES ROWS
 * RUN_ID. Takes up at the position that the target has; a cycle that fails by itself is done again.
 * Prints the epoch at the end. */
#include <stdio.h>
#include <stdlib.h>

#include "connect/connectors.h"
#include "engine/column/builder.h"

static const Connector *const CONNECTORS[] = {&postgres_connector};
static const Registry REGISTRY = {CONNECTORS, 1};

typedef struct Driver {
    Arena arena;
    Location location;
    Str key;
    SinkReq req;
    Sink *sink;
    Schema *schema, *reject_schema;
    LoadState state;
    int32_t out, reject;
    int64_t rows;
    int64_t cycle; /* of this run */
} Driver;

static Status driver_open(Driver *d, const char *url, const char *run_id, Err *err)
{
    static const Field FIELDS[] = {{.name = {"id", 2}, .type = TYPE_INT64},
                                   {.name = {"v", 1}, .type = TYPE_INT64}};
    d->arena = arena_make(1 << 20);
    d->key = STR("id");
    load_state_init(&d->state);
    TRY(location_parse(&REGISTRY, str_from(url), &d->arena, &d->location, err));
    TRY(schema_new(FIELDS, 2, false, &d->schema, err));
    TRY(reject_schema(&d->reject_schema, err));
    d->req = (SinkReq){.location = &d->location,
                       .table = STR("t"),
                       .mode = SINK_UPSERT,
                       .key = &d->key,
                       .key_count = 1,
                       .pipeline = STR("cycles"),
                       .reject = {.wanted = true, .table = STR("bad")}};
    TRY(postgres_connector.sink_new(&d->req, &d->sink, err));
    TRY(sink_state(d->sink, &d->state, err));
    TRY(sink_open(d->sink, str_from(run_id), d->state.epoch, err));
    TRY(sink_port(d->sink, PORT_OUT, STR("t"), d->schema, &d->out, err));
    return sink_port(d->sink, PORT_REJECT, STR("bad"), d->reject_schema, &d->reject, err);
}

/* Half of the keys are those of the cycle before; the first row is one that the table refuses. */
static Status make_batch(const Driver *d, int64_t number, Batch **ret_batch, Err *err)
{
    Builder id, v;
    builder_init(&id, TYPE_INT64, NULL);
    builder_init(&v, TYPE_INT64, NULL);
    CLEANUP(batch_unref_p) Batch *batch = NULL;
    TRY(batch_new(d->schema, &batch, err));
    for (int64_t i = 0; i < d->rows; i++) {
        TRY(builder_int64(&id, number * d->rows / 2 + i, err));
        TRY(builder_int64(&v, i == 0 ? -1 : number, err));
    }
    TRY(builder_finish(&id, &batch->columns[0], err));
    TRY(builder_finish(&v, &batch->columns[1], err));
    batch->rows = d->rows;
    batch->span = (Span){.first = number, .next = number + 1};
    *ret_batch = TAKE(batch);
    return OK;
}

static Status write_rejects(Driver *d, RejectWriter *rejects, Err *err)
{
    CLEANUP(batch_unref_p) Batch *refused = NULL;
    TRY(reject_writer_take(rejects, &refused, err));
    return refused ? sink_write(d->sink, d->reject, refused, NULL, err) : OK;
}

static Status commit(Driver *d, const Batch *batch, const SinkCounts *counts, const char *run_id,
                     Err *err)
{
    CLEANUP(position_done) Position position;
    position_init(&position);
    TRY(position_merge(&position, &batch->span, err));
    SinkRun run = {
        .run_id = str_from(run_id), .extracted = d->rows, .counts = *counts, .advance = true};
    CommitResult result = COMMIT_DONE;
    TRY(sink_commit(d->sink, &position, &run, &result, err));
    Outcome outcome = result == COMMIT_DONE ? OUTCOME_COMMITTED : OUTCOME_UNKNOWN;
    SinkCounts ignored;
    for (int i = 0; i < 100 && outcome == OUTCOME_UNKNOWN; i++) {
        TRY(sink_outcome(d->sink, str_from(run_id), d->cycle, &outcome, &ignored, err));
    }
    if (outcome == OUTCOME_COMMITTED) return OK;
    return err_set(err, ERR_CONNECT, "not committed");
}

static Status cycle(Driver *d, int64_t number, const char *run_id, Err *err)
{
    CLEANUP(batch_unref_p) Batch *batch = NULL;
    CLEANUP(reject_writer_done) RejectWriter rejects;
    SinkCounts counts;
    TRY(reject_writer_init(&rejects, &d->key, 1, err));
    TRY(make_batch(d, number, &batch, err));
    TRY(sink_begin(d->sink, d->cycle, err));
    TRY(sink_write(d->sink, d->out, batch, &rejects, err));
    TRY(write_rejects(d, &rejects, err));
    TRY(sink_apply(d->sink, &rejects, &counts, err));
    TRY(write_rejects(d, &rejects, err));
    return commit(d, batch, &counts, run_id, err);
}

static Status run(Driver *d, int64_t cycles, const char *run_id, Err *err)
{
    int64_t number = int64_max(position_next(&d->state.position, 0), 0);
    int tries = 0;
    while (number < cycles) {
        if (cycle(d, number, run_id, err) == OK) {
            d->cycle++;
            number++;
            tries = 0;
            continue;
        }
        if (!err_is_retriable(err) || tries++ > 20) return FAIL;
        err_clear(err);
        TRY(sink_abort(d->sink, err));
    }
    return OK;
}

int main(int argc, char **argv)
{
    Err err = {0};
    Driver d = {0};
    if (argc != 5) return 2;
    d.rows = strtoll(argv[3], NULL, 10);
    Status status = driver_open(&d, argv[1], argv[4], &err);
    if (status == OK) status = run(&d, strtoll(argv[2], NULL, 10), argv[4], &err);
    if (status != OK) fprintf(stderr, "%s: %s\n", err_kind_name(err.kind), err.message);
    else printf("%lld\n", (long long)d.state.epoch + d.cycle);
    sink_close(d.sink);
    schema_unref(d.schema);
    schema_unref(d.reject_schema);
    load_state_done(&d.state);
    arena_done(&d.arena);
    return status == OK ? 0 : 1;
}
