/* Keeps others from altering a target table while rows made for its plan are on their way. */
#include "connect/postgres/postgres_hold.h"

#include "connect/postgres/postgres_look.h"
#include "connect/postgres/postgres_sink.h"
#include "connect/postgres/postgres_target.h"

/* A table that is altered again each time that it is looked at is given up. */
enum { RENEW_TRIES = 5 };

/* The lock of a statement that is only parsed: that of an INSERT, for a user that may write some
 * columns only, for views and foreign tables too, none of which LOCK TABLE takes. New columns need
 * the strongest lock, taken at once: two that hold the weaker one would wait for each other. */
Status postgres_table_hold_sql(const PostgresTable *table, Buf *sql, Err *err)
{
    bool alone = table->new_count > 0 && !table->foreign;
    TRY(buf_append(sql, alone ? STR("LOCK TABLE ") : STR("PREPARE neuron_hold AS INSERT INTO "),
                   err));
    TRY(postgres_db_quote_table(sql, buf_str(&table->name), err));
    return buf_append(sql,
                      alone ? STR(" IN ACCESS EXCLUSIVE MODE")
                            : STR(" DEFAULT VALUES; DEALLOCATE neuron_hold"),
                      err);
}

static Status hold_error(const PostgresTable *table, Err *err)
{
    Str name = buf_str(&table->name);
    if (strcmp(err->sqlstate, "55P03") == 0) {
        (void)err_set(err, ERR_DEADLOCK, "table \"%.*s\" is locked by another session",
                      STR_ARG(name));
        memcpy(err->sqlstate, "55P03", 6);
        return err_hint(err, "ALTER TABLE, VACUUM FULL and the like hold it; pg_locks says who");
    }
    if (strcmp(err->sqlstate, "42P01") != 0) return FAIL;
    return table_dropped(name, err);
}

/* Waits for a lock that others hold as long as lock_timeout says, a minute where it says nothing.
 */
static Status hold(PostgresSink *self, const PostgresTable *table, Err *err)
{
    if (!table->exists) return OK;
    Buf *sql = &self->core.sql;
    buf_clear(sql);
    TRY(buf_append(sql,
                   STR("SELECT pg_catalog.set_config('lock_timeout', '60s', true)"
                       " WHERE pg_catalog.current_setting('lock_timeout') = '0'; "),
                   err));
    TRY(postgres_table_hold_sql(table, sql, err));
    TRY(buf_append(sql, STR("; SET LOCAL lock_timeout TO DEFAULT"), err));
    return postgres_session_run(self, err) == OK ? OK : hold_error(table, err);
}

/* ---- a plan for the table as it is now ---- */

static Status unsteady(const PostgresTable *table, Err *err)
{
    return err_set(err, ERR_DEADLOCK, "table \"%.*s\" is altered again and again",
                   STR_ARG(buf_str(&table->name)));
}

static Status plan_again(PostgresSink *self, PostgresTable *table, Err *err)
{
    CLEANUP(schema_unref_p) Schema *schema = schema_ref(table->schema);
    CLEANUP(buf_done) Buf name = buf_make(4096);
    TRY(buf_append(&name, buf_str(&table->name), err));
    if (table == &self->out) return postgres_target_look(self, buf_str(&name), schema, err);
    return postgres_table_inspect(self, table, buf_str(&name), schema, true, true, err);
}

static Status altered(const PostgresTable *table, const PGresult *now, Buf *out, Err *err)
{
    TRY(buf_printf(out, err, "table \"%.*s\" was altered meanwhile (",
                   STR_ARG(buf_str(&table->name))));
    TRY(postgres_look_change(table->look, now, table->schema, out, err));
    return buf_append(out, STR(")"), err);
}

static Status renew(PostgresSink *self, PostgresTable *table, const PGresult *now, Err *err)
{
    CLEANUP(buf_done) Buf what = buf_make(1 << 16);
    TRY(altered(table, now, &what, err));
    if (table->exists && PQntuples(now) == 0) return table_dropped(buf_str(&table->name), err);
    if (plan_again(self, table, err) == OK) return OK;
    return err_prefix(err, "%.*s: ", STR_ARG(buf_str(&what)));
}

Status postgres_table_renew(PostgresSink *self, PostgresTable *table, bool wanted, Err *err)
{
    for (int i = 0; i < RENEW_TRIES; i++) {
        CLEANUP(postgres_db_clear_p) PGresult *now = NULL;
        if (wanted) TRY(hold(self, table, err));
        TRY(postgres_look(self, buf_str(&table->name), &now, err));
        if (postgres_look_same(table->look, now)) {
            table->held = wanted && table->exists;
            return OK;
        }
        TRY(renew(self, table, now, err));
    }
    return unsteady(table, err);
}

/* ---- rows that are made already ---- */

/* What was made for the one plan is right for the other. */
static bool columns_same(const PostgresTable *one, const PostgresTable *other)
{
    for (int32_t i = 0; i < one->schema->count; i++) {
        const PostgresColumn *a = &one->columns[i], *b = &other->columns[i];
        if (a->kind != b->kind || a->identity != b->identity || !str_eq(a->declared, b->declared)) {
            return false;
        }
    }
    return true;
}

static Status altered_error(const PostgresTable *table, const PGresult *now, Err *err)
{
    CLEANUP(buf_done) Buf what = buf_make(1 << 16);
    TRY(altered(table, now, &what, err));
    (void)err_set(err, ERR_DEADLOCK, "%.*s", STR_ARG(buf_str(&what)));
    return err_hint(err, "run again: it is then planned for the new definition");
}

/* The rows stay as they are: only what says how they get in may change. */
static Status take_look(PostgresSink *self, PostgresTable *table, Err *err)
{
    const SinkReq *req = self->core.sink.req;
    bool out = table == &self->out;
    PostgresTable now = {.prefix = table->prefix};
    Status status = postgres_table_inspect(self, &now, buf_str(&table->name), table->schema,
                                           !out || req->create, !out || req->evolve, err);
    if (status == OK && !columns_same(table, &now)) status = altered_error(table, now.look, err);
    if (status == OK) {
        PostgresTable before = *table;
        *table = now;
        now = before;
    }
    postgres_table_done(&now);
    return status;
}

Status postgres_table_hold(PostgresSink *self, PostgresTable *table, Err *err)
{
    if (table->prepared) return OK; /* made or altered by this very transaction */
    for (int i = 0; i < RENEW_TRIES && !table->held; i++) {
        CLEANUP(postgres_db_clear_p) PGresult *now = NULL;
        TRY(hold(self, table, err));
        TRY(postgres_look(self, buf_str(&table->name), &now, err));
        if (postgres_look_same(table->look, now)) {
            table->held = table->exists;
            return OK;
        }
        if (PQntuples(now) == 0) return altered_error(table, now, err);
        TRY(take_look(self, table, err));
    }
    return table->held ? OK : unsteady(table, err);
}
