/* A generic option engine: tables say what a map may hold; the same tables give checks, defaults,
 * JSON Schema and documentation. */
#ifndef NEURON_OPTION_H
#define NEURON_OPTION_H

#include "foundation/base/buf.h"
#include "foundation/codec/yaml_tree.h"

/* What is wrong with a configuration, and where. */
typedef struct Mistake {
    int64_t line, column;
    Str what;
    Str hint; /* the fix; may be empty */
} Mistake;

/* All mistakes of one file, in the order found. Texts live in `arena`. */
typedef struct MistakeList {
    Arena *arena;
    Mistake *items;
    int32_t count, capacity;
} MistakeList;

enum { MISTAKES_MAX = 1000 };
/* Never fails: past the maximum, or without memory, the count is kept and the text is dropped. */
void mistake_add(MistakeList *list, int64_t line, int64_t column, Str hint, const char *format, ...)
    PRINTF_LIKE(5, 6);

typedef enum OptionType {
    OPTION_TEXT,     /* Str */
    OPTION_NAME,     /* Str: [A-Za-z_][A-Za-z0-9_.-]* */
    OPTION_BOOL,     /* bool */
    OPTION_INT,      /* int64_t, >= min */
    OPTION_SIZE,     /* int64_t bytes: 512MB, 1GiB, 4096 (k, M, G by 1024) */
    OPTION_DURATION, /* int64_t microseconds: 30s, 5m, 1h30m, 250ms, 1d */
    OPTION_SHARE,    /* double 0…1: 10%, 0.1 */
    OPTION_CHOICE,   /* int32_t index into `choices` */
    OPTION_TEXTS,    /* TextList: a list, or one text */
    OPTION_GROUP,    /* a struct of its own, in place: `group` */
    OPTION_GROUPS,   /* GroupList: named groups (a map of maps) */
    OPTION_ITEMS,    /* GroupList: unnamed groups (a list of maps) */
    OPTION_NODE,     /* const YamlNode *: anything, looked at later */
} OptionType;

typedef struct TextList {
    const Str *items;
    int32_t count;
} TextList;

struct OptionGroup;

/* One key that a map may have. */
typedef struct Option {
    const char *name;
    OptionType type;
    int64_t offset;        /* of the field in the group's struct */
    const char *otherwise; /* the default as it would be written; NULL: zero */
    const char *summary;   /* one sentence for editors and docs */
    bool required;
    const char *const *choices; /* NULL-terminated */
    const struct OptionGroup *group;
    const char *schema; /* OPTION_NODE: its JSON Schema; NULL: anything */
} Option;

/* The keys of one map, and the struct that they fill. Its first two fields are OptionHead. */
typedef struct OptionGroup {
    const char *name;
    int64_t size; /* of the struct */
    const Option *options;
    int32_t count;
} OptionGroup;

/* Every filled struct begins with it. */
typedef struct OptionHead {
    Str name;             /* in OPTION_GROUPS: its key */
    const YamlNode *node; /* the map that it was read from; NULL when it was not given */
} OptionHead;

typedef struct GroupList {
    void **items; /* pointers to structs of `group` */
    int32_t count;
} GroupList;

/* Where the field of an option is written down: its node, or NULL when it has its default. */
const YamlNode *option_node(const OptionHead *head, const char *name);

/* Fill `target` (a struct of the group, zeroed by the caller) from the map. Every mistake is added:
 * unknown keys with the nearest known one, wrong types and values, missing required keys. Memory
 * from the list's arena; FAIL only when that runs out. */
MUST_USE Status option_fill(const OptionGroup *group, const YamlNode *map, void *target,
                            MistakeList *mistakes, Err *err);

/* Text to value, as the types above say; false when it is not one. */
bool option_parse_size(Str text, int64_t *ret_bytes);
bool option_parse_duration(Str text, int64_t *ret_us);
bool option_parse_share(Str text, double *ret_share);

/* The group as a JSON Schema (2020-12) object, nested groups in place. */
MUST_USE Status option_schema(const OptionGroup *group, Buf *out, Err *err);

#endif
