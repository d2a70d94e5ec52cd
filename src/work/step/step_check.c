/* The step `check`: quality rules over the rows on their way to be published. */
#include "work/step/step_check.h"

#include "foundation/base/mem.h"
#include "foundation/codec/json_writer.h"
#include "work/step/step_impl.h"

typedef struct CheckStep {
    Step step;
    QualitySet set;     /* with the rules below */
    QualityRule *rules; /* each with the on_fail that counts here */
    CheckOptions options;
    QualityCheck *check;
    QualityReport *report; /* of the last end; stays over a reset, to be told */
    bool ended;
    KeepMask bad;
    RejectList refused;
} CheckStep;

static const StepOps CHECK_OPS;

/* The rows whose bit is not set. */
static void flip(uint64_t *bits, int64_t rows)
{
    for (int64_t word = 0; word * 64 < rows; word++) {
        int64_t left = rows - word * 64;
        bits[word] = ~bits[word] & (left < 64 ? (UINT64_C(1) << left) - 1 : ~UINT64_C(0));
    }
}

static Status check_begin(CheckStep *self, Err *err)
{
    if (self->check) return OK;
    return quality_check_new(&self->options, &self->check, err);
}

static Status check_run(Step *step, const ExprRun *run UNUSED, Batch *in, RejectWriter *rejects,
                        Batch **ret_out, Err *err)
{
    CheckStep *self = STEP_SELF(CheckStep, CHECK_OPS, step);
    CLEANUP(batch_unref_p) Batch *batch = in;
    TRY(check_begin(self, err));
    TRY(keep_mask_reserve(&self->bad, batch->rows, err));
    TRY(quality_check_update(self->check, batch, self->bad.bits, &self->refused, err));
    TRY(step_reject(step, batch, &self->refused, rejects, err));
    flip(self->bad.bits, batch->rows);
    return step_keep_rows(batch, self->bad.bits, ret_out, err);
}

/* Failed rules that stop the run, in words. */
static Status stop_reason(const CheckStep *self, Buf *out, Err *err)
{
    int32_t count = 0;
    for (int32_t i = 0; i < self->report->rule_count; i++) {
        const RuleResult *r = &self->report->rules[i];
        bool bad = r->verdict == VERDICT_FAIL || r->verdict == VERDICT_ERROR;
        if (!bad || r->rule->on_fail != ON_FAIL_STOP || ++count > 5) continue;
        CLEANUP(buf_done) Buf why = buf_make(1 << 20);
        TRY(buf_append(out, count > 1 ? STR("; ") : STR(""), err));
        TRY(buf_append(out, r->rule->name, err));
        TRY(buf_append(out, STR(" is "), err));
        TRY(report_value(r, out, err));
        TRY(report_why(r, &why, err));
        if (why.len) TRY(buf_printf(out, err, " (%.*s)", STR_ARG(buf_str(&why))));
    }
    return OK;
}

static Status check_finish(Step *step, const ExprRun *run UNUSED, RejectWriter *rejects UNUSED,
                           Batch **ret_out, Err *err)
{
    CheckStep *self = STEP_SELF(CheckStep, CHECK_OPS, step);
    *ret_out = NULL;
    if (self->ended) return OK;
    TRY(check_begin(self, err));
    quality_report_free(self->report);
    self->report = NULL;
    TRY(quality_check_finish(self->check, &self->report, err));
    self->ended = true;
    CLEANUP(buf_done) Buf why = buf_make(1 << 20);
    TRY(stop_reason(self, &why, err));
    if (!why.len) return OK;
    (void)err_set(err, ERR_QUALITY, "%.*s: %.*s", STR_ARG(self->set.name), STR_ARG(buf_str(&why)));
    return err_hint(err, "nothing was published; on_fail: warn or reject lets the run go on");
}

static void check_reset(Step *step)
{
    CheckStep *self = STEP_SELF(CheckStep, CHECK_OPS, step);
    quality_check_free(self->check);
    self->check = NULL;
    self->ended = false;
    reject_list_clear(&self->refused);
}

static void check_free(Step *step)
{
    CheckStep *self = STEP_SELF(CheckStep, CHECK_OPS, step);
    check_reset(step);
    quality_report_free(self->report);
    reject_list_done(&self->refused);
    mem_free(self->rules);
    mem_free(self->bad.bits);
    mem_free(self);
}

static const StepOps CHECK_OPS = {
    .run = check_run, .finish = check_finish, .reset = check_reset, .free = check_free};

static OnFail on_fail_of(const QualityRule *rule, OnFail step)
{
    OnFail on_fail = rule->on_fail ? rule->on_fail : step;
    if (on_fail == ON_FAIL_REJECT && !rule_is_row(rule->kind)) on_fail = ON_FAIL_WARN;
    return on_fail ? on_fail : ON_FAIL_WARN;
}

static Status rules_make(CheckStep *self, const StepCheckOptions *options, Err *err)
{
    const QualitySet *set = options->set;
    self->set = *set;
    self->rules = mem_array(set->rule_count + 1, (int64_t)sizeof *self->rules);
    if (!self->rules) return err_memory(err);
    for (int32_t i = 0; i < set->rule_count; i++) {
        self->rules[i] = set->rules[i];
        self->rules[i].on_fail = on_fail_of(&set->rules[i], options->on_fail);
    }
    self->set.rules = self->rules;
    return OK;
}

/* A rule that guards must be one that can be evaluated. */
static Status rules_check(const CheckStep *self, Err *err)
{
    for (int32_t i = 0; i < self->set.rule_count; i++) {
        Str error = quality_check_error(self->check, i);
        if (!error.len || self->rules[i].on_fail == ON_FAIL_WARN) continue;
        return err_set(err, ERR_CONFIG, "%.*s: the rule %.*s: %.*s", STR_ARG(self->set.name),
                       STR_ARG(self->rules[i].name), STR_ARG(error));
    }
    return OK;
}

Status step_check_new(int32_t number, const StepCheckOptions *options, const Schema *in,
                      Step **ret_step, Err *err)
{
    CheckStep *self = mem_zalloc((int64_t)sizeof *self);
    if (!self) return err_memory(err);
    reject_list_init(&self->refused);
    *ret_step = &self->step;
    Status status = step_init(&self->step, &CHECK_OPS, number, "check", in);
    if (status == OK) status = rules_make(self, options, err);
    self->options = (CheckOptions){.set = &self->set,
                                   .schema = self->step.schema,
                                   .budget = options->budget,
                                   .spool_folder = options->spool_folder,
                                   .now_us = options->now_us};
    if (status == OK) status = check_begin(self, err);
    if (status == OK) status = rules_check(self, err);
    if (status == OK) return OK;
    step_free(*ret_step);
    *ret_step = NULL;
    return FAIL;
}

/* ---- the result ---- */

static void write_issue(JsonWriter *w, const RuleResult *r)
{
    json_object_begin(w);
    json_key(w, "rule");
    json_write_text(w, r->rule->name);
    json_key(w, "verdict");
    json_write_text(w, str_from(verdict_name(r->verdict)));
    json_key(w, "value");
    if (r->has_value) json_write_double(w, r->value);
    else json_write_null(w);
    json_key(w, "condition");
    json_write_text_or_null(w, r->threshold.len ? r->threshold : STR_NULL);
    if (r->failed_rows >= 0) {
        json_key(w, "failed_rows");
        json_write_int64(w, r->failed_rows);
    }
    if (r->error.len) {
        json_key(w, "error");
        json_write_text(w, r->error);
    }
    json_object_end(w);
}

/* "1 of 5 rows fails this rule", "91.7 %, expected >= 95". */
static Status put_warning(const CheckStep *self, const RuleResult *r, Buf *lines, Err *err)
{
    CLEANUP(buf_done) Buf why = buf_make(1 << 20);
    TRY(report_why(r, &why, err));
    if (lines->len) TRY(buf_append_char(lines, '\n', err));
    TRY(buf_printf(lines, err, "check %.*s: the rule \"%.*s\" %s: ", STR_ARG(self->set.name),
                   STR_ARG(r->rule->name),
                   r->verdict == VERDICT_ERROR  ? "can't be evaluated"
                   : r->verdict == VERDICT_WARN ? "warns"
                                                : "fails"));
    if (r->has_value && !rule_counts_rows(r->rule->kind)) {
        TRY(report_value(r, lines, err));
        TRY(buf_append(lines, STR(", "), err));
    }
    return buf_append(lines, buf_str(&why), err);
}

Status step_check_warnings(const Step *step, Buf *lines, Err *err)
{
    if (step->ops != &CHECK_OPS) return OK;
    const CheckStep *self = STEP_SELF(const CheckStep, CHECK_OPS, step);
    if (!self->report) return OK;
    for (int32_t i = 0; i < self->report->rule_count; i++) {
        const RuleResult *r = &self->report->rules[i];
        bool only_told = r->verdict == VERDICT_WARN || r->rule->on_fail == ON_FAIL_WARN;
        if (r->verdict >= VERDICT_WARN && only_told) TRY(put_warning(self, r, lines, err));
    }
    return OK;
}

Status step_check_result(const Step *step, bool *ret_is, Buf *out, Err *err)
{
    *ret_is = false;
    if (step->ops != &CHECK_OPS) return OK;
    const CheckStep *self = STEP_SELF(const CheckStep, CHECK_OPS, step);
    *ret_is = self->report != NULL;
    if (!*ret_is) return OK;
    const QualityReport *report = self->report;
    JsonWriter w = json_writer_make(out, err);
    json_object_begin(&w);
    json_key(&w, "step");
    json_write_text(&w, str_from(step->name));
    json_key(&w, "dataset_name");
    json_write_text(&w, report->dataset);
    json_key(&w, "verdict");
    json_write_text(&w, str_from(verdict_name(report->verdict)));
    json_key(&w, "quality_score");
    json_write_double(&w, report->score);
    json_key(&w, "total_records");
    json_write_int64(&w, report->total_records);
    json_key(&w, "rejected");
    json_write_int64(&w, step->rejected);
    json_key(&w, "issues");
    json_array_begin(&w);
    for (int32_t i = 0; i < report->rule_count; i++) {
        if (report->rules[i].verdict >= VERDICT_WARN) write_issue(&w, &report->rules[i]);
    }
    json_array_end(&w);
    json_object_end(&w);
    return json_writer_end(&w);
}
