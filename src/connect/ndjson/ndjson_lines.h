/* Lines of JSON files, in blocks of memory that batches may keep. */
#ifndef NEURON_NDJSON_LINES_H
#define NEURON_NDJSON_LINES_H

#include "engine/column/column.h"

#define NDJSON_LINE_MAX (INT64_C(256) << 20)

/* Bytes of one file: up to `size`, *ret_len 0 at the end. */
typedef Status (*NdjsonRead)(void *ctx, void *buffer, int64_t size, int64_t *ret_len, Err *err);

/* Lines end in LF or CRLF; a byte order mark at the start of a file does not belong to the first;
 * lines of nothing but blanks are skipped (but counted); the last one needs no end.
 *
 *     heap:  | given out already | next line … | read | free        |
 *                                ^ at          (at..filled)  size ^
 *
 * Embedded: ndjson_lines_init … ndjson_lines_done. One thread. */
typedef struct NdjsonLines {
    NdjsonRead read;
    void *ctx;
    Budget *budget;
    int64_t block_bytes;
    int64_t line_max; /* bytes; NDJSON_LINE_MAX after init */
    Buffer *heap;     /* own reference; lines given out stand in it */
    int64_t at, filled;
    int64_t line; /* number of the line given out last, from 1 */
    bool end;     /* the file has no more bytes */
} NdjsonLines;

typedef struct NdjsonLine {
    Str text;     /* without its end */
    Buffer *heap; /* where it stands; borrowed until the next call */
    int64_t number;
    int64_t bytes; /* of the file, its end and skipped lines included */
} NdjsonLine;

void ndjson_lines_init(NdjsonLines *lines, int64_t block_bytes, Budget *budget);
void ndjson_lines_done(NdjsonLines *lines);
/* Start with a file (from its first byte). */
void ndjson_lines_file(NdjsonLines *lines, NdjsonRead read, void *ctx);
/* True when a whole line (or the end of the file) was read already: next will not read. */
bool ndjson_lines_waiting(const NdjsonLines *lines);
/* *ret_more false at the end of the file. FAIL: of read, memory, or ERR_LIMIT for a line past
 * line_max. */
MUST_USE Status ndjson_lines_next(NdjsonLines *lines, NdjsonLine *ret_line, bool *ret_more,
                                  Err *err);

#endif
