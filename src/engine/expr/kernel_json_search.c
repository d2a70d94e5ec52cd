/* JSON that is searched by paths, joined and laid out. */
#include "engine/expr/canonical.h"
#include "engine/expr/json_part.h"
#include "foundation/codec/json_writer.h"

static JsonSlot step_into(const JsonSlot *slot, Str step)
{
    int64_t index = 0;
    if (slot->kind == JSON_OBJECT) return json_get_key(slot, step);
    if (slot->kind == JSON_ARRAY && text_path_index(step, &index))
        return json_get_index(slot, index);
    return (JsonSlot){.kind = JSON_MISSING};
}

/* Down the array of argument 1. */
static Status follow(KernelCall *call, int64_t row, JsonSlot *ret_slot, bool *ret_ok, Err *err)
{
    TextPath path;
    TRY(text_path_at(call, 1, row, &path, ret_ok, err));
    *ret_ok = *ret_ok && json_part_at(call, 0, row, ret_slot);
    if (*ret_ok && path.null) ret_slot->kind = JSON_MISSING;
    for (int32_t i = 0; *ret_ok && !path.null && i < path.count; i++) {
        *ret_slot = step_into(ret_slot, path.steps[i]);
    }
    return OK;
}

static Status kernel_at_path(KernelCall *call, Err *err)
{
    FOR_ACTIVE (call, row) {
        JsonSlot slot;
        bool ok = false;
        TRY(follow(call, row, &slot, &ok, err));
        if (ok && slot.kind == JSON_MISSING) call_null(call, row);
        else if (ok) kernel_put_text(call, row, json_part_source(&slot));
    }
    return OK;
}

static Status kernel_text_at_path(KernelCall *call, Err *err)
{
    FOR_ACTIVE (call, row) {
        JsonSlot slot;
        bool ok = false;
        TRY(follow(call, row, &slot, &ok, err));
        if (!ok) continue;
        if (slot.kind == JSON_MISSING || slot.kind == JSON_NULL) call_null(call, row);
        else if (slot.kind != JSON_STRING) kernel_put_text(call, row, slot.text);
        else TRY(json_text(&slot, call->arena, &vector_text(call->result)[row], err));
    }
    return OK;
}

/* ---- containment ---- */

static bool contains(const KernelCall *call, const JsonSlot *a, const JsonSlot *b);

static bool has_element(const KernelCall *call, const JsonSlot *array, const JsonSlot *wanted)
{
    JsonIter iter = json_iter(array);
    JsonSlot item;
    while (json_iter_next(&iter, NULL, &item)) {
        if (contains(call, &item, wanted)) return true;
    }
    return false;
}

static bool contains(const KernelCall *call, const JsonSlot *a, const JsonSlot *b)
{
    if (a->kind != b->kind) return false;
    if (a->kind != JSON_OBJECT && a->kind != JSON_ARRAY) {
        return canonical_compare(json_part_source(a), json_part_source(b), call->arena) == 0;
    }
    JsonIter iter = json_iter(b);
    JsonSlot key, value;
    while (json_iter_next(&iter, &key, &value)) {
        Str name;
        if (a->kind == JSON_ARRAY) {
            if (!has_element(call, a, &value)) return false;
            continue;
        }
        if (json_text(&key, call->arena, &name, NULL) != OK) return false;
        JsonSlot own = json_get_key(a, name);
        if (!contains(call, &own, &value)) return false;
    }
    return true;
}

static Status contains_loop(KernelCall *call, int32_t outer)
{
    FOR_ACTIVE (call, row) {
        JsonSlot a, b;
        if (!json_part_at(call, outer, row, &a) || !json_part_at(call, 1 - outer, row, &b))
            continue;
        bool scalar = b.kind != JSON_OBJECT && b.kind != JSON_ARRAY;
        bool in_array = a.kind == JSON_ARRAY && scalar && has_element(call, &a, &b);
        vector_bool(call->result)[row] = in_array || contains(call, &a, &b);
    }
    return OK;
}

static Status kernel_contains(KernelCall *call, Err *err UNUSED)
{
    return contains_loop(call, 0);
}
static Status kernel_contained(KernelCall *call, Err *err UNUSED)
{
    return contains_loop(call, 1);
}

/* A member, an element that is this text, or the text itself. */
static bool has_name(const JsonSlot *slot, Str name)
{
    if (slot->kind == JSON_STRING) return json_text_is(slot, name);
    if (slot->kind == JSON_OBJECT) return json_get_key(slot, name).kind != JSON_MISSING;
    if (slot->kind != JSON_ARRAY) return false;
    JsonIter iter = json_iter(slot);
    JsonSlot item;
    while (json_iter_next(&iter, NULL, &item)) {
        if (item.kind == JSON_STRING && json_text_is(&item, name)) return true;
    }
    return false;
}

static Status names_loop(KernelCall *call, bool all, Err *err)
{
    FOR_ACTIVE (call, row) {
        JsonSlot slot;
        TextPath names;
        bool ok = false, found = all;
        TRY(text_path_at(call, 1, row, &names, &ok, err));
        if (!ok || !json_part_at(call, 0, row, &slot)) continue;
        for (int32_t i = 0; i < names.count && found == all; i++) {
            found = has_name(&slot, names.steps[i]);
        }
        vector_bool(call->result)[row] = found;
    }
    return OK;
}

static Status kernel_has_any(KernelCall *call, Err *err)
{
    return names_loop(call, false, err);
}
static Status kernel_has_all(KernelCall *call, Err *err)
{
    return names_loop(call, true, err);
}

/* ---- joining ---- */

static Status join_objects(const JsonSlot *a, const JsonSlot *b, KernelCall *call, Listing *list,
                           Err *err)
{
    JsonSlot key, value;
    JsonIter iter = json_iter(a);
    while (json_iter_next(&iter, &key, &value)) {
        Str name;
        TRY(json_text(&key, call->arena, &name, err));
        if (json_get_key(b, name).kind == JSON_MISSING) TRY(listing_copy(list, &key, &value, err));
    }
    iter = json_iter(b);
    while (json_iter_next(&iter, &key, &value)) TRY(listing_copy(list, &key, &value, err));
    return OK;
}

static Status list_elements(Listing *list, const JsonSlot *slot, Err *err)
{
    if (slot->kind != JSON_ARRAY) return listing_copy(list, NULL, slot, err);
    JsonIter iter = json_iter(slot);
    JsonSlot item;
    while (json_iter_next(&iter, NULL, &item)) TRY(listing_copy(list, NULL, &item, err));
    return OK;
}

static Status kernel_join(KernelCall *call, Err *err)
{
    CLEANUP(buf_done) Buf out = buf_make(INT64_C(1) << 28);
    FOR_ACTIVE (call, row) {
        JsonSlot a, b;
        if (!json_part_at(call, 0, row, &a) || !json_part_at(call, 1, row, &b)) continue;
        Listing list = {.out = &out};
        buf_clear(&out);
        bool objects = a.kind == JSON_OBJECT && b.kind == JSON_OBJECT;
        TRY(buf_append_char(&out, objects ? '{' : '[', err));
        if (objects) {
            TRY(join_objects(&a, &b, call, &list, err));
        } else {
            TRY(list_elements(&list, &a, err));
            TRY(list_elements(&list, &b, err));
        }
        TRY(buf_append_char(&out, objects ? '}' : ']', err));
        TRY(json_part_put(call, row, &out));
    }
    return OK;
}

/* ---- laying out ---- */

static Status strip(const JsonSlot *slot, Buf *out, Err *err)
{
    bool object = slot->kind == JSON_OBJECT;
    if (!object && slot->kind != JSON_ARRAY) return buf_append(out, json_part_source(slot), err);
    Listing list = {.out = out};
    JsonIter iter = json_iter(slot);
    JsonSlot key, value;
    TRY(buf_append_char(out, object ? '{' : '[', err));
    while (json_iter_next(&iter, &key, &value)) {
        if (object && value.kind == JSON_NULL) continue;
        TRY(listing_item(&list, object ? &key : NULL, err));
        TRY(strip(&value, out, err));
    }
    return buf_append_char(out, object ? '}' : ']', err);
}

static Status put_indent(Buf *out, int32_t depth, Err *err)
{
    TRY(buf_append_char(out, '\n', err));
    for (int32_t i = 0; i < depth; i++) TRY(buf_append(out, STR("    "), err));
    return OK;
}

/* As PostgreSQL does it: four blanks a level, also for what is empty. */
static Status pretty(const JsonSlot *slot, int32_t depth, Buf *out, Err *err)
{
    bool object = slot->kind == JSON_OBJECT, any = false;
    if (!object && slot->kind != JSON_ARRAY) return buf_append(out, json_part_source(slot), err);
    JsonIter iter = json_iter(slot);
    JsonSlot key, value;
    TRY(buf_append_char(out, object ? '{' : '[', err));
    while (json_iter_next(&iter, &key, &value)) {
        if (any) TRY(buf_append_char(out, ',', err));
        any = true;
        TRY(put_indent(out, depth + 1, err));
        if (object) TRY(buf_append(out, json_part_source(&key), err));
        if (object) TRY(buf_append(out, STR(": "), err));
        TRY(pretty(&value, depth + 1, out, err));
    }
    TRY(put_indent(out, depth, err));
    return buf_append_char(out, object ? '}' : ']', err);
}

static Status lay_out(KernelCall *call, bool with_blanks, Err *err)
{
    CLEANUP(buf_done) Buf out = buf_make(INT64_C(1) << 28);
    FOR_ACTIVE (call, row) {
        JsonSlot slot;
        if (!json_part_at(call, 0, row, &slot)) continue;
        buf_clear(&out);
        TRY(with_blanks ? pretty(&slot, 0, &out, err) : strip(&slot, &out, err));
        TRY(json_part_put(call, row, &out));
    }
    return OK;
}

static Status kernel_strip_nulls(KernelCall *call, Err *err)
{
    return lay_out(call, false, err);
}
static Status kernel_pretty(KernelCall *call, Err *err)
{
    return lay_out(call, true, err);
}

/* ---- SQL/JSON paths of members and elements: $.a[0]."b" ---- */

static Status path_text_at(KernelCall *call, int64_t row, JsonSlot *ret_slot, bool *ret_ok,
                           Err *err)
{
    Str text = str_trim(kernel_text(call, 1, row));
    if (str_starts_nocase(text, STR("lax "))) text = str_trim(str_slice(text, 4, text.len));
    JsonPath path = {NULL, 0};
    *ret_ok = str_starts(text, STR("$"));
    text = str_slice(text, 1, text.len);
    if (str_starts(text, STR("."))) text = str_slice(text, 1, text.len);
    bool root = *ret_ok && text.len == 0;
    bool element = str_starts(text, STR("["));
    Str whole = text;
    if (element) TRY(arena_printf(call->arena, &whole, err, "x%.*s", STR_ARG(text)));
    *ret_ok = *ret_ok && (root || json_path_parse(whole, call->arena, &path, NULL) == OK);
    if (!*ret_ok) {
        call_error(call, row, "0A000",
                   "this SQL/JSON path is not supported (members and elements "
                   "are, like $.a[0].b)");
        return OK;
    }
    if (element) path = (JsonPath){path.steps + 1, path.count - 1};
    *ret_ok = json_part_at(call, 0, row, ret_slot);
    if (*ret_ok && path.count) *ret_slot = json_get_path(kernel_text(call, 0, row), &path);
    return OK;
}

static Status kernel_path_first(KernelCall *call, Err *err)
{
    FOR_ACTIVE (call, row) {
        JsonSlot slot;
        bool ok = false;
        TRY(path_text_at(call, row, &slot, &ok, err));
        if (ok && slot.kind == JSON_MISSING) call_null(call, row);
        else if (ok) kernel_put_text(call, row, json_part_source(&slot));
    }
    return OK;
}

static Status kernel_path_exists(KernelCall *call, Err *err)
{
    FOR_ACTIVE (call, row) {
        JsonSlot slot;
        bool ok = false;
        TRY(path_text_at(call, row, &slot, &ok, err));
        if (ok) vector_bool(call->result)[row] = slot.kind != JSON_MISSING;
    }
    return OK;
}

/* ---- objects of arrays ---- */

static Status object_row(KernelCall *call, int64_t row, Buf *out, Err *err)
{
    JsonSlot keys, values, key, value;
    bool two = call->arg_count > 1;
    if (!json_part_at(call, 0, row, &keys) || (two && !json_part_at(call, 1, row, &values)))
        return OK;
    int64_t count = json_count(&keys), others = two ? json_count(&values) : count;
    if (two ? count != others : count % 2 != 0) {
        call_error(call, row, "2202E",
                   two ? "mismatched array dimensions" : "array must have even number of elements");
        return OK;
    }
    buf_clear(out);
    Listing list = {.out = out};
    TRY(buf_append_char(out, '{', err));
    JsonIter iter = json_iter(&keys), other = two ? json_iter(&values) : iter;
    while (json_iter_next(&iter, NULL, &key)) {
        (void)json_iter_next(two ? &other : &iter, NULL, &value);
        if (key.kind == JSON_NULL) {
            call_error(call, row, "22004", "null value not allowed for object key");
            return OK;
        }
        TRY(listing_copy(&list, &key, &value, err));
    }
    TRY(buf_append_char(out, '}', err));
    return json_part_put(call, row, out);
}

static Status kernel_object(KernelCall *call, Err *err)
{
    CLEANUP(buf_done) Buf out = buf_make(INT64_C(1) << 28);
    FOR_ACTIVE (call, row) TRY(object_row(call, row, &out, err));
    return OK;
}

enum { FALLIBLE = FUNCTION_STRICT | FUNCTION_FALLIBLE };
#define J "json"
#define OP "operator"

static const Function FUNCTIONS[] = {
    {"#>", "json, array -> json", kernel_at_path, FALLIBLE, OP, "What is at a path of keys.",
     "'{\"a\":[5,6]}'::json #> '{a,1}' = 6", 0, 0, 0},
    {"#>>", "json, array -> text", kernel_text_at_path, FALLIBLE, OP, "The same as text.",
     "'{\"a\":[5,6]}'::json #>> '{a,1}' = \"6\"", 0, 0, 0},
    {"@>", "json, json -> boolean", kernel_contains, FALLIBLE, OP, "Contains the other.",
     "'{\"a\":1,\"b\":2}'::json @> '{\"a\":1}' = true", 0, 0, 0},
    {"<@", "json, json -> boolean", kernel_contained, FALLIBLE, OP, "Is contained in the other.",
     "'{\"a\":1}'::json <@ '{\"a\":1,\"b\":2}' = true", 0, 0, 0},
    {"?|", "json, array -> boolean", kernel_has_any, FALLIBLE, OP, "Has one of the members.",
     "'{\"a\":1}'::json ?| ARRAY['a', 'b'] = true", 0, 0, 0},
    {"?&", "json, array -> boolean", kernel_has_all, FALLIBLE, OP, "Has all of the members.",
     "'{\"a\":1}'::json ?& ARRAY['a', 'b'] = false", 0, 0, 0},
    {"||", "json, json -> json", kernel_join, FALLIBLE, OP,
     "Members of both (the second's win), or elements of both.",
     "'{\"a\":1}'::json || '{\"b\":2}' = {\"a\":1,\"b\":2}", 0, 0, 0},
    {"jsonb_strip_nulls", "json -> json", kernel_strip_nulls, FALLIBLE, J,
     "Without members that are null.", "jsonb_strip_nulls('{\"a\":null,\"b\":1}') = {\"b\":1}", 0,
     0, 0},
    {"json_strip_nulls", "json -> json", kernel_strip_nulls, FALLIBLE, J, "The same.",
     "json_strip_nulls('{\"a\":null}') = {}", 0, 0, "jsonb_strip_nulls"},
    {"jsonb_pretty", "json -> text", kernel_pretty, FALLIBLE, J, "Laid out over lines.",
     "jsonb_pretty('[1]') = \"[\\n    1\\n]\"", 0, 0, 0},
    {"jsonb_path_query_first", "json, text -> json", kernel_path_first, FALLIBLE, J,
     "What is at a path like $.a[0].b.", "jsonb_path_query_first('{\"a\":[1,2]}', '$.a[1]') = 2", 0,
     0, 0},
    {"jsonb_path_exists", "json, text -> boolean", kernel_path_exists, FALLIBLE, J,
     "Whether something is at such a path.", "jsonb_path_exists('{\"a\":1}', '$.b') = false", 0, 0,
     0},
    {"json_object", "array, [array] -> json", kernel_object, FALLIBLE, J,
     "An object of keys and values: one array, or one of each.",
     "json_object(ARRAY['a', 'b'], ARRAY['1', '2']) = {\"a\":\"1\",\"b\":\"2\"}", 0, 0, 0},
    {"jsonb_object", "array, [array] -> json", kernel_object, FALLIBLE, J, "The same.",
     "jsonb_object(ARRAY['a', '1']) = {\"a\":\"1\"}", 0, 0, "json_object"},
};
const FunctionTable JSON_SEARCH_FUNCTIONS = {FUNCTIONS, COUNT_OF(FUNCTIONS)};
