/* From the rules of a set as written (one line, a map, a column's list) to those of a check. */
#include "service/setup/quality_rules.h"

#include "foundation/base/datetime.h"
#include "service/setup/configured_location.h"
#include "service/setup/mistake_place.h"

#include "work/quality/rule_text.h"

enum { RULES_MAX = 1000 };

typedef struct BuildContext {
    Configuration *c;
    QualityRule *rules;
    int32_t count, capacity;
} BuildContext;

/* ---- checks of a finished rule ---- */

static bool needs_condition(const QualityRule *rule)
{
    RuleKind kind = rule->kind;
    bool by_itself = rule_counts_rows(kind) || kind == RULE_SCHEMA || rule->other.on;
    return !by_itself && !rule->anomaly.on;
}

/* Bounds of one kind, numbers or times, whose first is above the second. */
static bool range_is_empty(const QualityRule *rule)
{
    Decimal low, high;
    int64_t low_us = 0, high_us = 0;
    bool zone;
    if (rule->kind != RULE_RANGE || rule->listed.count != 2) return false;
    Str first = rule->listed.items[0], second = rule->listed.items[1];
    if (decimal_parse(first, &low) == DECIMAL_OK && decimal_parse(second, &high) == DECIMAL_OK) {
        return decimal_compare(low, high) > 0;
    }
    return datetime_cast_timestamp(first, &low_us, &zone) &&
           datetime_cast_timestamp(second, &high_us, &zone) && low_us > high_us;
}

/* A share of one where percent are meant: 0.95 for 95. Where more is better, nobody asks for less
 * than 1 %. */
static bool is_share_of_one(RuleKind kind, const Threshold *t)
{
    bool more_is_better =
        kind == RULE_COMPLETENESS || kind == RULE_UNIQUENESS || kind == RULE_CONSISTENCY;
    return more_is_better && t->op && !t->percent && t->low > 0 && t->low < 1;
}

static void check_bounds(BuildContext *m, const YamlNode *node, const QualityRule *rule)
{
    const Threshold *all[] = {&rule->must, &rule->warn, &rule->fail};
    if (range_is_empty(rule)) {
        mistake_add(&m->c->mistakes, node->line, node->column, STR("range: [least, greatest]"),
                    "no value fits in the range: %.*s is above %.*s",
                    STR_ARG(rule->listed.items[0]), STR_ARG(rule->listed.items[1]));
    }
    for (int32_t i = 0; i < COUNT_OF(all); i++) {
        if (!is_share_of_one(rule->kind, all[i])) continue;
        mistake_add(&m->c->mistakes, node->line, node->column,
                    STR("for 95 of 100 write 95, for less than 1 of 100 write 0.5%"),
                    "%s is in per cent: %.6g is less than 1 %%", rule_kind_name(rule->kind),
                    all[i]->low);
        return;
    }
}

static void check_rule(BuildContext *m, const YamlNode *node, const QualityRule *rule)
{
    MistakeList *mistakes = &m->c->mistakes;
    int64_t line = node->line, column = node->column;
    const char *name = rule_kind_name(rule->kind);
    bool given = rule->must.op || rule->warn.op || rule->fail.op;
    if (needs_condition(rule) && !given) {
        mistake_add(mistakes, line, column, STR("for example `>= 95`, or warn: and fail:"),
                    "%s says no condition", name);
    }
    if (rule->kind == RULE_ACCEPTED && !rule->listed.count) {
        mistake_add(mistakes, line, column, STR("accepted_values: [a, b]"), "no values are given");
    }
    if (rule->kind == RULE_RANGE && rule->listed.count != 2) {
        mistake_add(mistakes, line, column, STR("range: [0, 100]; null for an open end"),
                    "a range has two ends");
    }
    if (rule->kind == RULE_RELATION && (!rule->other.on || !rule->other.field.len)) {
        mistake_add(mistakes, line, column,
                    STR("relationships: { to: ref.countries, field: code }"),
                    "relationships needs `to` and `field`");
    }
    const SchemaWish *wish = &rule->schema;
    if (rule->kind == RULE_SCHEMA && !wish->column_count && !wish->no_type_change) {
        mistake_add(mistakes, line, column, STR("columns: [id, name], or no_type_change: true"),
                    "schema says nothing to check");
    }
}

/* One name per rule: reports, history and metrics go by it. */
static Status name_rule(BuildContext *m, QualityRule *rule, Err *err)
{
    int32_t same = 0;
    Str base = rule->name;
    for (int32_t i = 0; i < m->count; i++) {
        Str other = m->rules[i].name;
        bool begins = str_starts(other, base);
        same += begins && (other.len == base.len ||
                           str_starts(str_slice(other, base.len, other.len), STR(" #")));
    }
    if (!same) return OK;
    return arena_printf(&m->c->arena, &rule->name, err, "%.*s #%d", STR_ARG(base), same + 1);
}

static Status add_rule(BuildContext *m, const YamlNode *node, QualityRule *rule, Err *err)
{
    if (m->count == m->capacity) {
        mistake_add(&m->c->mistakes, node->line, node->column, STR_NULL, "more than %d rules",
                    m->capacity);
        return OK;
    }
    rule->place.line = node->line;
    rule->place.column = node->column;
    check_rule(m, node, rule);
    check_bounds(m, node, rule);
    TRY(name_rule(m, rule, err));
    m->rules[m->count++] = *rule;
    return OK;
}

/* ---- options beside the kind ---- */

/* The value's map and the keys after the first one, as one map. NULL: there are none. */
static Status options_of(BuildContext *m, const YamlNode *value, const YamlNode *siblings,
                         const YamlNode **ret_map, Err *err)
{
    bool inside = value->kind == YAML_MAP;
    *ret_map = inside && !siblings ? value : NULL;
    if (!siblings) return OK;
    YamlNode *map = ARENA_NEW(&m->c->arena, YamlNode);
    if (!map) return err_memory(err);
    *map = (YamlNode){.kind = YAML_MAP,
                      .line = value->line,
                      .column = value->column,
                      .key_line = value->key_line,
                      .key_column = value->key_column};
    YamlNode **end = &map->first;
    const YamlNode *lists[] = {inside ? value->first : NULL, siblings};
    for (int i = 0; i < 2; i++) {
        for (const YamlNode *at = lists[i]; at; at = at->next) {
            YamlNode *copy = ARENA_NEW(&m->c->arena, YamlNode);
            if (!copy) return err_memory(err);
            *copy = *at;
            copy->next = NULL;
            *end = copy;
            end = &copy->next;
            map->count++;
        }
    }
    *ret_map = map;
    return OK;
}

/* A value that is no map: the condition, the values, the format. */
static Status short_value(BuildContext *m, const YamlNode *value, QualityRule *rule, Err *err)
{
    Err why = {0};
    if (value->kind == YAML_MAP || yaml_is_null(value)) return OK;
    bool listed =
        rule->kind == RULE_ACCEPTED || rule->kind == RULE_RANGE || rule->kind == RULE_MISSING;
    if (value->kind == YAML_LIST && listed) return rule_values(m->c, value, rule, err);
    if (value->kind == YAML_LIST) {
        mistake_add(&m->c->mistakes, value->line, value->column, STR_NULL, "%s takes no list",
                    rule_kind_name(rule->kind));
        return OK;
    }
    if (rule->kind == RULE_FORMAT) {
        rule->format = value_format_find(value->text);
        if (rule->format) return OK;
        Str near = value_format_nearest(value->text);
        mistake_add(&m->c->mistakes, value->line, value->column,
                    near.len ? near : str_from(value_format_names()), "no format `%.*s`",
                    STR_ARG(value->text));
        return OK;
    }
    if (threshold_parse(value->text, rule->kind == RULE_FRESHNESS, &rule->must, &why) == OK) {
        return OK;
    }
    mistake_inside(m->c, value, &why);
    return OK;
}

static Status apply(BuildContext *m, const YamlNode *value, const YamlNode *siblings,
                    QualityRule *rule, Err *err)
{
    const YamlNode *map = NULL;
    TRY(short_value(m, value, rule, err));
    TRY(options_of(m, value, siblings, &map, err));
    Threshold must = rule->must;
    const ValueFormat *format = rule->format;
    TRY(rule_options_apply(m->c, map, rule, err));
    if (!rule->must.op) rule->must = must;
    if (!rule->format) rule->format = format;
    return OK;
}

/* ---- rules of the dataset ---- */

static void place_other(BuildContext *m, const YamlNode *node, QualityRule *rule)
{
    if (rule->kind != RULE_ROW_COUNT || !rule->other.on) return;
    double margin = rule->other.margin;
    other_settle(m->c, node, rule->other.table, &rule->other);
    rule->other.margin = margin;
}

static Status rule_of_text(BuildContext *m, const YamlNode *node, Str text, bool is_key,
                           QualityRule *rule, bool *ret_good, Err *err)
{
    Err why = {0};
    *ret_good = rule_parse(text, &m->c->arena, rule, &why) == OK;
    if (!*ret_good && is_key) {
        mistake_add(&m->c->mistakes, node->key_line, node->key_column, str_from(why.hint), "%s",
                    why.message);
    } else if (!*ret_good) {
        mistake_inside(m->c, node, &why);
    }
    rule->schema.allow_extra = true;
    place_other(m, node, rule);
    if (!*ret_good || rule->kind != RULE_ROW) return OK;
    return rule_expression_check(m->c, node, rule->expression, is_key, err);
}

static Status dataset_rule(BuildContext *m, const YamlNode *node, Err *err)
{
    QualityRule rule = {.evidence = -1};
    bool good = false;
    if (node->kind == YAML_SCALAR) {
        TRY(rule_of_text(m, node, node->text, false, &rule, &good, err));
        return good ? add_rule(m, node, &rule, err) : OK;
    }
    if (node->kind != YAML_MAP || node->count < 1) {
        mistake_add(&m->c->mistakes, node->line, node->column, STR("- completeness >= 95"),
                    "a rule is one line, or a map");
        return OK;
    }
    const YamlNode *first = node->first;
    TRY(rule_of_text(m, first, first->key, true, &rule, &good, err));
    if (!good) return OK;
    TRY(apply(m, first, first->next, &rule, err));
    return add_rule(m, node, &rule, err);
}

/* ---- rules of columns ---- */

static Status column_rule(BuildContext *m, Str column, const YamlNode *node, Err *err)
{
    QualityRule rule = {.evidence = -1};
    Err why = {0};
    bool map = node->kind == YAML_MAP && node->count >= 1;
    if (node->kind == YAML_LIST || (node->kind == YAML_MAP && !map)) {
        mistake_add(&m->c->mistakes, node->line, node->column, STR("email: [not_null, unique]"),
                    "a column's rule is a word, or a map");
        return OK;
    }
    const YamlNode *first = map ? node->first : node;
    if (column_rule_parse(map ? first->key : node->text, &rule, &why) != OK) {
        mistake_add(&m->c->mistakes, map ? first->key_line : node->line,
                    map ? first->key_column : node->column, str_from(why.hint), "%s", why.message);
        return OK;
    }
    rule.column = column;
    TRY(arena_printf(&m->c->arena, &rule.name, err, "%.*s.%s", STR_ARG(column),
                     rule_kind_name(rule.kind)));
    if (map) TRY(apply(m, first, first->next, &rule, err));
    if (rule.kind == RULE_FORMAT && !rule.format && !map) {
        mistake_add(&m->c->mistakes, node->line, node->column, STR("{ format: email }"),
                    "which format?");
    }
    return add_rule(m, node, &rule, err);
}

static Status column_rules(BuildContext *m, const YamlNode *columns, Err *err)
{
    if (!columns || yaml_is_null(columns)) return OK;
    if (columns->kind != YAML_MAP) {
        mistake_add(&m->c->mistakes, columns->line, columns->column,
                    STR("columns: { email: [not_null] }"), "`columns` must be a map");
        return OK;
    }
    for (const YamlNode *column = columns->first; column; column = column->next) {
        bool list = column->kind == YAML_LIST;
        for (const YamlNode *at = list ? column->first : column; at; at = list ? at->next : NULL) {
            TRY(column_rule(m, column->key, at, err));
        }
    }
    return OK;
}

static int32_t most_rules(const YamlNode *rules, const YamlNode *columns)
{
    int64_t count = 4;
    if (rules) count += rules->count;
    for (const YamlNode *at = columns ? columns->first : NULL; at; at = at->next) {
        count += at->count + 1;
    }
    return (int32_t)int64_min(count, RULES_MAX);
}

Status quality_rules_make(Configuration *c, const QualityOptions *o, QualitySet *set, Err *err)
{
    BuildContext m = {.c = c, .capacity = most_rules(o->rules, o->columns)};
    m.rules = ARENA_ARRAY(&c->arena, QualityRule, m.capacity + 1);
    if (!m.rules) return err_memory(err);
    const YamlNode *rules = o->rules && !yaml_is_null(o->rules) ? o->rules : NULL;
    if (rules && rules->kind != YAML_LIST) {
        mistake_add(&c->mistakes, rules->line, rules->column, STR("- completeness >= 95"),
                    "`rules` must be a list");
        rules = NULL;
    }
    for (const YamlNode *at = rules ? rules->first : NULL; at; at = at->next) {
        TRY(dataset_rule(&m, at, err));
    }
    TRY(column_rules(&m, o->columns, err));
    set->rules = m.rules;
    set->rule_count = m.count;
    if (o->rules || o->columns) return OK;
    set->rules = QUALITY_DEFAULT_RULES;
    set->rule_count = COUNT_OF(QUALITY_DEFAULT_RULES);
    return OK;
}
