/* JSON functions: members, kinds, building, containment. */
#include "engine/expr/canonical.h"
#include "engine/expr/kernel.h"
#include "engine/expr/text_value.h"
#include "foundation/codec/json_writer.h"

/* The JSON after an argument that is JSON or dynamic; false: a dynamic scalar. */
static bool subject(const KernelCall *call, int64_t row, Str *ret_json)
{
    const Vector *v = &call->args[0];
    if (v->type == TYPE_JSON) {
        *ret_json = vector_text(v)[row & v->mask];
        return true;
    }
    const Cell *cell = &vector_cell(v)[row & v->mask];
    *ret_json = cell->text;
    return cell->type == TYPE_JSON;
}

static JsonSlot step_slot(const KernelCall *call, int64_t row, Str json)
{
    const Vector *key = &call->args[1];
    JsonStep step = {.is_index = key->type == TYPE_INT64};
    if (step.is_index) step.index = kernel_int64(call, 1, row);
    else step.key = kernel_text(call, 1, row);
    JsonPath path = {&step, 1};
    return json_get_path(json, &path);
}

static Status put_slot(KernelCall *call, int64_t row, const JsonSlot *slot, Err *err)
{
    bool null = false;
    TRY(cell_from_slot(slot, call->arena, &vector_cell(call->result)[row], &null, err));
    if (null) call_null(call, row);
    return OK;
}

static Status put_slot_text(KernelCall *call, int64_t row, const JsonSlot *slot, Err *err)
{
    if (slot->kind == JSON_MISSING || slot->kind == JSON_NULL) {
        call_null(call, row);
        return OK;
    }
    if (slot->kind != JSON_STRING) {
        kernel_put_text(call, row, slot->text);
        return OK;
    }
    return json_text(slot, call->arena, &vector_text(call->result)[row], err);
}

static Status kernel_member(KernelCall *call, Err *err)
{
    FOR_ACTIVE (call, row) {
        Str json;
        JsonSlot slot = {.kind = JSON_MISSING};
        if (subject(call, row, &json)) slot = step_slot(call, row, json);
        TRY(put_slot(call, row, &slot, err));
    }
    return OK;
}

static Status kernel_member_text(KernelCall *call, Err *err)
{
    FOR_ACTIVE (call, row) {
        Str json;
        JsonSlot slot = {.kind = JSON_MISSING};
        if (subject(call, row, &json)) slot = step_slot(call, row, json);
        TRY(put_slot_text(call, row, &slot, err));
    }
    return OK;
}

/* Keys as further arguments, one after the other; digits stand for indexes in arrays. */
static JsonSlot walk(const KernelCall *call, int64_t row)
{
    Str json;
    JsonSlot slot = {.kind = JSON_MISSING};
    if (!subject(call, row, &json)) return slot;
    for (int32_t i = 1; i < call->arg_count; i++) {
        if (!kernel_valid(&call->args[i], row)) return (JsonSlot){.kind = JSON_MISSING};
        JsonStep step = {.key = kernel_text(call, i, row)};
        JsonPath path = {&step, 1};
        bool array = str_starts(str_trim(json), STR("["));
        if (array) {
            bool negative = str_starts(step.key, STR("-"));
            step.is_index = true;
            for (int64_t k = negative; k < step.key.len && k < 10; k++) {
                step.index = step.index * 10 + (step.key.ptr[k] - '0');
            }
            if (negative) step.index = -step.index;
        }
        slot = json_get_path(json, &path);
        if (slot.kind == JSON_MISSING) return slot;
        json = slot.text;
        if (slot.kind != JSON_OBJECT && slot.kind != JSON_ARRAY && i + 1 < call->arg_count) {
            return (JsonSlot){.kind = JSON_MISSING};
        }
    }
    return slot;
}

static Status kernel_extract_path(KernelCall *call, Err *err)
{
    FOR_ACTIVE (call, row) {
        JsonSlot slot = walk(call, row);
        TRY(put_slot(call, row, &slot, err));
    }
    return OK;
}

static Status kernel_extract_path_text(KernelCall *call, Err *err)
{
    FOR_ACTIVE (call, row) {
        JsonSlot slot = walk(call, row);
        TRY(put_slot_text(call, row, &slot, err));
    }
    return OK;
}

static Status kernel_typeof(KernelCall *call, Err *err UNUSED)
{
    static const char *const NAMES[TYPE_COUNT] = {
        [TYPE_BOOL] = "boolean",   [TYPE_INT64] = "number", [TYPE_DOUBLE] = "number",
        [TYPE_NUMERIC] = "number", [TYPE_TEXT] = "string",  [TYPE_BYTES] = "string"};
    FOR_ACTIVE (call, row) {
        Str json;
        if (subject(call, row, &json)) {
            json = str_trim(json);
            kernel_put_text(call, row, json.ptr[0] == '{' ? STR("object") : STR("array"));
        } else {
            const Vector *v = &call->args[0];
            const char *name = NAMES[vector_cell(v)[row & v->mask].type];
            kernel_put_text(call, row, str_from(name ? name : "string"));
        }
    }
    return OK;
}

static Status count_loop(KernelCall *call, JsonKind kind, const char *what)
{
    FOR_ACTIVE (call, row) {
        Str json;
        JsonSlot slot = {.kind = JSON_MISSING};
        bool ok = subject(call, row, &json) && json_scan(json, &slot, NULL) && slot.kind == kind;
        if (!ok) call_error(call, row, "22023", "this is not %s", what);
        else vector_int64(call->result)[row] = json_count(&slot);
    }
    return OK;
}

static Status kernel_array_length(KernelCall *call, Err *err UNUSED)
{
    return count_loop(call, JSON_ARRAY, "an array");
}
static Status kernel_object_size(KernelCall *call, Err *err UNUSED)
{
    return count_loop(call, JSON_OBJECT, "an object");
}

static Status kernel_has_key(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        Str json;
        bool has = subject(call, row, &json) && step_slot(call, row, json).kind != JSON_MISSING;
        vector_bool(call->result)[row] = has;
    }
    return OK;
}

static Status put_buf(KernelCall *call, int64_t row, const Buf *out)
{
    kernel_put_copy(call, row, out->data ? out->data : "", out->len);
    return OK;
}

static Status kernel_object_keys(KernelCall *call, Err *err)
{
    CLEANUP(buf_done) Buf out = buf_make(INT64_C(1) << 28);
    FOR_ACTIVE (call, row) {
        Str json;
        JsonSlot slot = {.kind = JSON_MISSING}, key, value;
        bool ok =
            subject(call, row, &json) && json_scan(json, &slot, NULL) && slot.kind == JSON_OBJECT;
        if (!ok) {
            call_error(call, row, "22023", "this is not an object");
            continue;
        }
        buf_clear(&out);
        TRY(buf_append_char(&out, '[', err));
        JsonIter iter = json_iter(&slot);
        while (json_iter_next(&iter, &key, &value)) {
            if (out.len > 1) TRY(buf_append_char(&out, ',', err));
            TRY(buf_append_char(&out, '"', err));
            TRY(buf_append(&out, key.text, err));
            TRY(buf_append_char(&out, '"', err));
        }
        TRY(buf_append_char(&out, ']', err));
        TRY(put_buf(call, row, &out));
    }
    return OK;
}

static Status kernel_to_json(KernelCall *call, Err *err)
{
    CLEANUP(buf_done) Buf out = buf_make(INT64_C(1) << 28);
    FOR_ACTIVE (call, row) {
        buf_clear(&out);
        TRY(json_of_value(&out, &call->args[0], row, err));
        TRY(put_buf(call, row, &out));
    }
    return OK;
}

static Status kernel_build_array(KernelCall *call, Err *err)
{
    CLEANUP(buf_done) Buf out = buf_make(INT64_C(1) << 28);
    FOR_ACTIVE (call, row) {
        buf_clear(&out);
        TRY(buf_append_char(&out, '[', err));
        for (int32_t i = 0; i < call->arg_count; i++) {
            if (i) TRY(buf_append_char(&out, ',', err));
            TRY(json_of_value(&out, &call->args[i], row, err));
        }
        TRY(buf_append_char(&out, ']', err));
        TRY(put_buf(call, row, &out));
    }
    return OK;
}

static Status build_object(KernelCall *call, int64_t row, Buf *out, Err *err)
{
    buf_clear(out);
    TRY(buf_append_char(out, '{', err));
    for (int32_t i = 0; i + 1 < call->arg_count; i += 2) {
        if (!kernel_valid(&call->args[i], row)) {
            call_error(call, row, "22023", "a key must not be NULL");
            return OK;
        }
        if (i) TRY(buf_append_char(out, ',', err));
        char scratch[128];
        int64_t len = text_of_scalar(&call->args[i], row, scratch);
        if (len >= 0) TRY(json_put_text(out, str_make(scratch, len), err));
        else {
            text_of_value(call, row, &call->args[i]);
            TRY(json_put_text(out, vector_text(call->result)[row], err));
        }
        TRY(buf_append_char(out, ':', err));
        TRY(json_of_value(out, &call->args[i + 1], row, err));
    }
    TRY(buf_append_char(out, '}', err));
    return put_buf(call, row, out);
}

static Status kernel_build_object(KernelCall *call, Err *err)
{
    CLEANUP(buf_done) Buf out = buf_make(INT64_C(1) << 28);
    FOR_ACTIVE (call, row) {
        if (call->arg_count % 2) {
            call_error(call, row, "22023", "keys and values must come in pairs");
        } else {
            TRY(build_object(call, row, &out, err));
        }
    }
    return OK;
}

static Status kernel_is_json(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        vector_bool(call->result)[row] = json_validate(kernel_text(call, 0, row), NULL);
    }
    return OK;
}

static Status kernel_canonical(KernelCall *call, Err *err)
{
    CLEANUP(buf_done) Buf out = buf_make(INT64_C(1) << 28);
    FOR_ACTIVE (call, row) {
        buf_clear(&out);
        TRY(canonical_json(kernel_text(call, 0, row), call->arena, &out, err));
        TRY(put_buf(call, row, &out));
    }
    return OK;
}

enum { STRICT = FUNCTION_STRICT, FALLIBLE = FUNCTION_STRICT | FUNCTION_FALLIBLE };
#define J "json"
#define OP "operator"

static const Function FUNCTIONS[] = {
    {"->", "dynamic, text -> dynamic", kernel_member, STRICT, OP, "A member.",
     "'{\"a\":1}'::json -> 'a' = 1", 0, 0, 0},
    {"->", "dynamic, bigint -> dynamic", kernel_member, STRICT, OP, "An element, from 0.",
     "'[5,6]'::json -> 1 = 6", 0, 0, 0},
    {"->>", "dynamic, text -> text", kernel_member_text, STRICT, OP, "A member as text.",
     "'{\"a\":1}'::json ->> 'a' = \"1\"", 0, 0, 0},
    {"->>", "dynamic, bigint -> text", kernel_member_text, STRICT, OP, "An element as text.",
     "'[5,6]'::json ->> 0 = \"5\"", 0, 0, 0},
    {"?", "dynamic, text -> boolean", kernel_has_key, STRICT, OP, "Has the member.",
     "'{\"a\":1}'::json ? 'b' = false", 0, 0, 0},
    {"json_extract_path", "dynamic, text… -> dynamic", kernel_extract_path, STRICT, J,
     "Down a path of keys.", "json_extract_path('{\"a\":{\"b\":2}}'::json, 'a', 'b') = 2", 0, 0, 0},
    {"json_extract_path_text", "dynamic, text… -> text", kernel_extract_path_text, STRICT, J,
     "The same as text.", "json_extract_path_text('{\"a\":[7]}'::json, 'a', '0') = \"7\"", 0, 0, 0},
    {"jsonb_extract_path", "dynamic, text… -> dynamic", kernel_extract_path, STRICT, J, "The same.",
     "jsonb_extract_path('{\"a\":2}'::json, 'a') = 2", 0, 0, "json_extract_path"},
    {"jsonb_extract_path_text", "dynamic, text… -> text", kernel_extract_path_text, STRICT, J,
     "The same as text.", "jsonb_extract_path_text('{\"a\":2}'::json, 'a') = \"2\"", 0, 0,
     "json_extract_path_text"},
    {"json_typeof", "dynamic -> text", kernel_typeof, STRICT, J,
     "object, array, string, number or boolean.", "json_typeof('[1]'::json) = \"array\"", 0, 0, 0},
    {"jsonb_typeof", "dynamic -> text", kernel_typeof, STRICT, J, "The same.",
     "jsonb_typeof('\"a\"'::json) = \"string\"", 0, 0, "json_typeof"},
    {"json_array_length", "dynamic -> bigint", kernel_array_length, FALLIBLE, J, "Elements.",
     "json_array_length('[1,2,3]'::json) = 3", 0, 0, 0},
    {"jsonb_array_length", "dynamic -> bigint", kernel_array_length, FALLIBLE, J, "The same.",
     "jsonb_array_length('[]'::json) = 0", 0, 0, "json_array_length"},
    {"json_object_size", "dynamic -> bigint", kernel_object_size, FALLIBLE, J, "Members.",
     "json_object_size('{\"a\":1}'::json) = 1", 0, 0, 0},
    {"json_object_keys", "dynamic -> json", kernel_object_keys, FALLIBLE, J,
     "The members' names as an array.",
     "json_object_keys('{\"a\":1,\"b\":2}'::json) = [\"a\",\"b\"]", 0, 0, 0},
    {"json_has_key", "dynamic, text -> boolean", kernel_has_key, STRICT, J, "Has the member.",
     "json_has_key('{\"a\":null}'::json, 'a') = true", 0, 0, 0},
    {"to_json", "any -> json", kernel_to_json, STRICT, J, "Any value as JSON.",
     "to_json('a') = \"a\"", 0, 0, 0},
    {"to_jsonb", "any -> json", kernel_to_json, STRICT, J, "The same.", "to_jsonb(1) = 1", 0, 0,
     "to_json"},
    {"json_build_array", "any… -> json", kernel_build_array, 0, J, "An array of the values.",
     "json_build_array(1, 'a', NULL) = [1,\"a\",null]", 0, 0, 0},
    {"json_build_object", "any… -> json", kernel_build_object, FUNCTION_FALLIBLE, J,
     "An object of keys and values.", "json_build_object('a', 1) = {\"a\":1}", 0, 0, 0},
    {"jsonb_build_array", "any… -> json", kernel_build_array, 0, J, "The same.",
     "jsonb_build_array(1, 'a') = [1,\"a\"]", 0, 0, "json_build_array"},
    {"jsonb_build_object", "any… -> json", kernel_build_object, FUNCTION_FALLIBLE, J, "The same.",
     "jsonb_build_object('a', 1) = {\"a\":1}", 0, 0, "json_build_object"},
    {"array_to_json", "array -> json", kernel_to_json, STRICT, J, "An array as JSON.",
     "array_to_json(ARRAY[1, 2]) = [1,2]", 0, 0, "to_json"},
    {"is_json", "text -> boolean", kernel_is_json, STRICT, J, "Whether the text is valid JSON.",
     "is_json('{') = false", 0, 0, 0},
    {"json_canonical", "json -> json", kernel_canonical, FALLIBLE, J,
     "One form per value: sorted members, no white space.",
     "json_canonical('{\"b\": 1.0, \"a\":2}'::json) = {\"a\":2,\"b\":1}", 0, 0, 0},
};
const FunctionTable JSON_FUNCTIONS = {FUNCTIONS, COUNT_OF(FUNCTIONS)};
