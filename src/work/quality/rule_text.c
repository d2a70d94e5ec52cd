/* Rules and thresholds as one line of text: `completeness >= 95`, `> 1%`, `between 1 and 5`. */
#include "work/quality/rule_text.h"

#include <stdio.h>

#include "foundation/base/number.h"
#include "foundation/config/option.h"
#include "work/quality/rule_peers.h"

/* What stands around a kind's name: of a dataset, of a column (in parentheses or under columns:).
 */
typedef struct RuleWord {
    const char *name;
    RuleKind kind;
    bool bare;    /* `name` alone */
    bool listed;  /* `name(columns)` */
    bool columns; /* under columns: */
} RuleWord;

static const RuleWord RULE_WORDS[] = {
    {"completeness", RULE_COMPLETENESS, true, true, false},
    {"uniqueness", RULE_UNIQUENESS, true, true, false},
    {"consistency", RULE_CONSISTENCY, true, false, false},
    {"null_percentage", RULE_NULL_SHARE, true, true, false},
    {"duplicate_percentage", RULE_REPEAT_SHARE, true, true, false},
    {"row_count", RULE_ROW_COUNT, true, false, false},
    {"duplicates", RULE_DUPLICATES, true, true, false},
    {"duplicate_rows", RULE_DUPLICATES, true, true, false},
    {"not_null", RULE_NOT_NULL, false, true, true},
    {"nulls", RULE_NOT_NULL, false, true, true},
    {"unique", RULE_UNIQUE, false, true, true},
    {"missing", RULE_MISSING, false, true, true},
    {"accepted_values", RULE_ACCEPTED, false, false, true},
    {"format", RULE_FORMAT, false, false, true},
    {"range", RULE_RANGE, false, false, true},
    {"relationships", RULE_RELATION, false, false, true},
    {"freshness", RULE_FRESHNESS, false, true, true},
    {"schema", RULE_SCHEMA, true, false, false},
    {"min", RULE_MIN, false, true, true},
    {"max", RULE_MAX, false, true, true},
    {"mean", RULE_MEAN, false, true, true},
    {"avg", RULE_MEAN, false, true, true},
    {"sum", RULE_SUM, false, true, true},
    {"stddev", RULE_DEVIATION, false, true, true},
    {"min_length", RULE_MIN_LENGTH, false, true, true},
    {"max_length", RULE_MAX_LENGTH, false, true, true},
    {"mean_length", RULE_MEAN_LENGTH, false, true, true},
};

const char *rule_kind_name(RuleKind kind)
{
    if (kind == RULE_ROW) return "expression";
    if (kind == RULE_READABLE) return "readable_rows";
    for (int64_t i = 0; i < COUNT_OF(RULE_WORDS); i++) {
        if (RULE_WORDS[i].kind == kind) return RULE_WORDS[i].name;
    }
    return "";
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static void skip_blanks(Str text, int64_t *at)
{
    while (*at < text.len && (text.ptr[*at] == ' ' || text.ptr[*at] == '\t')) *at += 1;
}

static Str take_word(Str text, int64_t *at)
{
    skip_blanks(text, at);
    int64_t from = *at;
    while (*at < text.len && is_word(text.ptr[*at])) *at += 1;
    return str_slice(text, from, *at);
}

static Status fail_at(int64_t at, Err *err, const char *what)
{
    (void)err_set(err, ERR_CONFIG, "%s", what);
    return err_at(err, 1, at + 1);
}

/* ---- conditions ---- */

static ThresholdOp take_operator(Str text, int64_t *at)
{
    static const struct {
        const char *sign;
        ThresholdOp op;
    } SIGNS[] = {{">=", THRESHOLD_GREATER_EQUAL}, {"<=", THRESHOLD_LESS_EQUAL},
                 {"!=", THRESHOLD_NOT_EQUAL},     {"<>", THRESHOLD_NOT_EQUAL},
                 {"==", THRESHOLD_EQUAL},         {"=", THRESHOLD_EQUAL},
                 {">", THRESHOLD_GREATER},        {"<", THRESHOLD_LESS}};
    skip_blanks(text, at);
    Str rest = str_slice(text, *at, text.len);
    for (int64_t i = 0; i < COUNT_OF(SIGNS); i++) {
        if (!str_starts(rest, str_from(SIGNS[i].sign))) continue;
        *at += (int64_t)strlen(SIGNS[i].sign);
        return SIGNS[i].op;
    }
    int64_t next = *at;
    Str word = take_word(text, &next);
    bool negated = str_eq_nocase(word, STR("not"));
    if (negated) word = take_word(text, &next);
    if (!str_eq_nocase(word, STR("between"))) return THRESHOLD_NONE;
    *at = next;
    return negated ? THRESHOLD_NOT_BETWEEN : THRESHOLD_BETWEEN;
}

typedef struct Bound {
    double value;
    bool exact; /* the value is `decimal` */
    Decimal decimal;
    bool percent;
} Bound;

Status rule_bound(Str text, Arena *arena, Str *ret_number, Err *err)
{
    Decimal ignored;
    char *digits = arena_alloc(arena, text.len + 1);
    int64_t len = 0;
    *ret_number = STR_NULL;
    if (!digits) return err_memory(err);
    for (int64_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '_') digits[len++] = text.ptr[i];
    }
    if (decimal_parse(str_make(digits, len), &ignored) == DECIMAL_OK) {
        *ret_number = str_make(digits, len);
    }
    return OK;
}

/* A number up to the next blank, with what is after it: %, a unit of time. */
static bool take_number(Str text, bool durations, int64_t *at, Bound *ret)
{
    char digits[64];
    int64_t len = 0, us = 0;
    skip_blanks(text, at);
    int64_t from = *at;
    while (*at < text.len && text.ptr[*at] != ' ' && text.ptr[*at] != '\t') {
        char c = text.ptr[*at];
        *at += 1;
        if (c == '_') continue;
        if (len == (int64_t)sizeof digits) return false;
        digits[len++] = c;
    }
    Str number = str_make(digits, len);
    *ret = (Bound){.percent = str_ends(number, STR("%"))};
    if (ret->percent) number.len--;
    bool simple = number.len > 0 && is_word(number.ptr[number.len - 1]) &&
                  number.ptr[number.len - 1] <= '9' &&
                  number_parse_double(number, &ret->value) == NUMBER_OK;
    ret->exact = simple && decimal_parse(number, &ret->decimal) == DECIMAL_OK;
    if (simple && (!durations || ret->value == 0)) return true;
    if (!durations || !option_parse_duration(str_slice(text, from, *at), &us)) return false;
    *ret = (Bound){.value = (double)us / 1e6};
    return true;
}

/* From text[at] to its end. */
static Status condition_parse(Str text, int64_t at, bool durations, Threshold *ret, Err *err)
{
    Threshold t = {.duration = durations};
    Bound low, high = {0};
    skip_blanks(text, &at);
    t.text = str_trim(str_slice(text, at, text.len));
    t.op = take_operator(text, &at);
    if (t.op == THRESHOLD_NONE) {
        (void)fail_at(at, err, "a condition begins with >=, <=, >, <, =, != or between");
        return err_hint(err, "for example >= 95");
    }
    const char *wanted = durations ? "a duration like 6h is missing" : "a number is missing";
    int64_t number = at;
    if (!take_number(text, durations, &at, &low)) return fail_at(number, err, wanted);
    if (t.op == THRESHOLD_BETWEEN || t.op == THRESHOLD_NOT_BETWEEN) {
        int64_t and_at = at;
        if (!str_eq_nocase(take_word(text, &at), STR("and"))) {
            return fail_at(and_at, err, "`between` needs `and`");
        }
        number = at;
        if (!take_number(text, durations, &at, &high)) return fail_at(number, err, wanted);
        if (high.value < low.value)
            return fail_at(number, err, "`between` never holds: the first is larger");
    } else {
        high.exact = true;
    }
    skip_blanks(text, &at);
    if (at < text.len) return fail_at(at, err, "the condition should end here");
    t.low = low.value;
    t.high = high.value;
    t.percent = low.percent || high.percent;
    t.exact = low.exact && high.exact && !t.percent;
    t.exact_low = low.decimal;
    t.exact_high = high.decimal;
    *ret = t;
    return OK;
}

Status threshold_parse(Str text, bool durations, Threshold *ret_threshold, Err *err)
{
    return condition_parse(text, 0, durations, ret_threshold, err);
}

/* ---- rules ---- */

static const RuleWord *word_find(Str name)
{
    for (int64_t i = 0; i < COUNT_OF(RULE_WORDS); i++) {
        if (str_eq(name, str_from(RULE_WORDS[i].name))) return &RULE_WORDS[i];
    }
    return NULL;
}

/* One name of a list, up to what is after it: "in ""quotes""", or of letters, digits and _. */
static bool take_name(Str text, int64_t *at, Arena *arena, Str *ret_name)
{
    skip_blanks(text, at);
    bool quoted = *at < text.len && text.ptr[*at] == '"';
    int64_t from = *at, len = 0;
    if (!quoted) {
        while (*at < text.len && (is_word(text.ptr[*at]) || (uint8_t)text.ptr[*at] >= 0x80)) {
            *at += 1;
        }
        *ret_name = str_slice(text, from, *at);
        return ret_name->len > 0;
    }
    char *name = arena_alloc(arena, text.len);
    for (*at += 1; name && *at < text.len; *at += 1) {
        bool end = text.ptr[*at] == '"';
        if (end && (*at + 1 == text.len || text.ptr[*at + 1] != '"')) {
            *at += 1;
            *ret_name = str_make(name, len);
            return len > 0;
        }
        *at += end;
        name[len++] = text.ptr[*at];
    }
    return false;
}

/* `(a, "b c")` after a name. False: not of that form. */
static bool take_columns(Str text, int64_t *at, Arena *arena, QualityRule *rule)
{
    Str *columns = ARENA_ARRAY(arena, Str, text.len + 1);
    if (!columns) return false;
    char end = ',';
    while (end == ',') {
        *at += 1;
        if (!take_name(text, at, arena, &columns[rule->column_count++])) return false;
        skip_blanks(text, at);
        end = 0;
        if (*at < text.len) end = text.ptr[*at];
    }
    rule->columns = columns;
    *at += 1;
    return end == ')';
}

/* row_count = row_count(place) ± 1%: what stands after the comparison. */
static Status parse_other_count(Str text, int64_t at, QualityRule *rule, bool *ret_is, Err *err)
{
    int64_t next = at;
    ThresholdOp op = take_operator(text, &next);
    skip_blanks(text, &next);
    *ret_is =
        op == THRESHOLD_EQUAL && str_starts(str_slice(text, next, text.len), STR("row_count("));
    if (!*ret_is) return OK;
    next += 10;
    int64_t close = next;
    while (close < text.len && text.ptr[close] != ')') close++;
    if (close == text.len) return fail_at(next, err, "the parenthesis isn't closed");
    rule->other.on = true;
    rule->other.table = str_trim(str_slice(text, next, close));
    Str rest = str_trim(str_slice(text, close + 1, text.len));
    if (rest.len == 0) return OK;
    Str sign = str_starts(rest, STR("±")) ? STR("±") : STR("+-");
    Bound margin = {0};
    int64_t number = sign.len;
    bool good = str_starts(rest, sign) && take_number(rest, false, &number, &margin) &&
                margin.percent && margin.value >= 0 && number == rest.len;
    if (!good)
        return fail_at(close + 1, err,
                       "the other count may be followed by ± and a percentage, ± 0.1%");
    rule->other.margin = margin.value / 100;
    return OK;
}

/* A name that only nearly is a metric's, where a number is compared with it. */
static Status refuse_mistyped(Str text, Str name, int64_t behind, Err *err)
{
    int64_t at = behind;
    Threshold ignored;
    if (take_operator(text, &at) == THRESHOLD_NONE) return OK;
    if (condition_parse(text, behind, false, &ignored, NULL) != OK) return OK;
    for (int64_t i = 0; i < COUNT_OF(RULE_WORDS); i++) {
        Str word = str_from(RULE_WORDS[i].name);
        if (!RULE_WORDS[i].bare || str_distance(name, word) > 2) continue;
        (void)err_set(err, ERR_CONFIG, "no metric `%.*s`", STR_ARG(name));
        (void)err_at(err, 1, 1);
        return err_hint(err, "did you mean `%s`?", RULE_WORDS[i].name);
    }
    return OK;
}

/* A metric of another tool, by what it is called here. `after`: what follows its name. */
static Status refuse_peer(Str name, Str after, Err *err)
{
    const RulePeer *peer = rule_peer_find(name);
    if (!peer) return OK;
    (void)err_set(err, ERR_CONFIG, "no metric %.*s", STR_ARG(name));
    (void)err_at(err, 1, 1);
    if (!peer->here) return err_hint(err, "%s", peer->advice);
    return err_hint(err, "here it is %s%.*s", peer->here, STR_ARG(after));
}

/* A word that needs a column, with a condition but without one. min, max and the like may be
 * columns themselves. */
static Status refuse_no_column(Str text, const RuleWord *word, int64_t at, Err *err)
{
    Threshold ignored;
    bool ages = word->kind == RULE_FRESHNESS;
    bool could_be_column = word->kind >= RULE_MIN && word->kind <= RULE_DEVIATION;
    if (!word->listed || word->bare || could_be_column) return OK;
    if (condition_parse(text, at, ages, &ignored, NULL) != OK) return OK;
    (void)err_set(err, ERR_CONFIG, "%s needs a column", word->name);
    (void)err_at(err, 1, 1);
    return err_hint(err, "%s(%s) %.*s", word->name, ages ? "created_at" : "a",
                    STR_ARG(ignored.text));
}

Status rule_unknown_metric(Str name, Err *err)
{
    Str names[COUNT_OF(RULE_WORDS)];
    int64_t count = 0;
    char list[ERR_HINT_MAX];
    int64_t len = 0;
    for (int64_t i = 0; i < COUNT_OF(RULE_WORDS); i++) {
        const RuleWord *word = &RULE_WORDS[i];
        if (!word->listed && !word->bare) continue;
        names[count++] = str_from(word->name);
        if (len > ERR_HINT_MAX - 40) continue;
        len += snprintf(list + len, sizeof list - (size_t)len, "%s%s", len ? ", " : "", word->name);
    }
    (void)err_set(err, ERR_CONFIG, "no metric %.*s, and no function of that name", STR_ARG(name));
    Str near = str_nearest(name, names, count);
    if (near.len) return err_hint(err, "did you mean %.*s?", STR_ARG(near));
    return err_hint(err, "%s", list);
}

static Status metric_parse(Str text, int64_t at, const RuleWord *word, QualityRule *rule, Err *err)
{
    bool other = false;
    rule->kind = word->kind;
    if (word->kind == RULE_ROW_COUNT) TRY(parse_other_count(text, at, rule, &other, err));
    skip_blanks(text, &at);
    if (other || at == text.len) return OK;
    return condition_parse(text, at, word->kind == RULE_FRESHNESS, &rule->must, err);
}

/* The name that a rule begins with, a package's dot in it. */
static Str take_dotted(Str text)
{
    int64_t end = 0;
    while (end < text.len && (is_word(text.ptr[end]) || text.ptr[end] == '.')) end++;
    return str_slice(text, 0, end);
}

Status rule_parse(Str text, Arena *arena, QualityRule *ret_rule, Err *err)
{
    text = str_trim(text);
    QualityRule rule = {.kind = RULE_ROW, .name = text, .expression = text, .evidence = -1};
    int64_t at = 0;
    Str name = take_word(text, &at), dotted = take_dotted(text);
    const RuleWord *word = word_find(name);
    bool list = at < text.len && text.ptr[at] == '(';
    bool fits = word && (list ? word->listed : word->bare);
    if (!word) TRY(refuse_peer(dotted, str_slice(text, dotted.len, text.len), err));
    if (!word && !list) TRY(refuse_mistyped(text, name, at, err));
    if (word && !list) TRY(refuse_no_column(text, word, at, err));
    if (fits && list && !take_columns(text, &at, arena, &rule)) {
        (void)err_set(err, ERR_CONFIG, "%s needs names of columns in its parentheses", word->name);
        (void)err_at(err, 1, 1);
        return err_hint(err, "a name that is no plain word is written in double quotes");
    }
    if (fits) {
        rule.name = str_slice(text, 0, at);
        rule.expression = STR_NULL;
        TRY(metric_parse(text, at, word, &rule, err));
        if (rule.column_count == 1 && word->columns) rule.column = rule.columns[0];
        if (rule.column_count > 1 && word->columns) {
            return fail_at(0, err, "this rule is about one column");
        }
    }
    *ret_rule = rule;
    return OK;
}

Status column_rule_parse(Str text, QualityRule *ret_rule, Err *err)
{
    text = str_trim(text);
    QualityRule rule = {.evidence = -1};
    int64_t at = 0;
    Str name = take_word(text, &at);
    const RuleWord *word = word_find(name);
    if (!word || !word->columns) {
        Str names[COUNT_OF(RULE_WORDS)];
        int64_t count = 0;
        for (int64_t i = 0; i < COUNT_OF(RULE_WORDS); i++) {
            if (RULE_WORDS[i].columns) names[count++] = str_from(RULE_WORDS[i].name);
        }
        const RulePeer *peer = rule_peer_find(take_dotted(text));
        (void)err_set(err, ERR_CONFIG, "no rule `%.*s` for a column", STR_ARG(take_dotted(text)));
        (void)err_at(err, 1, 1);
        if (peer && peer->here) return err_hint(err, "here it is %s", peer->here);
        if (peer) return err_hint(err, "%s", peer->advice);
        Str near = str_nearest(name, names, count);
        if (near.len) return err_hint(err, "did you mean `%.*s`?", STR_ARG(near));
        return err_hint(err, "not_null, unique, missing, accepted_values, format, range, "
                             "relationships, freshness, min, max, mean, sum, stddev, min_length, "
                             "max_length, mean_length");
    }
    rule.name = name;
    TRY(metric_parse(text, at, word, &rule, err));
    *ret_rule = rule;
    return OK;
}
