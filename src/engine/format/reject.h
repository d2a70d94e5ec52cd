/* Refused rows as batches of one fixed schema, whatever stage refused them. */
#ifndef NEURON_REJECT_H
#define NEURON_REJECT_H

#include "engine/column/batch.h"
#include "engine/column/builder.h"

/* The reject schema: stage TEXT, part INT64, row INT64 (the row's ordinal in its source), key JSON,
 * "column" TEXT, value TEXT, reason TEXT, sqlstate TEXT, position INT64, line INT64, data JSON (the
 * row as it entered the stage: an object; a JSON string with the raw text where the row could not
 * be read, {"@base64": …} where that is no text). */
typedef enum RejectColumn {
    REJECT_STAGE,
    REJECT_PART,
    REJECT_ROW,
    REJECT_KEY,
    REJECT_COLUMN,
    REJECT_VALUE,
    REJECT_REASON,
    REJECT_SQLSTATE,
    REJECT_POSITION,
    REJECT_LINE,
    REJECT_DATA,
    REJECT_COLUMN_COUNT
} RejectColumn;
enum { REJECT_VALUE_MAX = 1000 }; /* bytes of `value` kept */
MUST_USE Status reject_schema(Schema **ret_schema, Err *err);

/* Collects refused rows. One thread. */
typedef struct RejectWriter {
    Schema *schema;
    Builder builders[REJECT_COLUMN_COUNT];
    int64_t rows;  /* waiting for take */
    int64_t total; /* ever added */
    Str key_names[16];
    int32_t key_count;
} RejectWriter;

MUST_USE Status reject_writer_init(RejectWriter *writer, const Str *key, int32_t key_count,
                                   Err *err);
void reject_writer_done(RejectWriter *writer);
/* Rows of `list` as they stand in `batch`. */
MUST_USE Status reject_writer_add(RejectWriter *writer, Str stage, const Batch *batch,
                                  const RejectList *list, Err *err);
/* A row that could not be read: its raw text, where it stood. */
MUST_USE Status reject_writer_raw(RejectWriter *writer, Str stage, int32_t part, int64_t ordinal,
                                  int64_t line, Str column, Str reason, Str raw, Err *err);
/* One refused row whose texts are ready: `key` and `data` are JSON; empty texts are NULLs. */
typedef struct RejectRow {
    Str stage, key, column, value, reason, sqlstate, data;
    int32_t part;
    int64_t row;
    int64_t line; /* 0: none */
} RejectRow;
MUST_USE Status reject_writer_row(RejectWriter *writer, const RejectRow *row, Err *err);
/* What was collected since the last take; *ret_batch NULL when nothing. */
MUST_USE Status reject_writer_take(RejectWriter *writer, Batch **ret_batch, Err *err);
/* Rows of the reject schema as every database can keep them: JSON that one can't hold becomes
 * {"@base64": …}, other text gets U+FFFD for zero bytes. *ret_batch may be the batch itself. */
MUST_USE Status reject_batch_portable(Batch *batch, Batch **ret_batch, Err *err);

#endif
