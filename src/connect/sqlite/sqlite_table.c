/* Target tables in SQLite: looked at, created, given new columns. */
#include "connect/sqlite/sqlite_sink.h"
#include "foundation/base/mem.h"

void sqlite_table_done(SqliteTable *table)
{
    sqlite3_finalize(table->insert);
    schema_unref(table->schema);
    buf_done(&table->name);
    mem_free(table->new_columns);
    mem_free(table->affinity);
    *table = (SqliteTable){.name = buf_make(4096), .unique = true, .conflict = ""};
}

static Status pragma_begin(SqliteSink *self, Str table, const char *pragma, Err *err)
{
    int64_t dot = str_find_char(table, '.');
    Str schema = dot < 0 ? STR("main") : str_slice(table, 0, dot);
    buf_clear(&self->core.sql);
    TRY(buf_append(&self->core.sql, STR("PRAGMA "), err));
    TRY(sqlite_db_quote(&self->core.sql, schema, err));
    return buf_append(&self->core.sql, str_from(pragma), err);
}

/* A number that each change of the schema makes another one. */
static Status schema_version(SqliteSink *self, Str table, int64_t *ret_version, Err *err)
{
    TRY(pragma_begin(self, table, ".schema_version", err));
    return sqlite_db_int64(self->db, buf_str(&self->core.sql), ret_version, err);
}

static Status pragma_columns(SqliteSink *self, Str table, sqlite3_stmt **ret_statement, Err *err)
{
    int64_t dot = str_find_char(table, '.');
    Str name = str_slice(table, dot + 1, table.len);
    TRY(pragma_begin(self, table, ".table_xinfo(", err));
    TRY(sqlite_db_quote(&self->core.sql, name, err));
    TRY(buf_append(&self->core.sql, STR(")"), err));
    return sqlite_db_prepare(self->db, buf_str(&self->core.sql), ret_statement, err);
}

/* Affinities of the columns that are there already. */
static Status inspect_columns(SqliteSink *self, SqliteTable *table, bool *found, Err *err)
{
    CLEANUP(sqlite_db_finalize_p) sqlite3_stmt *columns = NULL;
    TRY(pragma_columns(self, buf_str(&table->name), &columns, err));
    bool row = false;
    TRY(sqlite_db_step(self->db, columns, &row, err));
    while (row) {
        Str name = str_from((const char *)sqlite3_column_text(columns, 1));
        Str declared = str_from((const char *)sqlite3_column_text(columns, 2));
        for (int32_t i = 0; i < table->schema->count; i++) {
            Str ours = table->schema->fields[i].name;
            bool near = table_names_near(ours, name), same = str_eq_nocase(ours, name);
            if (near && !same) return table_column_near(&table->name, ours, name, err);
            if (!same) continue;
            found[i] = true;
            table->affinity[i] = sqlite_affinity(declared);
        }
        TRY(sqlite_db_step(self->db, columns, &row, err));
    }
    return OK;
}

static Status find_references(SqliteSink *self, SqliteTable *table, Err *err)
{
    Str text = buf_str(&table->name);
    Str name = str_slice(text, str_find_char(text, '.') + 1, text.len);
    CLEANUP(sqlite_db_finalize_p) sqlite3_stmt *statement = NULL;
    TRY(sqlite_db_prepare(
        self->db,
        STR("SELECT 1 FROM sqlite_master AS m, pragma_foreign_key_list(m.name) AS f"
            " WHERE m.type = 'table' AND m.name <> ?1 COLLATE NOCASE"
            " AND f.\"table\" = ?1 COLLATE NOCASE"),
        &statement, err));
    (void)sqlite3_bind_text64(statement, 1, name.ptr, (sqlite3_uint64)name.len, SQLITE_STATIC,
                              SQLITE_UTF8);
    return sqlite_db_step(self->db, statement, &table->referred, err);
}

static Status new_column_affinity(SqliteTable *table, int32_t i, Err *err)
{
    CLEANUP(buf_done) Buf declared = buf_make(4096);
    TRY(sqlite_declared_type(&table->schema->fields[i], &declared, err));
    table->affinity[i] = sqlite_affinity(buf_str(&declared));
    table->new_columns[table->new_count++] = i;
    return OK;
}

Status sqlite_table_inspect(SqliteSink *self, SqliteTable *table, Str name, const Schema *schema,
                            bool create, bool evolve, Err *err)
{
    sqlite_table_done(table);
    table->schema = schema_ref(schema);
    TRY(buf_append(&table->name, name, err));
    table->affinity = mem_array(schema->count, (int64_t)sizeof *table->affinity);
    table->new_columns = mem_array(schema->count, (int64_t)sizeof *table->new_columns);
    bool *found = mem_array(schema->count, (int64_t)sizeof *found);
    if (!table->affinity || !table->new_columns || !found) {
        mem_free(found);
        return err_memory(err);
    }
    Status status = schema_version(self, name, &table->version, err);
    if (status == OK) status = sqlite_db_has_table(self->db, name, &table->exists, err);
    if (status == OK && table->exists) status = inspect_columns(self, table, found, err);
    if (status == OK && table->exists) status = find_references(self, table, err);
    if (status == OK && table->exists) status = sqlite_look(self, table, err);
    if (status == OK && !table->exists && !create) status = table_missing(name, err);
    for (int32_t i = 0; i < schema->count && status == OK; i++) {
        if (found[i]) continue;
        status = new_column_affinity(table, i, err);
        if (status == OK && table->exists && !evolve) {
            status = table_column_missing(name, schema->fields[i].name, err);
        }
    }
    mem_free(found);
    return status;
}

Status sqlite_sink_look(SqliteSink *self, Str name, const Schema *schema, Err *err)
{
    const SinkReq *req = self->core.sink.req;
    TRY(table_check_key(req, schema, err));
    TRY(sqlite_table_inspect(self, &self->out, name, schema, req->create, req->evolve, err));
    table_decide(&self->core, self->out.referred);
    /* What is judged at COMMIT is judged while a refused row can still be found. */
    self->core.plan.staged = self->core.plan.staged || (req->reject.wanted && self->out.deferrable);
    return sqlite_merge_describe(self, err);
}

Status sqlite_table_renew(SqliteSink *self, SqliteTable *table, Err *err)
{
    bool has = false;
    int64_t version = 0;
    TRY(schema_version(self, buf_str(&table->name), &version, err));
    if (version == table->version) return OK;
    TRY(sqlite_db_has_table(self->db, buf_str(&table->name), &has, err));
    if (table->exists && !has) return table_dropped(buf_str(&table->name), err);
    CLEANUP(schema_unref_p) Schema *schema = schema_ref(table->schema);
    CLEANUP(buf_done) Buf name = buf_make(4096);
    TRY(buf_append(&name, buf_str(&table->name), err));
    Status status = table == &self->out ? sqlite_sink_look(self, buf_str(&name), schema, err)
                                        : sqlite_table_inspect(self, table, buf_str(&name), schema,
                                                               true, true, err);
    return status == OK ? OK : err_prefix(err, "the target was altered meanwhile: ");
}

static bool is_key(const SqliteSink *self, Str name)
{
    for (int32_t i = 0; i < self->core.sink.req->key_count; i++) {
        if (str_eq(self->core.sink.req->key[i], name)) return true;
    }
    return false;
}

static Status column_definition(const SqliteSink *self, const SqliteTable *table,
                                const Field *field, Buf *sql, Err *err)
{
    TRY(sqlite_db_quote(sql, field->name, err));
    int64_t before = sql->len;
    TRY(buf_append_char(sql, ' ', err));
    TRY(sqlite_declared_type(field, sql, err));
    if (sql->len == before + 1) sql->len = before;
    bool key = table == &self->out && is_key(self, field->name);
    return key ? buf_append(sql, STR(" NOT NULL"), err) : OK;
}

/* PRIMARY KEY over the key columns; the reject table's is what makes repeating harmless. */
static Status primary_key(const SqliteSink *self, const SqliteTable *table, Buf *sql, Err *err)
{
    if (table != &self->out) return OK;
    const SinkReq *req = self->core.sink.req;
    for (int32_t i = 0; i < req->key_count; i++) {
        TRY(buf_append(sql, i ? STR(", ") : STR(", PRIMARY KEY ("), err));
        TRY(sqlite_db_quote(sql, req->key[i], err));
    }
    return req->key_count ? buf_append_char(sql, ')', err) : OK;
}

static Status create_table(const SqliteSink *self, const SqliteTable *table, Buf *sql, Err *err)
{
    TRY(buf_append(sql, STR("CREATE TABLE "), err));
    TRY(sqlite_db_quote_table(sql, buf_str(&table->name), err));
    for (int32_t i = 0; i < table->schema->count; i++) {
        TRY(buf_append(sql, i ? STR(", ") : STR(" ("), err));
        TRY(column_definition(self, table, &table->schema->fields[i], sql, err));
    }
    TRY(primary_key(self, table, sql, err));
    return buf_append_char(sql, ')', err);
}

Status sqlite_table_ddl(const SqliteSink *self, const SqliteTable *table,
                        Status (*each)(void *arg, Str sql, Err *err), void *arg, Err *err)
{
    CLEANUP(buf_done) Buf sql = buf_make(SQLITE_SQL_MAX);
    if (!table->exists) {
        TRY(create_table(self, table, &sql, err));
        return each(arg, buf_str(&sql), err);
    }
    for (int32_t i = 0; i < table->new_count; i++) {
        const Field *field = &table->schema->fields[table->new_columns[i]];
        buf_clear(&sql);
        TRY(buf_append(&sql, STR("ALTER TABLE "), err));
        TRY(sqlite_db_quote_table(&sql, buf_str(&table->name), err));
        TRY(buf_append(&sql, STR(" ADD COLUMN "), err));
        TRY(sqlite_db_quote(&sql, field->name, err));
        TRY(buf_append_char(&sql, ' ', err));
        TRY(sqlite_declared_type(field, &sql, err));
        TRY(each(arg, buf_str(&sql), err));
    }
    return OK;
}

static Status run_ddl(void *arg, Str sql, Err *err)
{
    SqliteSink *self = arg;
    CLEANUP(sqlite_db_finalize_p) sqlite3_stmt *statement = NULL;
    TRY(sqlite_db_prepare(self->db, sql, &statement, err));
    bool row = false;
    return sqlite_db_step(self->db, statement, &row, err);
}

Status sqlite_table_prepare(SqliteSink *self, SqliteTable *table, Err *err)
{
    return sqlite_table_ddl(self, table, run_ddl, self, err);
}
