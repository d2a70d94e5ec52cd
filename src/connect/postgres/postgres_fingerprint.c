/* Fingerprints of key ranges, computed by the server: sums of row hashes, so that only they travel.
 *
 * A row's hash is over the text of ROW(columns): the output functions' text, which two columns of
 * one form share exactly where it is equal. Equal values may still have different texts (numeric
 * scales before trim_scale, -0, the order of JSON members): such rows are then compared here. */
#include <stdlib.h>

#include "connect/postgres/postgres_fingerprint.h"
#include "connect/postgres/postgres_location.h"
#include "connect/postgres/postgres_select.h"
#include "foundation/base/mem.h"
#include "foundation/base/number.h"

enum {
    FINGERPRINT_SERVER_MIN = 130000, /* trim_scale */
    FINGERPRINT_PIECES_MAX = 64,     /* ranges that an index is asked for one by one */
};

/* ---- forms ---- */

/* How the column's value is put into the row: as it is, or with this around it. */
typedef struct Form {
    const char *name; /* NULL: the type's own */
    const char *before, *behind;
} Form;

static bool form_of(const PostgresType *type, Form *ret_form)
{
    *ret_form = (Form){NULL, "", ""};
    switch (type->oid) {
    case 20:
    case 21:
    case 23:
    case 26:
        ret_form->name = "number";
        return true;
    case 1700:
        *ret_form = (Form){"number", "trim_scale(", ")"};
        return true;
    case 700: /* read as the double that its text says */
    case 701:
        ret_form->name = "float";
        return true;
    case 18:
    case 19:
    case 25:
    case 1042:
    case 1043:
        ret_form->name = "text";
        return true;
    case 1184: /* its text depends on the time zone */
        ret_form->behind = " AT TIME ZONE 'UTC'";
        return true;
    case 1185: /* so does that of its arrays, ranges and multiranges */
    case 3910:
    case 3911:
    case 4534:
    case 6152:
        return false;
    case 790: /* money, alone and in arrays: its text depends on lc_monetary */
    case 791:
        return false;
    default:
        break;
    }
    if (type->encodable && str_eq(str_from(type->name), STR("enum"))) ret_form->name = "text";
    /* Types of a database's own have other numbers in another one. */
    return ret_form->name || type->oid < 16384;
}

Status postgres_fingerprint_forms(const PostgresSource *self, Arena *arena, SourceForms *ret_forms,
                                  Err *err)
{
    const PostgresColumns *columns = &self->columns;
    Str *forms = ARENA_ARRAY(arena, Str, columns->count + 1);
    if (!forms) return err_memory(err);
    for (int32_t i = 0; i < columns->count; i++) {
        Form form;
        forms[i] = STR_NULL;
        if (!form_of(&columns->types[i], &form)) continue;
        if (form.name) forms[i] = str_from(form.name);
        else TRY(arena_printf(arena, &forms[i], err, "type %u", columns->types[i].oid));
    }
    *ret_forms = (SourceForms){.forms = forms, .count = columns->count};
    PGconn *conn = postgres_db_conn(self->db);
    const char *encoding = PQparameterStatus(conn, "server_encoding");
    if (!encoding || PQserverVersion(conn) < FINGERPRINT_SERVER_MIN) return OK;
    return arena_printf(arena, &ret_forms->system, err, "postgresql %s", encoding);
}

/* ---- pieces of SQL ---- */

static Status put_name(const PostgresSource *self, int32_t column, Buf *out, Err *err)
{
    return postgres_db_quote(out, self->columns.schema->fields[column].name, err);
}

/* A 64-bit hash of the columns' texts; the collation only has to be the same. */
static Status put_hash(const PostgresSource *self, const int32_t *columns, int32_t count, int seed,
                       Buf *out, Err *err)
{
    TRY(buf_append(out, STR("pg_catalog.hashtextextended(ROW("), err));
    for (int32_t i = 0; i < count; i++) {
        Form form;
        (void)form_of(&self->columns.types[columns[i]], &form);
        if (i) TRY(buf_append(out, STR(", "), err));
        TRY(buf_append(out, str_from(form.before), err));
        TRY(put_name(self, columns[i], out, err));
        TRY(buf_append(out, str_from(form.behind), err));
    }
    return buf_printf(out, err, ")::text COLLATE \"C\", %d)", seed);
}

static Status put_range(const PostgresSource *self, const SourceRanges *ranges, int32_t shift,
                        Buf *out, Err *err)
{
    if (!ranges->by_value) {
        TRY(buf_append_char(out, '(', err));
        TRY(put_hash(self, ranges->key, ranges->key_count, 1, out, err));
        return buf_printf(out, err, " & %lld) >> %d", (long long)INT64_MAX >> 1, shift);
    }
    TRY(buf_append(out, STR("coalesce(("), err));
    TRY(put_name(self, ranges->key[0], out, err));
    return buf_printf(out, err, "::int8 - (%lld)) >> %d, -1)", (long long)ranges->from, shift);
}

static Status put_numbers(const SourceRanges *ranges, Buf *out, Err *err)
{
    for (int64_t i = 0; i < ranges->count; i++) {
        TRY(buf_printf(out, err, "%s%lld", i ? "," : " = ANY ('{", (long long)ranges->numbers[i]));
    }
    return buf_append(out, STR("}'::int8[])"), err);
}

/* First value of a range; the last range may end past int64. */
static int64_t value_at(const SourceRanges *ranges, int64_t number)
{
    __int128 value = ((__int128)number << ranges->shift) + ranges->from;
    return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

/* Ranges that touch make one piece. */
static int64_t piece_end(const SourceRanges *ranges, int64_t at)
{
    while (at + 1 < ranges->count && ranges->numbers[at + 1] == ranges->numbers[at] + 1) at++;
    return at + 1;
}

static int64_t piece_count(const SourceRanges *ranges)
{
    int64_t count = 0;
    for (int64_t at = 0; at < ranges->count; at = piece_end(ranges, at)) count++;
    return count;
}

static Status put_piece(const PostgresSource *self, const SourceRanges *ranges, int64_t from,
                        int64_t end, Buf *out, Err *err)
{
    bool nulls = ranges->numbers[from] == -1;
    TRY(put_name(self, ranges->key[0], out, err));
    if (nulls) TRY(buf_append(out, STR(" IS NULL"), err));
    if (nulls && end == from + 1) return OK;
    if (nulls) {
        TRY(buf_append(out, STR(" OR "), err));
        TRY(put_name(self, ranges->key[0], out, err));
    }
    int64_t first = value_at(ranges, nulls ? 0 : ranges->numbers[from]);
    int64_t last = value_at(ranges, ranges->numbers[end - 1] + 1);
    return buf_printf(out, err, " BETWEEN %lld AND %lld", (long long)first,
                      (long long)(last == INT64_MAX ? last : last - 1));
}

Status postgres_fingerprint_within(PostgresSource *self, const SourceRanges *ranges, Buf *out,
                                   Err *err)
{
    if (!ranges->by_value || piece_count(ranges) > FINGERPRINT_PIECES_MAX) {
        TRY(put_range(self, ranges, ranges->shift, out, err));
        return put_numbers(ranges, out, err);
    }
    TRY(buf_append_char(out, '(', err));
    for (int64_t at = 0; at < ranges->count;) {
        int64_t end = piece_end(ranges, at);
        if (at) TRY(buf_append(out, STR(" OR "), err));
        TRY(put_piece(self, ranges, at, end, out, err));
        at = end;
    }
    return buf_append_char(out, ')', err);
}

/* ---- statements ---- */

static Status put_from(PostgresSource *self, Buf *out, Err *err)
{
    TRY(buf_append(out, STR(" FROM "), err));
    TRY(postgres_select_from(self, out, err));
    return buf_append(out, buf_str(&self->query.where), err);
}

Status postgres_fingerprint_span(PostgresSource *self, int32_t column, SourceSpan *ret_span,
                                 Err *err)
{
    uint32_t oid = self->columns.types[column].oid;
    *ret_span = (SourceSpan){.integer = oid == 20 || oid == 21 || oid == 23};
    if (!ret_span->integer) return OK;
    CLEANUP(buf_done) Buf sql = buf_make(POSTGRES_SQL_MAX);
    TRY(buf_append(&sql, STR("SELECT min("), err));
    TRY(put_name(self, column, &sql, err));
    TRY(buf_append(&sql, STR("), max("), err));
    TRY(put_name(self, column, &sql, err));
    TRY(buf_append_char(&sql, ')', err));
    TRY(put_from(self, &sql, err));
    TRY(buf_terminate(&sql, err));
    CLEANUP(postgres_db_clear_p) PGresult *result = NULL;
    TRY(postgres_db_query(self->db, sql.data, NULL, 0, &result, err));
    ret_span->some =
        number_parse_int64(postgres_db_text(result, 0, 0), &ret_span->min) == NUMBER_OK &&
        number_parse_int64(postgres_db_text(result, 0, 1), &ret_span->max) == NUMBER_OK;
    return OK;
}

/* "SELECT range, count, fingerprint … GROUP BY range". */
static Status fingerprint_sql(PostgresSource *self, const SourceFingerprintReq *req, Buf *out,
                              Err *err)
{
    TRY(buf_append(out, STR("SELECT "), err));
    TRY(put_range(self, &req->within, req->shift, out, err));
    TRY(buf_append(out, STR(", count(*), sum("), err));
    TRY(put_hash(self, req->columns, req->column_count, 0, out, err));
    TRY(buf_append_char(out, ')', err));
    TRY(put_from(self, out, err));
    Str sep = self->query.where.len ? STR(" AND ") : STR(" WHERE ");
    if (req->within.count) {
        TRY(buf_append(out, sep, err));
        TRY(postgres_fingerprint_within(self, &req->within, out, err));
        sep = STR(" AND ");
    }
    for (int32_t i = 0; i < req->not_null_count; i++) {
        TRY(buf_append(out, i ? STR(", ") : sep, err));
        if (i == 0) TRY(buf_append(out, STR("num_nulls("), err));
        TRY(put_name(self, req->not_null[i], out, err));
    }
    if (req->not_null_count) TRY(buf_append(out, STR(") = 0"), err));
    TRY(buf_append(out, STR(" GROUP BY 1"), err));
    return buf_terminate(out, err);
}

/* The planner takes an expression for as many groups as rows, and would sort them all on disk; and
 * compiling takes longer than it saves. */
static Status without_sort(PostgresSource *self, const char *sql, PGresult **ret_result, Err *err)
{
    TRY(postgres_db_exec(self->db, "SET LOCAL enable_sort = off; SET LOCAL jit = off", err));
    TRY(postgres_db_query(self->db, sql, NULL, 0, ret_result, err));
    return postgres_db_exec(self->db, "SET LOCAL enable_sort TO DEFAULT; SET LOCAL jit TO DEFAULT",
                            err);
}

static int by_range(const void *a, const void *b)
{
    int64_t left = ((const SourceFingerprint *)a)->range;
    int64_t right = ((const SourceFingerprint *)b)->range;
    return (left > right) - (left < right);
}

static bool fingerprint_read(const PGresult *result, int row, SourceFingerprint *out)
{
    Str sum = postgres_db_text(result, row, 2);
    if (sum.len >= (int64_t)sizeof out->sum) return false;
    memcpy(out->sum, sum.ptr, (size_t)sum.len);
    out->sum[sum.len] = 0;
    return number_parse_int64(postgres_db_text(result, row, 0), &out->range) == NUMBER_OK &&
           number_parse_int64(postgres_db_text(result, row, 1), &out->rows) == NUMBER_OK;
}

Status postgres_fingerprint(PostgresSource *self, const SourceFingerprintReq *req,
                            SourceFingerprint **ret_ranges, int64_t *ret_count, Err *err)
{
    CLEANUP(buf_done) Buf sql = buf_make(POSTGRES_SQL_MAX);
    TRY(fingerprint_sql(self, req, &sql, err));
    CLEANUP(postgres_db_clear_p) PGresult *result = NULL;
    TRY(without_sort(self, sql.data, &result, err));
    int count = PQntuples(result);
    SourceFingerprint *ranges = mem_array(count + 1, (int64_t)sizeof *ranges);
    if (!ranges) return err_memory(err);
    for (int i = 0; i < count; i++) {
        if (fingerprint_read(result, i, &ranges[i])) continue;
        mem_free(ranges);
        return err_set(err, ERR_INTERNAL, "a fingerprint can't be read");
    }
    qsort(ranges, (size_t)count, sizeof *ranges, by_range);
    *ret_ranges = ranges;
    *ret_count = count;
    return OK;
}
