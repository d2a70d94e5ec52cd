/* Keeps a state store small, in steps that nobody has to wait for. */
#include <stdio.h>

#include "foundation/base/clock.h"
#include "store/state/state_store_impl.h"

#define STEP_NS INT64_C(20000000) /* a longer step is followed by a smaller one */
enum {
    STEP_ROWS_MIN = 20,
    STEP_ROWS_MAX = 500,
    VACUUM_PAGES = 250,
    VACUUM_WHOLE_MAX = 64 << 20, /* bytes in use of a file that is rewritten at once */
};

/* What is kept by name. `next`: the name after ?1; `prune`: at most ?3 rows of ?1 beyond the newest
 * ?2. */
typedef struct NamedTable {
    const char *kind; /* NULL: as the name's first part says ("pipeline:sales") */
    const char *next, *prune;
    int64_t keep; /* 0: whoever puts one sees to it */
} NamedTable;

enum { KEEP_UNKNOWN = 100 };
static const NamedTable NAMED[] = {
    {"pipeline", "SELECT min(pipeline) FROM runs WHERE pipeline>?1",
     "DELETE FROM runs WHERE seq IN (SELECT seq FROM runs WHERE pipeline=?1 AND finished_us>0 AND"
     " seq <= (SELECT seq FROM runs WHERE pipeline=?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)"
     " ORDER BY seq LIMIT ?3)",
     1000},
    {"pipeline", "SELECT min(pipeline) FROM attempts WHERE pipeline>?1",
     "DELETE FROM attempts WHERE pipeline=?1 AND at_us IN (SELECT at_us FROM attempts WHERE"
     " pipeline=?1 AND at_us <= (SELECT at_us FROM attempts WHERE pipeline=?1 ORDER BY at_us DESC"
     " LIMIT 1 OFFSET ?2) ORDER BY at_us LIMIT ?3)",
     1000},
    {"dataset", "SELECT min(dataset) FROM reports WHERE dataset>?1",
     "DELETE FROM reports WHERE id IN (SELECT id FROM reports WHERE dataset=?1 AND id <= (SELECT id"
     " FROM reports WHERE dataset=?1 ORDER BY id DESC LIMIT 1 OFFSET ?2) ORDER BY id LIMIT ?3)",
     0},
    {NULL, "SELECT min(name) FROM ticks WHERE name>?1",
     "DELETE FROM ticks WHERE name=?1 AND scheduled_us IN (SELECT scheduled_us FROM ticks WHERE"
     " name=?1 AND scheduled_us <= (SELECT scheduled_us FROM ticks WHERE name=?1 ORDER BY"
     " scheduled_us DESC LIMIT 1 OFFSET ?2) ORDER BY scheduled_us LIMIT ?3)",
     1000},
};

/* The rest: at most ?2 rows beyond the newest ?1. */
static const struct {
    const char *prune;
    int64_t keep;
    int32_t value_count;
} REST[] = {
    {"DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE id <= (SELECT id FROM outbox"
     " ORDER BY id DESC LIMIT 1 OFFSET ?1) ORDER BY id LIMIT ?2)",
     100000, 2},
    {"DELETE FROM commands WHERE seq IN (SELECT seq FROM commands WHERE open=0 AND seq <= (SELECT"
     " seq FROM commands ORDER BY seq DESC LIMIT 1 OFFSET ?1) ORDER BY seq LIMIT ?2)",
     10000, 2},
    {"DELETE FROM notices WHERE id IN (SELECT id FROM notices WHERE id <= (SELECT id FROM notices"
     " ORDER BY id DESC LIMIT 1 OFFSET ?1) ORDER BY id LIMIT ?2)",
     20000, 2},
    {"DELETE FROM leases WHERE until_us < {now} - 86400000000", 0, 0},
};
enum { NAMED_COUNT = COUNT_OF(NAMED), REST_COUNT = COUNT_OF(REST) };

static Status name_row(void *arg, const StateRow *row, Err *err)
{
    return buf_append(arg, state_column(row, 0), err);
}

static Status prune(StateStore *store, const StateUpkeep *u, const char *sql, int64_t keep,
                    bool *ret_more, Err *err)
{
    StateQuery query = {
        .sql = sql,
        STATE_VALUES(state_text(buf_str(&u->name)), state_int(keep), state_int(u->rows))};
    TRY(state_query(store, &query, err));
    *ret_more = query.changes > 0;
    return OK;
}

static int64_t keep_of(const StateUpkeep *u, const NamedTable *table)
{
    Str name = buf_str(&u->name), kind = str_from(table->kind);
    if (!table->kind) {
        int64_t at = int64_max(str_find_char(name, ':'), 0);
        kind = str_slice(name, 0, at);
        name = str_slice(name, at + 1, name.len);
    }
    return u->known(u->arg, kind, name) ? table->keep : KEEP_UNKNOWN;
}

/* The name that is looked at loses some rows, or the next one is looked at, or the next table. */
static Status named_step(StateStore *store, StateUpkeep *u, Err *err)
{
    const NamedTable *table = &NAMED[u->stage];
    bool more = false;
    int64_t keep = u->name.len ? keep_of(u, table) : 0;
    if (keep > 0) TRY(prune(store, u, table->prune, keep, &more, err));
    if (more) return OK;
    CLEANUP(buf_done) Buf next = buf_make(1 << 20);
    StateQuery query = {.sql = table->next,
                        STATE_VALUES(state_text(buf_str(&u->name))),
                        .each = name_row,
                        .arg = &next};
    TRY(state_query(store, &query, err));
    buf_clear(&u->name);
    if (next.len == 0) u->stage++;
    return buf_append(&u->name, buf_str(&next), err);
}

static Status rest_step(StateStore *store, StateUpkeep *u, Err *err)
{
    int32_t at = u->stage - NAMED_COUNT;
    StateValue values[] = {state_int(REST[at].keep), state_int(u->rows)};
    StateQuery query = {
        .sql = REST[at].prune, .values = values, .value_count = REST[at].value_count};
    TRY(state_query(store, &query, err));
    if (query.changes == 0) u->stage++;
    return OK;
}

/* ---- the file's size ---- */

static Status pragma(StateStore *store, const char *name, int64_t *ret_value, Err *err)
{
    return sqlite_db_int64(store->db, str_from(name), ret_value, err);
}

/* Files of older versions can't shrink by steps: they are written anew once, when what is in use is
 * small. */
static Status shrink(StateStore *store, bool *ret_more, Err *err)
{
    int64_t how = 0, free_pages = 0, pages = 0, page = 0;
    *ret_more = false;
    TRY(pragma(store, "PRAGMA auto_vacuum", &how, err));
    TRY(pragma(store, "PRAGMA freelist_count", &free_pages, err));
    TRY(pragma(store, "PRAGMA page_count", &pages, err));
    TRY(pragma(store, "PRAGMA page_size", &page, err));
    /* The file itself gets shorter when the journal is taken into it. */
    if (free_pages < VACUUM_PAGES) {
        return sqlite_db_exec(store->db, "PRAGMA wal_checkpoint(PASSIVE)", err);
    }
    if (how == 0) {
        if ((pages - free_pages) * page > VACUUM_WHOLE_MAX || free_pages < pages / 2) return OK;
        TRY(sqlite_db_exec(store->db, "PRAGMA auto_vacuum=2; VACUUM", err));
        return sqlite_db_exec(store->db, "PRAGMA wal_checkpoint(TRUNCATE)", err);
    }
    char sql[64];
    (void)snprintf(sql, sizeof sql, "PRAGMA incremental_vacuum(%d)", VACUUM_PAGES);
    *ret_more = true;
    return sqlite_db_exec(store->db, sql, err);
}

static Status shrink_step(StateStore *store, StateUpkeep *u, bool *ret_more, Err *err)
{
    bool more = false;
    Status status = store->db ? state_turn_take(store, err) : OK;
    if (store->db && status == OK) {
        status = shrink(store, &more, err);
        state_turn_give(store);
    }
    *ret_more = status == OK && more;
    if (!more) u->stage++;
    return status == OK ? OK : err_prefix(err, "state store: ");
}

static Status step(StateStore *store, StateUpkeep *u, bool *ret_more, Err *err)
{
    if (u->stage < NAMED_COUNT) return named_step(store, u, err);
    if (u->stage < NAMED_COUNT + REST_COUNT) return rest_step(store, u, err);
    return shrink_step(store, u, ret_more, err);
}

Status state_upkeep_step(StateStore *store, StateUpkeep *u, bool *ret_more, Err *err)
{
    if (!u->rows) u->rows = STEP_ROWS_MIN;
    *ret_more = true;
    int64_t begun_ns = clock_mono_ns();
    TRY(step(store, u, ret_more, err));
    bool slow = clock_mono_ns() - begun_ns > STEP_NS;
    u->rows = slow ? int64_max(u->rows / 2, STEP_ROWS_MIN) : int64_min(u->rows + 20, STEP_ROWS_MAX);
    return OK;
}
