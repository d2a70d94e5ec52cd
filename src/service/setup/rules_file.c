/* A file of quality rules alone. */
#include "foundation/base/file.h"
#include "service/setup/quality_options.h"
#include "service/setup/quality_rules.h"
#include "service/setup/sections.h"

/* A list is the rules; a map is a set. */
static Status rules_root(Configuration *c, YamlNode *root, YamlNode **ret_map, Err *err)
{
    *ret_map = root;
    if (root->kind != YAML_LIST) return OK;
    YamlNode *map = ARENA_NEW(&c->arena, YamlNode);
    if (!map) return err_memory(err);
    *map = (YamlNode){.kind = YAML_MAP, .line = 1, .column = 1, .first = root, .count = 1};
    root->key = STR("rules");
    *ret_map = map;
    return OK;
}

Status configuration_rules_load(const Registry *registry, Str path, const SubstituteFrom *from,
                                Configuration *c, QualitySet *ret_set, Err *err)
{
    TRY(configuration_begin(registry, path, c, err));
    if (file_load(path, &c->text, err) != OK) {
        if (err) err->kind = ERR_CONFIG;
        return FAIL;
    }
    YamlNode *root = NULL;
    if (yaml_parse(buf_str(&c->text), &c->arena, &root, err) != OK) {
        return err_where(err, "%.*s:%lld:%lld", STR_ARG(c->path), (long long)err->line,
                         (long long)err->column);
    }
    TRY(substitute_tree(root, from, &c->mistakes, err));
    TRY(rules_root(c, root, &root, err));
    QualityOptions *options = ARENA_NEW(&c->arena, QualityOptions);
    if (!options) return err_memory(err);
    TRY(option_fill(&QUALITY_GROUP, root, options, &c->mistakes, err));
    if (!options->rules && !options->columns) {
        mistake_add(&c->mistakes, 1, 1, STR("- completeness >= 95"), "no rules are in the file");
    }
    return quality_set_make(c, options, ret_set, err);
}
