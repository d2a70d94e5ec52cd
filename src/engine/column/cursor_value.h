/* The highest value of a cursor column that was read, by the order of its type, and its exact text;
 * and which rows a run that begins there reads again. */
#ifndef NEURON_CURSOR_VALUE_H
#define NEURON_CURSOR_VALUE_H

#include "engine/column/batch.h"
#include "foundation/base/buf.h"

/* Zeroed at first; cursor_value_done at the end. */
typedef struct CursorValue {
    bool some;
    TypeId type;    /* of the value: of a DYNAMIC column INT64, DOUBLE or TEXT */
    int64_t number; /* integers, timestamps, dates */
    double real;
    Decimal decimal;
    Buf text; /* text and UUID: by bytes */
} CursorValue;
void cursor_value_done(CursorValue *cursor);

/* Can values of this type be a cursor: does the type grow in one order? */
bool cursor_type_orders(TypeId type);
/* Begin with a cursor's text (the watermark never goes back); what can't be read is left out. Of a
 * DYNAMIC column: what looks like a number is one. */
MUST_USE Status cursor_value_parse(CursorValue *cursor, TypeId type, Str text, Err *err);
/* Take a column's values in, *ret_higher (may be NULL): one is above what was there; NULLs and what
 * has no place in the order (infinities, NaN) don't count.
 * FAIL: ERR_DATA, of a DYNAMIC column: numbers and texts mixed, values that are neither, times or
 * numbers written as texts of more than one layout (2024-06-01 10:00 and 2024-06-01T10:00). */
MUST_USE Status cursor_value_note(CursorValue *cursor, const Column *column, bool *ret_higher,
                                  Err *err);
/* The value's text, from which it is read back as the same value: times as `YYYY-MM-DD HH:MM:SS`,
 * with Z where they have a zone. Nothing when there was none. */
MUST_USE Status cursor_value_format(const CursorValue *cursor, Buf *out, Err *err);

typedef enum CursorPlace {
    CURSOR_OTHER,   /* another value, below or above */
    CURSOR_SAME,    /* equal to the cursor */
    CURSOR_OUTSIDE, /* NULL, infinite or NaN: no cursor ever passes it */
} CursorPlace;
CursorPlace cursor_value_place(const CursorValue *cursor, const Column *column, int64_t row);
/* Sets the bits (zeroed before) of the rows that are SAME or OUTSIDE, and counts them. */
int64_t cursor_value_again(const CursorValue *cursor, const Column *column, uint8_t *bits);

#endif
