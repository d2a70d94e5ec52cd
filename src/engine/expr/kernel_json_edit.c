/* JSON that is changed at a path: jsonb_set, jsonb_insert, -, #-. */
#include "engine/expr/json_part.h"
#include "foundation/codec/json_writer.h"

/* ---- changing: what is at a path is set, put in beside, or taken away ---- */

typedef enum ChangeKind { CHANGE_SET, CHANGE_INSERT, CHANGE_DELETE } ChangeKind;

typedef struct Change {
    ChangeKind kind;
    const TextPath *path;
    Str value;
    bool create; /* SET: also where nothing is */
    bool after;  /* INSERT */
    Arena *arena;
    Buf *out;
    bool exists; /* INSERT: the member is there already */
    bool bad;    /* a step into an array is no number */
} Change;

static Status change_in(Change *c, const JsonSlot *slot, int32_t depth, Err *err);

/* The last step reached an item that is there. */
static Status change_here(Change *c, Listing *list, const JsonSlot *key, const JsonSlot *value,
                          Err *err)
{
    if (c->kind == CHANGE_DELETE) return OK;
    if (c->kind == CHANGE_SET) {
        TRY(listing_item(list, key, err));
        return buf_append(c->out, c->value, err);
    }
    if (key) {
        c->exists = true;
        return listing_copy(list, key, value, err);
    }
    if (c->after) TRY(listing_copy(list, NULL, value, err));
    TRY(listing_item(list, NULL, err));
    TRY(buf_append(c->out, c->value, err));
    return c->after ? OK : listing_copy(list, NULL, value, err);
}

static Status add_member(Change *c, Listing *list, Str name, Err *err)
{
    TRY(listing_item(list, NULL, err));
    TRY(json_put_text(c->out, name, err));
    TRY(buf_append_char(c->out, ':', err));
    return buf_append(c->out, c->value, err);
}

static bool adds(const Change *c, bool last)
{
    return last && ((c->kind == CHANGE_SET && c->create) || c->kind == CHANGE_INSERT);
}

static Status change_object(Change *c, const JsonSlot *slot, int32_t depth, Err *err)
{
    Str name = c->path->steps[depth];
    bool last = depth + 1 == c->path->count, found = false;
    Listing list = {.out = c->out};
    JsonIter iter = json_iter(slot);
    JsonSlot key, value;
    TRY(buf_append_char(c->out, '{', err));
    while (json_iter_next(&iter, &key, &value)) {
        bool here = json_text_is(&key, name);
        found |= here;
        if (!here) TRY(listing_copy(&list, &key, &value, err));
        else if (last) TRY(change_here(c, &list, &key, &value, err));
        else {
            TRY(listing_item(&list, &key, err));
            TRY(change_in(c, &value, depth + 1, err));
        }
    }
    if (!found && adds(c, last)) TRY(add_member(c, &list, name, err));
    return buf_append_char(c->out, '}', err);
}

static Status add_element(Change *c, Listing *list, Err *err)
{
    TRY(listing_item(list, NULL, err));
    return buf_append(c->out, c->value, err);
}

static Status change_array(Change *c, const JsonSlot *slot, int32_t depth, Err *err)
{
    int64_t index = 0, count = json_count(slot), at = 0;
    bool last = depth + 1 == c->path->count;
    c->bad |= !text_path_index(c->path->steps[depth], &index);
    if (index < 0) index += count;
    Listing list = {.out = c->out};
    JsonIter iter = json_iter(slot);
    JsonSlot value;
    TRY(buf_append_char(c->out, '[', err));
    if (index < 0 && adds(c, last)) TRY(add_element(c, &list, err));
    for (; json_iter_next(&iter, NULL, &value); at++) {
        if (at != index) TRY(listing_copy(&list, NULL, &value, err));
        else if (last) TRY(change_here(c, &list, NULL, &value, err));
        else {
            TRY(listing_item(&list, NULL, err));
            TRY(change_in(c, &value, depth + 1, err));
        }
    }
    if (index >= count && adds(c, last)) TRY(add_element(c, &list, err));
    return buf_append_char(c->out, ']', err);
}

static Status change_in(Change *c, const JsonSlot *slot, int32_t depth, Err *err)
{
    if (slot->kind == JSON_OBJECT) return change_object(c, slot, depth, err);
    if (slot->kind == JSON_ARRAY) return change_array(c, slot, depth, err);
    return buf_append(c->out, json_part_source(slot), err);
}

/* The path is argument 1 as an array, or one step of its own. */
static Status change_row(KernelCall *call, int64_t row, ChangeKind kind, const TextPath *step,
                         Buf *out, Err *err)
{
    TextPath path;
    JsonSlot slot;
    bool ok = true, flag = true;
    if (!step) TRY(text_path_at(call, 1, row, &path, &ok, err));
    if (!ok || !json_part_at(call, 0, row, &slot)) return OK;
    if (slot.kind != JSON_OBJECT && slot.kind != JSON_ARRAY) {
        call_error(call, row, "22023", "cannot change a scalar by a path");
        return OK;
    }
    if (call->arg_count > 3) flag = vector_bool(&call->args[3])[row & call->args[3].mask];
    Change change = {.kind = kind,
                     .path = step ? step : &path,
                     .value = kind == CHANGE_DELETE ? STR("") : str_trim(kernel_text(call, 2, row)),
                     .create = flag,
                     .after = call->arg_count > 3 && flag,
                     .arena = call->arena,
                     .out = out};
    buf_clear(out);
    if (change.path->count == 0) TRY(buf_append(out, json_part_source(&slot), err));
    else TRY(change_in(&change, &slot, 0, err));
    if (change.bad) call_error(call, row, "22P02", "a step into an array is no integer");
    else if (change.exists) call_error(call, row, "22023", "cannot replace existing key");
    else TRY(json_part_put(call, row, out));
    return OK;
}

static Status change_loop(KernelCall *call, ChangeKind kind, Err *err)
{
    CLEANUP(buf_done) Buf out = buf_make(INT64_C(1) << 28);
    FOR_ACTIVE (call, row) TRY(change_row(call, row, kind, NULL, &out, err));
    return OK;
}

static Status kernel_set(KernelCall *call, Err *err)
{
    return change_loop(call, CHANGE_SET, err);
}
static Status kernel_insert(KernelCall *call, Err *err)
{
    return change_loop(call, CHANGE_INSERT, err);
}
static Status kernel_delete_path(KernelCall *call, Err *err)
{
    return change_loop(call, CHANGE_DELETE, err);
}

/* json - n */
static Status kernel_delete_index(KernelCall *call, Err *err)
{
    CLEANUP(buf_done) Buf out = buf_make(INT64_C(1) << 28);
    FOR_ACTIVE (call, row) {
        JsonSlot slot;
        Str index;
        if (!json_part_at(call, 0, row, &slot)) continue;
        if (slot.kind != JSON_ARRAY) {
            call_error(call, row, "22023", "cannot delete from an object or scalar by a number");
            continue;
        }
        TRY(arena_printf(call->arena, &index, err, "%lld", (long long)kernel_int64(call, 1, row)));
        TextPath step = {.steps = {index}, .count = 1};
        TRY(change_row(call, row, CHANGE_DELETE, &step, &out, err));
    }
    return OK;
}

/* json - names: members with these names go, and elements that are these texts. */
static Status delete_names(KernelCall *call, int64_t row, const TextPath *names, Buf *out, Err *err)
{
    JsonSlot slot, key, value;
    if (!json_part_at(call, 0, row, &slot)) return OK;
    bool object = slot.kind == JSON_OBJECT;
    if (!object && slot.kind != JSON_ARRAY) {
        call_error(call, row, "22023", "cannot delete from scalar");
        return OK;
    }
    buf_clear(out);
    Listing list = {.out = out};
    TRY(buf_append_char(out, object ? '{' : '[', err));
    JsonIter iter = json_iter(&slot);
    while (json_iter_next(&iter, &key, &value)) {
        const JsonSlot *named = object ? &key : &value;
        bool gone = false;
        for (int32_t i = 0; i < names->count && named->kind == JSON_STRING && !gone; i++) {
            gone = json_text_is(named, names->steps[i]);
        }
        if (!gone) TRY(listing_copy(&list, object ? &key : NULL, &value, err));
    }
    TRY(buf_append_char(out, object ? '}' : ']', err));
    return json_part_put(call, row, out);
}

static Status kernel_delete_name(KernelCall *call, Err *err)
{
    CLEANUP(buf_done) Buf out = buf_make(INT64_C(1) << 28);
    FOR_ACTIVE (call, row) {
        TextPath name = {.steps = {kernel_text(call, 1, row)}, .count = 1};
        TRY(delete_names(call, row, &name, &out, err));
    }
    return OK;
}

static Status kernel_delete_names(KernelCall *call, Err *err)
{
    CLEANUP(buf_done) Buf out = buf_make(INT64_C(1) << 28);
    FOR_ACTIVE (call, row) {
        TextPath names;
        bool ok = false;
        TRY(text_path_at(call, 1, row, &names, &ok, err));
        if (ok) TRY(delete_names(call, row, &names, &out, err));
    }
    return OK;
}

enum { FALLIBLE = FUNCTION_STRICT | FUNCTION_FALLIBLE };
#define J "json"
#define OP "operator"

static const Function FUNCTIONS[] = {
    {"-", "json, text -> json", kernel_delete_name, FALLIBLE, OP,
     "Without a member, or without elements that are the text.",
     "'{\"a\":1,\"b\":2}'::json - 'a' = {\"b\":2}", 0, 0, 0},
    {"-", "json, bigint -> json", kernel_delete_index, FALLIBLE, OP,
     "Without an element, counted from 0.", "'[5,6]'::json - 0 = [6]", 0, 0, 0},
    {"-", "json, array -> json", kernel_delete_names, FALLIBLE, OP, "Without several members.",
     "'{\"a\":1,\"b\":2}'::json - ARRAY['a'] = {\"b\":2}", 0, 0, 0},
    {"#-", "json, array -> json", kernel_delete_path, FALLIBLE, OP,
     "Without what is at a path of keys.", "'{\"a\":[5,6]}'::json #- '{a,0}' = {\"a\":[6]}", 0, 0,
     0},
    {"jsonb_set", "json, array, json, [boolean] -> json", kernel_set, FALLIBLE, J,
     "With a value at a path of keys; false: only where one is.",
     "jsonb_set('{\"a\":{\"b\":1}}', '{a,b}', '5') = {\"a\":{\"b\":5}}", 0, 0, 0},
    {"jsonb_insert", "json, array, json, [boolean] -> json", kernel_insert, FALLIBLE, J,
     "With a value put in at a path; true: after the element.",
     "jsonb_insert('[1,3]', '{1}', '2') = [1,2,3]", 0, 0, 0},
};
const FunctionTable JSON_EDIT_FUNCTIONS = {FUNCTIONS, COUNT_OF(FUNCTIONS)};
