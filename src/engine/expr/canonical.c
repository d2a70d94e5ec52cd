/* JSON in one form per value: what equality and hashes go by. */
#include "engine/expr/canonical.h"

#include <stdlib.h>

#include "foundation/base/number.h"
#include "foundation/codec/json_tree.h"
#include "foundation/codec/json_writer.h"

static Status put_value(const JsonValue *value, Arena *arena, Buf *out, Err *err);

/* By value: 1, 1.0 and 1e0 are one. */
static Status put_number(Str text, Buf *out, Err *err)
{
    Decimal decimal;
    double real;
    if (decimal_parse(text, &decimal) == DECIMAL_OK) {
        return json_put_decimal(out, decimal_normalize(decimal), err);
    }
    if (number_parse_double(text, &real) == NUMBER_OK) return json_put_double(out, real, err);
    return buf_append(out, text, err);
}

static int by_key(const void *a, const void *b)
{
    const JsonValue *x = *(const JsonValue *const *)a, *y = *(const JsonValue *const *)b;
    int order = str_compare(x->key, y->key);
    return order ? order : (x->offset > y->offset) - (x->offset < y->offset);
}

static Status put_object(const JsonValue *object, Arena *arena, Buf *out, Err *err)
{
    const JsonValue **members =
        (const JsonValue **)arena_array(arena, object->count + 1, (int64_t)sizeof *members);
    if (!members) return err_memory(err);
    int64_t count = 0;
    for (const JsonValue *at = object->first; at; at = at->next) members[count++] = at;
    qsort((void *)members, (size_t)count, sizeof *members, by_key);
    TRY(buf_append_char(out, '{', err));
    bool first = true;
    for (int64_t i = 0; i < count; i++) {
        bool again = i + 1 < count && str_eq(members[i]->key, members[i + 1]->key);
        if (again) continue; /* the last of equal names counts */
        if (!first) TRY(buf_append_char(out, ',', err));
        first = false;
        TRY(json_put_text(out, members[i]->key, err));
        TRY(buf_append_char(out, ':', err));
        TRY(put_value(members[i], arena, out, err));
    }
    return buf_append_char(out, '}', err);
}

static Status put_array(const JsonValue *array, Arena *arena, Buf *out, Err *err)
{
    TRY(buf_append_char(out, '[', err));
    for (const JsonValue *at = array->first; at; at = at->next) {
        if (at != array->first) TRY(buf_append_char(out, ',', err));
        TRY(put_value(at, arena, out, err));
    }
    return buf_append_char(out, ']', err);
}

static Status put_value(const JsonValue *value, Arena *arena, Buf *out, Err *err)
{
    switch (value->kind) {
    case JSON_NUMBER:
        return put_number(value->text, out, err);
    case JSON_STRING:
        return json_put_text(out, value->text, err);
    case JSON_OBJECT:
        return put_object(value, arena, out, err);
    case JSON_ARRAY:
        return put_array(value, arena, out, err);
    case JSON_BOOL:
        return buf_append(out, value->boolean ? STR("true") : STR("false"), err);
    case JSON_NULL:
    case JSON_MISSING:
        break;
    }
    return buf_append(out, STR("null"), err);
}

Status canonical_json(Str json, Arena *arena, Buf *out, Err *err)
{
    JsonValue *root = NULL;
    TRY(json_parse(json, arena, &root, err));
    return put_value(root, arena, out, err);
}

int canonical_compare(Str a, Str b, Arena *arena)
{
    CLEANUP(buf_done) Buf x = buf_make(INT64_C(1) << 30);
    CLEANUP(buf_done) Buf y = buf_make(INT64_C(1) << 30);
    if (canonical_json(a, arena, &x, NULL) != OK || canonical_json(b, arena, &y, NULL) != OK) {
        return str_compare(a, b);
    }
    return str_compare(buf_str(&x), buf_str(&y));
}
