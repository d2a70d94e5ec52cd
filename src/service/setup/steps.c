/* The list under `steps:`: kinds, texts with their places, column lists; syntax checked at once. */
#include "service/setup/mistake_place.h"
#include "service/setup/sections.h"

typedef struct StepWord {
    const char *name;
    StepKind kind;
} StepWord;

static const StepWord STEP_WORDS[] = {
    {"select", STEP_SELECT},         {"where", STEP_WHERE},
    {"drop_nulls", STEP_DROP_NULLS}, {"drop_duplicates", STEP_DROP_DUPLICATES},
    {"check", STEP_CHECK},
};

static Status columns_make(Configuration *c, const YamlNode *list, StepConfig *step, Err *err)
{
    Str *columns = ARENA_ARRAY(&c->arena, Str, list->count ? list->count : 1);
    if (!columns) return err_memory(err);
    for (const YamlNode *at = list->first; at; at = at->next) {
        if (at->kind != YAML_SCALAR) {
            mistake_add(&c->mistakes, at->line, at->column, STR_NULL, "not a column's name");
        }
        columns[step->column_count++] = at->text;
    }
    step->columns = columns;
    return OK;
}

static bool is_all(const YamlNode *node)
{
    return node->kind == YAML_SCALAR && str_eq(node->text, STR("all"));
}

static Status duplicates_make(Configuration *c, const YamlNode *node, StepConfig *step, Err *err)
{
    for (const YamlNode *at = node->first; at; at = at->next) {
        if (str_eq(at->key, STR("by")) && at->kind == YAML_LIST) {
            TRY(columns_make(c, at, step, err));
        } else if (str_eq(at->key, STR("keep")) &&
                   (str_eq(at->text, STR("first")) || str_eq(at->text, STR("last")))) {
            step->keep_last = str_eq(at->text, STR("last"));
        } else {
            mistake_add(&c->mistakes, at->key_line, at->key_column,
                        STR("{ by: [columns], keep: first | last }"),
                        "`%.*s` doesn't fit in drop_duplicates", STR_ARG(at->key));
        }
    }
    return OK;
}

/* Syntax, functions and what types can be told without the data: against an open schema. */
static Status syntax_check(Configuration *c, const StepConfig *step, Err *err)
{
    PathSet paths;
    pathset_init(&paths);
    Schema *schema = NULL;
    Status status = pathset_schema(&paths, false, &schema, err);
    Err why = {0};
    Select *select = NULL;
    Expr *expr = NULL;
    Status compiled = OK;
    if (status == OK && step->kind == STEP_SELECT) {
        compiled = select_compile(step->text, schema, &paths, &select, &why);
    } else if (status == OK) {
        compiled = expr_compile(step->text, schema, &paths, TYPE_BOOL, &expr, &why);
    }
    if (compiled != OK) {
        int64_t line = step->line + int64_max(why.line - 1, 0);
        int64_t column = why.line <= 1 ? step->column + int64_max(why.column - 1, 0) : why.column;
        mistake_add(&c->mistakes, line, column, str_from(why.hint), "%s", why.message);
    }
    select_free(select);
    expr_free(expr);
    schema_unref(schema);
    pathset_done(&paths);
    return status;
}

static bool set_rejects(const QualitySet *set, OnFail on_fail)
{
    for (int32_t i = 0; i < set->rule_count; i++) {
        OnFail rule = set->rules[i].on_fail ? set->rules[i].on_fail : on_fail;
        if (rule == ON_FAIL_REJECT && rule_is_row(set->rules[i].kind)) return true;
    }
    return false;
}

static void on_fail_make(Configuration *c, const YamlNode *node, StepConfig *step)
{
    static const char *const NAMES[] = {"warn", "reject", "stop"};
    for (int32_t i = 0; i < COUNT_OF(NAMES); i++) {
        if (str_eq(node->text, str_from(NAMES[i]))) step->on_fail = (OnFail)(ON_FAIL_WARN + i);
    }
    if (step->on_fail) return;
    mistake_add(&c->mistakes, node->line, node->column, STR("stop, reject or warn"),
                "`on_fail` can't be \"%.*s\"", STR_ARG(node->text));
}

/* `check: set`, `on_fail` beside it. */
static Status check_make(Configuration *c, const YamlNode *node, PipelineConfig *p,
                         StepConfig *step, Err *err UNUSED)
{
    Err why = {0};
    const YamlNode *name = node, *more = node->next;
    if (node->kind == YAML_MAP) {
        name = yaml_get(node, STR("rules"));
        more = yaml_get(node, STR("on_fail"));
    }
    bool named = name && name->kind == YAML_SCALAR && name->text.len;
    if (!named || (more && !str_eq(more->key, STR("on_fail")))) {
        mistake_add(&c->mistakes, node->line, node->column,
                    STR("- { check: sales, on_fail: stop }"),
                    "a check names a set under `quality:`");
        return OK;
    }
    if (more) on_fail_make(c, more, step);
    if (configuration_quality(c, name->text, &step->quality, &why) != OK) {
        mistake_add(&c->mistakes, name->line, name->column, str_from(why.hint),
                    "no quality set \"%.*s\"", STR_ARG(name->text));
        return OK;
    }
    const PipelineOptions *o = c->options.pipelines.items[c->pipeline_count];
    const YamlNode *rejects = o->rejects;
    bool none = !rejects || yaml_is_null(rejects) || str_eq(rejects->text, STR("stop"));
    if (none && set_rejects(step->quality, step->on_fail)) {
        mistake_add(&c->mistakes, node->line, node->column,
                    STR("say where refused rows go: `rejects: table`"),
                    "the check refuses rows, and %.*s has no `rejects`", STR_ARG(p->name));
    }
    return OK;
}

static Status step_value(Configuration *c, const YamlNode *node, PipelineConfig *p,
                         StepConfig *step, Err *err)
{
    text_place(c, node, &step->line, &step->column);
    if (step->kind == STEP_SELECT || step->kind == STEP_WHERE) {
        if (node->kind != YAML_SCALAR) {
            mistake_add(&c->mistakes, node->line, node->column, STR_NULL,
                        "`%.*s` must be an expression", STR_ARG(node->key));
            return OK;
        }
        step->text = node->text;
        return syntax_check(c, step, err);
    }
    if (step->kind == STEP_CHECK) return check_make(c, node, p, step, err);
    if (is_all(node)) return OK;
    if (node->kind == YAML_LIST) return columns_make(c, node, step, err);
    if (node->kind == YAML_MAP && step->kind == STEP_DROP_DUPLICATES) {
        return duplicates_make(c, node, step, err);
    }
    mistake_add(&c->mistakes, node->line, node->column, STR_NULL,
                "`%.*s` must be `all` or a list of columns", STR_ARG(node->key));
    return OK;
}

static void unknown_step(Configuration *c, const YamlNode *node)
{
    Str names[COUNT_OF(STEP_WORDS)];
    for (int64_t i = 0; i < COUNT_OF(STEP_WORDS); i++) names[i] = str_from(STEP_WORDS[i].name);
    Str near = str_nearest(node->key, names, COUNT_OF(STEP_WORDS));
    Str hint = near.len ? near : STR("select, where, drop_nulls, drop_duplicates, check");
    mistake_add(&c->mistakes, node->key_line, node->key_column, hint, "no step `%.*s`",
                STR_ARG(node->key));
}

static Status step_make(Configuration *c, const YamlNode *node, PipelineConfig *p, StepConfig *step,
                        Err *err)
{
    bool check =
        node->kind == YAML_MAP && node->count == 2 && str_eq(node->first->key, STR("check"));
    if (node->kind != YAML_MAP || (node->count != 1 && !check)) {
        mistake_add(&c->mistakes, node->line, node->column, STR("- where: amount > 0"),
                    "a step is a map with one key");
        return OK;
    }
    for (int64_t i = 0; i < COUNT_OF(STEP_WORDS); i++) {
        if (!str_eq(node->first->key, str_from(STEP_WORDS[i].name))) continue;
        step->kind = STEP_WORDS[i].kind;
        p->step_count++;
        return step_value(c, node->first, p, step, err);
    }
    unknown_step(c, node->first);
    return OK;
}

Status steps_make(Configuration *c, const YamlNode *node, PipelineConfig *p, Err *err)
{
    if (!node || yaml_is_null(node)) return OK;
    if (node->kind != YAML_LIST) {
        mistake_add(&c->mistakes, node->line, node->column, STR_NULL, "`steps` must be a list");
        return OK;
    }
    StepConfig *steps = ARENA_ARRAY(&c->arena, StepConfig, node->count ? node->count : 1);
    if (!steps) return err_memory(err);
    p->steps = steps;
    for (const YamlNode *at = node->first; at; at = at->next) {
        TRY(step_make(c, at, p, &steps[p->step_count], err));
    }
    return OK;
}
