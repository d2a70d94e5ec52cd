/* `connections:`: each a location, or a map of it and of what belongs to the system there. */
#include "service/setup/mistake_place.h"
#include "service/setup/sections.h"

const char CONNECTIONS_SCHEMA[] =
    "{\"type\":\"object\",\"additionalProperties\":{\"anyOf\":[{\"type\":\"string\"},{\"type\":"
    "\"object\",\"additionalProperties\":false,\"required\":[\"url\"],\"properties\":{\"url\":{"
    "\"type\":\"string\"},\"timeout\":{\"type\":\"string\"},"
    "\"concurrency\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000}}}]}}";

static const Option CONNECTION_OPTIONS[] = {
    {.name = "url",
     .type = OPTION_TEXT,
     .offset = (int64_t)offsetof(ConnectionOptions, url),
     .required = true,
     .summary = "The location."},
    {.name = "timeout",
     .type = OPTION_DURATION,
     .offset = (int64_t)offsetof(ConnectionOptions, timeout_us),
     .otherwise = "24h",
     .summary = "How long a statement may give nothing (PostgreSQL)."},
    {.name = "concurrency",
     .type = OPTION_INT,
     .offset = (int64_t)offsetof(ConnectionOptions, concurrency),
     .otherwise = "16",
     .summary = "How many pipelines, and as many checks, use it at the same time; others wait."},
};
static const OptionGroup CONNECTION_GROUP = {"the connection", sizeof(ConnectionOptions),
                                             CONNECTION_OPTIONS, COUNT_OF(CONNECTION_OPTIONS)};

static void concurrency_check(Configuration *c, const YamlNode *node, int64_t value)
{
    enum { CONCURRENCY_MAX = 1000 };
    if (!node || (value >= 1 && value <= CONCURRENCY_MAX)) return;
    mistake_add(&c->mistakes, node->line, node->column, STR_NULL,
                "`concurrency` must be a number from 1 to %d", CONCURRENCY_MAX);
}

static void timeout_check(Configuration *c, const ConnectionOptions *o, const YamlNode *node,
                          const Location *location)
{
    if (!node) return;
    if (o->timeout_us <= 0) {
        mistake_add(&c->mistakes, node->line, node->column, STR_NULL,
                    "`timeout` must be longer than nothing");
    } else if (!connector_has_option(location->connector, STR("timeout"))) {
        mistake_add(&c->mistakes, node->line, node->column, STR_NULL,
                    "`timeout` is for postgresql:// connections: how long a statement may give"
                    " nothing");
    }
}

/* A location alone, or a map of CONNECTION_GROUP. */
static Status connection_check(Configuration *c, const YamlNode *node, ConnectionOptions *o,
                               Err *err)
{
    static const YamlNode NONE = {.kind = YAML_MAP};
    Location location = {0};
    Err why = {0};
    bool plain = node->kind == YAML_SCALAR;
    if (!plain && node->kind != YAML_MAP) {
        mistake_add(&c->mistakes, node->line, node->column, STR_NULL,
                    "the connection `%.*s` must be a location", STR_ARG(node->key));
        return OK;
    }
    MistakeList ignored = {.arena = &c->arena}; /* the missing `url` of NONE */
    TRY(option_fill(&CONNECTION_GROUP, plain ? &NONE : node, o, plain ? &ignored : &c->mistakes,
                    err));
    o->head.name = node->key;
    o->head.node = node;
    if (plain) o->url = node->text;
    const YamlNode *concurrency = plain ? NULL : option_node(&o->head, "concurrency");
    concurrency_check(c, concurrency, o->concurrency);
    if (!o->url.len && !plain) return OK; /* said already */
    const YamlNode *url = plain ? node : option_node(&o->head, "url");
    Str text = connector_alias(c->registry, o->url);
    if (location_parse(c->registry, text, &c->arena, &location, &why) != OK) {
        mistake_from(c, url, &why);
        return OK;
    }
    timeout_check(c, o, plain ? NULL : option_node(&o->head, "timeout"), &location);
    return OK;
}

Status connections_check(Configuration *c, Err *err)
{
    const YamlNode *connections = c->options.connections;
    concurrency_check(c, option_node(&c->options.head, "concurrency"), c->options.concurrency);
    if (!connections || yaml_is_null(connections)) return OK;
    if (connections->kind != YAML_MAP) {
        mistake_add(&c->mistakes, connections->line, connections->column, STR_NULL,
                    "`connections` must be a map of names to locations");
        return OK;
    }
    c->connections = ARENA_ARRAY(&c->arena, ConnectionOptions, connections->count + 1);
    if (!c->connections) return err_memory(err);
    for (const YamlNode *at = connections->first; at; at = at->next) {
        TRY(connection_check(c, at, &c->connections[c->connection_count], err));
        if (c->connections[c->connection_count].head.node) c->connection_count++;
    }
    return OK;
}
