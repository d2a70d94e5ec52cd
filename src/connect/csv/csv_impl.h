/* What the files of the CSV connector share: options, chunks of rows, the columns. */
#ifndef NEURON_CSV_IMPL_H
#define NEURON_CSV_IMPL_H

#include <stdatomic.h>

#include "connect/file_source.h"
#include "connect/sink.h"
#include "connect/source.h"
#include "engine/format/csv_field.h"
#include "foundation/codec/csv_scan.h"

enum { CSV_NULLS_MAX = 16 };

typedef struct CsvOptions {
    char delimiter;
    bool delimiter_given; /* the user's, not the ending's */
    bool header;
    Str nulls[CSV_NULLS_MAX]; /* unquoted texts that are NULL, besides the empty field */
    int32_t null_count;
    Str types; /* name:type,… */

    /* What the scanner doesn't know: csv_dialect.h. */
    bool rewritten; /* any of these */
    bool tokens;    /* of those but encoding and skipped lines */
    Str encoding;   /* empty: UTF-8 */
    Str delimiter_text;
    char quote, escape; /* 0: none */
    Str comment;        /* lines that begin with it are none; empty: all are */
    int64_t skip_first, skip_last;
    bool short_rows; /* fields that a row lacks at its end are NULL */
    bool trailing;   /* a delimiter at the end of a row is no field */
} CsvOptions;
typedef struct CsvDialect CsvDialect;
/* Is it NULL where it is not in quotes? */
static inline bool csv_is_null(const CsvOptions *options, Str text)
{
    bool found = text.len == 0;
    for (int32_t i = 0; i < options->null_count && !found; i++) {
        found = str_eq(text, options->nulls[i]);
    }
    return found;
}
MUST_USE Status csv_options(const Location *location, CsvOptions *ret_options, Err *err);

/* Reads files in chunks of whole rows. */
typedef struct CsvChunks {
    FileSource *files;
    const CsvOptions *options;
    CsvScan scan;
    Buffer *chunk;      /* whole rows, then the start of the next one */
    int64_t filled;     /* bytes in the chunk */
    int64_t chunk_size; /* of one whose rows are small */
    int64_t row_max;    /* bytes that a row may have; a longer one is ERR_LIMIT with its line */
    bool in_file, end_of_file;
    bool first;      /* the next chunk is the first of its file */
    bool file_start; /* the chunk at hand is the first of its file */
    int64_t line;    /* of the chunk's first row, from 1 */
    int64_t lines;   /* line ends in the chunk */
    bool scan_ready;
    CsvDialect *dialect; /* NULL: none was needed yet */
    bool rewritten;      /* the file's text comes from it */
    uint8_t head[4];     /* bytes of the file that were looked at, and are next */
    int64_t head_len;
    bool closes;   /* a row with a quote that isn't closed is given, one line long */
    bool unclosed; /* the chunk at hand is such a row */
} CsvChunks;
MUST_USE Status csv_chunks_init(CsvChunks *chunks, FileSource *files, const CsvOptions *options,
                                Err *err);
void csv_chunks_done(CsvChunks *chunks);
MUST_USE Status csv_chunks_rewind(CsvChunks *chunks, Err *err);
/* The next rows in scan and chunk; *ret_more false at the end of all files. */
MUST_USE Status csv_chunks_next(CsvChunks *chunks, bool *ret_more, Err *err);

/* A field's place in the chunk, its quotes taken off. */
typedef struct CsvField {
    Str text;
    bool quoted;  /* "" is the empty text, not NULL */
    bool doubled; /* holds doubled quotes */
    bool bad;     /* text after the closing quote, or no closing quote */
} CsvField;
CsvField csv_field_quoted(Str raw);

/* A field as it stands, without the line's end. */
static inline Str csv_raw_field(const CsvChunks *c, int64_t index, bool last)
{
    int64_t start = csv_scan_start(&c->scan, index);
    int64_t end = c->scan.ends[index];
    const char *data = (const char *)c->chunk->data;
    if (last && c->scan.newline == '\n' && end > start && data[end - 1] == '\r') end--;
    return str_make(data + start, end - start);
}

static inline CsvField csv_field(const CsvChunks *c, int64_t index, bool last)
{
    Str raw = csv_raw_field(c, index, last);
    if (LIKELY(raw.len == 0 || raw.ptr[0] != '"')) return (CsvField){.text = raw};
    return csv_field_quoted(raw);
}
/* Fields of row `row`: index of the first, and how many. */
int64_t csv_row_fields(const CsvChunks *chunks, int64_t row, int64_t *ret_first);
/* An empty line (which is no row where there are several columns). */
bool csv_row_is_empty(const CsvChunks *chunks, int64_t row);
int64_t csv_row_line(const CsvChunks *chunks, int64_t row);
Str csv_row_text(const CsvChunks *chunks, int64_t row);
/* The row's own bytes in the file. */
Str csv_row_raw(const CsvChunks *chunks, int64_t row);
/* Doubled quotes made single; at most text.len bytes. */
Str csv_unquote(Str text, char *to);

/* The columns: names from the header (or column1…), types found or given. `texts`: those that are
 * not given are TEXT; then *ret_rows is -1. */
MUST_USE Status csv_infer(CsvChunks *chunks, bool texts, Schema **ret_schema, int64_t *ret_rows,
                          Err *err);

/* The first row of a file that is there. */
typedef struct CsvHeader {
    Str *names; /* of an empty file none */
    int32_t count;
    Arena arena; /* holds them */
} CsvHeader;
/* `head`: how the file begins; `whole`: that is all of it. csv_header_done, also after FAIL. */
MUST_USE Status csv_header_read(Str head, bool whole, const CsvOptions *options,
                                CsvHeader *ret_header, Err *err);
/* The first column of that name; -1: none. */
int32_t csv_header_find(const CsvHeader *header, Str name);
void csv_header_done(CsvHeader *header);

MUST_USE Status csv_source_new(const SourceReq *req, Source **ret_source, Err *err);
MUST_USE Status csv_sink_new(const SinkReq *req, Sink **ret_sink, Err *err);

#endif
