/* Pieces of JSON texts: read, copied, and listed into new ones; paths as arrays of texts. */
#include "engine/expr/json_part.h"

#include "foundation/codec/json_writer.h"

bool json_part_at(KernelCall *call, int32_t arg, int64_t row, JsonSlot *ret_slot)
{
    if (json_scan(kernel_text(call, arg, row), ret_slot, NULL)) return true;
    call_error(call, row, "22P02", "not valid JSON");
    return false;
}

Str json_part_source(const JsonSlot *slot)
{
    return slot->kind == JSON_STRING ? str_make(slot->text.ptr - 1, slot->text.len + 2)
                                     : slot->text;
}

Status listing_item(Listing *list, const JsonSlot *key, Err *err)
{
    if (list->any) TRY(buf_append_char(list->out, ',', err));
    list->any = true;
    if (!key || key->kind != JSON_STRING) return OK;
    TRY(buf_append(list->out, json_part_source(key), err));
    return buf_append_char(list->out, ':', err);
}

Status listing_copy(Listing *list, const JsonSlot *key, const JsonSlot *value, Err *err)
{
    TRY(listing_item(list, key, err));
    return buf_append(list->out, json_part_source(value), err);
}

Status json_part_put(KernelCall *call, int64_t row, const Buf *out)
{
    kernel_put_copy(call, row, out->data ? out->data : "", out->len);
    return OK;
}

Status text_path_at(KernelCall *call, int32_t arg, int64_t row, TextPath *path, bool *ret_ok,
                    Err *err)
{
    JsonSlot array, item;
    *path = (TextPath){.count = 0};
    *ret_ok = json_part_at(call, arg, row, &array) && array.kind == JSON_ARRAY;
    if (!*ret_ok) return OK;
    JsonIter iter = json_iter(&array);
    while (json_iter_next(&iter, NULL, &item)) {
        if (path->count == TEXT_PATH_MAX) {
            call_error(call, row, "54000", "a path has at most %d steps", TEXT_PATH_MAX);
            *ret_ok = false;
            return OK;
        }
        Str text = item.text;
        path->null |= item.kind == JSON_NULL;
        if (item.kind == JSON_STRING) TRY(json_text(&item, call->arena, &text, err));
        path->steps[path->count++] = text;
    }
    return OK;
}

bool text_path_index(Str step, int64_t *ret_index)
{
    bool negative = str_starts(step, STR("-"));
    int64_t value = 0;
    if (step.len == negative || step.len > 10) return false;
    for (int64_t i = negative; i < step.len; i++) {
        if (step.ptr[i] < '0' || step.ptr[i] > '9') return false;
        value = value * 10 + (step.ptr[i] - '0');
    }
    *ret_index = negative ? -value : value;
    return true;
}
