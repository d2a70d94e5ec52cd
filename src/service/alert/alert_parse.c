/* The text of a condition, read once: metrics and labels are resolved here. */
#include "foundation/base/number.h"
#include "foundation/config/option.h"
#include "service/alert/alert_condition.h"

typedef struct Reader {
    Str text;
    int64_t at;
    Arena *arena;
} Reader;

static void skip_space(Reader *r)
{
    while (r->at < r->text.len && (r->text.ptr[r->at] == ' ' || r->text.ptr[r->at] == '\n' ||
                                   r->text.ptr[r->at] == '\t' || r->text.ptr[r->at] == '\r')) {
        r->at++;
    }
}

static char peek(Reader *r)
{
    skip_space(r);
    return r->at < r->text.len ? r->text.ptr[r->at] : 0;
}

static bool take(Reader *r, Str symbol)
{
    skip_space(r);
    if (!str_starts(str_slice(r->text, r->at, r->text.len), symbol)) return false;
    r->at += symbol.len;
    return true;
}

static Status wrong(int64_t at, Err *err, const char *what)
{
    (void)err_set(err, ERR_CONFIG, "when: %s", what);
    return err_at(err, 1, at + 1);
}

static Status expect(Reader *r, const char *symbol, Err *err)
{
    if (take(r, str_from(symbol))) return OK;
    (void)err_set(err, ERR_CONFIG, "when: \"%s\" is missing", symbol);
    return err_at(err, 1, r->at + 1);
}

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == ':';
}

static Str take_name(Reader *r)
{
    skip_space(r);
    int64_t from = r->at;
    while (r->at < r->text.len && is_name(r->text.ptr[r->at])) r->at++;
    return str_slice(r->text, from, r->at);
}

/* ---- metrics and labels ---- */

static Status find_metric(Str name, int64_t at, Metric *ret_metric, Err *err)
{
    Str names[METRIC_COUNT];
    Metric metric = metrics_find(name);
    if (metric == METRIC_COUNT && str_ends(name, STR("_count"))) {
        metric = metrics_find(str_slice(name, 0, name.len - 6));
    }
    *ret_metric = metric;
    if (metric != METRIC_COUNT) return OK;
    for (int32_t i = 0; i < METRIC_COUNT; i++) names[i] = str_from(metrics_name((Metric)i));
    Str near = str_nearest(name, names, METRIC_COUNT);
    (void)err_set(err, ERR_CONFIG, "when: there is no metric \"%.*s\"", STR_ARG(name));
    (void)err_at(err, 1, at + 1);
    if (near.ptr) return err_hint(err, "did you mean %.*s?", STR_ARG(near));
    return err_hint(err, "GET /metrics shows all of them");
}

static Status find_label(Reader *r, Metric metric, int32_t *ret_label, Err *err)
{
    skip_space(r);
    int64_t at = r->at;
    Str name = take_name(r);
    int32_t label = metrics_label(metric, name);
    *ret_label = label;
    if (label >= 0) return OK;
    const char *known = metrics_label_names(metric);
    (void)err_set(err, ERR_CONFIG, "when: %s has no label \"%.*s\"", metrics_name(metric),
                  STR_ARG(name));
    (void)err_at(err, 1, at + 1);
    return err_hint(err, known[0] ? "it has %s" : "it has none%s", known);
}

static Status read_text(Reader *r, Str *ret_text, Err *err)
{
    char quote = peek(r);
    int64_t from = r->at + 1;
    if (quote != '"' && quote != '\'') return wrong(r->at, err, "a text in quotes is missing");
    int64_t end = from;
    while (end < r->text.len && r->text.ptr[end] != quote) end++;
    if (end == r->text.len) return wrong(r->at, err, "the text has no end");
    r->at = end + 1;
    return arena_copy(r->arena, str_slice(r->text, from, end), ret_text, err);
}

/* After the `{`. */
static Status read_matches(Reader *r, AlertVector *v, Err *err)
{
    while (!take(r, STR("}"))) {
        if (v->match_count == ALERT_MATCHES_MAX) return wrong(r->at, err, "too many labels");
        AlertMatch *m = &v->matches[v->match_count++];
        TRY(find_label(r, v->metric, &m->label, err));
        m->negated = take(r, STR("!="));
        if (!m->negated) TRY(expect(r, "=", err));
        TRY(read_text(r, &m->value, err));
        if (peek(r) != '}') TRY(expect(r, ",", err));
    }
    return OK;
}

static Status read_selector(Reader *r, Str name, int64_t at, AlertVector *v, Err *err)
{
    TRY(find_metric(name, at, &v->metric, err));
    return take(r, STR("{")) ? read_matches(r, v, err) : OK;
}

/* ---- functions ---- */

static Status read_window(Reader *r, AlertVector *v, Err *err)
{
    TRY(expect(r, "[", err));
    int64_t at = r->at;
    Str text = take_name(r);
    if (!option_parse_duration(text, &v->window_us) || v->window_us <= 0) {
        return wrong(at, err, "a time like 1h is missing");
    }
    return expect(r, "]", err);
}

static bool function_of(Str name, AlertFunction *ret_function)
{
    static const char *const NAMES[] = {"", "increase", "rate", "age"};
    for (int32_t i = 1; i < COUNT_OF(NAMES); i++) {
        if (!str_eq(name, str_from(NAMES[i]))) continue;
        *ret_function = (AlertFunction)i;
        return true;
    }
    return false;
}

static bool aggregate_of(Str name, AlertAggregate *ret_aggregate)
{
    static const char *const NAMES[] = {"", "sum", "max", "min", "avg", "count"};
    for (int32_t i = 1; i < COUNT_OF(NAMES); i++) {
        if (!str_eq(name, str_from(NAMES[i]))) continue;
        *ret_aggregate = (AlertAggregate)i;
        return true;
    }
    return false;
}

/* `name` stands at `at` and is read already. */
static Status read_values(Reader *r, Str name, int64_t at, AlertVector *v, Err *err)
{
    if (peek(r) != '(' || !function_of(name, &v->function)) {
        return read_selector(r, name, at, v, err);
    }
    TRY(expect(r, "(", err));
    skip_space(r);
    int64_t inner = r->at;
    TRY(read_selector(r, take_name(r), inner, v, err));
    if (v->function != FUNCTION_AGE) TRY(read_window(r, v, err));
    return expect(r, ")", err);
}

/* The labels after `by`, whose metric may be read only later: from and back to their place. */
static Status read_by(Reader *r, AlertVector *v, Err *err)
{
    TRY(expect(r, "(", err));
    while (!take(r, STR(")"))) {
        int32_t label = 0;
        TRY(find_label(r, v->metric, &label, err));
        v->by |= 1U << label;
        if (peek(r) != ')') TRY(expect(r, ",", err));
    }
    return OK;
}

static bool take_word(Reader *r, Str word)
{
    int64_t at = r->at;
    if (str_eq(take_name(r), word)) return true;
    r->at = at;
    return false;
}

static Status read_aggregate(Reader *r, AlertVector *v, Err *err)
{
    int64_t by_at = -1;
    if (take_word(r, STR("by"))) {
        skip_space(r);
        by_at = r->at;
        int64_t end = str_find_char(str_slice(r->text, r->at, r->text.len), ')');
        if (end < 0) return wrong(r->at, err, "\")\" is missing");
        r->at += end + 1;
    }
    TRY(expect(r, "(", err));
    skip_space(r);
    int64_t at = r->at;
    TRY(read_values(r, take_name(r), at, v, err));
    TRY(expect(r, ")", err));
    if (by_at < 0) return take_word(r, STR("by")) ? read_by(r, v, err) : OK;
    int64_t end = r->at;
    r->at = by_at;
    TRY(read_by(r, v, err));
    r->at = end;
    return OK;
}

static Status read_vector(Reader *r, AlertVector *v, Err *err)
{
    *v = (AlertVector){0};
    skip_space(r);
    int64_t at = r->at;
    Str name = take_name(r);
    if (name.len == 0) return wrong(at, err, "a metric is missing");
    bool call = peek(r) == '(' || str_starts(str_slice(r->text, r->at, r->text.len), STR("by"));
    if (call && aggregate_of(name, &v->aggregate)) return read_aggregate(r, v, err);
    return read_values(r, name, at, v, err);
}

/* ---- comparisons ---- */

/* 90, 85%, 5m (seconds), 2GB (bytes). */
static bool parse_number(Str text, double *ret_number)
{
    int64_t whole = 0;
    if (number_parse_double(text, ret_number) == NUMBER_OK) return true;
    if (str_ends(text, STR("%"))) {
        bool good = number_parse_double(str_slice(text, 0, text.len - 1), ret_number) == NUMBER_OK;
        *ret_number /= 100;
        return good;
    }
    if (option_parse_duration(text, &whole)) {
        *ret_number = (double)whole / 1e6;
        return true;
    }
    if (!option_parse_size(text, &whole)) return false;
    *ret_number = (double)whole;
    return true;
}

static Status read_right(Reader *r, AlertComparison *c, Err *err)
{
    char first = peek(r);
    bool number = (first >= '0' && first <= '9') || first == '-' || first == '+' || first == '.';
    if (!number) return read_vector(r, &c->right, err);
    int64_t from = r->at;
    while (r->at < r->text.len &&
           (is_name(r->text.ptr[r->at]) || r->text.ptr[r->at] == '.' || r->text.ptr[r->at] == '%' ||
            r->text.ptr[r->at] == '-' || r->text.ptr[r->at] == '+')) {
        r->at++;
    }
    c->constant = true;
    if (parse_number(str_slice(r->text, from, r->at), &c->threshold)) return OK;
    (void)wrong(from, err, "not a number");
    return err_hint(err, "write it like 90, 0.85, 85%%, 5m or 2GB");
}

static Status read_compare(Reader *r, AlertCompare *ret_compare, Err *err)
{
    static const struct {
        const char *symbol;
        AlertCompare compare;
    } TABLE[] = {{">=", COMPARE_GREATER_EQUAL}, {"<=", COMPARE_LESS_EQUAL}, {"==", COMPARE_EQUAL},
                 {"!=", COMPARE_NOT_EQUAL},     {">", COMPARE_GREATER},     {"<", COMPARE_LESS},
                 {"=", COMPARE_EQUAL}};
    for (int32_t i = 0; i < COUNT_OF(TABLE); i++) {
        if (!take(r, str_from(TABLE[i].symbol))) continue;
        *ret_compare = TABLE[i].compare;
        return OK;
    }
    (void)wrong(r->at, err, "a comparison is missing");
    return err_hint(err, "write a condition like neuron_disk_used_ratio > 85%%");
}

Status alert_condition_parse(Str text, Arena *arena, AlertCondition *ret_condition, Err *err)
{
    AlertCondition c = {0};
    Reader r = {.text = text, .arena = arena};
    do {
        if (c.part_count == ALERT_PARTS_MAX) return wrong(r.at, err, "too many comparisons");
        AlertComparison *part = &c.parts[c.part_count++];
        TRY(read_vector(&r, &part->left, err));
        TRY(read_compare(&r, &part->compare, err));
        TRY(read_right(&r, part, err));
    } while (take_word(&r, STR("and")));
    skip_space(&r);
    if (r.at < text.len) return wrong(r.at, err, "the condition should end here");
    *ret_condition = c;
    return OK;
}
