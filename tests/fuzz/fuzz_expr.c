/* Fuzz target: select lists over fixed rows; nothing may crash, whatever the text. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "engine/expr/expr.h"
#include "engine/format/json_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const ROWS[] = {
    "{\"a\":1,\"b\":\"x\",\"c\":[1,2.5,null],\"d\":{\"e\":true},\"t\":\"2024-02-29T10:00:00Z\"}",
    "{\"a\":-1.50,\"b\":\"\",\"c\":{},\"d\":null}",
    "{\"a\":\"12\",\"b\":12345678901234567890123456789012345678901234567890}",
    "{\"a\":null,\"b\":false,\"c\":[],\"t\":\"\"}",
};

static void run(Select *select, const PathSet *paths)
{
    Err err = {0};
    JsonReader *reader = NULL;
    Batch *batch = NULL, *out = NULL;
    RejectList rejects;
    ExprRun exprs = {.now_us = 1700000000000000};
    reject_list_init(&rejects);
    if (json_reader_open(paths, false, NULL, &reader, &err) != OK) abort();
    for (int64_t i = 0; i < COUNT_OF(ROWS); i++) {
        bool taken = false;
        JsonRefusal refusal;
        if (json_reader_add(reader, str_from(ROWS[i]), &taken, &refusal, &err) != OK) abort();
    }
    if (json_reader_finish(reader, &batch, &err) != OK) abort();
    /* Row errors are results; anything else but limits would be a fault. */
    if (select_run(select, &exprs, batch, &rejects, &out, &err) != OK && err.kind == ERR_INTERNAL) {
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
    if (size > 2000) return 0;
    pathset_init(&paths);
    if (pathset_schema(&paths, false, &schema, &err) != OK) abort();
    if (select_compile(str_make((const char *)data, (int64_t)size), schema, &paths, &select,
                       &err) == OK) {
        run(select, &paths);
    } else if (err.kind == ERR_INTERNAL) {
        abort();
    }
    select_free(select);
    schema_unref(schema);
    pathset_done(&paths);
    return 0;
}
