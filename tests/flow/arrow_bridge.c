/* Batches in and out by the Arrow C data interface, for a test in another language. */
#include "engine/column/arrow.h"
#include "unit/engine/column/sample_batch.h"

Batch *bridge_import(const struct ArrowSchema *schema, struct ArrowArray *array, char *message,
                     int64_t size);
bool bridge_export(Batch *batch, struct ArrowSchema *ret_schema, struct ArrowArray *ret_array);
Batch *bridge_sample(int64_t rows, int64_t from, int64_t count);
int64_t bridge_types(const Batch *batch, char *types, int64_t size);
void bridge_free(Batch *batch);

/* NULL, and the reason in `message`, when it can't be read. */
Batch *bridge_import(const struct ArrowSchema *arrow_schema, struct ArrowArray *array,
                     char *message, int64_t size)
{
    Err err = {0};
    Batch *batch = NULL;
    CLEANUP(schema_unref_p) Schema *schema = NULL;
    Status status = arrow_import_schema(arrow_schema, &schema, &err);
    if (status == OK) status = arrow_import_batch(schema, arrow_schema, array, &batch, &err);
    (void)snprintf(message, (size_t)size, "%s: %s", err_kind_name(err.kind), err.message);
    return status == OK ? batch : NULL;
}

bool bridge_export(Batch *batch, struct ArrowSchema *ret_schema, struct ArrowArray *ret_array)
{
    return arrow_export_schema(batch->schema, ret_schema, NULL) == OK &&
           arrow_export_batch(batch, ret_array, NULL) == OK;
}

Batch *bridge_sample(int64_t rows, int64_t from, int64_t count)
{
    CLEANUP(batch_unref_p) Batch *batch = NULL;
    Batch *slice = NULL;
    if (sample_batch(rows, &batch, NULL) != OK) return NULL;
    return batch_slice(batch, from, count, &slice, NULL) == OK ? slice : NULL;
}

/* Our names of the columns' types, with commas between. */
int64_t bridge_types(const Batch *batch, char *types, int64_t size)
{
    int64_t len = 0;
    for (int32_t i = 0; i < batch->schema->count; i++) {
        const char *name = type_name(batch->schema->fields[i].type);
        len += snprintf(types + len, (size_t)(size - len), "%s%s", i ? "," : "", name);
    }
    return len;
}

void bridge_free(Batch *batch)
{
    batch_unref(batch);
}
