/* What the files of the SQLite connector share: types, values, staging. */
#ifndef NEURON_SQLITE_IMPL_H
#define NEURON_SQLITE_IMPL_H

#include "connect/connector.h"
#include "store/db/sqlite_db.h"

/* What a declared type says about the values beyond SQLite's storage classes. */
typedef enum SqliteLogical {
    SQLITE_LOGICAL_NONE,
    SQLITE_LOGICAL_BOOLEAN, /* 0 and 1 are false and true */
    SQLITE_LOGICAL_DECIMAL, /* text is a decimal that a double can't hold */
    SQLITE_LOGICAL_JSON,    /* text that begins like an object or array is JSON */
} SqliteLogical;
SqliteLogical sqlite_logical(Str declared);

/* How SQLite changes values that are stored in a column of this declared type
 * (sqlite.org/datatype3.html, "Determination Of Column Affinity"). */
typedef enum SqliteAffinity {
    SQLITE_AFFINITY_INTEGER,
    SQLITE_AFFINITY_TEXT,
    SQLITE_AFFINITY_BLOB,
    SQLITE_AFFINITY_REAL,
    SQLITE_AFFINITY_NUMERIC,
} SqliteAffinity;
SqliteAffinity sqlite_affinity(Str declared);

/* The declared type for a new column; texts of the field's native type are kept when they came from
 * SQLite. */
MUST_USE Status sqlite_declared_type(const Field *field, Buf *out, Err *err);

/* Bind row `row` of the column to parameter `index`, as a column of that affinity holds it without
 * change. A value that it can't hold: *ret_reason says why (static text), and nothing is bound. */
MUST_USE Status sqlite_bind_value(sqlite3 *db, sqlite3_stmt *statement, int index,
                                  const Column *column, int64_t row, SqliteAffinity affinity,
                                  const char **ret_reason, Err *err);

/* Connector.parse: the path, and the options after `?`. */
MUST_USE Status sqlite_location_parse(Location *location, Str rest, Arena *arena, Err *err);
MUST_USE Status sqlite_source_new(const SourceReq *req, Source **ret_source, Err *err);
MUST_USE Status sqlite_sink_new(const SinkReq *req, Sink **ret_sink, Err *err);

#endif
