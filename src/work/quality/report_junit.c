/* The report as JUnit XML: each rule a test case, for CI systems. */
#include "foundation/base/datetime.h"
#include "work/quality/report_impl.h"
#include "work/quality/rule_text.h"

static Status put_attribute(const char *name, Str value, Buf *out, Err *err)
{
    TRY(buf_printf(out, err, " %s=\"", name));
    TRY(report_escape(value, out, err));
    return buf_append_char(out, '"', err);
}

static Status put_case(const QualityReport *report, Str name, Str kind, Buf *out, Err *err)
{
    TRY(buf_append(out, STR("  <testcase"), err));
    TRY(put_attribute("classname", report->dataset, out, err));
    TRY(put_attribute("name", name, out, err));
    return put_attribute("type", kind, out, err);
}

static Status put_message(const char *element, Str kind, Str message, Str text, Buf *out, Err *err)
{
    TRY(buf_printf(out, err, ">\n    <%s", element));
    TRY(put_attribute("type", kind, out, err));
    TRY(put_attribute("message", message, out, err));
    TRY(buf_append(out, STR(">"), err));
    TRY(report_escape(text, out, err));
    return buf_printf(out, err, "</%s>\n  </testcase>\n", element);
}

static Status put_rule(const QualityReport *report, const RuleResult *r, Buf *out, Err *err)
{
    CLEANUP(buf_done) Buf message = buf_make(1 << 20);
    CLEANUP(buf_done) Buf text = buf_make(1 << 24);
    TRY(put_case(report, r->rule->name, str_from(rule_kind_name(r->rule->kind)), out, err));
    TRY(report_value(r, &message, err));
    TRY(buf_append(&message, STR(": "), err));
    CLEANUP(buf_done) Buf why = buf_make(1 << 20);
    TRY(report_why(r, &why, err));
    TRY(buf_append(&message, buf_str(&why), err));
    for (int32_t i = 0; i < r->evidence_count; i++) {
        TRY(report_evidence(&r->evidence[i], &text, err));
        TRY(buf_append_char(&text, '\n', err));
    }
    Str kind = str_from(r->severity ? severity_name(r->severity) : "");
    switch (r->verdict) {
    case VERDICT_FAIL:
        return put_message("failure", kind, buf_str(&message), buf_str(&text), out, err);
    case VERDICT_ERROR:
        return put_message("error", kind, buf_str(&message), buf_str(&text), out, err);
    case VERDICT_LEARNING:
        TRY(buf_append(out, STR(">\n    <skipped"), err));
        TRY(put_attribute("message", buf_str(&message), out, err));
        return buf_append(out, STR("/>\n  </testcase>\n"), err);
    case VERDICT_WARN:
        TRY(buf_append(out, STR(">\n    <system-out>warning: "), err));
        TRY(report_escape(buf_str(&message), out, err));
        return buf_append(out, STR("</system-out>\n  </testcase>\n"), err);
    case VERDICT_PASS:
        break;
    }
    return buf_append(out, STR("/>\n"), err);
}

static Status put_types(const QualityReport *report, const ColumnResult *column, Buf *out, Err *err)
{
    CLEANUP(buf_done) Buf text = buf_make(1 << 20);
    CLEANUP(buf_done) Buf name = buf_make(1 << 20);
    TRY(buf_printf(&name, err, "%.*s.types", STR_ARG(column->name)));
    TRY(report_types(column, &text, err));
    TRY(put_case(report, buf_str(&name), STR("mixed_data_types"), out, err));
    return put_message("failure", STR("medium"), STR("mixed types"), buf_str(&text), out, err);
}

Status report_junit(const QualityReport *report, Buf *out, Err *err)
{
    char at[DATETIME_TEXT_MAX];
    TRY(buf_append(out, STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite"), err));
    TRY(put_attribute("name", report->dataset, out, err));
    TRY(buf_printf(out, err, " tests=\"%d\" failures=\"%d\" errors=\"%d\" skipped=\"%d\"",
                   report->rule_count + report->type_issues,
                   quality_report_count(report, VERDICT_FAIL) + report->type_issues,
                   quality_report_count(report, VERDICT_ERROR),
                   quality_report_count(report, VERDICT_LEARNING)));
    TRY(buf_printf(out, err, " time=\"%.3f\"", (double)report->duration_ns / 1e9));
    /* The schema wants a local time without zone: UTC. */
    TRY(put_attribute("timestamp",
                      str_make(at, datetime_format_timestamp(
                                       report->at_us - report->at_us % 1000000, 'T', false, at)),
                      out, err));
    TRY(buf_append(out, STR(">\n"), err));
    for (int32_t i = 0; i < report->rule_count; i++) {
        TRY(put_rule(report, &report->rules[i], out, err));
    }
    for (int32_t i = 0; i < report->column_count; i++) {
        if (report->columns[i].mixed) TRY(put_types(report, &report->columns[i], out, err));
    }
    return buf_append(out, STR("</testsuite>\n"), err);
}
