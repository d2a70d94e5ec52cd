/* Wording of why a document was refused. */
#include "engine/format/json_refusal.h"

#include <stdio.h>

#include "engine/format/json_cell.h"
#include "foundation/codec/datetime_text.h"

enum { SHOWN_MAX = 100 };

void json_refusal_document(JsonRefusal *ret_refusal, const JsonError *error)
{
    ret_refusal->column = STR_NULL;
    ret_refusal->offset = error ? error->offset : 0;
    if (error) {
        snprintf(ret_refusal->reason, JSON_REASON_MAX, "not valid JSON: %s", error->reason);
    } else {
        snprintf(ret_refusal->reason, JSON_REASON_MAX, "a JSON object was expected");
    }
}

void json_refusal_value(JsonRefusal *ret_refusal, const Field *field, const JsonSlot *slot,
                        Str document)
{
    Str source = json_slot_source(slot), shown = str_slice(source, 0, SHOWN_MAX);
    shown = str_slice(shown, 0, str_utf8_prefix(shown));
    ret_refusal->column = field->name;
    ret_refusal->offset = source.ptr - document.ptr;
    if (field->type == TYPE_DYNAMIC) {
        snprintf(ret_refusal->reason, JSON_REASON_MAX,
                 "the number %.*s%s is too large or too small to be held", STR_ARG(shown),
                 shown.len < source.len ? "…" : "");
        return;
    }
    char readings[DATETIME_READINGS_MAX] = "", declared[32] = "";
    bool dated = slot->kind == JSON_STRING && type_has_date(field->type) &&
                 datetime_two_readings(slot->text, readings);
    if (field->precision > 0) {
        snprintf(declared, sizeof declared, "(%d,%d)", field->precision, field->scale);
    }
    snprintf(ret_refusal->reason, JSON_REASON_MAX, "%.*s%s does not fit %s%s%s%s", STR_ARG(shown),
             shown.len < source.len ? "…" : "", type_name(field->type), declared, dated ? ": " : "",
             readings);
}
