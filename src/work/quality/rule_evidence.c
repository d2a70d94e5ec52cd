/* The first failed rows of a rule: where they stand, their keys and values. */
#include "engine/format/csv_field.h"
#include "engine/format/json_write.h"
#include "engine/format/reject.h"
#include "foundation/base/redact.h"
#include "foundation/codec/json_writer.h"
#include "work/quality/quality_check_impl.h"

enum { EVIDENCE_TEXT_MAX = 2000 };

/* Cut values stay JSON: what is too long is shown as its beginning. */
static Status put_value(const QualityCheck *check, const Column *column, int64_t row, Buf *out,
                        Err *err)
{
    int64_t from = out->len;
    bool untyped = check->o.untyped && column->type == TYPE_TEXT && !column_is_null(column, row);
    /* Read as texts, numbers are shown as the numbers that they are. */
    if (untyped && (csv_narrow(CSV_ANY, column_text(column, row)) & CSV_DECIMAL)) {
        return buf_append(out, column_text(column, row), err);
    }
    TRY(json_write_value(column, row, out, err));
    if (out->len - from <= EVIDENCE_TEXT_MAX) return OK;
    CLEANUP(buf_done) Buf whole = buf_make(INT64_C(1) << 31);
    TRY(json_write_plain(column, row, &whole, err));
    out->len = from;
    Str text = str_slice(buf_str(&whole), 0, EVIDENCE_TEXT_MAX);
    text.len = str_utf8_prefix(text);
    return json_put_text_lossy(out, text, err);
}

static bool is_masked(const QualityCheck *check)
{
    return check->o.set->mask || redact_values();
}

static Status key_text(QualityCheck *check, const Batch *batch, int64_t row, Str *ret_key, Err *err)
{
    *ret_key = STR_NULL;
    if (check->key_count == 0) return OK;
    CLEANUP(buf_done) Buf out = buf_make(INT64_C(1) << 31);
    TRY(buf_append_char(&out, '{', err));
    for (int32_t i = 0; i < check->key_count; i++) {
        if (i) TRY(buf_append_char(&out, ',', err));
        TRY(json_put_text_lossy(&out, check->o.schema->fields[check->key[i]].name, err));
        TRY(buf_append_char(&out, ':', err));
        if (redact_values()) TRY(buf_append(&out, STR("\"***\""), err));
        else TRY(put_value(check, &batch->columns[check->key[i]], row, &out, err));
    }
    TRY(buf_append_char(&out, '}', err));
    return arena_copy(&check->arena, buf_str(&out), ret_key, err);
}

static Str reason_of(const QualityCheck *check, int64_t row)
{
    for (int64_t i = 0; i < check->rejects.count; i++) {
        if (check->rejects.items[i].row == row) return check->rejects.items[i].reason;
    }
    return STR_NULL;
}

static Status add_row(QualityCheck *check, RuleState *state, const Batch *batch, int64_t row,
                      Err *err)
{
    Evidence *to = &state->evidence[state->evidence_count];
    *to = (Evidence){.row = check->rows + row + 1};
    if (check->o.line) to->line = check->o.line(check->o.line_arg, batch, row);
    TRY(key_text(check, batch, row, &to->key, err));
    TRY(arena_copy(&check->arena, reason_of(check, row), &to->reason, err));
    state->evidence_count++;
    if (state->rule->kind == RULE_ROW) return OK;
    if (is_masked(check)) return arena_copy(&check->arena, STR("\"***\""), &to->value, err);
    CLEANUP(buf_done) Buf out = buf_make(INT64_C(1) << 31);
    TRY(put_value(check, &batch->columns[state->columns[0]], row, &out, err));
    return arena_copy(&check->arena, buf_str(&out), &to->value, err);
}

Status evidence_add(QualityCheck *check, RuleState *state, const Batch *batch, Err *err)
{
    for (int64_t word = 0; word * 64 < batch->rows; word++) {
        if (state->evidence_count == state->evidence_max) return OK;
        for (uint64_t bits = check->scratch.bad[word]; bits; bits &= bits - 1) {
            if (state->evidence_count == state->evidence_max) return OK;
            TRY(add_row(check, state, batch, word * 64 + __builtin_ctzll(bits), err));
        }
    }
    return OK;
}

/* A reason may hold the value. */
static Status unread_reason(QualityCheck *check, const Batch *rejects, int64_t row, Evidence *to,
                            Err *err)
{
    const Column *column = &rejects->columns[REJECT_COLUMN];
    Str name = column_is_null(column, row) ? STR_NULL : column_text(column, row);
    Str reason = column_text(&rejects->columns[REJECT_REASON], row);
    if (is_masked(check)) reason = STR("***");
    return arena_printf(&check->arena, &to->reason, err, "%.*s%s%.*s", STR_ARG(name),
                        name.len ? ": " : "", STR_ARG(reason));
}

Status quality_check_unreadable(QualityCheck *check, const Batch *rejects, Err *err)
{
    const Column *lines = &rejects->columns[REJECT_LINE];
    check->unreadable += rejects->rows;
    for (int64_t row = 0; row < rejects->rows && check->unread_count < UNREAD_MAX; row++) {
        Evidence *to = &check->unread[check->unread_count++];
        *to = (Evidence){.row = column_int64(&rejects->columns[REJECT_ROW])[row] + 1};
        if (!column_is_null(lines, row)) to->line = column_int64(lines)[row];
        TRY(unread_reason(check, rejects, row, to, err));
    }
    return OK;
}

/* ---- repeats, whose rows are read again ---- */

static bool shows_repeats(const RuleResult *r)
{
    RuleKind kind = r->rule->kind;
    bool counts = kind == RULE_UNIQUENESS || kind == RULE_REPEAT_SHARE || kind == RULE_DUPLICATES ||
                  kind == RULE_UNIQUE;
    return counts && r->evidence_count > 0 && r->verdict >= VERDICT_WARN;
}

int64_t quality_check_last_repeat(const QualityReport *report)
{
    int64_t last = -1;
    for (int32_t i = 0; i < report->rule_count; i++) {
        const RuleResult *r = &report->rules[i];
        if (shows_repeats(r)) last = int64_max(last, r->evidence[r->evidence_count - 1].row - 1);
    }
    return last;
}

static Status address_row(QualityCheck *check, const Batch *batch, int64_t row, const RuleResult *r,
                          Evidence *to, Arena *arena, Err *err)
{
    Str key = STR_NULL;
    if (check->o.line) to->line = check->o.line(check->o.line_arg, batch, row);
    TRY(key_text(check, batch, row, &key, err));
    TRY(arena_copy(arena, key, &to->key, err));
    if (r->rule->kind != RULE_UNIQUE) return OK;
    if (is_masked(check)) return arena_copy(arena, STR("\"***\""), &to->value, err);
    int32_t column = schema_find_written(check->o.schema, r->rule->column);
    CLEANUP(buf_done) Buf out = buf_make(INT64_C(1) << 31);
    TRY(put_value(check, &batch->columns[column], row, &out, err));
    return arena_copy(arena, buf_str(&out), &to->value, err);
}

Status quality_check_address(QualityCheck *check, const Batch *batch, int64_t first_row,
                             QualityReport *report, Err *err)
{
    for (int32_t i = 0; i < report->rule_count; i++) {
        const RuleResult *r = &report->rules[i];
        for (int32_t k = 0; k < r->evidence_count && shows_repeats(r); k++) {
            Evidence *to = &r->evidence[k];
            int64_t row = to->row - 1 - first_row;
            if (row < 0 || row >= batch->rows) continue;
            TRY(address_row(check, batch, row, r, to, &report->arena, err));
        }
    }
    return OK;
}
