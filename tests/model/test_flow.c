/* The flow engine against a world of faults: every row is committed exactly once, whatever happens.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <stddef.h>
#include <cmocka.h>

#include "connect/fault/fault_connector.h"
#include "work/flow/flow.h"

enum { PARTS = 4, ROWS = 2000 };

typedef struct Trial {
    const char *name;
    FaultOdds odds;
    int64_t cycle_rows_max;
    int64_t revoke_after_ns;
    bool asks; /* the sink is asked where parts begin, and another process may take them over */
} Trial;

/* Each row of each part was committed or rejected exactly once; nothing was settled too early. */
static void check_world(const FaultWorld *w, const FlowResult *result, const char *name,
                        uint64_t seed)
{
    int64_t committed = 0, rejected = 0;
    for (int32_t part = 0; part < w->parts; part++) {
        for (int64_t row = 0; row < w->rows; row++) {
            int times = w->committed[part][row] + w->rejected[part][row];
            if (times != 1) {
                fail_msg("%s, seed %llu: row %lld of part %d came %d times", name,
                         (unsigned long long)seed, (long long)row, part, times);
            }
            committed += w->committed[part][row];
            rejected += w->rejected[part][row];
        }
        assert_int_equal(w->position[part], w->rows);
        assert_int_equal(w->settled[part], w->rows);
    }
    assert_int_equal(w->tally.written_after_loss, 0);
    assert_int_equal(result->ledger.loaded, committed - w->tally.rival_rows);
    assert_int_equal(result->gap, 0);
    assert_int_equal(result->ledger.rejected, rejected);
    assert_int_equal(result->ledger.extracted, committed - w->tally.rival_rows + rejected);
}

static void run_trial(const Trial *trial, uint64_t seed, FaultWorld *world)
{
    Err err = {0};
    Source *source = NULL;
    Sink *sink = NULL;
    Schema *schema = NULL;
    assert_int_equal(fault_world_init(world, seed, PARTS, ROWS, &err), OK);
    world->odds = trial->odds;
    world->asks = trial->asks;
    if (trial->revoke_after_ns) world->revoke_after_ns = trial->revoke_after_ns;
    assert_int_equal(fault_source_new(world, &source, &err), OK);
    assert_int_equal(fault_sink_new(world, &sink, &err), OK);
    assert_int_equal(fault_schema(&schema, &err), OK);
    FlowSpec spec = {
        .source = source,
        .sink = sink,
        .schema = schema,
        .out_name = STR("out"),
        .run_id = STR("trial"),
        .limits.rows = trial->cycle_rows_max,
        .rejects.allowed = true,
        .rejects.name = STR("rejects"),
        .limits.queue_bytes = 1 << 14,
        .limits.revoke_margin_ns = 1000000,
        .advance = true,
        .asks = trial->asks,
    };
    FlowResult result;
    flow_result_init(&result);
    if (flow_run(&spec, &result, &err) != OK) {
        fail_msg("%s, seed %llu: %s", trial->name, (unsigned long long)seed, err.message);
    }
    check_world(world, &result, trial->name, seed);
    flow_result_done(&result);
    source_close(source);
    sink_close(sink);
    schema_unref(schema);
}

static const Trial TRIALS[] = {
    {"quiet", {0}, 0, 0, false},
    {"cycles", {.idle = 50}, 300, 0, false},
    {"rejects", {.refuse = 30, .malformed = 20}, 500, 0, false},
    {"revokes", {.revoke = 60, .idle = 30}, 200, 0, false},
    {"losses", {.lost = 40, .idle = 20}, 200, 0, false},
    {"answers", {.unknown = 300, .pending = 300}, 150, 0, false},
    {"agains", {.again = 200, .revoke = 30, .malformed = 10}, 150, 0, false},
    {"stalls", {.stall = 10, .revoke = 80}, 200, 3000000, false},
    {"hangs", {.hang = 30, .revoke = 80}, 200, 3000000, false},
    {"hangs, asked", {.hang = 30, .revoke = 50, .lost = 50, .rival = 50}, 200, 3000000, true},
    {"everything",
     {.revoke = 30,
      .lost = 20,
      .idle = 20,
      .unknown = 100,
      .stall = 3,
      .refuse = 10,
      .malformed = 10},
     250,
     5000000,
     false},
    {"asked", {.revoke = 60, .lost = 40, .idle = 20, .busy = 100}, 200, 0, true},
    {"rivals", {.rival = 300, .malformed = 10}, 150, 0, true},
    {"rivals and revokes", {.rival = 200, .revoke = 40, .lost = 30, .busy = 100}, 150, 0, true},
    {"everything, asked",
     {.revoke = 30,
      .lost = 20,
      .idle = 20,
      .unknown = 100,
      .stall = 3,
      .refuse = 10,
      .again = 50,
      .malformed = 10,
      .rival = 100,
      .busy = 100},
     250,
     5000000,
     true},
};

static void test_every_row_exactly_once(void **state)
{
    (void)state;
    const char *wanted = getenv("NEURON_SEEDS");
    uint64_t seeds = wanted ? strtoull(wanted, NULL, 10) : 6;
    for (int64_t i = 0; i < COUNT_OF(TRIALS); i++) {
        int64_t happened = 0;
        for (uint64_t seed = 1; seed <= seeds; seed++) {
            FaultWorld world;
            run_trial(&TRIALS[i], seed, &world);
            happened +=
                world.tally.revokes + world.tally.losts + world.tally.unknowns + world.tally.stalls;
            happened += world.tally.agains + world.tally.fenced;
            fault_world_done(&world);
        }
        const FaultOdds *odds = &TRIALS[i].odds;
        bool meant = odds->revoke || odds->lost || odds->unknown || odds->stall || odds->again ||
                     odds->rival || odds->hang;
        assert_true(!meant || happened > 0);
    }
}

/* A source that reads again what the sink has would double rows with a ledger that adds up. */
static void test_what_the_sink_has_is_a_gap(void **state)
{
    (void)state;
    Err err = {0};
    FaultWorld world;
    Source *source = NULL;
    Sink *sink = NULL;
    Schema *schema = NULL;
    assert_int_equal(fault_world_init(&world, 5, 1, 500, &err), OK);
    world.asks = true;
    world.position[0] = 100;
    for (int32_t i = 0; i < 100; i++) world.committed[0][i] = 1;
    world.odds.behind = 1000;
    assert_int_equal(fault_source_new(&world, &source, &err), OK);
    assert_int_equal(fault_sink_new(&world, &sink, &err), OK);
    assert_int_equal(fault_schema(&schema, &err), OK);
    FlowSpec spec = {.source = source,
                     .sink = sink,
                     .schema = schema,
                     .out_name = STR("out"),
                     .limits.rows = 50,
                     .asks = true};
    FlowResult result;
    flow_result_init(&result);
    assert_int_equal(flow_run(&spec, &result, &err), FAIL);
    assert_non_null(strstr(err.message, "the target has them up to 100"));
    assert_int_equal(result.gap, 1);
    assert_int_equal(world.tally.commits, 0);
    assert_int_equal(world.committed[0][99], 1);
    flow_result_done(&result);
    source_close(source);
    sink_close(sink);
    schema_unref(schema);
    fault_world_done(&world);
}

static void test_a_refused_row_ends_the_run_where_none_is_allowed(void **state)
{
    (void)state;
    Err err = {0};
    FaultWorld world;
    Source *source = NULL;
    Sink *sink = NULL;
    Schema *schema = NULL;
    assert_int_equal(fault_world_init(&world, 5, 1, 500, &err), OK);
    world.odds.malformed = 20;
    assert_int_equal(fault_source_new(&world, &source, &err), OK);
    assert_int_equal(fault_sink_new(&world, &sink, &err), OK);
    assert_int_equal(fault_schema(&schema, &err), OK);
    FlowSpec spec = {.source = source, .sink = sink, .schema = schema, .out_name = STR("out")};
    FlowResult result;
    flow_result_init(&result);
    assert_int_equal(flow_run(&spec, &result, &err), FAIL);
    assert_int_equal(err.kind, ERR_DATA);
    assert_non_null(strstr(err.message, "malformed"));
    assert_int_equal(world.tally.commits, 0);
    flow_result_done(&result);
    source_close(source);
    sink_close(sink);
    schema_unref(schema);
    fault_world_done(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row_exactly_once),
        cmocka_unit_test(test_what_the_sink_has_is_a_gap),
        cmocka_unit_test(test_a_refused_row_ends_the_run_where_none_is_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
