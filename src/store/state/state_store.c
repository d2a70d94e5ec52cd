/* The state store's file: opening, tables, and the one way to run a statement. */
#include "store/state/state_store.h"

#include <fcntl.h>
#include <pthread.h>

#include "foundation/base/file.h"
#include "foundation/base/mem.h"
#include "store/state/state_store_impl.h"

enum { STATE_VERSION = 1, STATE_APPLICATION = 0x6e65726f };

struct StateStore {
    pthread_mutex_t lock;
    sqlite3 *db;
};

static const char TABLES[] =
    "CREATE TABLE IF NOT EXISTS runs(seq INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL"
    " UNIQUE, pipeline TEXT NOT NULL, trigger TEXT NOT NULL, status TEXT NOT NULL, scheduled_us"
    " INTEGER NOT NULL, started_us INTEGER NOT NULL, finished_us INTEGER NOT NULL, attempts INTEGER"
    " NOT NULL, result TEXT NOT NULL);"
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
    "CREATE TABLE IF NOT EXISTS outbox(id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL,"
    " body TEXT NOT NULL, at_us INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS commands(seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL"
    " UNIQUE, type TEXT NOT NULL, status TEXT NOT NULL, body TEXT NOT NULL, result TEXT NOT NULL,"
    " at_us INTEGER NOT NULL, open INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS tokens(url TEXT NOT NULL, id TEXT NOT NULL, token TEXT NOT NULL,"
    " PRIMARY KEY(url, id));"
    "CREATE TABLE IF NOT EXISTS alerts(fingerprint TEXT PRIMARY KEY NOT NULL, state TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS notices(id INTEGER PRIMARY KEY AUTOINCREMENT, receiver TEXT NOT"
    " NULL, body TEXT NOT NULL, at_us INTEGER NOT NULL, attempts INTEGER NOT NULL, due_us INTEGER"
    " NOT NULL);"
    "CREATE INDEX IF NOT EXISTS notices_receiver ON notices(receiver, id);"
    "CREATE TABLE IF NOT EXISTS ticks(name TEXT NOT NULL, scheduled_us INTEGER NOT NULL, owner TEXT"
    " NOT NULL, PRIMARY KEY(name, scheduled_us)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS pairs(key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL);";

/* The path of a SQLite URL; a driver suffix (sqlite+aiosqlite) is ignored. */
static Status path_of_url(Str url, Str *ret_path, Err *err)
{
    int64_t at = str_find(url, STR("://"));
    Str scheme = str_slice(url, 0, at < 0 ? 0 : at);
    int64_t plus = str_find_char(scheme, '+');
    if (plus >= 0) scheme = str_slice(scheme, 0, plus);
    if (str_starts(scheme, STR("postgres"))) {
        (void)err_set(err, ERR_CONFIG, "state: PostgreSQL is not supported as a state store yet");
        return err_hint(err, "use sqlite:///neuron-state.db; one neuron per store");
    }
    Str path = str_slice(url, at + 3, url.len);
    if (at < 0 || !str_eq(scheme, STR("sqlite")) || path.len < 2 || path.ptr[0] != '/') {
        (void)err_set(err, ERR_CONFIG, "state: not the URL of a state store");
        return err_hint(err, "write sqlite:///relative.db or sqlite:////absolute.db");
    }
    *ret_path = str_slice(path, 1, path.len);
    return OK;
}

/* Only the owner may read it: it holds tokens. */
static Status make_private(Str path, Err *err)
{
    if (file_exists(path)) return OK;
    CLEANUP(file_close_p) int fd = -1;
    return file_open(path, O_RDWR | O_CREAT, 0600, &fd, err);
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

static Status check_whole(sqlite3 *db, Err *err)
{
    CLEANUP(sqlite_db_finalize_p) sqlite3_stmt *statement = NULL;
    bool row = false;
    TRY(sqlite_db_prepare(db, STR("PRAGMA quick_check(1)"), &statement, err));
    TRY(sqlite_db_step(db, statement, &row, err));
    Str answer = row ? state_column(statement, 0) : STR_NULL;
    if (str_eq(answer, STR("ok"))) return OK;
    (void)err_set(err, ERR_IO, "it is damaged: %.*s", STR_ARG(answer));
    return err_hint(err, "restore a backup, or move the file away to begin anew");
}

static Status set_up(sqlite3 *db, Err *err)
{
    TRY(sqlite_db_exec(db, "PRAGMA cache_size=-1024", err));
    TRY(check_owner(db, err));
    TRY(check_whole(db, err));
    TRY(sqlite_db_exec(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL", err));
    TRY(sqlite_db_exec(db, "BEGIN IMMEDIATE", err));
    TRY(sqlite_db_exec(db, TABLES, err));
    TRY(sqlite_db_exec(db, "PRAGMA application_id=1852142191; PRAGMA user_version=1", err));
    return sqlite_db_exec(db, "COMMIT", err);
}
static_assert(STATE_APPLICATION == 1852142191, "the pragma above names it");

Status state_store_open(Str url, StateStore **ret_store, Err *err)
{
    Str path;
    TRY(path_of_url(url, &path, err));
    sqlite3 *db = NULL;
    Status status = make_private(path, err);
    if (status == OK) status = sqlite_db_open(path, SQLITE_DB_CREATE, &db, err);
    if (status == OK) status = set_up(db, err);
    StateStore *store = status == OK ? mem_zalloc((int64_t)sizeof *store) : NULL;
    if (status == OK && !store) status = err_memory(err);
    if (status != OK) {
        sqlite_db_close(db);
        return err_prefix(err, "the state store %.*s can't be used: ", STR_ARG(path));
    }
    pthread_mutex_init(&store->lock, NULL);
    store->db = db;
    *ret_store = store;
    return OK;
}

void state_store_close(StateStore *store)
{
    if (!store) return;
    sqlite_db_close(store->db);
    pthread_mutex_destroy(&store->lock);
    mem_free(store);
}

Str state_column(sqlite3_stmt *row, int column)
{
    const char *text = (const char *)sqlite3_column_text(row, column);
    return str_make(text, text ? sqlite3_column_bytes(row, column) : 0);
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

static Status run_locked(sqlite3 *db, StateQuery *query, Err *err)
{
    CLEANUP(sqlite_db_finalize_p) sqlite3_stmt *statement = NULL;
    TRY(sqlite_db_prepare(db, str_from(query->sql), &statement, err));
    bind(statement, query);
    bool row = true;
    while (true) {
        TRY(sqlite_db_step(db, statement, &row, err));
        if (!row) break;
        if (query->each) TRY(query->each(query->arg, statement, err));
    }
    query->changes = sqlite3_changes64(db);
    query->last_id = sqlite3_last_insert_rowid(db);
    return OK;
}

Status state_queries(StateStore *store, StateQuery *queries, int32_t count, Err *err)
{
    pthread_mutex_lock(&store->lock);
    Status status = count > 1 ? sqlite_db_exec(store->db, "BEGIN IMMEDIATE", err) : OK;
    for (int32_t i = 0; i < count && status == OK; i++) {
        status = run_locked(store->db, &queries[i], err);
    }
    if (count > 1 && status == OK) status = sqlite_db_exec(store->db, "COMMIT", err);
    if (count > 1 && status != OK) {
        IGNORE(sqlite_db_exec(store->db, "ROLLBACK", NULL)); /* the first error is the one to say */
    }
    pthread_mutex_unlock(&store->lock);
    if (status == OK) return OK;
    return err_prefix(err, "state store: ");
}

Status state_query(StateStore *store, StateQuery *query, Err *err)
{
    return state_queries(store, query, 1, err);
}

Status state_store_check(StateStore *store, Err *err)
{
    StateQuery query = {.sql = "INSERT OR REPLACE INTO pairs(key, value) VALUES('check', '')"};
    return state_query(store, &query, err);
}
