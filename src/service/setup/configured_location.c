/* Names of connections and locations, looked up. */
#include "service/setup/configured_location.h"

#include "service/setup/mistake_place.h"

Status configuration_location(Configuration *c, Str text, Location *ret_location, Err *err)
{
    const YamlNode *timeout = NULL;
    for (int32_t i = 0; i < c->connection_count; i++) {
        const ConnectionOptions *o = &c->connections[i];
        if (!str_eq(o->head.name, text)) continue;
        text = connector_alias(c->registry, o->url);
        timeout = option_node(&o->head, "timeout");
        break;
    }
    TRY(location_parse(c->registry, text, &c->arena, ret_location, err));
    if (!timeout) return OK;
    return location_set(ret_location, &c->arena, STR("timeout"), timeout->text, err);
}

void location_settle(Configuration *c, const OptionHead *head, const char *key, Str text,
                     Location *location)
{
    const YamlNode *node = option_node(head, key);
    if (!node) return;
    Err err = {0};
    if (configuration_location(c, text, location, &err) == OK) return;
    const YamlNode *connections = c->options.connections;
    bool named = connections && connections->kind == YAML_MAP && yaml_get(connections, text);
    if (named && err.kind == ERR_CONFIG) return; /* said already, at the connection */
    Str names[64];
    int32_t count = 0;
    for (const YamlNode *at = connections && connections->kind == YAML_MAP ? connections->first
                                                                           : NULL;
         at && count < 64; at = at->next) {
        names[count++] = at->key;
    }
    Str near = str_nearest(text, names, count);
    if (near.len) {
        (void)err_hint(&err, "did you mean the connection `%.*s`?", STR_ARG(near));
    }
    (void)err_prefix(&err, "`%s`: ", key);
    mistake_from(c, node, &err);
}

void other_settle(Configuration *c, const YamlNode *node, Str text, OtherData *other)
{
    const YamlNode *connections = c->options.connections;
    int64_t dot = str_find_char(text, '.');
    Str name = dot > 0 ? str_slice(text, 0, dot) : text;
    bool named = connections && connections->kind == YAML_MAP && yaml_get(connections, name);
    Err why = {0};
    other->on = true;
    other->table = named && dot > 0 ? str_slice(text, dot + 1, text.len) : STR_NULL;
    if (configuration_location(c, named ? name : text, &other->location, &why) == OK) return;
    mistake_add(&c->mistakes, node->line, node->column,
                STR("write connection.table, or a file's name"), "no dataset \"%.*s\"",
                STR_ARG(text));
}

void source_check(Configuration *c, const YamlNode *node, const SourceReq *req)
{
    Err why = {0};
    bool known = req->location->connector && (!req->order.primary || req->order.primary->connector);
    if (known && connector_source_check(req, &why) != OK) mistake_from(c, node, &why);
}
