/* JSON values made ready for column builders: as they are, or cast to a column's type. */
#ifndef NEURON_JSON_CELL_H
#define NEURON_JSON_CELL_H

#include "engine/column/builder.h"
#include "foundation/codec/json_walk.h"

typedef struct JsonCell {
    TypeId type; /* of the value; for DYNAMIC columns the type of the child */
    bool null;
    bool real_number; /* NUMERIC that only a double holds: in `real` */
    union {
        bool boolean;
        int64_t integer; /* INT64, TIME, TIMESTAMP, TIMESTAMPTZ */
        double real;
        Decimal numeric;
        Interval interval;
        int32_t days;
        uint8_t uuid[16];
        Str text; /* TEXT, BYTES, JSON: in the document, or in the arena where it had to be decoded
                   */
    };
} JsonCell;

typedef enum CellResult {
    CELL_OK,
    CELL_REFUSED, /* the value does not fit */
    CELL_FAILED   /* memory; err is set */
} CellResult;

/* A value with its own type: BOOL, INT64, NUMERIC, TEXT or JSON. Null and MISSING are NULL. */
CellResult json_cell_dynamic(const JsonSlot *slot, Arena *arena, JsonCell *ret_cell, Err *err);
/* The value as the field's type: JSON's own values directly; texts by the type's input form (dates,
 * timestamps, UUIDs, intervals, numbers, booleans; bytes are base64). Nothing is rounded or cut.
 * DYNAMIC fields: json_cell_dynamic. */
CellResult json_cell_cast(const JsonSlot *slot, const Field *field, Arena *arena,
                          JsonCell *ret_cell, Err *err);
/* The source of a value for messages: texts with their quotes. */
Str json_slot_source(const JsonSlot *slot);

#endif
