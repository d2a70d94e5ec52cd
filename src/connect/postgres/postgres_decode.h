/* Rows of binary COPY into columns: rows are gathered, then decoded a column at a time. */
#ifndef NEURON_POSTGRES_DECODE_H
#define NEURON_POSTGRES_DECODE_H

#include "connect/postgres/postgres_type.h"
#include "engine/column/builder.h"

/* The rows of one batch as they arrived, and where their values stand. Embedded: init … done.
 * Texts of the columns point into the rows' own bytes. One thread. */
typedef struct PostgresRows {
    int32_t column_count;
    int64_t rows_max;
    int64_t chunk_bytes;
    Buffer *chunk; /* the rows' bytes; given on to the columns */
    int64_t used;  /* bytes of chunk */
    bool whole;    /* rows stay as they came, nothing is noted of their values */
    int64_t rows;
    int32_t *places; /* [column * rows_max + row]: where the value's length stands in chunk */
} PostgresRows;

/* `whole`: rows are only put together, for Batch.wire. */
MUST_USE Status postgres_rows_init(PostgresRows *rows, int32_t column_count, int64_t rows_max,
                                   int64_t chunk_bytes, bool whole, Err *err);
void postgres_rows_done(PostgresRows *rows);
/* Forget the rows; the columns made of them live on. */
void postgres_rows_clear(PostgresRows *rows);

/* The stream's header, which stands in front of the first row: *row becomes what follows it. */
MUST_USE Status postgres_rows_header(Str *row, Err *err);
/* True for the trailer that ends a stream. */
bool postgres_rows_trailer(Str row);
/* Add a row; *ret_full true, and nothing added, when the batch has no room for it any more. A row
 * that isn't one is ERR_DATA. */
MUST_USE Status postgres_rows_add(PostgresRows *rows, Str row, bool *ret_full, Err *err);

/* A value that a column can't hold. */
typedef struct PostgresBad {
    int64_t row;
    int32_t column;
    const char *reason; /* static text */
} PostgresBad;

typedef struct PostgresBads {
    PostgresBad *items;
    int64_t count, capacity;
} PostgresBads;
void postgres_bads_done(PostgresBads *bads);

/* Decode one column into the builder (of the type that goes with the form). A value that can't be
 * held is NULL there and is added to `bads`. */
MUST_USE Status postgres_rows_column(const PostgresRows *rows, int32_t column, PostgresForm form,
                                     Builder *builder, PostgresBads *bads, Err *err);
/* The bytes of a value; ptr NULL: NULL. */
Str postgres_rows_value(const PostgresRows *rows, int32_t column, int64_t row);

#endif
