/* A generic option engine: fills structs from YAML maps by tables and collects every mistake. */
#include "foundation/config/option.h"

#include <stdarg.h>
#include <stdio.h>

#include "foundation/base/number.h"
#include "foundation/base/redact.h"

void mistake_add(MistakeList *list, int64_t line, int64_t column, Str hint, const char *format, ...)
{
    if (list->count == list->capacity && list->count < MISTAKES_MAX) {
        int32_t capacity = list->capacity ? list->capacity * 2 : 16;
        Mistake *items = ARENA_ARRAY(list->arena, Mistake, capacity);
        if (items) {
            if (list->count) memcpy(items, list->items, (size_t)list->count * sizeof *items);
            list->items = items;
            list->capacity = capacity;
        }
    }
    if (list->count >= list->capacity) return;
    char text[1024];
    va_list args;
    va_start(args, format);
    bool cut = vsnprintf(text, sizeof text, format, args) >= (int)sizeof text;
    va_end(args);
    int64_t len = redact_text(text, (int64_t)strlen(text), cut);
    Mistake *mistake = &list->items[list->count];
    *mistake = (Mistake){.line = line, .column = column};
    if (arena_copy(list->arena, str_make(text, len), &mistake->what, NULL) != OK) return;
    if (hint.len && arena_copy(list->arena, hint, &mistake->hint, NULL) != OK) return;
    list->count++;
}

const YamlNode *option_node(const OptionHead *head, const char *name)
{
    return head->node ? yaml_get(head->node, str_from(name)) : NULL;
}

/* ---- values ---- */

/* The number at the start of the text; *rest is what follows. */
static bool leading_number(Str text, double *ret_value, Str *ret_rest)
{
    int64_t len = 0;
    while (len < text.len &&
           ((text.ptr[len] >= '0' && text.ptr[len] <= '9') || text.ptr[len] == '.')) {
        len++;
    }
    *ret_rest = str_trim(str_slice(text, len, text.len));
    return len > 0 && number_parse_double(str_slice(text, 0, len), ret_value) == NUMBER_OK;
}

bool option_parse_size(Str text, int64_t *ret_bytes)
{
    static const char *const UNITS[] = {"b", "k", "m", "g", "t"};
    double value;
    Str unit;
    if (!leading_number(str_trim(text), &value, &unit)) return false;
    double factor = 1;
    if (unit.len) {
        int64_t at = 0;
        while (at < COUNT_OF(UNITS) && !str_starts_nocase(unit, str_from(UNITS[at]))) at++;
        Str rest = str_slice(unit, 1, unit.len);
        bool known =
            rest.len == 0 || str_eq_nocase(rest, STR("b")) || str_eq_nocase(rest, STR("ib"));
        if (at == COUNT_OF(UNITS) || !known) return false;
        for (; at > 0; at--) factor *= 1024;
    }
    if (value * factor > 9e18) return false;
    *ret_bytes = (int64_t)(value * factor);
    return true;
}

bool option_parse_duration(Str text, int64_t *ret_us)
{
    static const struct {
        const char *name;
        double us;
    } UNITS[] = {{"us", 1},     {"ms", 1e3},   {"s", 1e6},     {"sec", 1e6},   {"m", 60e6},
                 {"min", 60e6}, {"h", 3600e6}, {"d", 86400e6}, {"w", 604800e6}};
    text = str_trim(text);
    double total = 0;
    bool any = false;
    while (text.len) {
        double value;
        Str rest;
        if (!leading_number(text, &value, &rest)) return false;
        int64_t len = 0;
        while (len < rest.len && rest.ptr[len] >= 'a' && rest.ptr[len] <= 'z') len++;
        Str unit = str_slice(rest, 0, len);
        int64_t at = 0;
        while (at < COUNT_OF(UNITS) && !str_eq(unit, str_from(UNITS[at].name))) at++;
        if (at == COUNT_OF(UNITS)) return false;
        total += value * UNITS[at].us;
        text = str_trim(str_slice(rest, len, rest.len));
        any = true;
    }
    if (!any || total > 9e18) return false;
    *ret_us = (int64_t)total;
    return true;
}

bool option_parse_share(Str text, double *ret_share)
{
    text = str_trim(text);
    bool percent = str_ends(text, STR("%"));
    if (percent) text = str_trim(str_slice(text, 0, text.len - 1));
    double value;
    if (number_parse_double(text, &value) != NUMBER_OK) return false;
    if (percent) value /= 100;
    if (!(value >= 0 && value <= 1)) return false;
    *ret_share = value;
    return true;
}

static bool parse_bool(Str text, bool *ret_value)
{
    bool yes = str_eq_nocase(text, STR("true")) || str_eq_nocase(text, STR("yes")) ||
               str_eq_nocase(text, STR("on"));
    bool no = str_eq_nocase(text, STR("false")) || str_eq_nocase(text, STR("no")) ||
              str_eq_nocase(text, STR("off"));
    *ret_value = yes;
    return yes || no;
}

static bool parse_name(Str text)
{
    for (int64_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
        bool later = (c >= '0' && c <= '9') || c == '-' || c == '.';
        if (!letter && !(i > 0 && later)) return false;
    }
    return text.len > 0;
}

/* What a value must look like, for messages. */
static const char *type_hint(OptionType type)
{
    switch (type) {
    case OPTION_BOOL:
        return "true or false";
    case OPTION_INT:
        return "a whole number, not negative";
    case OPTION_SIZE:
        return "a size like 512MB";
    case OPTION_DURATION:
        return "a duration like 30s, 5m or 1h";
    case OPTION_SHARE:
        return "a share like 10% or 0.1";
    case OPTION_NAME:
        return "a name of letters, digits, _ - and .";
    case OPTION_TEXTS:
        return "a list of texts";
    case OPTION_GROUP:
    case OPTION_GROUPS:
        return "a map";
    case OPTION_ITEMS:
        return "a list of maps";
    case OPTION_TEXT:
    case OPTION_CHOICE:
    case OPTION_NODE:
        break;
    }
    return "text";
}

static void *field_of(const Option *option, void *target)
{
    return (char *)target + option->offset;
}

static bool set_choice(const Option *option, Str text, int32_t *field)
{
    for (int32_t i = 0; option->choices[i]; i++) {
        if (!str_eq_nocase(text, str_from(option->choices[i]))) continue;
        *field = i;
        return true;
    }
    return false;
}

/* A scalar's value into its field; false when it is not one of that type. */
static bool set_scalar(const Option *option, Str text, void *target)
{
    void *field = field_of(option, target);
    switch (option->type) {
    case OPTION_TEXT:
        *(Str *)field = text;
        return true;
    case OPTION_NAME:
        *(Str *)field = text;
        return parse_name(text);
    case OPTION_BOOL:
        return parse_bool(text, field);
    case OPTION_INT:
        return number_parse_int64(text, field) == NUMBER_OK && *(int64_t *)field >= 0;
    case OPTION_SIZE:
        return option_parse_size(text, field);
    case OPTION_DURATION:
        return option_parse_duration(text, field);
    case OPTION_SHARE:
        return option_parse_share(text, field);
    case OPTION_CHOICE:
        return set_choice(option, text, field);
    case OPTION_TEXTS:
    case OPTION_GROUP:
    case OPTION_GROUPS:
    case OPTION_ITEMS:
    case OPTION_NODE:
        break;
    }
    return false;
}

static void choice_mistake(const Option *option, const YamlNode *node, MistakeList *mistakes)
{
    char known[512];
    int64_t len = 0;
    Str names[32];
    int32_t count = 0;
    for (; option->choices[count] && count < 32 && len < 500; count++) {
        names[count] = str_from(option->choices[count]);
        len += snprintf(known + len, sizeof known - (size_t)len, "%s%s", count ? ", " : "",
                        option->choices[count]);
    }
    char hint[600];
    Str near = str_nearest(node->text, names, count);
    if (near.len) (void)snprintf(hint, sizeof hint, "did you mean %.*s?", STR_ARG(near));
    else (void)snprintf(hint, sizeof hint, "one of: %s", known);
    mistake_add(mistakes, node->line, node->column, str_from(hint), "`%s` can't be \"%.*s\"",
                option->name, STR_ARG(node->text));
}

static void value_mistake(const Option *option, const YamlNode *node, MistakeList *mistakes)
{
    if (node->kind != YAML_SCALAR) {
        mistake_add(mistakes, node->line, node->column, STR_NULL, "`%s` must be %s, not a %s",
                    option->name, type_hint(option->type), node->kind == YAML_MAP ? "map" : "list");
    } else if (option->type == OPTION_CHOICE) {
        choice_mistake(option, node, mistakes);
    } else {
        mistake_add(mistakes, node->line, node->column, STR_NULL, "`%s` must be %s, not \"%.*s\"",
                    option->name, type_hint(option->type), STR_ARG(node->text));
    }
}

/* ---- lists and groups ---- */

static Status fill_texts(const Option *option, const YamlNode *node, void *target,
                         MistakeList *mistakes, Err *err)
{
    TextList *list = field_of(option, target);
    bool one = node->kind == YAML_SCALAR;
    if (node->kind == YAML_MAP) {
        value_mistake(option, node, mistakes);
        return OK;
    }
    int32_t count = one ? 1 : node->count;
    Str *items = ARENA_ARRAY(mistakes->arena, Str, count ? count : 1);
    if (!items) return err_memory(err);
    const YamlNode *at = one ? node : node->first;
    for (int32_t i = 0; i < count; i++, at = at->next) {
        if (at->kind != YAML_SCALAR) value_mistake(option, at, mistakes);
        items[i] = at->text;
    }
    *list = (TextList){items, count};
    return OK;
}

static Status fill_groups(const Option *option, const YamlNode *node, void *target,
                          MistakeList *mistakes, Err *err)
{
    GroupList *list = field_of(option, target);
    YamlKind wanted = option->type == OPTION_GROUPS ? YAML_MAP : YAML_LIST;
    if (node->kind != wanted) {
        value_mistake(option, node, mistakes);
        return OK;
    }
    list->items = ARENA_ARRAY(mistakes->arena, void *, node->count ? node->count : 1);
    if (!list->items) return err_memory(err);
    for (const YamlNode *at = node->first; at; at = at->next) {
        void *item = arena_alloc(mistakes->arena, option->group->size);
        if (!item) return err_memory(err);
        ((OptionHead *)item)->name = at->key;
        TRY(option_fill(option->group, at, item, mistakes, err));
        list->items[list->count++] = item;
    }
    return OK;
}

static Status fill_option(const Option *option, const YamlNode *node, void *target,
                          MistakeList *mistakes, Err *err)
{
    switch (option->type) {
    case OPTION_NODE:
        *(const YamlNode **)field_of(option, target) = node;
        return OK;
    case OPTION_TEXTS:
        return fill_texts(option, node, target, mistakes, err);
    case OPTION_GROUP:
        return option_fill(option->group, node, field_of(option, target), mistakes, err);
    case OPTION_GROUPS:
    case OPTION_ITEMS:
        return fill_groups(option, node, target, mistakes, err);
    case OPTION_TEXT:
    case OPTION_NAME:
    case OPTION_BOOL:
    case OPTION_INT:
    case OPTION_SIZE:
    case OPTION_DURATION:
    case OPTION_SHARE:
    case OPTION_CHOICE:
        break;
    }
    bool ok = node->kind == YAML_SCALAR && set_scalar(option, node->text, target);
    if (!ok) value_mistake(option, node, mistakes);
    return OK;
}

static void set_defaults(const OptionGroup *group, void *target)
{
    for (int32_t i = 0; i < group->count; i++) {
        const Option *option = &group->options[i];
        if (option->type == OPTION_GROUP) set_defaults(option->group, field_of(option, target));
        if (!option->otherwise) continue;
        bool ok = set_scalar(option, str_from(option->otherwise), target);
        assert(ok);
    }
}

static void unknown_key(const OptionGroup *group, const YamlNode *node, MistakeList *mistakes)
{
    Str names[64];
    for (int32_t i = 0; i < group->count && i < 64; i++) {
        names[i] = str_from(group->options[i].name);
    }
    char hint[128] = "";
    Str near = str_nearest(node->key, names, group->count < 64 ? group->count : 64);
    if (near.len) (void)snprintf(hint, sizeof hint, "did you mean `%.*s`?", STR_ARG(near));
    mistake_add(mistakes, node->key_line, node->key_column, str_from(hint),
                "unknown key `%.*s` in %s", STR_ARG(node->key), group->name);
}

static const Option *option_find(const OptionGroup *group, Str name)
{
    for (int32_t i = 0; i < group->count; i++) {
        if (str_eq(name, str_from(group->options[i].name))) return &group->options[i];
    }
    return NULL;
}

Status option_fill(const OptionGroup *group, const YamlNode *map, void *target,
                   MistakeList *mistakes, Err *err)
{
    set_defaults(group, target);
    if (yaml_is_null(map)) return OK;
    if (map->kind != YAML_MAP) {
        mistake_add(mistakes, map->line, map->column, STR_NULL, "%s must be a map of keys",
                    group->name);
        return OK;
    }
    ((OptionHead *)target)->node = map;
    for (const YamlNode *at = map->first; at; at = at->next) {
        const Option *option = option_find(group, at->key);
        if (!option) unknown_key(group, at, mistakes);
        else if (!yaml_is_null(at) || option->type == OPTION_NODE) {
            TRY(fill_option(option, at, target, mistakes, err));
        }
    }
    for (int32_t i = 0; i < group->count; i++) {
        const Option *option = &group->options[i];
        if (!option->required || yaml_get(map, str_from(option->name))) continue;
        int64_t line = map->key_line ? map->key_line : map->line;
        mistake_add(mistakes, line, map->key_line ? map->key_column : map->column, STR_NULL,
                    "%s lacks `%s`", group->name, option->name);
    }
    return OK;
}
