/* Reads a table or query of a SQLite database, in one snapshot, as columns of dynamic values. */
#include <stdatomic.h>
#include <stdlib.h>

#include "connect/sqlite/sqlite_impl.h"
#include "engine/column/builder.h"
#include "foundation/base/mem.h"
#include "foundation/base/number.h"

enum { SQLITE_BATCH_ROWS = 8192, SQLITE_BATCH_BYTES = 1 << 20 };

typedef struct SqliteSource {
    Source source;
    sqlite3 *db;
    sqlite3_stmt *statement;
    Schema *schema;
    SqliteLogical *logical; /* per column */
    Budget *budget;
    int32_t cursor;  /* column index, -1: none */
    Buf cursor_max;  /* the highest so far, as text */
    int cursor_type; /* SQLITE_INTEGER… of cursor_max */
    int64_t ordinal, seq;
    bool end;
} SqliteSource;

static const SourceOps SQLITE_SOURCE_OPS;

/* ---- the statement ---- */

/* SELECT * FROM (query) WHERE cursor >= :from ORDER BY nothing LIMIT n. */
static Status source_sql(const SqliteSource *self, Buf *sql, Err *err)
{
    const SourceReq *req = self->source.req;
    TRY(buf_append(
        sql, req->places ? STR("SELECT rowid AS neuron_rowid, * FROM ") : STR("SELECT * FROM "),
        err));
    if (req->query.len) {
        Str query = str_trim(req->query);
        while (str_ends(query, STR(";"))) query = str_trim(str_slice(query, 0, query.len - 1));
        if (!req->cursor.len && !req->rows_max) {
            buf_clear(sql);
            return buf_append(sql, query, err);
        }
        TRY(buf_printf(sql, err, "("));
        TRY(buf_append(sql, query, err));
        TRY(buf_append(sql, STR("\n)"), err));
    } else {
        TRY(sqlite_db_quote_table(sql, req->table, err));
    }
    if (req->cursor.len && req->cursor_from.len) {
        TRY(buf_append(sql, STR(" WHERE "), err));
        TRY(sqlite_db_quote(sql, req->cursor, err));
        TRY(buf_append(sql, req->cursor_inclusive ? STR(" >= ") : STR(" > "), err));
        TRY(buf_append(sql, STR(":neuron_cursor_from"), err));
    }
    if (!req->rows_max) return OK;
    if (req->cursor.len) {
        TRY(buf_append(sql, STR(" ORDER BY "), err));
        TRY(sqlite_db_quote(sql, req->cursor, err));
    }
    return buf_printf(sql, err, " LIMIT %lld", (long long)req->rows_max);
}

static Status bind_result(SqliteSource *self, int code, Err *err)
{
    return code == SQLITE_OK ? OK : sqlite_db_error(self->db, err);
}

/* Bind text as what it reads like: an integer, a real number, or text. */
static Status bind_natural(SqliteSource *self, int index, Str text, Err *err)
{
    int64_t integer;
    double real;
    if (number_parse_int64(text, &integer) == NUMBER_OK) {
        return bind_result(self, sqlite3_bind_int64(self->statement, index, integer), err);
    }
    bool digit = text.len > 0 && text.ptr[text.len - 1] >= '0' && text.ptr[text.len - 1] <= '9';
    if (digit && number_parse_double(text, &real) == NUMBER_OK) {
        return bind_result(self, sqlite3_bind_double(self->statement, index, real), err);
    }
    return bind_result(self,
                       sqlite3_bind_text64(self->statement, index, text.ptr,
                                           (sqlite3_uint64)text.len, SQLITE_STATIC, SQLITE_UTF8),
                       err);
}

static Status bind_param(SqliteSource *self, int index, const SourceParam *param, Err *err)
{
    if (param->null) return bind_result(self, sqlite3_bind_null(self->statement, index), err);
    if (param->type == TYPE_TEXT) {
        return bind_result(self,
                           sqlite3_bind_text64(self->statement, index, param->text.ptr,
                                               (sqlite3_uint64)param->text.len, SQLITE_STATIC,
                                               SQLITE_UTF8),
                           err);
    }
    if (param->type == TYPE_BOOL) {
        bool value = str_eq(param->text, STR("true"));
        return bind_result(self, sqlite3_bind_int(self->statement, index, value), err);
    }
    return bind_natural(self, index, param->text, err);
}

static Status source_bind(SqliteSource *self, Err *err)
{
    const SourceReq *req = self->source.req;
    int count = sqlite3_bind_parameter_count(self->statement);
    for (int i = 1; i <= count; i++) {
        Str name = str_from(sqlite3_bind_parameter_name(self->statement, i));
        if (name.len == 0) return err_set(err, ERR_CONFIG, "parameters must be named, like :day");
        name = str_slice(name, 1, name.len);
        if (str_eq(name, STR("neuron_cursor_from"))) {
            TRY(bind_natural(self, i, req->cursor_from, err));
            continue;
        }
        int32_t at = 0;
        while (at < req->param_count && !str_eq(req->params[at].name, name)) at++;
        if (at == req->param_count) {
            (void)err_set(err, ERR_CONFIG, "the query's parameter :%.*s has no value",
                          STR_ARG(name));
            return err_hint(err, "give it under `params:` or with --param %.*s=…", STR_ARG(name));
        }
        TRY(bind_param(self, i, &req->params[at], err));
    }
    return OK;
}

/* ---- the schema ---- */

static Status source_schema(SqliteSource *self, Err *err)
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
    Status status = schema_new(fields, count, false, &self->schema, err);
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
    if (req->cursor.len == 0) return OK;
    self->cursor = schema_find(self->schema, req->cursor);
    if (self->cursor >= 0) return OK;
    (void)err_set(err, ERR_CONFIG, "the cursor column \"%.*s\" is not in the query's result",
                  STR_ARG(req->cursor));
    Str near = schema_nearest(self->schema, req->cursor);
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
    TRY(source_schema(self, err));
    TRY(source_unique_names(self->schema, err));
    return source_cursor(self, err);
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
    return arena_copy(&info->arena, str_from(sqlite3_sql(self->statement)), &info->sql, err);
}

/* The watermark never goes back: the highest cursor starts at the one that is committed. */
static Status cursor_start(SqliteSource *self, const Position *from, Err *err)
{
    if (self->cursor < 0 || !from || from->cursor.len == 0) return OK;
    Str text = buf_str(&from->cursor);
    int64_t integer;
    double real;
    bool number = number_parse_double(text, &real) == NUMBER_OK;
    self->cursor_type = number_parse_int64(text, &integer) == NUMBER_OK ? SQLITE_INTEGER
                        : number                                        ? SQLITE_FLOAT
                                                                        : SQLITE_TEXT;
    buf_clear(&self->cursor_max);
    return buf_append(&self->cursor_max, text, err);
}

static Status sqlite_source_open(Source *source, const Position *from, Budget *budget, Err *err)
{
    SqliteSource *self = SOURCE_SELF(SqliteSource, SQLITE_SOURCE_OPS, source);
    TRY(source_prepare(self, err));
    self->budget = budget;
    TRY(cursor_start(self, from, err));
    return source_bind(self, err);
}

static int32_t sqlite_source_parts(const Source *source UNUSED)
{
    return 1;
}

/* ---- rows ---- */

/* Keep the highest cursor: SQLite's order of storage classes, numbers by value, text by bytes. */
static Status note_cursor(SqliteSource *self, Err *err)
{
    int type = sqlite3_column_type(self->statement, self->cursor);
    if (type == SQLITE_NULL) return OK;
    bool number = type == SQLITE_INTEGER || type == SQLITE_FLOAT;
    bool max_number = self->cursor_type == SQLITE_INTEGER || self->cursor_type == SQLITE_FLOAT;
    bool higher = self->cursor_max.len == 0 || (!number && max_number);
    if (type == SQLITE_INTEGER && self->cursor_type == SQLITE_INTEGER) {
        int64_t max = 0;
        (void)number_parse_int64(buf_str(&self->cursor_max), &max);
        higher = sqlite3_column_int64(self->statement, self->cursor) > max;
    } else if (number && max_number && self->cursor_max.len) {
        double max = 0;
        (void)number_parse_double(buf_str(&self->cursor_max), &max);
        higher = sqlite3_column_double(self->statement, self->cursor) > max;
    }
    if (number && !higher) return OK;
    const char *bytes = (const char *)sqlite3_column_text(self->statement, self->cursor);
    Str text = str_make(bytes, sqlite3_column_bytes(self->statement, self->cursor));
    if (!number && !max_number && self->cursor_max.len) {
        higher = str_compare(text, buf_str(&self->cursor_max)) > 0;
    }
    if (!higher) return OK;
    self->cursor_type = type;
    buf_clear(&self->cursor_max);
    if (type != SQLITE_FLOAT) return buf_append(&self->cursor_max, text, err);
    /* SQLite's own text of a real has 15 digits; the watermark keeps all of them. */
    char digits[NUMBER_TEXT_MAX];
    double value = sqlite3_column_double(self->statement, self->cursor);
    return buf_append(&self->cursor_max, str_make(digits, number_format_double(value, digits)),
                      err);
}

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
        if (self->cursor >= 0) TRY(note_cursor(self, err));
        bytes += row_bytes(self->statement, self->schema->count);
        rows++;
        self->ordinal++;
    }
    *ret_rows = rows;
    *ret_bytes = bytes;
    return OK;
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
    TRY(arena_copy(&batch->arena, buf_str(&self->cursor_max), &batch->span.cursor, err));
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
    buf_done(&self->cursor_max);
    mem_free(self->logical);
    mem_free(self);
}

static const SourceOps SQLITE_SOURCE_OPS = {
    .describe = sqlite_source_describe,
    .open = sqlite_source_open,
    .parts = sqlite_source_parts,
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
    self->cursor_max = buf_make(1 << 20);
    *ret_source = &self->source;
    return OK;
}
