/* Merges staged rows into the target: last row of a key wins, equal rows are not written, rows that
 * are refused are found by halving, and what was written is compared with what should have been. */
#include "connect/table/table_sink.h"

#include <assert.h>

/* What a statement did with its range, and what it should have done. */
typedef struct MergeCounts {
    int64_t updated, inserted;
    int64_t fresh;   /* staged rows that the target lacks */
    int64_t matched; /* rows of the target that differ */
    int64_t changed; /* staged rows that they differ from */
} MergeCounts;

typedef struct Merge {
    TableSink *sink;
    SqlMergePart first, last; /* the parts of this pass */
    RejectWriter *rejects;
    SinkCounts *counts;
    TableSearch search;
    bool indexed; /* small ranges of the stage are found at once */
} Merge;

/* ---- which statements run ---- */

static bool may_update(const TableSink *t)
{
    bool appends = t->sink.req->mode == SINK_APPEND && !t->plan.merge.own_rows;
    return t->plan.keyed && !appends && sql_merge_compares(&t->plan.merge) &&
           (t->plan.exists || t->plan.merge.own_rows);
}

static bool writes_together(const TableSink *t)
{
    return may_update(t) && t->plan.merge.dialect->writes_together && !t->plan.apart;
}

/* Does the target's answer have to be compared with a count of its own? One statement that writes
 * both has it already. */
static bool counts_before(const TableSink *t, SqlMergePart part)
{
    if (part == SQL_MERGE_WRITE) return false;
    return t->plan.differs || t->plan.uncounted ||
           (part == SQL_MERGE_UPDATE && !t->plan.merge.unique);
}

static bool part_runs(const TableSink *t, SqlMergePart part)
{
    switch (part) {
    case SQL_MERGE_READY:
        return t->plan.keyed || t->plan.merge.dialect->readies_all;
    case SQL_MERGE_SUPERSEDE:
        return t->plan.keyed && !t->cycle.distinct;
    case SQL_MERGE_EXPECT:
        return !writes_together(t) && (counts_before(t, SQL_MERGE_INSERT) ||
                                       (may_update(t) && counts_before(t, SQL_MERGE_UPDATE)));
    case SQL_MERGE_WRITE:
        return writes_together(t);
    case SQL_MERGE_UPDATE:
        return may_update(t) && !writes_together(t);
    case SQL_MERGE_INSERT:
        return !writes_together(t);
    case SQL_MERGE_DELETE:
        return t->plan.deletes && !t->cycle.fresh;
    case SQL_MERGE_STAGE:
    case SQL_MERGE_COUNT:
    case SQL_MERGE_ANY:
    case SQL_MERGE_CLEAR:
    case SQL_MERGE_MISSING:
    case SQL_MERGE_ROW:
    case SQL_MERGE_PARTS:
        break;
    }
    return false;
}

Status table_merge_plan(const TableSink *t, SinkPlan *plan, Err *err)
{
    CLEANUP(buf_done) Buf sql = buf_make(t->sql.max);
    for (SqlMergePart part = 0; part < SQL_MERGE_PARTS; part++) {
        if (!part_runs(t, part)) continue;
        buf_clear(&sql);
        TRY(sql_merge_put(&t->plan.merge, part, false, &sql, err));
        TRY(sink_plan_add(plan, PLAN_SQL, err, "%.*s", (int)sql.len, sql.data));
    }
    return OK;
}

/* ---- one statement over one range ---- */

static Status expect(TableSink *t, TableRange range, MergeCounts *c, Err *err)
{
    int64_t numbers[3] = {0};
    TRY(t->driver->run(t, SQL_MERGE_EXPECT, range, numbers, 3, err));
    c->fresh = numbers[0];
    c->matched = numbers[1];
    c->changed = numbers[2];
    return OK;
}

static Status write_together(TableSink *t, TableRange range, MergeCounts *c, Err *err)
{
    int64_t numbers[5] = {0};
    TRY(t->driver->run(t, SQL_MERGE_WRITE, range, numbers, 5, err));
    *c = (MergeCounts){numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]};
    return OK;
}

/* Where the target doesn't say what it wrote, what is still to be written does. */
static Status count_left(TableSink *t, TableRange range, MergeCounts *c, Err *err)
{
    MergeCounts left = {0};
    TRY(expect(t, range, &left, err));
    c->inserted = c->inserted < 0 ? c->fresh - left.fresh : 0;
    c->updated = c->updated < 0 ? c->changed - left.changed : 0;
    return OK;
}

static Status several_error(const TableSink *t, Err *err)
{
    CLEANUP(buf_done) Buf key = buf_make(1 << 16);
    TRY(sql_put_columns(&t->plan.merge, "", true, &key, err));
    (void)err_set(err, ERR_CONSTRAINT, "the key (%.*s) is that of more than one row of \"%.*s\"",
                  STR_ARG(buf_str(&key)), STR_ARG(t->plan.merge.table));
    memcpy(err->sqlstate, "21000", 6);
    return err_hint(err, "name a key that is unique there, and keep it so with a unique index");
}

/* An UPDATE or an INSERT. ERR_CONSTRAINT where one row would be written over several. */
static Status write_apart(TableSink *t, SqlMergePart part, TableRange range, MergeCounts *c,
                          Err *err)
{
    int64_t rows = 0;
    bool inserts = part == SQL_MERGE_INSERT, before = counts_before(t, part);
    if (before) TRY(expect(t, range, c, err));
    if (!inserts && c->matched > c->changed) return several_error(t, err);
    TRY(t->driver->run(t, part, range, &rows, 1, err));
    *(inserts ? &c->inserted : &c->updated) = t->plan.uncounted ? -1 : rows;
    if (t->plan.uncounted) TRY(count_left(t, range, c, err));
    if (!before && inserts) c->fresh = rows;
    if (!before && !inserts) c->changed = rows;
    if (inserts) c->changed = 0;
    else c->fresh = 0;
    return OK;
}

static Status write_part(TableSink *t, SqlMergePart part, TableRange range, MergeCounts *c,
                         Err *err)
{
    if (part != SQL_MERGE_WRITE) return write_apart(t, part, range, c, err);
    TRY(write_together(t, range, c, err));
    return c->matched > c->changed ? several_error(t, err) : OK;
}

static Status write_range(const Merge *m, TableRange range, MergeCounts *ret_counts, Err *err)
{
    TableSink *t = m->sink;
    *ret_counts = (MergeCounts){0};
    for (SqlMergePart part = m->first; part <= m->last; part++) {
        MergeCounts c = {0};
        if (!part_runs(t, part)) continue;
        TRY(write_part(t, part, range, &c, err));
        ret_counts->updated += c.updated;
        ret_counts->inserted += c.inserted;
        ret_counts->fresh += c.fresh;
        ret_counts->changed += c.changed;
    }
    return t->driver->judge ? t->driver->judge(t, err) : OK;
}

/* ---- refused rows ---- */

static Status reject(Merge *m, const TableRow *row, const Err *cause, Err *err)
{
    Str where = str_from(cause->where);
    RejectRow refused = {
        .stage = STR("load"),
        .column = str_starts(where, STR("column ")) ? str_slice(where, 7, where.len) : STR_NULL,
        .reason = str_from(cause->message),
        .sqlstate = str_from(cause->sqlstate),
        .data = buf_str(&row->data),
        .key = buf_str(&row->key),
        .row = row->row,
    };
    m->counts->rejected++;
    return reject_writer_row(m->rejects, &refused, err);
}

static Status refuse_row(Merge *m, int64_t ord, const Err *cause, Err *err)
{
    TableSink *t = m->sink;
    TableRow row = {.data = buf_make(INT64_C(1) << 30), .key = buf_make(INT64_C(1) << 30)};
    Status status = t->driver->read_row(t, ord, &row, err);
    /* Not found: superseded, and the range was its number alone. */
    if (status == OK && row.found) {
        status = table_search_refused(&m->search, t->driver->error(cause), cause, err);
    }
    if (status == OK && row.found) status = reject(m, &row, cause, err);
    buf_done(&row.data);
    buf_done(&row.key);
    return status;
}

static Status stage_index(Merge *m, Err *err)
{
    const char *sql = m->sink->plan.merge.dialect->stage.index;
    if (m->indexed || !sql) return OK;
    m->indexed = true;
    return m->sink->driver->exec(m->sink, sql, err);
}

static bool one_is_enough(const Merge *m)
{
    return m->counts->rejected > 0 && !m->sink->sink.req->reject.wanted;
}

static void add(Merge *m, const MergeCounts *c)
{
    m->counts->updated += c->updated;
    m->counts->inserted += c->inserted;
    m->counts->discarded += c->fresh - c->inserted + c->changed - c->updated;
    m->search.taken |= c->updated + c->inserted > 0;
}

static Status merge_range(Merge *m, TableRange range, Err *err);

static Status merge_halves(Merge *m, TableRange range, Err *err)
{
    int64_t middle = range.from + (range.to - range.from) / 2;
    TRY(stage_index(m, err));
    TRY(merge_range(m, (TableRange){range.from, middle, true}, err));
    if (one_is_enough(m)) return OK;
    return merge_range(m, (TableRange){middle + 1, range.to, true}, err);
}

/* Merge the rows of the range; where the database refuses, halve until the row is found. A key that
 * somebody else inserted meanwhile is seen by the second try. */
static Status merge_range(Merge *m, TableRange range, Err *err)
{
    const TableDriver *driver = m->sink->driver;
    MergeCounts counts;
    TRY(driver->save(m->sink, TABLE_SAVE_BEGIN, err));
    if (write_range(m, range, &counts, err) == OK) {
        add(m, &counts);
        return driver->save(m->sink, TABLE_SAVE_KEEP, err);
    }
    if (driver->error(err) == WRITE_ERROR_RUN) return FAIL;
    Err cause = *err;
    err_clear(err);
    TRY(driver->save(m->sink, TABLE_SAVE_UNDO, err));
    bool one = range.from == range.to && range.part;
    if (!one) return merge_halves(m, range, err);
    return refuse_row(m, range.from, &cause, err);
}

static Status merge_pass(Merge *m, SqlMergePart first, SqlMergePart last, Err *err)
{
    TableSink *t = m->sink;
    if (one_is_enough(m)) return OK;
    m->first = first;
    m->last = last;
    m->search = (TableSearch){.stream = t->sink.req->cycle_us > 0};
    TRY(merge_range(m, (TableRange){1, t->cycle.next_ord - 1, false}, err));
    return one_is_enough(m) ? OK : table_search_end(&m->search, err);
}

static Status merge_staged(Merge *m, Err *err)
{
    TableSink *t = m->sink;
    TableRange all = {1, t->cycle.next_ord - 1, false};
    int64_t ignored = 0;
    if (part_runs(t, SQL_MERGE_READY)) {
        TRY(t->driver->run(t, SQL_MERGE_READY, all, &ignored, 1, err));
    }
    if (part_runs(t, SQL_MERGE_SUPERSEDE)) {
        TRY(t->driver->run(t, SQL_MERGE_SUPERSEDE, all, &m->counts->superseded, 1, err));
    }
    if (t->plan.together) return merge_pass(m, SQL_MERGE_WRITE, SQL_MERGE_INSERT, err);
    TRY(merge_pass(m, SQL_MERGE_WRITE, SQL_MERGE_UPDATE, err));
    return merge_pass(m, SQL_MERGE_INSERT, SQL_MERGE_INSERT, err);
}

/* ---- mirror ---- */

static Status mirror_guard(TableSink *t, const SinkCounts *counts, Err *err)
{
    TableRange all = {0};
    int64_t total = 0, gone = 0;
    TRY(t->driver->run(t, SQL_MERGE_COUNT, all, &total, 1, err));
    TRY(t->driver->run(t, SQL_MERGE_MISSING, all, &gone, 1, err));
    total -= counts->inserted;
    if ((double)gone <= t->sink.req->max_delete * (double)total) return OK;
    (void)err_set(err, ERR_QUALITY, "mirror would delete %lld of %lld rows of \"%.*s\"",
                  (long long)gone, (long long)total, STR_ARG(t->plan.merge.table));
    return err_hint(err, "nothing was changed; raise `max_delete` if this is meant");
}

/* Also where no row came: what is compared with is an empty stage. A row that was rejected is in
 * the source still: its row in the target stays, and which one that is can't be told where its key
 * is what was wrong. */
static Status delete_missing(TableSink *t, SinkCounts *counts, Err *err)
{
    TableRange all = {0};
    bool mirror = t->sink.req->mode == SINK_MIRROR;
    if (mirror && (t->sink.incomplete || counts->rejected > 0)) return OK;
    if (!part_runs(t, SQL_MERGE_DELETE)) return OK;
    if (!t->cycle.has_stage) TRY(table_stage_create(t, err));
    if (mirror) TRY(mirror_guard(t, counts, err));
    return t->driver->run(t, SQL_MERGE_DELETE, all, &counts->deleted, 1, err);
}

/* ---- together ---- */

Status table_stage_create(TableSink *t, Err *err)
{
    assert(t->cycle.phase == TABLE_OPEN && !t->cycle.has_stage);
    buf_clear(&t->sql);
    TRY(sql_merge_put(&t->plan.merge, SQL_MERGE_STAGE, false, &t->sql, err));
    TRY(buf_terminate(&t->sql, err));
    t->cycle.has_stage = true;
    return t->driver->exec(t, t->sql.data, err);
}

/* What a fresh target held before were rows of this run: those that met a later one of their key
 * were superseded by it, or it by them. */
static void count_own(const TableSink *t, SinkCounts *counts)
{
    int64_t staged = t->cycle.written - t->cycle.direct - counts->superseded - counts->rejected;
    counts->superseded += staged - counts->inserted;
    counts->updated = 0;
    counts->inserted += t->cycle.direct;
}

static Status check_counts(const TableSink *t, const SinkCounts *counts, Err *err)
{
    if (counts->unchanged >= 0 && counts->discarded >= 0) return OK;
    (void)err_set(err, ERR_INTERNAL,
                  "\"%.*s\" took %lld rows, but inserted %lld and updated %lld: %lld discarded",
                  STR_ARG(t->plan.merge.table), (long long)counts->loaded,
                  (long long)counts->inserted, (long long)counts->updated,
                  (long long)counts->discarded);
    return err_hint(err, "nothing was changed; please report this with the table's definition");
}

Status table_merge(TableSink *t, RejectWriter *rejects, SinkCounts *counts, Err *err)
{
    Merge m = {.sink = t, .rejects = rejects, .counts = counts};
    assert(t->cycle.phase == TABLE_OPEN);
    *counts = (SinkCounts){0};
    if (t->cycle.has_stage && t->cycle.written > t->cycle.direct) TRY(merge_staged(&m, err));
    if (t->cycle.fresh) count_own(t, counts);
    counts->discarded += t->cycle.discarded;
    counts->loaded = t->cycle.written - counts->superseded - counts->rejected - counts->discarded;
    counts->unchanged = counts->loaded - counts->inserted - counts->updated;
    TRY(one_is_enough(&m) ? OK : check_counts(t, counts, err));
    return delete_missing(t, counts, err);
}
