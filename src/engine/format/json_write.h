/* Batches as JSON lines: one object per row. */
#ifndef NEURON_JSON_WRITE_H
#define NEURON_JSON_WRITE_H

#include "engine/column/batch.h"
#include "foundation/base/buf.h"

/* How values look: numbers with all their digits (NaN and infinities as text); dates 2024-02-29;
 * timestamps 2024-02-29T13:45:00.5, those with zone in UTC with Z; times, intervals and UUIDs as
 * text; bytes as base64; JSON as it is (line breaks become blanks, so that a row stays one line);
 * dynamic values by their own type; NULL as null. Columns in order.
 *
 * Rows of an open schema: the members of the spread object in their order, except the excepted
 * ones, those that a computed column replaces, and all but the last of equal keys; then the
 * computed columns. Fields whose native type is JSON_EXTRACT_NATIVE are only extracts of the spread
 * object (or metadata of the message) and are not written. */
#define JSON_EXTRACT_NATIVE "path"

/* Keys prepared for one schema. One thread. */
typedef struct JsonEncoder JsonEncoder;

MUST_USE Status json_encoder_new(const Schema *schema, JsonEncoder **ret_encoder, Err *err);
void json_encoder_free(JsonEncoder *encoder);
DEFINE_FREE_P(JsonEncoder, json_encoder_free)
/* Append one row's object, without a line break. The batch has the encoder's schema. */
MUST_USE Status json_encoder_row(JsonEncoder *encoder, const Batch *batch, int64_t row, Buf *out,
                                 Err *err);
/* Append rows [from, from + count), each followed by \n. */
MUST_USE Status json_encoder_rows(JsonEncoder *encoder, const Batch *batch, int64_t from,
                                  int64_t count, Buf *out, Err *err);

/* One row, for error reports and rejects: slower, prepares nothing. */
MUST_USE Status json_write_row(const Batch *batch, int64_t row, Buf *out, Err *err);
/* One value as JSON. */
MUST_USE Status json_write_value(const Column *column, int64_t row, Buf *out, Err *err);
/* One value as plain text: as JSON, but text, dates and the like without quotes and escapes;
 * nothing for NULL. */
MUST_USE Status json_write_plain(const Column *column, int64_t row, Buf *out, Err *err);

#endif
