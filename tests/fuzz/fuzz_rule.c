/* Fuzz target: rules and thresholds as text; each is taken, or refused at a place in it. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "work/quality/rule_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(Status status, const Err *err, Str text)
{
    if (status == OK) return;
    if (err->kind != ERR_CONFIG || err->column < 0 || err->column > text.len + 1) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Str text = str_make((const char *)data, (int64_t)size);
    Arena arena = arena_make(1 << 20);
    Threshold threshold = {0};
    QualityRule rule = {0};
    Err err = {0};
    if (size > 2000) return 0;
    for (int32_t durations = 0; durations < 2; durations++) {
        err = (Err){0};
        check(threshold_parse(text, durations, &threshold, &err), &err, text);
    }
    err = (Err){0};
    check(rule_parse(text, &arena, &rule, &err), &err, text);
    err = (Err){0};
    rule = (QualityRule){0};
    check(column_rule_parse(text, &rule, &err), &err, text);
    arena_done(&arena);
    return 0;
}
