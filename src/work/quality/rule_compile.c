/* Rules against a schema: columns found, expressions compiled, states shared where they are equal.
 */
#include "engine/format/csv_field.h"
#include "foundation/base/mem.h"
#include "work/quality/quality_check_impl.h"

/* A rule that can't be evaluated says why in the report. */
static Status rule_broken(QualityCheck *check, RuleState *state, const Err *why, Err *err)
{
    if (why->kind == ERR_MEMORY) return err_memory(err);
    bool hint = why->hint[0] != 0;
    Str rest = str_from(why->message), line;
    (void)str_next_part(&rest, '\n', &line);
    return arena_printf(&check->arena, &state->error, err, "%.*s%s%s%s", STR_ARG(line),
                        hint ? " (" : "", why->hint, hint ? ")" : "");
}

static Status find_column(const QualityCheck *check, Str name, int32_t *ret_column, Err *err)
{
    *ret_column = schema_find_written(check->o.schema, name);
    if (*ret_column >= 0) return OK;
    if (*ret_column == -2) {
        (void)err_set(err, ERR_CONFIG, "\"%.*s\" fits several columns that differ in case",
                      STR_ARG(name));
        return err_hint(err, "write the name as the header does");
    }
    Str near = schema_nearest(check->o.schema, name);
    (void)err_set(err, ERR_CONFIG, "no column \"%.*s\"", STR_ARG(name));
    if (near.len) return err_hint(err, "did you mean \"%.*s\"?", STR_ARG(near));
    return FAIL;
}

/* The rule's columns; all of them where it names none. */
static Status rule_columns(QualityCheck *check, RuleState *state, Err *err)
{
    const QualityRule *rule = state->rule;
    int32_t named = rule->column.len ? 1 : rule->column_count;
    int32_t count = named ? named : check->o.schema->count;
    int32_t *columns = ARENA_ARRAY(&check->arena, int32_t, count + 1);
    if (!columns) return err_memory(err);
    for (int32_t i = 0; i < count; i++) {
        columns[i] = i;
        if (!named) continue;
        TRY(find_column(check, rule->column.len ? rule->column : rule->columns[i], &columns[i],
                        err));
    }
    state->columns = columns;
    state->count = count;
    return OK;
}

/* ---- what rules share ---- */

static Status where_add(QualityCheck *check, Str text, int32_t *ret_where, Err *err)
{
    *ret_where = -1;
    if (!text.len) return OK;
    for (int32_t i = 0; i < check->where_count; i++) {
        if (!str_eq(check->wheres[i].text, text)) continue;
        *ret_where = i;
        return OK;
    }
    WhereState *where = &check->wheres[check->where_count];
    if (expr_compile(text, check_schema(check), NULL, TYPE_BOOL, &where->expr, err) != OK) {
        return err_prefix(err, "where: ");
    }
    where->text = text;
    *ret_where = check->where_count++;
    return OK;
}

static bool same_repeats(const RepeatState *a, const RepeatState *b)
{
    return a->count == b->count && a->where == b->where && a->skip_nulls == b->skip_nulls &&
           memcmp(a->columns, b->columns, (size_t)a->count * sizeof *a->columns) == 0;
}

static Status repeats_add(QualityCheck *check, RepeatState wanted, int32_t *ret_repeats, Err *err)
{
    for (int32_t i = 0; i < check->repeat_count; i++) {
        RepeatState *have = &check->repeats[i];
        if (!same_repeats(have, &wanted)) continue;
        have->wanted = int64_max(have->wanted, wanted.wanted);
        *ret_repeats = i;
        return OK;
    }
    TRY(repeat_count_new(check->o.budget, check->o.spool_folder, &wanted.repeats, err));
    check->repeats[check->repeat_count] = wanted;
    *ret_repeats = check->repeat_count++;
    return OK;
}

/* ---- expressions of row rules ---- */

static Status put_name(Buf *out, Str name, Err *err)
{
    TRY(buf_append_char(out, '"', err));
    for (int64_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '"') TRY(buf_append_char(out, '"', err));
        TRY(buf_append_char(out, name.ptr[i], err));
    }
    return buf_append_char(out, '"', err);
}

/* A number or boolean as it is, where the column is no text; else a text in quotes. */
static Status put_literal(Buf *out, Str value, bool plain, Err *err)
{
    Decimal number;
    bool bare = plain && (decimal_parse(value, &number) == DECIMAL_OK ||
                          str_eq(value, STR("true")) || str_eq(value, STR("false")));
    if (bare) return buf_append(out, value, err);
    TRY(buf_append_char(out, '\'', err));
    for (int64_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == '\'') TRY(buf_append_char(out, '\'', err));
        TRY(buf_append_char(out, value.ptr[i], err));
    }
    return buf_append_char(out, '\'', err);
}

static bool all_plain_numbers(const QualityRule *rule)
{
    Decimal number;
    for (int32_t i = 0; i < rule->listed.count; i++) {
        if (!rule->listed.plain[i] || decimal_parse(rule->listed.items[i], &number) != DECIMAL_OK)
            return false;
    }
    return rule->listed.count > 0;
}

static Status accepted_text(const QualityRule *rule, const Field *field, Buf *out, Err *err)
{
    TypeId type = field->type;
    bool cast = type == TYPE_DYNAMIC && !all_plain_numbers(rule);
    bool text = type == TYPE_TEXT || cast;
    if (cast) TRY(buf_append(out, STR("CAST("), err));
    TRY(put_name(out, field->name, err));
    if (cast) TRY(buf_append(out, STR(" AS text)"), err));
    TRY(buf_append(out, STR(" IN ("), err));
    for (int32_t i = 0; i < rule->listed.count; i++) {
        if (i) TRY(buf_append(out, STR(", "), err));
        TRY(put_literal(out, rule->listed.items[i], rule->listed.plain[i] && !text, err));
    }
    return buf_append_char(out, ')', err);
}

/* null, ~ or nothing: no bound on that side. */
static bool range_is_open(Str bound)
{
    return bound.len == 0 || str_eq(bound, STR("~")) || str_eq(bound, STR("null"));
}

static bool range_end_is_open(const QualityRule *rule, int32_t end)
{
    return rule->listed.plain[end] && range_is_open(rule->listed.items[end]);
}

static bool is_number(Str text)
{
    Decimal number;
    return decimal_parse(text, &number) == DECIMAL_OK;
}

/* A text column and bounds that are numbers: nothing to compare, and the rule that would. */
static Status refuse_range_of_texts(const QualityRule *rule, Str name, Err *err)
{
    Str low = rule->listed.items[0], high = rule->listed.items[1];
    (void)err_set(err, ERR_CONFIG, "the column %.*s is text, and the range is of numbers",
                  STR_ARG(name));
    if (range_end_is_open(rule, 1)) {
        return err_hint(err, "write the rule \"%.*s\"::numeric >= %.*s", STR_ARG(name),
                        STR_ARG(low));
    }
    if (range_end_is_open(rule, 0)) {
        return err_hint(err, "write the rule \"%.*s\"::numeric <= %.*s", STR_ARG(name),
                        STR_ARG(high));
    }
    return err_hint(err, "write the rule \"%.*s\"::numeric between %.*s and %.*s", STR_ARG(name),
                    STR_ARG(low), STR_ARG(high));
}

/* Bounds are compared by the column's type: numbers, in quotes or not, with numbers. */
static Status range_text(const QualityRule *rule, const Field *field, Buf *out, Err *err)
{
    TypeId type = field->type;
    static const char *const SIGNS[] = {" >= ", " <= "};
    for (int32_t i = 0; i < 2; i++) {
        if (range_end_is_open(rule, i)) continue;
        bool number = is_number(rule->listed.items[i]);
        if (number && rule->listed.plain[i] && type == TYPE_TEXT) {
            return refuse_range_of_texts(rule, field->name, err);
        }
        if (out->len) TRY(buf_append(out, STR(" AND "), err));
        TRY(put_name(out, field->name, err));
        TRY(buf_append(out, str_from(SIGNS[i]), err));
        TRY(put_literal(out, rule->listed.items[i], number && type != TYPE_TEXT, err));
    }
    return OK;
}

static Status compile_expression(QualityCheck *check, RuleState *state, Err *err)
{
    const QualityRule *rule = state->rule;
    CLEANUP(buf_done) Buf text = buf_make(1 << 20);
    const Field *field = state->count ? &check_schema(check)->fields[state->columns[0]] : NULL;
    if (rule->kind == RULE_ACCEPTED) {
        TRY(accepted_text(rule, field, &text, err));
    } else if (rule->kind == RULE_RANGE) {
        TRY(range_text(rule, field, &text, err));
    } else if (rule->kind == RULE_ROW) {
        TRY(buf_append(&text, rule->expression, err));
    } else {
        return OK;
    }
    if (!text.len) return OK;
    return expr_compile(buf_str(&text), check_schema(check), NULL, TYPE_BOOL, &state->good, err);
}

/* ---- kinds ---- */

static bool needs_columns(RuleKind kind)
{
    return kind != RULE_ROW && kind != RULE_ROW_COUNT && kind != RULE_SCHEMA &&
           kind != RULE_CONSISTENCY && kind != RULE_READABLE;
}

static Status compile_consistency(QualityCheck *check, RuleState *state, Err *err)
{
    const QualityRule *rule = state->rule;
    state->consistency.email = schema_find_written(check->o.schema, STR("email"));
    state->consistency.date = schema_find_written(check->o.schema, STR("date"));
    if (rule->consistency.email.len)
        TRY(find_column(check, rule->consistency.email, &state->consistency.email, err));
    if (rule->consistency.date.len)
        TRY(find_column(check, rule->consistency.date, &state->consistency.date, err));
    state->consistency.dates_counted =
        state->consistency.date >= 0 && check->o.text_file && state->where < 0 &&
        !rule->consistency.layout_count &&
        check->o.schema->fields[state->consistency.date].type == TYPE_TEXT;
    return OK;
}

static Status compile_repeats(QualityCheck *check, RuleState *state, Err *err)
{
    const QualityRule *rule = state->rule;
    bool unique = rule->kind == RULE_UNIQUE;
    if (!unique && rule->kind != RULE_UNIQUENESS && rule->kind != RULE_DUPLICATES &&
        rule->kind != RULE_REPEAT_SHARE) {
        return OK;
    }
    RepeatState wanted = {.columns = state->columns,
                          .count = state->count,
                          .where = state->where,
                          .skip_nulls = unique,
                          .wanted = state->evidence_max};
    return repeats_add(check, wanted, &state->repeats, err);
}

typedef struct SetFill {
    ValueSet *set;
} SetFill;

static Status set_fill(void *to, const Column *column, Err *err)
{
    SetFill *fill = to;
    return value_set_add(fill->set, column, err);
}

static Status compile_relation(QualityCheck *check, RuleState *state, Err *err)
{
    if (state->rule->kind != RULE_RELATION) return OK;
    const OtherSide *other = check->o.other;
    if (!other) return err_set(err, ERR_CONFIG, "other datasets can't be read here");
    TRY(value_set_new(check->o.budget, &state->set, err));
    SetFill fill = {state->set};
    return other->values(other->arg, &state->rule->other, set_fill, &fill, err);
}

/* A number of the source that is read as text because it may have more than 38 digits. */
static Status refuse_wide_number(const QualityCheck *check, const RuleState *state, Err *err)
{
    RuleKind kind = state->rule->kind;
    bool compares = kind == RULE_RANGE || (kind >= RULE_MIN && kind <= RULE_DEVIATION);
    const Field *field = compares ? &check->o.schema->fields[state->columns[0]] : NULL;
    if (!field || field->type != TYPE_TEXT || !str_starts(field->native, STR("numeric(")))
        return OK;
    return err_set(err, ERR_CONFIG, "the column %.*s is %.*s, of more than 38 digits",
                   STR_ARG(field->name), STR_ARG(field->native));
}

static Status compile_rule(QualityCheck *check, RuleState *state, Err *err)
{
    TRY(where_add(check, state->rule->where, &state->where, err));
    if (needs_columns(state->rule->kind)) TRY(rule_columns(check, state, err));
    TRY(refuse_wide_number(check, state, err));
    if (state->rule->kind == RULE_CONSISTENCY) TRY(compile_consistency(check, state, err));
    TRY(compile_repeats(check, state, err));
    TRY(compile_relation(check, state, err));
    return compile_expression(check, state, err);
}

static Status rule_make(QualityCheck *check, const QualityRule *rule, RuleState *state, Err *err)
{
    *state = (RuleState){
        .rule = rule, .where = -1, .repeats = -1, .consistency.email = -1, .consistency.date = -1};
    state->newest_us = INT64_MIN;
    state->evidence_max = rule->evidence >= 0 ? rule->evidence : check->o.set->evidence;
    state->evidence = ARENA_ARRAY(&check->arena, Evidence, state->evidence_max + 1);
    if (!state->evidence) return err_memory(err);
    Err why = {0};
    if (compile_rule(check, state, &why) == OK) return OK;
    return rule_broken(check, state, &why, err);
}

static Status key_make(QualityCheck *check, Err *err)
{
    const QualitySet *set = check->o.set;
    check->key = ARENA_ARRAY(&check->arena, int32_t, set->key_count + 1);
    if (!check->key) return err_memory(err);
    for (int32_t i = 0; i < set->key_count; i++) {
        if (find_column(check, set->key[i], &check->key[i], err) != OK) {
            return err_prefix(err, "key: ");
        }
        check->key_count++;
    }
    return OK;
}

/* The dataset's own repeats, which every report tells. */
static Status whole_make(QualityCheck *check, Err *err)
{
    int32_t count = check->o.schema->count;
    int32_t *columns = ARENA_ARRAY(&check->arena, int32_t, count + 1);
    if (!columns) return err_memory(err);
    for (int32_t i = 0; i < count; i++) columns[i] = i;
    return repeats_add(check, (RepeatState){.columns = columns, .count = count, .where = -1},
                       &check->whole, err);
}

/* A column without a value fits every type: it is DYNAMIC. */
static Status loose_make(QualityCheck *check, Err *err)
{
    const Schema *schema = check->o.schema;
    Field *fields = ARENA_ARRAY(&check->arena, Field, schema->count + 1);
    bool found = false;
    if (!fields) return err_memory(err);
    for (int32_t i = 0; i < schema->count; i++) {
        fields[i] = schema->fields[i];
        if (fields[i].no_values) fields[i].type = TYPE_DYNAMIC;
        found |= fields[i].no_values || check_is_padded(&fields[i]);
    }
    return found ? schema_new(fields, schema->count, false, &check->loose, err) : OK;
}

Status check_compile(QualityCheck *check, Err *err)
{
    const QualitySet *set = check->o.set;
    if (check->o.schema->open) {
        return err_set(err, ERR_CONFIG, "a check needs known columns, not JSON objects");
    }
    check->columns = ARENA_ARRAY(&check->arena, ColumnState, check->o.schema->count + 1);
    check->wheres = ARENA_ARRAY(&check->arena, WhereState, set->rule_count + 1);
    check->repeats = ARENA_ARRAY(&check->arena, RepeatState, set->rule_count + 1);
    check->rules = ARENA_ARRAY(&check->arena, RuleState, set->rule_count + 1);
    if (!check->columns || !check->wheres || !check->repeats || !check->rules) {
        return err_memory(err);
    }
    for (int32_t i = 0; i < check->o.schema->count; i++) {
        check->columns[i].scan.kinds = CSV_ANY;
    }
    TRY(loose_make(check, err));
    TRY(key_make(check, err));
    if (!check->o.no_repeats) TRY(whole_make(check, err));
    for (int32_t i = 0; i < set->rule_count; i++) {
        TRY(rule_make(check, &set->rules[i], &check->rules[i], err));
        check->rule_count++;
    }
    return OK;
}
