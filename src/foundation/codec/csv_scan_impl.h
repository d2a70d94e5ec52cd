/* The scan loop, included by csv_scan.c once per instruction set; hence without a guard.
 *
 * Wanted: SCAN_TARGET (function attribute), SCAN_NAME(x), and with these names ScanVec,
 * vec_init, vec_masks, vec_flags, prefix_xor, write_ends. The method (masks per 64 bytes, quoted
 * regions as a prefix xor of the quotes, set bits turned into positions) is that of Langdale and
 * Lemire, "Parsing Gigabytes of JSON per Second", 2019. A quote inside an unquoted field breaks the
 * xor: up to the first such quote all is right, so that it is surely none that counts; it is taken
 * out and the block looked at again. */

static SCAN_TARGET void SCAN_NAME(kernel)(CsvScan *scan, const uint8_t *data, int64_t from,
                                          int64_t to)
{
    SCAN_NAME(ScanVec) vec;
    SCAN_NAME(vec_init)(&vec, scan);
    uint64_t in_quote = scan->in_quote;
    uint64_t at_start = scan->at_start;
    uint64_t at_close = scan->at_close;
    uint64_t any_quote = 0;
    uint32_t *ends = scan->ends + scan->end_count;
    uint32_t *row_ends = scan->row_ends + scan->row_count;
    for (int64_t at = from; at < to; at += 64) {
        uint64_t delimiters;
        uint64_t newlines;
        uint64_t quotes;
        SCAN_NAME(vec_masks)(&vec, data + at, &delimiters, &newlines, &quotes);
        uint64_t marks = delimiters | newlines;
        if (UNLIKELY((quotes | in_quote) != 0)) {
            any_quote |= quotes;
            uint64_t inside, closing, stray;
            for (;;) {
                inside = SCAN_NAME(prefix_xor)(quotes) ^ in_quote;
                closing = quotes & ~inside;
                uint64_t may_open = (((marks & ~inside) | closing) << 1) | at_start | at_close;
                stray = quotes & inside & ~may_open;
                if (LIKELY(stray == 0)) break;
                quotes &= ~(stray & (~stray + 1));
            }
            marks &= ~inside;
            in_quote = (uint64_t)((int64_t)inside >> 63);
            at_start = marks >> 63;
            at_close = closing >> 63;
            newlines &= marks;
        } else {
            at_start = marks >> 63;
            at_close = 0;
        }
        while (newlines) {
            uint64_t below = newlines ^ (newlines - 1);
            *row_ends++ =
                (uint32_t)(ends - scan->ends) + (uint32_t)__builtin_popcountll(marks & below);
            newlines &= newlines - 1;
        }
        ends = SCAN_NAME(write_ends)(ends, (uint32_t)at, marks);
    }
    SCAN_NAME(vec_flags)(&vec, scan);
    scan->quotes |= any_quote != 0;
    scan->in_quote = in_quote;
    scan->at_start = at_start;
    scan->at_close = at_close;
    scan->end_count = ends - scan->ends;
    scan->row_count = row_ends - scan->row_ends;
}
