/* Count, mean, deviation, ends and sum of a column's numbers or of its texts' lengths. */
#include <math.h>

#include "work/quality/quality_check_impl.h"

typedef struct Number {
    bool exact;
    Decimal decimal; /* where exact */
    double real;
} Number;

static void total_add(Moments *m, Decimal value)
{
    if (decimal_add(m->total, value, &m->total) != DECIMAL_OK) m->overflow = true;
}

static double distance(Number value, Decimal origin)
{
    Decimal gap;
    if (value.exact && decimal_sub(value.decimal, origin, &gap) == DECIMAL_OK) {
        return decimal_to_double(gap);
    }
    return value.real - decimal_to_double(origin);
}

static void add_value(Moments *m, Number value)
{
    bool first = m->count++ == 0;
    if (first && value.exact) m->origin = m->lowest = m->highest = value.decimal;
    double gap = distance(value, m->origin), delta = gap - m->mean;
    m->mean += delta / (double)m->count;
    m->squares += delta * (gap - m->mean);
    m->sum += value.real;
    if (first || value.real < m->min) m->min = value.real;
    if (first || value.real > m->max) m->max = value.real;
    m->inexact |= !value.exact;
    if (m->inexact) return;
    total_add(m, value.decimal);
    if (decimal_compare(value.decimal, m->lowest) < 0) m->lowest = value.decimal;
    if (decimal_compare(value.decimal, m->highest) > 0) m->highest = value.decimal;
}

double moments_mean(const Moments *m)
{
    return decimal_to_double(m->origin) + m->mean;
}

/* Chan's way to put two groups together. */
void moments_merge(Moments *m, const Moments *next)
{
    int64_t nans = m->nans + next->nans;
    if (m->count == 0) *m = *next;
    else if (next->count > 0) {
        Number shift = {true, next->origin, decimal_to_double(next->origin)};
        double a = (double)m->count, b = (double)next->count;
        double delta = distance(shift, m->origin) + next->mean - m->mean;
        m->squares += next->squares + delta * delta * a * b / (a + b);
        m->mean += delta * b / (a + b);
        m->sum += next->sum;
        m->min = next->min < m->min ? next->min : m->min;
        m->max = next->max > m->max ? next->max : m->max;
        m->count += next->count;
        m->inexact |= next->inexact;
        m->overflow |= next->overflow;
        if (!m->overflow) total_add(m, next->total);
        if (decimal_compare(next->lowest, m->lowest) < 0) m->lowest = next->lowest;
        if (decimal_compare(next->highest, m->highest) > 0) m->highest = next->highest;
    }
    m->nans = nans;
}

static bool number_of(const Column *column, int64_t row, Number *ret)
{
    int64_t at = row;
    uint8_t scale;
    switch (column->type) {
    case TYPE_INT64:
        *ret = (Number){true, decimal_from_int64(column_int64(column)[row]),
                        (double)column_int64(column)[row]};
        return true;
    case TYPE_DOUBLE:
        *ret = (Number){.real = column_double(column)[row]};
        return true;
    case TYPE_NUMERIC:
        scale = column_scale(column, row);
        *ret = (Number){.exact = scale != NUMERIC_SCALE_DOUBLE};
        if (ret->exact) {
            ret->decimal = (Decimal){column_numeric(column)[row], scale};
            ret->real = decimal_to_double(ret->decimal);
        } else {
            memcpy(&ret->real, &column_numeric(column)[row], sizeof ret->real);
        }
        return true;
    case TYPE_DYNAMIC: {
        const Column *child = column_dynamic(column, row, &at);
        return child->type != TYPE_DYNAMIC && number_of(child, at, ret);
    }
    case TYPE_BOOL:
    case TYPE_TEXT:
    case TYPE_BYTES:
    case TYPE_JSON:
    case TYPE_DATE:
    case TYPE_TIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
    case TYPE_INTERVAL:
    case TYPE_UUID:
    case TYPE_COUNT:
        break;
    }
    return false;
}

void mark_nans(const Column *column, uint64_t *bits)
{
    bool can_hold =
        column->type == TYPE_DOUBLE || column->type == TYPE_NUMERIC || column->type == TYPE_DYNAMIC;
    for (int64_t row = 0; can_hold && row < column->length; row++) {
        Number value;
        if (column_is_null(column, row) || !number_of(column, row, &value)) continue;
        if (!value.exact && isnan(value.real)) bit_set((uint8_t *)bits, row);
    }
}

/* Characters, not bytes. */
static int64_t length_of(Str text)
{
    int64_t count = 0;
    for (int64_t i = 0; i < text.len; i++) count += ((uint8_t)text.ptr[i] & 0xc0) != 0x80;
    return count;
}

Status moments_add(RuleState *state, const Column *column, const uint64_t *mask, Err *err)
{
    bool lengths = state->rule->kind >= RULE_MIN_LENGTH;
    CLEANUP(buf_done) Buf scratch = buf_make(INT64_C(1) << 31);
    Moments batch = {0};
    for (int64_t row = 0; row < column->length; row++) {
        if (mask && !((mask[row >> 6] >> (row & 63)) & 1)) continue;
        if (column_is_null(column, row)) continue;
        Number value = {0};
        Str text;
        state->considered++;
        if (lengths) {
            TRY(value_text(column, row, &scratch, &text, err));
            int64_t length = length_of(text);
            value = (Number){true, decimal_from_int64(length), (double)length};
        } else if (!number_of(column, row, &value)) {
            /* Counted: a value that is no number makes the rule an error. */
            state->failed++;
            continue;
        }
        if (!value.exact && isnan(value.real)) batch.nans++;
        else add_value(&batch, value);
    }
    moments_merge(&state->moments, &batch);
    return OK;
}
