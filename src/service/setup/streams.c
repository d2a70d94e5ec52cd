/* Streams as configured: places looked up, processors with their texts, everything checked. */
#include "foundation/base/hash.h"
#include "foundation/base/number.h"
#include "service/setup/mistake_place.h"
#include "service/setup/sections.h"

/* One stream while it is made. */
typedef struct BuildContext {
    Configuration *c;
    const StreamOptions *o;
    StreamConfig *s;
} BuildContext;

typedef enum PlaceKind { PLACE_NONE, PLACE_TOPIC, PLACE_TABLE, PLACE_FILE } PlaceKind;

static void mistake_at(const BuildContext *m, const YamlNode *node, const char *hint,
                       const char *what)
{
    if (!node) node = m->o->head.node;
    bool map = node->kind != YAML_SCALAR && node->key_line;
    mistake_add(&m->c->mistakes, map ? node->key_line : node->line,
                map ? node->key_column : node->column, str_from(hint), "%s", what);
}

static bool is_same(const Location *a, const Location *b)
{
    return a->connector == b->connector && str_eq(a->url, b->url) && str_eq(a->path, b->path);
}

/* ---- places ---- */

static bool has_connection(const Configuration *c, Str name)
{
    const YamlNode *connections = c->options.connections;
    return connections && connections->kind == YAML_MAP && yaml_get(connections, name);
}

static Str nearest_connection(const Configuration *c, Str name)
{
    Str names[64];
    int32_t count = 0;
    const YamlNode *connections = c->options.connections;
    const YamlNode *at = connections && connections->kind == YAML_MAP ? connections->first : NULL;
    for (; at && count < 64; at = at->next) names[count++] = at->key;
    return str_nearest(name, names, count);
}

/* The connection of a topic or table; false when it was a mistake. */
static bool place_connection(const BuildContext *m, const StreamPlaceOptions *p, Str name,
                             const YamlNode *node, Location *ret_location)
{
    Err why = {0};
    const YamlNode *said = option_node(&p->head, "connection");
    if (configuration_location(m->c, name, ret_location, &why) == OK) return true;
    if (has_connection(m->c, name)) return false; /* said already, at the connection */
    Str near = nearest_connection(m->c, name);
    if (near.len) (void)err_hint(&why, "did you mean the connection `%.*s`?", STR_ARG(near));
    else if (!said) {
        (void)err_hint(&why, "add `%.*s` to `connections`, or name another with `connection`",
                       STR_ARG(name));
    }
    if (!said) (void)err_set(&why, ERR_CONFIG, "there is no connection `%.*s`", STR_ARG(name));
    mistake_from(m->c, said ? said : node, &why);
    return false;
}

static bool place_file(const BuildContext *m, const StreamPlaceOptions *p, Location *ret_location)
{
    Err why = {0};
    const YamlNode *node = option_node(&p->head, "file");
    if (configuration_location(m->c, p->file, ret_location, &why) != OK) {
        mistake_from(m->c, node, &why);
        return false;
    }
    if (ret_location->kind == LOCATION_FILE) return true;
    mistake_at(m, node, "name a file (x.ndjson), or use `connection` with `table` or `topic`",
               "`file` must be a file");
    return false;
}

static bool place_topic(const BuildContext *m, const StreamPlaceOptions *p, Str otherwise,
                        Location *ret_location)
{
    const YamlNode *node = option_node(&p->head, "topic");
    Str name = p->connection.len ? p->connection : otherwise;
    if (!place_connection(m, p, name, node, ret_location)) return false;
    if (ret_location->kind == LOCATION_TOPIC) return true;
    mistake_at(m, node, "use `table` for a database, `file` for a file",
               "a topic needs a connection to a broker (kafka://…)");
    return false;
}

static bool place_table(const BuildContext *m, const StreamPlaceOptions *p, Str otherwise,
                        Location *ret_location)
{
    const YamlNode *node = option_node(&p->head, "table");
    Str name = p->connection.len ? p->connection : otherwise;
    if (!name.len) {
        mistake_at(m, node, "name it: `connection: target`", "a table needs a connection");
        return false;
    }
    if (!place_connection(m, p, name, node, ret_location)) return false;
    if (ret_location->kind == LOCATION_TABLE) return true;
    mistake_at(m, node, NULL, "a table needs a connection to a database");
    return false;
}

/* Exactly one of topic, table, file. PLACE_NONE: a mistake, told already. */
static PlaceKind place_kind(const BuildContext *m, const StreamPlaceOptions *p, const char *known)
{
    int count = (p->topic.len > 0) + (p->table.len > 0) + (p->file.len > 0);
    if (!p->head.node) return PLACE_NONE; /* missing: told already */
    if (count != 1) {
        mistake_at(m, p->head.node, known,
                   count ? "only one place can be named" : "no place is named");
        return PLACE_NONE;
    }
    return p->topic.len ? PLACE_TOPIC : p->table.len ? PLACE_TABLE : PLACE_FILE;
}

/* The client's own queues get a share of the budget. */
static Status fit(const BuildContext *m, Location *location, Err *err)
{
    int64_t share = m->c->options.memory_bytes / int64_max(m->c->options.streams.count, 1);
    const Connector *connector = location->connector;
    return connector->fit ? connector->fit(location, share, &m->c->arena, err) : OK;
}

static Status broker_options(const BuildContext *m, Location *location, Err *err)
{
    TRY(fit(m, location, err));
    const YamlNode *options = m->o->options;
    const char *prefix = location->connector->fragment.client;
    if (!options || yaml_is_null(options)) return OK;
    if (options->kind != YAML_MAP) {
        mistake_at(m, options, NULL, "`options` must be a map");
        return OK;
    }
    for (const YamlNode *at = options->first; at; at = at->next) {
        Str name;
        TRY(arena_printf(&m->c->arena, &name, err, "%s%.*s", prefix ? prefix : "",
                         STR_ARG(at->key)));
        TRY(location_set(location, &m->c->arena, name, at->text, err));
    }
    return OK;
}

/* What the broker's client says of them without a broker. */
static void options_check(const BuildContext *m)
{
    const Location *broker = m->s->from_messages ? &m->s->from : &m->s->to;
    const YamlNode *options = m->o->options;
    if (!options || options->kind != YAML_MAP || !broker->connector) return;
    if (!broker->connector->fragment.check) return;
    for (const YamlNode *at = options->first; at; at = at->next) {
        Err why = {0};
        if (broker->connector->fragment.check(at->key, at->text, &why) == OK) continue;
        mistake_add(&m->c->mistakes, at->key_line, at->key_column, str_from(why.hint), "%s",
                    why.message);
    }
}

/* Does the stream read what it writes? */
static void loop_check(const BuildContext *m, const StreamPlaceOptions *p, const Location *to)
{
    const StreamConfig *s = m->s;
    if (!s->from_messages || !to->connector || !p->topic.len) return;
    if (!is_same(&s->from, to) || !str_eq(s->topic, p->topic)) return;
    mistake_at(
        m, option_node(&p->head, "topic"), "name another topic",
        "the stream reads this topic: its own messages would come again, in an endless loop");
}

/* ---- from ---- */

static Status from_make(const BuildContext *m, Err *err)
{
    const StreamPlaceOptions *p = &m->o->from;
    StreamConfig *s = m->s;
    Arena *arena = &m->c->arena;
    PlaceKind kind = place_kind(m, p, "`topic: …` or `file: …`");
    if (kind == PLACE_FILE) {
        if (!place_file(m, p, &s->from) || s->from.connector->open_rows) return OK;
        mistake_at(m, option_node(&p->head, "file"), "name a file of JSON lines (x.ndjson)",
                   "messages are read from JSON lines");
        return OK;
    }
    if (kind != PLACE_TOPIC || !place_topic(m, p, STR("events"), &s->from)) return OK;
    s->topic = p->topic;
    s->from_messages = true;
    TRY(location_set(&s->from, arena, STR("group"), p->group.len ? p->group : s->name, err));
    if (p->instance.len) TRY(location_set(&s->from, arena, STR("instance"), p->instance, err));
    if (p->start == 1) TRY(location_set(&s->from, arena, STR("from"), STR("latest"), err));
    return broker_options(m, &s->from, err);
}

/* ---- to ---- */

static void key_text(const BuildContext *m, const YamlNode *node, StreamText *ret_text)
{
    ret_text->text = node->text;
    text_place(m->c, node, &ret_text->line, &ret_text->column);
}

static Status key_columns(const BuildContext *m, const YamlNode *node, Err *err)
{
    StreamConfig *s = m->s;
    bool one = node->kind == YAML_SCALAR;
    int32_t count = one ? 1 : node->count;
    Str *columns = ARENA_ARRAY(&m->c->arena, Str, count + 1);
    if (!columns) return err_memory(err);
    s->key_columns = columns;
    key_text(m, one || !node->first ? node : node->first, &s->key);
    for (const YamlNode *at = one ? node : node->first; at; at = one ? NULL : at->next) {
        if (at->kind != YAML_SCALAR) mistake_at(m, at, NULL, "not a column's name");
        columns[s->key_column_count++] = at->text;
    }
    return OK;
}

static Status key_make(const BuildContext *m, PlaceKind kind, Err *err)
{
    const YamlNode *node = m->o->to.key;
    if (!node || yaml_is_null(node)) return OK;
    if (node->kind == YAML_MAP) {
        mistake_at(m, node, NULL, "`key` must be an expression or a list of columns");
        return OK;
    }
    if (kind == PLACE_TABLE) return key_columns(m, node, err);
    if (kind == PLACE_FILE) {
        mistake_at(m, node, "leave it out", "the lines of a file have no keys");
    } else if (node->kind == YAML_LIST) {
        mistake_at(m, node, "join columns: `key: a || '/' || b`",
                   "the key of a message is one expression");
    } else {
        key_text(m, node, &m->s->key);
    }
    return OK;
}

static void mode_make(const BuildContext *m, PlaceKind kind)
{
    const YamlNode *node = option_node(&m->o->to.head, "mode");
    StreamConfig *s = m->s;
    s->mode = m->o->to.mode == 1 ? SINK_UPSERT : SINK_APPEND;
    if (!node) s->mode = s->key_column_count > 0 ? SINK_UPSERT : SINK_APPEND;
    if (node && kind != PLACE_TABLE) mistake_at(m, node, NULL, "`mode` is for tables");
    if (kind == PLACE_TABLE && s->mode == SINK_UPSERT && s->key_column_count == 0) {
        mistake_at(m, node, "name its columns: `key: [id]`", "mode upsert needs a `key`");
    }
}

static Status delivery_make(const BuildContext *m, Err *err)
{
    const YamlNode *node = option_node(&m->o->head, "delivery");
    bool once = m->o->delivery == 0;
    bool embedded = m->s->to.ephemeral || m->s->from.ephemeral;
    if (once && node && embedded) {
        mistake_at(m, node, "`delivery: at_least_once`",
                   "the embedded broker keeps nothing, so that exactly_once means nothing on it");
    }
    Str value = once && !embedded ? STR("exactly_once") : STR("at_least_once");
    return location_set(&m->s->to, &m->c->arena, STR("delivery"), value, err);
}

/* The transactional id: the same after a restart, so that what was left open ends at once; another
 * for each neuron, so that replicas share the partitions; and for each group, which is unique on a
 * cluster while nearly all neurons there have the default id. */
static Status producer_id(const BuildContext *m, Location *to, const char *of, Err *err)
{
    const StreamPlaceOptions *from = &m->o->from;
    Str id, neuron = m->c->options.neuron.id;
    Str group = location_option(&m->s->from, STR("group"));
    const char *dash = from->instance.len ? "-" : "";
    TRY(arena_printf(&m->c->arena, &id, err, "neuron-%.*s-%.*s%s%.*s%s%s%.*s", STR_ARG(neuron),
                     STR_ARG(m->s->name), dash, STR_ARG(from->instance), of, group.len ? "/" : "",
                     STR_ARG(group)));
    return location_set(to, &m->c->arena, STR("id"), id, err);
}

static Status to_make(const BuildContext *m, Err *err)
{
    const StreamPlaceOptions *p = &m->o->to;
    StreamConfig *s = m->s;
    PlaceKind kind = place_kind(m, p, "`topic: …`, `table: …` or `file: …`");
    bool ok = kind == PLACE_TOPIC   ? place_topic(m, p, STR("events"), &s->to)
              : kind == PLACE_TABLE ? place_table(m, p, STR_NULL, &s->to)
              : kind == PLACE_FILE  ? place_file(m, p, &s->to)
                                    : false;
    s->create = p->create;
    s->evolve = p->evolve;
    TRY(key_make(m, kind, err));
    mode_make(m, kind);
    s->to_messages = kind == PLACE_TOPIC || (ok && s->to.connector->messages);
    s->to_name = kind == PLACE_TOPIC ? p->topic : kind == PLACE_TABLE ? p->table : STR_NULL;
    if (ok && kind == PLACE_FILE && !s->to_messages && str_eq(s->to.path, STR("-"))) {
        mistake_at(m, option_node(&p->head, "file"), "`-#ndjson`",
                   "standard output takes JSON lines");
    }
    if (!ok || kind != PLACE_TOPIC) return OK;
    TRY(delivery_make(m, err));
    TRY(producer_id(m, &s->to, "", err));
    return broker_options(m, &s->to, err);
}

/* ---- dead letters ---- */

static bool letter_place(const BuildContext *m, PlaceKind kind, Location *ret_location)
{
    const StreamPlaceOptions *p = &m->o->dead_letter;
    const StreamPlaceOptions *to = &m->o->to;
    Str name = to->connection;
    if (kind == PLACE_FILE) return place_file(m, p, ret_location);
    if (kind == PLACE_TABLE) {
        return place_table(m, p, to->table.len ? name : STR_NULL, ret_location);
    }
    return kind == PLACE_TOPIC &&
           place_topic(m, p, to->topic.len && name.len ? name : STR("events"), ret_location);
}

static Status letters_make(const BuildContext *m, Err *err)
{
    const StreamPlaceOptions *p = &m->o->dead_letter;
    StreamConfig *s = m->s;
    if (!p->head.node) {
        if (s->routing.unknown != UNKNOWN_DEAD_LETTER) return OK;
        mistake_at(m, option_node(&m->o->head, "unknown"), "name one: `dead_letter: { topic: … }`",
                   "`unknown: dead_letter` needs a place for dead letters");
        return OK;
    }
    PlaceKind kind = place_kind(m, p, "`topic: …`, `table: …` or `file: …`");
    s->letters.kept = true;
    s->letters.format = (DeadLetterFormat)p->format;
    s->letters.name = kind == PLACE_TOPIC ? p->topic : kind == PLACE_TABLE ? p->table : STR_NULL;
    if (!letter_place(m, kind, &s->letters.to)) return OK;
    s->letters.messages = s->letters.to.connector->messages;
    s->letters.topic = kind == PLACE_TOPIC;
    /* Beside the outputs in one transaction, where they share a system. */
    bool beside = is_same(&s->to, &s->letters.to);
    s->letters.elsewhere = kind == PLACE_FILE || !beside;
    if (kind == PLACE_FILE && (beside || location_same_file(&s->to, &s->letters.to))) {
        mistake_at(m, p->head.node, "name another file", "outputs go to this file");
    }
    if (s->letters.format == DEAD_LETTER_RAW && kind != PLACE_TOPIC) {
        mistake_at(m, option_node(&p->head, "format"), "use the envelope",
                   "`format: raw` needs a topic: only messages have headers");
    }
    if (kind != PLACE_TOPIC || !s->letters.elsewhere) return OK;
    TRY(producer_id(m, &s->letters.to, "-dead", err));
    return broker_options(m, &s->letters.to, err);
}

/* `10% in 1m`. */
static bool parse_breaker(Str text, double *ret_share, int64_t *ret_us)
{
    int64_t at = str_find(text, STR(" in "));
    int64_t percent = str_find_char(text, '%');
    if (at < 0 || percent < 0 || percent > at) return false;
    Str number = str_trim(str_slice(text, 0, percent));
    bool good = str_trim(str_slice(text, percent + 1, at)).len == 0 &&
                number_parse_double(number, ret_share) == NUMBER_OK &&
                option_parse_duration(str_trim(str_slice(text, at + 4, text.len)), ret_us);
    *ret_share /= 100;
    return good && *ret_share >= 0 && *ret_share <= 1 && *ret_us >= 1000000;
}

static void breaker_make(const BuildContext *m)
{
    Str text = m->o->max_rejects;
    if (text.len && !parse_breaker(text, &m->s->breaker.max_rejects, &m->s->breaker.window_us)) {
        mistake_at(m, option_node(&m->o->head, "max_rejects"), "write it like `10% in 1m`",
                   "`max_rejects` must be a share of the messages of at least a second");
    }
    static const char *const LATER[] = {"window", "check"};
    for (int32_t i = 0; i < COUNT_OF(LATER); i++) {
        const YamlNode *node = option_node(&m->o->head, LATER[i]);
        if (node) mistake_at(m, node, "leave it out", "windows of a stream are not there yet");
    }
}

/* ---- processors ---- */

static void case_key(const BuildContext *m, const YamlNode *node, StreamCase *to)
{
    bool where = str_eq(node->key, STR("where"));
    if (!where && !str_eq(node->key, STR("select"))) {
        static const Str NAMES[] = {{"where", 5}, {"select", 6}};
        Str near = str_nearest(node->key, NAMES, 2);
        mistake_add(&m->c->mistakes, node->key_line, node->key_column,
                    near.len ? near : STR("where, select"), "unknown key `%.*s` in a case",
                    STR_ARG(node->key));
        return;
    }
    if (node->kind != YAML_SCALAR || node->text.len == 0) {
        mistake_at(m, node, NULL,
                   where ? "`where` must be an expression" : "`select` must be a select list");
        return;
    }
    key_text(m, node, where ? &to->where : &to->select);
}

static Status cases_make(const BuildContext *m, const YamlNode *node, StreamProcessor *to, Err *err)
{
    to->type = node->key;
    bool one = node->kind == YAML_MAP;
    if (node->kind == YAML_SCALAR || node->count == 0) {
        mistake_at(m, node, "- select: …", "a processor is a list of cases");
        return OK;
    }
    StreamCase *cases = ARENA_ARRAY(&m->c->arena, StreamCase, one ? 1 : node->count);
    if (!cases) return err_memory(err);
    to->cases = cases;
    for (const YamlNode *at = one ? node : node->first; at; at = one ? NULL : at->next) {
        if (at->kind != YAML_MAP || at->count == 0) {
            mistake_at(m, at, "- { where: …, select: … }", "a case is a map");
            continue;
        }
        StreamCase *made = &cases[to->case_count++];
        for (const YamlNode *key = at->first; key; key = key->next) case_key(m, key, made);
        bool last = !one && !at->next;
        if (!one && !last && !made->where.text.len && !yaml_get(at, STR("where"))) {
            mistake_at(m, at->next, "put it first, or give the one above a `where`",
                       "this case is never reached: the one above takes every message");
        }
    }
    return OK;
}

static Status processors_make(const BuildContext *m, Err *err)
{
    const YamlNode *node = m->o->processors;
    if (!node) return OK; /* told already */
    if (node->kind != YAML_MAP || node->count == 0) {
        mistake_at(m, node, "processors: { some_type: [ … ] }",
                   "`processors` must be a map of types to cases");
        return OK;
    }
    if (node->count > STREAM_PROCESSORS_MAX) {
        mistake_at(m, node, NULL, "more than 256 processors");
        return OK;
    }
    StreamProcessor *made = ARENA_ARRAY(&m->c->arena, StreamProcessor, node->count);
    if (!made) return err_memory(err);
    m->s->routing.processors = made;
    for (const YamlNode *at = node->first; at; at = at->next) {
        TRY(cases_make(m, at, &made[m->s->routing.processor_count++], err));
    }
    return OK;
}

/* ---- all ---- */

static void on_mistake(void *arg, const StreamText *where, const Err *why)
{
    const BuildContext *m = arg;
    const YamlNode *node = m->o->head.node;
    bool placed = where && where->line;
    mistake_add(&m->c->mistakes, placed ? why->line : node->key_line,
                placed ? why->column : node->key_column, str_from(why->hint), "%s", why->message);
}

static Status hash_make(const BuildContext *m, Err *err)
{
    CLEANUP(buf_done) Buf text = buf_make(1 << 26);
    const StreamConfig *s = m->s;
    TRY(buf_append(&text, s->routing.by.text, err));
    for (int32_t i = 0; i < s->routing.processor_count; i++) {
        TRY(buf_printf(&text, err, "\n%.*s", STR_ARG(s->routing.processors[i].type)));
        for (int32_t k = 0; k < s->routing.processors[i].case_count; k++) {
            TRY(buf_append_char(&text, 0, err));
            TRY(buf_append(&text, s->routing.processors[i].cases[k].where.text, err));
            TRY(buf_append_char(&text, 0, err));
            TRY(buf_append(&text, s->routing.processors[i].cases[k].select.text, err));
        }
    }
    char hex[32];
    hash_128_hex(hash_128(buf_str(&text)), hex);
    return arena_copy(&m->c->arena, str_make(hex, 32), &m->s->config_hash, err);
}

static Status stream_make(const BuildContext *m, Err *err)
{
    const StreamOptions *o = m->o;
    StreamConfig *s = m->s;
    *s = (StreamConfig){.name = o->head.name,
                        .routing.by = {.text = o->route_by},
                        .routing.unknown = (StreamUnknown)o->unknown,
                        .routing.only = -1,
                        .cycle_us = int64_max(o->cycle_us, 1000),
                        .cycle_rows = int64_max(o->cycle_rows, 1)};
    if (!o->head.node) return OK; /* told already */
    const YamlNode *route_by = option_node(&o->head, "route_by");
    if (route_by) text_place(m->c, route_by, &s->routing.by.line, &s->routing.by.column);
    TRY(from_make(m, err));
    TRY(to_make(m, err));
    TRY(letters_make(m, err));
    options_check(m);
    loop_check(m, &o->to, &s->to);
    loop_check(m, &o->dead_letter, &s->letters.to);
    breaker_make(m);
    TRY(processors_make(m, err));
    if (s->routing.unknown == UNKNOWN_PASS && !s->to_messages && o->to.head.node) {
        mistake_at(m, option_node(&o->head, "unknown"), "drop or dead_letter",
                   "`unknown: pass` can't put messages into a table");
    }
    TRY(hash_make(m, err));
    BuildContext arg = *m;
    return stream_check(s, on_mistake, &arg, err);
}

Status streams_make(Configuration *c, Err *err)
{
    const GroupList *list = &c->options.streams;
    c->streams = ARENA_ARRAY(&c->arena, StreamConfig, list->count ? list->count : 1);
    if (!c->streams) return err_memory(err);
    for (int32_t i = 0; i < list->count; i++) {
        BuildContext m = {c, list->items[i], &c->streams[i]};
        TRY(stream_make(&m, err));
        c->stream_count++;
    }
    return OK;
}
