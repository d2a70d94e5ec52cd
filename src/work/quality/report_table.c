/* The report for people: on a terminal, and in Markdown. */
#include "work/quality/report_impl.h"

enum { NAME_WIDTH_MAX = 44 };

/* Characters shown; continuation bytes of UTF-8 take no place. */
static int64_t width_of(Str text)
{
    int64_t width = 0;
    for (int64_t i = 0; i < text.len; i++) width += ((uint8_t)text.ptr[i] & 0xc0) != 0x80;
    return width;
}

static Status put_padded(Str text, int64_t width, bool right, Buf *out, Err *err)
{
    int64_t gap = int64_max(width - width_of(text), 0);
    if (!right) TRY(buf_append(out, text, err));
    for (int64_t i = 0; i < gap; i++) TRY(buf_append_char(out, ' ', err));
    return right ? buf_append(out, text, err) : OK;
}

static Str color_of(Verdict verdict, bool color)
{
    if (!color) return STR_NULL;
    if (verdict == VERDICT_FAIL || verdict == VERDICT_ERROR) return STR("\033[31m");
    if (verdict == VERDICT_WARN) return STR("\033[33m");
    return STR("\033[32m");
}

static Status put_rule(const RuleResult *r, int64_t width, bool color, Buf *out, Err *err)
{
    CLEANUP(buf_done) Buf piece = buf_make(1 << 20);
    Str on = color_of(r->verdict, color), off = color ? STR("\033[0m") : STR_NULL;
    TRY(buf_append(out, STR("  "), err));
    TRY(buf_append(out, on, err));
    TRY(put_padded(str_from(verdict_name(r->verdict)), 9, false, out, err));
    TRY(buf_append(out, off, err));
    TRY(put_padded(r->rule->name, width, false, out, err));
    TRY(report_value(r, &piece, err));
    TRY(put_padded(buf_str(&piece), 12, true, out, err));
    buf_clear(&piece);
    TRY(report_why(r, &piece, err));
    if (piece.len) TRY(buf_append(out, STR("  "), err));
    TRY(buf_append(out, buf_str(&piece), err));
    TRY(buf_append_char(out, '\n', err));
    if (r->verdict < VERDICT_WARN) return OK;
    for (int32_t i = 0; i < r->evidence_count && i < 3; i++) {
        TRY(buf_append(out, STR("             "), err));
        TRY(report_evidence(&r->evidence[i], out, err));
        TRY(buf_append_char(out, '\n', err));
    }
    return OK;
}

static int64_t name_width(const QualityReport *report)
{
    int64_t width = 12;
    for (int32_t i = 0; i < report->rule_count; i++) {
        width = int64_max(width, int64_min(width_of(report->rules[i].rule->name), NAME_WIDTH_MAX));
    }
    return width;
}

/* The worst first, each in the order configured. */
static const Verdict ORDER[] = {VERDICT_FAIL, VERDICT_ERROR, VERDICT_WARN, VERDICT_LEARNING,
                                VERDICT_PASS};

Status report_table(const QualityReport *report, bool color, Buf *out, Err *err)
{
    TRY(buf_append(out, color_of(report->verdict, color), err));
    TRY(report_headline(report, out, err));
    if (color) TRY(buf_append(out, STR("\033[0m"), err));
    TRY(buf_append_char(out, '\n', err));
    for (int32_t v = 0; v < COUNT_OF(ORDER); v++) {
        for (int32_t i = 0; i < report->rule_count; i++) {
            if (report->rules[i].verdict != ORDER[v]) continue;
            TRY(put_rule(&report->rules[i], name_width(report), color, out, err));
        }
    }
    for (int32_t i = 0; i < report->column_count; i++) {
        if (!report->columns[i].mixed) continue;
        TRY(buf_append(out, STR("  mixed    "), err));
        TRY(report_types(&report->columns[i], out, err));
        TRY(buf_append_char(out, '\n', err));
    }
    return buf_printf(out, err, "  nulls %.4g %%, repeated rows %.4g %% (%lld)\n",
                      report->null_percentage, report->duplicate_percentage,
                      (long long)report->repeats);
}

/* ---- Markdown ---- */

/* A cell: no line break, no bar. */
static Status put_cell(Str text, Buf *out, Err *err)
{
    TRY(buf_append(out, STR(" "), err));
    for (int64_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '|' || c == '`' || c == '<') TRY(buf_append_char(out, '\\', err));
        TRY(buf_append_char(out, c == '\n' ? ' ' : c, err));
    }
    return buf_append(out, STR(" |"), err);
}

static Status put_markdown_rule(const RuleResult *r, Buf *out, Err *err)
{
    CLEANUP(buf_done) Buf piece = buf_make(1 << 20);
    TRY(buf_append(out, STR("|"), err));
    TRY(put_cell(str_from(verdict_name(r->verdict)), out, err));
    TRY(put_cell(r->rule->name, out, err));
    TRY(report_value(r, &piece, err));
    TRY(put_cell(buf_str(&piece), out, err));
    buf_clear(&piece);
    TRY(report_why(r, &piece, err));
    for (int32_t i = 0; i < r->evidence_count && i < 3 && r->verdict >= VERDICT_WARN; i++) {
        TRY(buf_append(&piece, piece.len ? STR("; ") : STR(""), err));
        TRY(report_evidence(&r->evidence[i], &piece, err));
    }
    TRY(put_cell(buf_str(&piece), out, err));
    return buf_append_char(out, '\n', err);
}

Status report_markdown(const QualityReport *report, Buf *out, Err *err)
{
    TRY(buf_append(out, STR("## "), err));
    TRY(report_headline(report, out, err));
    TRY(buf_append(out, STR("\n\n| verdict | rule | value | why |\n| --- | --- | ---: | --- |\n"),
                   err));
    for (int32_t v = 0; v < COUNT_OF(ORDER); v++) {
        for (int32_t i = 0; i < report->rule_count; i++) {
            if (report->rules[i].verdict != ORDER[v]) continue;
            TRY(put_markdown_rule(&report->rules[i], out, err));
        }
    }
    TRY(buf_append_char(out, '\n', err));
    for (int32_t i = 0; i < report->column_count; i++) {
        if (!report->columns[i].mixed) continue;
        TRY(buf_append(out, STR("* mixed types in "), err));
        TRY(report_types(&report->columns[i], out, err));
        TRY(buf_append_char(out, '\n', err));
    }
    return buf_printf(out, err, "\nNulls %.4g %%, repeated rows %.4g %% (%lld).\n",
                      report->null_percentage, report->duplicate_percentage,
                      (long long)report->repeats);
}
