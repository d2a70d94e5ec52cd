/* Pipelines as configured: connections looked up, parameters typed, rejects and modes settled. */
#include "foundation/base/hash.h"
#include "foundation/base/number.h"
#include "service/setup/configured_location.h"
#include "service/setup/mistake_place.h"
#include "service/setup/sections.h"
#include "service/setup/source_params.h"

/* Of a database there is a table or a query, and of both one. */
static void from_check(Configuration *c, const PipelineOptions *o, const PipelineConfig *p)
{
    const YamlNode *query = option_node(&o->head, "query");
    if (o->source.from_table.len && o->source.query.len) {
        mistake_add(&c->mistakes, query->line, query->column, STR("leave one of them out"),
                    "`from_table` and `query` exclude each other");
    }
    const SourceReq req = {.location = &p->from,
                           .table = p->from_table,
                           .query = p->query,
                           .incremental.cursor = p->incremental.cursor,
                           .order.primary = p->primary.connector ? &p->primary : NULL,
                           .order.lag_us = p->incremental.lag_us,
                           .order.lag_count = p->incremental.lag_count};
    source_check(c, option_node(&o->head, "from"), &req);
}

/* `csv:` options go where those of the location's fragment go. `types` may be a map. */
static Status csv_types(Configuration *c, const YamlNode *node, Str *ret_text, Err *err)
{
    CLEANUP(buf_done) Buf text = buf_make(1 << 20);
    for (const YamlNode *at = node->first; at; at = at->next) {
        if (text.len) TRY(buf_append_char(&text, ',', err));
        TRY(buf_append(&text, at->key, err));
        TRY(buf_append_char(&text, ':', err));
        TRY(buf_append(&text, at->text, err));
    }
    return arena_copy(&c->arena, buf_str(&text), ret_text, err);
}

/* A source that is none was a mistake already. */
static bool option_known(Configuration *c, const Connector *connector, const YamlNode *node)
{
    if (!connector || connector_has_option(connector, node->key)) return true;
    Str near = connector_nearest_option(connector, node->key);
    mistake_add(&c->mistakes, node->key_line, node->key_column,
                near.len ? near : STR("see docs/files.md"), "`csv`: unknown option `%.*s`",
                STR_ARG(node->key));
    return false;
}

static Status csv_make(Configuration *c, const YamlNode *node, PipelineConfig *p, Err *err)
{
    if (!node || yaml_is_null(node)) return OK;
    for (const YamlNode *at = node->kind == YAML_MAP ? node->first : NULL; at; at = at->next) {
        Str value = at->text;
        if (!option_known(c, p->from.connector, at)) continue;
        if (at->kind == YAML_MAP) TRY(csv_types(c, at, &value, err));
        TRY(location_set(&p->from, &c->arena, at->key, value, err));
    }
    if (node->kind != YAML_MAP) {
        mistake_add(&c->mistakes, node->line, node->column, STR_NULL, "`csv` must be a map");
    }
    return OK;
}

/* stop | a table beside the data | a location. */
static void rejects_make(Configuration *c, const PipelineOptions *o, PipelineConfig *p)
{
    const YamlNode *node = o->rejects;
    if (!node || yaml_is_null(node) || str_eq(node->text, STR("stop"))) return;
    if (node->kind != YAML_SCALAR) {
        mistake_add(&c->mistakes, node->line, node->column, STR_NULL,
                    "`rejects` must be `stop`, a table or a location");
        return;
    }
    p->reject.on = true;
    Err err = {0};
    bool place = str_find(node->text, STR("://")) >= 0 || str_find_char(node->text, '/') >= 0 ||
                 str_find_char(node->text, '#') >= 0;
    bool file = location_parse(c->registry, node->text, &c->arena, &p->reject.to, &err) == OK;
    if (!file && place) mistake_from(c, node, &err);
    p->reject.elsewhere = file;
    p->reject.table = file ? STR("neuron_rejects") : node->text;
    if (!file || !location_same_file(&p->to, &p->reject.to)) return;
    mistake_add(&c->mistakes, node->line, node->column, STR("name another file"),
                "`rejects`: the rows themselves go to this file");
}

static void mode_make(Configuration *c, const PipelineOptions *o, PipelineConfig *p)
{
    const YamlNode *node = option_node(&o->head, "mode");
    p->mode = (SinkMode)o->mode;
    if (!node) {
        bool file = p->to.kind == LOCATION_FILE;
        p->mode = file ? SINK_REPLACE : p->target.key_count > 0 ? SINK_UPSERT : SINK_APPEND;
    }
    bool needs_key = p->mode == SINK_UPSERT || p->mode == SINK_MIRROR;
    if (needs_key && p->target.key_count == 0 && node) {
        mistake_add(&c->mistakes, node->line, node->column, STR("name its columns: `key: [id]`"),
                    "mode %.*s needs a `key`", STR_ARG(node->text));
    }
}

/* `overlap` and `lag`: a number of the cursor's, or a time. */
static void span_make(Configuration *c, const PipelineOptions *o, const char *key, Str text,
                      int64_t *ret_us, int64_t *ret_count)
{
    const YamlNode *node = option_node(&o->incremental.head, key);
    if (!node) return;
    bool number = number_parse_int64(text, ret_count) == NUMBER_OK && *ret_count >= 0;
    if (number || option_parse_duration(text, ret_us)) return;
    mistake_add(
        &c->mistakes, node->line, node->column,
        STR("a duration like 30s, 5m or 1h, or a number like 1000 for a cursor that is one"),
        "`%s` can't be \"%.*s\"", key, STR_ARG(text));
}

/* What is read again on purpose must be known again: by a key, in a target that can merge. */
static void overlap_check(Configuration *c, const PipelineOptions *o, const PipelineConfig *p)
{
    const YamlNode *node = option_node(&o->incremental.head, "overlap");
    if (!node || (!p->incremental.overlap_us && !p->incremental.overlap_count)) return;
    if (p->to.connector && !p->to.connector->merges) {
        mistake_add(&c->mistakes, node->line, node->column,
                    STR("leave it out, or load into a database with a `key`"),
                    "`overlap` reads rows again, and a %s would have them twice",
                    p->to.kind == LOCATION_TOPIC ? "topic" : "file");
    } else if (p->mode == SINK_APPEND && p->target.key_count == 0) {
        mistake_add(&c->mistakes, node->line, node->column,
                    STR("name the columns of a key: `key: [id]`, with mode upsert or append"),
                    "`overlap` reads rows again, and without a `key` they would be appended twice");
    }
}

static void incremental_make(Configuration *c, const PipelineOptions *o, PipelineConfig *p)
{
    const IncrementalOptions *from = &o->incremental;
    Incremental *inc = &p->incremental;
    *inc = (Incremental){.cursor = from->cursor, .start = from->start};
    inc->nulls_read = from->nulls == 1;
    inc->emptied = (EmptiedTarget)from->emptied;
    inc->order_said = from->overlap.len > 0 || from->lag.len > 0;
    span_make(c, o, "overlap", from->overlap, &inc->overlap_us, &inc->overlap_count);
    span_make(c, o, "lag", from->lag, &inc->lag_us, &inc->lag_count);
    const YamlNode *primary = option_node(&o->head, "primary");
    if (!primary || from->cursor.len) return;
    mistake_add(&c->mistakes, primary->line, primary->column,
                STR("leave it out, or name the cursor: `incremental: { cursor: id }`"),
                "`primary` is asked for the watermark of an incremental pipeline");
}

static Status hash_make(Configuration *c, const PipelineOptions *o, PipelineConfig *p, Err *err)
{
    /* What the pipeline does, not where its connections point to: names, query, steps, modes. */
    CLEANUP(buf_done) Buf text = buf_make(1 << 24);
    const Str parts[] = {o->source.from, o->source.from_table,  o->source.query,     o->to,
                         o->table,       o->incremental.cursor, o->incremental.start};
    for (int64_t i = 0; i < COUNT_OF(parts); i++) {
        TRY(buf_append(&text, parts[i], err));
        TRY(buf_append_char(&text, 0, err));
    }
    for (int32_t i = 0; i < p->step_count; i++) {
        TRY(buf_printf(&text, err, "%d", (int)p->steps[i].kind));
        TRY(buf_append(&text, p->steps[i].text, err));
        for (int32_t j = 0; j < p->steps[i].column_count; j++) {
            TRY(buf_append(&text, p->steps[i].columns[j], err));
            TRY(buf_append_char(&text, 0, err));
        }
    }
    TRY(buf_printf(&text, err, "%d", (int)p->mode));
    char hex[32];
    hash_128_hex(hash_128(buf_str(&text)), hex);
    return arena_copy(&c->arena, str_make(hex, 32), &p->config_hash, err);
}

static Status pipeline_make(Configuration *c, const PipelineOptions *o, PipelineConfig *p, Err *err)
{
    *p = (PipelineConfig){
        .name = o->head.name,
        .from_table = o->source.from_table,
        .query = o->source.query,
        .table = o->table,
        .target.key = o->key.items,
        .target.key_count = o->key.count,
        .target.ignore_for_change = o->ignore_for_change.items,
        .target.ignore_count = o->ignore_for_change.count,
        .target.create = o->create,
        .target.evolve = o->evolve,
        .target.max_delete = o->max_delete,
        .parallel = (int32_t)int64_min(o->parallel, 64),
        .retry.attempts = (int32_t)int64_min(o->retry.attempts, 1000),
        .retry.wait_us = o->retry.wait_us,
    };
    location_settle(c, &o->head, "from", o->source.from, &p->from);
    location_settle(c, &o->head, "primary", o->source.primary, &p->primary);
    location_settle(c, &o->head, "to", o->to, &p->to);
    if (!p->table.len && p->from_table.len && p->to.kind != LOCATION_FILE) p->table = p->from_table;
    TRY(params_make(c, o->source.params, &p->params, &p->param_count, err));
    params_check(c, o->source.params, o->source.query);
    TRY(csv_make(c, o->source.csv, p, err));
    TRY(steps_make(c, o->steps, p, err));
    rejects_make(c, o, p);
    mode_make(c, o, p);
    incremental_make(c, o, p);
    overlap_check(c, o, p);
    from_check(c, o, p);
    return hash_make(c, o, p, err);
}

Status pipelines_make(Configuration *c, Err *err)
{
    const GroupList *list = &c->options.pipelines;
    c->pipelines = ARENA_ARRAY(&c->arena, PipelineConfig, list->count ? list->count : 1);
    if (!c->pipelines) return err_memory(err);
    for (int32_t i = 0; i < list->count; i++) {
        TRY(pipeline_make(c, list->items[i], &c->pipelines[i], err));
        c->pipeline_count++;
    }
    return OK;
}
