/* Extraction of many paths in one walk over a document, by a tree of path steps. */
#include "foundation/codec/json_extract.h"

#include "foundation/base/mem.h"
#include "foundation/codec/json_scan_impl.h"

/* One step of some path; paths with equal beginnings share nodes. */
typedef struct PathNode {
    JsonStep step;
    struct PathNode *first_child, *last_child, *next;
    uint64_t key_lens; /* bit min(len, 63) of every child key */
    int32_t slot;      /* path that ends here, -1: none */
    bool has_keys;     /* children: */
    bool has_indexes;
    bool has_negatives;
} PathNode;

struct JsonExtractor {
    PathNode root;
    int32_t count;
    int32_t *alias; /* path with the same steps that has the slot, or itself */
    bool aliased;
    Arena arena;
};

typedef struct Walk {
    JsonScan scan;
    JsonSlot *slots;
} Walk;

static bool step_eq(const JsonStep *a, const JsonStep *b)
{
    if (a->is_index != b->is_index) return false;
    return a->is_index ? a->index == b->index : str_eq(a->key, b->key);
}

static uint64_t len_bit(int64_t len)
{
    return UINT64_C(1) << int64_min(len, 63);
}

static Status node_add(PathNode *parent, const JsonStep *step, Arena *arena, PathNode **ret_node,
                       Err *err)
{
    PathNode *node = ARENA_NEW(arena, PathNode);
    if (!node) return err_memory(err);
    node->step = *step;
    node->slot = -1;
    if (!step->is_index) {
        TRY(arena_copy(arena, step->key, &node->step.key, err));
        parent->has_keys = true;
        parent->key_lens |= len_bit(step->key.len);
    } else if (step->index >= 0) {
        parent->has_indexes = true;
    } else {
        parent->has_indexes = true;
        parent->has_negatives = true;
    }
    if (parent->last_child) {
        parent->last_child->next = node;
    } else {
        parent->first_child = node;
    }
    parent->last_child = node;
    *ret_node = node;
    return OK;
}

static Status add_path(JsonExtractor *extractor, const JsonPath *path, int32_t index, Err *err)
{
    PathNode *node = &extractor->root;
    if (path->count > JSON_PATH_STEPS_MAX) {
        return err_set(err, ERR_LIMIT, "a path has more than %d steps", JSON_PATH_STEPS_MAX);
    }
    for (int32_t i = 0; i < path->count; i++) {
        PathNode *child = node->first_child;
        while (child && !step_eq(&child->step, &path->steps[i])) child = child->next;
        if (!child) TRY(node_add(node, &path->steps[i], &extractor->arena, &child, err));
        node = child;
    }
    if (node->slot < 0) node->slot = index;
    extractor->alias[index] = node->slot;
    if (node->slot != index) extractor->aliased = true;
    return OK;
}

static Status add_paths(JsonExtractor *extractor, const JsonPath *paths, int32_t count, Err *err)
{
    extractor->alias = ARENA_ARRAY(&extractor->arena, int32_t, count);
    if (!extractor->alias) return err_memory(err);
    for (int32_t i = 0; i < count; i++) TRY(add_path(extractor, &paths[i], i, err));
    return OK;
}

Status json_extractor_new(const JsonPath *paths, int32_t count, JsonExtractor **ret_extractor,
                          Err *err)
{
    if (count > JSON_EXTRACT_PATHS_MAX) {
        return err_set(err, ERR_LIMIT, "more than %d JSON paths", JSON_EXTRACT_PATHS_MAX);
    }
    CLEANUP(json_extractor_free_p) JsonExtractor *extractor = mem_zalloc(sizeof *extractor);
    if (!extractor) return err_memory(err);
    extractor->arena = arena_make(INT64_C(64) << 20);
    extractor->count = count;
    extractor->root.slot = -1;
    TRY(add_paths(extractor, paths, count, err));
    *ret_extractor = TAKE(extractor);
    return OK;
}

void json_extractor_free(JsonExtractor *extractor)
{
    if (!extractor) return;
    arena_done(&extractor->arena);
    mem_free(extractor);
}

int32_t json_extractor_count(const JsonExtractor *extractor)
{
    return extractor->count;
}

static bool key_is(const PathNode *child, Str key)
{
    return !child->step.is_index && str_eq(child->step.key, key);
}

/* `hint` is the child after the one found last: documents and path lists are often in one order.
 */
static const PathNode *child_of_key(const PathNode *node, const JsonSlot *key,
                                    const PathNode **hint)
{
    const PathNode *child = node->first_child;
    if (LIKELY(!key->escaped)) {
        if (!(node->key_lens & len_bit(key->text.len))) return NULL;
        if (*hint && key_is(*hint, key->text)) {
            child = *hint;
        } else {
            while (child && !key_is(child, key->text)) child = child->next;
        }
    } else {
        while (child && (child->step.is_index || !json_text_is(key, child->step.key))) {
            child = child->next;
        }
    }
    if (child) *hint = child->next;
    return child;
}

/* A key came again: what its earlier value gave does not count. */
static void forget_below(const PathNode *node, JsonSlot *slots)
{
    for (const PathNode *child = node->first_child; child; child = child->next) {
        if (child->slot >= 0) slots[child->slot] = (JsonSlot){STR_NULL, JSON_MISSING, false, false};
        forget_below(child, slots);
    }
}

static const char *walk_value(Walk *walk, const PathNode *node, const char *at, int32_t depth);

static inline const char *walk_member(Walk *walk, const PathNode *node, const PathNode **hint,
                                      const char *at, int32_t depth)
{
    JsonSlot slot;
    at = json_scan_key(&walk->scan, at, &slot);
    if (UNLIKELY(!at)) return NULL;
    const PathNode *child = child_of_key(node, &slot, hint);
    if (child && child->first_child) {
        forget_below(child, walk->slots);
        return walk_value(walk, child, at, depth + 1);
    }
    char c = json_scan_peek(&walk->scan, at);
    bool nested = c == '{' || c == '[';
    at = nested ? json_scan_value(&walk->scan, at, depth + 1, &slot)
                : json_scan_scalar(&walk->scan, at, &slot);
    if (child && LIKELY(at != NULL)) walk->slots[child->slot] = slot;
    return at;
}

static const char *walk_object(Walk *walk, const PathNode *node, const char *at, int32_t depth)
{
    JsonScan *scan = &walk->scan;
    const PathNode *hint = node->first_child;
    at = json_scan_space(scan, at + 1);
    if (json_scan_peek(scan, at) == '}') return at + 1;
    for (;;) {
        at = walk_member(walk, node, &hint, at, depth);
        if (UNLIKELY(!at)) return NULL;
        at = json_scan_space(scan, at);
        char c = json_scan_peek(scan, at);
        if (c == '}') return at + 1;
        if (UNLIKELY(c != ',')) return json_scan_fail_close(scan, at, true);
        at = json_scan_space(scan, at + 1);
    }
}

static const char *walk_element(Walk *walk, const PathNode *node, int64_t index, const char *at,
                                int32_t depth)
{
    const PathNode *child = node->first_child;
    while (child && !(child->step.is_index && child->step.index == index)) child = child->next;
    if (child) return walk_value(walk, child, at, depth + 1);
    JsonSlot skipped;
    return json_scan_value(&walk->scan, at, depth + 1, &skipped);
}

static const char *walk_elements(Walk *walk, const PathNode *node, const char *at, int32_t depth,
                                 int64_t *ret_count)
{
    JsonScan *scan = &walk->scan;
    at = json_scan_space(scan, at + 1);
    *ret_count = 0;
    if (json_scan_peek(scan, at) == ']') return at + 1;
    for (;;) {
        at = walk_element(walk, node, *ret_count, at, depth);
        if (!at) return NULL;
        ++*ret_count;
        at = json_scan_space(scan, at);
        char c = json_scan_peek(scan, at);
        if (c == ']') return at + 1;
        if (UNLIKELY(c != ',')) return json_scan_fail_close(scan, at, false);
        at = json_scan_space(scan, at + 1);
    }
}

/* Indexes from the end are known only after the array: go back to those elements. */
static const char *walk_from_end(Walk *walk, const PathNode *node, int32_t depth, Str text,
                                 int64_t count)
{
    JsonSlot array = {text, JSON_ARRAY, false, false};
    for (const PathNode *child = node->first_child; child; child = child->next) {
        if (!child->step.is_index || child->step.index >= 0) continue;
        if (count + child->step.index < 0) continue;
        JsonSlot item = json_get_index(&array, count + child->step.index);
        if (item.kind == JSON_MISSING) continue;
        const char *at = item.kind == JSON_STRING ? item.text.ptr - 1 : item.text.ptr;
        if (!walk_value(walk, child, at, depth + 1)) return NULL;
    }
    return text.ptr + text.len;
}

static const char *walk_array(Walk *walk, const PathNode *node, const char *at, int32_t depth)
{
    int64_t count;
    const char *behind = walk_elements(walk, node, at, depth, &count);
    if (!behind || !node->has_negatives) return behind;
    return walk_from_end(walk, node, depth, str_make(at, behind - at), count);
}

/* The value at `at`, which is what `node` stands for. */
static const char *walk_value(Walk *walk, const PathNode *node, const char *at, int32_t depth)
{
    const char *from = at;
    char c = json_scan_peek(&walk->scan, at);
    bool object = c == '{' && node->has_keys, array = c == '[' && node->has_indexes;
    JsonSlot slot;
    if (object || array) {
        if (depth >= JSON_DEPTH_MAX) {
            return json_scan_fail(&walk->scan, at, "nested more than 1000 levels deep");
        }
        at = object ? walk_object(walk, node, at, depth) : walk_array(walk, node, at, depth);
        slot = (JsonSlot){{from, at - from}, object ? JSON_OBJECT : JSON_ARRAY, false, false};
    } else {
        at = json_scan_value(&walk->scan, at, depth, &slot);
    }
    if (at && node->slot >= 0) walk->slots[node->slot] = slot;
    return at;
}

static JsonSlot document_slot(const char *from, const char *to)
{
    Str text = str_make(from, to - from);
    if (*from == '{') return (JsonSlot){text, JSON_OBJECT, false, false};
    if (*from == '[') return (JsonSlot){text, JSON_ARRAY, false, false};
    JsonScan scan = json_scan_make(text, 0);
    JsonSlot slot = {text, JSON_NULL, false, false};
    return json_scan_scalar(&scan, from, &slot) ? slot : (JsonSlot){text, JSON_NULL, false, false};
}

bool json_extract(const JsonExtractor *extractor, Str doc, int64_t padding, JsonSlot *ret_slots,
                  JsonSlot *ret_value, JsonError *ret_error)
{
    for (int32_t i = 0; i < extractor->count; i++) {
        ret_slots[i] = (JsonSlot){STR_NULL, JSON_MISSING, false, false};
    }
    Walk walk = {json_scan_make(doc, padding), ret_slots};
    const char *from = json_scan_space(&walk.scan, walk.scan.start);
    const char *at = walk_value(&walk, &extractor->root, from, 0);
    if (at) *ret_value = document_slot(from, at);
    if (!at || !json_scan_finish(&walk.scan, at)) {
        if (ret_error) *ret_error = json_scan_error(&walk.scan);
        return false;
    }
    if (UNLIKELY(extractor->aliased)) {
        for (int32_t i = 0; i < extractor->count; i++)
            ret_slots[i] = ret_slots[extractor->alias[i]];
    }
    return true;
}

/* ---- All members ---- */

void json_members_done(JsonMembers *members)
{
    mem_free(members->items);
    *members = (JsonMembers){NULL, 0, 0};
}

static Status members_grow(JsonMembers *members, Err *err)
{
    int64_t capacity = members->capacity ? 2 * members->capacity : 64;
    if (capacity > JSON_MEMBERS_MAX) {
        return err_set(err, ERR_LIMIT, "a JSON object has more than %d members", JSON_MEMBERS_MAX);
    }
    JsonMember *items = mem_realloc(members->items, capacity * (int64_t)sizeof *items);
    if (!items) return err_memory(err);
    members->items = items;
    members->capacity = capacity;
    return OK;
}

/* *ret_at is NULL when the text is not valid (scan says why). */
static Status scan_members(JsonScan *scan, const char *at, JsonMembers *members,
                           const char **ret_at, Err *err)
{
    *ret_at = NULL;
    at = json_scan_space(scan, at + 1);
    if (json_scan_peek(scan, at) == '}') {
        *ret_at = at + 1;
        return OK;
    }
    for (;;) {
        if (members->count == members->capacity) TRY(members_grow(members, err));
        JsonMember *member = &members->items[members->count];
        at = json_scan_key(scan, at, &member->key);
        if (UNLIKELY(!at)) return OK;
        char c = json_scan_peek(scan, at);
        at = c == '{' || c == '[' ? json_scan_value(scan, at, 1, &member->value)
                                  : json_scan_scalar(scan, at, &member->value);
        if (UNLIKELY(!at)) return OK;
        members->count++;
        at = json_scan_space(scan, at);
        c = json_scan_peek(scan, at);
        if (c == '}') break;
        if (UNLIKELY(c != ',')) {
            json_scan_fail_close(scan, at, true);
            return OK;
        }
        at = json_scan_space(scan, at + 1);
    }
    *ret_at = at + 1;
    return OK;
}

Status json_members_read(JsonMembers *members, Str doc, int64_t padding, JsonDocument *ret_document,
                         JsonError *ret_error, Err *err)
{
    JsonScan scan = json_scan_make(doc, padding);
    const char *at = json_scan_space(&scan, scan.start);
    bool object = json_scan_peek(&scan, at) == '{';
    members->count = 0;
    if (object) {
        TRY(scan_members(&scan, at, members, &at, err));
    } else {
        JsonSlot value;
        at = json_scan_value(&scan, at, 0, &value);
    }
    if (!at || !json_scan_finish(&scan, at)) {
        *ret_document = JSON_DOCUMENT_INVALID;
        if (ret_error) *ret_error = json_scan_error(&scan);
        return OK;
    }
    *ret_document = object ? JSON_DOCUMENT_OBJECT : JSON_DOCUMENT_OTHER;
    return OK;
}
