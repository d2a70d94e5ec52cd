/* `params:`: values with their types, or times relative to the run. */
#include "service/setup/source_params.h"

#include "connect/query_params.h"
#include "foundation/base/decimal.h"
#include "foundation/base/number.h"

static SourceParam param_of(const YamlNode *node)
{
    SourceParam param = {.name = node->key, .type = TYPE_TEXT, .text = node->text};
    if (!node->plain) return param;
    int64_t integer;
    Decimal decimal;
    if (yaml_is_null(node)) {
        param.null = true;
    } else if (str_eq(node->text, STR("true")) || str_eq(node->text, STR("false"))) {
        param.type = TYPE_BOOL;
    } else if (number_parse_int64(node->text, &integer) == NUMBER_OK) {
        param.type = TYPE_INT64;
    } else if (decimal_parse(node->text, &decimal) == DECIMAL_OK) {
        param.type = TYPE_NUMERIC;
    }
    return param;
}

/* { ago: 1d }: a time relative to the run. */
static bool param_ago(const YamlNode *node, SourceParam *ret_param)
{
    const YamlNode *ago = node->kind == YAML_MAP ? yaml_get(node, STR("ago")) : NULL;
    int64_t ago_us = 0;
    if (!ago || node->count != 1 || ago->kind != YAML_SCALAR ||
        !option_parse_duration(ago->text, &ago_us) || ago_us <= 0) {
        return false;
    }
    *ret_param = (SourceParam){.name = node->key, .type = TYPE_TEXT, .ago_us = ago_us};
    return true;
}

Status params_make(Configuration *c, const YamlNode *node, const SourceParam **ret_params,
                   int32_t *ret_count, Err *err)
{
    if (!node || yaml_is_null(node)) return OK;
    if (node->kind != YAML_MAP) {
        mistake_add(&c->mistakes, node->line, node->column, STR_NULL,
                    "`params` must be a map of names to values");
        return OK;
    }
    SourceParam *params = ARENA_ARRAY(&c->arena, SourceParam, node->count ? node->count : 1);
    if (!params) return err_memory(err);
    for (const YamlNode *at = node->first; at; at = at->next) {
        SourceParam *param = &params[*ret_count];
        if (at->kind == YAML_SCALAR) params[(*ret_count)++] = param_of(at);
        else if (param_ago(at, param)) *ret_count += 1;
        else {
            mistake_add(&c->mistakes, at->line, at->column, STR_NULL,
                        "the parameter `%.*s` must be one value, or { ago: 1d }", STR_ARG(at->key));
        }
    }
    *ret_params = params;
    return OK;
}

void params_check(Configuration *c, const YamlNode *node, Str query)
{
    for (const YamlNode *at = node && node->kind == YAML_MAP ? node->first : NULL; at;
         at = at->next) {
        if (query_uses(query, at->key)) continue;
        Str near = query_nearest(query, at->key);
        mistake_add(&c->mistakes, at->key_line, at->key_column,
                    near.len ? near : STR("take it out, or use it"),
                    query.len ? "the query has no parameter `:%.*s`"
                              : "the parameter `%.*s` has no query that takes it",
                    STR_ARG(at->key));
    }
}
