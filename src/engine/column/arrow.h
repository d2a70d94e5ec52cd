/* The Arrow C data interface: batches exported to and imported from any Arrow implementation. */
#ifndef NEURON_ARROW_H
#define NEURON_ARROW_H

#include "engine/column/batch.h"

/* Structures as published at arrow.apache.org/docs/format/CDataInterface.html (ABI-stable). */
#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE
struct ArrowSchema {
    const char *format;
    const char *name;
    const char *metadata;
    int64_t flags;
    int64_t n_children;
    struct ArrowSchema **children;
    struct ArrowSchema *dictionary;
    void (*release)(struct ArrowSchema *);
    void *private_data;
};
struct ArrowArray {
    int64_t length;
    int64_t null_count;
    int64_t offset;
    int64_t n_buffers;
    int64_t n_children;
    const void **buffers;
    struct ArrowArray **children;
    struct ArrowArray *dictionary;
    void (*release)(struct ArrowArray *);
    void *private_data;
};
#endif

/* A struct type with one child per field. NUMERIC with a precision is decimal128(38, scale);
 * without one it is struct<value: decimal128(38,0), scale: uint8> with the extension name
 * neuron.numeric. */
MUST_USE Status arrow_export_schema(const Schema *schema, struct ArrowSchema *ret_schema, Err *err);
/* Shares the batch's buffers (the release callback lets them go). */
MUST_USE Status arrow_export_batch(Batch *batch, struct ArrowArray *ret_array, Err *err);
/* Takes the structures over (release is called by us, also on failure). Besides our own formats it
 * reads the usual ones: all integer widths (to INT64; uint64 past 2^63 is ERR_DATA), float32,
 * utf8/large_utf8/binary/large_binary, decimal128, date32/date64, all timestamp, time units
 * (ERR_DATA where nanoseconds would be lost), bool, null, fixed_size_binary(16), dictionary of
 * these. Others are ERR_SCHEMA with the column's name. */
MUST_USE Status arrow_import_schema(struct ArrowSchema *schema, Schema **ret_schema, Err *err);
MUST_USE Status arrow_import_batch(const Schema *schema, const struct ArrowSchema *arrow_schema,
                                   struct ArrowArray *array, Batch **ret_batch, Err *err);

#endif
