/* Fuzz target: conditions of alerts, kept states, silences' texts; none of them breaks a round. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "service/alert/alert_book.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW INT64_C(1790000000000000)

static void metrics_fill(void)
{
    static bool filled;
    if (filled) return;
    filled = true;
    metrics_set(METRIC_STREAM_LAG_SECONDS, 7, LABELS(STR("s"), STR("t"), STR("0")));
    metrics_set(METRIC_STREAM_LAG_SECONDS, 400, LABELS(STR("s"), STR("t"), STR("1")));
    metrics_set(METRIC_QUALITY_SCORE, 80, LABELS(STR("d")));
    metrics_set(METRIC_QUALITY_MIN_SCORE, 90, LABELS(STR("d")));
    metrics_add(METRIC_PIPELINE_ATTEMPTS_FAILED, 4, LABELS(STR("p")));
    metrics_set(METRIC_DISK_USED, 0.5, LABELS(STR("/")));
}

/* A condition that is taken is run twice and told. */
static void judge(Str text, Arena *arena)
{
    AlertRule rule = {.name = STR("R"), .severity = STR("s"), .when = text, .summary = text};
    AlertWindows *windows = NULL;
    AlertBook book = {.neuron_id = STR("n")};
    const Str by[] = {STR("alertname"), STR("stream")};
    const AlertSettings settings = {.group_by = by, .group_by_count = 2, .repeat_us = 1};
    if (alert_condition_parse(text, arena, &rule.condition, NULL) != OK) return;
    if (alert_windows_new(NULL, NULL, &windows, NULL) != OK) abort();
    for (int64_t i = 0; i < 2; i++) {
        AlertSamples samples;
        AlertGroups groups = {0};
        Buf body = buf_make(16 << 20);
        int64_t now_us = NOW + i * 60000000;
        if (alert_condition_run(&rule.condition, windows, now_us, arena, &samples, NULL) != OK) {
            abort();
        }
        alert_windows_round(windows);
        if (alert_book_observe(&book, &rule, &samples, now_us, NULL) != OK) abort();
        alert_book_round(&book, now_us);
        if (alert_book_groups(&book, &settings, now_us, arena, &groups, NULL) != OK) abort();
        for (int32_t k = 0; k < groups.count; k++) {
            buf_clear(&body);
            if (alert_webhook_body(&groups.items[k], &settings, text, &body, NULL) != OK) abort();
            if (!json_validate(buf_str(&body), NULL)) abort();
            alert_group_notified(&groups.items[k], now_us);
        }
        buf_done(&body);
        alert_book_sweep(&book);
    }
    alert_windows_free(windows);
    alert_book_done(&book);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Str text = str_make((const char *)data, (int64_t)size);
    Arena arena = arena_make(64 << 20);
    AlertBook book = {.neuron_id = STR("n")};
    const AlertSettings none = {0};
    if (size > 4096) return 0;
    metrics_fill();
    judge(text, &arena);
    /* What a damaged store may hold. */
    IGNORE(alert_book_load(&book, STR("0123456789abcdef"), text, &none, NOW, NULL));
    alert_book_done(&book);
    arena_done(&arena);
    return 0;
}
