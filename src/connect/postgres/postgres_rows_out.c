/* Rows in the form of COPY that wait to be sent. */
#include "connect/postgres/postgres_rows_out.h"

#include "foundation/base/mem.h"

#define ROWS_BYTES_MAX (INT64_C(1) << 34)

void postgres_rows_out_clear(PostgresRowsOut *rows)
{
    buf_clear(&rows->bytes);
    rows->count = 0;
    while (rows->held_count > 0) batch_unref(rows->held[--rows->held_count]);
}

void postgres_rows_out_done(PostgresRowsOut *rows)
{
    postgres_rows_out_clear(rows);
    buf_done(&rows->bytes);
    mem_free(rows->ends);
    mem_free(rows->rows);
    *rows = (PostgresRowsOut){.bytes = buf_make(ROWS_BYTES_MAX)};
}

Status postgres_rows_out_reserve(PostgresRowsOut *rows, int64_t more, Err *err)
{
    if (rows->count + more <= rows->capacity) return OK;
    int64_t capacity = int64_max(rows->capacity * 2, rows->count + more);
    int64_t *ends = mem_realloc(rows->ends, capacity * (int64_t)sizeof *ends);
    if (!ends) return err_memory(err);
    rows->ends = ends;
    int64_t *numbers = mem_realloc(rows->rows, capacity * (int64_t)sizeof *numbers);
    if (!numbers) return err_memory(err);
    rows->rows = numbers;
    rows->capacity = capacity;
    return OK;
}
