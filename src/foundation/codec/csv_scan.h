/* Finds the field and row ends of CSV text, 64 bytes at a time. */
#ifndef NEURON_CSV_SCAN_H
#define NEURON_CSV_SCAN_H

#include "foundation/base/err.h"

/* The grammar is RFC 4180 with what real files do:
 *
 * - A field that begins with a quote goes to the next quote that is not doubled; delimiters and
 * line ends in it are text. A quote anywhere else in a field is an ordinary character.
 * - Text after a closing quote belongs to the field: whoever reads it sees that the field begins
 *   with a quote and does not end as it should.
 * - Rows end with LF or with CRLF (the CR stands at the end of the last field and is cut off by the
 *   reader), or all with CR (csv_scan_newline).
 *
 *   a,"b,""c""",d\n      ends:     1, 10, 12      positions of the delimiters and line ends
 *                        row_ends: 3              ends up to and with that of the row
 */
enum {
    CSV_SCAN_PADDING = 64,            /* readable bytes wanted after the text */
    CSV_SCAN_TEXT_MAX = 0x40000000,   /* bytes per run */
    CSV_SCAN_FIELDS_MAX = 0x04000000, /* fields per run */
};

typedef struct CsvScan CsvScan;

/* One instruction set's scan of whole blocks of 64 bytes: [from, to) of `data`. */
typedef void CsvScanKernel(CsvScan *scan, const uint8_t *data, int64_t from, int64_t to);

struct CsvScan {
    char delimiter, quote, newline;
    CsvScanKernel *kernel;

    /* What the last run found. */
    uint32_t *ends;
    int64_t end_count;
    uint32_t *row_ends; /* per row: index in `ends` past its last field */
    int64_t row_count;
    int64_t used;    /* bytes up to the end of the last whole row */
    bool quotes;     /* a quote occurs (perhaps after `used`) */
    bool non_ascii;  /* a byte above 0x7f occurs */
    bool nul;        /* a NUL occurs */
    bool open_quote; /* the text ended inside a quoted field */

    int64_t end_capacity, row_capacity;
    uint64_t in_quote; /* all bits set inside a quoted field */
    uint64_t at_start; /* 1: the next byte is the first of its field */
    uint64_t at_close; /* 1: the byte before was a quote that closed */
};

typedef enum CsvScanLevel { CSV_SCAN_PLAIN, CSV_SCAN_AVX2, CSV_SCAN_AVX512 } CsvScanLevel;

/* Picks the fastest kernel that the machine has. */
void csv_scan_init(CsvScan *scan, char delimiter, char newline);
void csv_scan_done(CsvScan *scan);
/* For tests and measurements: false when the machine has not got it. */
bool csv_scan_set_level(CsvScan *scan, CsvScanLevel level);

/* Scan text that begins at the beginning of a row. `data` has CSV_SCAN_PADDING readable bytes
 * after `size`. `last`: nothing follows, so that what stands after the last line end is a row
 * too. FAIL: ERR_MEMORY, ERR_LIMIT. */
MUST_USE Status csv_scan_run(CsvScan *scan, const uint8_t *data, int64_t size, bool last, Err *err);

/* How often a byte occurs. */
int64_t csv_scan_count(const uint8_t *data, int64_t size, char byte);

/* The byte that ends rows, by the first one: CR when a lone CR does, else LF. */
char csv_scan_newline(const uint8_t *data, int64_t size, char delimiter);

/* Where the field number `index` (of all in the run) begins. */
static inline int64_t csv_scan_start(const CsvScan *scan, int64_t index)
{
    return index == 0 ? 0 : (int64_t)scan->ends[index - 1] + 1;
}

#endif
