/* One rule over one batch: which rows fail it, or what adds up for its value. */
#include "engine/format/json_write.h"
#include "foundation/base/datetime.h"
#include "work/quality/quality_check_impl.h"

static int64_t count_bits(const uint64_t *bits, int64_t rows)
{
    int64_t count = 0;
    for (int64_t word = 0; word * 64 < rows; word++) count += __builtin_popcountll(bits[word]);
    return count;
}

/* Rows of the batch that the rule looks at. */
static int64_t rows_seen(const QualityCheck *check, const RuleState *state, const Batch *batch)
{
    const uint64_t *mask = rule_mask(check, state);
    return mask ? count_bits(mask, batch->rows) : batch->rows;
}

static inline bool in_mask(const uint64_t *mask, int64_t row)
{
    return !mask || ((mask[row >> 6] >> (row & 63)) & 1);
}

/* ---- rows that fail ---- */

static void mark_nulls(const QualityCheck *check, const Column *column)
{
    for (int64_t word = 0; word * 64 < column->length; word++) {
        int64_t left = column->length - word * 64;
        uint64_t valid = ~UINT64_C(0), last = left < 64 ? (UINT64_C(1) << left) - 1 : valid;
        if (column->valid) memcpy(&valid, column->valid->data + column->offset / 8 + word * 8, 8);
        check->scratch.bad[word] = ~valid & last;
    }
}

static bool is_listed(const QualityRule *rule, Str text)
{
    for (int32_t i = 0; i < rule->listed.count; i++) {
        if (str_eq(text, rule->listed.items[i])) return true;
    }
    return false;
}

typedef bool (*TextTest)(const QualityRule *rule, Str text);

static bool lacks_format(const QualityRule *rule, Str text)
{
    return !rule->format->matches(text);
}

/* Rows whose value, as text, the test holds for. */
static Status mark_texts(const QualityCheck *check, const QualityRule *rule, const Column *column,
                         TextTest test, Err *err)
{
    CLEANUP(buf_done) Buf scratch = buf_make(INT64_C(1) << 31);
    for (int64_t row = 0; row < column->length; row++) {
        if (column_is_null(column, row)) continue;
        Str text;
        TRY(value_text(column, row, &scratch, &text, err));
        if (test(rule, text)) bit_set((uint8_t *)check->scratch.bad, row);
    }
    return OK;
}

/* Rows for which the expression is false, or fails. */
static Status mark_false(QualityCheck *check, RuleState *state, const Batch *batch, Err *err)
{
    ExprRun run = {.now_us = check->o.now_us};
    Column good = {0};
    TRY(expr_column(state->good, &run, batch, &good, &check->rejects, err));
    int64_t first = good.offset / 8;
    for (int64_t word = 0; word * 64 < batch->rows; word++) {
        uint64_t valid = ~UINT64_C(0), value;
        int64_t left = batch->rows - word * 64;
        uint64_t last = left < 64 ? (UINT64_C(1) << left) - 1 : valid;
        if (good.valid) memcpy(&valid, good.valid->data + first + word * 8, 8);
        memcpy(&value, good.data->data + first + word * 8, 8);
        check->scratch.bad[word] = valid & ~value & last;
    }
    column_done(&good);
    for (int64_t i = 0; i < check->rejects.count; i++) {
        bit_set((uint8_t *)check->scratch.bad, check->rejects.items[i].row);
    }
    return OK;
}

static Status mark(QualityCheck *check, RuleState *state, const Batch *batch, Err *err)
{
    const QualityRule *rule = state->rule;
    const Column *column = state->count ? &batch->columns[state->columns[0]] : NULL;
    if (state->good) TRY(mark_false(check, state, batch, err));
    if (rule->kind == RULE_RANGE) mark_nans(column, check->scratch.bad);
    if (state->good || rule->kind == RULE_RANGE) return OK;
    assert(column);
    if (rule->kind == RULE_NOT_NULL || rule->kind == RULE_MISSING) mark_nulls(check, column);
    if (rule->kind == RULE_MISSING && rule->listed.count) {
        return mark_texts(check, rule, column, is_listed, err);
    }
    if (rule->kind == RULE_FORMAT) return mark_texts(check, rule, column, lacks_format, err);
    if (rule->kind == RULE_RELATION)
        return value_set_lacks(state->set, column, check->scratch.bad, err);
    return OK;
}

static Status measure_rows(QualityCheck *check, RuleState *state, const Batch *batch, Err *err)
{
    const uint64_t *mask = rule_mask(check, state);
    RuleKind kind = state->rule->kind;
    bool values_only =
        kind == RULE_ACCEPTED || kind == RULE_FORMAT || kind == RULE_RANGE || kind == RULE_RELATION;
    reject_list_clear(&check->rejects);
    memset(check->scratch.bad, 0, (size_t)((batch->rows + 63) / 64) * 8);
    TRY(mark(check, state, batch, err));
    for (int64_t word = 0; mask && word * 64 < batch->rows; word++)
        check->scratch.bad[word] &= mask[word];
    state->considered += rows_seen(check, state, batch);
    if (values_only) {
        state->considered -= column_count_nulls(&batch->columns[state->columns[0]], mask);
    }
    state->failed += count_bits(check->scratch.bad, batch->rows);
    return OK;
}

/* ---- what adds up ---- */

static void measure_nulls(const QualityCheck *check, RuleState *state, const Batch *batch)
{
    const uint64_t *mask = rule_mask(check, state);
    state->considered += rows_seen(check, state, batch) * state->count;
    for (int32_t i = 0; i < state->count; i++) {
        state->failed += column_count_nulls(&batch->columns[state->columns[i]], mask);
    }
}

static bool date_is_good(const QualityRule *rule, Str text)
{
    if (rule->consistency.layout_count == 0) return format_date_time(text);
    for (int32_t i = 0; i < rule->consistency.layout_count; i++) {
        if (format_layout(text, rule->consistency.layouts[i])) return true;
    }
    return false;
}

static bool is_time(TypeId type)
{
    return type == TYPE_DATE || type == TYPE_TIMESTAMP || type == TYPE_TIMESTAMPTZ;
}

static Status measure_emails(QualityCheck *check, RuleState *state, const Batch *batch, Err *err)
{
    const Column *column = &batch->columns[state->consistency.email];
    const uint64_t *mask = rule_mask(check, state);
    CLEANUP(buf_done) Buf scratch = buf_make(INT64_C(1) << 31);
    for (int64_t row = 0; row < batch->rows; row++) {
        if (!in_mask(mask, row) || column_is_null(column, row)) continue;
        Str text;
        if (column->type == TYPE_TEXT) text = column_text(column, row);
        else TRY(value_text(column, row, &scratch, &text, err));
        state->consistency.mails++;
        state->consistency.good_mails += format_email(text);
    }
    return OK;
}

static Status measure_dates(QualityCheck *check, RuleState *state, const Batch *batch, Err *err)
{
    const Column *column = &batch->columns[state->consistency.date];
    const uint64_t *mask = rule_mask(check, state);
    int64_t seen = rows_seen(check, state, batch);
    CLEANUP(buf_done) Buf scratch = buf_make(INT64_C(1) << 31);
    state->consistency.dates += seen;
    if (is_time(column->type) && !state->rule->consistency.layout_count) {
        state->consistency.good_dates += seen - column_count_nulls(column, mask);
        return OK;
    }
    for (int64_t row = 0; row < batch->rows; row++) {
        if (!in_mask(mask, row) || column_is_null(column, row)) continue;
        Str text;
        TRY(value_text(column, row, &scratch, &text, err));
        state->consistency.good_dates += date_is_good(state->rule, text);
    }
    return OK;
}

/* A time that is later than now by less is taken for now: clocks differ. */
#define CLOCKS_DIFFER_US INT64_C(60000000)

/* The newest moment that is not in the future; texts that are none are passed by. */
static Status measure_newest(QualityCheck *check, RuleState *state, const Batch *batch, Err *err)
{
    const Column *column = &batch->columns[state->columns[0]];
    const uint64_t *mask = rule_mask(check, state);
    CLEANUP(buf_done) Buf scratch = buf_make(INT64_C(1) << 31);
    for (int64_t row = 0; row < batch->rows; row++) {
        if (!in_mask(mask, row) || column_is_null(column, row)) continue;
        int64_t us = INT64_MIN;
        bool zone;
        Str text;
        if (column->type == TYPE_TIMESTAMP || column->type == TYPE_TIMESTAMPTZ) {
            us = column_int64(column)[row];
        } else if (column->type == TYPE_DATE) {
            int32_t day = column_date(column)[row];
            if (day == DATE_INFINITY || day == DATE_NEG_INFINITY) continue;
            us = day * DATETIME_DAY_US;
        } else {
            TRY(value_text(column, row, &scratch, &text, err));
            if (!datetime_cast_timestamp(text, &us, &zone)) continue;
        }
        if (us == DATETIME_INFINITY || us == DATETIME_NEG_INFINITY) continue;
        state->considered++;
        if (us > check->o.now_us + CLOCKS_DIFFER_US) state->future++;
        else state->newest_us = int64_max(state->newest_us, us);
    }
    return OK;
}

Status rule_measure(QualityCheck *check, RuleState *state, const Batch *batch, Err *err)
{
    RuleKind kind = state->rule->kind;
    if (rule_is_row(kind)) return measure_rows(check, state, batch, err);
    if (kind == RULE_COMPLETENESS || kind == RULE_NULL_SHARE) measure_nulls(check, state, batch);
    if (kind == RULE_ROW_COUNT) state->considered += rows_seen(check, state, batch);
    if (kind == RULE_CONSISTENCY) {
        state->considered += rows_seen(check, state, batch);
        if (state->consistency.email >= 0) TRY(measure_emails(check, state, batch, err));
        if (state->consistency.date >= 0 && !state->consistency.dates_counted)
            TRY(measure_dates(check, state, batch, err));
    }
    if (kind == RULE_FRESHNESS) return measure_newest(check, state, batch, err);
    if (kind >= RULE_MIN && kind <= RULE_MEAN_LENGTH) {
        return moments_add(state, &batch->columns[state->columns[0]], rule_mask(check, state), err);
    }
    return OK;
}
