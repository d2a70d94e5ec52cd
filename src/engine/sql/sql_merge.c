/* The statements that merge staged rows into a table; s is the stage, t the table. */
#include "engine/sql/sql_merge.h"

static Status put(Buf *sql, const char *text, Err *err)
{
    return buf_append(sql, str_from(text), err);
}

static Status put_column(const SqlMerge *m, const char *prefix, int32_t i, Buf *sql, Err *err)
{
    TRY(put(sql, prefix, err));
    return sql_put_name(m->dialect, m->columns[i].name, sql, err);
}

static Status put_separator(Buf *sql, const char *separator, bool *first, Err *err)
{
    if (!*first) TRY(put(sql, separator, err));
    *first = false;
    return OK;
}

Status sql_put_columns(const SqlMerge *m, const char *prefix, bool key, Buf *sql, Err *err)
{
    bool first = true;
    for (int32_t i = 0; i < m->count; i++) {
        if (key && !m->columns[i].key) continue;
        TRY(put_separator(sql, ", ", &first, err));
        TRY(put_column(m, prefix, i, sql, err));
    }
    return OK;
}

static Status put_table(const SqlMerge *m, const char *before, const char *after, Buf *sql,
                        Err *err)
{
    TRY(put(sql, before, err));
    TRY(sql_put_table(m->dialect, m->table, sql, err));
    return put(sql, after, err);
}

static Status put_stage(const SqlMerge *m, const char *before, const char *after, Buf *sql,
                        Err *err)
{
    TRY(put(sql, before, err));
    TRY(put(sql, m->dialect->stage.name, err));
    return put(sql, after, err);
}

/* The staged value as one of the table's type. */
static Status put_staged(const SqlMerge *m, int32_t i, Buf *sql, Err *err)
{
    TRY(put_column(m, "s.", i, sql, err));
    if (!m->columns[i].cast.len) return OK;
    TRY(put(sql, m->dialect->cast, err));
    return buf_append(sql, m->columns[i].cast, err);
}

static Status put_key_match(const SqlMerge *m, Buf *sql, Err *err)
{
    bool first = true;
    for (int32_t i = 0; i < m->count; i++) {
        if (!m->columns[i].key) continue;
        TRY(put_separator(sql, " AND ", &first, err));
        TRY(put_column(m, "t.", i, sql, err));
        TRY(put(sql, " = ", err));
        TRY(put_staged(m, i, sql, err));
    }
    return OK;
}

static Status put_range(const SqlMerge *m, bool range, Buf *sql, Err *err)
{
    char p = m->dialect->parameter;
    if (!range) return OK;
    return buf_printf(sql, err, " AND s.neuron_ord BETWEEN %c1 AND %c2", p, p);
}

static bool is_compared(const SqlColumn *column)
{
    return !column->key && !column->ignored;
}

bool sql_merge_compares(const SqlMerge *m)
{
    for (int32_t i = 0; i < m->count; i++) {
        if (is_compared(&m->columns[i])) return m->keyed;
    }
    return false;
}

/* ---- the stage ---- */

static Status put_create(const SqlMerge *m, Buf *sql, Err *err)
{
    TRY(put(sql, m->dialect->stage.create, err));
    for (int32_t i = 0; i < m->count; i++) {
        TRY(put_column(m, ", ", i, sql, err));
        if (!m->columns[i].stage.len) continue;
        TRY(buf_append_char(sql, ' ', err));
        TRY(buf_append(sql, m->columns[i].stage, err));
    }
    return put(sql, m->dialect->stage.end, err);
}

/* The key as the table tells keys apart. */
static Status put_folded_key(const SqlMerge *m, const char *prefix, Buf *sql, Err *err)
{
    bool first = true;
    for (int32_t i = 0; i < m->count; i++) {
        if (!m->columns[i].key) continue;
        TRY(put_separator(sql, ", ", &first, err));
        TRY(put_column(m, prefix, i, sql, err));
        if (!m->columns[i].fold.len) continue;
        TRY(put(sql, m->dialect->cast, err));
        TRY(buf_append(sql, m->columns[i].fold, err));
    }
    return OK;
}

/* Only keys that came twice are sorted. */
static Status put_supersede(const SqlMerge *m, Buf *sql, Err *err)
{
    TRY(put_stage(m, "DELETE FROM ",
                  " WHERE neuron_ord IN (SELECT neuron_ord FROM (SELECT neuron_ord, row_number()"
                  " OVER (PARTITION BY ",
                  sql, err));
    TRY(put_folded_key(m, "s.", sql, err));
    TRY(put(sql, " ORDER BY ", err));
    if (m->cursor >= 0) {
        TRY(put_staged(m, m->cursor, sql, err));
        TRY(put(sql, " DESC NULLS LAST, ", err));
    }
    TRY(put_stage(m, "neuron_ord DESC) AS n FROM ", " AS s WHERE (", sql, err));
    TRY(put_folded_key(m, "s.", sql, err));
    TRY(put(sql, ") IN (SELECT ", err));
    TRY(put_folded_key(m, "", sql, err));
    TRY(put_stage(m, " FROM ", " GROUP BY ", sql, err));
    TRY(put_folded_key(m, "", sql, err));
    return put(sql, " HAVING count(*) > 1)) AS d WHERE n > 1)", err);
}

/* ---- what is to be written ---- */

/* SET a = s.a, … of every column but the key. */
static Status put_assignments(const SqlMerge *m, Buf *sql, Err *err)
{
    bool first = true;
    for (int32_t i = 0; i < m->count; i++) {
        if (m->columns[i].key) continue;
        TRY(put_separator(sql, ", ", &first, err));
        TRY(put_column(m, "", i, sql, err));
        TRY(put(sql, " = ", err));
        TRY(put_staged(m, i, sql, err));
    }
    return OK;
}

static Status put_changed(const SqlMerge *m, Buf *sql, Err *err)
{
    bool first = true;
    for (int32_t i = 0; i < m->count; i++) {
        const SqlColumn *column = &m->columns[i];
        if (!is_compared(column)) continue;
        const char *text = column->by_text ? m->dialect->as_text : "";
        TRY(put_separator(sql, " OR ", &first, err));
        TRY(put_column(m, "t.", i, sql, err));
        TRY(put(sql, text, err));
        TRY(put(sql, m->dialect->differs, err));
        TRY(put_staged(m, i, sql, err));
        TRY(put(sql, text, err));
    }
    return OK;
}

/* Of two rows of this run the one with the higher cursor stays. */
static Status put_newer(const SqlMerge *m, Buf *sql, Err *err)
{
    if (!m->own_rows || m->cursor < 0) return OK;
    TRY(put_column(m, " AND (t.", m->cursor, sql, err));
    TRY(put_column(m, " IS NULL OR t.", m->cursor, sql, err));
    TRY(put(sql, " <= ", err));
    TRY(put_staged(m, m->cursor, sql, err));
    return buf_append_char(sql, ')', err);
}

/* No row of the table has the key. */
static Status put_missing(const SqlMerge *m, Buf *sql, Err *err)
{
    int32_t key = 0;
    while (!m->columns[key].key) key++;
    TRY(put_column(m, "t.", key, sql, err));
    return put(sql, " IS NULL", err);
}

/* The rows to write: those that are new and those that changed. */
static Status put_changes(const SqlMerge *m, const char *columns, bool range, Buf *sql, Err *err)
{
    TRY(put(sql, "SELECT ", err));
    TRY(put(sql, columns, err));
    TRY(put(sql, ", ", err));
    TRY(put_missing(m, sql, err));
    TRY(put_stage(m, " AS neuron_new FROM ", " AS s LEFT JOIN ", sql, err));
    TRY(put_table(m, "", " AS t ON ", sql, err));
    TRY(put_key_match(m, sql, err));
    TRY(put(sql, " WHERE (", err));
    TRY(put_missing(m, sql, err));
    if (sql_merge_compares(m)) {
        TRY(put(sql, " OR (", err));
        TRY(put_changed(m, sql, err));
        TRY(put(sql, ")", err));
        TRY(put_newer(m, sql, err));
    }
    TRY(put(sql, ")", err));
    return put_range(m, range, sql, err);
}

static Status put_counts(const SqlMerge *m, Buf *sql, Err *err)
{
    TRY(put(sql,
            "count(*) FILTER (WHERE neuron_new), count(*) FILTER (WHERE NOT neuron_new), count(",
            err));
    TRY(put(sql, m->unique ? "*" : "DISTINCT neuron_ord", err));
    return put(sql, ") FILTER (WHERE NOT neuron_new)", err);
}

static Status put_expect(const SqlMerge *m, bool range, Buf *sql, Err *err)
{
    if (!m->keyed) {
        TRY(put_stage(m, "SELECT count(*), 0, 0 FROM ", " AS s WHERE true", sql, err));
        return put_range(m, range, sql, err);
    }
    TRY(put(sql, "SELECT ", err));
    TRY(put_counts(m, sql, err));
    TRY(put(sql, " FROM (", err));
    TRY(put_changes(m, "s.neuron_ord", range, sql, err));
    return put(sql, ") AS changes", err);
}

/* ---- writing ---- */

/* `from`: whose rows are taken, as s. Where the table has a key twice, one of them may be equal. */
static Status put_update(const SqlMerge *m, const char *from, const char *where, Buf *sql, Err *err)
{
    TRY(put(sql, "UPDATE", err));
    TRY(put(sql, m->conflict, err));
    TRY(put_table(m, " ", " AS t SET ", sql, err));
    TRY(put_assignments(m, sql, err));
    TRY(put(sql, " FROM ", err));
    TRY(put(sql, from, err));
    TRY(put(sql, where, err));
    TRY(put_key_match(m, sql, err));
    TRY(put_newer(m, sql, err));
    TRY(put(sql, " AND (", err));
    TRY(put_changed(m, sql, err));
    return buf_append_char(sql, ')', err);
}

static bool has_identity(const SqlMerge *m)
{
    for (int32_t i = 0; i < m->count; i++) {
        if (m->columns[i].identity) return m->dialect->given_identity != NULL;
    }
    return false;
}

/* `from`: whose rows are taken, as s. */
static Status put_insert(const SqlMerge *m, const char *from, const char *where, Buf *sql, Err *err)
{
    TRY(put(sql, "INSERT", err));
    TRY(put(sql, m->conflict, err));
    TRY(put_table(m, " INTO ", " (", sql, err));
    TRY(sql_put_columns(m, "", false, sql, err));
    TRY(put(sql, ")", err));
    if (has_identity(m)) TRY(put(sql, m->dialect->given_identity, err));
    for (int32_t i = 0; i < m->count; i++) {
        TRY(put(sql, i ? ", " : " SELECT ", err));
        TRY(put_staged(m, i, sql, err));
    }
    TRY(put(sql, " FROM ", err));
    TRY(put(sql, from, err));
    return put(sql, where, err);
}

static Status put_new(const SqlMerge *m, bool range, Buf *sql, Err *err)
{
    TRY(put_insert(m, m->dialect->stage.name, " AS s WHERE true", sql, err));
    TRY(put_range(m, range, sql, err));
    if (!m->keyed) return OK;
    TRY(put_table(m, " AND NOT EXISTS (SELECT 1 FROM ", " AS t WHERE ", sql, err));
    TRY(put_key_match(m, sql, err));
    return buf_append_char(sql, ')', err);
}

/* One look at the table for both, where a statement each would join it twice: most of the work of
 * a run that changes little. */
static Status put_write(const SqlMerge *m, bool range, Buf *sql, Err *err)
{
    TRY(put(sql, "WITH changes AS (", err));
    TRY(put_changes(m, "s.*", range, sql, err));
    TRY(put(sql, "), updated AS (", err));
    TRY(put_update(m, "changes", " AS s WHERE NOT s.neuron_new AND ", sql, err));
    TRY(put(sql, " RETURNING 1), inserted AS (", err));
    TRY(put_insert(m, "changes", " AS s WHERE s.neuron_new", sql, err));
    TRY(put(sql,
            " RETURNING 1) SELECT (SELECT count(*) FROM updated),"
            " (SELECT count(*) FROM inserted), ",
            err));
    TRY(put_counts(m, sql, err));
    return put(sql, " FROM changes", err);
}

static Status put_delete(const SqlMerge *m, const char *verb, Buf *sql, Err *err)
{
    TRY(put_table(m, verb, " AS t", sql, err));
    TRY(put_stage(m, " WHERE NOT EXISTS (SELECT 1 FROM ", " AS s WHERE ", sql, err));
    TRY(put_key_match(m, sql, err));
    return buf_append_char(sql, ')', err);
}

/* ---- a refused row ---- */

/* Pieces of an object, each without the braces that the next one or the one before has. */
static Status put_object(const SqlMerge *m, bool key, Buf *sql, Err *err)
{
    const SqlDialect *dialect = m->dialect;
    int32_t most = dialect->in_object && !key ? dialect->in_object : m->count;
    for (int32_t from = 0; from < m->count; from += most) {
        bool more = m->count - from > most;
        int32_t to = more ? from + most : m->count;
        if (from) TRY(put(sql, " || ',' || ltrim(", err));
        if (more) TRY(put(sql, "rtrim(", err));
        TRY(dialect->put_object(m, from, to, key, sql, err));
        if (more) TRY(put(sql, ", '}')", err));
        if (from) TRY(put(sql, ", '{')", err));
    }
    return OK;
}

static Status put_row(const SqlMerge *m, Buf *sql, Err *err)
{
    TRY(put(sql, "SELECT neuron_row, ", err));
    TRY(put_object(m, false, sql, err));
    if (m->keyed) TRY(put(sql, ", ", err));
    if (m->keyed) TRY(put_object(m, true, sql, err));
    TRY(put_stage(m, " FROM ", " AS s WHERE neuron_ord = ", sql, err));
    return buf_printf(sql, err, "%c1", m->dialect->parameter);
}

Status sql_merge_put(const SqlMerge *m, SqlMergePart part, bool range, Buf *sql, Err *err)
{
    assert(m->keyed || part <= SQL_MERGE_READY || part == SQL_MERGE_ROW ||
           part == SQL_MERGE_EXPECT || (part >= SQL_MERGE_INSERT && part <= SQL_MERGE_COUNT));
    switch (part) {
    case SQL_MERGE_STAGE:
        return put_create(m, sql, err);
    case SQL_MERGE_READY:
        return m->dialect->put_ready(m, sql, err);
    case SQL_MERGE_SUPERSEDE:
        return put_supersede(m, sql, err);
    case SQL_MERGE_EXPECT:
        return put_expect(m, range, sql, err);
    case SQL_MERGE_WRITE:
        return put_write(m, range, sql, err);
    case SQL_MERGE_UPDATE:
        TRY(put_update(m, m->dialect->stage.name, " AS s WHERE ", sql, err));
        return put_range(m, range, sql, err);
    case SQL_MERGE_INSERT:
        return put_new(m, range, sql, err);
    case SQL_MERGE_ANY:
        return put_table(m, "SELECT count(*) FROM (SELECT 1 FROM ", " LIMIT 1) AS any_row", sql,
                         err);
    case SQL_MERGE_CLEAR:
        return put_table(m, "DELETE FROM ", "", sql, err);
    case SQL_MERGE_COUNT:
        return put_table(m, "SELECT count(*) FROM ", "", sql, err);
    case SQL_MERGE_MISSING:
        return put_delete(m, "SELECT count(*) FROM ", sql, err);
    case SQL_MERGE_DELETE:
        return put_delete(m, "DELETE FROM ", sql, err);
    case SQL_MERGE_ROW:
        return put_row(m, sql, err);
    case SQL_MERGE_PARTS:
        break;
    }
    return OK;
}
