/* YAML documents as trees that know where each value stood (events of libyaml). */
#include "foundation/codec/yaml_tree.h"

#include <yaml.h>

enum {
    YAML_NODES_MAX = 200000,
    YAML_DEPTH_MAX = 64,
    YAML_ANCHORS_MAX = 256,
    YAML_KEYS_MAX = 10000
};

typedef struct YamlAnchor {
    Str name;
    YamlNode *node;
    int64_t nodes;  /* in it, with those of its aliases */
    int32_t height; /* levels below it, with those of its aliases */
} YamlAnchor;

typedef struct YamlReader {
    yaml_parser_t parser;
    Arena *arena;
    int64_t nodes;
    int32_t deepest; /* level since the anchor at hand began */
    YamlAnchor anchors[YAML_ANCHORS_MAX];
    int32_t anchor_count;
} YamlReader;

static Status fail_at(const yaml_mark_t *mark, Err *err, const char *what)
{
    (void)err_set(err, ERR_CONFIG, "%s", what);
    return err_at(err, (int64_t)mark->line + 1, (int64_t)mark->column + 1);
}

static Status next_event(YamlReader *r, yaml_event_t *event, Err *err)
{
    if (yaml_parser_parse(&r->parser, event)) return OK;
    if (r->parser.error == YAML_MEMORY_ERROR) return err_memory(err);
    const char *problem = r->parser.problem ? r->parser.problem : "not readable as YAML";
    (void)err_set(err, ERR_CONFIG, "YAML: %s%s%s", problem, r->parser.context ? " " : "",
                  r->parser.context ? r->parser.context : "");
    return err_at(err, (int64_t)r->parser.problem_mark.line + 1,
                  (int64_t)r->parser.problem_mark.column + 1);
}

/* So that an alias costs what it stands for, whoever walks the tree. */
static Status count_nodes(YamlReader *r, const yaml_event_t *event, int64_t nodes, Err *err)
{
    r->nodes += nodes;
    if (r->nodes <= YAML_NODES_MAX) return OK;
    return fail_at(&event->start_mark, err,
                   "the document has too many values; an alias counts as all that it refers to");
}

static Status anchor_add(YamlReader *r, const yaml_event_t *event, const yaml_char_t *name,
                         YamlAnchor anchor, Err *err)
{
    if (r->anchor_count == YAML_ANCHORS_MAX) {
        return fail_at(&event->start_mark, err, "too many anchors");
    }
    YamlAnchor *at = &r->anchors[r->anchor_count++];
    *at = anchor;
    return arena_copy(r->arena, str_from((const char *)name), &at->name, err);
}

static Status node_new(YamlReader *r, const yaml_event_t *event, YamlKind kind,
                       const yaml_char_t *anchor, YamlNode **ret_node, Err *err)
{
    TRY(count_nodes(r, event, 1, err));
    YamlNode *node = ARENA_NEW(r->arena, YamlNode);
    if (!node) return err_memory(err);
    node->kind = kind;
    node->line = (int64_t)event->start_mark.line + 1;
    node->column = (int64_t)event->start_mark.column + 1;
    *ret_node = node;
    if (!anchor) return OK;
    return anchor_add(r, event, anchor, (YamlAnchor){.node = node, .nodes = 1}, err);
}

static Status read_value(YamlReader *r, yaml_event_t *event, int32_t depth, YamlNode **ret_node,
                         Err *err);

static Status read_list(YamlReader *r, YamlNode *list, int32_t depth, Err *err)
{
    YamlNode **tail = &list->first;
    while (true) {
        yaml_event_t event;
        TRY(next_event(r, &event, err));
        bool end = event.type == YAML_SEQUENCE_END_EVENT;
        Status status = end ? OK : read_value(r, &event, depth + 1, tail, err);
        yaml_event_delete(&event);
        if (end || status != OK) return status;
        tail = &(*tail)->next;
        list->count++;
    }
}

/* The key that an event holds, checked against the keys before it. */
static Status read_key(YamlReader *r, const YamlNode *map, const yaml_event_t *event, Str *ret_key,
                       Err *err)
{
    if (event->type != YAML_SCALAR_EVENT) {
        return fail_at(&event->start_mark, err, "keys must be plain text");
    }
    Str key = str_make((const char *)event->data.scalar.value, (int64_t)event->data.scalar.length);
    if (map->count == YAML_KEYS_MAX) {
        return fail_at(&event->start_mark, err, "a map has more than 10000 keys");
    }
    if (yaml_get(map, key)) {
        (void)err_set(err, ERR_CONFIG, "the key \"%.*s\" is given twice", STR_ARG(key));
        return err_at(err, (int64_t)event->start_mark.line + 1,
                      (int64_t)event->start_mark.column + 1);
    }
    return arena_copy(r->arena, key, ret_key, err);
}

static Status read_pair(YamlReader *r, YamlNode *map, const yaml_event_t *key_event, int32_t depth,
                        YamlNode **tail, Err *err)
{
    Str key;
    TRY(read_key(r, map, key_event, &key, err));
    yaml_event_t event;
    TRY(next_event(r, &event, err));
    YamlNode *node = NULL;
    Status status = read_value(r, &event, depth + 1, &node, err);
    yaml_event_delete(&event);
    TRY(status);
    node->key = key;
    node->key_line = (int64_t)key_event->start_mark.line + 1;
    node->key_column = (int64_t)key_event->start_mark.column + 1;
    *tail = node;
    map->count++;
    return OK;
}

static Status read_map(YamlReader *r, YamlNode *map, int32_t depth, Err *err)
{
    YamlNode **tail = &map->first;
    while (true) {
        yaml_event_t event;
        TRY(next_event(r, &event, err));
        bool end = event.type == YAML_MAPPING_END_EVENT;
        Status status = end ? OK : read_pair(r, map, &event, depth, tail, err);
        yaml_event_delete(&event);
        if (end || status != OK) return status;
        tail = &(*tail)->next;
    }
}

static Status go_deep(YamlReader *r, const yaml_event_t *event, int32_t depth, Err *err)
{
    if (depth > r->deepest) r->deepest = depth;
    if (depth <= YAML_DEPTH_MAX) return OK;
    return fail_at(&event->start_mark, err, "the document is nested too deeply");
}

/* Aliases share the anchored node's children. */
static Status read_alias(YamlReader *r, const yaml_event_t *event, int32_t depth,
                         YamlNode **ret_node, Err *err)
{
    Str name = str_from((const char *)event->data.alias.anchor);
    for (int32_t i = r->anchor_count - 1; i >= 0; i--) {
        const YamlAnchor *anchor = &r->anchors[i];
        if (!str_eq(anchor->name, name)) continue;
        YamlNode *node = NULL;
        TRY(go_deep(r, event, depth + anchor->height, err));
        TRY(count_nodes(r, event, anchor->nodes - 1, err));
        TRY(node_new(r, event, anchor->node->kind, NULL, &node, err));
        *node = *anchor->node;
        node->next = NULL;
        *ret_node = node;
        return OK;
    }
    return fail_at(&event->start_mark, err, "this alias has no anchor");
}

static Status read_scalar(YamlReader *r, const yaml_event_t *event, YamlNode **ret_node, Err *err)
{
    TRY(node_new(r, event, YAML_SCALAR, event->data.scalar.anchor, ret_node, err));
    YamlNode *node = *ret_node;
    yaml_scalar_style_t style = event->data.scalar.style;
    node->plain = style == YAML_PLAIN_SCALAR_STYLE;
    node->block = style == YAML_LITERAL_SCALAR_STYLE || style == YAML_FOLDED_SCALAR_STYLE;
    Str text = str_make((const char *)event->data.scalar.value, (int64_t)event->data.scalar.length);
    return arena_copy(r->arena, text, &node->text, err);
}

static Status read_children(YamlReader *r, YamlNode *node, int32_t depth, YamlAnchor *ret_anchor,
                            Err *err)
{
    int64_t before = r->nodes;
    int32_t deepest = r->deepest;
    r->deepest = depth;
    TRY(node->kind == YAML_LIST ? read_list(r, node, depth, err) : read_map(r, node, depth, err));
    *ret_anchor =
        (YamlAnchor){.node = node, .nodes = r->nodes - before + 1, .height = r->deepest - depth};
    if (deepest > r->deepest) r->deepest = deepest;
    return OK;
}

static Status read_value(YamlReader *r, yaml_event_t *event, int32_t depth, YamlNode **ret_node,
                         Err *err)
{
    TRY(go_deep(r, event, depth, err));
    if (event->type == YAML_ALIAS_EVENT) return read_alias(r, event, depth, ret_node, err);
    if (event->type == YAML_SCALAR_EVENT) return read_scalar(r, event, ret_node, err);
    bool list = event->type == YAML_SEQUENCE_START_EVENT;
    const yaml_char_t *anchor =
        list ? event->data.sequence_start.anchor : event->data.mapping_start.anchor;
    YamlNode *node = NULL;
    YamlAnchor whole;
    TRY(node_new(r, event, list ? YAML_LIST : YAML_MAP, NULL, &node, err));
    TRY(read_children(r, node, depth, &whole, err));
    *ret_node = node;
    /* Known by its name only now, so that a value can't contain itself. */
    return anchor ? anchor_add(r, event, anchor, whole, err) : OK;
}

static Status read_document(YamlReader *r, YamlNode **ret_root, Err *err)
{
    YamlNode *root = NULL;
    bool end = false;
    while (!end) {
        yaml_event_t event;
        TRY(next_event(r, &event, err));
        Status status = OK;
        end = event.type == YAML_STREAM_END_EVENT;
        bool frame = end || event.type == YAML_STREAM_START_EVENT ||
                     event.type == YAML_DOCUMENT_START_EVENT ||
                     event.type == YAML_DOCUMENT_END_EVENT;
        if (!frame && root) status = fail_at(&event.start_mark, err, "a second document");
        else if (!frame) status = read_value(r, &event, 0, &root, err);
        yaml_event_delete(&event);
        TRY(status);
    }
    if (!root || yaml_is_null(root)) {
        root = ARENA_NEW(r->arena, YamlNode);
        if (!root) return err_memory(err);
        *root = (YamlNode){.kind = YAML_MAP, .line = 1, .column = 1};
    }
    *ret_root = root;
    return OK;
}

Status yaml_parse(Str text, Arena *arena, YamlNode **ret_root, Err *err)
{
    YamlReader *reader = ARENA_NEW(arena, YamlReader);
    if (!reader) return err_memory(err);
    reader->arena = arena;
    if (!str_is_utf8(text)) return err_set(err, ERR_CONFIG, "the text is not UTF-8");
    if (!yaml_parser_initialize(&reader->parser)) return err_memory(err);
    yaml_parser_set_encoding(&reader->parser, YAML_UTF8_ENCODING);
    /* An empty text may have no pointer, which libyaml takes for a mistake of ours. */
    const char *bytes = text.ptr ? text.ptr : "";
    yaml_parser_set_input_string(&reader->parser, (const unsigned char *)bytes, (size_t)text.len);
    Status status = read_document(reader, ret_root, err);
    yaml_parser_delete(&reader->parser);
    return status;
}

YamlNode *yaml_get(const YamlNode *map, Str key)
{
    for (YamlNode *at = map->first; at; at = at->next) {
        if (str_eq(at->key, key)) return at;
    }
    return NULL;
}

bool yaml_is_null(const YamlNode *node)
{
    if (node->kind != YAML_SCALAR || !node->plain) return false;
    Str t = node->text;
    return t.len == 0 || str_eq(t, STR("~")) || str_eq_nocase(t, STR("null"));
}
