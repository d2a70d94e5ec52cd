/* The forms that a report can be written in. */
#include "work/quality/report_impl.h"

Status report_format_find(Str name, ReportFormat *ret_format, Err *err)
{
    static const char *const NAMES[] = {"table", "json", "html", "markdown", "junit"};
    for (int32_t i = 0; i < COUNT_OF(NAMES); i++) {
        if (!str_eq(name, str_from(NAMES[i]))) continue;
        *ret_format = (ReportFormat)i;
        return OK;
    }
    (void)err_set(err, ERR_USAGE, "no format \"%.*s\"", STR_ARG(name));
    return err_hint(err, "table, json, html, markdown or junit");
}

Status quality_report_write(const QualityReport *report, ReportFormat format, bool color, Buf *out,
                            Err *err)
{
    switch (format) {
    case REPORT_TABLE:
        return report_table(report, color, out, err);
    case REPORT_JSON:
        return report_json(report, out, err);
    case REPORT_HTML:
        return report_html(report, out, err);
    case REPORT_MARKDOWN:
        return report_markdown(report, out, err);
    case REPORT_JUNIT:
        return report_junit(report, out, err);
    }
    return err_set(err, ERR_INTERNAL, "a report without a format");
}
