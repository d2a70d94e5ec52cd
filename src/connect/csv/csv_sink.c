/* Batches as CSV: a header of names, then rows; appended ones by the header that is there. */
#include "connect/csv/csv_impl.h"
#include "connect/file_format.h"
#include "engine/format/csv_write.h"
#include "foundation/base/mem.h"

typedef struct CsvState {
    CsvOptions options;
    CsvStyle style;
    Schema *schema;
    int32_t *order; /* style.order */
} CsvState;

static Status csv_format_check(const Schema *schema, Err *err)
{
    if (!schema->open) return OK;
    return err_set(err, ERR_CONFIG, "csv needs known columns; name them in a select");
}

/* Of several the last one. */
static Str null_word(const CsvOptions *o)
{
    return o->null_count ? o->nulls[o->null_count - 1] : STR_NULL;
}

/* What is obeyed when it is read, and can't be when it is written, is refused. */
static Status target_options(const Location *location, CsvOptions *o, Err *err)
{
    TRY(csv_options(location, o, err));
    if (o->encoding.len) {
        (void)err_set(err, ERR_CONFIG, "%.*s: CSV is written as UTF-8", STR_ARG(location->text));
        return err_hint(err, "leave `encoding` out, and convert the file with iconv");
    }
    if (o->delimiter_text.len > 1) {
        return err_set(err, ERR_CONFIG, "%.*s: a target's delimiter is one character",
                       STR_ARG(location->text));
    }
    Str null = null_word(o);
    for (int64_t i = 0; i < null.len; i++) {
        char c = null.ptr[i];
        if (c != o->delimiter && c != '"' && c != '\n' && c != '\r') continue;
        return err_set(err, ERR_CONFIG, "%.*s: the word for NULL would need quotes",
                       STR_ARG(location->text));
    }
    return OK;
}

static Status csv_format_open(void *state, const Location *location, const Schema *schema, Err *err)
{
    CsvState *s = state;
    TRY(target_options(location, &s->options, err));
    s->schema = schema_ref(schema);
    s->style = (CsvStyle){.delimiter = s->options.delimiter, .null = null_word(&s->options)};
    return OK;
}

/* ---- rows after those that are there ---- */

static Status other_columns(const CsvState *s, const Field *field, Err *err)
{
    (void)err_set(err, ERR_SCHEMA, "its header has no column \"%.*s\"", STR_ARG(field->name));
    return err_hint(err,
                    s->options.header
                        ? "name the columns as there in a select; header=false appends rows to "
                          "a file without a header, mode replace writes it again"
                        : "mode replace writes it again");
}

static Status order_of(CsvState *s, const CsvHeader *header, Err *err)
{
    bool same = header->count == s->schema->count;
    s->order = mem_array(header->count, (int64_t)sizeof *s->order);
    if (!s->order) return err_memory(err);
    for (int32_t i = 0; i < s->schema->count; i++) {
        if (csv_header_find(header, s->schema->fields[i].name) >= 0) continue;
        return other_columns(s, &s->schema->fields[i], err);
    }
    for (int32_t i = 0; i < header->count; i++) {
        if (csv_header_find(header, header->names[i]) != i) {
            return err_set(err, ERR_SCHEMA, "its header has two columns \"%.*s\"",
                           STR_ARG(header->names[i]));
        }
        s->order[i] = schema_find(s->schema, header->names[i]);
        same &= s->order[i] == i;
    }
    s->style.order = same ? NULL : s->order;
    s->style.order_count = header->count;
    return OK;
}

/* Without a header columns go by place. */
static Status by_place(const CsvState *s, const CsvHeader *header, Err *err)
{
    if (header->count == s->schema->count) return OK;
    return err_set(err, ERR_SCHEMA, "its rows have %d columns, the new ones %d", header->count,
                   s->schema->count);
}

static Status csv_format_follow(void *state, Str head, bool whole, Err *err)
{
    CsvState *s = state;
    CsvHeader header = {0};
    mem_free(s->order);
    s->order = NULL;
    s->style.order = NULL;
    Status status = csv_header_read(head, whole, &s->options, &header, err);
    bool some = status == OK && header.count > 0;
    if (some) status = s->options.header ? order_of(s, &header, err) : by_place(s, &header, err);
    csv_header_done(&header);
    return status;
}

/* ---- text ---- */

static Status csv_format_header(void *state, Buf *out, Err *err)
{
    const CsvState *s = state;
    return s->options.header ? csv_write_header(s->schema, &s->style, out, err) : OK;
}

static Status csv_format_rows(void *state, const Batch *batch, Buf *out, Err *err)
{
    return csv_write_rows(batch, &((CsvState *)state)->style, out, err);
}

static void csv_format_close(void *state)
{
    CsvState *s = state;
    schema_unref(s->schema);
    mem_free(s->order);
}

static const FileFormat CSV_FORMAT = {
    .file = "a CSV file",
    .values = "text",
    .can_append = true,
    .state_bytes = sizeof(CsvState),
    .check = csv_format_check,
    .open = csv_format_open,
    .follow = csv_format_follow,
    .header = csv_format_header,
    .rows = csv_format_rows,
    .close = csv_format_close,
};

Status csv_sink_new(const SinkReq *req, Sink **ret_sink, Err *err)
{
    CsvOptions options;
    TRY(target_options(req->location, &options, err));
    return file_format_sink(&CSV_FORMAT, req, ret_sink, err);
}
