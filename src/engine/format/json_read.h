/* JSON documents, one per row, into batches: as open rows, or as columns. */
#ifndef NEURON_JSON_READ_H
#define NEURON_JSON_READ_H

#include "engine/column/builder.h"
#include "engine/expr/expr.h"
#include "foundation/codec/json_walk.h"

/* Two ways to read:
 *
 * open     the schema of pathset_schema: the object as it stands, then metadata that the caller
 * appends (json_reader_builder), then a DYNAMIC column per path. Any object is taken. columns  a
 * schema that json_infer found (or any other without DYNAMIC children other than JSON's): each
 *          member goes into the column of its name; missing and null are NULL.
 *
 * A document is valid JSON and an object, or it is refused as a whole. Of equal keys the last
 * counts. Numbers are exact: int64, else a decimal with the digits as written (1.50 keeps its
 * zero), and only past 38 digits the nearest double; a number that no double can hold is refused.
 */

enum { JSON_COLUMNS_MAX = 10000, JSON_REASON_MAX = 320 };

/* Why a document was not taken. */
typedef struct JsonRefusal {
    Str column; /* the column that its value did not fit; empty: the document itself is at fault */
    int64_t offset;               /* byte in the document */
    char reason[JSON_REASON_MAX]; /* ends in NUL */
} JsonRefusal;

/* Builds batch after batch. One thread. */
typedef struct JsonReader JsonReader;

/* Takes over nothing; `budget` (may be NULL) is charged by the builders. */
MUST_USE Status json_reader_open(const PathSet *paths, bool meta, Budget *budget,
                                 JsonReader **ret_reader, Err *err);
MUST_USE Status json_reader_columns(const Schema *schema, Budget *budget, JsonReader **ret_reader,
                                    Err *err);
void json_reader_free(JsonReader *reader);
DEFINE_FREE_P(JsonReader, json_reader_free)
const Schema *json_reader_schema(const JsonReader *reader);

/* The block that the next documents stand in: long texts become views into it (the batch takes a
 * reference). NULL: documents are copied. Own blocks must have their 64 readable bytes of padding.
 */
void json_reader_heap(JsonReader *reader, Buffer *heap);
/* One row. *ret_taken false: refused, nothing was added, *ret_refusal says why. FAIL: memory,
 * limits. */
MUST_USE Status json_reader_add(JsonReader *reader, Str document, bool *ret_taken,
                                JsonRefusal *ret_refusal, Err *err);
/* The builder of a metadata field: after a document was taken the caller appends one value to each.
 */
Builder *json_reader_builder(JsonReader *reader, int32_t field);
/* Rows since the last finish. */
int64_t json_reader_rows(const JsonReader *reader);
/* The rows as a batch (also when there are none); span and the like are the caller's. */
MUST_USE Status json_reader_finish(JsonReader *reader, Batch **ret_batch, Err *err);

/* ---- Which columns do documents have? ---- */

/* The union of all top-level keys in order of first appearance; per key: all boolean -> BOOL; all
 * numbers -> NUMERIC (native "bigint" when every one is an int64 without point or exponent); all
 * texts -> TEXT (native JSON_STRING_NATIVE); objects and arrays -> JSON; only nulls -> TEXT; else
 * DYNAMIC. */
typedef struct JsonInfer JsonInfer;

/* `types`: "name:type,name:type" as in the option types= (may be empty): those columns get that
 * type whatever they hold. FAIL: ERR_CONFIG with the nearest type's name. */
MUST_USE Status json_infer_new(Str types, JsonInfer **ret_infer, Err *err);
void json_infer_free(JsonInfer *infer);
/* Texts are texts as of any other source: no JSON_STRING_NATIVE. */
void json_infer_plain(JsonInfer *infer);
DEFINE_FREE_P(JsonInfer, json_infer_free)
/* Look at one document. `padding` as in json_extract. Refused ones change nothing. */
MUST_USE Status json_infer_add(JsonInfer *infer, Str document, int64_t padding, bool *ret_taken,
                               JsonRefusal *ret_refusal, Err *err);
MUST_USE Status json_infer_schema(const JsonInfer *infer, Schema **ret_schema, Err *err);

#endif
