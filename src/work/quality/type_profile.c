/* Which types the values of a column have: counts over all rows, first rows of each. */
#include "work/quality/type_profile.h"

const char *value_class_name(ValueClass value_class)
{
    static const char *const NAMES[] = {"boolean", "number", "time", "text", "other"};
    return NAMES[value_class];
}

/* 64 rows' validity; all ones where there are no NULLs. */
static uint64_t valid_word(const Column *column, int64_t word)
{
    int64_t left = column->length - word * 64;
    uint64_t last = left < 64 ? (UINT64_C(1) << left) - 1 : ~UINT64_C(0);
    if (!column->valid) return last;
    uint64_t bits;
    memcpy(&bits, column->valid->data + column->offset / 8 + word * 8, 8);
    return bits & last;
}

int64_t column_count_nulls(const Column *column, const uint64_t *mask)
{
    int64_t nulls = 0;
    for (int64_t word = 0; word * 64 < column->length; word++) {
        int64_t left = column->length - word * 64;
        uint64_t rows = left < 64 ? (UINT64_C(1) << left) - 1 : ~UINT64_C(0);
        if (mask) rows &= mask[word];
        nulls += __builtin_popcountll(rows & ~valid_word(column, word));
    }
    return nulls;
}

static inline void count(TypeProfile *type_profile, ValueClass value_class, int64_t row)
{
    int64_t seen = type_profile->counts[value_class]++;
    if (UNLIKELY(seen < TYPE_PROFILE_ROWS_KEPT)) type_profile->rows[value_class][seen] = row;
}

static ValueClass class_of_type(TypeId type)
{
    switch (type) {
    case TYPE_BOOL:
        return VALUE_BOOLEAN;
    case TYPE_INT64:
    case TYPE_DOUBLE:
    case TYPE_NUMERIC:
        return VALUE_NUMBER;
    case TYPE_DATE:
    case TYPE_TIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        return VALUE_TIME;
    case TYPE_TEXT:
        return VALUE_TEXT;
    case TYPE_BYTES:
    case TYPE_JSON:
    case TYPE_INTERVAL:
    case TYPE_UUID:
    case TYPE_DYNAMIC:
    case TYPE_COUNT:
        break;
    }
    return VALUE_OTHER;
}

static void add_dynamic(TypeProfile *type_profile, const Column *column, int64_t first_row)
{
    for (int64_t row = 0; row < column->length; row++) {
        if (column_is_null(column, row)) continue;
        const Column *child = &column->children[column_tag(column, row)];
        count(type_profile, class_of_type(child->type), first_row + row);
    }
}

void type_profile_add(TypeProfile *type_profile, const Column *column, int64_t first_row)
{
    int64_t nulls = column_count_nulls(column, NULL);
    type_profile->nulls += nulls;
    type_profile->values += column->length - nulls;
    if (column->type == TYPE_DYNAMIC) add_dynamic(type_profile, column, first_row);
}

void type_profile_merge(TypeProfile *type_profile, const TypeProfile *next, int64_t row_shift)
{
    type_profile->nulls += next->nulls;
    type_profile->values += next->values;
    for (int i = 0; i < VALUE_CLASS_COUNT; i++) {
        int64_t have = int64_min(type_profile->counts[i], TYPE_PROFILE_ROWS_KEPT);
        for (int64_t k = 0; k < TYPE_PROFILE_ROWS_KEPT - have && k < next->counts[i]; k++) {
            type_profile->rows[i][have + k] = next->rows[i][k] + row_shift;
        }
        type_profile->counts[i] += next->counts[i];
    }
}

bool type_profile_is_mixed(const TypeProfile *type_profile, TypeId type)
{
    int kinds = 0;
    for (int i = 0; i < VALUE_OTHER; i++) {
        int64_t some = type_profile->counts[i];
        if (type == TYPE_DYNAMIC) kinds += some > 0;
        else if (i != VALUE_TEXT && some * 10 >= type_profile->values * 9 &&
                 some < type_profile->values)
            return true;
    }
    return kinds > 1;
}
