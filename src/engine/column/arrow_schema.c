/* Schemas to and from the Arrow C data interface. */
#include <stdio.h>

#include "engine/column/arrow_impl.h"
#include "foundation/base/mem.h"
#include "foundation/base/number.h"

const TypeId ARROW_DYNAMIC_TYPES[ARROW_DYNAMIC_COUNT] = {
    TYPE_BOOL, TYPE_INT64, TYPE_DOUBLE, TYPE_NUMERIC, TYPE_TEXT, TYPE_BYTES, TYPE_JSON,
};

static const char *const FORMATS[TYPE_COUNT] = {
#define TYPE(name, text, arrow, width) arrow,
#include "engine/column/type.def"
#undef TYPE
};

#define EXTENSION_KEY "ARROW:extension:name"
#define EXTENSION_METADATA_KEY "ARROW:extension:metadata"
#define NUMERIC_EXTENSION "neuron.numeric"
/* Not the canonical arrow.json, which is read too: Arrow C++ 18 knows that one and exports views
 * under a type it knows without the sizes of their heaps. */
#define JSON_EXTENSION "neuron.json"
#define JSON_CANONICAL_EXTENSION "arrow.json"

/* ---- export ---- */

/* What an exported node keeps until its release. */
typedef struct SchemaNode {
    Arena arena;
} SchemaNode;

static void release_schema(struct ArrowSchema *schema)
{
    for (int64_t i = 0; i < schema->n_children; i++) {
        struct ArrowSchema *child = schema->children[i];
        if (child->release) child->release(child);
    }
    SchemaNode *node = schema->private_data;
    arena_done(&node->arena);
    mem_free(node);
    schema->release = NULL;
}

/* After success the caller releases `ret`, whatever else fails. */
static Status node_new(Str name, const char *format, bool nullable, int64_t children,
                       struct ArrowSchema *ret, Err *err)
{
    SchemaNode *node = mem_zalloc((int64_t)sizeof *node);
    if (!node) return err_memory(err);
    node->arena = arena_make(1 << 24);
    Str name_copy, format_copy;
    struct ArrowSchema *items = ARENA_ARRAY(&node->arena, struct ArrowSchema, children + 1);
    struct ArrowSchema **places = ARENA_ARRAY(&node->arena, struct ArrowSchema *, children + 1);
    bool made = items && places && arena_copy(&node->arena, name, &name_copy, err) == OK &&
                arena_copy(&node->arena, str_from(format), &format_copy, err) == OK;
    if (!made) {
        arena_done(&node->arena);
        mem_free(node);
        return err_memory(err);
    }
    for (int64_t i = 0; i < children; i++) places[i] = &items[i];
    *ret = (struct ArrowSchema){
        .format = format_copy.ptr,
        .name = name_copy.ptr,
        .flags = nullable ? ARROW_NULLABLE : 0,
        .n_children = children,
        .children = children ? places : NULL,
        .release = release_schema,
        .private_data = node,
    };
    return OK;
}

static char *put_text(char *at, const char *text)
{
    int32_t len = (int32_t)strlen(text);
    memcpy(at, &len, sizeof len);
    memcpy(at + sizeof len, text, (size_t)len);
    return at + sizeof len + len;
}

/* Metadata: a count of pairs, then each key and value with its length in front. */
static Status set_extension(struct ArrowSchema *schema, const char *name, Err *err)
{
    SchemaNode *node = schema->private_data;
    char *metadata = arena_raw(&node->arena, 256);
    if (!metadata) return err_memory(err);
    int32_t pairs = 2;
    memcpy(metadata, &pairs, sizeof pairs);
    char *at = put_text(metadata + sizeof pairs, EXTENSION_KEY);
    at = put_text(at, name);
    at = put_text(at, EXTENSION_METADATA_KEY);
    (void)put_text(at, "");
    schema->metadata = metadata;
    return OK;
}

static Status export_numeric(Str name, bool nullable, struct ArrowSchema *ret, Err *err)
{
    TRY(node_new(name, "+s", nullable, 2, ret, err));
    TRY(set_extension(ret, NUMERIC_EXTENSION, err));
    TRY(node_new(STR("value"), "d:38,0", false, 0, ret->children[0], err));
    return node_new(STR("scale"), "C", false, 0, ret->children[1], err);
}

static Status export_field(const Field *field, struct ArrowSchema *ret, Err *err);

static Status export_dynamic(const Field *field, struct ArrowSchema *ret, Err *err)
{
    int64_t count = ARROW_DYNAMIC_COUNT + 1;
    TRY(node_new(field->name, "+ud:0,1,2,3,4,5,6,7", !field->not_null, count, ret, err));
    for (int32_t i = 0; i < ARROW_DYNAMIC_COUNT; i++) {
        TypeId type = ARROW_DYNAMIC_TYPES[i];
        Field child = {.name = str_from(type_name(type)), .type = type, .not_null = true};
        TRY(export_field(&child, ret->children[i], err));
    }
    return node_new(STR("null"), "n", true, 0, ret->children[ARROW_DYNAMIC_NULL], err);
}

static Status export_field(const Field *field, struct ArrowSchema *ret, Err *err)
{
    bool nullable = !field->not_null;
    if (field->type == TYPE_DYNAMIC) return export_dynamic(field, ret, err);
    if (field->type == TYPE_NUMERIC && !field->precision) {
        return export_numeric(field->name, nullable, ret, err);
    }
    char decimal[32];
    const char *format = FORMATS[field->type];
    if (field->type == TYPE_NUMERIC) {
        (void)snprintf(decimal, sizeof decimal, "%s,%d", format, field->scale);
        format = decimal;
    }
    TRY(node_new(field->name, format, nullable, 0, ret, err));
    if (field->type == TYPE_JSON) return set_extension(ret, JSON_EXTENSION, err);
    if (field->type == TYPE_UUID) return set_extension(ret, "arrow.uuid", err);
    return OK;
}

Status arrow_export_schema(const Schema *schema, struct ArrowSchema *ret_schema, Err *err)
{
    struct ArrowSchema root = {0};
    TRY(node_new(STR(""), "+s", false, schema->count, &root, err));
    for (int32_t i = 0; i < schema->count; i++) {
        if (export_field(&schema->fields[i], root.children[i], err) == OK) continue;
        root.release(&root);
        return FAIL;
    }
    *ret_schema = root;
    return OK;
}

/* ---- import ---- */

static Str take_text(const char **at)
{
    int32_t len = 0;
    memcpy(&len, *at, sizeof len);
    Str text = str_make(*at + sizeof len, int64_max(len, 0));
    *at = text.ptr + text.len;
    return text;
}

static Str extension(const struct ArrowSchema *node)
{
    const char *at = node->metadata;
    if (!at) return STR_NULL;
    int32_t pairs = 0;
    memcpy(&pairs, at, sizeof pairs);
    at += sizeof pairs;
    for (int32_t i = 0; i < pairs; i++) {
        Str key = take_text(&at);
        Str value = take_text(&at);
        if (str_eq(key, STR(EXTENSION_KEY))) return value;
    }
    return STR_NULL;
}

bool arrow_is_numeric_struct(const struct ArrowSchema *node)
{
    return str_eq(str_from(node->format), STR("+s")) && node->n_children == 2 &&
           str_eq(extension(node), STR(NUMERIC_EXTENSION)) &&
           str_eq(str_from(node->children[0]->format), STR("d:38,0")) &&
           str_eq(str_from(node->children[1]->format), STR("C"));
}

/* Formats with one meaning; those that end in a colon have text after it. */
static const struct {
    const char *format;
    TypeId type;
} IMPORTS[] = {
    {"n", TYPE_TEXT},         {"b", TYPE_BOOL},         {"c", TYPE_INT64},
    {"C", TYPE_INT64},        {"s", TYPE_INT64},        {"S", TYPE_INT64},
    {"i", TYPE_INT64},        {"I", TYPE_INT64},        {"l", TYPE_INT64},
    {"L", TYPE_INT64},        {"f", TYPE_DOUBLE},       {"g", TYPE_DOUBLE},
    {"u", TYPE_TEXT},         {"U", TYPE_TEXT},         {"vu", TYPE_TEXT},
    {"z", TYPE_BYTES},        {"Z", TYPE_BYTES},        {"vz", TYPE_BYTES},
    {"w:16", TYPE_UUID},      {"tdD", TYPE_DATE},       {"tdm", TYPE_DATE},
    {"tts", TYPE_TIME},       {"ttm", TYPE_TIME},       {"ttu", TYPE_TIME},
    {"ttn", TYPE_TIME},       {"tss:", TYPE_TIMESTAMP}, {"tsm:", TYPE_TIMESTAMP},
    {"tsu:", TYPE_TIMESTAMP}, {"tsn:", TYPE_TIMESTAMP}, {"tin", TYPE_INTERVAL},
};

/* d:precision,scale[,128] */
static bool decimal_format_parse(Str format, int32_t *ret_precision, int32_t *ret_scale)
{
    int64_t values[3] = {0, 0, 128};
    int32_t count = 0;
    Str rest = str_slice(format, 2, format.len);
    Str part;
    while (count < 3 && str_next_part(&rest, ',', &part)) {
        if (number_parse_int64(part, &values[count++]) != NUMBER_OK) return false;
    }
    *ret_precision = (int32_t)values[0];
    *ret_scale = (int32_t)values[1];
    return count >= 2 && !rest.ptr && values[2] == 128 && values[0] >= 1 && values[0] <= 38 &&
           values[1] >= 0 && values[1] <= 38;
}

static bool dynamic_children_fit(const struct ArrowSchema *node)
{
    if (node->n_children > INT8_MAX) return false;
    for (int64_t i = 0; i < node->n_children; i++) {
        int32_t precision, scale;
        const struct ArrowSchema *child = node->children[i];
        if (str_starts(str_from(child->format), STR("+ud:"))) return false;
        TypeId type = arrow_type(child, &precision, &scale);
        bool fits = false;
        for (int32_t k = 0; k < ARROW_DYNAMIC_COUNT; k++) fits |= type == ARROW_DYNAMIC_TYPES[k];
        if (!fits) return false;
    }
    return true;
}

static TypeId plain_type(Str format)
{
    for (int64_t i = 0; i < COUNT_OF(IMPORTS); i++) {
        Str known = str_from(IMPORTS[i].format);
        bool open = str_ends(known, STR(":"));
        if (!(open ? str_starts(format, known) : str_eq(format, known))) continue;
        bool zone = open && format.len > known.len;
        return zone ? TYPE_TIMESTAMPTZ : IMPORTS[i].type;
    }
    return TYPE_COUNT;
}

TypeId arrow_type(const struct ArrowSchema *node, int32_t *ret_precision, int32_t *ret_scale)
{
    *ret_precision = *ret_scale = 0;
    Str format = str_from(node->format);
    if (node->dictionary) {
        if (plain_type(format) != TYPE_INT64 || node->dictionary->dictionary) return TYPE_COUNT;
        return arrow_type(node->dictionary, ret_precision, ret_scale);
    }
    if (arrow_is_numeric_struct(node)) return TYPE_NUMERIC;
    if (str_starts(format, STR("+ud:"))) {
        return dynamic_children_fit(node) ? TYPE_DYNAMIC : TYPE_COUNT;
    }
    if (str_starts(format, STR("d:"))) {
        bool fits = decimal_format_parse(format, ret_precision, ret_scale);
        return fits ? TYPE_NUMERIC : TYPE_COUNT;
    }
    TypeId type = plain_type(format);
    if (type != TYPE_TEXT) return type;
    Str name = extension(node);
    bool json = str_eq(name, STR(JSON_EXTENSION)) || str_eq(name, STR(JSON_CANONICAL_EXTENSION));
    return json ? TYPE_JSON : TYPE_TEXT;
}

Status arrow_import_schema(const struct ArrowSchema *schema, Schema **ret_schema, Err *err)
{
    if (!schema->release) return err_set(err, ERR_SCHEMA, "an Arrow schema that was let go");
    if (!str_eq(str_from(schema->format), STR("+s")) || schema->n_children > INT32_MAX) {
        return err_set(err, ERR_SCHEMA, "an Arrow schema that is not a struct of columns");
    }
    CLEANUP(mem_free_p) Field *fields = mem_array(schema->n_children, (int64_t)sizeof *fields);
    if (!fields) return err_memory(err);
    for (int64_t i = 0; i < schema->n_children; i++) {
        const struct ArrowSchema *child = schema->children[i];
        Field *field = &fields[i];
        field->name = str_from(child->name);
        field->not_null = !(child->flags & ARROW_NULLABLE);
        field->type = arrow_type(child, &field->precision, &field->scale);
        if (field->type != TYPE_COUNT) continue;
        (void)err_set(err, ERR_SCHEMA, "column %.*s: the Arrow format \"%s\" can't be read",
                      STR_ARG(field->name), child->format);
        return err_where(err, "%.*s", STR_ARG(field->name));
    }
    return schema_new(fields, (int32_t)schema->n_children, false, ret_schema, err);
}
