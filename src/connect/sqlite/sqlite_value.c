/* Values and declared types of SQLite: what a column can hold without changing it. */
#include <math.h>

#include "connect/sqlite/sqlite_impl.h"
#include "foundation/base/number.h"

static bool declared_has(Str declared, const char *part)
{
    return str_find_nocase(declared, str_from(part)) >= 0;
}

SqliteLogical sqlite_logical(Str declared)
{
    if (declared_has(declared, "BOOL")) return SQLITE_LOGICAL_BOOLEAN;
    if (declared_has(declared, "JSON")) return SQLITE_LOGICAL_JSON;
    if (declared_has(declared, "DECIMAL") || declared_has(declared, "NUMERIC")) {
        return SQLITE_LOGICAL_DECIMAL;
    }
    return SQLITE_LOGICAL_NONE;
}

SqliteAffinity sqlite_affinity(Str declared)
{
    if (declared_has(declared, "INT")) return SQLITE_AFFINITY_INTEGER;
    if (declared_has(declared, "CHAR") || declared_has(declared, "CLOB") ||
        declared_has(declared, "TEXT")) {
        return SQLITE_AFFINITY_TEXT;
    }
    if (declared.len == 0 || declared_has(declared, "BLOB")) return SQLITE_AFFINITY_BLOB;
    if (declared_has(declared, "REAL") || declared_has(declared, "FLOA") ||
        declared_has(declared, "DOUB")) {
        return SQLITE_AFFINITY_REAL;
    }
    return SQLITE_AFFINITY_NUMERIC;
}

/* NUMERIC has BLOB affinity, so that SQLite doesn't turn a decimal of more than 15 digits into a
 * double: such a one stays text, all others are numbers. */
static const char *declared_of_type(TypeId type)
{
    switch (type) {
    case TYPE_BOOL:
        return "BOOLEAN";
    case TYPE_INT64:
        return "INTEGER";
    case TYPE_DOUBLE:
        return "REAL";
    case TYPE_NUMERIC:
        return "DECIMAL BLOB";
    case TYPE_BYTES:
        return "BLOB";
    case TYPE_JSON:
        return "JSON TEXT";
    case TYPE_DATE:
        return "DATE";
    case TYPE_TIME:
        return "TIME";
    case TYPE_TIMESTAMP:
        return "TIMESTAMP";
    case TYPE_TIMESTAMPTZ:
        return "TIMESTAMPTZ";
    case TYPE_DYNAMIC:
        return "";
    case TYPE_TEXT:
    case TYPE_INTERVAL:
    case TYPE_UUID:
    case TYPE_COUNT:
        break;
    }
    return "TEXT";
}

/* A declared type may stand in DDL as it is only when it is made of harmless characters. */
static bool native_is_plain(Str native)
{
    for (int64_t i = 0; i < native.len; i++) {
        char c = native.ptr[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || c == ' ';
        bool other = (c >= '0' && c <= '9') || c == '(' || c == ')' || c == ',';
        if (!letter && !other) return false;
    }
    return native.len > 0 && native.len < 64;
}

Status sqlite_declared_type(const Field *field, Buf *out, Err *err)
{
    if (field->type == TYPE_DYNAMIC && native_is_plain(field->native)) {
        return buf_append(out, field->native, err);
    }
    return buf_append(out, str_from(declared_of_type(field->type)), err);
}

static Status bind_done(sqlite3 *db, int code, Err *err)
{
    return LIKELY(code == SQLITE_OK) ? OK : sqlite_db_error(db, err);
}

static Status bind_text(sqlite3 *db, sqlite3_stmt *st, int index, Str text, bool copy, Err *err)
{
    const char *bytes = text.ptr ? text.ptr : "";
    if (copy) {
        return bind_done(db,
                         sqlite3_bind_text64(st, index, bytes, (sqlite3_uint64)text.len,
                                             SQLITE_TRANSIENT, SQLITE_UTF8),
                         err);
    }
    return bind_done(
        db,
        sqlite3_bind_text64(st, index, bytes, (sqlite3_uint64)text.len, SQLITE_STATIC, SQLITE_UTF8),
        err);
}

/* Text in a column whose affinity would make a number of it changes when it doesn't read back the
 * same: '007', '1.50'. */
static bool text_survives(Str text, SqliteAffinity affinity)
{
    if (affinity == SQLITE_AFFINITY_TEXT || affinity == SQLITE_AFFINITY_BLOB) return true;
    double real;
    Str trimmed = str_trim(text);
    bool numeric = trimmed.len > 0 && number_parse_double(trimmed, &real) != NUMBER_INVALID;
    if (!numeric) return true;
    char first = trimmed.ptr[trimmed.len - 1];
    if (first != '.' && (first < '0' || first > '9')) return true; /* NaN, inf: no number there */
    int64_t integer;
    char digits[NUMBER_TEXT_MAX];
    if (affinity == SQLITE_AFFINITY_REAL || number_parse_int64(text, &integer) != NUMBER_OK) {
        return false;
    }
    return str_eq(text, str_make(digits, number_format_int64(integer, digits)));
}

static Status bind_bool(sqlite3 *db, sqlite3_stmt *st, int index, bool value,
                        SqliteAffinity affinity, Err *err)
{
    if (affinity == SQLITE_AFFINITY_TEXT) {
        return bind_text(db, st, index, value ? STR("true") : STR("false"), false, err);
    }
    return bind_done(db, sqlite3_bind_int(st, index, value), err);
}

static Status bind_int64(sqlite3 *db, sqlite3_stmt *st, int index, int64_t value,
                         SqliteAffinity affinity, const char **ret_reason, Err *err)
{
    if (affinity == SQLITE_AFFINITY_REAL && (int64_t)(double)value != value) {
        *ret_reason = "a REAL column can't hold this integer exactly";
        return OK;
    }
    return bind_done(db, sqlite3_bind_int64(st, index, value), err);
}

static Status bind_double(sqlite3 *db, sqlite3_stmt *st, int index, double value,
                          SqliteAffinity affinity, const char **ret_reason, Err *err)
{
    if (isnan(value)) {
        /* SQLite stores NaN as NULL. */
        if (affinity == SQLITE_AFFINITY_TEXT || affinity == SQLITE_AFFINITY_BLOB) {
            return bind_text(db, st, index, STR("NaN"), false, err);
        }
        *ret_reason = "SQLite has no NaN";
        return OK;
    }
    if (affinity == SQLITE_AFFINITY_TEXT) {
        char text[NUMBER_TEXT_MAX];
        return bind_text(db, st, index, str_make(text, number_format_double(value, text)), true,
                         err);
    }
    return bind_done(db, sqlite3_bind_double(st, index, value), err);
}

static Status bind_decimal(sqlite3 *db, sqlite3_stmt *st, int index, Decimal value,
                           SqliteAffinity affinity, const char **ret_reason, Err *err)
{
    char text[DECIMAL_TEXT_MAX];
    if (affinity == SQLITE_AFFINITY_TEXT) {
        return bind_text(db, st, index, str_make(text, decimal_format(value, text)), true, err);
    }
    Decimal least = decimal_normalize(value);
    if (least.scale == 0 && least.value <= INT64_MAX && least.value >= INT64_MIN) {
        return bind_int64(db, st, index, (int64_t)least.value, affinity, ret_reason, err);
    }
    double real = decimal_to_double(least);
    Decimal back;
    if (decimal_from_double(real, &back) == DECIMAL_OK && decimal_compare(back, least) == 0) {
        return bind_done(db, sqlite3_bind_double(st, index, real), err);
    }
    if (affinity == SQLITE_AFFINITY_BLOB) {
        return bind_text(db, st, index, str_make(text, decimal_format(value, text)), true, err);
    }
    *ret_reason = "the column would round this decimal (it needs a TEXT or BLOB column)";
    return OK;
}

static Status bind_plain_text(sqlite3 *db, sqlite3_stmt *st, int index, Str text,
                              SqliteAffinity affinity, const char **ret_reason, Err *err)
{
    if (UNLIKELY(!text_survives(text, affinity))) {
        *ret_reason = "the column would turn this text into a number";
        return OK;
    }
    return bind_text(db, st, index, text, false, err);
}

static Status bind_numeric(sqlite3 *db, sqlite3_stmt *st, int index, const Column *column,
                           int64_t row, SqliteAffinity affinity, const char **ret_reason, Err *err)
{
    Int128 value = column_numeric(column)[row];
    uint8_t scale = column_scale(column, row);
    if (scale == NUMERIC_SCALE_DOUBLE) {
        double real;
        memcpy(&real, &value, sizeof real);
        return bind_double(db, st, index, real, affinity, ret_reason, err);
    }
    return bind_decimal(db, st, index, (Decimal){value, scale}, affinity, ret_reason, err);
}

static void uuid_text(const uint8_t *bytes, char text[36])
{
    static const char DIGITS[] = "0123456789abcdef";
    int32_t at = 0;
    for (int32_t i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) text[at++] = '-';
        text[at++] = DIGITS[bytes[i] >> 4];
        text[at++] = DIGITS[bytes[i] & 15];
    }
}

/* Dates, times, intervals and UUIDs are text. */
static Status bind_formatted(sqlite3 *db, sqlite3_stmt *st, int index, const Column *column,
                             int64_t row, Err *err)
{
    char text[INTERVAL_TEXT_MAX];
    int64_t len = 0;
    if (column->type == TYPE_DATE) {
        len = datetime_format_date(column_date(column)[row], text);
    } else if (column->type == TYPE_TIME) {
        len = datetime_format_time(column_int64(column)[row], text);
    } else if (column->type == TYPE_INTERVAL) {
        len = interval_format(column_interval(column)[row], text);
    } else if (column->type == TYPE_UUID) {
        uuid_text(column_uuid(column) + row * 16, text);
        len = 36;
    } else {
        bool zone = column->type == TYPE_TIMESTAMPTZ;
        len = datetime_format_timestamp(column_int64(column)[row], 'T', zone, text);
    }
    return bind_text(db, st, index, str_make(text, len), true, err);
}

Status sqlite_bind_value(sqlite3 *db, sqlite3_stmt *st, int index, const Column *column,
                         int64_t row, SqliteAffinity affinity, const char **ret_reason, Err *err)
{
    if (column_is_null(column, row)) return bind_done(db, sqlite3_bind_null(st, index), err);
    switch (column->type) {
    case TYPE_BOOL:
        return bind_bool(db, st, index, column_bool(column, row), affinity, err);
    case TYPE_INT64:
        return bind_int64(db, st, index, column_int64(column)[row], affinity, ret_reason, err);
    case TYPE_DOUBLE:
        return bind_double(db, st, index, column_double(column)[row], affinity, ret_reason, err);
    case TYPE_NUMERIC:
        return bind_numeric(db, st, index, column, row, affinity, ret_reason, err);
    case TYPE_TEXT:
    case TYPE_JSON:
        return bind_plain_text(db, st, index, column_text(column, row), affinity, ret_reason, err);
    case TYPE_BYTES: {
        Str bytes = column_text(column, row);
        return bind_done(db,
                         sqlite3_bind_blob64(st, index, bytes.ptr ? bytes.ptr : "",
                                             (sqlite3_uint64)bytes.len, SQLITE_STATIC),
                         err);
    }
    case TYPE_DYNAMIC: {
        int64_t child_row = 0;
        const Column *child = column_dynamic(column, row, &child_row);
        return sqlite_bind_value(db, st, index, child, child_row, affinity, ret_reason, err);
    }
    case TYPE_DATE:
    case TYPE_TIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
    case TYPE_INTERVAL:
    case TYPE_UUID:
    case TYPE_COUNT:
        break;
    }
    return bind_formatted(db, st, index, column, row, err);
}
