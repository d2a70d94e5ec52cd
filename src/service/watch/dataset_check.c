/* Runs a check with its history: what earlier reports say, and the report kept. */
#include "service/watch/dataset_check.h"

#include "foundation/base/clock.h"
#include "foundation/codec/json_tree.h"

enum { HISTORY_MAX = 400, REPORT_MAX = 64 << 20, LETTER_MAX = 1 << 20 };

/* One rule's value in one earlier report. */
typedef struct OldValue {
    Str rule;
    PastValue past;
} OldValue;

typedef struct History {
    Arena arena;
    OldValue *values; /* newest report first */
    int64_t count, capacity;
    Field *columns; /* of the newest report: name, native is the type */
    int32_t column_count;
    int64_t reports;
} History;

/* Only such rules look back. */
static bool looks_back(const QualitySet *set)
{
    for (int32_t i = 0; i < set->rule_count; i++) {
        if (set->rules[i].anomaly.on || set->rules[i].schema.no_type_change) return true;
    }
    return false;
}

static Status value_add(History *h, Str rule, PastValue past, Err *err)
{
    if (h->count == h->capacity) {
        int64_t capacity = int64_max(64, h->capacity * 2);
        OldValue *values = ARENA_ARRAY(&h->arena, OldValue, capacity);
        if (!values) return err_memory(err);
        if (h->count) memcpy(values, h->values, (size_t)h->count * sizeof *values);
        h->values = values;
        h->capacity = capacity;
    }
    OldValue *to = &h->values[h->count];
    to->past = past;
    TRY(arena_copy(&h->arena, rule, &to->rule, err));
    h->count++;
    return OK;
}

static Status columns_take(History *h, const JsonValue *columns, Err *err)
{
    if (!columns) return OK;
    h->columns = ARENA_ARRAY(&h->arena, Field, columns->count + 1);
    if (!h->columns) return err_memory(err);
    for (const JsonValue *at = columns->first; at; at = at->next) {
        Field *field = &h->columns[h->column_count++];
        TRY(arena_copy(&h->arena, json_member_text(at, STR("name"), STR_NULL), &field->name, err));
        TRY(arena_copy(&h->arena, json_member_text(at, STR("type"), STR_NULL), &field->native,
                       err));
    }
    return OK;
}

static Status take_report(void *arg, const StateReport *report, Err *err)
{
    History *h = arg;
    Arena arena = arena_make(REPORT_MAX);
    JsonValue *root = NULL;
    Status status = OK;
    if (json_parse(report->report, &arena, &root, NULL) == OK) {
        if (h->reports++ == 0) status = columns_take(h, json_member(root, STR("columns")), err);
        const JsonValue *rules = json_member(root, STR("rules"));
        for (const JsonValue *at = rules ? rules->first : NULL; at && status == OK; at = at->next) {
            PastValue past = {.at_us = report->at_us};
            if (!json_double(json_member(at, STR("value")), &past.value)) continue;
            status = value_add(h, json_member_text(at, STR("name"), STR_NULL), past, err);
        }
    }
    arena_done(&arena);
    return status;
}

static int64_t history_values(void *arg, Str rule, PastValue *ret_values, int64_t max)
{
    const History *h = arg;
    int64_t count = 0;
    for (int64_t i = 0; i < h->count && count < max; i++) {
        if (str_eq(h->values[i].rule, rule)) ret_values[count++] = h->values[i].past;
    }
    return count;
}

static Str history_type(void *arg, Str column)
{
    const History *h = arg;
    for (int32_t i = 0; i < h->column_count; i++) {
        if (str_eq(h->columns[i].name, column)) return h->columns[i].native;
    }
    return STR_NULL;
}

static bool history_any(void *arg)
{
    const History *h = arg;
    return h->reports > 0;
}

static Status keep(const DatasetCheck *check, const QualityReport *report, Err *err)
{
    CLEANUP(buf_done) Buf json = buf_make(REPORT_MAX);
    CLEANUP(buf_done) Buf body = buf_make(LETTER_MAX);
    if (!check->store) return OK;
    if (check->letter) TRY(check->letter(report, &body, err));
    StateLetter letter = {
        .kind = STR("quality_check"), .body = buf_str(&body), .at_us = report->at_us};
    TRY(quality_report_write(report, REPORT_JSON, false, &json, err));
    StateReport put = {.dataset = report->dataset,
                       .at_us = report->at_us,
                       .score = report->score,
                       .verdict = str_from(verdict_name(report->verdict)),
                       .report = buf_str(&json)};
    return state_report_put(check->store, &put, int64_max(check->set->keep, 1),
                            check->letter ? &letter : NULL, NULL, err);
}

Status dataset_check(const DatasetCheck *check, QualityReport **ret_report, Err *err)
{
    History history = {.arena = arena_make(INT64_C(1) << 28)};
    QualityEnv env = check->env;
    env.history = (CheckHistory){&history, history_values, history_type, history_any};
    Status status = OK;
    if (check->store && looks_back(check->set)) {
        status = state_report_list(check->store, check->set->name, 0, HISTORY_MAX, take_report,
                                   &history, err);
    }
    CLEANUP(quality_report_free_p) QualityReport *report = NULL;
    if (status == OK) status = quality_run(check->set, &env, &report, err);
    if (status == OK && keep(check, report, err) != OK) {
        status = err_prefix(err, "the report could not be kept: ");
    }
    arena_done(&history.arena);
    if (status == OK) *ret_report = TAKE(report);
    return status;
}
