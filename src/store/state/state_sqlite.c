/* State stores in a SQLite file: opening, tables, statements. */
#include <fcntl.h>

#include "foundation/base/file.h"
#include "foundation/obs/log.h"
#include "store/state/state_store_impl.h"

enum { STATE_VERSION = 2, STATE_APPLICATION = 0x6e65726f };
enum { CHECKED_MAX = 64 << 20 };

static const char TABLES[] =
    "CREATE TABLE IF NOT EXISTS runs(seq INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL"
    " UNIQUE, pipeline TEXT NOT NULL, trigger TEXT NOT NULL, status TEXT NOT NULL, scheduled_us"
    " INTEGER NOT NULL, started_us INTEGER NOT NULL, finished_us INTEGER NOT NULL, attempts INTEGER"
    " NOT NULL, result TEXT NOT NULL, scope TEXT NOT NULL DEFAULT '');"
    "CREATE INDEX IF NOT EXISTS runs_pipeline ON runs(pipeline, seq);"
    "CREATE INDEX IF NOT EXISTS runs_status ON runs(status, seq);"
    "CREATE TABLE IF NOT EXISTS attempts(pipeline TEXT NOT NULL, at_us INTEGER NOT NULL, run_id "
    "TEXT"
    " NOT NULL, kind TEXT NOT NULL);"
    "CREATE INDEX IF NOT EXISTS attempts_at ON attempts(pipeline, at_us);"
    "CREATE TABLE IF NOT EXISTS reports(id INTEGER PRIMARY KEY AUTOINCREMENT, dataset TEXT NOT "
    "NULL,"
    " at_us INTEGER NOT NULL, score REAL NOT NULL, verdict TEXT NOT NULL, report TEXT NOT NULL);"
    "CREATE INDEX IF NOT EXISTS reports_dataset ON reports(dataset, at_us);"
    "CREATE INDEX IF NOT EXISTS reports_newest ON reports(dataset, id);"
    "CREATE TABLE IF NOT EXISTS outbox(id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL,"
    " body TEXT NOT NULL, at_us INTEGER NOT NULL, scope TEXT NOT NULL DEFAULT '');"
    "CREATE INDEX IF NOT EXISTS outbox_scope ON outbox(scope, id);"
    "CREATE TABLE IF NOT EXISTS commands(seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL"
    " UNIQUE, type TEXT NOT NULL, status TEXT NOT NULL, body TEXT NOT NULL, result TEXT NOT NULL,"
    " at_us INTEGER NOT NULL, open INTEGER NOT NULL, scope TEXT NOT NULL DEFAULT '');"
    "CREATE TABLE IF NOT EXISTS tokens(url TEXT NOT NULL, id TEXT NOT NULL, token TEXT NOT NULL,"
    " PRIMARY KEY(url, id));"
    "CREATE TABLE IF NOT EXISTS alerts(fingerprint TEXT PRIMARY KEY NOT NULL, state TEXT NOT NULL, "
    "scope TEXT NOT NULL DEFAULT '');"
    "CREATE TABLE IF NOT EXISTS notices(id INTEGER PRIMARY KEY AUTOINCREMENT, receiver TEXT NOT"
    " NULL, body TEXT NOT NULL, at_us INTEGER NOT NULL, attempts INTEGER NOT NULL, due_us INTEGER"
    " NOT NULL, scope TEXT NOT NULL DEFAULT '');"
    "CREATE INDEX IF NOT EXISTS notices_receiver ON notices(receiver, id);"
    "CREATE TABLE IF NOT EXISTS ticks(name TEXT NOT NULL, scheduled_us INTEGER NOT NULL, owner TEXT"
    " NOT NULL, PRIMARY KEY(name, scheduled_us)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS pairs(key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS leases(name TEXT PRIMARY KEY NOT NULL, owner TEXT NOT NULL,"
    " until_us INTEGER NOT NULL);";

/* Only the owner may read it: it holds tokens. */
static Status make_private(Str path, Err *err)
{
    if (file_exists(path)) return OK;
    CLEANUP(file_close_p) int fd = -1;
    TRY(file_open(path, O_RDWR | O_CREAT, 0600, &fd, err));
    LOG(LOG_INFO, "state", "there was no state store: a new, empty one is made",
        log_text("file", path));
    return OK;
}

static Status check_owner(sqlite3 *db, Err *err)
{
    int64_t application = 0, version = 0, tables = 0;
    TRY(sqlite_db_int64(db, STR("PRAGMA application_id"), &application, err));
    TRY(sqlite_db_int64(db, STR("PRAGMA user_version"), &version, err));
    TRY(sqlite_db_int64(db, STR("SELECT count(*) FROM sqlite_master"), &tables, err));
    if (tables && application != STATE_APPLICATION) {
        (void)err_set(err, ERR_IO, "it is a database of something else, not a state store");
        return err_hint(err, "name a file of its own under `state:`");
    }
    if (version <= STATE_VERSION) return OK;
    (void)err_set(err, ERR_IO, "it was written by a newer neuron");
    return err_hint(err, "run that version, or begin with a new file");
}

/* Reads all of it: a large one would take seconds at each start, and is found out when it is used.
 */
static Status check_whole(sqlite3 *db, Err *err)
{
    int64_t pages = 0, page = 0;
    TRY(sqlite_db_int64(db, STR("PRAGMA page_count"), &pages, err));
    TRY(sqlite_db_int64(db, STR("PRAGMA page_size"), &page, err));
    if (pages * page > CHECKED_MAX) return OK;
    CLEANUP(sqlite_db_finalize_p) sqlite3_stmt *statement = NULL;
    bool row = false;
    TRY(sqlite_db_prepare(db, STR("PRAGMA quick_check(1)"), &statement, err));
    TRY(sqlite_db_step(db, statement, &row, err));
    const char *text = row ? (const char *)sqlite3_column_text(statement, 0) : NULL;
    Str answer = str_from(text);
    if (str_eq(answer, STR("ok"))) return OK;
    (void)err_set(err, ERR_IO, "it is damaged: %.*s", STR_ARG(answer));
    return err_hint(err, "restore a backup, or move the file away to start with an empty one");
}

/* Tables of version 1 had no scope. */
static const char UPGRADE[] = "ALTER TABLE runs ADD COLUMN scope TEXT NOT NULL DEFAULT '';"
                              "ALTER TABLE commands ADD COLUMN scope TEXT NOT NULL DEFAULT '';"
                              "ALTER TABLE outbox ADD COLUMN scope TEXT NOT NULL DEFAULT '';"
                              "ALTER TABLE alerts ADD COLUMN scope TEXT NOT NULL DEFAULT '';";

static Status upgrade(sqlite3 *db, Err *err)
{
    int64_t version = 0, notices = 0;
    TRY(sqlite_db_int64(db, STR("PRAGMA user_version"), &version, err));
    if (version != 1) return OK;
    TRY(sqlite_db_exec(db, UPGRADE, err));
    TRY(sqlite_db_int64(db, STR("SELECT count(*) FROM sqlite_master WHERE name='notices'"),
                        &notices, err));
    if (!notices) return OK;
    return sqlite_db_exec(db, "ALTER TABLE notices ADD COLUMN scope TEXT NOT NULL DEFAULT ''", err);
}

static Status set_up(sqlite3 *db, Err *err)
{
    /* auto_vacuum counts in a new file only; the journal gives back what a long one took. */
    TRY(sqlite_db_exec(db, "PRAGMA cache_size=-1024; PRAGMA auto_vacuum=2", err));
    TRY(sqlite_db_exec(db, "PRAGMA journal_size_limit=4194304", err));
    TRY(check_owner(db, err));
    TRY(check_whole(db, err));
    TRY(sqlite_db_exec(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL", err));
    TRY(sqlite_db_exec(db, "BEGIN IMMEDIATE", err));
    TRY(upgrade(db, err));
    TRY(sqlite_db_exec(db, TABLES, err));
    TRY(sqlite_db_exec(db, "PRAGMA application_id=1852142191; PRAGMA user_version=2", err));
    return sqlite_db_exec(db, "COMMIT", err);
}
static_assert(STATE_APPLICATION == 1852142191, "the pragma above names it");

Status state_sqlite_open(Str path, StateStore *store, Err *err)
{
    TRY(make_private(path, err));
    TRY(sqlite_db_open(path, SQLITE_DB_CREATE, &store->db, err));
    return set_up(store->db, err);
}

static void bind(sqlite3_stmt *statement, const StateQuery *query)
{
    for (int i = 0; i < query->value_count; i++) {
        const StateValue *v = &query->values[i];
        if (v->kind == STATE_INT) (void)sqlite3_bind_int64(statement, i + 1, v->integer);
        else if (v->kind == STATE_REAL) (void)sqlite3_bind_double(statement, i + 1, v->real);
        else {
            (void)sqlite3_bind_text64(statement, i + 1, v->text.ptr ? v->text.ptr : "",
                                      (sqlite3_uint64)v->text.len, SQLITE_STATIC, SQLITE_UTF8);
        }
    }
}

static Status run_one(StateStore *store, StateQuery *query, Err *err)
{
    static const char NOW[] = "CAST((julianday('now')-2440587.5)*86400000000 AS INTEGER)";
    CLEANUP(sqlite_db_finalize_p) sqlite3_stmt *statement = NULL;
    TRY(state_sql(store, query, NOW, false, err));
    TRY(sqlite_db_prepare(store->db, buf_str(&store->sql), &statement, err));
    bind(statement, query);
    StateRow row = {.sqlite = statement};
    int64_t before = sqlite3_total_changes64(store->db);
    bool more = true;
    while (true) {
        TRY(sqlite_db_step(store->db, statement, &more, err));
        if (!more) break;
        if (query->each) TRY(query->each(query->arg, &row, err));
    }
    query->changes = sqlite3_total_changes64(store->db) - before;
    return OK;
}

/* Until the same file is back, nothing is read from or written into one that nobody finds again. */
static Status check_in_place(StateStore *store, Err *err)
{
    if (!sqlite_db_has_moved(store->db)) return OK;
    const char *path = sqlite3_db_filename(store->db, "main");
    bool other = file_exists(str_from(path));
    (void)err_set(err, ERR_IO,
                  other ? "another file is in the place of %s" : "%s was removed or moved", path);
    return err_hint(err, "put the file back, or restart the neuron to go on with %s",
                    other ? "the one that is there" : "a new, empty one");
}

Status state_sqlite_run(StateStore *store, StateQuery *queries, int32_t count, Err *err)
{
    TRY(check_in_place(store, err));
    Status status = count > 1 ? sqlite_db_exec(store->db, "BEGIN IMMEDIATE", err) : OK;
    for (int32_t i = 0; i < count && status == OK; i++) status = run_one(store, &queries[i], err);
    if (count > 1 && status == OK) status = sqlite_db_exec(store->db, "COMMIT", err);
    if (count > 1 && status != OK) {
        IGNORE(sqlite_db_exec(store->db, "ROLLBACK", NULL)); /* the first error is the one to say */
    }
    return status;
}
