/* The closed set of column types, fields and schemas. */
#include "engine/column/type.h"

#include <stdatomic.h>

#include "foundation/base/mem.h"
#include "foundation/base/number.h"

static const struct {
    const char *name;
    int32_t width;
} TYPES[TYPE_COUNT] = {
#define TYPE(name, text, arrow, width) {text, width},
#include "engine/column/type.def"
#undef TYPE
};

/* PostgreSQL's other words for the same types. */
static const struct {
    const char *name;
    TypeId type;
} ALIASES[] = {
    {"bool", TYPE_BOOL},
    {"int", TYPE_INT64},
    {"integer", TYPE_INT64},
    {"int2", TYPE_INT64},
    {"int4", TYPE_INT64},
    {"int8", TYPE_INT64},
    {"smallint", TYPE_INT64},
    {"int64", TYPE_INT64},
    {"double", TYPE_DOUBLE},
    {"float", TYPE_DOUBLE},
    {"float4", TYPE_DOUBLE},
    {"float8", TYPE_DOUBLE},
    {"real", TYPE_DOUBLE},
    {"decimal", TYPE_NUMERIC},
    {"varchar", TYPE_TEXT},
    {"character varying", TYPE_TEXT},
    {"char", TYPE_TEXT},
    {"character", TYPE_TEXT},
    {"string", TYPE_TEXT},
    {"bytes", TYPE_BYTES},
    {"blob", TYPE_BYTES},
    {"jsonb", TYPE_JSON},
    {"time without time zone", TYPE_TIME},
    {"timestamp without time zone", TYPE_TIMESTAMP},
    {"timestamp with time zone", TYPE_TIMESTAMPTZ},
};

const char *type_name(TypeId type)
{
    assert(type < TYPE_COUNT);
    return TYPES[type].name;
}

int32_t type_width(TypeId type)
{
    assert(type < TYPE_COUNT);
    return TYPES[type].width;
}

static bool find_type(Str name, TypeId *ret_type)
{
    for (int32_t i = 0; i < TYPE_COUNT; i++) {
        if (!str_eq_nocase(name, str_from(TYPES[i].name))) continue;
        *ret_type = (TypeId)i;
        return true;
    }
    for (int64_t i = 0; i < COUNT_OF(ALIASES); i++) {
        if (!str_eq_nocase(name, str_from(ALIASES[i].name))) continue;
        *ret_type = ALIASES[i].type;
        return true;
    }
    return false;
}

/* "(p)" or "(p,s)" after the name. */
static bool parse_modifiers(Str inside, int32_t *ret_precision, int32_t *ret_scale)
{
    int64_t values[2] = {0, 0};
    int32_t count = 0;
    Str part;
    while (str_next_part(&inside, ',', &part)) {
        if (count == 2) return false;
        part = str_trim(part);
        if (number_parse_int64(part, &values[count]) != NUMBER_OK) return false;
        if (values[count] < 0 || values[count++] > 10485760) return false;
    }
    *ret_precision = (int32_t)values[0];
    *ret_scale = (int32_t)values[1];
    return count > 0;
}

bool type_parse(Str text, TypeId *ret_type, int32_t *ret_precision, int32_t *ret_scale)
{
    text = str_trim(text);
    *ret_precision = 0;
    *ret_scale = 0;
    int64_t open = str_find_char(text, '(');
    if (open < 0) return find_type(text, ret_type);
    int64_t close = str_find_char(text, ')');
    if (close < open) return false;
    Str rest = str_trim(str_slice(text, close + 1, text.len));
    Str name = str_trim(str_slice(text, 0, open));
    bool time = str_eq_nocase(name, STR("timestamp")) || str_eq_nocase(name, STR("time"));
    bool zone = str_eq_nocase(rest, STR("with time zone"));
    if (rest.len && !time) return false;
    if (rest.len && !zone && !str_eq_nocase(rest, STR("without time zone"))) return false;
    if (zone && str_eq_nocase(name, STR("time"))) return false;
    if (zone) name = STR("timestamptz");
    if (!find_type(name, ret_type)) return false;
    int32_t precision = 0, scale = 0;
    if (!parse_modifiers(str_slice(text, open + 1, close), &precision, &scale)) return false;
    if (*ret_type != TYPE_NUMERIC) return true;
    *ret_precision = precision;
    *ret_scale = scale;
    return precision >= 1 && precision <= 38 && scale <= precision;
}

static Status copy_field(Schema *schema, const Field *from, Field *to, Err *err)
{
    *to = *from;
    TRY(arena_copy(&schema->arena, from->name, &to->name, err));
    TRY(arena_copy(&schema->arena, from->native, &to->native, err));
    to->spread_except = NULL;
    if (from->spread_except_count == 0) return OK;
    Str *except = ARENA_ARRAY(&schema->arena, Str, from->spread_except_count);
    if (!except) return err_memory(err);
    for (int32_t i = 0; i < from->spread_except_count; i++) {
        TRY(arena_copy(&schema->arena, from->spread_except[i], &except[i], err));
    }
    to->spread_except = except;
    return OK;
}

Status schema_new(const Field *fields, int32_t count, bool open, Schema **ret_schema, Err *err)
{
    Schema *schema = mem_zalloc((int64_t)sizeof *schema);
    if (!schema) return err_memory(err);
    schema->refs = 1;
    schema->open = open;
    schema->arena = arena_make(INT64_C(64) << 20);
    schema->fields = ARENA_ARRAY(&schema->arena, Field, count ? count : 1);
    if (!schema->fields) {
        schema_unref(schema);
        return err_memory(err);
    }
    for (int32_t i = 0; i < count; i++) {
        if (copy_field(schema, &fields[i], &schema->fields[i], err) == OK) continue;
        schema_unref(schema);
        return FAIL;
    }
    schema->count = count;
    *ret_schema = schema;
    return OK;
}

/* Sharing is not a change of what is shared: the count may go up after a const handle. */
Schema *schema_ref(const Schema *schema)
{
    union {
        const Schema *in;
        Schema *out;
    } handle = {.in = schema};
    atomic_fetch_add_explicit(&handle.out->refs, 1, memory_order_relaxed);
    return handle.out;
}

void schema_unref(Schema *schema)
{
    if (!schema) return;
    if (atomic_fetch_sub_explicit(&schema->refs, 1, memory_order_acq_rel) > 1) return;
    arena_done(&schema->arena);
    mem_free(schema);
}

int32_t schema_find(const Schema *schema, Str name)
{
    for (int32_t i = 0; i < schema->count; i++) {
        if (str_eq(schema->fields[i].name, name)) return i;
    }
    return -1;
}

int32_t schema_find_written(const Schema *schema, Str name)
{
    int32_t found = schema_find(schema, name);
    if (found >= 0) return found;
    for (int32_t i = 0; i < schema->count; i++) {
        if (!str_eq_nocase(schema->fields[i].name, name)) continue;
        if (found >= 0) return -2;
        found = i;
    }
    return found;
}

Str schema_nearest(const Schema *schema, Str name)
{
    Str best = STR_NULL;
    int64_t best_distance = INT64_MAX;
    for (int32_t i = 0; i < schema->count; i++) {
        Str near = str_nearest(name, &schema->fields[i].name, 1);
        if (!near.ptr) continue;
        int64_t distance = str_distance(name, near);
        if (distance >= best_distance) continue;
        best = near;
        best_distance = distance;
    }
    return best;
}

bool schema_eq(const Schema *a, const Schema *b)
{
    if (a->count != b->count || a->open != b->open) return false;
    for (int32_t i = 0; i < a->count; i++) {
        if (a->fields[i].type != b->fields[i].type) return false;
        if (!str_eq(a->fields[i].name, b->fields[i].name)) return false;
    }
    return true;
}
