/* Statements and rows of both kinds of state stores. */
#include "foundation/base/number.h"
#include "store/state/state_store_impl.h"

/* ---- rows ---- */

Str state_column(const StateRow *row, int column)
{
    if (row->sqlite) {
        const char *text = (const char *)sqlite3_column_text(row->sqlite, column);
        return str_make(text, text ? sqlite3_column_bytes(row->sqlite, column) : 0);
    }
    return postgres_db_text(row->result, row->row, column);
}

int64_t state_column_int(const StateRow *row, int column)
{
    if (row->sqlite) return sqlite3_column_int64(row->sqlite, column);
    int64_t value = 0;
    (void)number_parse_int64(state_column(row, column), &value);
    return value;
}

double state_column_real(const StateRow *row, int column)
{
    if (row->sqlite) return sqlite3_column_double(row->sqlite, column);
    double value = 0;
    (void)number_parse_double(state_column(row, column), &value);
    return value;
}

/* ---- statements ---- */

static Status put_parameter(const StateQuery *query, Str rest, bool numbered, Buf *out, Err *err)
{
    static const char *const TYPES[] = {"bigint", "text", "float8"};
    int index = rest.len ? rest.ptr[0] - '1' : -1;
    assert(index >= 0 && index < query->value_count && index < 9);
    if (!numbered) return buf_printf(out, err, "?%d", index + 1);
    return buf_printf(out, err, "$%d::%s", index + 1, TYPES[query->values[index].kind]);
}

static Status put_word(const StateStore *store, Str word, const char *now, Buf *out, Err *err)
{
    if (str_eq(word, STR("now"))) return buf_append(out, str_from(now), err);
    assert(str_eq(word, STR("scope")));
    return buf_printf(out, err, "'%.*s'", STR_ARG(buf_str(&store->scope)));
}

Status state_sql(StateStore *store, const StateQuery *query, const char *now, bool numbered,
                 Err *err)
{
    Buf *out = &store->sql;
    Str rest = str_from(query->sql);
    buf_clear(out);
    for (int64_t i = 0; i < rest.len; i++) {
        char c = rest.ptr[i];
        if (c == '?') {
            TRY(put_parameter(query, str_slice(rest, i + 1, rest.len), numbered, out, err));
            i++;
        } else if (c == '{') {
            int64_t end = i + str_find_char(str_slice(rest, i, rest.len), '}');
            TRY(put_word(store, str_slice(rest, i + 1, end), now, out, err));
            i = end;
        } else {
            TRY(buf_append_char(out, c, err));
        }
    }
    return buf_terminate(out, err);
}
