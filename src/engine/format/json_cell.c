/* JSON values as typed values. */
#include "engine/format/json_cell.h"

#include "foundation/base/number.h"
#include "foundation/codec/base64.h"
#include "foundation/codec/datetime_text.h"
#include "foundation/codec/uuid.h"

Str json_slot_source(const JsonSlot *slot)
{
    if (slot->kind != JSON_STRING) return slot->text;
    return str_make(slot->text.ptr - 1, slot->text.len + 2);
}

/* Any number as NUMERIC. False where not even a double holds it. */
static bool numeric_of(Str text, JsonCell *cell)
{
    cell->type = TYPE_NUMERIC;
    cell->real_number = false;
    if (decimal_parse(text, &cell->numeric) == DECIMAL_OK) return true;
    cell->real_number = true;
    return number_parse_double(text, &cell->real) == NUMBER_OK;
}

static bool number_cell(const JsonSlot *slot, JsonCell *cell)
{
    cell->type = TYPE_INT64;
    if (slot->integer && number_parse_int64(slot->text, &cell->integer) == NUMBER_OK) return true;
    return numeric_of(slot->text, cell);
}

static CellResult text_cell(const JsonSlot *slot, Arena *arena, JsonCell *cell, Err *err)
{
    cell->type = TYPE_TEXT;
    return json_text(slot, arena, &cell->text, err) == OK ? CELL_OK : CELL_FAILED;
}

CellResult json_cell_dynamic(const JsonSlot *slot, Arena *arena, JsonCell *ret_cell, Err *err)
{
    ret_cell->null = false;
    ret_cell->real_number = false;
    switch (slot->kind) {
    case JSON_NUMBER:
        return number_cell(slot, ret_cell) ? CELL_OK : CELL_REFUSED;
    case JSON_STRING:
        return text_cell(slot, arena, ret_cell, err);
    case JSON_BOOL:
        ret_cell->type = TYPE_BOOL;
        ret_cell->boolean = slot->text.ptr[0] == 't';
        return CELL_OK;
    case JSON_OBJECT:
    case JSON_ARRAY:
        ret_cell->type = TYPE_JSON;
        ret_cell->text = slot->text;
        return CELL_OK;
    case JSON_NULL:
    case JSON_MISSING:
        break;
    }
    ret_cell->null = true;
    return CELL_OK;
}

/* ---- Casts ---- */

static bool bool_of(Str text, bool *ret_value)
{
    static const char *const yes[] = {"true", "t", "yes", "y", "on", "1"};
    static const char *const no[] = {"false", "f", "no", "n", "off", "0"};
    for (int64_t i = 0; i < COUNT_OF(yes); i++) {
        *ret_value = str_eq_nocase(text, str_from(yes[i]));
        if (*ret_value || str_eq_nocase(text, str_from(no[i]))) return true;
    }
    return false;
}

static bool int64_of(Str text, int64_t *ret_value)
{
    if (number_parse_int64(text, ret_value) == NUMBER_OK) return true;
    Decimal exact, whole;
    if (decimal_parse(text, &exact) != DECIMAL_OK) return false;
    if (decimal_trunc(exact, 0, &whole) != DECIMAL_OK) return false;
    if (decimal_compare(exact, whole) != 0) return false;
    return decimal_to_int64(whole, ret_value) == DECIMAL_OK;
}

static bool is_special_number(Str text)
{
    double value;
    return number_parse_double(text, &value) == NUMBER_OK &&
           (value != value || value - value != 0.0);
}

/* numeric(p,s): exactly, or not at all. */
static bool fits_declared(const Field *field, JsonCell *cell)
{
    if (field->precision == 0 || cell->real_number) return true;
    Decimal rounded;
    if (decimal_round(cell->numeric, field->scale, &rounded) != DECIMAL_OK) return false;
    if (decimal_compare(rounded, cell->numeric) != 0) return false;
    if (field->precision < DECIMAL_DIGITS_MAX) {
        Int128 limit = decimal_power10(field->precision);
        if (rounded.value >= limit || rounded.value <= -limit) return false;
    }
    cell->numeric = rounded;
    return true;
}

static bool cast_numeric(Str text, bool number, const Field *field, JsonCell *cell)
{
    if (!number && is_special_number(text)) {
        cell->real_number = true;
        return number_parse_double(text, &cell->real) == NUMBER_OK;
    }
    return numeric_of(str_trim(text), cell) && fits_declared(field, cell);
}

static bool cast_timestamp(Str text, JsonCell *cell)
{
    bool zone;
    return datetime_read_timestamp(text, &cell->integer, &zone);
}

static CellResult cast_bytes(const JsonSlot *slot, Str text, Arena *arena, JsonCell *cell, Err *err)
{
    if (slot->kind != JSON_STRING) return CELL_REFUSED;
    uint8_t *bytes = arena_alloc(arena, text.len / 4 * 3 + 3);
    if (!bytes) {
        (void)err_memory(err);
        return CELL_FAILED;
    }
    int64_t len;
    if (!base64_decode(text, bytes, &len)) return CELL_REFUSED;
    cell->text = str_make((const char *)bytes, len);
    return CELL_OK;
}

/* `text`: the decoded string, or the source of anything else. */
static bool cast_text(const JsonSlot *slot, Str text, const Field *field, JsonCell *cell)
{
    bool number = slot->kind == JSON_NUMBER, string = slot->kind == JSON_STRING;
    switch (field->type) {
    case TYPE_BOOL:
        return (string || slot->kind == JSON_BOOL) && bool_of(text, &cell->boolean);
    case TYPE_INT64:
        return (number || string) && int64_of(text, &cell->integer);
    case TYPE_DOUBLE:
        return (number || string) && number_parse_double(text, &cell->real) == NUMBER_OK;
    case TYPE_NUMERIC:
        return (number || string) && cast_numeric(text, number, field, cell);
    case TYPE_TEXT:
        cell->text = text;
        return true;
    case TYPE_JSON:
        cell->text = json_slot_source(slot);
        return true;
    case TYPE_DATE:
        return string && datetime_read_date(text, &cell->days);
    case TYPE_TIME:
        return string && datetime_read_time(text, &cell->integer);
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        return string && cast_timestamp(text, cell);
    case TYPE_INTERVAL:
        return string && interval_parse(text, &cell->interval);
    case TYPE_UUID:
        return string && uuid_parse(text, cell->uuid);
    case TYPE_BYTES:
    case TYPE_DYNAMIC:
    case TYPE_COUNT:
        break;
    }
    return false;
}

CellResult json_cell_cast(const JsonSlot *slot, const Field *field, Arena *arena,
                          JsonCell *ret_cell, Err *err)
{
    if (field->type == TYPE_DYNAMIC) return json_cell_dynamic(slot, arena, ret_cell, err);
    ret_cell->type = field->type;
    ret_cell->null = slot->kind == JSON_NULL || slot->kind == JSON_MISSING;
    ret_cell->real_number = false;
    if (ret_cell->null) return CELL_OK;
    Str text = slot->text;
    if (slot->kind == JSON_STRING && json_text(slot, arena, &text, err) != OK) return CELL_FAILED;
    if (field->type == TYPE_BYTES) return cast_bytes(slot, text, arena, ret_cell, err);
    return cast_text(slot, text, field, ret_cell) ? CELL_OK : CELL_REFUSED;
}
