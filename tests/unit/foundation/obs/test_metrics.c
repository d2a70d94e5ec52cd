/* The metrics registry: values, labels, text of both formats, what is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>

#include "foundation/obs/log.h"
#include "foundation/obs/metrics.h"

static bool written(bool openmetrics, const char *line)
{
    CLEANUP(buf_done) Buf out = buf_make(1 << 24);
    Err err = {0};
    assert_int_equal(metrics_write(openmetrics, &out, &err), OK);
    return str_find(buf_str(&out), str_from(line)) >= 0;
}

static void test_values(void **state)
{
    (void)state;
    metrics_reset();
    double value = -1;
    assert_false(metrics_value(METRIC_OUTBOX, NO_LABELS, &value));
    metrics_set(METRIC_OUTBOX, 7, NO_LABELS);
    metrics_add(METRIC_PIPELINE_RUNS, 0, LABELS(STR("a"), STR("failed")));
    metrics_add(METRIC_PIPELINE_RUNS, 2, LABELS(STR("a"), STR("success")));
    metrics_add(METRIC_PIPELINE_RUNS, 1, LABELS(STR("a"), STR("success")));
    assert_true(metrics_value(METRIC_PIPELINE_RUNS, LABELS(STR("a"), STR("success")), &value));
    assert_true(value > 2.5 && value < 3.5);
    assert_true(written(false, "neuron_outbox_records 7\n"));
    assert_true(written(false, "neuron_pipeline_runs_total{pipeline=\"a\",status=\"failed\"} 0\n"));
    assert_true(written(true, "# TYPE neuron_pipeline_runs counter\n"));
    assert_true(written(true, "# EOF\n"));
    metrics_remove(METRIC_OUTBOX, NO_LABELS);
    assert_false(metrics_value(METRIC_OUTBOX, NO_LABELS, &value));
    assert_false(written(false, "neuron_outbox_records"));
}

static void test_histogram_and_escapes(void **state)
{
    (void)state;
    metrics_reset();
    const Str *labels = LABELS(STR("q\"\\\n"));
    metrics_observe(METRIC_PIPELINE_DURATION, 0.02, labels);
    metrics_observe(METRIC_PIPELINE_DURATION, 5000, labels);
    const char *name = "neuron_pipeline_duration_seconds_bucket{pipeline=\"q\\\"\\\\\\n\",le=";
    char line[200];
    (void)snprintf(line, sizeof line, "%s\"0.01\"} 0\n", name);
    assert_true(written(false, line));
    (void)snprintf(line, sizeof line, "%s\"0.025\"} 1\n", name);
    assert_true(written(false, line));
    (void)snprintf(line, sizeof line, "%s\"+Inf\"} 2\n", name);
    assert_true(written(false, line));
    assert_true(written(false, "_sum{pipeline=\"q\\\"\\\\\\n\"} 5000.02\n"));
}

static void test_bound(void **state)
{
    (void)state;
    metrics_reset();
    for (int32_t i = 0; i < METRIC_SERIES_MAX + 3; i++) {
        char name[20];
        (void)snprintf(name, sizeof name, "p%d", i);
        metrics_set(METRIC_PIPELINE_RUNNING, 1, LABELS(str_from(name)));
    }
    double cut = 0;
    assert_true(metrics_value(METRIC_SERIES_DROPPED, LABELS(STR("neuron_pipeline_running")), &cut));
    assert_int_equal((int)cut, 3);
    metrics_reset();
}

static void test_names(void **state)
{
    (void)state;
    assert_int_equal(metrics_find(STR("neuron_quality_score")), METRIC_QUALITY_SCORE);
    assert_int_equal(metrics_find(STR("nothing")), METRIC_COUNT);
    assert_int_equal(metrics_label(METRIC_QUALITY_STATUS, STR("state")), 3);
    assert_int_equal(metrics_label(METRIC_QUALITY_STATUS, STR("x")), -1);
    LogLevel level = LOG_INFO;
    assert_true(log_level_parse(STR("WARNING"), &level));
    assert_int_equal(level, LOG_WARN);
    assert_false(log_level_parse(STR("loud"), &level));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_histogram_and_escapes),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
