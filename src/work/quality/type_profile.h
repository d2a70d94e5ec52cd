/* Which types the values of a column have: counts over all rows, first rows of each. */
#ifndef NEURON_TYPE_PROFILE_H
#define NEURON_TYPE_PROFILE_H

#include "engine/column/batch.h"

typedef enum ValueClass {
    VALUE_BOOLEAN,
    VALUE_NUMBER,
    VALUE_TIME,
    VALUE_TEXT,
    VALUE_OTHER, /* bytes, JSON objects and arrays */
    VALUE_CLASS_COUNT
} ValueClass;

enum { TYPE_PROFILE_ROWS_KEPT = 5 };

/* Of one column; zero-initialised. States of pieces add up. */
typedef struct TypeProfile {
    int64_t nulls, values;
    int64_t counts[VALUE_CLASS_COUNT]; /* of dynamic columns, and of text where it was asked for */
    int64_t rows[VALUE_CLASS_COUNT]
                [TYPE_PROFILE_ROWS_KEPT]; /* from 0: the first rows of each class */
} TypeProfile;

/* Add a batch's column, whose first row is number `first_row`: NULLs, and the classes of a dynamic
 * column's values. Texts are looked into by text_scan_add. */
void type_profile_add(TypeProfile *type_profile, const Column *column, int64_t first_row);
/* `next` follows `type_profile` by `row_shift` rows. */
void type_profile_merge(TypeProfile *type_profile, const TypeProfile *next, int64_t row_shift);
/* The column's types don't go together: in a dynamic column two of boolean, number, time and text;
 * in a text column nine tenths or more, but not all, of one other type. */
bool type_profile_is_mixed(const TypeProfile *type_profile, TypeId type);
const char *value_class_name(ValueClass value_class);
/* NULLs among the rows; `mask` (may be NULL): of the rows whose bit is set. */
int64_t column_count_nulls(const Column *column, const uint64_t *mask);

#endif
