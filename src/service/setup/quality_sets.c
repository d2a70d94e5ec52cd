/* Sets of quality rules as configured: where the rows are, and which rules judge them. */
#include "service/schedule/schedule.h"
#include "service/setup/configured_location.h"
#include "service/setup/mistake_place.h"
#include "service/setup/quality_rules.h"
#include "service/setup/sections.h"
#include "service/setup/source_params.h"

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

Status quality_set_make(Configuration *c, const QualityOptions *o, QualitySet *set, Err *err)
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
        TRY(quality_set_make(c, list->items[i], &c->quality[i], err));
        c->quality_count++;
    }
    return OK;
}
