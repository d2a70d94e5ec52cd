/* What the catalog says about a target table, and whether that is still what its plan rests on. */
#ifndef NEURON_POSTGRES_LOOK_H
#define NEURON_POSTGRES_LOOK_H

#include "connect/postgres/postgres_table.h"

/* One look at the table of that name: a row for each of its columns, none where there is no such
 * table. The caller clears it. */
/* The name of the table's column in that row of the look; false: there is none. */
bool postgres_look_column(const PGresult *look, int row, Str *ret_name);
MUST_USE Status postgres_look(PostgresSink *self, Str table, PGresult **ret_look, Err *err);
/* Take the look into the table: what it is, and of each field that it has the column; found[i] is
 * set for those. ERR_SCHEMA for a field whose column the database generates. */
MUST_USE Status postgres_look_read(PostgresTable *table, const PGresult *look, bool *found,
                                   Err *err);
bool postgres_look_same(const PGresult *one, const PGresult *other);
/* The first difference that matters to the fields, for a reader: `column "a" was integer and is
 * text now`. */
MUST_USE Status postgres_look_change(const PGresult *before, const PGresult *now,
                                     const Schema *schema, Buf *out, Err *err);

/* What a column of that type takes: from its OID, category and typtype (pg_type). */
void postgres_look_kind(int64_t oid, char category, char typtype, PostgresColumn *column);
/* What follows from the kind: `base` is the type that a stage's column has. */
void postgres_look_finish(PostgresColumn *column, Str base);
/* What a column takes that is declared like this and not there yet: the server knows its words. */
MUST_USE Status postgres_look_new(PostgresSink *self, PostgresColumn *column, Err *err);
/* Staged as text, and cast by the server. */
bool postgres_look_is_cast(const PostgresColumn *column);

/* A new column of a type by PostgreSQL's own word for it. *ret_has false: the target doesn't have
 * it. */
MUST_USE Status postgres_look_native(PostgresSink *self, PostgresTable *table, Str native,
                                     PostgresColumn *column, bool *ret_has, Err *err);

#endif
