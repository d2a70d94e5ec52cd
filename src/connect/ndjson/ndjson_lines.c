/* Cutting bytes into lines without copying them. */
#include "connect/ndjson/ndjson_lines.h"

/* Below this much free room a block is not read into any more. */
enum { READ_MIN = 64 << 10 };

void ndjson_lines_init(NdjsonLines *lines, int64_t block_bytes, Budget *budget)
{
    *lines = (NdjsonLines){.block_bytes = int64_max(block_bytes, 2 * READ_MIN),
                           .line_max = NDJSON_LINE_MAX,
                           .budget = budget};
}

void ndjson_lines_done(NdjsonLines *lines)
{
    buffer_unref(lines->heap);
    lines->heap = NULL;
}

void ndjson_lines_file(NdjsonLines *lines, NdjsonRead read, void *ctx)
{
    lines->read = read;
    lines->ctx = ctx;
    lines->at = lines->filled;
    lines->line = 0;
    lines->end = false;
}

/* A block with room after the rest of the line that was begun. */
static Status next_block(NdjsonLines *lines, Err *err)
{
    int64_t rest = lines->filled - lines->at;
    int64_t size = int64_max(lines->block_bytes, 2 * rest + READ_MIN);
    Buffer *heap;
    TRY(buffer_new(size, lines->budget, &heap, err));
    if (rest > 0) memcpy(heap->data, lines->heap->data + lines->at, (size_t)rest);
    buffer_unref(lines->heap);
    lines->heap = heap;
    lines->at = 0;
    lines->filled = rest;
    return OK;
}

static Status read_more(NdjsonLines *lines, Err *err)
{
    if (!lines->heap || lines->heap->size - lines->filled < READ_MIN) TRY(next_block(lines, err));
    int64_t len = 0, room = lines->heap->size - lines->filled;
    TRY(lines->read(lines->ctx, lines->heap->data + lines->filled, room, &len, err));
    lines->filled += len;
    lines->end = len == 0;
    return OK;
}

/* The length of the next line without its end; *ret_end_len 0 where the file ends first. */
static Status find_end(NdjsonLines *lines, int64_t *ret_len, int64_t *ret_end_len, Err *err)
{
    int64_t searched = 0;
    for (;;) {
        const char *from = lines->heap ? (const char *)lines->heap->data + lines->at : NULL;
        int64_t have = lines->filled - lines->at;
        const char *end =
            have > searched ? memchr(from + searched, '\n', (size_t)(have - searched)) : NULL;
        if (end || lines->end) {
            *ret_len = end ? end - from : have;
            *ret_end_len = end ? 1 : 0;
            return OK;
        }
        if (have > lines->line_max) {
            (void)err_set(err, ERR_LIMIT, "line %lld is longer than %lld MiB",
                          (long long)lines->line + 1, (long long)(lines->line_max >> 20));
            return err_hint(err, "raise `memory`, of which a line may have an eighth (at most 256 "
                                 "MiB)");
        }
        searched = have;
        TRY(read_more(lines, err));
    }
}

bool ndjson_lines_waiting(const NdjsonLines *lines)
{
    int64_t have = lines->filled - lines->at;
    if (lines->end) return true;
    return have > 0 && memchr(lines->heap->data + lines->at, '\n', (size_t)have) != NULL;
}

static bool is_blank(Str text)
{
    for (int64_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != ' ' && text.ptr[i] != '\t') return false;
    }
    return true;
}

Status ndjson_lines_next(NdjsonLines *lines, NdjsonLine *ret_line, bool *ret_more, Err *err)
{
    int64_t bytes = 0;
    for (;;) {
        int64_t len = 0, end_len = 0;
        TRY(find_end(lines, &len, &end_len, err));
        if (len == 0 && end_len == 0) {
            *ret_more = false;
            return OK;
        }
        Str text = str_make((const char *)lines->heap->data + lines->at, len);
        lines->at += len + end_len;
        lines->line++;
        bytes += len + end_len;
        if (lines->line == 1 && str_starts(text, STR("\xef\xbb\xbf"))) {
            text = str_slice(text, 3, text.len);
        }
        if (text.len > 0 && text.ptr[text.len - 1] == '\r') text.len--;
        if (is_blank(text)) continue;
        *ret_line = (NdjsonLine){text, lines->heap, lines->line, bytes};
        *ret_more = true;
        return OK;
    }
}
