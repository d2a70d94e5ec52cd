/* The report as one self-contained page. */
#include "foundation/base/datetime.h"
#include "foundation/codec/html_policy.h"
#include "work/quality/report_impl.h"

static const char HEAD[] = "<!doctype html>\n<html lang=en><head><meta charset=utf-8>"
                           "<meta name=viewport content=\"width=device-width,initial-scale=1\">"
                           "<meta http-equiv=Content-Security-Policy content=\"";
static const char STYLE[] =
    "<style>\n"
    ":root{color-scheme:light dark;--bg:#fafafa;--fg:#1c2024;--soft:#687076;--line:#dfe3e6;"
    "--card:#fff;--ok:#218358;--bad:#c62a2f;--warn:#ad5700}\n"
    "@media(prefers-color-scheme:dark){:root{--bg:#111315;--fg:#eceef0;--soft:#9ba1a6;"
    "--line:#2b2f31;--card:#1a1d1e;--ok:#4cc38a;--bad:#ff6369;--warn:#f1a10d}}\n"
    "body{margin:0;background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,sans-serif}"
    "main{max-width:1000px;margin:0 auto;padding:16px}h1{font-size:20px}h2{font-size:15px;"
    "color:var(--soft)}\n"
    ".wrap{overflow-x:auto;background:var(--card);border:1px solid var(--line);"
    "border-radius:8px}table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;vertical-align:top;padding:8px 12px;"
    "border-bottom:1px solid var(--line)}\n"
    "th{font-weight:500;color:var(--soft)}td.n{text-align:right;white-space:nowrap}"
    "tr:last-child td{border-bottom:0}"
    ".pass{color:var(--ok)}.fail,.error{color:var(--bad)}.warn,.learning{color:var(--warn)}"
    "code{font-size:13px}svg{vertical-align:middle}\n"
    "</style></head><body><main>\n";

static Status put_escaped(const char *before, Str text, const char *behind, Buf *out, Err *err)
{
    TRY(buf_append(out, str_from(before), err));
    TRY(report_escape(text, out, err));
    return buf_append(out, str_from(behind), err);
}

/* How full a bar is, from 0 to 100. */
static Status put_bar(double share, Buf *out, Err *err)
{
    return buf_printf(out, err,
                      "<svg width=102 height=10 role=img aria-label=\"%.4g %%\">"
                      "<rect x=0.5 y=0.5 width=101 height=9 fill=none stroke=currentColor />"
                      "<rect x=1 y=1 width=%.1f height=8 fill=currentColor /></svg>",
                      share, share);
}

static Status put_rule(const RuleResult *r, Buf *out, Err *err)
{
    CLEANUP(buf_done) Buf piece = buf_make(1 << 20);
    TRY(buf_printf(out, err, "<tr><td class=%s>%s", verdict_name(r->verdict),
                   verdict_name(r->verdict)));
    TRY(put_escaped("<td>", r->rule->name, "", out, err));
    TRY(report_value(r, &piece, err));
    TRY(put_escaped("<td class=n>", buf_str(&piece), "", out, err));
    TRY(buf_printf(out, err, "<td class=%s>", verdict_name(r->verdict)));
    if (r->has_value && r->unit[0] == '%') TRY(put_bar(r->value, out, err));
    buf_clear(&piece);
    TRY(report_why(r, &piece, err));
    TRY(put_escaped("<td>", buf_str(&piece), "", out, err));
    bool shown = r->verdict >= VERDICT_WARN && r->evidence_count;
    if (shown) {
        TRY(buf_printf(out, err, "<details><summary>%d rows</summary>", r->evidence_count));
    }
    for (int32_t i = 0; i < r->evidence_count && shown; i++) {
        buf_clear(&piece);
        TRY(report_evidence(&r->evidence[i], &piece, err));
        TRY(put_escaped("<code>", buf_str(&piece), "</code><br>", out, err));
    }
    return buf_append(out, shown ? STR("</details>\n") : STR("\n"), err);
}

static Status put_column(const ColumnResult *c, int64_t rows, Buf *out, Err *err)
{
    CLEANUP(buf_done) Buf piece = buf_make(1 << 20);
    double nulls = rows ? 100.0 * (double)c->nulls / (double)rows : 0;
    TRY(put_escaped("<tr><td>", c->name, "<td>", out, err));
    TRY(report_escape(c->type, out, err));
    TRY(buf_printf(out, err, "<td class=n>%.4g %%<td>", nulls));
    TRY(put_bar(nulls, out, err));
    if (c->mixed) TRY(report_types(c, &piece, err));
    return put_escaped("<td class=warn>", buf_str(&piece), "\n", out, err);
}

/* Whatever escapes us, the policy lets nothing run or load but the style. */
static Status put_head(Str title, Buf *out, Err *err)
{
    TRY(buf_append(out, str_from(HEAD), err));
    TRY(html_policy(str_from(STYLE), STR("form-action 'none'"), out, err));
    TRY(put_escaped("\"><title>", title, "</title>", out, err));
    return buf_append(out, str_from(STYLE), err);
}

Status report_html(const QualityReport *report, Buf *out, Err *err)
{
    char at[DATETIME_TEXT_MAX];
    CLEANUP(buf_done) Buf line = buf_make(1 << 20);
    TRY(report_headline(report, &line, err));
    TRY(put_head(buf_str(&line), out, err));
    TRY(buf_printf(out, err, "<h1 class=%s>", verdict_name(report->verdict)));
    TRY(put_escaped("", buf_str(&line), "</h1>\n<p>", out, err));
    TRY(report_escape(report->location, out, err));
    TRY(buf_append(out, STR(", "), err));
    TRY(buf_append(out, str_make(at, datetime_format_timestamp(report->at_us, ' ', true, at)),
                   err));
    TRY(buf_printf(out, err, ". Nulls %.4g %%, repeated rows %.4g %% (%lld).</p>\n",
                   report->null_percentage, report->duplicate_percentage,
                   (long long)report->repeats));
    TRY(buf_append(out,
                   STR("<h2>Rules</h2><div class=wrap><table><tr><th>verdict<th>rule<th>value"
                       "<th><th>why\n"),
                   err));
    for (int32_t i = 0; i < report->rule_count; i++) TRY(put_rule(&report->rules[i], out, err));
    TRY(buf_append(out,
                   STR("</table></div>\n<h2>Columns</h2><div class=wrap><table><tr><th>column"
                       "<th>type<th>nulls<th><th>mixed types\n"),
                   err));
    for (int32_t i = 0; i < report->column_count; i++) {
        TRY(put_column(&report->columns[i], report->total_records, out, err));
    }
    return buf_append(out, STR("</table></div></main></body></html>\n"), err);
}
