/* Fuzz target: rows of binary COPY, whatever bytes a server sends. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "connect/postgres/postgres_decode.h"
#include "engine/column/cursor_value.h"
#include "engine/column/batch.h"
#include "engine/format/json_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { COLUMNS_MAX = 8 };

/* The first byte: how many columns; then one byte per column: its form; then the stream: a byte
 * with the length of each piece (255: the rest) and the piece. */
static TypeId type_of_form(PostgresForm form)
{
    static const TypeId TYPES[] = {
        TYPE_BOOL,   TYPE_INT64,       TYPE_INT64,    TYPE_INT64, TYPE_INT64, TYPE_DOUBLE,
        TYPE_DOUBLE, TYPE_NUMERIC,     TYPE_TEXT,     TYPE_BYTES, TYPE_JSON,  TYPE_DATE,
        TYPE_TIME,   TYPE_TIMESTAMPTZ, TYPE_INTERVAL, TYPE_UUID,
    };
    return TYPES[form];
}

static void decode(const PostgresRows *rows, const PostgresForm *forms, const Schema *schema)
{
    Err err = {0};
    Batch *batch = NULL;
    PostgresBads bads = {0};
    if (batch_new(schema, &batch, &err) != OK) abort();
    for (int32_t i = 0; i < rows->column_count; i++) {
        Builder builder;
        builder_init(&builder, type_of_form(forms[i]), NULL);
        if (postgres_rows_column(rows, i, forms[i], &builder, &bads, &err) != OK) abort();
        if (builder_finish(&builder, &batch->columns[i], &err) != OK) abort();
        if (batch->columns[i].length != rows->rows) abort();
        builder_done(&builder);
    }
    batch->rows = rows->rows;
    Buf text = buf_make(INT64_C(1) << 30);
    for (int64_t row = 0; row < batch->rows; row++) {
        bool json = true;
        for (int32_t i = 0; i < rows->column_count; i++) json &= forms[i] != POSTGRES_JSONB;
        if (json && json_write_row(batch, row, &text, &err) != OK) abort();
    }
    buf_done(&text);
    for (int32_t i = 0; i < rows->column_count; i++) {
        CursorValue cursor = {0};
        if (!cursor_type_orders(schema->fields[i].type)) continue;
        Buf mark = buf_make(1 << 24);
        if (cursor_value_note(&cursor, &batch->columns[i], NULL, &err) != OK) abort();
        if (cursor_value_format(&cursor, &mark, &err) != OK) abort();
        buf_done(&mark);
        cursor_value_done(&cursor);
    }
    postgres_bads_done(&bads);
    batch_unref(batch);
}

static void feed(PostgresRows *rows, const uint8_t *data, size_t size)
{
    Err err = {0};
    bool header = true, full = false;
    for (size_t at = 0; at < size && !full;) {
        size_t len = data[at] == 255 ? size - at - 1 : data[at];
        if (len > size - at - 1) len = size - at - 1;
        /* A copy of its own, so that a read past its end is seen. */
        char *piece = malloc(len + 1);
        if (!piece) abort();
        memcpy(piece, data + at + 1, len);
        Str row = str_make(piece, (int64_t)len);
        at += len + 1;
        bool good = !header || postgres_rows_header(&row, &err) == OK;
        header = false;
        good = good && row.len > 0 && !postgres_rows_trailer(row);
        if (good) IGNORE(postgres_rows_add(rows, row, &full, &err));
        free(piece);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    int32_t count = data[0] % COLUMNS_MAX + 1;
    if (size < (size_t)count + 1) return 0;
    PostgresForm forms[COLUMNS_MAX];
    Field fields[COLUMNS_MAX];
    char names[COLUMNS_MAX][2];
    for (int32_t i = 0; i < count; i++) {
        forms[i] = (PostgresForm)(data[1 + i] % (POSTGRES_UUID + 1));
        names[i][0] = (char)('a' + i);
        fields[i] = (Field){.name = str_make(names[i], 1), .type = type_of_form(forms[i])};
    }
    Err err = {0};
    Schema *schema = NULL;
    PostgresRows rows;
    if (schema_new(fields, count, false, &schema, &err) != OK) abort();
    if (postgres_rows_init(&rows, count, 64, 4096, false, &err) != OK) abort();
    feed(&rows, data + 1 + count, size - 1 - (size_t)count);
    if (rows.rows > 0) decode(&rows, forms, schema);
    postgres_rows_done(&rows);
    schema_unref(schema);
    return 0;
}
