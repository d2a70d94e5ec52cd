/* Batches as CSV text. */
#ifndef NEURON_CSV_WRITE_H
#define NEURON_CSV_WRITE_H

#include "engine/column/batch.h"
#include "foundation/base/buf.h"

/* How it is written. */
typedef struct CsvStyle {
    char delimiter;
    Str null;             /* what stands for NULL, never in quotes; empty: an empty field */
    const int32_t *order; /* the columns of the batch in their order, -1: NULL; NULL: all, as they
                             are */
    int32_t order_count;
} CsvStyle;

/* Values as in JSON lines without quotes (timestamps RFC 3339, bytes base64, numbers with all their
 * digits); NULL is an empty field, the empty text "". Quotes only where a text holds the delimiter,
 * a quote, a line end, begins or ends with a blank, or is the word for NULL. Rows end in \n. */
MUST_USE Status csv_write_header(const Schema *schema, const CsvStyle *style, Buf *out, Err *err);
MUST_USE Status csv_write_rows(const Batch *batch, const CsvStyle *style, Buf *out, Err *err);

#endif
