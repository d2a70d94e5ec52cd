/* A flow from topic to topic in cycles, for tests: FROM TO DELIVERY CYCLE_ROWS CYCLE_US SELECT
 * [drain]. SIGTERM ends it at a cycle's boundary; prints its ledger. */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connect/connectors.h"
#include "work/flow/flow.h"

static const Connector *const CONNECTORS[] = {&kafka_connector};
static const Registry REGISTRY = {CONNECTORS, 1};

static _Atomic bool stop;

static void on_term(int number)
{
    (void)number;
    atomic_store(&stop, true);
}

typedef struct Driver {
    Arena arena;
    Location from, to;
    SourceReq source_req;
    SinkReq sink_req;
    PathSet paths;
    SourceInfo info;
    Source *source;
    Sink *sink;
    Step *step;
} Driver;

static Status driver_open(Driver *d, char **argv, Err *err)
{
    d->arena = arena_make(1 << 20);
    d->info.arena = arena_make(1 << 20);
    pathset_init(&d->paths);
    TRY(location_parse(&REGISTRY, str_from(argv[1]), &d->arena, &d->from, err));
    TRY(location_parse(&REGISTRY, str_from(argv[2]), &d->arena, &d->to, err));
    d->source_req = (SourceReq){.location = &d->from,
                                .open = true,
                                .paths = &d->paths,
                                .rejects = true,
                                .limits.batch_bytes = 4096,
                                .limits.bounded = argv[7] != NULL};
    d->sink_req = (SinkReq){.location = &d->to,
                            .pipeline = STR("kafka-flow"),
                            .reject.wanted = true,
                            .cycle_us = strtoll(argv[5], NULL, 10),
                            .at_least_once = strcmp(argv[3], "at_least_once") == 0};
    TRY(kafka_connector.source_new(&d->source_req, &d->source, err));
    TRY(kafka_connector.sink_new(&d->sink_req, &d->sink, err));
    TRY(source_describe(d->source, &d->info, err));
    return step_select_new(1, str_from(argv[6]), d->info.schema, &d->paths, &d->step, err);
}

static void driver_close(Driver *d)
{
    source_close(d->source);
    sink_close(d->sink);
    step_free(d->step);
    source_info_done(&d->info);
    pathset_done(&d->paths);
    arena_done(&d->arena);
}

static Status driver_run(Driver *d, char **argv, FlowResult *result, Err *err)
{
    FlowSpec spec = {
        .source = d->source,
        .sink = d->sink,
        .steps = &d->step,
        .step_count = 1,
        .schema = d->step->schema,
        .run_id = STR("driver"),
        .limits.rows = strtoll(argv[4], NULL, 10),
        .limits.us = strtoll(argv[5], NULL, 10),
        .rejects.allowed = true,
        .rejects.name = STR("dead"),
        .limits.revoke_margin_ns = 1000000000,
        .end.stop = &stop,
    };
    return flow_run(&spec, result, err);
}

int main(int argc, char **argv)
{
    if (argc < 7) return 2;
    struct sigaction action = {.sa_handler = on_term};
    (void)sigaction(SIGTERM, &action, NULL);
    Driver driver = {0};
    Err err = {0};
    FlowResult result;
    flow_result_init(&result);
    Status status = driver_open(&driver, argv, &err);
    if (status == OK) status = driver_run(&driver, argv, &result, &err);
    if (status != OK) (void)fprintf(stderr, "%s: %s\n", err_kind_name(err.kind), err.message);
    (void)printf("{\"extracted\":%lld,\"loaded\":%lld,\"rejected\":%lld,\"cycles\":%lld,"
                 "\"aborted\":%lld}\n",
                 (long long)result.ledger.extracted, (long long)result.ledger.loaded,
                 (long long)result.ledger.rejected, (long long)result.cycles,
                 (long long)result.aborted_cycles);
    flow_result_done(&result);
    driver_close(&driver);
    return status == OK ? 0 : err_exit_code(err.kind);
}
