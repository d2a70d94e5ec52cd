/* A quality check: rules compiled against a schema, fed with batches, judged at the end. */
#include "engine/column/builder.h"
#include "foundation/base/mem.h"
#include "work/quality/quality_check_impl.h"

#define CHECK_ARENA_MAX (INT64_C(64) << 20)

Status quality_check_new(const CheckOptions *options, QualityCheck **ret_check, Err *err)
{
    QualityCheck *check = mem_zalloc((int64_t)sizeof *check);
    if (!check) return err_memory(err);
    check->o = *options;
    check->arena = arena_make(CHECK_ARENA_MAX);
    check->whole = -1;
    reject_list_init(&check->rejects);
    if (row_hasher_init(&check->mix, err) != OK || check_compile(check, err) != OK) {
        quality_check_free(check);
        return FAIL;
    }
    *ret_check = check;
    return OK;
}

void quality_check_free(QualityCheck *check)
{
    if (!check) return;
    for (int32_t i = 0; i < check->where_count; i++) {
        expr_free(check->wheres[i].expr);
        mem_free(check->wheres[i].bits);
    }
    for (int32_t i = 0; i < check->repeat_count; i++) {
        repeat_count_free(check->repeats[i].repeats);
        mem_free(check->repeats[i].result.first);
    }
    for (int32_t i = 0; i < check->rule_count; i++) {
        expr_free(check->rules[i].good);
        value_set_free(check->rules[i].set);
    }
    schema_unref(check->loose);
    reject_list_done(&check->rejects);
    mem_free(check->scratch.words);
    mem_free(check->scratch.hashes);
    mem_free(check->scratch.bad);
    mem_free(check->scratch.mask);
    arena_done(&check->arena);
    mem_free(check);
}

int64_t quality_check_rows(const QualityCheck *check)
{
    return check->rows;
}

Str quality_check_error(const QualityCheck *check, int32_t rule)
{
    return check->rules[rule].error;
}

/* ---- a batch ---- */

static Status make_room(QualityCheck *check, int64_t rows, Err *err)
{
    if (rows <= check->scratch.rows) return OK;
    int64_t words = (rows + 63) / 64;
    mem_free(check->scratch.words);
    mem_free(check->scratch.hashes);
    mem_free(check->scratch.bad);
    mem_free(check->scratch.mask);
    check->scratch.words = mem_array(rows, 16);
    check->scratch.hashes = mem_array(rows, (int64_t)sizeof *check->scratch.hashes);
    check->scratch.bad = mem_array(words, 8);
    check->scratch.mask = mem_array(words, 8);
    check->scratch.rows = 0;
    for (int32_t i = 0; i < check->where_count; i++) {
        mem_free(check->wheres[i].bits);
        check->wheres[i].bits = mem_array(words, 8);
        if (!check->wheres[i].bits) return err_memory(err);
    }
    if (!check->scratch.words || !check->scratch.hashes || !check->scratch.bad ||
        !check->scratch.mask)
        return err_memory(err);
    check->scratch.rows = rows;
    return OK;
}

/* The values as they are judged: without padding, or of no type. */
static Status judged_column(const Column *from, bool padded, Builder *builder, Err *err)
{
    for (int64_t row = 0; row < from->length; row++) {
        if (!padded || column_is_null(from, row)) {
            TRY(builder_copy(builder, from, row, err));
            continue;
        }
        Str text = column_text(from, row);
        while (text.len && text.ptr[text.len - 1] == ' ') text.len--;
        TRY(builder_text(builder, text, err));
    }
    return OK;
}

/* The batch with the columns as they are judged. */
static Status loosen(QualityCheck *check, const Batch *batch, Batch **ret_batch, Err *err)
{
    TRY(batch_like(batch, check->loose, batch->rows, ret_batch, err));
    for (int32_t i = 0; i < check->loose->count; i++) {
        const Field *field = &check->loose->fields[i];
        const Column *from = &batch->columns[i];
        Column *to = &(*ret_batch)->columns[i];
        bool padded = check_is_padded(field);
        if (!padded && from->type == field->type) {
            TRY(column_share(from, to, err));
            continue;
        }
        Builder builder;
        builder_init(&builder, field->type, NULL);
        Status status = judged_column(from, padded, &builder, err);
        if (status == OK) status = builder_finish(&builder, to, err);
        builder_done(&builder);
        TRY(status);
    }
    return OK;
}

static Status measure_wheres(QualityCheck *check, const Batch *batch, Err *err)
{
    ExprRun run = {.now_us = check->o.now_us};
    for (int32_t i = 0; i < check->where_count; i++) {
        WhereState *where = &check->wheres[i];
        if (!where->expr) continue;
        TRY(expr_filter(where->expr, &run, batch, where->bits, &check->rejects, err));
        if (check->rejects.count && !where->error.len) {
            TRY(arena_printf(&check->arena, &where->error, err,
                             "its `where` fails for row %lld: %.*s",
                             (long long)(check->rows + check->rejects.items[0].row + 1),
                             STR_ARG(check->rejects.items[0].reason)));
        }
        reject_list_clear(&check->rejects);
    }
    return OK;
}

/* The lines of the first rows of each class, while the batch is at hand. */
static void note_lines(QualityCheck *check, ColumnState *state, const TypeProfile *before,
                       const Batch *batch)
{
    for (int i = 0; i < VALUE_CLASS_COUNT; i++) {
        int64_t have = int64_min(state->type_profile.counts[i], TYPE_PROFILE_ROWS_KEPT);
        for (int64_t k = int64_min(before->counts[i], TYPE_PROFILE_ROWS_KEPT); k < have; k++) {
            int64_t row = state->type_profile.rows[i][k] - check->rows;
            state->lines[i][k] = check->o.line ? check->o.line(check->o.line_arg, batch, row) : 0;
        }
    }
}

static void measure_columns(QualityCheck *check, const Batch *batch)
{
    for (int32_t i = 0; i < check->o.schema->count; i++) {
        ColumnState *state = &check->columns[i];
        TypeProfile before = state->type_profile;
        const Column *column = &batch->columns[i];
        type_profile_add(&state->type_profile, column, check->rows);
        if (column->type == TYPE_TEXT && check->o.text_file) {
            text_scan_add(&state->scan, &state->type_profile, column, check->rows);
        }
        note_lines(check, state, &before, batch);
    }
}

/* The rows that count: those of the `where`, without those that have a NULL where that is asked. */
static const uint64_t *repeat_mask(QualityCheck *check, const RepeatState *state,
                                   const Batch *batch)
{
    const uint64_t *where = state->where < 0 ? NULL : check->wheres[state->where].bits;
    if (!state->skip_nulls) return where;
    for (int64_t word = 0; word * 64 < batch->rows; word++) {
        check->scratch.mask[word] = where ? where[word] : ~UINT64_C(0);
        for (int32_t i = 0; i < state->count; i++) {
            const Column *column = &batch->columns[state->columns[i]];
            uint64_t valid = ~UINT64_C(0);
            if (column->valid) {
                memcpy(&valid, column->valid->data + column->offset / 8 + word * 8, 8);
            }
            check->scratch.mask[word] &= valid;
        }
    }
    return check->scratch.mask;
}

static Status measure_repeats(QualityCheck *check, const Batch *batch, Err *err)
{
    for (int32_t i = 0; i < check->repeat_count; i++) {
        RepeatState *state = &check->repeats[i];
        row_hasher_begin(&check->mix, check->scratch.hashes, batch->rows);
        for (int32_t c = 0; c < state->count; c++) {
            TRY(row_hasher_column(&check->mix, &batch->columns[state->columns[c]],
                                  check->scratch.words, check->scratch.hashes, err));
        }
        TRY(repeat_count_add(state->repeats, check->scratch.hashes, batch->rows, check->rows,
                             repeat_mask(check, state, batch), err));
    }
    return OK;
}

static Status add_reasons(QualityCheck *check, const RuleState *state, uint64_t *bad, int64_t rows,
                          RejectList *reasons, Err *err)
{
    for (int64_t word = 0; word * 64 < rows; word++) {
        uint64_t fresh = check->scratch.bad[word] & ~bad[word];
        bad[word] |= fresh;
        for (; reasons && fresh; fresh &= fresh - 1) {
            Str reason = STR_NULL;
            Reject reject = {.row = word * 64 + __builtin_ctzll(fresh),
                             .kind = ERR_QUALITY,
                             .position = -1,
                             .column = state->rule->column};
            TRY(arena_printf(&reasons->arena, &reason, err, "the rule %.*s",
                             STR_ARG(state->rule->name)));
            reject.reason = reason;
            TRY(reject_list_add(reasons, &reject, err));
        }
    }
    return OK;
}

static Status measure_rules(QualityCheck *check, const Batch *batch, uint64_t *ret_bad,
                            RejectList *ret_reasons, Err *err)
{
    for (int32_t i = 0; i < check->rule_count; i++) {
        RuleState *state = &check->rules[i];
        if (state->error.len) continue;
        TRY(rule_measure(check, state, batch, err));
        if (!rule_is_row(state->rule->kind)) continue;
        TRY(evidence_add(check, state, batch, err));
        if (!ret_bad || state->rule->on_fail != ON_FAIL_REJECT) continue;
        TRY(add_reasons(check, state, ret_bad, batch->rows, ret_reasons, err));
    }
    return OK;
}

Status quality_check_update(QualityCheck *check, const Batch *batch, uint64_t *ret_bad,
                            RejectList *ret_reasons, Err *err)
{
    if (ret_bad) memset(ret_bad, 0, (size_t)((batch->rows + 63) / 64) * 8);
    if (batch->rows == 0) return OK;
    TRY(make_room(check, batch->rows, err));
    CLEANUP(batch_unref_p) Batch *loosened = NULL;
    if (check->loose) TRY(loosen(check, batch, &loosened, err));
    if (loosened) batch = loosened;
    TRY(measure_wheres(check, batch, err));
    measure_columns(check, batch);
    TRY(measure_repeats(check, batch, err));
    TRY(measure_rules(check, batch, ret_bad, ret_reasons, err));
    check->rows += batch->rows;
    return OK;
}

/* ---- pieces ---- */

static void merge_rule(QualityCheck *check, RuleState *state, RuleState *next, Err *err)
{
    state->considered += next->considered;
    state->failed += next->failed;
    state->consistency.mails += next->consistency.mails;
    state->consistency.good_mails += next->consistency.good_mails;
    state->consistency.dates += next->consistency.dates;
    state->consistency.good_dates += next->consistency.good_dates;
    state->newest_us = int64_max(state->newest_us, next->newest_us);
    state->future += next->future;
    moments_merge(&state->moments, &next->moments);
    if (!state->error.len && next->error.len) {
        IGNORE(arena_copy(&check->arena, next->error, &state->error, err)); /* stays without text */
    }
    for (int32_t i = 0; i < next->evidence_count; i++) {
        if (state->evidence_count == state->evidence_max) return;
        Evidence *to = &state->evidence[state->evidence_count], from = next->evidence[i];
        *to = (Evidence){.row = from.row + check->rows, .line = from.line};
        if (arena_copy(&check->arena, from.key, &to->key, err) != OK) return;
        if (arena_copy(&check->arena, from.value, &to->value, err) != OK) return;
        if (arena_copy(&check->arena, from.reason, &to->reason, err) != OK) return;
        state->evidence_count++;
    }
}

Status quality_check_merge(QualityCheck *check, QualityCheck *next, Err *err)
{
    for (int32_t i = 0; i < check->o.schema->count; i++) {
        ColumnState *to = &check->columns[i], *from = &next->columns[i];
        for (int c = 0; c < VALUE_CLASS_COUNT; c++) {
            int64_t have = int64_min(to->type_profile.counts[c], TYPE_PROFILE_ROWS_KEPT);
            for (int64_t k = have; k < TYPE_PROFILE_ROWS_KEPT; k++) {
                to->lines[c][k] = from->lines[c][k - have];
            }
        }
        type_profile_merge(&to->type_profile, &from->type_profile, check->rows);
        text_scan_merge(&to->scan, &from->scan);
    }
    for (int32_t i = 0; i < check->repeat_count; i++) {
        TRY(repeat_count_merge(check->repeats[i].repeats, next->repeats[i].repeats, check->rows,
                               err));
    }
    for (int32_t i = 0; i < check->rule_count; i++) {
        merge_rule(check, &check->rules[i], &next->rules[i], err);
    }
    check->rows += next->rows;
    check->unreadable += next->unreadable;
    for (int32_t i = 0; i < next->unread_count && check->unread_count < UNREAD_MAX; i++) {
        Evidence *to = &check->unread[check->unread_count];
        *to = next->unread[i];
        TRY(arena_copy(&check->arena, next->unread[i].reason, &to->reason, err));
        check->unread_count++;
    }
    return OK;
}

bool quality_set_needs_types(const QualitySet *set)
{
    for (int32_t i = 0; i < set->rule_count; i++) {
        const QualityRule *rule = &set->rules[i];
        bool plain = rule->kind <= RULE_MISSING || rule->kind == RULE_FORMAT;
        if (!plain || rule->where.len) return true;
    }
    return false;
}

bool quality_check_needs_types(const QualityCheck *check)
{
    for (int32_t i = 0; i < check->o.schema->count && check->o.untyped; i++) {
        const Field *field = &check->o.schema->fields[i];
        bool found = field->type == TYPE_TEXT && !field->native.len;
        if (found && text_scan_has_variants(&check->columns[i].scan)) return true;
    }
    return false;
}

/* ---- the end ---- */

/* A time among texts is a valid date: the type_profile has counted them. */
static void finish_dates(QualityCheck *check)
{
    for (int32_t i = 0; i < check->rule_count; i++) {
        RuleState *state = &check->rules[i];
        if (!state->consistency.dates_counted) continue;
        state->consistency.dates = check->rows;
        state->consistency.good_dates =
            check->columns[state->consistency.date].type_profile.counts[VALUE_TIME];
    }
}

static Status finish_repeats(QualityCheck *check, Err *err)
{
    for (int32_t i = 0; i < check->repeat_count; i++) {
        RepeatState *state = &check->repeats[i];
        TRY(repeat_count_finish(state->repeats, state->wanted, &state->result, err));
    }
    return OK;
}

Status quality_check_finish(QualityCheck *check, QualityReport **ret_report, Err *err)
{
    finish_dates(check);
    TRY(finish_repeats(check, err));
    QualityReport *report = mem_zalloc((int64_t)sizeof *report);
    if (!report) return err_memory(err);
    report->arena = arena_make(CHECK_ARENA_MAX);
    if (check_judge(check, report, err) != OK) {
        quality_report_free(report);
        return FAIL;
    }
    *ret_report = report;
    return OK;
}
