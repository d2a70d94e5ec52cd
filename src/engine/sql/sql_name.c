/* Names in statements, quoted by a dialect. */
#include "engine/sql/sql_dialect.h"

Status sql_put_name(const SqlDialect *dialect, Str name, Buf *sql, Err *err)
{
    if (str_find_char(name, '\0') >= 0 || (name.len == 0 && !dialect->nameless)) {
        return err_set(err, ERR_CONFIG, "\"%.*s\" is not a name for %s", STR_ARG(name),
                       dialect->name);
    }
    TRY(buf_append_char(sql, dialect->quote, err));
    for (int64_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == dialect->quote) TRY(buf_append_char(sql, dialect->quote, err));
        TRY(buf_append_char(sql, name.ptr[i], err));
    }
    return buf_append_char(sql, dialect->quote, err);
}

Status sql_put_table(const SqlDialect *dialect, Str table, Buf *sql, Err *err)
{
    int64_t dot = str_find_char(table, '.');
    if (dot >= 0) {
        TRY(sql_put_name(dialect, str_slice(table, 0, dot), sql, err));
        TRY(buf_append_char(sql, '.', err));
    }
    return sql_put_name(dialect, str_slice(table, dot + 1, table.len), sql, err);
}
