/* Conditions over metrics, states under a fake clock, groups, what is kept and taken up again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>

#include "service/alert/alert_book.h"

#define MINUTE INT64_C(60000000)
#define T0 INT64_C(1790000000000000)

static AlertCondition parse(const char *text, Arena *arena)
{
    AlertCondition c = {0};
    Err err = {0};
    if (alert_condition_parse(str_from(text), arena, &c, &err) != OK) {
        fail_msg("\"%s\": %s", text, err.message);
    }
    return c;
}

/* ---- conditions ---- */

static void check_mistake(const char *text, int64_t column, const char *hint)
{
    Arena arena = arena_make(1 << 20);
    AlertCondition c;
    Err err = {0};
    if (alert_condition_parse(str_from(text), &arena, &c, &err) == OK)
        fail_msg("\"%s\" taken", text);
    assert_int_equal(err.kind, ERR_CONFIG);
    if (err.column != column) fail_msg("\"%s\": column %d", text, (int)err.column);
    if (hint && !strstr(err.hint, hint)) fail_msg("\"%s\": hint \"%s\"", text, err.hint);
    arena_done(&arena);
}

static void test_mistakes(void **state)
{
    (void)state;
    check_mistake("neuron_disk_used_ration > 1", 1, "neuron_disk_used_ratio?");
    check_mistake("neuron_disk_used_ratio", 23, "condition");
    check_mistake("neuron_disk_used_ratio >", 25, NULL);
    check_mistake("neuron_disk_used_ratio > 5parsecs", 26, "85%");
    check_mistake("neuron_disk_used_ratio{mont=\"/\"} > 1", 24, "mount");
    check_mistake("neuron_disk_used_ratio{mount=\"/} > 1", 30, NULL);
    check_mistake("neuron_memory_used_ratio > 1 or 2", 30, NULL);
    check_mistake("increase(neuron_errors_total) > 1", 29, NULL);
    check_mistake("max(neuron_stream_lag_seconds) by (strem) > 1", 36, "stream,topic");
    check_mistake("", 1, NULL);
    check_mistake("max(", 5, NULL);
    check_mistake("max by (stream", 8, NULL);
}

static AlertSamples run(const char *text, AlertWindows *windows, int64_t now_us, Arena *arena)
{
    AlertSamples samples;
    Err err = {0};
    AlertCondition c = parse(text, arena);
    assert_int_equal(alert_condition_run(&c, windows, now_us, arena, &samples, &err), OK);
    return samples;
}

static void lag(const char *stream, const char *partition, double seconds)
{
    metrics_set(METRIC_STREAM_LAG_SECONDS, seconds,
                LABELS(str_from(stream), STR("t"), str_from(partition)));
}

static void test_values(void **state)
{
    (void)state;
    Arena arena = arena_make(1 << 20);
    metrics_reset();
    lag("a", "0", 10);
    lag("a", "1", 400);
    lag("b", "0", 20);
    AlertSamples s = run("max(neuron_stream_lag_seconds) by (stream) > 5m", NULL, T0, &arena);
    assert_int_equal(s.count, 2);
    assert_true(s.items[0].holds && !s.items[1].holds);
    assert_int_equal(s.items[0].label_count, 1);
    assert_true(str_eq(s.items[0].labels[0].value, STR("a")));
    assert_true(s.items[0].value > 399 && s.items[0].threshold > 299);
    s = run("sum by (stream) (neuron_stream_lag_seconds{partition!='1'}) <= 20", NULL, T0, &arena);
    assert_int_equal(s.count, 2);
    assert_true(s.items[0].holds && s.items[1].holds);
    s = run("count(neuron_stream_lag_seconds{stream=\"a\"}) = 2", NULL, T0, &arena);
    assert_true(s.count == 1 && s.items[0].holds);
    s = run("avg(neuron_stream_lag_seconds{stream=\"a\"}) > 205", NULL, T0, &arena);
    assert_true(s.count == 1 && !s.items[0].holds);
    s = run("neuron_quality_score < 90", NULL, T0, &arena);
    assert_int_equal(s.count, 0);
    metrics_set(METRIC_PIPELINE_LAST_SUCCESS, (double)(T0 / 1000000 - 7300), LABELS(STR("p")));
    s = run("age(neuron_pipeline_last_success_timestamp_seconds) > 2h", NULL, T0, &arena);
    assert_true(s.count == 1 && s.items[0].holds);
    arena_done(&arena);
}

/* The right side is another metric; `and` needs a partner with the same labels. */
static void test_pairs(void **state)
{
    (void)state;
    Arena arena = arena_make(1 << 20);
    metrics_reset();
    metrics_set(METRIC_QUALITY_SCORE, 80, LABELS(STR("x")));
    metrics_set(METRIC_QUALITY_SCORE, 80, LABELS(STR("y")));
    metrics_set(METRIC_QUALITY_SCORE, 80, LABELS(STR("no minimum")));
    metrics_set(METRIC_QUALITY_MIN_SCORE, 90, LABELS(STR("x")));
    metrics_set(METRIC_QUALITY_MIN_SCORE, 70, LABELS(STR("y")));
    const char *text = "neuron_quality_score < neuron_quality_min_score";
    AlertSamples s = run(text, NULL, T0, &arena);
    assert_int_equal(s.count, 2);
    assert_true(s.items[0].holds && !s.items[1].holds);
    s = run("neuron_quality_score < 90 and neuron_quality_min_score > 80", NULL, T0, &arena);
    assert_int_equal(s.count, 3);
    assert_true(s.items[0].holds && !s.items[1].holds);
    arena_done(&arena);
}

static double increase(AlertWindows *windows, int64_t now_us)
{
    Arena arena = arena_make(1 << 20);
    AlertSamples s =
        run("increase(neuron_pipeline_failed_attempts_total[1h]) > 3", windows, now_us, &arena);
    assert_int_equal(s.count, 1);
    double value = s.items[0].value;
    alert_windows_round(windows);
    arena_done(&arena);
    return value;
}

static void fail_once(void)
{
    metrics_add(METRIC_PIPELINE_ATTEMPTS_FAILED, 1, LABELS(STR("p")));
}

static void test_window(void **state)
{
    (void)state;
    AlertWindows *windows = NULL;
    Err err = {0};
    metrics_reset();
    for (int32_t i = 0; i < 7; i++) fail_once();
    assert_int_equal(alert_windows_new(NULL, NULL, &windows, &err), OK);
    assert_true(increase(windows, T0) < 0.5); /* what was before is not an increase */
    for (int32_t i = 1; i <= 240; i++) {      /* every 15 s; one failure each ten minutes */
        if (i % 40 == 0) fail_once();
        double value = increase(windows, T0 + i * MINUTE / 4);
        double wanted = i / 40;
        if (value > wanted + 0.5 || value < wanted - 0.5) fail_msg("%d: %g", (int)i, value);
    }
    /* Two hours later all of it is past; a reset of the counter is no negative increase. */
    for (int32_t i = 1; i <= 120; i++) (void)increase(windows, T0 + (60 + i) * MINUTE);
    assert_true(increase(windows, T0 + 181 * MINUTE) < 0.5);
    metrics_reset();
    fail_once();
    double value = increase(windows, T0 + 182 * MINUTE);
    assert_true(value > 0.5 && value < 1.5);
    alert_windows_free(windows);
}

/* ---- states ---- */

static AlertRule rule(int64_t for_us, int64_t keep_us)
{
    return (AlertRule){.name = STR("R"),
                       .severity = STR("warning"),
                       .when = STR("x > 1"),
                       .for_us = for_us,
                       .keep_us = keep_us};
}

static void observe(AlertBook *book, const AlertRule *r, int32_t holds, int64_t now_us)
{
    Err err = {0};
    AlertSample sample = {.labels = {{STR("stream"), STR("a")}},
                          .label_count = 1,
                          .value = 7,
                          .threshold = 1,
                          .holds = holds > 0};
    AlertSamples samples = {.items = &sample, .count = holds >= 0};
    assert_int_equal(alert_book_observe(book, r, &samples, now_us, &err), OK);
    alert_book_round(book, now_us);
}

/* `for` and silences are real time, through a clock that is three hours ahead for a while. */
static void test_clock_ahead(void **state)
{
    (void)state;
    const int64_t hours = 180 * MINUTE;
    AlertBook book = {.neuron_id = STR("n")};
    AlertRule r = rule(5 * MINUTE, 2 * MINUTE);
    observe(&book, &r, 1, T0);
    Alert *a = book.first;
    a->silence.until_us = T0 + 30 * MINUTE;
    alert_book_clock_set(&book, hours, T0 + hours + MINUTE);
    observe(&book, &r, 1, T0 + hours + MINUTE);
    assert_int_equal(a->state, ALERT_PENDING);
    assert_true(a->silence.until_us == T0 + hours + 30 * MINUTE);
    alert_book_clock_set(&book, -hours, T0 + 2 * MINUTE);
    assert_true(a->active_us == T0 && a->silence.until_us == T0 + 30 * MINUTE);
    observe(&book, &r, 1, T0 + 5 * MINUTE);
    assert_int_equal(a->state, ALERT_FIRING);
    alert_book_done(&book);
}

static void test_states(void **state)
{
    (void)state;
    AlertBook book = {.neuron_id = STR("n")};
    AlertRule r = rule(5 * MINUTE, 2 * MINUTE);
    observe(&book, &r, 0, T0);
    assert_null(book.first); /* nothing wrong, nothing known */
    observe(&book, &r, 1, T0);
    Alert *a = book.first;
    assert_int_equal(a->state, ALERT_PENDING);
    observe(&book, &r, 0, T0 + MINUTE);
    assert_int_equal(a->state, ALERT_INACTIVE);
    observe(&book, &r, 1, T0 + 2 * MINUTE);
    observe(&book, &r, 1, T0 + 6 * MINUTE);
    assert_int_equal(a->state, ALERT_PENDING);
    observe(&book, &r, 1, T0 + 7 * MINUTE);
    assert_int_equal(a->state, ALERT_FIRING);
    assert_int_equal(a->fired_us, T0 + 7 * MINUTE);
    observe(&book, &r, 0, T0 + 8 * MINUTE);
    assert_int_equal(a->state, ALERT_FIRING); /* keeps firing */
    observe(&book, &r, -1, T0 + 12 * MINUTE);
    assert_int_equal(a->state, ALERT_FIRING); /* no data is no news */
    observe(&book, &r, 0, T0 + 13 * MINUTE);
    assert_int_equal(a->state, ALERT_RESOLVED);
    observe(&book, &r, 1, T0 + 14 * MINUTE);
    assert_int_equal(a->state, ALERT_PENDING);
    observe(&book, &r, -1, T0 + 40 * MINUTE);
    assert_int_equal(a->state, ALERT_INACTIVE);
    assert_true(a->gone);
    alert_book_sweep(&book);
    assert_null(book.first);
    alert_book_done(&book);
}

static void test_clock_set_back(void **state)
{
    (void)state;
    AlertBook book = {.neuron_id = STR("n")};
    AlertRule r = rule(5 * MINUTE, 0);
    observe(&book, &r, 1, T0 + 600 * MINUTE);
    observe(&book, &r, 1, T0);
    observe(&book, &r, 1, T0 + 5 * MINUTE);
    assert_int_equal(book.first->state, ALERT_FIRING);
    alert_book_done(&book);
}

static const Str BY[] = {{"alertname", 9}};
static const AlertSettings SETTINGS = {
    .group_by = BY, .group_by_count = 1, .group_interval_us = MINUTE, .repeat_us = 240 * MINUTE};

/* How many members the one group that is due has; 0: none is due. */
static int32_t due(AlertBook *book, int64_t now_us)
{
    Arena arena = arena_make(1 << 20);
    AlertGroups groups;
    Err err = {0};
    assert_int_equal(alert_book_groups(book, &SETTINGS, now_us, &arena, &groups, &err), OK);
    int32_t count = groups.count ? groups.items[0].count : 0;
    assert_in_range(groups.count, 0, 1);
    if (groups.count) {
        assert_true(str_eq(groups.items[0].key, STR("{}:{alertname=\"R\"}")));
        alert_group_notified(&groups.items[0], now_us);
    }
    arena_done(&arena);
    return count;
}

static void test_groups(void **state)
{
    (void)state;
    AlertBook book = {.neuron_id = STR("n")};
    AlertRule r = rule(0, 0);
    observe(&book, &r, 1, T0);
    assert_int_equal(due(&book, T0), 1);
    assert_int_equal(due(&book, T0 + MINUTE / 4), 0); /* one notice a change */
    observe(&book, &r, 0, T0 + MINUTE / 2);
    assert_int_equal(due(&book, T0 + MINUTE / 2), 0); /* too soon */
    assert_int_equal(due(&book, T0 + MINUTE), 1);     /* resolved */
    assert_int_equal(due(&book, T0 + 3 * MINUTE), 0);
    observe(&book, &r, 1, T0 + 4 * MINUTE);
    assert_int_equal(due(&book, T0 + 4 * MINUTE), 1);
    assert_int_equal(due(&book, T0 + 243 * MINUTE), 0);
    assert_int_equal(due(&book, T0 + 244 * MINUTE), 1); /* again after four hours */
    book.first->silence.until_us = T0 + 700 * MINUTE;
    assert_int_equal(due(&book, T0 + 600 * MINUTE), 0);
    assert_int_equal(due(&book, T0 + 701 * MINUTE), 1);
    alert_book_done(&book);
}

static void test_kept(void **state)
{
    (void)state;
    AlertBook book = {.neuron_id = STR("n")}, again = {.neuron_id = STR("n")};
    AlertRule r = rule(0, 0);
    AlertSettings settings = SETTINGS;
    CLEANUP(buf_done) Buf json = buf_make(1 << 20);
    Err err = {0};
    settings.rules = &r;
    settings.rule_count = 1;
    observe(&book, &r, 1, T0);
    assert_int_equal(due(&book, T0), 1);
    assert_int_equal(alert_save(book.first, &json, &err), OK);
    Str id = str_from(book.first->id);
    assert_int_equal(alert_book_load(&again, id, buf_str(&json), &settings, T0 + MINUTE, &err), OK);
    assert_ptr_equal(again.first->rule, &r);
    observe(&again, &r, 1, T0 + MINUTE);
    assert_int_equal(again.count, 1);
    assert_int_equal(due(&again, T0 + MINUTE), 0); /* told before the restart */
    observe(&again, &r, 0, T0 + 2 * MINUTE);
    assert_int_equal(due(&again, T0 + 2 * MINUTE), 1);
    alert_book_done(&again);
    /* Its rule is gone: resolved, and told so. */
    again.neuron_id = STR("n");
    assert_int_equal(alert_book_load(&again, id, buf_str(&json), &SETTINGS, T0, &err), OK);
    alert_book_round(&again, T0 + MINUTE);
    assert_int_equal(again.first->state, ALERT_RESOLVED);
    assert_int_equal(due(&again, T0 + MINUTE), 1);
    alert_book_done(&again);
    static const char *const BAD[] = {"", "[]", "{", "{\"labels\":{\"a\":\"b\"}}", "null"};
    for (int32_t i = 0; i < COUNT_OF(BAD); i++) {
        assert_int_equal(alert_book_load(&again, id, str_from(BAD[i]), &settings, T0, &err), FAIL);
    }
    assert_null(again.first);
    alert_book_done(&book);
}

/* Prometheus computes the same fingerprint of the same labels. */
static void test_fingerprint(void **state)
{
    (void)state;
    AlertBook book = {.neuron_id = STR("n")};
    AlertRule r = rule(0, 0);
    observe(&book, &r, 1, T0);
    assert_string_equal(book.first->id, "69e141d474634551");
    alert_book_done(&book);
}

static void test_texts(void **state)
{
    (void)state;
    AlertBook book = {.neuron_id = STR("n")};
    AlertRule r = rule(0, 0);
    CLEANUP(buf_done) Buf text = buf_make(1 << 20);
    Err err = {0};
    r.summary = STR("{stream} is {value} > {threshold} {threshold%}{nothing}{");
    observe(&book, &r, 1, T0);
    assert_int_equal(alert_summary(book.first, &text, &err), OK);
    assert_true(str_eq(buf_str(&text), STR("a is 7 > 1 100 %{")));
    alert_book_done(&book);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mistakes),    cmocka_unit_test(test_values),
        cmocka_unit_test(test_pairs),       cmocka_unit_test(test_window),
        cmocka_unit_test(test_states),      cmocka_unit_test(test_clock_set_back),
        cmocka_unit_test(test_clock_ahead), cmocka_unit_test(test_groups),
        cmocka_unit_test(test_kept),        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_fingerprint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
