/* Tests of connect/connector.h, and of the defaults in source.h and sink.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stddef.h>
#include <cmocka.h>

#include "connect/connector.h"

static int32_t closed;

static Status fake_describe(Source *source, SourceInfo *info, Err *err)
{
    (void)source;
    TRY(source_info_warn(info, err, "slow: %d", 1));
    return source_info_warn(info, err, "slow: %d", 2);
}

static void fake_close(Source *source)
{
    (void)source;
    closed++;
}

static const SourceOps fake_ops = {.describe = fake_describe, .close = fake_close};
static Source fake_source = {.ops = &fake_ops};

static Status fake_new(const SourceReq *req, Source **ret_source, Err *err)
{
    (void)err;
    fake_source.req = req;
    *ret_source = &fake_source;
    return OK;
}

static const char *const fake_endings[] = {"csv", NULL};
static const char *const fake_options[] = {"delimiter", "header", "client.", NULL};
static const Connector fake_connector = {
    .title = "CSV files",
    .kind = LOCATION_FILE,
    .endings = fake_endings,
    .alternative.word = "short",
    .alternative.url = "x.csv",
    .fragment.options = fake_options,
    .reads = true,
    .source_new = fake_new,
};
static const Connector *const fake_list[] = {&fake_connector};
static const Registry fake_registry = {fake_list, 1};

static Status find(const char *text, Source **ret_source, Err *err)
{
    static Arena arena;
    static Location location;
    static SourceReq req;
    arena_done(&arena);
    arena = arena_make(1 << 20);
    assert_int_equal(location_parse(&fake_registry, str_from(text), &arena, &location, err), OK);
    req = (SourceReq){.location = &location};
    Status status = connector_source(&req, ret_source, err);
    return status;
}

static void test_found(void **state)
{
    (void)state;
    Err err = {0};
    Source *source = NULL;
    assert_int_equal(find("x.csv#delimiter=;", &source, &err), OK);
    SourceInfo info;
    assert_int_equal(source_describe(source, &info, &err), OK);
    assert_int_equal(info.rows_estimate, -1);
    assert_int_equal(info.warning_count, 2);
    assert_true(str_eq(info.warnings[1], STR("slow: 2")));
    source_info_done(&info);
    SourceEvent event = {.kind = SOURCE_END};
    assert_int_equal(source_poll(source, &event, &err), OK);
    assert_int_equal(event.kind, SOURCE_IDLE);
    assert_int_equal(source_parts(source), 1);
    assert_int_equal(source_rewind(source, NULL, &err), FAIL);
    source_close(source);
    source_close(NULL);
    assert_int_equal(closed, 1);
}

static void test_mistakes(void **state)
{
    (void)state;
    Source *source = NULL;
    Err err = {0};
    assert_int_equal(find("x.csv#delimeter=;", &source, &err), FAIL);
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_non_null(strstr(err.hint, "'delimiter'"));
    err = (Err){0};
    assert_int_equal(find("x.csv#zzzzzz=;", &source, &err), FAIL);
    assert_non_null(strstr(err.hint, "delimiter, header, client."));
    Location location = {.text = STR("x.csv"), .connector = &fake_connector};
    SinkReq req = {.location = &location};
    Sink *sink = NULL;
    err = (Err){0};
    assert_int_equal(connector_sink(&req, &sink, &err), FAIL);
    assert_non_null(strstr(err.message, "cannot be written"));
}

static void test_names(void **state)
{
    (void)state;
    assert_true(connector_has_option(&fake_connector, STR("header")));
    assert_true(connector_has_option(&fake_connector, STR("client.any")));
    assert_false(connector_has_option(&fake_connector, STR("client.")));
    assert_false(connector_has_option(&fake_connector, STR("heade")));
    assert_true(str_eq(connector_alias(&fake_registry, STR("short")), STR("x.csv")));
    assert_true(str_eq(connector_alias(&fake_registry, STR("other")), STR("other")));
}

/* `lag` and `primary` are refused where nothing heeds them. */
static void test_samples(void **state)
{
    (void)state;
    Source *source = NULL;
    Err err = {0};
    Location location = {.text = STR("x.csv"), .connector = &fake_connector};
    SourceReq req = {.location = &location, .order.lag_count = 1};
    assert_int_equal(connector_source(&req, &source, &err), FAIL);
    assert_non_null(strstr(err.message, "CSV files know no `lag`"));
    req = (SourceReq){.location = &location, .order.primary = &location};
    assert_int_equal(connector_source(&req, &source, &err), FAIL);
    assert_non_null(strstr(err.message, "`primary`"));
}

static void test_plan(void **state)
{
    (void)state;
    Err err = {0};
    SinkPlan plan = {.arena = arena_make(1 << 20)};
    assert_int_equal(sink_plan_add(&plan, PLAN_SQL, &err, "SELECT %d", 1), OK);
    assert_int_equal(sink_plan_add(&plan, PLAN_SQL, &err, "SELECT %d", 2), OK);
    assert_int_equal(sink_plan_add(&plan, PLAN_TYPE, &err, "a: text"), OK);
    assert_int_equal(plan.sql_count, 2);
    assert_true(str_eq(plan.sql[1], STR("SELECT 2")));
    assert_int_equal(plan.type_count, 1);
    sink_plan_done(&plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found), cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_names), cmocka_unit_test(test_samples),
        cmocka_unit_test(test_plan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
