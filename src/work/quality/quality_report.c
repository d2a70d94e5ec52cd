/* What reports say, and the pieces of text that all their forms share. */
#include "work/quality/quality_report.h"

#include <math.h>

#include "foundation/base/mem.h"
#include "foundation/base/number.h"
#include "work/quality/report_impl.h"
#include "work/quality/rule_text.h"

const char *verdict_name(Verdict verdict)
{
    static const char *const NAMES[] = {"pass", "learning", "warn", "fail", "error"};
    return NAMES[verdict];
}

const char *severity_name(Severity severity)
{
    static const char *const NAMES[] = {"", "low", "medium", "high"};
    return NAMES[severity];
}

void quality_report_free(QualityReport *report)
{
    if (!report) return;
    arena_done(&report->arena);
    mem_free(report);
}

int32_t quality_report_count(const QualityReport *report, Verdict verdict)
{
    int32_t count = 0;
    for (int32_t i = 0; i < report->rule_count; i++) count += report->rules[i].verdict == verdict;
    return count;
}

int32_t quality_report_issues(const QualityReport *report)
{
    return report->type_issues + quality_report_count(report, VERDICT_FAIL) +
           quality_report_count(report, VERDICT_ERROR) + quality_report_count(report, VERDICT_WARN);
}

/* ---- pieces ---- */

Status report_number(int64_t value, Buf *out, Err *err)
{
    char text[NUMBER_TEXT_MAX];
    int64_t len = number_format_int64(value, text);
    for (int64_t i = 0; i < len; i++) {
        bool gap = i > 0 && (len - i) % 3 == 0 && text[i - 1] != '-';
        if (gap) TRY(buf_append_char(out, ' ', err));
        TRY(buf_append_char(out, text[i], err));
    }
    return OK;
}

static Status put_double(double value, Buf *out, Err *err)
{
    if (value == floor(value) && fabs(value) < 1e15) {
        return report_number((int64_t)value, out, err);
    }
    return buf_printf(out, err, "%.6g", value);
}

static Status put_age(double seconds, Buf *out, Err *err)
{
    if (fabs(seconds) < 120) return buf_printf(out, err, "%.3g s", seconds);
    if (fabs(seconds) < 7200) return buf_printf(out, err, "%.0f min", seconds / 60);
    if (fabs(seconds) < 172800) return buf_printf(out, err, "%.1f h", seconds / 3600);
    return buf_printf(out, err, "%.1f d", seconds / 86400);
}

bool report_exact(const RuleResult *r, Decimal *ret_value)
{
    Decimal back;
    if (!r->exact) return false;
    *ret_value = decimal_normalize(r->exact_sum);
    if (r->exact_count == 1) return true;
    Decimal count = decimal_from_int64(r->exact_count);
    if (decimal_div(r->exact_sum, count, ret_value) != DECIMAL_OK) return false;
    *ret_value = decimal_normalize(*ret_value);
    return decimal_mul(*ret_value, count, &back) == DECIMAL_OK &&
           decimal_compare(back, r->exact_sum) == 0;
}

Status report_value(const RuleResult *r, Buf *out, Err *err)
{
    Decimal exact;
    char digits[DECIMAL_TEXT_MAX];
    if (!r->has_value) return buf_append(out, STR("–"), err);
    if (r->unit[0] == 's') return put_age(r->value, out, err);
    /* What is not quite whole never looks whole. */
    if (r->unit[0] == '%' && r->value < 100 && r->value > 99.99) {
        return buf_printf(out, err, "%.8g %%", r->value);
    }
    if (r->unit[0] == '%') return buf_printf(out, err, "%.4g %%", r->value);
    if (fabs(r->value) >= 1e15 && report_exact(r, &exact)) {
        return buf_append(out, str_make(digits, decimal_format(exact, digits)), err);
    }
    return put_double(r->value, out, err);
}

static const char *verdict_head(const QualityReport *report)
{
    static const char *const NAMES[] = {"PASS", "PASS", "WARN", "FAIL", "ERROR"};
    return NAMES[report->verdict];
}

Status report_headline(const QualityReport *report, Buf *out, Err *err)
{
    int32_t fail = quality_report_count(report, VERDICT_FAIL);
    int32_t error = quality_report_count(report, VERDICT_ERROR);
    TRY(buf_printf(out, err, "%s %.*s %.4g/100  ", verdict_head(report), STR_ARG(report->dataset),
                   report->score));
    if (fail + error) {
        TRY(buf_printf(out, err, "%d of %d rules failed", fail + error, report->rule_count));
    } else {
        TRY(buf_printf(out, err, "%d rules", report->rule_count));
    }
    if (error) TRY(buf_printf(out, err, ", %d of them could not be evaluated", error));
    if (report->type_issues) {
        TRY(buf_printf(out, err, "  %d column%s of mixed types", report->type_issues,
                       report->type_issues > 1 ? "s" : ""));
    }
    TRY(buf_append(out, STR("  "), err));
    TRY(report_number(report->total_records, out, err));
    TRY(buf_printf(out, err, " rows in %.2g s", (double)report->duration_ns / 1e9));
    return report->total_records ? OK : buf_append(out, STR("  (the dataset is empty)"), err);
}

Status report_why(const RuleResult *r, Buf *out, Err *err)
{
    bool wrong = r->verdict == VERDICT_FAIL || r->verdict == VERDICT_WARN;
    /* Of a rule about rows nothing else is expected. */
    bool none = r->must && rule_counts_rows(r->rule->kind) && str_eq(r->threshold, STR("= 0"));
    if (wrong && r->threshold.len && !none) {
        TRY(buf_printf(out, err, "%s %.*s", r->must ? "expected" : "is", STR_ARG(r->threshold)));
    }
    if (wrong && r->failed_rows > 0) {
        TRY(buf_append(out, out->len ? STR(", ") : STR(""), err));
        TRY(report_number(r->failed_rows, out, err));
        TRY(buf_append(out, STR(" of "), err));
        TRY(report_number(r->considered, out, err));
        if (rule_counts_rows(r->rule->kind)) {
            TRY(buf_printf(out, err, " row%s fail%s this rule", r->considered == 1 ? "" : "s",
                           r->failed_rows == 1 ? "s" : ""));
        }
    }
    if (!r->error.len) return OK;
    if (out->len) TRY(buf_append(out, STR("; "), err));
    return buf_append(out, r->error, err);
}

Status report_evidence(const Evidence *e, Buf *out, Err *err)
{
    if (e->key.len) TRY(buf_append(out, e->key, err));
    else if (e->line) TRY(buf_printf(out, err, "line %lld", (long long)e->line));
    else TRY(buf_printf(out, err, "row %lld", (long long)e->row));
    if (e->value.len) TRY(buf_printf(out, err, ": %.*s", STR_ARG(e->value)));
    if (e->reason.len) TRY(buf_printf(out, err, " (%.*s)", STR_ARG(e->reason)));
    return OK;
}

static Status put_class_rows(const ColumnResult *column, int value_class, Buf *out, Err *err)
{
    int64_t count = column->type_profile.counts[value_class];
    bool lines = column->lines[value_class][0] > 0;
    TRY(buf_printf(out, err, " (%s%s ", lines ? "line" : "row", count > 1 ? "s" : ""));
    for (int64_t k = 0; k < TYPE_PROFILE_ROWS_KEPT && k < count; k++) {
        int64_t at =
            lines ? column->lines[value_class][k] : column->type_profile.rows[value_class][k] + 1;
        TRY(buf_printf(out, err, "%s%lld", k ? ", " : "", (long long)at));
    }
    return buf_append(out, count > TYPE_PROFILE_ROWS_KEPT ? STR(", …)") : STR(")"), err);
}

Status report_types(const ColumnResult *column, Buf *out, Err *err)
{
    const TypeProfile *c = &column->type_profile;
    bool first = true;
    TRY(buf_printf(out, err, "%.*s: ", STR_ARG(column->name)));
    for (int i = 0; i < VALUE_CLASS_COUNT; i++) {
        if (!c->counts[i]) continue;
        if (!first) TRY(buf_append(out, STR(", "), err));
        first = false;
        TRY(report_number(c->counts[i], out, err));
        TRY(buf_printf(out, err, " %s", value_class_name((ValueClass)i)));
        if (c->counts[i] * 2 <= c->values) TRY(put_class_rows(column, i, out, err));
    }
    return OK;
}

static Str escape_of(uint8_t c)
{
    if (c == '&') return STR("&amp;");
    if (c == '<') return STR("&lt;");
    if (c == '>') return STR("&gt;");
    if (c == '"') return STR("&quot;");
    if (c < 0x20 && c != '\n' && c != '\t') return STR("\xef\xbf\xbd");
    return STR_NULL;
}

Status report_escape(Str text, Buf *out, Err *err)
{
    while (text.len) {
        int64_t good = str_utf8_prefix(text);
        for (int64_t i = 0; i < good; i++) {
            Str other = escape_of((uint8_t)text.ptr[i]);
            if (other.len) TRY(buf_append(out, other, err));
            else TRY(buf_append_char(out, text.ptr[i], err));
        }
        if (good < text.len) TRY(buf_append(out, STR("\xef\xbf\xbd"), err));
        text = str_slice(text, good + (good < text.len), text.len);
    }
    return OK;
}
