/* PostgreSQL's SQLSTATEs and libpq's messages as errors of our kinds. */
#include "store/db/postgres_error.h"

#include <stdatomic.h>

#include "foundation/base/redact.h"
#include "store/db/postgres_db_impl.h"

typedef struct StateKind {
    const char *prefix; /* the longest that fits counts: longer ones stand first */
    ErrKind kind;
} StateKind;

static const StateKind STATES[] = {
    {"57014", ERR_TIMEOUT},    /* statement_timeout, or an administrator's cancel */
    {"57P", ERR_CONNECT},      /* shutdown, crash, starting up */
    {"25006", ERR_PERMISSION}, /* the transaction or the server is read-only */
    {"25P03", ERR_TIMEOUT},    /* idle in transaction for too long */
    {"08", ERR_CONNECT},       {"53300", ERR_CONNECT}, /* too many connections */
    {"53", ERR_SPACE},         {"40", ERR_DEADLOCK},
    {"55P03", ERR_DEADLOCK}, /* a lock was not to be had in time */
    {"55", ERR_SCHEMA},        {"28", ERR_PERMISSION},
    {"42501", ERR_PERMISSION}, {"42P01", ERR_NOT_FOUND},
    {"42703", ERR_NOT_FOUND},  {"42883", ERR_NOT_FOUND},
    {"42704", ERR_NOT_FOUND},  {"3D000", ERR_NOT_FOUND},
    {"3F000", ERR_NOT_FOUND},  {"22", ERR_DATA},
    {"21", ERR_DATA},          {"23", ERR_CONSTRAINT},
    {"44", ERR_CONSTRAINT},    {"P0", ERR_CONSTRAINT},
    {"54", ERR_LIMIT},         {"58", ERR_IO},
    {"XX001", ERR_IO},         {"XX002", ERR_IO},
    {"XX", ERR_INTERNAL},
};

ErrKind postgres_error_kind(const char *sqlstate, bool cancelled)
{
    if (cancelled && strncmp(sqlstate, "57014", 5) == 0) return ERR_CANCELLED;
    for (int64_t i = 0; i < COUNT_OF(STATES); i++) {
        if (strncmp(sqlstate, STATES[i].prefix, strlen(STATES[i].prefix)) == 0) {
            return STATES[i].kind;
        }
    }
    return ERR_SCHEMA;
}

static bool state_in(const char *sqlstate, const char *const *classes)
{
    for (; *classes; classes++) {
        if (strncmp(sqlstate, *classes, strlen(*classes)) == 0) return true;
    }
    return false;
}

/* States that say nothing about rows. */
static const char *const ENVIRONMENT[] = {"08", "25", "28", "40", "53", "55P03", "57",
                                          "58", "72", "F0", "HV", "XX", NULL};
/* States of a statement that is wrong whatever its rows are, missing rights and objects among
 * them. */
static const char *const STATEMENT[] = {"03", "0B", "24", "26", "2D", "34",
                                        "3B", "3D", "3F", "42", NULL};

static bool is_from(const PGresult *result, const char *name)
{
    const char *function = PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION);
    return function && strcmp(function, name) == 0;
}

static bool is_raised(const PGresult *result)
{
    return is_from(result, "exec_stmt_raise");
}

static ErrKind result_kind(const PGresult *result, const char *sqlstate, bool cancelled)
{
    bool policy = strcmp(sqlstate, "42501") == 0 && is_from(result, "ExecWithCheckOptions");
    bool raised = is_raised(result) && sqlstate[0] && !state_in(sqlstate, ENVIRONMENT);
    return policy || raised ? ERR_CONSTRAINT : postgres_error_kind(sqlstate, cancelled);
}

WriteError postgres_error_in_write(const Err *err)
{
    if (err->kind == ERR_CONSTRAINT || err->kind == ERR_DATA) return WRITE_ERROR_ROW;
    /* An index entry, a tsvector, a row that is too long. */
    if (strcmp(err->sqlstate, "54000") == 0) return WRITE_ERROR_ROW;
    bool other = !err->sqlstate[0] || state_in(err->sqlstate, ENVIRONMENT) ||
                 state_in(err->sqlstate, STATEMENT);
    return other ? WRITE_ERROR_RUN : WRITE_ERROR_UNSURE;
}

static const char FULL[] =
    "make room on the database server's disk, then run again: what wasn't committed is undone";
static const char LOST[] = "what wasn't committed is undone: run again when the server is back";

static Status put_hint(const char *sqlstate, Err *err)
{
    if (strcmp(sqlstate, "42P01") == 0) {
        return err_hint(err, "check the name and its schema (the user's search_path counts)");
    }
    if (strcmp(sqlstate, "42703") == 0) {
        return err_hint(err, "check the column's name, or leave it out");
    }
    if (strcmp(sqlstate, "3F000") == 0) return err_hint(err, "create the schema, or name another");
    if (strcmp(sqlstate, "25006") == 0) {
        return err_hint(err, "a standby and a read-only database can only be read: name another");
    }
    if (strcmp(sqlstate, "53300") == 0) {
        return err_hint(err, "raise max_connections there, or `retry:` later");
    }
    if (strncmp(sqlstate, "57P", 3) == 0 || strncmp(sqlstate, "08", 2) == 0) {
        return err_hint(err, "%s", LOST);
    }
    if (strcmp(sqlstate, "42501") == 0 && (!err || err->kind == ERR_PERMISSION)) {
        return err_hint(err, "the database's owner must GRANT it to the user of the URL");
    }
    if (strncmp(sqlstate, "28", 2) == 0) {
        return err_hint(err, "check user and password of the URL, or .pgpass");
    }
    if (strcmp(sqlstate, "3D000") == 0) return err_hint(err, "check the database of the URL");
    if (strcmp(sqlstate, "53100") == 0) return err_hint(err, "%s", FULL);
    if (strcmp(sqlstate, "57014") == 0 && err && err->kind == ERR_TIMEOUT) {
        return err_hint(err, "see statement_timeout on the server");
    }
    return FAIL;
}

/* Of a mistake in a statement: "LINE 2: SELEC 1", the line of it that the server points at. */
static void where_in_statement(const PGresult *result, Err *err)
{
    Str rest = str_from(PQresultErrorMessage(result));
    Str line = STR_NULL;
    while (rest.len && str_next_part(&rest, '\n', &line)) {
        if (!str_starts(line, STR("LINE "))) continue;
        (void)err_where(err, "%.*s", STR_ARG(line));
        return;
    }
}

/* "Key (id)=(1) already exists" helps; "Failing row contains (…)" would show the whole row. */
static bool detail_is_fit(const char *detail)
{
    return detail && strncmp(detail, "Failing row", 11) != 0;
}

/* Raised by a function in a procedural language: the text may hold anything. */
static bool is_from_language(const PGresult *result)
{
    const char *file = PQresultErrorField(result, PG_DIAG_SOURCE_FILE);
    return !file || strncmp(file, "pl", 2) == 0;
}

/* The server points at a place of our own statement: it failed before any row was read. */
static bool is_of_statement(const PGresult *result)
{
    return PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION) &&
           !PQresultErrorField(result, PG_DIAG_INTERNAL_QUERY);
}

/* May the server's own text be shown where values are masked? By default not: a row's value may be
 * the name that isn't found ('…'::regclass) or a piece of a statement that a function made. */
static bool text_is_fit(const PGresult *result, const char *sqlstate)
{
    /* What is said of sessions, transactions and resources holds no value of a row. */
    static const char *const SERVER[] = {"08", "25", "28", "40", "53", "57", NULL};
    static const char *const NAMES[] = {"0A", "3D", "3F", "42", NULL};
    if (!sqlstate[0]) return true;
    if (is_from_language(result)) return false;
    if (state_in(sqlstate, SERVER)) return true;
    if (state_in(sqlstate, NAMES)) {
        return is_of_statement(result) || is_from(result, "aclcheck_error");
    }
    /* The primary text of a constraint names it and its table; the row is in the detail. */
    return strncmp(sqlstate, "23", 2) == 0 && PQresultErrorField(result, PG_DIAG_TABLE_NAME);
}

/* What may be said where values are masked: the state, in words where we know them. */
static const char *masked_text(const char *sqlstate)
{
    static const char *const NAMES[][2] = {
        {"22001", "a text is too long for its type"},
        {"22003", "a number is out of range"},
        {"22007", "a date or time can't be read"},
        {"22008", "a date or time is out of range"},
        {"22012", "division by zero"},
        {"22021", "a byte sequence is not valid in the encoding"},
        {"22P02", "a text can't be read as its type"},
        {"22P05", "a character can't be had in the encoding"},
        {"42601", "a statement that is made of values has a syntax error"},
        {"42704", "what a value names does not exist"},
        {"42883", "what a value names does not exist"},
        {"42P01", "what a value names does not exist"},
        {"P0001", "raised by a function of the database"},
    };
    for (int64_t i = 0; i < COUNT_OF(NAMES); i++) {
        if (strcmp(NAMES[i][0], sqlstate) == 0) return NAMES[i][1];
    }
    return "the server's message is masked";
}

Status postgres_error_result(const PGresult *result, bool cancelled, Err *err)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
    const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
    if (!sqlstate) sqlstate = "";
    if (!message) message = "an answer that was not expected";
    bool fit = !redact_values() || text_is_fit(result, sqlstate);
    if (redact_values()) {
        if (!fit) message = masked_text(sqlstate);
        if (!fit) hint = NULL;
        detail = NULL;
    }
    (void)err_set(err, result_kind(result, sqlstate, cancelled), "postgresql: %s%s%s%s", message,
                  detail_is_fit(detail) ? " (" : "", detail_is_fit(detail) ? detail : "",
                  detail_is_fit(detail) ? ")" : "");
    if (err && strlen(sqlstate) == 5) memcpy(err->sqlstate, sqlstate, 6);
    const char *table = PQresultErrorField(result, PG_DIAG_TABLE_NAME);
    const char *column = PQresultErrorField(result, PG_DIAG_COLUMN_NAME);
    if (fit && strncmp(sqlstate, "42", 2) == 0) where_in_statement(result, err);
    if (column) (void)err_where(err, "column %s", column);
    else if (table) (void)err_where(err, "table %s", table);
    /* "Check free disk space" says less than we can. */
    if (hint && strcmp(sqlstate, "53100") != 0) return err_hint(err, "%s", hint);
    return put_hint(sqlstate, err);
}

/* In a verbose message of the server stands "FATAL:  28P01: …"; the word before is translated. */
static const char *find_sqlstate(const char *message)
{
    for (const char *at = strstr(message, ":  "); at; at = strstr(at + 1, ":  ")) {
        const char *state = at + 3;
        int64_t len = (int64_t)strspn(state, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        if (len == 5 && state[5] == ':') return state;
    }
    return NULL;
}

/* The last line with a message counts: with several hosts each has its own. */
static Str message_line(const char *message)
{
    Str rest = str_trim(str_from(message));
    Str line = STR_NULL, found = STR_NULL;
    while (rest.len && str_next_part(&rest, '\n', &line)) {
        bool more = line.len && (line.ptr[0] == '\t' || str_starts(line, STR("LOCATION")));
        if (line.len && !more) found = line;
    }
    return found;
}

Status postgres_error_connection(const PGconn *conn, bool opening, Err *err)
{
    const char *message = PQerrorMessage(conn);
    const char *state = find_sqlstate(message);
    Str line = message_line(message);
    if (!line.len) line = STR("the connection is lost");
    char sqlstate[6] = "";
    if (state) memcpy(sqlstate, state, 5);
    ErrKind kind = state ? postgres_error_kind(sqlstate, false) : ERR_CONNECT;
    if (!state && PQconnectionNeedsPassword(conn)) kind = ERR_PERMISSION;
    (void)err_set(err, kind, "postgresql: %.*s", STR_ARG(line));
    if (err) memcpy(err->sqlstate, sqlstate, 6);
    if (state) return put_hint(sqlstate, err);
    if (kind == ERR_PERMISSION) return err_hint(err, "give a password in the URL or in .pgpass");
    if (!opening) {
        return err_hint(err, "%s", LOST);
    }
    return err_hint(err, "is the server running there, and does it take connections from here?");
}

Status postgres_db_error(PostgresDb *db, const PGresult *result, Err *err)
{
    bool cancelled = atomic_load(&db->cancelled);
    bool lost = PQstatus(db->conn) == CONNECTION_BAD;
    if (result && PQresultErrorField(result, PG_DIAG_SQLSTATE)) {
        return postgres_error_result(result, cancelled, err);
    }
    if (cancelled) return err_set(err, ERR_CANCELLED, "cancelled");
    if (!result || lost) return postgres_error_connection(db->conn, false, err);
    return postgres_error_result(result, cancelled, err);
}
