/* What may stand beside a rule's kind: conditions, where, values, severity, history. */
#include "foundation/base/number.h"
#include "service/setup/configured_location.h"
#include "service/setup/mistake_place.h"
#include "service/setup/quality_rules.h"
#include "work/quality/rule_text.h"

/* `name(...)` of a name that is neither a metric nor a function. */
static void say_metric(Str text, Err *why)
{
    Str message = str_from(why->message), word = str_trim(text);
    int64_t end = str_find_char(word, '(');
    if (end <= 0 || !str_starts(message, STR("no function "))) return;
    word = str_slice(word, 0, end);
    Str rest = str_slice(message, 12, message.len);
    bool same = str_starts(rest, word) && (rest.len == word.len || rest.ptr[word.len] == '\n');
    Err metric = {0};
    if (!same || rule_unknown_metric(word, &metric) == OK) return;
    metric.line = why->line;
    metric.column = why->column;
    *why = metric;
}

Status rule_expression_check(Configuration *c, const YamlNode *node, Str text, bool is_key,
                             Err *err)
{
    PathSet paths;
    pathset_init(&paths);
    Schema *schema = NULL;
    Expr *expr = NULL;
    Err why = {0};
    Status status = pathset_schema(&paths, false, &schema, err);
    if (status == OK && expr_compile(text, schema, &paths, TYPE_BOOL, &expr, &why) != OK) {
        int64_t line = node->key_line, column = node->key_column;
        say_metric(text, &why);
        if (!is_key) text_place(c, node, &line, &column);
        line += int64_max(why.line - 1, 0);
        column = why.line <= 1 ? column + int64_max(why.column - 1, 0) : why.column;
        mistake_add(&c->mistakes, line, column, str_from(why.hint), "%s", why.message);
    }
    expr_free(expr);
    schema_unref(schema);
    pathset_done(&paths);
    return status;
}

Status rule_values(Configuration *c, const YamlNode *list, QualityRule *rule, Err *err)
{
    int32_t count = list->kind == YAML_LIST ? list->count : 1;
    Str *values = ARENA_ARRAY(&c->arena, Str, count + 1);
    bool *plain = ARENA_ARRAY(&c->arena, bool, count + 1);
    if (!values || !plain) return err_memory(err);
    const YamlNode *at = list->kind == YAML_LIST ? list->first : list;
    for (; at; at = list->kind == YAML_LIST ? at->next : NULL) {
        if (at->kind != YAML_SCALAR) {
            mistake_add(&c->mistakes, at->line, at->column, STR_NULL, "not a value");
            continue;
        }
        values[rule->listed.count] = at->text;
        if (rule->kind == RULE_RANGE) {
            Str number = STR_NULL;
            TRY(rule_bound(at->text, &c->arena, &number, err));
            if (number.len) values[rule->listed.count] = number;
        }
        plain[rule->listed.count++] = at->plain;
    }
    rule->listed.items = values;
    rule->listed.plain = plain;
    return OK;
}

/* ---- conditions ---- */

static void condition(Configuration *c, const RuleOptions *o, const char *key, Str text,
                      const QualityRule *rule, Threshold *to)
{
    const YamlNode *node = option_node(&o->head, key);
    Err why = {0};
    if (!node || node->kind != YAML_SCALAR) return;
    if (threshold_parse(text, rule->kind == RULE_FRESHNESS, to, &why) == OK) return;
    (void)err_prefix(&why, "`%s`: ", key);
    mistake_inside(c, node, &why);
}

static Status between(Configuration *c, const RuleOptions *o, QualityRule *rule, Err *err)
{
    const YamlNode *node = o->conditions.between;
    Threshold *t = &rule->must;
    if (!node) return OK;
    bool two = node->kind == YAML_LIST && node->count == 2 && node->first->kind == YAML_SCALAR &&
               node->first->next->kind == YAML_SCALAR;
    Str text = STR_NULL;
    Err why = {0};
    if (two) {
        TRY(arena_printf(&c->arena, &text, err, "between %.*s and %.*s", STR_ARG(node->first->text),
                         STR_ARG(node->first->next->text)));
    }
    if (two && threshold_parse(text, rule->kind == RULE_FRESHNESS, t, &why) == OK) return OK;
    mistake_add(&c->mistakes, node->line, node->column, STR("between: [10, 500]"),
                two ? "`between`: %s" : "`between` must be a list of two numbers%s",
                two ? why.message : "");
    return OK;
}

/* Conditions that can never decide: both on one side, the sharper one after the milder. */
static void check_order(Configuration *c, const RuleOptions *o, const QualityRule *rule)
{
    const Threshold *w = &rule->warn, *f = &rule->fail;
    bool up = (w->op == THRESHOLD_GREATER || w->op == THRESHOLD_GREATER_EQUAL) &&
              (f->op == THRESHOLD_GREATER || f->op == THRESHOLD_GREATER_EQUAL);
    bool down = (w->op == THRESHOLD_LESS || w->op == THRESHOLD_LESS_EQUAL) &&
                (f->op == THRESHOLD_LESS || f->op == THRESHOLD_LESS_EQUAL);
    if (w->percent != f->percent) return;
    bool never = (up && w->low > f->low) || (down && w->low < f->low);
    const YamlNode *node = option_node(&o->head, "warn");
    if (!never || !node) return;
    mistake_add(&c->mistakes, node->line, node->column, STR_NULL,
                "`warn` can never decide: `fail` holds wherever it does");
}

/* ---- keys of some kinds ---- */

static Status anomaly(Configuration *c, const YamlNode *node, QualityRule *rule, Err *err)
{
    if (!node) return OK;
    AnomalyOptions *o = ARENA_NEW(&c->arena, AnomalyOptions);
    if (!o) return err_memory(err);
    TRY(option_fill(&ANOMALY_GROUP, node, o, &c->mistakes, err));
    rule->anomaly = (Anomaly){
        .on = true, .season = (Season)o->season, .sensitivity = 3, .ignore_below = o->ignore_below};
    bool good = number_parse_double(o->sensitivity, &rule->anomaly.sensitivity) == NUMBER_OK &&
                rule->anomaly.sensitivity > 0;
    if (good) return OK;
    const YamlNode *at = option_node(&o->head, "sensitivity");
    if (!at) at = node;
    mistake_add(&c->mistakes, at->line, at->column, STR_NULL,
                "`sensitivity` must be a number above 0");
    return OK;
}

static Status schema_columns(Configuration *c, const YamlNode *node, QualityRule *rule, Err *err)
{
    if (!node) return OK;
    Field *fields = ARENA_ARRAY(&c->arena, Field, node->count + 1);
    if (!fields) return err_memory(err);
    if (node->kind == YAML_SCALAR) {
        mistake_add(&c->mistakes, node->line, node->column, STR("columns: [id, name]"),
                    "`columns` must be a list, or a map of names to types");
    }
    int32_t count = 0;
    for (const YamlNode *at = node->first; at; at = at->next) {
        Field *field = &fields[count++];
        field->name = node->kind == YAML_MAP ? at->key : at->text;
        if (node->kind != YAML_MAP || yaml_is_null(at)) continue;
        field->native = at->text;
        if (at->kind == YAML_SCALAR &&
            type_parse(at->text, &field->type, &field->precision, &field->scale)) {
            continue;
        }
        mistake_add(&c->mistakes, at->line, at->column, STR_NULL, "\"%.*s\" is not a type",
                    STR_ARG(at->text));
    }
    rule->schema.columns = fields;
    rule->schema.column_count = count;
    return OK;
}

static void format(Configuration *c, const RuleOptions *o, QualityRule *rule)
{
    const YamlNode *node = option_node(&o->head, "format");
    if (!node || !o->format.len) return;
    rule->format = value_format_find(o->format);
    if (rule->format) return;
    Str near = value_format_nearest(o->format);
    mistake_add(&c->mistakes, node->line, node->column,
                near.len ? near : str_from(value_format_names()), "no format `%.*s`",
                STR_ARG(o->format));
}

/* Which kinds a key belongs to; keys that are not here fit everywhere. */
static bool key_fits(Str key, RuleKind kind)
{
    static const struct {
        const char *key;
        RuleKind kinds[3];
    } KEYS[] = {{"values", {RULE_MISSING, RULE_ACCEPTED, RULE_ACCEPTED}},
                {"format", {RULE_FORMAT, RULE_FORMAT, RULE_FORMAT}},
                {"email", {RULE_CONSISTENCY, RULE_CONSISTENCY, RULE_CONSISTENCY}},
                {"date", {RULE_CONSISTENCY, RULE_CONSISTENCY, RULE_CONSISTENCY}},
                {"formats", {RULE_CONSISTENCY, RULE_CONSISTENCY, RULE_CONSISTENCY}},
                {"to", {RULE_RELATION, RULE_RELATION, RULE_RELATION}},
                {"field", {RULE_RELATION, RULE_RELATION, RULE_RELATION}},
                {"columns", {RULE_SCHEMA, RULE_SCHEMA, RULE_SCHEMA}},
                {"allow_extra", {RULE_SCHEMA, RULE_SCHEMA, RULE_SCHEMA}},
                {"no_type_change", {RULE_SCHEMA, RULE_SCHEMA, RULE_SCHEMA}}};
    for (int64_t i = 0; i < COUNT_OF(KEYS); i++) {
        if (!str_eq(key, str_from(KEYS[i].key))) continue;
        return kind == KEYS[i].kinds[0] || kind == KEYS[i].kinds[1] || kind == KEYS[i].kinds[2];
    }
    return true;
}

static void check_keys(Configuration *c, const YamlNode *map, const QualityRule *rule)
{
    for (const YamlNode *at = map->first; at; at = at->next) {
        if (str_eq(at->key, STR("drift"))) {
            mistake_add(&c->mistakes, at->key_line, at->key_column,
                        STR("`anomaly` on mean, stddev or row_count watches a number"),
                        "`drift` is not there yet");
        } else if (!key_fits(at->key, rule->kind)) {
            mistake_add(&c->mistakes, at->key_line, at->key_column, STR_NULL,
                        "`%.*s` doesn't fit in %s", STR_ARG(at->key), rule_kind_name(rule->kind));
        }
    }
}

static void check_reject(Configuration *c, const RuleOptions *o, const QualityRule *rule)
{
    const YamlNode *node = option_node(&o->head, "on_fail");
    if (rule->on_fail != ON_FAIL_REJECT || rule_is_row(rule->kind) || !node) return;
    mistake_add(&c->mistakes, node->line, node->column, STR("stop or warn"),
                "`reject` is for rules about single rows, not for %s", rule_kind_name(rule->kind));
}

Status rule_options_apply(Configuration *c, const YamlNode *map, QualityRule *rule, Err *err)
{
    if (!map) return OK;
    RuleOptions *o = ARENA_NEW(&c->arena, RuleOptions);
    if (!o) return err_memory(err);
    TRY(option_fill(&QUALITY_RULE_GROUP, map, o, &c->mistakes, err));
    check_keys(c, map, rule);
    if (o->name.len) rule->name = o->name;
    rule->where = o->where;
    rule->severity = (Severity)o->severity;
    rule->on_fail = (OnFail)o->on_fail;
    if (o->evidence <= 1000) rule->evidence = (int32_t)o->evidence;
    rule->consistency.email = o->email;
    rule->consistency.date = o->date;
    rule->consistency.layouts = o->formats.items;
    rule->consistency.layout_count = o->formats.count;
    rule->schema.allow_extra = o->allow_extra;
    rule->schema.no_type_change = o->no_type_change;
    condition(c, o, "must", o->conditions.must, rule, &rule->must);
    condition(c, o, "warn", o->conditions.warn, rule, &rule->warn);
    condition(c, o, "fail", o->conditions.fail, rule, &rule->fail);
    TRY(between(c, o, rule, err));
    check_order(c, o, rule);
    check_reject(c, o, rule);
    format(c, o, rule);
    if (o->values) TRY(rule_values(c, o->values, rule, err));
    if (o->to.len) other_settle(c, option_node(&o->head, "to"), o->to, &rule->other);
    rule->other.field = o->field;
    TRY(schema_columns(c, o->columns, rule, err));
    TRY(anomaly(c, o->anomaly, rule, err));
    if (!o->where.len) return OK;
    return rule_expression_check(c, option_node(&o->head, "where"), o->where, false, err);
}
