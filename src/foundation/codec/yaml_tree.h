/* YAML documents as trees that know where each value stood. */
#ifndef NEURON_YAML_TREE_H
#define NEURON_YAML_TREE_H

#include "foundation/base/arena.h"

typedef enum YamlKind { YAML_SCALAR, YAML_LIST, YAML_MAP } YamlKind;

/* A node of the tree. Positions are 1-based; of a scalar that of its first character (of a block
 * scalar that of the indicator). Lives in the arena given to yaml_parse. */
typedef struct YamlNode {
    YamlKind kind;
    Str text;   /* scalars */
    bool plain; /* scalar without quotes: may mean null, true, 12 … */
    bool block; /* a | or > scalar: its text begins on the line after `line` */
    int64_t line, column;
    struct YamlNode *first; /* children in order; of a map its values */
    struct YamlNode *next;  /* the next sibling */
    Str key;                /* in a map: this value's key */
    int64_t key_line, key_column;
    int32_t count;
    bool substituted; /* substitute.h was here: children of an alias are those of its anchor */
} YamlNode;

/* One document (an empty one gives an empty map). Anchors and aliases are understood; merge keys
 * and tags are not. FAIL: ERR_CONFIG with line and column: bad syntax, a key twice in one map, more
 * than one document, more than 200,000 nodes or 64 levels (an alias counts as all that its anchor
 * holds), more than 10,000 keys in one map. */
MUST_USE Status yaml_parse(Str text, Arena *arena, YamlNode **ret_root, Err *err);
/* The value of a key in a map, or NULL. */
YamlNode *yaml_get(const YamlNode *map, Str key);
/* null, ~, or nothing, unquoted. */
bool yaml_is_null(const YamlNode *node);

#endif
