/* Merges staged rows into the target: last row of a key wins, equal rows are not written. */
#include "connect/postgres/postgres_sink.h"
#include "foundation/base/number.h"

/* One statement of the merge; s is the stage, t the target. */
typedef enum MergePart {
    MERGE_ANALYZE,
    MERGE_SUPERSEDE,
    MERGE_WRITE,  /* what changed, and what is new */
    MERGE_UPDATE, /* what changed, and what is new, where that can't be one statement */
    MERGE_INSERT, /* what is new, also where nothing can have changed */
    MERGE_DELETE,
} MergePart;

static bool in_list(Str name, const Str *list, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        if (str_eq(list[i], name)) return true;
    }
    return false;
}

static bool is_key(const PostgresSink *self, int32_t i)
{
    return in_list(self->out.schema->fields[i].name, self->sink.req->key,
                   self->sink.req->key_count);
}

static bool is_compared(const PostgresSink *self, int32_t i)
{
    const SinkReq *req = self->sink.req;
    return !is_key(self, i) &&
           !in_list(self->out.schema->fields[i].name, req->ignore_for_change, req->ignore_count);
}

static bool is_cast(const PostgresColumn *column)
{
    return column->kind == POSTGRES_KIND_OTHER || column->kind == POSTGRES_KIND_ARRAY;
}

static Status put_separator(Buf *sql, const char *separator, bool *first, Err *err)
{
    if (!*first) TRY(buf_append(sql, str_from(separator), err));
    *first = false;
    return OK;
}

static Status put_name(const PostgresSink *self, Buf *sql, const char *prefix, int32_t i, Err *err)
{
    TRY(buf_append(sql, str_from(prefix), err));
    return postgres_db_quote(sql, self->out.schema->fields[i].name, err);
}

/* The staged value as one of the target's type. */
static Status put_staged(const PostgresSink *self, Buf *sql, int32_t i, Err *err)
{
    TRY(put_name(self, sql, "s.", i, err));
    const PostgresColumn *column = &self->out.columns[i];
    if (!is_cast(column)) return OK;
    TRY(buf_append(sql, STR("::"), err));
    return buf_append(sql, column->declared, err);
}

static Status put_table(const PostgresSink *self, Buf *sql, const char *before, const char *after,
                        Err *err)
{
    TRY(buf_append(sql, str_from(before), err));
    TRY(postgres_db_quote_table(sql, buf_str(&self->out.name), err));
    return buf_append(sql, str_from(after), err);
}

static Status put_key(const PostgresSink *self, Buf *sql, const char *prefix, Err *err)
{
    bool first = true;
    for (int32_t i = 0; i < self->out.schema->count; i++) {
        if (!is_key(self, i)) continue;
        TRY(put_separator(sql, ", ", &first, err));
        TRY(put_name(self, sql, prefix, i, err));
    }
    return OK;
}

static Status put_key_match(const PostgresSink *self, Buf *sql, Err *err)
{
    bool first = true;
    for (int32_t i = 0; i < self->out.schema->count; i++) {
        if (!is_key(self, i)) continue;
        TRY(put_separator(sql, " AND ", &first, err));
        TRY(put_name(self, sql, "t.", i, err));
        TRY(buf_append(sql, STR(" = "), err));
        TRY(put_staged(self, sql, i, err));
    }
    return OK;
}

static Status put_range(Buf *sql, bool range, Err *err)
{
    return range ? buf_append(sql, STR(" AND s.neuron_ord BETWEEN $1 AND $2"), err) : OK;
}

/* Statistics for what the joins look at: a temporary table has none by itself. */
static Status put_analyze(const PostgresSink *self, Buf *sql, Err *err)
{
    TRY(buf_append(sql, STR("ANALYZE pg_temp.neuron_stage (neuron_ord"), err));
    if (self->keyed) {
        TRY(buf_append(sql, STR(", "), err));
        TRY(put_key(self, sql, "", err));
    }
    return buf_append_char(sql, ')', err);
}

static int32_t cursor_field(const PostgresSink *self)
{
    Str cursor = self->sink.req->cursor;
    return cursor.len ? schema_find(self->out.schema, cursor) : -1;
}

/* Only keys that came twice are sorted. */
static Status put_supersede(const PostgresSink *self, Buf *sql, Err *err)
{
    TRY(buf_append(sql,
                   STR("DELETE FROM pg_temp.neuron_stage WHERE neuron_ord IN (SELECT neuron_ord"
                       " FROM (SELECT neuron_ord, row_number() OVER (PARTITION BY "),
                   err));
    TRY(put_key(self, sql, "s.", err));
    TRY(buf_append(sql, STR(" ORDER BY "), err));
    int32_t cursor =
        self->sink.req->cursor.len ? schema_find(self->out.schema, self->sink.req->cursor) : -1;
    if (cursor >= 0) {
        TRY(put_staged(self, sql, cursor, err));
        TRY(buf_append(sql, STR(" DESC NULLS LAST, "), err));
    }
    TRY(buf_append(sql, STR("neuron_ord DESC) AS n FROM pg_temp.neuron_stage AS s WHERE ("), err));
    TRY(put_key(self, sql, "s.", err));
    TRY(buf_append(sql, STR(") IN (SELECT "), err));
    TRY(put_key(self, sql, "", err));
    TRY(buf_append(sql, STR(" FROM pg_temp.neuron_stage GROUP BY "), err));
    TRY(put_key(self, sql, "", err));
    return buf_append(sql, STR(" HAVING count(*) > 1)) AS d WHERE n > 1)"), err);
}

/* SET a = s.a, … of every column but the key. */
static Status put_assignments(const PostgresSink *self, Buf *sql, Err *err)
{
    bool first = true;
    for (int32_t i = 0; i < self->out.schema->count; i++) {
        if (is_key(self, i)) continue;
        TRY(put_separator(sql, ", ", &first, err));
        TRY(put_name(self, sql, "", i, err));
        TRY(buf_append(sql, STR(" = "), err));
        TRY(put_staged(self, sql, i, err));
    }
    return OK;
}

/* (t.a, …) IS DISTINCT FROM (s.a, …), and by their texts those that have no equality. */
static Status put_changed(const PostgresSink *self, Buf *sql, Err *err)
{
    bool first = true;
    for (int32_t i = 0; i < self->out.schema->count; i++) {
        if (!is_compared(self, i)) continue;
        const char *text = self->out.columns[i].by_text ? "::text" : "";
        TRY(put_separator(sql, " OR ", &first, err));
        TRY(put_name(self, sql, "t.", i, err));
        TRY(buf_printf(sql, err, "%s IS DISTINCT FROM ", text));
        TRY(put_staged(self, sql, i, err));
        TRY(buf_append(sql, str_from(text), err));
    }
    return OK;
}

/* Rows of this run may stand in the target already: those that went straight in. */
static bool has_own_rows(const PostgresSink *self)
{
    return self->fresh && self->direct > 0;
}

/* Of two rows of this run the one with the higher cursor stays. */
static Status put_newer(const PostgresSink *self, Buf *sql, Err *err)
{
    int32_t cursor = cursor_field(self);
    if (!has_own_rows(self) || cursor < 0) return OK;
    TRY(put_name(self, sql, " AND (t.", cursor, err));
    TRY(put_name(self, sql, " IS NULL OR t.", cursor, err));
    TRY(buf_append(sql, STR(" <= "), err));
    TRY(put_staged(self, sql, cursor, err));
    return buf_append_char(sql, ')', err);
}

/* No row of the target has the key. */
static Status put_missing(const PostgresSink *self, Buf *sql, Err *err)
{
    int32_t key = 0;
    while (!is_key(self, key)) key++;
    TRY(put_name(self, sql, "t.", key, err));
    return buf_append(sql, STR(" IS NULL"), err);
}

/* The rows to write, looked up once: those that are new and those that changed. */
static Status put_changes(const PostgresSink *self, bool range, Buf *sql, Err *err)
{
    TRY(buf_append(sql, STR("WITH changes AS (SELECT s.*, "), err));
    TRY(put_missing(self, sql, err));
    TRY(buf_append(sql, STR(" AS neuron_new FROM pg_temp.neuron_stage AS s LEFT JOIN "), err));
    TRY(put_table(self, sql, "", " AS t ON ", err));
    TRY(put_key_match(self, sql, err));
    TRY(buf_append(sql, STR(" WHERE ("), err));
    TRY(put_missing(self, sql, err));
    TRY(buf_append(sql, STR(" OR ("), err));
    TRY(put_changed(self, sql, err));
    TRY(buf_append_char(sql, ')', err));
    TRY(put_newer(self, sql, err));
    TRY(buf_append_char(sql, ')', err));
    return put_range(sql, range, err);
}

/* `from`: whose rows are taken, as s. Where the target has a key twice, one of them may be equal.
 */
static Status put_update(const PostgresSink *self, const char *from, Buf *sql, Err *err)
{
    TRY(put_table(self, sql, "UPDATE ", " AS t SET ", err));
    TRY(put_assignments(self, sql, err));
    TRY(buf_append(sql, STR(" FROM "), err));
    TRY(buf_append(sql, str_from(from), err));
    TRY(put_key_match(self, sql, err));
    TRY(put_newer(self, sql, err));
    TRY(buf_append(sql, STR(" AND ("), err));
    TRY(put_changed(self, sql, err));
    return buf_append_char(sql, ')', err);
}

static bool has_identity(const PostgresSink *self)
{
    for (int32_t i = 0; i < self->out.schema->count; i++) {
        if (self->out.columns[i].identity) return true;
    }
    return false;
}

/* `from`: whose rows are taken, as s. */
static Status put_insert(const PostgresSink *self, const char *from, Buf *sql, Err *err)
{
    TRY(put_table(self, sql, "INSERT INTO ", " (", err));
    TRY(postgres_table_names(&self->out, "", sql, err));
    TRY(buf_append(sql,
                   has_identity(self) ? STR(") OVERRIDING SYSTEM VALUE SELECT ") : STR(") SELECT "),
                   err));
    for (int32_t i = 0; i < self->out.schema->count; i++) {
        if (i) TRY(buf_append(sql, STR(", "), err));
        TRY(put_staged(self, sql, i, err));
    }
    TRY(buf_append(sql, STR(" FROM "), err));
    return buf_append(sql, str_from(from), err);
}

static Status put_new(const PostgresSink *self, bool range, Buf *sql, Err *err)
{
    TRY(put_insert(self, "pg_temp.neuron_stage AS s WHERE true", sql, err));
    TRY(put_range(sql, range, err));
    if (!self->keyed) return OK;
    TRY(put_table(self, sql, " AND NOT EXISTS (SELECT FROM ", " AS t WHERE ", err));
    TRY(put_key_match(self, sql, err));
    return buf_append_char(sql, ')', err);
}

/* One look at the target for both, where a statement each would join it twice: most of the work of
 * a run that changes little. Updates come first, as the counts do. */
static Status put_write(const PostgresSink *self, bool range, Buf *sql, Err *err)
{
    TRY(put_changes(self, range, sql, err));
    TRY(buf_append(sql, STR("), updated AS ("), err));
    TRY(put_update(self, "changes AS s WHERE NOT s.neuron_new AND ", sql, err));
    TRY(buf_append(sql, STR(" RETURNING 1), inserted AS ("), err));
    TRY(put_insert(self, "changes AS s WHERE s.neuron_new", sql, err));
    return buf_append(sql,
                      STR(" RETURNING 1) SELECT (SELECT count(*) FROM updated),"
                          " (SELECT count(*) FROM inserted)"),
                      err);
}

static Status put_delete(const PostgresSink *self, bool count, Buf *sql, Err *err)
{
    TRY(put_table(self, sql, count ? "SELECT count(*) FROM " : "DELETE FROM ", " AS t", err));
    TRY(buf_append(sql, STR(" WHERE NOT EXISTS (SELECT FROM pg_temp.neuron_stage AS s WHERE "),
                   err));
    TRY(put_key_match(self, sql, err));
    return buf_append_char(sql, ')', err);
}

static bool has_compared(const PostgresSink *self)
{
    if (!self->keyed) return false;
    if (self->sink.req->mode == SINK_APPEND && !has_own_rows(self)) return false;
    for (int32_t i = 0; i < self->out.schema->count; i++) {
        if (is_compared(self, i)) return true;
    }
    return false;
}

static Status merge_text(const PostgresSink *self, MergePart part, bool range, Buf *sql, Err *err)
{
    buf_clear(sql);
    switch (part) {
    case MERGE_ANALYZE:
        TRY(put_analyze(self, sql, err));
        break;
    case MERGE_SUPERSEDE:
        TRY(put_supersede(self, sql, err));
        break;
    case MERGE_WRITE:
        TRY(put_write(self, range, sql, err));
        break;
    case MERGE_UPDATE:
        TRY(put_update(self, "pg_temp.neuron_stage AS s WHERE ", sql, err));
        TRY(put_range(sql, range, err));
        break;
    case MERGE_INSERT:
        TRY(put_new(self, range, sql, err));
        break;
    case MERGE_DELETE:
        TRY(put_delete(self, false, sql, err));
        break;
    }
    return buf_terminate(sql, err);
}

static bool may_update(const PostgresSink *self)
{
    return has_compared(self) && (self->out.exists || has_own_rows(self));
}

static bool part_runs(const PostgresSink *self, MergePart part)
{
    switch (part) {
    case MERGE_SUPERSEDE:
        return self->keyed && !(self->keys.ascend && self->keys.some);
    case MERGE_WRITE:
        return may_update(self) && !self->out.ruled;
    case MERGE_UPDATE:
        return may_update(self) && self->out.ruled;
    case MERGE_INSERT:
        return !may_update(self) || self->out.ruled;
    case MERGE_DELETE:
        return self->deletes && !self->fresh;
    case MERGE_ANALYZE:
        break;
    }
    return true;
}

Status postgres_merge_sql(const PostgresSink *self, SinkPlan *plan, Err *err)
{
    CLEANUP(buf_done) Buf sql = buf_make(POSTGRES_SQL_MAX);
    for (MergePart part = MERGE_ANALYZE; part <= MERGE_DELETE; part++) {
        if (!part_runs(self, part)) continue;
        TRY(merge_text(self, part, false, &sql, err));
        TRY(sink_plan_add(plan, PLAN_SQL, err, "%.*s", (int)sql.len, sql.data));
    }
    return OK;
}

Status postgres_stage_sql(const PostgresSink *self, Buf *sql, Err *err)
{
    TRY(buf_append(sql, STR("CREATE TEMP TABLE neuron_stage (neuron_ord bigint, neuron_row bigint"),
                   err));
    for (int32_t i = 0; i < self->out.schema->count; i++) {
        TRY(put_name(self, sql, ", ", i, err));
        TRY(buf_append_char(sql, ' ', err));
        TRY(buf_append(sql, self->out.columns[i].stage, err));
    }
    return buf_append(sql, STR(") ON COMMIT DROP"), err);
}

Status postgres_stage_create(PostgresSink *self, Err *err)
{
    buf_clear(&self->sql);
    TRY(postgres_stage_sql(self, &self->sql, err));
    self->staging = true;
    return postgres_sink_run(self, err);
}

/* ---- running ---- */

typedef struct Merge {
    PostgresSink *self;
    RejectWriter *rejects;
    SinkCounts *counts;
    bool indexed; /* the stage has an index on neuron_ord, for small ranges */
} Merge;

typedef struct Range {
    int64_t from, to; /* of neuron_ord; to < 0: all there are */
} Range;

/* Run a part. */
static Status run_part(PostgresSink *self, MergePart part, Range range, PGresult **ret_result,
                       Err *err)
{
    bool whole = range.to < 0;
    char digits[2][NUMBER_TEXT_MAX];
    Str params[] = {str_make(digits[0], number_format_int64(range.from, digits[0])),
                    str_make(digits[1], number_format_int64(range.to, digits[1]))};
    TRY(merge_text(self, part, !whole, &self->sql, err));
    return postgres_db_query(self->db, self->sql.data, params, whole ? 0 : 2, ret_result, err);
}

/* Run a part where it is to run; *ret_changes rows were written. */
static Status run_changes(PostgresSink *self, MergePart part, Range range, int64_t *ret_changes,
                          Err *err)
{
    *ret_changes = 0;
    if (!part_runs(self, part)) return OK;
    CLEANUP(postgres_db_clear_p) PGresult *result = NULL;
    TRY(run_part(self, part, range, &result, err));
    (void)number_parse_int64(str_from(PQcmdTuples(result)), ret_changes);
    return OK;
}

static Status write_rows(PostgresSink *self, Range range, SinkCounts *ret_counts, Err *err)
{
    *ret_counts = (SinkCounts){0};
    if (!part_runs(self, MERGE_WRITE)) {
        TRY(run_changes(self, MERGE_UPDATE, range, &ret_counts->updated, err));
        return run_changes(self, MERGE_INSERT, range, &ret_counts->inserted, err);
    }
    CLEANUP(postgres_db_clear_p) PGresult *result = NULL;
    TRY(run_part(self, MERGE_WRITE, range, &result, err));
    (void)number_parse_int64(postgres_db_text(result, 0, 0), &ret_counts->updated);
    (void)number_parse_int64(postgres_db_text(result, 0, 1), &ret_counts->inserted);
    return OK;
}

/* The refused row as JSON, with its key, for the reject lane. */
static Status refuse_row(Merge *m, int64_t ord, const Err *cause, Err *err)
{
    PostgresSink *self = m->self;
    Buf *sql = &self->sql;
    buf_clear(sql);
    TRY(buf_append(sql, STR("SELECT neuron_row, (SELECT row_to_json(d) FROM (SELECT "), err));
    TRY(postgres_table_names(&self->out, "s.", sql, err));
    TRY(buf_append(sql, STR(") AS d)"), err));
    if (self->keyed) {
        TRY(buf_append(sql, STR(", (SELECT row_to_json(k) FROM (SELECT "), err));
        TRY(put_key(self, sql, "s.", err));
        TRY(buf_append(sql, STR(") AS k)"), err));
    }
    TRY(buf_append(sql, STR(" FROM pg_temp.neuron_stage AS s WHERE neuron_ord = $1"), err));
    TRY(buf_terminate(sql, err));
    char digits[NUMBER_TEXT_MAX];
    Str param = str_make(digits, number_format_int64(ord, digits));
    CLEANUP(postgres_db_clear_p) PGresult *result = NULL;
    TRY(postgres_db_query(self->db, sql->data, &param, 1, &result, err));
    if (PQntuples(result) == 0) return OK; /* superseded: the range was its number alone */
    Str where = str_from(cause->where);
    RejectRow reject = {
        .stage = STR("load"),
        .column = str_starts(where, STR("column ")) ? str_slice(where, 7, where.len) : STR_NULL,
        .reason = str_from(cause->message),
        .sqlstate = str_from(cause->sqlstate),
        .data = postgres_db_text(result, 0, 1),
        .key = self->keyed ? postgres_db_text(result, 0, 2) : STR_NULL,
    };
    (void)number_parse_int64(postgres_db_text(result, 0, 0), &reject.row);
    m->counts->rejected++;
    return reject_writer_row(m->rejects, &reject, err);
}

/* Small ranges are found by an index; made when the first row was refused. */
static Status stage_index(Merge *m, Err *err)
{
    if (m->indexed) return OK;
    m->indexed = true;
    return postgres_db_exec(m->self->db,
                            "CREATE UNIQUE INDEX neuron_stage_ord ON pg_temp.neuron_stage"
                            " (neuron_ord); ANALYZE pg_temp.neuron_stage",
                            err);
}

/* Merge the rows of the range; where the database refuses, halve until the row is found. A key that
 * somebody else inserted meanwhile is seen by the second try. */
static Status merge_range(Merge *m, Range range, Err *err)
{
    PostgresSink *self = m->self;
    SinkCounts counts = {0};
    TRY(postgres_db_exec(self->db, "SAVEPOINT neuron_merge", err));
    if (write_rows(self, range, &counts, err) == OK) {
        m->counts->updated += counts.updated;
        m->counts->inserted += counts.inserted;
        return postgres_db_exec(self->db, "RELEASE neuron_merge", err);
    }
    if (err->kind != ERR_CONSTRAINT && err->kind != ERR_DATA) return FAIL;
    Err cause = *err;
    err_clear(err);
    TRY(postgres_db_exec(self->db, "ROLLBACK TO neuron_merge; RELEASE neuron_merge", err));
    if (range.from == range.to) return refuse_row(m, range.from, &cause, err);
    TRY(stage_index(m, err));
    int64_t to = range.to < 0 ? self->next_ord - 1 : range.to;
    int64_t middle = range.from + (to - range.from) / 2;
    TRY(merge_range(m, (Range){range.from, middle}, err));
    if (m->counts->rejected && !self->sink.req->rejects) return OK; /* one ends the run */
    if (middle == to) return OK;
    return merge_range(m, (Range){middle + 1, to}, err);
}

static Status count_rows(PostgresSink *self, int64_t *ret_rows, Err *err)
{
    buf_clear(&self->sql);
    TRY(put_table(self, &self->sql, "SELECT count(*) FROM ", "", err));
    TRY(buf_terminate(&self->sql, err));
    return postgres_db_int64(self->db, self->sql.data, NULL, 0, ret_rows, err);
}

static Status mirror_guard(PostgresSink *self, const SinkCounts *counts, Err *err)
{
    int64_t total = 0, gone = 0;
    TRY(count_rows(self, &total, err));
    buf_clear(&self->sql);
    TRY(put_delete(self, true, &self->sql, err));
    TRY(buf_terminate(&self->sql, err));
    TRY(postgres_db_int64(self->db, self->sql.data, NULL, 0, &gone, err));
    total -= counts->inserted;
    if ((double)gone <= self->sink.req->max_delete * (double)total) return OK;
    (void)err_set(err, ERR_QUALITY, "mirror would delete %lld of %lld rows of \"%.*s\"",
                  (long long)gone, (long long)total, STR_ARG(buf_str(&self->out.name)));
    return err_hint(err, "nothing was changed; raise `max_delete` if this is meant");
}

/* What a fresh target held before were rows of this run: those that met a later one of their key
 * were superseded by it, or it by them. */
static void count_own(const PostgresSink *self, SinkCounts *counts)
{
    int64_t staged = self->written - self->direct - counts->superseded - counts->rejected;
    counts->superseded += staged - counts->inserted;
    counts->updated = 0;
    counts->inserted += self->direct;
}

Status postgres_merge(PostgresSink *self, RejectWriter *rejects, SinkCounts *counts, Err *err)
{
    Merge m = {.self = self, .rejects = rejects, .counts = counts};
    const Range all = {1, -1};
    int64_t ignored = 0;
    if (self->sink.req->rejects && self->out.deferrable) {
        /* The server speaks while a refused row can still be found. */
        TRY(postgres_db_exec(self->db, "SET CONSTRAINTS ALL IMMEDIATE", err));
    }
    if (self->staging && self->written > self->direct) {
        TRY(run_changes(self, MERGE_ANALYZE, all, &ignored, err));
        TRY(run_changes(self, MERGE_SUPERSEDE, all, &counts->superseded, err));
        TRY(merge_range(&m, all, err));
    }
    if (self->fresh) count_own(self, counts);
    counts->loaded = self->written - counts->superseded - counts->rejected;
    counts->unchanged = int64_max(counts->loaded - counts->inserted - counts->updated, 0);
    if (!self->deletes || self->fresh) return OK;
    /* Also where no row came: what is compared with is an empty stage. */
    if (!self->staging) TRY(postgres_stage_create(self, err));
    if (self->sink.req->mode == SINK_MIRROR) TRY(mirror_guard(self, counts, err));
    return run_changes(self, MERGE_DELETE, all, &counts->deleted, err);
}
