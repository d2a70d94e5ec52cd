/* JSON text into a buffer: single values for hot paths, and a writer that places the commas. */
#ifndef NEURON_JSON_WRITER_H
#define NEURON_JSON_WRITER_H

#include "foundation/base/buf.h"
#include "foundation/base/decimal.h"

/* ---- Values, appended as they are ---- */

/* In quotes, escaped. `text` is UTF-8 (not checked here). */
MUST_USE Status json_put_text(Buf *out, Str text, Err *err);
/* The same for bytes that may not be UTF-8: what is not becomes U+FFFD. */
MUST_USE Status json_put_text_lossy(Buf *out, Str text, Err *err);
MUST_USE Status json_put_int64(Buf *out, int64_t value, Err *err);
/* All digits, as many after the point as the scale says. */
MUST_USE Status json_put_decimal(Buf *out, Decimal value, Err *err);
/* The shortest number that reads back the same; NaN and the infinities as the texts "NaN",
 * "Infinity",
 * "-Infinity". */
MUST_USE Status json_put_double(Buf *out, double value, Err *err);
/* Base64, in quotes. */
MUST_USE Status json_put_bytes(Buf *out, Str bytes, Err *err);

/* ---- Documents ---- */

/* Writes one document piece by piece. The first failure sticks: later calls do nothing, and
 * json_writer_end reports it. Nesting at most 64 levels (more is a programmer's error). */
typedef struct JsonWriter {
    Buf *out;
    Err *err;
    Status status;
    int32_t depth;
    bool after_key;
    uint64_t filled; /* bit per level: something stands in it already */
} JsonWriter;

JsonWriter json_writer_make(Buf *out, Err *err);
/* OK when everything was written. */
MUST_USE Status json_writer_end(JsonWriter *writer);

void json_object_begin(JsonWriter *writer);
void json_object_end(JsonWriter *writer);
void json_array_begin(JsonWriter *writer);
void json_array_end(JsonWriter *writer);
/* The key of the next value. */
void json_key(JsonWriter *writer, const char *key);
void json_key_str(JsonWriter *writer, Str key);
/* Bytes that are not UTF-8 become U+FFFD. */
void json_write_text(JsonWriter *writer, Str text);
/* NULL when ptr is NULL. */
void json_write_text_or_null(JsonWriter *writer, Str text);
void json_write_int64(JsonWriter *writer, int64_t value);
void json_write_double(JsonWriter *writer, double value);
void json_write_bool(JsonWriter *writer, bool value);
void json_write_null(JsonWriter *writer);
/* `json` must be one valid JSON value. */
void json_write_raw(JsonWriter *writer, Str json);

/* ---- A key and its value ---- */

void json_key_text(JsonWriter *writer, const char *key, Str text);
/* An empty text is null. */
void json_key_text_or_null(JsonWriter *writer, const char *key, Str text);
/* A moment in µs since 1970 as ISO 8601 in UTC; 0 and INT64_MAX: null. */
void json_key_time(JsonWriter *writer, const char *key, int64_t us);
void json_key_int64(JsonWriter *writer, const char *key, int64_t value);
void json_key_double(JsonWriter *writer, const char *key, double value);
void json_key_bool(JsonWriter *writer, const char *key, bool value);

#endif
