/* Arrays of SQL: JSON arrays whose elements are counted from 1. */
#include "engine/expr/canonical.h"
#include "engine/expr/json_part.h"
#include "engine/expr/text_value.h"
#include "foundation/codec/json_writer.h"

/* The row's array; false: it is none, and the row failed. */
static bool array_slot(KernelCall *call, int32_t arg, int64_t row, JsonSlot *ret_array)
{
    if (json_scan(kernel_text(call, arg, row), ret_array, NULL) && ret_array->kind == JSON_ARRAY) {
        return true;
    }
    call_error(call, row, "22023", "this is not an array");
    return false;
}

static bool same_value(const KernelCall *call, const JsonSlot *slot, Str wanted)
{
    return canonical_compare(json_part_source(slot), wanted, call->arena) == 0;
}

static Status put_item(Buf *out, Str item, Err *err)
{
    if (out->len > 1) TRY(buf_append_char(out, ',', err));
    return buf_append(out, item, err);
}

static Status put_items(Buf *out, const JsonSlot *array, Err *err)
{
    JsonIter iter = json_iter(array);
    JsonSlot item;
    while (json_iter_next(&iter, NULL, &item)) TRY(put_item(out, json_part_source(&item), err));
    return OK;
}

static Status begin_array(Buf *out, Err *err)
{
    buf_clear(out);
    return buf_append_char(out, '[', err);
}

static Status end_array(KernelCall *call, int64_t row, Buf *out, Err *err)
{
    TRY(buf_append_char(out, ']', err));
    kernel_put_copy(call, row, out->data, out->len);
    return OK;
}

/* ---- reading ---- */

static Status kernel_array_at(KernelCall *call, Err *err)
{
    FOR_ACTIVE (call, row) {
        JsonSlot array, item = {.kind = JSON_MISSING};
        int64_t index = kernel_int64(call, 1, row);
        bool null = false;
        if (!array_slot(call, 0, row, &array)) continue;
        if (index > 0) item = json_get_index(&array, index - 1);
        TRY(cell_from_slot(&item, call->arena, &vector_cell(call->result)[row], &null, err));
        if (null) call_null(call, row);
    }
    return OK;
}

/* = ANY: NULL where no element is equal and one, or the value, is NULL. */
static Status kernel_array_has(KernelCall *call, Err *err)
{
    CLEANUP(buf_done) Buf wanted = buf_make(INT64_C(1) << 28);
    FOR_ACTIVE (call, row) {
        JsonSlot array, item;
        if (!kernel_valid(&call->args[0], row)) {
            call_null(call, row);
            continue;
        }
        if (!array_slot(call, 0, row, &array)) continue;
        bool known = kernel_valid(&call->args[1], row), found = false, unknown = false;
        buf_clear(&wanted);
        TRY(json_of_value(&wanted, &call->args[1], row, err));
        JsonIter iter = json_iter(&array);
        while (!found && json_iter_next(&iter, NULL, &item)) {
            unknown |= !known || item.kind == JSON_NULL;
            found = known && item.kind != JSON_NULL && same_value(call, &item, buf_str(&wanted));
        }
        if (!found && unknown) call_null(call, row);
        else vector_bool(call->result)[row] = found;
    }
    return OK;
}

static Status kernel_cardinality(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        JsonSlot array;
        if (array_slot(call, 0, row, &array)) {
            vector_int64(call->result)[row] = json_count(&array);
        }
    }
    return OK;
}

/* Bounds by dimension: there is one, and none of an empty array. */
static Status bound_loop(KernelCall *call, bool lower)
{
    FOR_ACTIVE (call, row) {
        JsonSlot array;
        if (!array_slot(call, 0, row, &array)) continue;
        int64_t count = json_count(&array), dimension = kernel_int64(call, 1, row);
        if (count == 0 || dimension != 1) call_null(call, row);
        else vector_int64(call->result)[row] = lower ? 1 : count;
    }
    return OK;
}

static Status kernel_array_length(KernelCall *call, Err *err UNUSED)
{
    return bound_loop(call, false);
}
static Status kernel_array_lower(KernelCall *call, Err *err UNUSED)
{
    return bound_loop(call, true);
}

static Status kernel_array_ndims(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        JsonSlot array;
        if (!array_slot(call, 0, row, &array)) continue;
        if (json_count(&array) == 0) call_null(call, row);
        else vector_int64(call->result)[row] = 1;
    }
    return OK;
}

static Status kernel_array_dims(KernelCall *call, Err *err)
{
    FOR_ACTIVE (call, row) {
        JsonSlot array;
        if (!array_slot(call, 0, row, &array)) continue;
        int64_t count = json_count(&array);
        if (count == 0) {
            call_null(call, row);
            continue;
        }
        Str text;
        TRY(arena_printf(call->arena, &text, err, "[1:%lld]", (long long)count));
        kernel_put_text(call, row, text);
    }
    return OK;
}

/* Places of the value, NULL being equal to NULL: the first from `start` on, or all as an array. */
static Status position_row(KernelCall *call, int64_t row, bool all, Buf *out, Err *err)
{
    JsonSlot array, item;
    if (!kernel_valid(&call->args[0], row) || !array_slot(call, 0, row, &array)) {
        call_null(call, row);
        return OK;
    }
    int64_t start = call->arg_count > 2 ? kernel_int64(call, 2, row) : 1, place = 0;
    CLEANUP(buf_done) Buf wanted = buf_make(INT64_C(1) << 28);
    TRY(json_of_value(&wanted, &call->args[1], row, err));
    TRY(begin_array(out, err));
    JsonIter iter = json_iter(&array);
    while (json_iter_next(&iter, NULL, &item)) {
        place++;
        if (place < start || !same_value(call, &item, buf_str(&wanted))) continue;
        if (!all) {
            vector_int64(call->result)[row] = place;
            return OK;
        }
        if (out->len > 1) TRY(buf_append_char(out, ',', err));
        TRY(buf_printf(out, err, "%lld", (long long)place));
    }
    if (all) return end_array(call, row, out, err);
    call_null(call, row);
    return OK;
}

static Status kernel_array_position(KernelCall *call, Err *err)
{
    CLEANUP(buf_done) Buf out = buf_make(INT64_C(1) << 28);
    FOR_ACTIVE (call, row) TRY(position_row(call, row, false, &out, err));
    return OK;
}
static Status kernel_array_positions(KernelCall *call, Err *err)
{
    CLEANUP(buf_done) Buf out = buf_make(INT64_C(1) << 28);
    FOR_ACTIVE (call, row) TRY(position_row(call, row, true, &out, err));
    return OK;
}

/* Whether each element of `inner` (or some, with `any`) is in `outer`; NULLs never are. */
static bool holds(const KernelCall *call, const JsonSlot *outer, const JsonSlot *inner, bool any)
{
    JsonIter wanted = json_iter(inner);
    JsonSlot one, other;
    while (json_iter_next(&wanted, NULL, &one)) {
        bool found = false;
        JsonIter iter = json_iter(outer);
        while (!found && one.kind != JSON_NULL && json_iter_next(&iter, NULL, &other)) {
            found = other.kind != JSON_NULL && same_value(call, &other, json_part_source(&one));
        }
        if (found == any) return any;
    }
    return !any;
}

static Status holds_loop(KernelCall *call, int32_t outer, bool any)
{
    FOR_ACTIVE (call, row) {
        JsonSlot a, b;
        if (!array_slot(call, outer, row, &a) || !array_slot(call, 1 - outer, row, &b)) continue;
        vector_bool(call->result)[row] = holds(call, &a, &b, any);
    }
    return OK;
}

static Status kernel_contains(KernelCall *call, Err *err UNUSED)
{
    return holds_loop(call, 0, false);
}
static Status kernel_contained(KernelCall *call, Err *err UNUSED)
{
    return holds_loop(call, 1, false);
}
static Status kernel_overlap(KernelCall *call, Err *err UNUSED)
{
    return holds_loop(call, 0, true);
}

/* ---- making ---- */

/* Arrays and elements one after the other; a NULL array counts as none. */
static Status join_row(KernelCall *call, int64_t row, bool first_array, bool second_array, Buf *out,
                       Err *err)
{
    bool none = first_array && second_array && !kernel_valid(&call->args[0], row) &&
                !kernel_valid(&call->args[1], row);
    if (none) {
        call_null(call, row);
        return OK;
    }
    TRY(begin_array(out, err));
    for (int32_t i = 0; i < 2; i++) {
        JsonSlot array;
        bool is_array = i == 0 ? first_array : second_array;
        if (!is_array) {
            if (out->len > 1) TRY(buf_append_char(out, ',', err));
            TRY(json_of_value(out, &call->args[i], row, err));
        } else if (kernel_valid(&call->args[i], row)) {
            if (!array_slot(call, i, row, &array)) return OK;
            TRY(put_items(out, &array, err));
        }
    }
    return end_array(call, row, out, err);
}

static Status kernel_array_cat(KernelCall *call, Err *err)
{
    CLEANUP(buf_done) Buf out = buf_make(INT64_C(1) << 28);
    FOR_ACTIVE (call, row) TRY(join_row(call, row, true, true, &out, err));
    return OK;
}
static Status kernel_array_append(KernelCall *call, Err *err)
{
    CLEANUP(buf_done) Buf out = buf_make(INT64_C(1) << 28);
    FOR_ACTIVE (call, row) TRY(join_row(call, row, true, false, &out, err));
    return OK;
}
static Status kernel_array_prepend(KernelCall *call, Err *err)
{
    CLEANUP(buf_done) Buf out = buf_make(INT64_C(1) << 28);
    FOR_ACTIVE (call, row) TRY(join_row(call, row, false, true, &out, err));
    return OK;
}

/* Elements equal to the second argument left out, or replaced by the third. */
static Status kernel_array_replace(KernelCall *call, Err *err)
{
    CLEANUP(buf_done) Buf out = buf_make(INT64_C(1) << 28);
    CLEANUP(buf_done) Buf from = buf_make(INT64_C(1) << 28);
    CLEANUP(buf_done) Buf to = buf_make(INT64_C(1) << 28);
    FOR_ACTIVE (call, row) {
        JsonSlot array, item;
        if (!kernel_valid(&call->args[0], row) || !array_slot(call, 0, row, &array)) {
            call_null(call, row);
            continue;
        }
        buf_clear(&from);
        buf_clear(&to);
        TRY(json_of_value(&from, &call->args[1], row, err));
        if (call->arg_count > 2) TRY(json_of_value(&to, &call->args[2], row, err));
        TRY(begin_array(&out, err));
        JsonIter iter = json_iter(&array);
        while (json_iter_next(&iter, NULL, &item)) {
            bool same = same_value(call, &item, buf_str(&from));
            if (!same) TRY(put_item(&out, json_part_source(&item), err));
            else if (call->arg_count > 2) TRY(put_item(&out, buf_str(&to), err));
        }
        TRY(end_array(call, row, &out, err));
    }
    return OK;
}

static Status kernel_trim_array(KernelCall *call, Err *err)
{
    CLEANUP(buf_done) Buf out = buf_make(INT64_C(1) << 28);
    FOR_ACTIVE (call, row) {
        JsonSlot array, item;
        if (!array_slot(call, 0, row, &array)) continue;
        int64_t count = json_count(&array), gone = kernel_int64(call, 1, row);
        if (gone < 0 || gone > count) {
            call_error(call, row, "2202E", "number of elements to trim must be between 0 and %lld",
                       (long long)count);
            continue;
        }
        TRY(begin_array(&out, err));
        JsonIter iter = json_iter(&array);
        for (int64_t i = gone; i < count && json_iter_next(&iter, NULL, &item); i++) {
            TRY(put_item(&out, json_part_source(&item), err));
        }
        TRY(end_array(call, row, &out, err));
    }
    return OK;
}

/* ---- text ---- */

/* Parts between separators (NULL: each character); parts equal to the third argument are NULL. */
static Status split_row(KernelCall *call, int64_t row, Buf *out, Err *err)
{
    Str text = kernel_text(call, 0, row);
    bool whole = !kernel_valid(&call->args[1], row);
    Str separator = whole ? STR("") : kernel_text(call, 1, row);
    bool has_null = call->arg_count > 2 && kernel_valid(&call->args[2], row);
    Str null = has_null ? kernel_text(call, 2, row) : STR_NULL;
    TRY(begin_array(out, err));
    bool more = text.len > 0;
    while (more) {
        int64_t len = separator.len ? str_find(text, separator) : -1, next = len + separator.len;
        if (whole) {
            len = next = 1;
            while (len < text.len && ((uint8_t)text.ptr[len] & 0xc0) == 0x80) next = ++len;
            more = len < text.len;
        } else {
            more = len >= 0;
        }
        Str part = more ? str_slice(text, 0, len) : text;
        if (out->len > 1) TRY(buf_append_char(out, ',', err));
        if (has_null && str_eq(part, null)) TRY(buf_append(out, STR("null"), err));
        else TRY(json_put_text(out, part, err));
        text = str_slice(text, next, text.len);
    }
    return end_array(call, row, out, err);
}

static Status kernel_string_to_array(KernelCall *call, Err *err)
{
    CLEANUP(buf_done) Buf out = buf_make(INT64_C(1) << 28);
    FOR_ACTIVE (call, row) {
        if (!kernel_valid(&call->args[0], row)) call_null(call, row);
        else TRY(split_row(call, row, &out, err));
    }
    return OK;
}

static Status join_texts(KernelCall *call, int64_t row, Buf *out, Err *err)
{
    JsonSlot array, item;
    bool has_null = call->arg_count > 2 && kernel_valid(&call->args[2], row), any = false;
    buf_clear(out);
    if (!array_slot(call, 0, row, &array)) return OK;
    JsonIter iter = json_iter(&array);
    while (json_iter_next(&iter, NULL, &item)) {
        Str text = item.text;
        if (item.kind == JSON_NULL && !has_null) continue;
        if (item.kind == JSON_NULL) text = kernel_text(call, 2, row);
        if (item.kind == JSON_STRING) TRY(json_text(&item, call->arena, &text, err));
        if (item.kind == JSON_BOOL) text = str_slice(item.text, 0, 1);
        if (any) TRY(buf_append(out, kernel_text(call, 1, row), err));
        TRY(buf_append(out, text, err));
        any = true;
    }
    kernel_put_copy(call, row, out->data ? out->data : "", out->len);
    return OK;
}

static Status kernel_array_to_string(KernelCall *call, Err *err)
{
    CLEANUP(buf_done) Buf out = buf_make(INT64_C(1) << 28);
    FOR_ACTIVE (call, row) {
        bool null = !kernel_valid(&call->args[0], row) || !kernel_valid(&call->args[1], row);
        if (null) call_null(call, row);
        else TRY(join_texts(call, row, &out, err));
    }
    return OK;
}

enum { FALLIBLE = FUNCTION_STRICT | FUNCTION_FALLIBLE };
#define A "array"
#define OP "operator"

static const Function FUNCTIONS[] = {
    {"array_at", "array, bigint -> E", kernel_array_at, FALLIBLE, A,
     "array[n]: an element, counted from 1; NULL outside.", "(ARRAY[4, 5])[2] = 5", 0, 0, 0},
    {"array_has", "array, E -> boolean", kernel_array_has, FUNCTION_FALLIBLE, A,
     "value = ANY (array).", "2 = ANY (ARRAY[1, 2]) = true", 0, 0, 0},
    {"cardinality", "array -> bigint", kernel_cardinality, FALLIBLE, A, "Elements.",
     "cardinality(ARRAY[1, 2]) = 2", 0, 0, 0},
    {"array_length", "array, bigint -> bigint", kernel_array_length, FALLIBLE, A,
     "Elements of dimension 1; NULL where there are none.", "array_length(ARRAY[1, 2], 1) = 2", 0,
     0, 0},
    {"array_upper", "array, bigint -> bigint", kernel_array_length, FALLIBLE, A,
     "The last element's number.", "array_upper(ARRAY[1, 2], 1) = 2", 0, 0, "array_length"},
    {"array_lower", "array, bigint -> bigint", kernel_array_lower, FALLIBLE, A,
     "The first element's number.", "array_lower(ARRAY[1, 2], 1) = 1", 0, 0, 0},
    {"array_ndims", "array -> bigint", kernel_array_ndims, FALLIBLE, A,
     "Dimensions: 1, NULL of an empty array.", "array_ndims(ARRAY[1]) = 1", 0, 0, 0},
    {"array_dims", "array -> text", kernel_array_dims, FALLIBLE, A, "The bounds as text.",
     "array_dims(ARRAY[1, 2]) = \"[1:2]\"", 0, 0, 0},
    {"array_position", "array, E, [bigint] -> bigint", kernel_array_position, FUNCTION_FALLIBLE, A,
     "Where the value is, from a place on; NULL: nowhere.",
     "array_position(ARRAY['a', 'b'], 'b') = 2", 0, 0, 0},
    {"array_positions", "array, E -> bigint[]", kernel_array_positions, FUNCTION_FALLIBLE, A,
     "All places of the value.", "array_positions(ARRAY[1, 2, 1], 1) = [1,3]", 0, 0, 0},
    {"array_cat", "array, array -> array", kernel_array_cat, FUNCTION_FALLIBLE, A,
     "Both, one after the other.", "array_cat(ARRAY[1], ARRAY[2]) = [1,2]", 0, 0, 0},
    {"array_append", "array, E -> array", kernel_array_append, FUNCTION_FALLIBLE, A,
     "With the value at its end.", "array_append(ARRAY[1], 2) = [1,2]", 0, 0, 0},
    {"array_prepend", "E, array -> array", kernel_array_prepend, FUNCTION_FALLIBLE, A,
     "With the value in front.", "array_prepend(1, ARRAY[2]) = [1,2]", 0, 0, 0},
    {"array_remove", "array, E -> array", kernel_array_replace, FUNCTION_FALLIBLE, A,
     "Without the elements that are equal to the value.", "array_remove(ARRAY[1, 2, 1], 1) = [2]",
     0, 0, 0},
    {"array_replace", "array, E, E -> array", kernel_array_replace, FUNCTION_FALLIBLE, A,
     "Elements that are equal to one value become another.",
     "array_replace(ARRAY[1, 2], 2, 3) = [1,3]", 0, 0, 0},
    {"trim_array", "array, bigint -> array", kernel_trim_array, FALLIBLE, A,
     "Without the last elements.", "trim_array(ARRAY[1, 2, 3], 2) = [1]", 0, 0, 0},
    {"string_to_array", "text, text, [text] -> text[]", kernel_string_to_array, FUNCTION_FALLIBLE,
     A, "The parts between separators; those equal to the third become NULL.",
     "string_to_array('a,b', ',') = [\"a\",\"b\"]", 0, 0, 0},
    {"array_to_string", "array, text, [text] -> text", kernel_array_to_string, FUNCTION_FALLIBLE, A,
     "The elements joined; NULLs are left out or written as the third.",
     "array_to_string(ARRAY[1, NULL, 3], '-', '*') = \"1-*-3\"", 0, 0, 0},
    {"||", "array, array -> array", kernel_array_cat, FUNCTION_FALLIBLE, OP, "Joined arrays.",
     "ARRAY[1] || ARRAY[2] = [1,2]", 0, 0, 0},
    {"||", "array, E -> array", kernel_array_append, FUNCTION_FALLIBLE, OP,
     "An array with a value at its end.", "ARRAY[1] || 2 = [1,2]", 0, 0, "array_append"},
    {"||", "E, array -> array", kernel_array_prepend, FUNCTION_FALLIBLE, OP,
     "An array with a value in front.", "1 || ARRAY[2] = [1,2]", 0, 0, "array_prepend"},
    {"@>", "array, array -> boolean", kernel_contains, FALLIBLE, OP,
     "Has each element of the other.", "ARRAY[1, 2] @> ARRAY[2] = true", 0, 0, 0},
    {"<@", "array, array -> boolean", kernel_contained, FALLIBLE, OP,
     "Each element is in the other.", "ARRAY[2] <@ ARRAY[1, 2] = true", 0, 0, 0},
    {"&&", "array, array -> boolean", kernel_overlap, FALLIBLE, OP,
     "Both have an element in common.", "ARRAY[1, 2] && ARRAY[2, 3] = true", 0, 0, 0},
};
const FunctionTable ARRAY_FUNCTIONS = {FUNCTIONS, COUNT_OF(FUNCTIONS)};
