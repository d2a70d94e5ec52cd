/* Reads a table or query of a SQLite database, in one snapshot, as columns of dynamic values. */
#include <stdatomic.h>
#include <stdlib.h>

#include "connect/sqlite/sqlite_impl.h"
#include "engine/column/builder.h"
#include "engine/column/cursor_value.h"
#include "foundation/base/mem.h"
#include "foundation/base/datetime.h"
#include "foundation/base/number.h"
#include "foundation/codec/json_walk.h"

enum { SQLITE_BATCH_ROWS = 8192, SQLITE_BATCH_BYTES = 1 << 20 };

typedef struct SqliteSource {
    Source source;
    sqlite3 *db;
    sqlite3_stmt *statement;
    Schema *schema;
    SqliteLogical *logical; /* per column */
    Budget *budget;
    int32_t cursor;      /* column index, -1: none */
    CursorValue highest; /* so far */
    Str watermark;       /* of the run before; empty: none */
    int64_t nulls;       /* rows without a cursor, which the request doesn't want */
    int64_t ordinal, seq;
    bool end;
} SqliteSource;

static const SourceOps SQLITE_SOURCE_OPS;

/* ---- the statement ---- */

static Str query_of(const SourceReq *req)
{
    Str query = str_trim(req->query);
    while (str_ends(query, STR(";"))) query = str_trim(str_slice(query, 0, query.len - 1));
    return query;
}

/* The table, or the query in brackets. */
static Status put_from(const SourceReq *req, Buf *sql, Err *err)
{
    if (!req->query.len) return sqlite_db_quote_table(sql, req->table, err);
    TRY(buf_append_char(sql, '(', err));
    TRY(buf_append(sql, query_of(req), err));
    return buf_append(sql, STR("\n)"), err);
}

/* Rows from the watermark on, and those without a cursor where they are wanted. */
static Status put_condition(const SourceReq *req, Buf *sql, Err *err)
{
    if (!req->incremental.cursor.len || !req->incremental.from.len) return OK;
    TRY(buf_append(sql, STR(" WHERE "), err));
    TRY(sqlite_db_quote(sql, req->incremental.cursor, err));
    TRY(buf_append(sql, req->incremental.after ? STR(" > ") : STR(" >= "), err));
    TRY(buf_append(sql, STR(":neuron_cursor_from"), err));
    if (!req->incremental.nulls) return OK;
    TRY(buf_append(sql, STR(" OR "), err));
    TRY(sqlite_db_quote(sql, req->incremental.cursor, err));
    return buf_append(sql, STR(" IS NULL"), err);
}

/* SELECT * FROM (query) WHERE cursor >= :from ORDER BY nothing LIMIT n. */
static Status source_sql(const SqliteSource *self, Buf *sql, Err *err)
{
    const SourceReq *req = self->source.req;
    if (req->query.len && !req->incremental.cursor.len && !req->limits.rows_max) {
        return buf_append(sql, query_of(req), err);
    }
    TRY(buf_append(
        sql, req->places ? STR("SELECT rowid AS neuron_rowid, * FROM ") : STR("SELECT * FROM "),
        err));
    TRY(put_from(req, sql, err));
    TRY(put_condition(req, sql, err));
    if (!req->limits.rows_max) return OK;
    if (req->incremental.cursor.len) {
        TRY(buf_append(sql, STR(" ORDER BY "), err));
        TRY(sqlite_db_quote(sql, req->incremental.cursor, err));
    }
    return buf_printf(sql, err, " LIMIT %lld", (long long)req->limits.rows_max);
}

static Status bind_result(SqliteSource *self, int code, Err *err)
{
    return code == SQLITE_OK ? OK : sqlite_db_error(self->db, err);
}

static Status bind_text(SqliteSource *self, sqlite3_stmt *statement, int index, Str text, Err *err)
{
    return bind_result(self,
                       sqlite3_bind_text64(statement, index, text.ptr, (sqlite3_uint64)text.len,
                                           SQLITE_STATIC, SQLITE_UTF8),
                       err);
}

/* Bind text as what it reads like: an integer, a real number, or text. */
static Status bind_natural(SqliteSource *self, sqlite3_stmt *statement, int index, Str text,
                           Err *err)
{
    int64_t integer;
    double real;
    if (number_parse_int64(text, &integer) == NUMBER_OK) {
        return bind_result(self, sqlite3_bind_int64(statement, index, integer), err);
    }
    bool digit = text.len > 0 && text.ptr[text.len - 1] >= '0' && text.ptr[text.len - 1] <= '9';
    if (digit && number_parse_double(text, &real) == NUMBER_OK) {
        return bind_result(self, sqlite3_bind_double(statement, index, real), err);
    }
    return bind_text(self, statement, index, text, err);
}

/* A cursor's text as a value of its column's kind, where that is known. */
static Status bind_cursor(SqliteSource *self, sqlite3_stmt *statement, int index, Str text,
                          Err *err)
{
    bool is_text = self->highest.some && self->highest.type == TYPE_TEXT;
    return is_text ? bind_text(self, statement, index, text, err)
                   : bind_natural(self, statement, index, text, err);
}

static Status bind_param(SqliteSource *self, sqlite3_stmt *statement, int index,
                         const SourceParam *param, Err *err)
{
    if (param->null) return bind_result(self, sqlite3_bind_null(statement, index), err);
    if (param->type == TYPE_TEXT) return bind_text(self, statement, index, param->text, err);
    if (param->type == TYPE_BOOL) {
        bool value = str_eq(param->text, STR("true"));
        return bind_result(self, sqlite3_bind_int(statement, index, value), err);
    }
    return bind_natural(self, statement, index, param->text, err);
}

static Status bind_one(SqliteSource *self, sqlite3_stmt *statement, int index, Str name, Err *err)
{
    const SourceReq *req = self->source.req;
    if (str_eq(name, STR("neuron_cursor_from"))) {
        return bind_cursor(self, statement, index, req->incremental.from, err);
    }
    if (str_eq(name, STR("neuron_watermark"))) {
        return bind_cursor(self, statement, index, self->watermark, err);
    }
    for (int32_t i = 0; i < req->param_count; i++) {
        if (!str_eq(req->params[i].name, name)) continue;
        return bind_param(self, statement, index, &req->params[i], err);
    }
    (void)err_set(err, ERR_CONFIG, "the query's parameter :%.*s has no value", STR_ARG(name));
    return err_hint(err, "give it under `params:` or with --param %.*s=…", STR_ARG(name));
}

static Status source_bind(SqliteSource *self, sqlite3_stmt *statement, Err *err)
{
    int count = sqlite3_bind_parameter_count(statement);
    for (int i = 1; i <= count; i++) {
        Str name = str_from(sqlite3_bind_parameter_name(statement, i));
        if (name.len == 0) return err_set(err, ERR_CONFIG, "parameters must be named, like :day");
        TRY(bind_one(self, statement, i, str_slice(name, 1, name.len), err));
    }
    return OK;
}

/* ---- the schema ---- */

/* SELECT min and max of typeof, per column without a declared type, FROM the query. */
static Status seen_sql(const Field *fields, int count, Str query, Buf *sql, bool *ret_any, Err *err)
{
    *ret_any = false;
    for (int i = 0; i < count; i++) {
        if (fields[i].native.len) continue;
        TRY(buf_append(sql, *ret_any ? STR(", ") : STR("SELECT "), err));
        *ret_any = true;
        for (int k = 0; k < 2; k++) {
            TRY(buf_append(sql, k ? STR(", max(CASE WHEN ") : STR("min(CASE WHEN "), err));
            TRY(sqlite_db_quote(sql, fields[i].name, err));
            TRY(buf_append(sql, STR(" IS NOT NULL THEN typeof("), err));
            TRY(sqlite_db_quote(sql, fields[i].name, err));
            TRY(buf_append(sql, STR(") END)"), err));
        }
    }
    TRY(buf_append(sql, STR(" FROM ("), err));
    TRY(buf_append(sql, query, err));
    return buf_append(sql, STR("\n)"), err);
}

/* What expressions hold, and columns that were declared without a type: one storage class, or any.
 * The mark in front says that nobody declared it. */
static const char *seen_native(const char *least, const char *most)
{
    static const char *const CLASSES[][2] = {
        {"integer", "~INTEGER"}, {"real", "~REAL"}, {"text", "~TEXT"}, {"blob", "~BLOB"}};
    for (int i = 0; least && i < COUNT_OF(CLASSES) && strcmp(least, most) == 0; i++) {
        if (strcmp(least, CLASSES[i][0]) == 0) return CLASSES[i][1];
    }
    return "~ANY";
}

static Status seen_read(SqliteSource *self, sqlite3_stmt *seen, Field *fields, int count, Err *err)
{
    bool row = false;
    TRY(source_bind(self, seen, err));
    TRY(sqlite_db_step(self->db, seen, &row, err));
    for (int i = 0, at = 0; i < count && row; i++) {
        if (fields[i].native.len) continue;
        fields[i].native = str_from(seen_native((const char *)sqlite3_column_text(seen, at),
                                                (const char *)sqlite3_column_text(seen, at + 1)));
        at += 2;
    }
    return OK;
}

static Status seen_types(SqliteSource *self, Str query, Field *fields, int count, Err *err)
{
    CLEANUP(buf_done) Buf sql = buf_make(1 << 23);
    CLEANUP(sqlite_db_finalize_p) sqlite3_stmt *seen = NULL;
    bool any = false;
    TRY(seen_sql(fields, count, query, &sql, &any, err));
    if (!any) return OK;
    TRY(sqlite_db_prepare(self->db, buf_str(&sql), &seen, err));
    return seen_read(self, seen, fields, count, err);
}

static Status source_schema(SqliteSource *self, Str query, Err *err)
{
    int count = sqlite3_column_count(self->statement);
    if (count == 0) return err_set(err, ERR_CONFIG, "the query gives no columns");
    Field *fields = mem_array(count, (int64_t)sizeof *fields);
    self->logical = mem_array(count, (int64_t)sizeof *self->logical);
    if (!fields || !self->logical) {
        mem_free(fields);
        return err_memory(err);
    }
    for (int i = 0; i < count; i++) {
        Str declared = str_from(sqlite3_column_decltype(self->statement, i));
        fields[i] = (Field){.name = str_from(sqlite3_column_name(self->statement, i)),
                            .type = TYPE_DYNAMIC,
                            .native = declared};
        self->logical[i] = sqlite_logical(declared);
    }
    Status status = seen_types(self, query, fields, count, err);
    if (status == OK) status = schema_new(fields, count, false, &self->schema, err);
    mem_free(fields);
    return status;
}

static Status source_unique_names(const Schema *schema, Err *err)
{
    for (int32_t i = 0; i < schema->count; i++) {
        if (schema_find(schema, schema->fields[i].name) == i) continue;
        (void)err_set(err, ERR_CONFIG, "the query gives two columns named \"%.*s\"",
                      STR_ARG(schema->fields[i].name));
        return err_hint(err, "name one of them with AS");
    }
    return OK;
}

static Status source_cursor(SqliteSource *self, Err *err)
{
    const SourceReq *req = self->source.req;
    self->cursor = -1;
    if (req->incremental.cursor.len == 0) return OK;
    self->cursor = schema_find(self->schema, req->incremental.cursor);
    if (self->cursor >= 0) return OK;
    (void)err_set(err, ERR_CONFIG, "the cursor column \"%.*s\" is not in the query's result",
                  STR_ARG(req->incremental.cursor));
    Str near = schema_nearest(self->schema, req->incremental.cursor);
    if (near.len) return err_hint(err, "did you mean \"%.*s\"?", STR_ARG(near));
    return err_hint(err, "select the cursor column too");
}

/* Open the database and the statement once; describe and open share them. */
static Status source_prepare(SqliteSource *self, Err *err)
{
    if (self->statement) return OK;
    const SourceReq *req = self->source.req;
    TRY(sqlite_db_open(req->location->path, SQLITE_DB_READ, &self->db, err));
    CLEANUP(buf_done) Buf sql = buf_make(1 << 22);
    TRY(source_sql(self, &sql, err));
    TRY(sqlite_db_exec(self->db, "BEGIN", err));
    if (sqlite_db_prepare(self->db, buf_str(&sql), &self->statement, err) != OK) {
        return err_where(err, "%.*s", STR_ARG(req->table.len ? req->table : STR("query")));
    }
    if (!sqlite3_stmt_readonly(self->statement)) {
        return err_set(err, ERR_CONFIG, "the query must only read");
    }
    TRY(source_schema(self, buf_str(&sql), err));
    TRY(source_unique_names(self->schema, err));
    return source_cursor(self, err);
}

/* ---- the cursor ---- */

/* How many rows of the source meet a condition on the cursor: %s in it is the column. */
static Status count_rows(SqliteSource *self, const char *condition, int64_t *ret_count, Err *err)
{
    CLEANUP(buf_done) Buf sql = buf_make(1 << 22);
    CLEANUP(buf_done) Buf column = buf_make(1 << 20);
    CLEANUP(sqlite_db_finalize_p) sqlite3_stmt *statement = NULL;
    bool row = false;
    TRY(sqlite_db_quote(&column, self->source.req->incremental.cursor, err));
    TRY(buf_append(&sql, STR("SELECT count(*) FROM "), err));
    TRY(put_from(self->source.req, &sql, err));
    TRY(buf_append(&sql, STR(" WHERE "), err));
    for (const char *at = condition; *at; at++) {
        if (*at == '@') TRY(buf_append(&sql, buf_str(&column), err));
        else TRY(buf_append_char(&sql, *at, err));
    }
    TRY(sqlite_db_prepare(self->db, buf_str(&sql), &statement, err));
    TRY(source_bind(self, statement, err));
    TRY(sqlite_db_step(self->db, statement, &row, err));
    *ret_count = row ? sqlite3_column_int64(statement, 0) : 0;
    return OK;
}

/* The watermark's own kind is kept beside it: "2024" may be a number or a text. */
static Status watermark_load(SqliteSource *self, const Position *from, Err *err)
{
    JsonSlot root;
    TypeId type = TYPE_DYNAMIC;
    self->watermark = buf_str(&from->cursor);
    if (json_scan(buf_str(&from->samples), &root, NULL) && root.kind == JSON_OBJECT) {
        JsonSlot kind = json_get_key(&root, STR("kind"));
        if (str_eq(kind.text, STR("text"))) type = TYPE_TEXT;
    }
    return cursor_value_parse(&self->highest, type, self->watermark, err);
}

static Status sqlite_source_observe(Source *source, Position *position, Err *err)
{
    SqliteSource *self = (SqliteSource *)source;
    if (self->cursor < 0 || !self->highest.some) return OK;
    bool text = self->highest.type == TYPE_TEXT;
    return position_keep(&position->samples,
                         text ? STR("{\"kind\":\"text\"}") : STR("{\"kind\":\"number\"}"), err);
}

static Status order_hint(Err *err)
{
    return err_hint(err, "SQLite puts numbers before texts and texts in the order of their bytes: "
                         "write all values in one form, or bring them into one by a `query:`");
}

static Status refuse_order(const SqliteSource *self, int64_t rows, const char *what, Err *err)
{
    (void)err_set(err, ERR_DATA, "%lld %s %s in the cursor \"%.*s\": no run would read %s",
                  (long long)rows, rows == 1 ? "row has" : "rows have", what,
                  STR_ARG(self->source.req->incremental.cursor), rows == 1 ? "it" : "them");
    return order_hint(err);
}

/* A value of the other kind, or a time in another layout, has a place in the order where nobody
 * looks for it. */
static Status check_order(SqliteSource *self, Err *err)
{
    int64_t rows = 0;
    if (!self->highest.some) return OK;
    bool text = self->highest.type == TYPE_TEXT;
    TRY(count_rows(self, text ? "@ < '' OR @ >= x''" : "@ >= ''", &rows, err));
    if (rows) return refuse_order(self, rows, text ? "a number" : "a text", err);
    int32_t days = 0;
    if (!text || !datetime_parse_date(str_slice(self->watermark, 0, 10), &days)) return OK;
    TRY(count_rows(self,
                   "@ < :neuron_watermark AND (@ NOT GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-"
                   "[0-9][0-9]*' OR (substr(@, 1, 10) = substr(:neuron_watermark, 1, 10) AND "
                   "length(@) > 10 AND substr(@, 11, 1) <> substr(:neuron_watermark, 11, 1)))",
                   &rows, err));
    return rows ? refuse_order(self, rows, "a time in another layout", err) : OK;
}

static Status sqlite_source_describe(Source *source, SourceInfo *info, Err *err)
{
    SqliteSource *self = SOURCE_SELF(SqliteSource, SQLITE_SOURCE_OPS, source);
    TRY(source_prepare(self, err));
    info->schema = schema_ref(self->schema);
    info->rows_estimate = -1;
    info->bytes_estimate = -1;
    info->replayable = true;
    info->promise = STR("one snapshot of the database");
    bool counts = self->cursor >= 0 && !self->source.req->incremental.nulls;
    if (counts) TRY(count_rows(self, "@ IS NULL", &self->nulls, err));
    if (self->nulls) TRY(source_info_nulls(source, info, self->nulls, err));
    Str file = str_from(sqlite3_db_filename(self->db, "main"));
    TRY(arena_copy(&info->arena, file, &info->identity, err));
    return arena_copy(&info->arena, str_from(sqlite3_sql(self->statement)), &info->sql, err);
}

static Status sqlite_source_open(Source *source, const Position *from, Budget *budget, Err *err)
{
    SqliteSource *self = SOURCE_SELF(SqliteSource, SQLITE_SOURCE_OPS, source);
    TRY(source_prepare(self, err));
    self->budget = budget;
    if (self->nulls) return source_refuse_nulls(source, self->nulls, err);
    if (self->cursor >= 0 && from) TRY(watermark_load(self, from, err));
    if (self->cursor >= 0) TRY(check_order(self, err));
    return source_bind(self, self->statement, err);
}

static int32_t sqlite_source_parts(const Source *source UNUSED)
{
    return 1;
}

/* ---- rows ---- */

static Status read_text(SqliteSource *self, Builder *builder, int column, Err *err)
{
    const char *bytes = (const char *)sqlite3_column_text(self->statement, column);
    Str text = str_make(bytes, sqlite3_column_bytes(self->statement, column));
    if (!bytes && text.len) return err_memory(err);
    Builder *child = NULL;
    Decimal decimal;
    if (self->logical[column] == SQLITE_LOGICAL_DECIMAL &&
        decimal_parse(text, &decimal) == DECIMAL_OK) {
        TRY(builder_dynamic(builder, TYPE_NUMERIC, &child, err));
        return builder_numeric(child, decimal, err);
    }
    if (!str_is_utf8(text)) {
        (void)err_set(err, ERR_DATA, "row %lld: the text is not UTF-8",
                      (long long)self->ordinal + 1);
        return err_where(err, "column %.*s", STR_ARG(self->schema->fields[column].name));
    }
    bool json = self->logical[column] == SQLITE_LOGICAL_JSON && text.len &&
                (text.ptr[0] == '{' || text.ptr[0] == '[');
    TRY(builder_dynamic(builder, json ? TYPE_JSON : TYPE_TEXT, &child, err));
    return builder_text(child, text, err);
}

static Status read_integer(SqliteSource *self, Builder *builder, int column, Err *err)
{
    int64_t value = sqlite3_column_int64(self->statement, column);
    bool boolean = self->logical[column] == SQLITE_LOGICAL_BOOLEAN && (value & ~INT64_C(1)) == 0;
    Builder *child = NULL;
    TRY(builder_dynamic(builder, boolean ? TYPE_BOOL : TYPE_INT64, &child, err));
    return boolean ? builder_bool(child, value != 0, err) : builder_int64(child, value, err);
}

static Status read_value(SqliteSource *self, Builder *builder, int column, Err *err)
{
    Builder *child = NULL;
    switch (sqlite3_column_type(self->statement, column)) {
    case SQLITE_INTEGER:
        return read_integer(self, builder, column, err);
    case SQLITE_FLOAT:
        TRY(builder_dynamic(builder, TYPE_DOUBLE, &child, err));
        return builder_double(child, sqlite3_column_double(self->statement, column), err);
    case SQLITE_TEXT:
        return read_text(self, builder, column, err);
    case SQLITE_BLOB: {
        const char *bytes = sqlite3_column_blob(self->statement, column);
        TRY(builder_dynamic(builder, TYPE_BYTES, &child, err));
        return builder_text(child, str_make(bytes, sqlite3_column_bytes(self->statement, column)),
                            err);
    }
    default:
        return builder_null(builder, err);
    }
}

static int64_t row_bytes(sqlite3_stmt *statement, int count)
{
    int64_t bytes = 0;
    for (int i = 0; i < count; i++) {
        int type = sqlite3_column_type(statement, i);
        bool sized = type == SQLITE_TEXT || type == SQLITE_BLOB;
        bytes += sized ? sqlite3_column_bytes(statement, i) : 8;
    }
    return bytes;
}

static Status read_rows(SqliteSource *self, Builder *builders, int64_t *ret_rows,
                        int64_t *ret_bytes, Err *err)
{
    int64_t rows = 0, bytes = 0;
    while (rows < SQLITE_BATCH_ROWS && bytes < SQLITE_BATCH_BYTES && !self->end) {
        bool row = false;
        TRY(sqlite_db_step(self->db, self->statement, &row, err));
        if (!row) {
            self->end = true;
            break;
        }
        for (int i = 0; i < self->schema->count; i++) {
            TRY(read_value(self, &builders[i], i, err));
        }
        bytes += row_bytes(self->statement, self->schema->count);
        rows++;
        self->ordinal++;
    }
    *ret_rows = rows;
    *ret_bytes = bytes;
    return OK;
}

static Status note_cursor(SqliteSource *self, Batch *batch, Err *err)
{
    CLEANUP(buf_done) Buf text = buf_make(1 << 20);
    if (cursor_value_note(&self->highest, &batch->columns[self->cursor], NULL, err) != OK) {
        (void)err_where(err, "column %.*s", STR_ARG(self->source.req->incremental.cursor));
        return order_hint(err);
    }
    TRY(cursor_value_format(&self->highest, &text, err));
    return arena_copy(&batch->arena, buf_str(&text), &batch->span.cursor, err);
}

static Status read_batch(SqliteSource *self, Builder *builders, Batch **ret_batch, Err *err)
{
    int64_t rows = 0, bytes = 0;
    int64_t first = self->ordinal;
    TRY(read_rows(self, builders, &rows, &bytes, err));
    *ret_batch = NULL;
    if (rows == 0) return OK;
    CLEANUP(batch_unref_p) Batch *batch = NULL;
    TRY(batch_new(self->schema, &batch, err));
    for (int i = 0; i < self->schema->count; i++) {
        TRY(builder_finish(&builders[i], &batch->columns[i], err));
    }
    batch->rows = rows;
    batch->seq = self->seq++;
    batch->span = (Span){.first = first, .next = self->ordinal, .bytes = bytes};
    if (self->cursor >= 0) TRY(note_cursor(self, batch, err));
    *ret_batch = TAKE(batch);
    return OK;
}

static Status sqlite_source_next(Source *source, int32_t part UNUSED, int64_t deadline_ns UNUSED,
                                 SourceEvent *ret_event, Err *err)
{
    SqliteSource *self = SOURCE_SELF(SqliteSource, SQLITE_SOURCE_OPS, source);
    Builder *builders = mem_array(self->schema->count, (int64_t)sizeof *builders);
    if (!builders) return err_memory(err);
    for (int i = 0; i < self->schema->count; i++) {
        builder_init(&builders[i], TYPE_DYNAMIC, self->budget);
    }
    Batch *batch = NULL;
    Status status = read_batch(self, builders, &batch, err);
    for (int i = 0; i < self->schema->count; i++) builder_done(&builders[i]);
    mem_free(builders);
    if (status != OK) return err_prefix(err, "read: ");
    *ret_event = (SourceEvent){.kind = batch ? SOURCE_BATCH : SOURCE_END, .batch = batch};
    return OK;
}

static void sqlite_source_cancel(Source *source)
{
    SqliteSource *self = SOURCE_SELF(SqliteSource, SQLITE_SOURCE_OPS, source);
    if (self->db) sqlite3_interrupt(self->db);
}

static void sqlite_source_close(Source *source)
{
    SqliteSource *self = SOURCE_SELF(SqliteSource, SQLITE_SOURCE_OPS, source);
    sqlite3_finalize(self->statement);
    if (self->db) sqlite_db_close(self->db);
    schema_unref(self->schema);
    cursor_value_done(&self->highest);
    mem_free(self->logical);
    mem_free(self);
}

static const SourceOps SQLITE_SOURCE_OPS = {
    .describe = sqlite_source_describe,
    .open = sqlite_source_open,
    .parts = sqlite_source_parts,
    .observe = sqlite_source_observe,
    .next = sqlite_source_next,
    .cancel = sqlite_source_cancel,
    .close = sqlite_source_close,
};

Status sqlite_source_new(const SourceReq *req, Source **ret_source, Err *err)
{
    if (req->open) return err_set(err, ERR_CONFIG, "sqlite gives columns, not JSON objects");
    SqliteSource *self = mem_zalloc((int64_t)sizeof *self);
    if (!self) return err_memory(err);
    self->source = (Source){.ops = &SQLITE_SOURCE_OPS, .req = req};
    *ret_source = &self->source;
    return OK;
}
