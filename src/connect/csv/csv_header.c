/* The header of a CSV file that is there already. */
#include "connect/csv/csv_impl.h"
#include "foundation/base/mem.h"

enum { HEADER_TEXT_MAX = 4 << 20 };

static Status take_names(CsvHeader *header, const CsvChunks *c, Err *err)
{
    int64_t first;
    header->count = (int32_t)csv_row_fields(c, 0, &first);
    header->names = mem_array(header->count, (int64_t)sizeof *header->names);
    if (!header->names) return err_memory(err);
    for (int32_t i = 0; i < header->count; i++) {
        CsvField field = csv_field(c, first + i, i + 1 == header->count);
        char *copy = arena_alloc(&header->arena, field.text.len + 1);
        if (!copy) return err_memory(err);
        header->names[i] = str_make(copy, field.text.len);
        if (field.doubled) header->names[i] = csv_unquote(field.text, copy);
        else if (field.text.len) memcpy(copy, field.text.ptr, (size_t)field.text.len);
    }
    return OK;
}

/* Its first row, where that is whole. */
static Status scan_head(CsvHeader *header, CsvChunks *c, Str head, bool whole, Err *err)
{
    char newline = csv_scan_newline((const uint8_t *)head.ptr, head.len, c->options->delimiter);
    csv_scan_init(&c->scan, c->options->delimiter, newline);
    c->scan_ready = true;
    TRY(buffer_new(head.len + CSV_SCAN_PADDING, NULL, &c->chunk, err));
    memcpy(c->chunk->data, head.ptr, (size_t)head.len);
    memset(c->chunk->data + head.len, 0, CSV_SCAN_PADDING);
    TRY(csv_scan_run(&c->scan, c->chunk->data, head.len, whole, err));
    if (c->scan.row_count > 0 && !c->scan.open_quote) return take_names(header, c, err);
    return err_set(err, ERR_DATA, "its first row can't be read");
}

Status csv_header_read(Str head, bool whole, const CsvOptions *options, CsvHeader *ret_header,
                       Err *err)
{
    CsvChunks c = {.options = options};
    *ret_header = (CsvHeader){.arena = arena_make(HEADER_TEXT_MAX)};
    if (str_starts(head, STR("\xef\xbb\xbf"))) head = str_slice(head, 3, head.len);
    if (head.len == 0) return OK;
    Status status = scan_head(ret_header, &c, head, whole, err);
    csv_chunks_done(&c);
    return status;
}

int32_t csv_header_find(const CsvHeader *header, Str name)
{
    for (int32_t i = 0; i < header->count; i++) {
        if (str_eq(header->names[i], name)) return i;
    }
    return -1;
}

void csv_header_done(CsvHeader *header)
{
    mem_free(header->names);
    arena_done(&header->arena);
}
