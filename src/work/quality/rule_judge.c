/* From what was measured to verdicts, severities and the score. */
#include <math.h>

#include "foundation/base/number.h"
#include "work/quality/quality_check_impl.h"

static double share(int64_t part, int64_t whole, double empty)
{
    return whole > 0 ? 100.0 * (double)part / (double)whole : empty;
}

/* ---- values ---- */

static Status no_value(Arena *arena, RuleResult *result, Err *err, const char *why)
{
    result->has_value = false;
    return arena_copy(arena, str_from(why), &result->error, err);
}

static Status nans_error(const Moments *m, Arena *arena, RuleResult *result, Err *err)
{
    result->has_value = false;
    return arena_printf(
        arena, &result->error, err, "%lld of %lld values %s NaN, which no condition can judge",
        (long long)m->nans, (long long)(m->nans + m->count), m->nans == 1 ? "is" : "are");
}

static void set_exact(RuleResult *result, Decimal sum, int64_t count)
{
    result->exact = true;
    result->exact_sum = sum;
    result->exact_count = count;
    result->value = decimal_to_double(sum) / (double)count;
}

static Status moments_value(const RuleState *s, Arena *arena, RuleResult *result, Err *err)
{
    const Moments *m = &s->moments;
    RuleKind kind = s->rule->kind;
    bool added = kind == RULE_SUM || kind == RULE_MEAN || kind == RULE_MEAN_LENGTH;
    result->considered = s->considered;
    result->has_value = true;
    if (s->failed)
        return no_value(arena, result, err, "the column holds values that are no numbers");
    if (m->nans) return nans_error(m, arena, result, err);
    if (m->count == 0 && kind != RULE_SUM) {
        return no_value(arena, result, err, "there is no value to judge");
    }
    if (added && !m->inexact && m->overflow) {
        return no_value(arena, result, err, "the sum needs more than 38 digits");
    }
    if (kind == RULE_DEVIATION) {
        if (m->count < 2) return no_value(arena, result, err, "one value has no deviation");
        result->value = sqrt(m->squares / (double)(m->count - 1));
        return OK;
    }
    bool lowest = kind == RULE_MIN || kind == RULE_MIN_LENGTH;
    bool highest = kind == RULE_MAX || kind == RULE_MAX_LENGTH;
    if (!m->inexact) {
        Decimal value = lowest ? m->lowest : highest ? m->highest : m->total;
        set_exact(result, value, added && kind != RULE_SUM ? m->count : 1);
        return OK;
    }
    result->value = lowest             ? m->min
                    : highest          ? m->max
                    : kind == RULE_SUM ? m->sum
                                       : moments_mean(m);
    return OK;
}

/* Columns that nobody named may be missing: only a rule that somebody wrote is then an error. */
static Status consistency_value(const RuleState *s, Arena *arena, RuleResult *result, Err *err)
{
    if (s->consistency.email < 0 && s->consistency.date < 0) {
        bool written = s->rule->place.line > 0;
        result->has_value = false;
        if (!written) result->verdict = VERDICT_PASS;
        return arena_printf(arena, &result->error, err,
                            "there is nothing to judge: no column email or date%s",
                            written ? " (name them: email:, date:)" : "");
    }
    double mails = share(s->consistency.good_mails, s->consistency.mails, 100),
           dates = share(s->consistency.good_dates, s->consistency.dates, 100);
    result->value = fmin(100, fmin(mails, dates));
    if (s->consistency.mails || s->consistency.dates || !s->considered) return OK;
    return arena_copy(arena, STR("every e-mail address is NULL"), &result->error, err);
}

/* The age of the newest time that is not after now; those after it are named. */
static Status freshness_value(const QualityCheck *check, const RuleState *s, Arena *arena,
                              RuleResult *result, Err *err)
{
    const char *rows = s->future == 1 ? "row lies" : "rows lie";
    result->has_value = s->newest_us != INT64_MIN;
    if (!result->has_value && !s->future) {
        return no_value(arena, result, err, "there is no time to judge");
    }
    if (!result->has_value) {
        return arena_printf(arena, &result->error, err,
                            "there is no time to judge: %lld %s in the future",
                            (long long)s->future, rows);
    }
    result->value = fmax(0, (double)(check->o.now_us - s->newest_us) / 1e6);
    if (!s->future) return OK;
    return arena_printf(arena, &result->error, err, "%lld %s in the future and %s left out",
                        (long long)s->future, rows, s->future == 1 ? "is" : "are");
}

/* Columns that are missing, extra, or of another type than wished or than in the last report. */
static Status schema_value(QualityCheck *check, const RuleState *s, Arena *arena,
                           RuleResult *result, Err *err)
{
    const SchemaWish *wish = &s->rule->schema;
    const Schema *schema = check->o.schema;
    const CheckHistory *history = &check->o.history;
    CLEANUP(buf_done) Buf what = buf_make(1 << 20);
    int64_t wrong = 0;
    for (int32_t i = 0; i < wish->column_count; i++) {
        const Field *wanted = &wish->columns[i];
        int32_t at = schema_find_written(schema, wanted->name);
        bool other = at >= 0 && wanted->native.len && schema->fields[at].type != wanted->type;
        if (at >= 0 && !other) continue;
        wrong++;
        TRY(buf_printf(&what, err, "%s%.*s is %s", what.len ? "; " : "", STR_ARG(wanted->name),
                       at < 0 ? "missing" : type_name(schema->fields[at].type)));
        if (other) TRY(buf_printf(&what, err, ", not %s", type_name(wanted->type)));
    }
    for (int32_t i = 0; i < schema->count && wish->column_count && !wish->allow_extra; i++) {
        int32_t k = 0;
        while (k < wish->column_count && schema_find_written(schema, wish->columns[k].name) != i)
            k++;
        if (k < wish->column_count) continue;
        wrong++;
        TRY(buf_printf(&what, err, "%s%.*s is extra", what.len ? "; " : "",
                       STR_ARG(schema->fields[i].name)));
    }
    for (int32_t i = 0; i < schema->count && wish->no_type_change && history->type; i++) {
        Str before = history->type(history->arg, schema->fields[i].name);
        Str now = str_from(type_name(schema->fields[i].type));
        if (!before.ptr || str_eq(before, now)) continue;
        wrong++;
        TRY(buf_printf(&what, err, "%s%.*s was %.*s and is %.*s", what.len ? "; " : "",
                       STR_ARG(schema->fields[i].name), STR_ARG(before), STR_ARG(now)));
    }
    result->has_value = true;
    result->value = (double)wrong;
    return arena_copy(arena, buf_str(&what), &result->error, err);
}

static Status other_count(QualityCheck *check, const RuleState *s, Arena *arena, RuleResult *result,
                          Err *err)
{
    const OtherData *other = &s->rule->other;
    int64_t rows = 0;
    Err why = {0};
    if (!check->o.other) return no_value(arena, result, err, "other datasets can't be read here");
    if (check->o.other->count(check->o.other->arg, other, &rows, &why) != OK) {
        return no_value(arena, result, err, why.message);
    }
    double gap = fabs((double)(s->considered - rows));
    result->has_limit = true;
    result->limit = (double)rows;
    result->verdict = gap <= other->margin * (double)rows ? VERDICT_PASS : VERDICT_FAIL;
    result->must = true;
    return arena_printf(arena, &result->threshold, err, "= %lld", (long long)rows);
}

static Status count_value(QualityCheck *check, const RuleState *s, RuleResult *result)
{
    result->has_value = true;
    result->considered = s->considered;
    result->failed_rows = s->failed;
    if (s->repeats >= 0) {
        result->considered = check->repeats[s->repeats].result.rows;
        result->failed_rows = check->repeats[s->repeats].result.repeats;
    }
    result->value = (double)result->failed_rows;
    return OK;
}

/* The value in its own unit: shares in percent, rows as numbers. */
static Status rule_value(QualityCheck *check, const RuleState *s, Arena *arena, RuleResult *result,
                         Err *err)
{
    RuleKind kind = s->rule->kind;
    if (rule_counts_rows(kind)) return count_value(check, s, result);
    result->failed_rows = -1;
    result->considered = s->considered;
    result->has_value = true;
    switch ((int)kind) {
    case RULE_COMPLETENESS:
        result->value = share(s->considered - s->failed, s->considered, 100);
        return OK;
    case RULE_NULL_SHARE:
        result->value = share(s->failed, s->considered, 0);
        return OK;
    case RULE_UNIQUENESS:
    case RULE_REPEAT_SHARE:
        IGNORE(count_value(check, s, result)); /* never fails */
        result->value = share(result->failed_rows, result->considered, 0);
        if (kind == RULE_UNIQUENESS) result->value = 100 - result->value;
        return OK;
    case RULE_CONSISTENCY:
        return consistency_value(s, arena, result, err);
    case RULE_ROW_COUNT:
        result->value = (double)s->considered;
        return OK;
    case RULE_SCHEMA:
        return schema_value(check, s, arena, result, err);
    case RULE_FRESHNESS:
        return freshness_value(check, s, arena, result, err);
    default:
        return moments_value(s, arena, result, err);
    }
}

/* ---- conditions ---- */

static double value_for(const RuleResult *r, const Threshold *t)
{
    bool rows = rule_counts_rows(r->rule->kind);
    return t->percent && rows ? share(r->failed_rows, r->considered, 0) : r->value;
}

/* -1, 0, 1: the value is below, at, above a bound. sum / count against the bound is the sum against
 * bound * count, which has no rounding. */
static int compare(const RuleResult *r, const Threshold *t, double bound, Decimal exact)
{
    Decimal count = decimal_from_int64(r->exact_count), product, quotient;
    if (r->exact && t->exact) {
        bool whole =
            decimal_mul(exact, count, &product) == DECIMAL_OK && product.scale == exact.scale;
        if (whole) return decimal_compare(r->exact_sum, product);
        if (decimal_div(r->exact_sum, count, &quotient) == DECIMAL_OK) {
            return decimal_compare(quotient, exact);
        }
    }
    double value = value_for(r, t);
    return (value > bound) - (value < bound);
}

static bool holds(const Threshold *t, const RuleResult *r)
{
    int low = compare(r, t, t->low, t->exact_low);
    switch (t->op) {
    case THRESHOLD_LESS:
        return low < 0;
    case THRESHOLD_LESS_EQUAL:
        return low <= 0;
    case THRESHOLD_GREATER:
        return low > 0;
    case THRESHOLD_GREATER_EQUAL:
        return low >= 0;
    case THRESHOLD_EQUAL:
        return low == 0;
    case THRESHOLD_NOT_EQUAL:
        return low != 0;
    case THRESHOLD_BETWEEN:
        return low >= 0 && compare(r, t, t->high, t->exact_high) <= 0;
    case THRESHOLD_NOT_BETWEEN:
        return low < 0 || compare(r, t, t->high, t->exact_high) > 0;
    case THRESHOLD_NONE:
        break;
    }
    return false;
}

/* Far outside: below 0.7 of the bound that it fell short of, or above bound / 0.7. */
static Severity severity_of(const Threshold *t, double value)
{
    double high = t->op == THRESHOLD_BETWEEN || t->op == THRESHOLD_NOT_BETWEEN ? t->high : t->low;
    bool below = value < t->low && value < 0.7 * t->low;
    bool above = value > high && value > high / 0.7;
    return below || above ? SEVERITY_HIGH : SEVERITY_MEDIUM;
}

static void decide(RuleResult *r, const Threshold *t, Verdict verdict)
{
    double value = value_for(r, t);
    r->verdict = verdict;
    r->threshold = t->text;
    r->must = t != &r->rule->fail && t != &r->rule->warn;
    r->has_limit = true;
    r->limit = t->low;
    r->severity = r->rule->severity ? r->rule->severity : severity_of(t, value);
}

/* The conditions in order of their weight; the value is shown in the unit of the one that counts.
 */
static void judge(RuleResult *r)
{
    static const Threshold NONE_BAD = {.op = THRESHOLD_EQUAL, .low = 0, .text = {"= 0", 3}};
    const QualityRule *rule = r->rule;
    const Threshold *fail = &rule->fail, *warn = &rule->warn, *must = &rule->must;
    bool given = must->op || warn->op || fail->op;
    if (!given) must = &NONE_BAD;
    const Threshold *shown = must->op ? must : fail->op ? fail : warn;
    r->verdict = VERDICT_PASS;
    if (must->op && !holds(must, r)) {
        decide(r, must, VERDICT_FAIL);
        shown = must;
    } else if (fail->op && holds(fail, r)) {
        decide(r, fail, VERDICT_FAIL);
        shown = fail;
    } else if (warn->op && holds(warn, r)) {
        decide(r, warn, VERDICT_WARN);
        shown = warn;
    } else {
        decide(r, shown, VERDICT_PASS);
        r->severity = SEVERITY_AUTO;
    }
    if (shown->percent && rule_counts_rows(rule->kind)) {
        r->value = value_for(r, shown);
        r->unit = "%";
    }
}

static Status repeat_evidence(QualityCheck *check, const RuleState *s, Arena *arena, RuleResult *r,
                              Err *err)
{
    if (s->repeats < 0) return OK;
    const RepeatResult *found = &check->repeats[s->repeats].result;
    int64_t count = int64_min(found->first_count, s->evidence_max);
    Evidence *list = ARENA_ARRAY(arena, Evidence, count + 1);
    if (!list) return err_memory(err);
    for (int64_t i = 0; i < count; i++) list[i] = (Evidence){.row = found->first[i] + 1};
    r->evidence = list;
    r->evidence_count = (int32_t)count;
    return OK;
}

static Status copy_evidence(const Evidence *from, int32_t count, Arena *arena, RuleResult *r,
                            Err *err)
{
    Evidence *list = ARENA_ARRAY(arena, Evidence, count + 1);
    if (!list) return err_memory(err);
    for (int32_t i = 0; i < count; i++) {
        list[i] = from[i];
        TRY(arena_copy(arena, from[i].key, &list[i].key, err));
        TRY(arena_copy(arena, from[i].value, &list[i].value, err));
        TRY(arena_copy(arena, from[i].reason, &list[i].reason, err));
    }
    r->evidence = list;
    r->evidence_count = count;
    return OK;
}

static bool has_condition(const QualityRule *rule)
{
    return rule->must.op || rule->warn.op || rule->fail.op;
}

static Status judge_rule(QualityCheck *check, const RuleState *s, Arena *arena, RuleResult *r,
                         Err *err)
{
    *r = (RuleResult){.rule = s->rule, .failed_rows = -1, .verdict = VERDICT_ERROR};
    r->unit = rule_is_share(s->rule->kind) ? "%" : s->rule->kind == RULE_FRESHNESS ? "s" : "";
    r->severity = s->rule->severity ? s->rule->severity : SEVERITY_HIGH;
    Str error = s->error;
    if (!error.len && s->where >= 0) error = check->wheres[s->where].error;
    if (error.len) return arena_copy(arena, error, &r->error, err);
    TRY(rule_value(check, s, arena, r, err));
    if (r->has_value && isnan(r->value)) {
        TRY(no_value(arena, r, err, "the value is NaN, which no condition can judge"));
    }
    if (!r->has_value) return OK;
    if (s->rule->other.on && s->rule->kind == RULE_ROW_COUNT) {
        return other_count(check, s, arena, r, err);
    }
    if (s->rule->schema.no_type_change && check->o.history.any &&
        !check->o.history.any(check->o.history.arg) && r->value == 0) {
        r->verdict = VERDICT_LEARNING;
        return OK;
    }
    if (s->rule->anomaly.on) TRY(anomaly_judge(check, s, r, arena, err));
    if (!s->rule->anomaly.on || (r->verdict == VERDICT_PASS && has_condition(s->rule))) judge(r);
    TRY(copy_evidence(s->evidence, s->evidence_count, arena, r, err));
    return repeat_evidence(check, s, arena, r, err);
}

/* ---- the whole ---- */

static Status column_results(QualityCheck *check, QualityReport *report, Err *err)
{
    int32_t count = check->o.schema->count;
    ColumnResult *columns = ARENA_ARRAY(&report->arena, ColumnResult, count + 1);
    if (!columns) return err_memory(err);
    int64_t nulls = 0;
    for (int32_t i = 0; i < count; i++) {
        const Field *field = &check->o.schema->fields[i];
        const ColumnState *state = &check->columns[i];
        columns[i] =
            (ColumnResult){.type_profile = state->type_profile, .nulls = state->type_profile.nulls};
        memcpy(columns[i].lines, state->lines, sizeof columns[i].lines);
        TypeId type = field->type;
        bool found = check->o.untyped && type == TYPE_TEXT && !field->native.len;
        columns[i].mixed = type_profile_is_mixed(&state->type_profile, type);
        if (found) type = text_scan_type(&state->scan);
        report->type_issues += columns[i].mixed;
        nulls += state->type_profile.nulls;
        TRY(arena_copy(&report->arena, field->name, &columns[i].name, err));
        TRY(arena_copy(&report->arena, str_from(type_name(type)), &columns[i].type, err));
    }
    report->columns = columns;
    report->column_count = count;
    report->null_percentage = share(nulls, check->rows * count, 0);
    return OK;
}

/* Rows that could not be read fail a rule of their own, which is there only then. */
static Status readable_result(QualityCheck *check, QualityReport *report, RuleResult *r, Err *err)
{
    static const QualityRule RULE = {.kind = RULE_READABLE, .name = {"readable_rows", 13}};
    *r = (RuleResult){.rule = &RULE,
                      .unit = "",
                      .has_value = true,
                      .value = (double)check->unreadable,
                      .considered = check->rows + check->unreadable,
                      .failed_rows = check->unreadable};
    judge(r);
    TRY(copy_evidence(check->unread, check->unread_count, &report->arena, r, err));
    return arena_copy(&report->arena, STR("rows that could not be read are not counted elsewhere"),
                      &r->error, err);
}

static Status rule_results(QualityCheck *check, QualityReport *report, Err *err)
{
    RuleResult *rules = ARENA_ARRAY(&report->arena, RuleResult, check->rule_count + 1);
    if (!rules) return err_memory(err);
    for (int32_t i = 0; i < check->rule_count; i++) {
        TRY(judge_rule(check, &check->rules[i], &report->arena, &rules[i], err));
    }
    report->rules = rules;
    report->rule_count = check->rule_count;
    if (!check->unreadable) return OK;
    return readable_result(check, report, &rules[report->rule_count++], err);
}

static void score(QualityReport *report)
{
    int32_t bad = quality_report_count(report, VERDICT_FAIL);
    int32_t broken = quality_report_count(report, VERDICT_ERROR);
    report->score = fmax(0, 100 - 5.0 * report->type_issues - 10.0 * (bad + broken));
    bool warned = report->type_issues || quality_report_count(report, VERDICT_WARN);
    report->verdict = bad ? VERDICT_FAIL : broken ? VERDICT_ERROR : VERDICT_PASS;
    if (!bad && !broken && warned) report->verdict = VERDICT_WARN;
}

Status check_judge(QualityCheck *check, QualityReport *report, Err *err)
{
    TRY(arena_copy(&report->arena, check->o.set->name, &report->dataset, err));
    TRY(arena_copy(&report->arena, check->o.set->from.text, &report->location, err));
    report->at_us = check->o.now_us;
    report->total_records = check->rows;
    report->unreadable = check->unreadable;
    report->min_score = check->o.set->min_score;
    if (check->whole >= 0) {
        report->repeats = check->repeats[check->whole].result.repeats;
        report->duplicate_percentage = share(report->repeats, check->rows, 0);
    }
    TRY(column_results(check, report, err));
    TRY(rule_results(check, report, err));
    score(report);
    return OK;
}
