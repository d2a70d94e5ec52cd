/* Fuzz target: templates of dates; what is written by one is read by it, or is an error of the row.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "engine/expr/expr.h"
#include "engine/expr/template_date.h"
#include "engine/format/json_read.h"
#include "foundation/codec/json_writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char SELECT[] =
    "to_timestamp(t, f) AS a, to_date(t, f) AS b,"
    " to_char('2024-02-29T23:59:59.123456Z'::timestamptz, f) AS c,"
    " to_timestamp(to_char('2024-02-29T10:00:00Z'::timestamptz, f), f) AS d";

/* {"t": text, "f": format} */
static Status write_row(Str text, Str format, Buf *out, Err *err)
{
    JsonWriter w = json_writer_make(out, err);
    json_object_begin(&w);
    json_key(&w, "t");
    json_write_text(&w, text);
    json_key(&w, "f");
    json_write_text(&w, format);
    json_object_end(&w);
    return json_writer_end(&w);
}

static void run(Select *select, const PathSet *paths, Str row)
{
    Err err = {0};
    JsonReader *reader = NULL;
    Batch *batch = NULL, *out = NULL;
    RejectList rejects;
    JsonRefusal refusal;
    bool taken = false;
    ExprRun exprs = {.now_us = 1700000000000000};
    reject_list_init(&rejects);
    if (json_reader_open(paths, false, NULL, &reader, &err) != OK) abort();
    if (json_reader_add(reader, row, &taken, &refusal, &err) != OK) abort();
    if (taken && json_reader_finish(reader, &batch, &err) != OK) abort();
    if (batch && select_run(select, &exprs, batch, &rejects, &out, &err) != OK &&
        err.kind == ERR_INTERNAL) {
        abort();
    }
    if (out && out->rows + rejects.count != batch->rows) abort();
    batch_unref(out);
    batch_unref(batch);
    json_reader_free(reader);
    reject_list_done(&rejects);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Err err = {0};
    PathSet paths;
    Schema *schema = NULL;
    Select *select = NULL;
    Template template;
    Str all = str_make((const char *)data, (int64_t)size);
    int64_t at = str_find_char(all, '\n');
    Str format = at < 0 ? all : str_slice(all, 0, at);
    Str text = at < 0 ? all : str_slice(all, at + 1, all.len);
    Buf row = buf_make(1 << 20);
    if (size > 1000) return 0;
    template_date_read(format, &template);
    if (template.count > TEMPLATE_ITEMS_MAX) abort();
    pathset_init(&paths);
    if (pathset_schema(&paths, false, &schema, &err) != OK) abort();
    if (select_compile(str_from(SELECT), schema, &paths, &select, &err) != OK) abort();
    if (str_is_utf8(all) && write_row(text, format, &row, &err) == OK) {
        run(select, &paths, buf_str(&row));
    }
    select_free(select);
    schema_unref(schema);
    pathset_done(&paths);
    buf_done(&row);
    return 0;
}
