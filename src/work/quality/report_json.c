/* The report as one JSON object. */
#include "foundation/base/datetime.h"
#include "foundation/codec/json_writer.h"
#include "work/quality/report_impl.h"
#include "work/quality/rule_text.h"

static void write_evidence(JsonWriter *w, const RuleResult *r)
{
    json_key(w, "evidence");
    json_array_begin(w);
    for (int32_t i = 0; i < r->evidence_count; i++) {
        const Evidence *e = &r->evidence[i];
        json_object_begin(w);
        json_key_int64(w, "row", e->row);
        if (e->line) json_key_int64(w, "line", e->line);
        if (e->key.len) {
            json_key(w, "key");
            json_write_raw(w, e->key);
        }
        if (e->value.len) {
            json_key(w, "value");
            json_write_raw(w, e->value);
        }
        if (e->reason.len) json_key_text(w, "reason", e->reason);
        json_object_end(w);
    }
    json_array_end(w);
}

static void write_value(JsonWriter *w, const RuleResult *r)
{
    Decimal exact;
    char digits[DECIMAL_TEXT_MAX];
    if (!r->has_value) json_write_null(w);
    else if (!report_exact(r, &exact)) json_write_double(w, r->value);
    else json_write_raw(w, str_make(digits, decimal_format(exact, digits)));
}

/* What an issue and a rule have in common. */
static void write_result(JsonWriter *w, const RuleResult *r)
{
    if (r->rule->column.len) json_key_text(w, "column", r->rule->column);
    json_key(w, "value");
    write_value(w, r);
    if (r->unit[0]) json_key_text(w, "unit", str_from(r->unit));
    json_key(w, "threshold");
    if (r->has_limit) json_write_double(w, r->limit);
    else json_write_null(w);
    if (r->threshold.len) json_key_text(w, "condition", r->threshold);
    if (r->severity) json_key_text(w, "severity", str_from(severity_name(r->severity)));
    if (r->failed_rows >= 0) {
        json_key_int64(w, "rows", r->considered);
        json_key_int64(w, "failed_rows", r->failed_rows);
        write_evidence(w, r);
    }
    if (!r->error.len) return;
    json_key_text(w, r->verdict == VERDICT_ERROR ? "error" : "note", r->error);
}

static void write_type_issue(JsonWriter *w, const ColumnResult *c)
{
    json_object_begin(w);
    json_key_text(w, "type", STR("mixed_data_types"));
    json_key_text(w, "column", c->name);
    json_key_text(w, "severity", STR("medium"));
    json_key(w, "types_found");
    json_array_begin(w);
    for (int i = 0; i < VALUE_CLASS_COUNT; i++) {
        if (c->type_profile.counts[i])
            json_write_text(w, str_from(value_class_name((ValueClass)i)));
    }
    json_array_end(w);
    json_key(w, "types");
    json_array_begin(w);
    for (int i = 0; i < VALUE_CLASS_COUNT; i++) {
        if (!c->type_profile.counts[i]) continue;
        json_object_begin(w);
        json_key_text(w, "type", str_from(value_class_name((ValueClass)i)));
        json_key_int64(w, "count", c->type_profile.counts[i]);
        bool lines = c->lines[i][0] > 0;
        json_key(w, lines ? "lines" : "rows");
        json_array_begin(w);
        for (int64_t k = 0; k < TYPE_PROFILE_ROWS_KEPT && k < c->type_profile.counts[i]; k++) {
            json_write_int64(w, lines ? c->lines[i][k] : c->type_profile.rows[i][k] + 1);
        }
        json_array_end(w);
        json_object_end(w);
    }
    json_array_end(w);
    json_object_end(w);
}

static void write_issues(JsonWriter *w, const QualityReport *report)
{
    json_key(w, "issues");
    json_array_begin(w);
    for (int32_t i = 0; i < report->column_count; i++) {
        if (report->columns[i].mixed) write_type_issue(w, &report->columns[i]);
    }
    for (int32_t i = 0; i < report->rule_count; i++) {
        const RuleResult *r = &report->rules[i];
        if (r->verdict < VERDICT_WARN) continue;
        json_object_begin(w);
        json_key_text(w, "rule", r->rule->name);
        json_key_text(w, "verdict", str_from(verdict_name(r->verdict)));
        write_result(w, r);
        json_object_end(w);
    }
    json_array_end(w);
}

static void write_metrics(JsonWriter *w, const QualityReport *report)
{
    json_key(w, "metrics");
    json_object_begin(w);
    json_key_double(w, "null_percentage", report->null_percentage);
    json_key_double(w, "duplicate_percentage", report->duplicate_percentage);
    for (int32_t i = 0; i < report->rule_count; i++) {
        const RuleResult *r = &report->rules[i];
        bool again = str_eq(r->rule->name, STR("null_percentage")) ||
                     str_eq(r->rule->name, STR("duplicate_percentage"));
        if (again) continue;
        json_key_str(w, r->rule->name);
        write_value(w, r);
    }
    json_object_end(w);
}

static void write_rules(JsonWriter *w, const QualityReport *report)
{
    json_key(w, "rules");
    json_array_begin(w);
    for (int32_t i = 0; i < report->rule_count; i++) {
        const RuleResult *r = &report->rules[i];
        json_object_begin(w);
        json_key_text(w, "name", r->rule->name);
        json_key_text(w, "kind", str_from(rule_kind_name(r->rule->kind)));
        json_key_text(w, "verdict", str_from(verdict_name(r->verdict)));
        write_result(w, r);
        json_object_end(w);
    }
    json_array_end(w);
}

static void write_columns(JsonWriter *w, const QualityReport *report)
{
    json_key(w, "columns");
    json_array_begin(w);
    for (int32_t i = 0; i < report->column_count; i++) {
        const ColumnResult *c = &report->columns[i];
        json_object_begin(w);
        json_key_text(w, "name", c->name);
        json_key_text(w, "type", c->type);
        json_key_int64(w, "nulls", c->nulls);
        json_object_end(w);
    }
    json_array_end(w);
}

Status report_json(const QualityReport *report, Buf *out, Err *err)
{
    char text[DATETIME_TEXT_MAX];
    JsonWriter w = json_writer_make(out, err);
    json_object_begin(&w);
    json_key_text(&w, "dataset_name", report->dataset);
    json_key_text(&w, "timestamp",
                  str_make(text, datetime_format_timestamp(report->at_us, 'T', true, text)));
    json_key_int64(&w, "total_records", report->total_records);
    json_key_double(&w, "quality_score", report->score);
    json_key_text(&w, "verdict", str_from(verdict_name(report->verdict)));
    json_key_double(&w, "min_score", report->min_score);
    json_key(&w, "empty");
    json_write_bool(&w, report->total_records == 0);
    if (report->unreadable) json_key_int64(&w, "unreadable_records", report->unreadable);
    json_key_int64(&w, "issues_count", quality_report_issues(report));
    write_issues(&w, report);
    write_metrics(&w, report);
    write_rules(&w, report);
    write_columns(&w, report);
    json_key_double(&w, "duration_seconds", (double)report->duration_ns / 1e9);
    json_object_end(&w);
    return json_writer_end(&w);
}
