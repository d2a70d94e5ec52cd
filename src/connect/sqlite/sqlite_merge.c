/* Merges staged rows into the target: last row of a key wins, equal rows are not written. */
#include "connect/sqlite/sqlite_sink.h"

/* One statement of the merge; s is the stage, t the target. */
typedef enum MergePart { MERGE_INDEX, MERGE_SUPERSEDE, MERGE_UPDATE, MERGE_INSERT } MergePart;

static bool in_list(Str name, const Str *list, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        if (str_eq(list[i], name)) return true;
    }
    return false;
}

static bool is_key(const SqliteSink *self, const Field *field)
{
    return in_list(field->name, self->sink.req->key, self->sink.req->key_count);
}

static bool is_compared(const SqliteSink *self, const Field *field)
{
    const SinkReq *req = self->sink.req;
    return !is_key(self, field) && !in_list(field->name, req->ignore_for_change, req->ignore_count);
}

/* sep-joined list of the columns that `wanted` (NULL: all), each as prefix + name. */
static Status put_columns(const SqliteSink *self, Buf *sql, const char *prefix,
                          bool (*wanted)(const SqliteSink *, const Field *), Err *err)
{
    bool first = true;
    for (int32_t i = 0; i < self->out.schema->count; i++) {
        const Field *field = &self->out.schema->fields[i];
        if (wanted && !wanted(self, field)) continue;
        if (!first) TRY(buf_append(sql, STR(", "), err));
        TRY(buf_append(sql, str_from(prefix), err));
        TRY(sqlite_db_quote(sql, field->name, err));
        first = false;
    }
    return OK;
}

static Status put_key_match(const SqliteSink *self, Buf *sql, Err *err)
{
    const SinkReq *req = self->sink.req;
    for (int32_t i = 0; i < req->key_count; i++) {
        TRY(buf_append(sql, i ? STR(" AND t.") : STR("t."), err));
        TRY(sqlite_db_quote(sql, req->key[i], err));
        TRY(buf_append(sql, STR(" = s."), err));
        TRY(sqlite_db_quote(sql, req->key[i], err));
    }
    return OK;
}

static Status put_index(const SqliteSink *self, Buf *sql, Err *err)
{
    TRY(buf_append(sql, STR("CREATE INDEX temp.neuron_stage_key ON neuron_stage ("), err));
    TRY(put_columns(self, sql, "", is_key, err));
    return buf_append_char(sql, ')', err);
}

static Status put_supersede(const SqliteSink *self, Buf *sql, Err *err)
{
    TRY(buf_append(sql,
                   STR("DELETE FROM temp.neuron_stage WHERE neuron_ord IN (SELECT neuron_ord FROM"
                       " (SELECT neuron_ord, row_number() OVER (PARTITION BY "),
                   err));
    TRY(put_columns(self, sql, "", is_key, err));
    TRY(buf_append(sql, STR(" ORDER BY "), err));
    Str cursor = self->sink.req->cursor;
    if (cursor.len && schema_find(self->out.schema, cursor) >= 0) {
        TRY(sqlite_db_quote(sql, cursor, err));
        TRY(buf_append(sql, STR(" DESC, "), err));
    }
    return buf_append(sql, STR("neuron_ord DESC) AS n FROM temp.neuron_stage) WHERE n > 1)"), err);
}

/* SET a = s.a, … of every column but the key. */
static Status put_assignments(const SqliteSink *self, Buf *sql, Err *err)
{
    bool first = true;
    for (int32_t i = 0; i < self->out.schema->count; i++) {
        const Field *field = &self->out.schema->fields[i];
        if (is_key(self, field)) continue;
        if (!first) TRY(buf_append(sql, STR(", "), err));
        TRY(sqlite_db_quote(sql, field->name, err));
        TRY(buf_append(sql, STR(" = s."), err));
        TRY(sqlite_db_quote(sql, field->name, err));
        first = false;
    }
    return OK;
}

static Status put_update(const SqliteSink *self, Buf *sql, Err *err)
{
    TRY(buf_append(sql, STR("UPDATE "), err));
    TRY(sqlite_db_quote_table(sql, buf_str(&self->out.name), err));
    TRY(buf_append(sql, STR(" AS t SET "), err));
    TRY(put_assignments(self, sql, err));
    TRY(buf_append(sql, STR(" FROM temp.neuron_stage AS s WHERE "), err));
    TRY(put_key_match(self, sql, err));
    TRY(buf_append(sql, STR(" AND s.neuron_ord BETWEEN ?1 AND ?2 AND (("), err));
    TRY(put_columns(self, sql, "t.", is_compared, err));
    TRY(buf_append(sql, STR(") IS NOT ("), err));
    TRY(put_columns(self, sql, "s.", is_compared, err));
    return buf_append(sql, STR("))"), err);
}

static Status put_insert(const SqliteSink *self, Buf *sql, Err *err)
{
    TRY(buf_append(sql, STR("INSERT INTO "), err));
    TRY(sqlite_db_quote_table(sql, buf_str(&self->out.name), err));
    TRY(buf_append(sql, STR(" ("), err));
    TRY(put_columns(self, sql, "", NULL, err));
    TRY(buf_append(sql, STR(") SELECT "), err));
    TRY(put_columns(self, sql, "s.", NULL, err));
    TRY(buf_append(sql, STR(" FROM temp.neuron_stage AS s WHERE s.neuron_ord BETWEEN ?1 AND ?2"),
                   err));
    if (!self->keyed) return OK;
    TRY(buf_append(sql, STR(" AND NOT EXISTS (SELECT 1 FROM "), err));
    TRY(sqlite_db_quote_table(sql, buf_str(&self->out.name), err));
    TRY(buf_append(sql, STR(" AS t WHERE "), err));
    TRY(put_key_match(self, sql, err));
    return buf_append(sql, STR(")"), err);
}

static Status put_delete(const SqliteSink *self, bool count, Buf *sql, Err *err)
{
    TRY(buf_append(sql, count ? STR("SELECT count(*) FROM ") : STR("DELETE FROM "), err));
    TRY(sqlite_db_quote_table(sql, buf_str(&self->out.name), err));
    TRY(buf_append(sql, STR(" AS t WHERE NOT EXISTS (SELECT 1 FROM temp.neuron_stage AS s WHERE "),
                   err));
    TRY(put_key_match(self, sql, err));
    return buf_append(sql, STR(")"), err);
}

static bool has_compared(const SqliteSink *self)
{
    if (!self->keyed || self->sink.req->mode == SINK_APPEND) return false;
    for (int32_t i = 0; i < self->out.schema->count; i++) {
        if (is_compared(self, &self->out.schema->fields[i])) return true;
    }
    return false;
}

static Status merge_text(const SqliteSink *self, MergePart part, Buf *sql, Err *err)
{
    buf_clear(sql);
    switch (part) {
    case MERGE_INDEX:
        return put_index(self, sql, err);
    case MERGE_SUPERSEDE:
        return put_supersede(self, sql, err);
    case MERGE_UPDATE:
        return put_update(self, sql, err);
    case MERGE_INSERT:
        return put_insert(self, sql, err);
    }
    return OK;
}

static bool part_runs(const SqliteSink *self, MergePart part)
{
    if (part == MERGE_UPDATE) return has_compared(self);
    return part == MERGE_INSERT || self->keyed;
}

Status sqlite_merge_sql(const SqliteSink *self, SinkPlan *plan, Err *err)
{
    CLEANUP(buf_done) Buf sql = buf_make(SQLITE_SQL_MAX);
    for (MergePart part = MERGE_INDEX; part <= MERGE_INSERT; part++) {
        if (!part_runs(self, part)) continue;
        TRY(merge_text(self, part, &sql, err));
        TRY(sink_plan_add(plan, PLAN_SQL, err, "%.*s", (int)sql.len, sql.data));
    }
    if (!self->deletes) return OK;
    buf_clear(&sql);
    TRY(put_delete(self, false, &sql, err));
    return sink_plan_add(plan, PLAN_SQL, err, "%.*s", (int)sql.len, sql.data);
}

/* Run a statement without results; *ret_changes rows were written. */
static Status run(SqliteSink *self, Str sql, int64_t *ret_changes, Err *err)
{
    CLEANUP(sqlite_db_finalize_p) sqlite3_stmt *statement = NULL;
    TRY(sqlite_db_prepare(self->db, sql, &statement, err));
    bool row = false;
    TRY(sqlite_db_step(self->db, statement, &row, err));
    *ret_changes = sqlite3_changes64(self->db);
    return OK;
}

static Status run_range(SqliteSink *self, sqlite3_stmt *statement, int64_t from, int64_t to,
                        int64_t *ret_changes, Err *err)
{
    *ret_changes = 0;
    if (!statement) return OK;
    (void)sqlite3_bind_int64(statement, 1, from);
    (void)sqlite3_bind_int64(statement, 2, to);
    bool row = false;
    Status status = sqlite_db_step(self->db, statement, &row, err);
    if (status == OK) *ret_changes = sqlite3_changes64(self->db);
    (void)sqlite3_reset(statement);
    return status;
}

typedef struct Merge {
    SqliteSink *self;
    sqlite3_stmt *update, *insert;
    RejectWriter *rejects;
    SinkCounts *counts;
} Merge;

/* The refused row as JSON, with its key, for the reject lane. */
static Status refuse_row(Merge *m, int64_t ord, const Err *cause, Err *err)
{
    SqliteSink *self = m->self;
    CLEANUP(buf_done) Buf sql = buf_make(SQLITE_SQL_MAX);
    TRY(buf_append(&sql, STR("SELECT neuron_row, json_object("), err));
    for (int pass = 0; pass < 2; pass++) {
        bool first = true;
        if (pass) TRY(buf_append(&sql, STR("), json_object("), err));
        for (int32_t i = 0; i < self->out.schema->count; i++) {
            const Field *field = &self->out.schema->fields[i];
            if (pass && !is_key(self, field)) continue;
            TRY(buf_append(&sql, first ? STR("") : STR(", "), err));
            first = false;
            TRY(buf_printf(&sql, err, "?%d, ", i + 2));
            TRY(buf_append(&sql, STR("CASE typeof(s."), err));
            TRY(sqlite_db_quote(&sql, field->name, err));
            TRY(buf_append(&sql, STR(") WHEN 'blob' THEN hex(s."), err));
            TRY(sqlite_db_quote(&sql, field->name, err));
            TRY(buf_append(&sql, STR(") ELSE s."), err));
            TRY(sqlite_db_quote(&sql, field->name, err));
            TRY(buf_append(&sql, STR(" END"), err));
        }
    }
    TRY(buf_append(&sql, STR(") FROM temp.neuron_stage AS s WHERE neuron_ord = ?1"), err));
    CLEANUP(sqlite_db_finalize_p) sqlite3_stmt *statement = NULL;
    TRY(sqlite_db_prepare(self->db, buf_str(&sql), &statement, err));
    (void)sqlite3_bind_int64(statement, 1, ord);
    for (int32_t i = 0; i < self->out.schema->count; i++) {
        Str name = self->out.schema->fields[i].name;
        (void)sqlite3_bind_text64(statement, i + 2, name.ptr, (sqlite3_uint64)name.len,
                                  SQLITE_STATIC, SQLITE_UTF8);
    }
    bool row = false;
    TRY(sqlite_db_step(self->db, statement, &row, err));
    if (!row) return err_set(err, ERR_INTERNAL, "a refused row vanished from the stage");
    RejectRow reject = {
        .stage = STR("load"),
        .row = sqlite3_column_int64(statement, 0),
        .reason = str_from(cause->message),
        .sqlstate = str_from(cause->sqlstate),
        .data = str_from((const char *)sqlite3_column_text(statement, 1)),
        .key = str_from(self->keyed ? (const char *)sqlite3_column_text(statement, 2) : NULL),
    };
    m->counts->rejected++;
    return reject_writer_row(m->rejects, &reject, err);
}

/* Foreign keys that SQLite would judge at COMMIT only, where nobody can tell which row it was. */
static Status judge_foreign_keys(SqliteSink *self, Err *err)
{
    int broken = 0, highest = 0;
    if (!self->sink.req->rejects) return OK;
    (void)sqlite3_db_status(self->db, SQLITE_DBSTATUS_DEFERRED_FKS, &broken, &highest, 0);
    if (!broken) return OK;
    (void)err_set(err, ERR_CONSTRAINT, "sqlite: FOREIGN KEY constraint failed");
    memcpy(err->sqlstate, "23503", 6);
    return FAIL;
}

/* Merge the rows [from, to]; where the database refuses, halve until the row is found. */
static Status merge_range(Merge *m, int64_t from, int64_t to, Err *err)
{
    SqliteSink *self = m->self;
    int64_t updated = 0, inserted = 0;
    TRY(sqlite_db_check(&self->stop, err));
    TRY(sqlite_db_exec(self->db, "SAVEPOINT neuron_merge", err));
    Status status = run_range(self, m->update, from, to, &updated, err);
    if (status == OK) status = run_range(self, m->insert, from, to, &inserted, err);
    if (status == OK) status = judge_foreign_keys(self, err);
    if (status == OK) {
        m->counts->updated += updated;
        m->counts->inserted += inserted;
        return sqlite_db_exec(self->db, "RELEASE neuron_merge", err);
    }
    if (!sqlite_sink_may_refuse(self, err)) return FAIL;
    Err cause = *err;
    err_clear(err);
    TRY(sqlite_db_exec(self->db, "ROLLBACK TO neuron_merge; RELEASE neuron_merge", err));
    if (from == to) return refuse_row(m, from, &cause, err);
    int64_t middle = from + (to - from) / 2;
    TRY(merge_range(m, from, middle, err));
    if (m->counts->rejected && !self->sink.req->rejects) return OK; /* one ends the run */
    return merge_range(m, middle + 1, to, err);
}

static Status mirror_guard(SqliteSink *self, const SinkCounts *counts, Err *err)
{
    int64_t total = 0, gone = 0;
    buf_clear(&self->sql);
    TRY(buf_append(&self->sql, STR("SELECT count(*) FROM "), err));
    TRY(sqlite_db_quote_table(&self->sql, buf_str(&self->out.name), err));
    TRY(sqlite_db_int64(self->db, buf_str(&self->sql), &total, err));
    buf_clear(&self->sql);
    TRY(put_delete(self, true, &self->sql, err));
    TRY(sqlite_db_int64(self->db, buf_str(&self->sql), &gone, err));
    total -= counts->inserted;
    if ((double)gone <= self->sink.req->max_delete * (double)total) return OK;
    (void)err_set(err, ERR_QUALITY, "mirror would delete %lld of %lld rows of \"%.*s\"",
                  (long long)gone, (long long)total, STR_ARG(buf_str(&self->out.name)));
    return err_hint(err, "nothing was changed; raise `max_delete` if this is meant");
}

static Status delete_missing(SqliteSink *self, SinkCounts *counts, Err *err)
{
    if (self->sink.req->mode == SINK_MIRROR) TRY(mirror_guard(self, counts, err));
    buf_clear(&self->sql);
    TRY(put_delete(self, false, &self->sql, err));
    return run(self, buf_str(&self->sql), &counts->deleted, err);
}

static Status merge_prepare(Merge *m, Err *err)
{
    SqliteSink *self = m->self;
    int64_t ignored = 0;
    if (self->keyed) {
        TRY(merge_text(self, MERGE_INDEX, &self->sql, err));
        TRY(run(self, buf_str(&self->sql), &ignored, err));
        TRY(merge_text(self, MERGE_SUPERSEDE, &self->sql, err));
        TRY(run(self, buf_str(&self->sql), &m->counts->superseded, err));
    }
    if (part_runs(self, MERGE_UPDATE)) {
        TRY(merge_text(self, MERGE_UPDATE, &self->sql, err));
        TRY(sqlite_db_prepare(self->db, buf_str(&self->sql), &m->update, err));
    }
    TRY(merge_text(self, MERGE_INSERT, &self->sql, err));
    return sqlite_db_prepare(self->db, buf_str(&self->sql), &m->insert, err);
}

Status sqlite_merge(SqliteSink *self, RejectWriter *rejects, SinkCounts *counts, Err *err)
{
    Merge m = {.self = self, .rejects = rejects, .counts = counts};
    int64_t last = 0, staged = 0;
    Status status = merge_prepare(&m, err);
    if (status == OK) {
        status = sqlite_db_int64(self->db, STR("SELECT max(neuron_ord) FROM temp.neuron_stage"),
                                 &last, err);
    }
    if (status == OK) {
        status =
            sqlite_db_int64(self->db, STR("SELECT count(*) FROM temp.neuron_stage"), &staged, err);
    }
    if (status == OK && staged > 0) status = merge_range(&m, 1, last, err);
    sqlite3_finalize(m.update);
    sqlite3_finalize(m.insert);
    TRY(status);
    counts->loaded = staged - counts->rejected;
    counts->unchanged = int64_max(counts->loaded - counts->inserted - counts->updated, 0);
    return self->deletes ? delete_missing(self, counts, err) : OK;
}
