/* CSV in other encodings and dialects, rewritten line by line as the scanner knows it. */
#ifndef NEURON_CSV_DIALECT_H
#define NEURON_CSV_DIALECT_H

#include <iconv.h>

#include "connect/csv/csv_impl.h"
#include "foundation/base/buf.h"

/* A line of the file that is a line of the text, by its place in `raw`. */
typedef struct CsvLine {
    int64_t from, to; /* counted from the file's first byte, without the line's end */
    int64_t number;   /* from 1 */
} CsvLine;

typedef enum CsvToken { CSV_AT_START, CSV_IN_TEXT, CSV_IN_QUOTES, CSV_AFTER_QUOTES } CsvToken;

/* The row that is being read. */
typedef struct CsvRow {
    CsvToken token;
    bool open, quoted, bad;
    int64_t fields, header_fields; /* so far; that its file's first row has */
    int64_t last_field;            /* where it begins in `out` */
    Buf field;
} CsvRow;

/* The text has UTF-8, LF, a comma and doubled quotes, whatever the file has; NULL words are empty
 * fields. What can't be decoded becomes FF, which no UTF-8 has. Each LF of the text is one line of
 * the file, so that a row's own bytes are found again:
 *
 *   file:  | skipped | line 3   | # comment | line 5 … line 6 |
 *   text:              1,x\n                  2,"a\nb"\n
 *   lines:             [3]                    [5]    [6]
 */
struct CsvDialect {
    const CsvOptions *options;
    FileSource *files;
    iconv_t decoder; /* (iconv_t)-1: the file has UTF-8 */
    char end[4];     /* LF in the file's encoding */
    int32_t width;   /* bytes of `end`, and of what lines are counted in */
    Buf raw;         /* bytes from `base` on, of lines that are still asked for or to come */
    int64_t base, next, number;
    bool file_end;
    Buf line, out; /* a decoded line; text, of which `given` bytes were given out */
    int64_t given, ready;
    CsvLine *lines;
    int64_t line_count, line_capacity;
    CsvRow row;
};

void csv_dialect_init(CsvDialect *dialect, FileSource *files, const CsvOptions *options);
void csv_dialect_done(CsvDialect *dialect);
/* Begin with a file, of which these bytes are read already. `encoding`: empty for UTF-8. FAIL:
 * ERR_CONFIG, nobody knows it. */
MUST_USE Status csv_dialect_begin(CsvDialect *dialect, Str encoding, Str head, Err *err);
/* Up to `room` bytes of text; *ret_len 0 at the end of the file. */
MUST_USE Status csv_dialect_read(CsvDialect *dialect, void *to, int64_t room, int64_t *ret_len,
                                 Err *err);
/* So many lines of the text are done with. */
void csv_dialect_drop(CsvDialect *dialect, int64_t lines);
/* Line `index` of the text that is not done with. */
CsvLine csv_dialect_line(const CsvDialect *dialect, int64_t index);
/* The file's own bytes of lines [from, to]. */
Str csv_dialect_raw(const CsvDialect *dialect, int64_t from, int64_t to);
/* The encoding of a file that begins with a mark of UTF-16 or UTF-32; empty: with none. */
Str csv_dialect_mark(Str head);
/* Does the C library know it? */
bool csv_dialect_knows(Str encoding);

#endif
