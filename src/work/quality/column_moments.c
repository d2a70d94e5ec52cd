/* Count, mean, deviation, ends and sum of a column's numbers or of its texts' lengths. */
#include "foundation/base/number.h"
#include "work/quality/quality_check_impl.h"

static void add_value(Moments *m, double value)
{
    m->count++;
    double delta = value - m->mean;
    m->mean += delta / (double)m->count;
    m->squares += delta * (value - m->mean);
    m->sum += value;
    if (m->count == 1 || value < m->min) m->min = value;
    if (m->count == 1 || value > m->max) m->max = value;
}

/* Chan's way to put two groups together. */
void moments_merge(Moments *m, const Moments *next)
{
    if (next->count == 0) return;
    if (m->count == 0) {
        *m = *next;
        return;
    }
    double a = (double)m->count, b = (double)next->count, delta = next->mean - m->mean;
    m->squares += next->squares + delta * delta * a * b / (a + b);
    m->mean += delta * b / (a + b);
    m->sum += next->sum;
    m->min = next->min < m->min ? next->min : m->min;
    m->max = next->max > m->max ? next->max : m->max;
    m->count += next->count;
}

static bool number_of(const Column *column, int64_t row, double *ret_value)
{
    int64_t at = row;
    uint8_t scale;
    switch (column->type) {
    case TYPE_INT64:
        *ret_value = (double)column_int64(column)[row];
        return true;
    case TYPE_DOUBLE:
        *ret_value = column_double(column)[row];
        return true;
    case TYPE_NUMERIC:
        scale = column_scale(column, row);
        if (scale == NUMERIC_SCALE_DOUBLE) {
            memcpy(ret_value, &column_numeric(column)[row], sizeof *ret_value);
        } else {
            *ret_value = decimal_to_double((Decimal){column_numeric(column)[row], scale});
        }
        return true;
    case TYPE_DYNAMIC: {
        const Column *child = column_dynamic(column, row, &at);
        return child->type != TYPE_DYNAMIC && number_of(child, at, ret_value);
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

/* Characters, not bytes. */
static double length_of(Str text)
{
    int64_t count = 0;
    for (int64_t i = 0; i < text.len; i++) count += ((uint8_t)text.ptr[i] & 0xc0) != 0x80;
    return (double)count;
}

Status moments_add(RuleState *state, const Column *column, const uint64_t *mask, Err *err)
{
    bool lengths = state->rule->kind >= RULE_MIN_LENGTH;
    CLEANUP(buf_done) Buf scratch = buf_make(INT64_C(1) << 31);
    Moments batch = {0};
    for (int64_t row = 0; row < column->length; row++) {
        if (mask && !((mask[row >> 6] >> (row & 63)) & 1)) continue;
        if (column_is_null(column, row)) continue;
        double value = 0;
        Str text;
        state->considered++;
        if (lengths) {
            TRY(value_text(column, row, &scratch, &text, err));
            value = length_of(text);
        } else if (!number_of(column, row, &value)) {
            /* Counted: a value that is no number makes the rule an error. */
            state->failed++;
            continue;
        }
        add_value(&batch, value);
    }
    moments_merge(&state->moments, &batch);
    return OK;
}
