/* Batches as CSV text. */
#ifndef NEURON_CSV_WRITE_H
#define NEURON_CSV_WRITE_H

#include "engine/column/batch.h"
#include "foundation/base/buf.h"

/* Values as in JSON lines without quotes (timestamps RFC 3339, bytes base64, numbers with all their
 * digits); NULL is an empty field, the empty text "". Quotes only where a text holds the delimiter,
 * a quote, a line end, or begins or ends with a blank. Rows end in \n. */
MUST_USE Status csv_write_header(const Schema *schema, char delimiter, Buf *out, Err *err);
MUST_USE Status csv_write_rows(const Batch *batch, char delimiter, Buf *out, Err *err);

#endif
