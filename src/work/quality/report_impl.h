/* What the writers of reports share. */
#ifndef NEURON_REPORT_IMPL_H
#define NEURON_REPORT_IMPL_H

#include "work/quality/quality_report.h"

MUST_USE Status report_json(const QualityReport *report, Buf *out, Err *err);
MUST_USE Status report_table(const QualityReport *report, bool color, Buf *out, Err *err);
MUST_USE Status report_markdown(const QualityReport *report, Buf *out, Err *err);
MUST_USE Status report_html(const QualityReport *report, Buf *out, Err *err);
MUST_USE Status report_junit(const QualityReport *report, Buf *out, Err *err);

/* FAIL customers 80/100  2 of 14 rules failed  10 000 000 rows in 0.9 s */
MUST_USE Status report_headline(const QualityReport *report, Buf *out, Err *err);
/* customer_id=5: "x" (line 7) */
MUST_USE Status report_evidence(const Evidence *evidence, Buf *out, Err *err);
/* age: 98 number, 2 text (lines 5, 9) */
MUST_USE Status report_types(const ColumnResult *column, Buf *out, Err *err);
/* Escaped for XML and HTML; control characters that XML lacks become U+FFFD. */
MUST_USE Status report_escape(Str text, Buf *out, Err *err);
/* 12 345 678 */
MUST_USE Status report_number(int64_t value, Buf *out, Err *err);

#endif
