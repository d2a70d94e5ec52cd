/* Sets of quality rules as configured: where the rows are, and which rules judge them. */
#include "foundation/base/file.h"
#include "service/schedule/schedule.h"
#include "service/setup/configuration_impl.h"
#include "service/setup/quality_options.h"
#include "service/setup/quality_rules.h"

static void check_schedule(Configuration *c, const QualityOptions *o)
{
    const YamlNode *node = option_node(&o->head, "schedule");
    Schedule schedule = {0};
    Err why = {0};
    if (!node || !o->schedule.len) return;
    if (!o->from.len) {
        mistake_add(&c->mistakes, node->line, node->column, STR("say where the rows are: `from:`"),
                    "a schedule needs a dataset");
    }
    if (schedule_parse(o->schedule, &schedule, &why) != OK) mistake_from(c, node, &why);
    schedule_done(&schedule);
}

static void check_score(Configuration *c, const QualityOptions *o)
{
    const YamlNode *node = option_node(&o->head, "min_score");
    if (!node || o->min_score <= 100) return;
    mistake_add(&c->mistakes, node->line, node->column, STR_NULL,
                "`min_score` is from 0 to 100, not \"%.*s\"", STR_ARG(node->text));
}

static Status set_make(Configuration *c, const QualityOptions *o, QualitySet *set, Err *err)
{
    *set = (QualitySet){
        .name = o->head.name,
        .table = o->table,
        .query = o->query,
        .key = o->key.items,
        .key_count = o->key.count,
        .schedule = o->schedule,
        .at_start = o->at_start,
        .min_score = (double)o->min_score,
        .keep = o->keep,
        .evidence = (int32_t)int64_min(o->evidence, 1000),
        .mask = o->mask,
    };
    location_settle(c, &o->head, "from", o->from, &set->from);
    if (o->table.len && o->query.len) {
        const YamlNode *node = option_node(&o->head, "query");
        mistake_add(&c->mistakes, node->line, node->column, STR_NULL,
                    "`table` and `query` exclude each other");
    }
    const SourceReq req = {.location = &set->from, .table = set->table, .query = set->query};
    source_check(c, option_node(&o->head, "from"), &req);
    TRY(params_make(c, o->params, &set->params, &set->param_count, err));
    params_check(c, o->params, o->query);
    check_schedule(c, o);
    check_score(c, o);
    return quality_rules_make(c, o, set, err);
}

Status quality_make(Configuration *c, Err *err)
{
    const GroupList *list = &c->options.quality;
    c->quality = ARENA_ARRAY(&c->arena, QualitySet, list->count ? list->count : 1);
    if (!c->quality) return err_memory(err);
    for (int32_t i = 0; i < list->count; i++) {
        TRY(set_make(c, list->items[i], &c->quality[i], err));
        c->quality_count++;
    }
    return OK;
}

Status configuration_quality(const Configuration *c, Str name, const QualitySet **ret_set, Err *err)
{
    Str near = STR_NULL;
    for (int32_t i = 0; i < c->quality_count; i++) {
        if (str_eq(c->quality[i].name, name)) {
            *ret_set = &c->quality[i];
            return OK;
        }
        Str candidate = str_nearest(name, &c->quality[i].name, 1);
        if (candidate.ptr && !near.ptr) near = candidate;
    }
    (void)err_set(err, ERR_CONFIG, "no dataset \"%.*s\" in %.*s", STR_ARG(name), STR_ARG(c->path));
    if (near.ptr) return err_hint(err, "did you mean \"%.*s\"?", STR_ARG(near));
    return FAIL;
}

/* ---- a file of rules alone ---- */

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
    return set_make(c, options, ret_set, err);
}
