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

/* A struct type with one child per field, named as it. By type.def, except:
 *   NUMERIC with a precision: decimal128(38, scale);
 *   NUMERIC without one: struct<value: decimal128(38,0), scale: uint8>, extension neuron.numeric,
 *     where a scale of 255 says that the value's low 8 bytes are a double;
 *   JSON: extension neuron.json over utf8 views (arrow.json is read too);
 *   UUID: extension arrow.uuid;
 *   DYNAMIC: a dense union of boolean, bigint, double, numeric, text, bytea, json and null, with
 * the type ids 0 to 7 in that order, whichever of them occur. */
MUST_USE Status arrow_export_schema(const Schema *schema, struct ArrowSchema *ret_schema, Err *err);
/* Shares the batch's buffers (the release callback lets them go), except where Arrow's form is
 * another: NUMERIC with a precision where scales differ (ERR_DATA when a value does not fit
 * exactly), INTERVAL (nanoseconds; ERR_DATA when too long), tags of DYNAMIC. */
MUST_USE Status arrow_export_batch(Batch *batch, struct ArrowArray *ret_array, Err *err);
/* Besides our own formats it reads the usual ones: all integer widths (to INT64), float32,
 * utf8/large_utf8/binary/large_binary, decimal128, date32/date64, all timestamp and time units,
 * bool, null (to TEXT), fixed_size_binary(16), dictionaries of these. Others are ERR_SCHEMA with
 * the column's name. The structure stays the caller's. */
MUST_USE Status arrow_import_schema(const struct ArrowSchema *schema, Schema **ret_schema,
                                    Err *err);
/* Takes the array over (release is called before returning, also on failure): values are copied, so
 * that buffers have our alignment and padding. `schema` as arrow_import_schema made it of
 * `arrow_schema`. ERR_DATA, with column and row, for what can't be held: unsigned past 2^63-1,
 * parts of a microsecond, dates that are not whole days, text that is not UTF-8, places outside of
 * their buffers. */
MUST_USE Status arrow_import_batch(const Schema *schema, const struct ArrowSchema *arrow_schema,
                                   struct ArrowArray *array, Batch **ret_batch, Err *err);

#endif
