/* Building batches from JSON documents. */
#include "engine/format/json_read.h"

#include "engine/format/json_cell.h"
#include "engine/format/json_keys.h"
#include "engine/format/json_refusal.h"
#include "foundation/base/mem.h"
#include "foundation/codec/json_extract.h"

enum { HEAP_PADDING = 64 };

/* What one column keeps between rows. */
typedef struct ReadColumn {
    Builder builder;
    int32_t text_heap; /* index of the current heap in the builder (DYNAMIC: its TEXT child), -1:
                          none */
    int32_t json_heap; /* DYNAMIC: in its JSON child */
    JsonCell cell;
} ReadColumn;

struct JsonReader {
    Schema *schema;
    int32_t first; /* fields from here on are filled from documents (and field 0 when open) */
    int64_t rows;
    ReadColumn *columns;
    JsonSlot *slots; /* one per field; those before `first` are not used */
    Buffer *heap;
    JsonExtractor *extractor; /* open */
    JsonKeys keys;            /* columns: field indexes by name */
    JsonMembers members;
    Arena arena; /* decoded texts of one document */
};

static Status reader_new(Schema *schema, int32_t first, Budget *budget, JsonReader **ret_reader,
                         Err *err)
{
    CLEANUP(json_reader_free_p) JsonReader *reader = mem_zalloc((int64_t)sizeof *reader);
    if (!reader) return err_memory(err);
    json_keys_init(&reader->keys);
    reader->arena = arena_make(INT64_C(1) << 30);
    reader->schema = schema_ref(schema);
    reader->first = first;
    reader->columns = mem_array(schema->count, (int64_t)sizeof *reader->columns);
    reader->slots = mem_array(schema->count, (int64_t)sizeof *reader->slots);
    if (!reader->columns || !reader->slots) return err_memory(err);
    for (int32_t i = 0; i < schema->count; i++) {
        builder_init(&reader->columns[i].builder, schema->fields[i].type, budget);
    }
    json_reader_heap(reader, NULL);
    *ret_reader = TAKE(reader);
    return OK;
}

static Status parse_paths(const PathSet *paths, Arena *arena, JsonReader *reader, Err *err)
{
    JsonPath *parsed = ARENA_ARRAY(arena, JsonPath, paths->count);
    if (!parsed) return err_memory(err);
    for (int32_t i = 0; i < paths->count; i++) {
        TRY(json_path_parse(paths->paths[i], arena, &parsed[i], err));
    }
    return json_extractor_new(parsed, paths->count, &reader->extractor, err);
}

Status json_reader_open(const PathSet *paths, bool meta, Budget *budget, JsonReader **ret_reader,
                        Err *err)
{
    CLEANUP(schema_unref_p) Schema *schema = NULL;
    CLEANUP(json_reader_free_p) JsonReader *reader = NULL;
    TRY(pathset_schema(paths, meta, &schema, err));
    TRY(reader_new(schema, schema->count - paths->count, budget, &reader, err));
    Arena arena = arena_make(INT64_C(64) << 20);
    Status status = parse_paths(paths, &arena, reader, err);
    arena_done(&arena);
    TRY(status);
    *ret_reader = TAKE(reader);
    return OK;
}

Status json_reader_columns(const Schema *schema, Budget *budget, JsonReader **ret_reader, Err *err)
{
    CLEANUP(schema_unref_p) Schema *counted = schema_ref(schema);
    CLEANUP(json_reader_free_p) JsonReader *reader = NULL;
    TRY(reader_new(counted, 0, budget, &reader, err));
    for (int32_t i = 0; i < schema->count; i++) {
        TRY(json_keys_add(&reader->keys, schema->fields[i].name, err));
    }
    *ret_reader = TAKE(reader);
    return OK;
}

void json_reader_free(JsonReader *reader)
{
    if (!reader) return;
    for (int32_t i = 0; reader->columns && i < reader->schema->count; i++) {
        builder_done(&reader->columns[i].builder);
    }
    buffer_unref(reader->heap);
    json_extractor_free(reader->extractor);
    json_keys_done(&reader->keys);
    json_members_done(&reader->members);
    arena_done(&reader->arena);
    mem_free(reader->columns);
    mem_free(reader->slots);
    schema_unref(reader->schema);
    mem_free(reader);
}

const Schema *json_reader_schema(const JsonReader *reader)
{
    return reader->schema;
}

Builder *json_reader_builder(JsonReader *reader, int32_t field)
{
    assert(field > 0 && field < reader->first);
    return &reader->columns[field].builder;
}

int64_t json_reader_rows(const JsonReader *reader)
{
    return reader->rows;
}

void json_reader_heap(JsonReader *reader, Buffer *heap)
{
    /* The same one again: what was registered of it still holds. */
    if (heap && heap == reader->heap) return;
    if (heap) buffer_ref(heap);
    buffer_unref(reader->heap);
    reader->heap = heap;
    for (int32_t i = 0; i < reader->schema->count; i++) {
        reader->columns[i].text_heap = -1;
        reader->columns[i].json_heap = -1;
    }
}

static bool in_heap(const Buffer *heap, Str text)
{
    uintptr_t at = (uintptr_t)text.ptr, from = (uintptr_t)(heap ? heap->data : NULL);
    return heap && at >= from && at + (uintptr_t)text.len <= from + (uintptr_t)heap->size;
}

/* Bytes after the document that may be read. */
static int64_t document_padding(const JsonReader *reader, Str document)
{
    if (!in_heap(reader->heap, document)) return 0;
    const char *end = (const char *)reader->heap->data + reader->heap->size;
    int64_t behind = end - (document.ptr + document.len);
    return reader->heap->release ? behind : behind + HEAP_PADDING;
}

/* ---- Appending ---- */

static Status append_text(JsonReader *reader, Builder *builder, int32_t *heap_index, Str text,
                          Err *err)
{
    if (text.len <= 12 || text.len > INT32_MAX || !in_heap(reader->heap, text)) {
        return builder_text(builder, text, err);
    }
    int64_t offset = text.ptr - (const char *)reader->heap->data;
    if (offset > INT32_MAX) return builder_text(builder, text, err);
    if (*heap_index < 0) TRY(builder_heap(builder, reader->heap, heap_index, err));
    return builder_view(builder, *heap_index, offset, (int32_t)text.len, err);
}

static Status append_cell(JsonReader *reader, ReadColumn *column, Err *err)
{
    const JsonCell *cell = &column->cell;
    Builder *builder = &column->builder;
    int32_t *heap = &column->text_heap;
    if (cell->null) return builder_null(builder, err);
    if (builder->type == TYPE_DYNAMIC) {
        if (cell->type == TYPE_JSON) heap = &column->json_heap;
        TRY(builder_dynamic(builder, cell->type, &builder, err));
    }
    switch (cell->type) {
    case TYPE_BOOL:
        return builder_bool(builder, cell->boolean, err);
    case TYPE_INT64:
    case TYPE_TIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        return builder_int64(builder, cell->integer, err);
    case TYPE_DOUBLE:
        return builder_double(builder, cell->real, err);
    case TYPE_NUMERIC:
        return cell->real_number ? builder_numeric_double(builder, cell->real, err)
                                 : builder_numeric(builder, cell->numeric, err);
    case TYPE_TEXT:
    case TYPE_BYTES:
    case TYPE_JSON:
        return append_text(reader, builder, heap, cell->text, err);
    case TYPE_DATE:
        return builder_date(builder, cell->days, err);
    case TYPE_INTERVAL:
        return builder_interval(builder, cell->interval, err);
    case TYPE_UUID:
        return builder_uuid(builder, cell->uuid, err);
    case TYPE_DYNAMIC:
    case TYPE_COUNT:
        break;
    }
    return err_set(err, ERR_INTERNAL, "a JSON value has no type");
}

/* All cells first, so that a refused document leaves nothing behind. */
static Status make_cells(JsonReader *reader, Str document, bool *ret_taken,
                         JsonRefusal *ret_refusal, Err *err)
{
    *ret_taken = true;
    for (int32_t i = reader->first; i < reader->schema->count; i++) {
        const Field *field = &reader->schema->fields[i];
        JsonCell *cell = &reader->columns[i].cell;
        CellResult result = json_cell_cast(&reader->slots[i], field, &reader->arena, cell, err);
        if (result == CELL_FAILED) return FAIL;
        if (result == CELL_OK) continue;
        json_refusal_value(ret_refusal, field, &reader->slots[i], document);
        *ret_taken = false;
        return OK;
    }
    return OK;
}

static Status append_row(JsonReader *reader, Err *err)
{
    for (int32_t i = reader->first; i < reader->schema->count; i++) {
        TRY(append_cell(reader, &reader->columns[i], err));
    }
    reader->rows++;
    return OK;
}

static Status add_open(JsonReader *reader, Str document, bool *ret_taken, JsonRefusal *ret_refusal,
                       Err *err)
{
    JsonSlot value;
    JsonError error;
    bool valid = json_extract(reader->extractor, document, document_padding(reader, document),
                              reader->slots + reader->first, &value, &error);
    *ret_taken = valid && value.kind == JSON_OBJECT;
    if (!*ret_taken) {
        json_refusal_document(ret_refusal, valid ? NULL : &error);
        return OK;
    }
    TRY(make_cells(reader, document, ret_taken, ret_refusal, err));
    if (!*ret_taken) return OK;
    ReadColumn *row = &reader->columns[0];
    TRY(append_text(reader, &row->builder, &row->text_heap, value.text, err));
    return append_row(reader, err);
}

static Status place_members(JsonReader *reader, Err *err)
{
    for (int32_t i = 0; i < reader->schema->count; i++) reader->slots[i].kind = JSON_MISSING;
    int32_t hint = 0;
    for (int64_t i = 0; i < reader->members.count; i++) {
        const JsonMember *member = &reader->members.items[i];
        Str name;
        TRY(json_text(&member->key, &reader->arena, &name, err));
        int32_t field = json_keys_find(&reader->keys, name, hint);
        if (field < 0) continue;
        reader->slots[field] = member->value;
        hint = field + 1;
    }
    return OK;
}

static Status add_columns(JsonReader *reader, Str document, bool *ret_taken,
                          JsonRefusal *ret_refusal, Err *err)
{
    JsonDocument kind;
    JsonError error;
    TRY(json_members_read(&reader->members, document, document_padding(reader, document), &kind,
                          &error, err));
    *ret_taken = kind == JSON_DOCUMENT_OBJECT;
    if (!*ret_taken) {
        json_refusal_document(ret_refusal, kind == JSON_DOCUMENT_INVALID ? &error : NULL);
        return OK;
    }
    TRY(place_members(reader, err));
    TRY(make_cells(reader, document, ret_taken, ret_refusal, err));
    return *ret_taken ? append_row(reader, err) : OK;
}

Status json_reader_add(JsonReader *reader, Str document, bool *ret_taken, JsonRefusal *ret_refusal,
                       Err *err)
{
    arena_clear(&reader->arena);
    return reader->extractor ? add_open(reader, document, ret_taken, ret_refusal, err)
                             : add_columns(reader, document, ret_taken, ret_refusal, err);
}

Status json_reader_finish(JsonReader *reader, Batch **ret_batch, Err *err)
{
    CLEANUP(batch_unref_p) Batch *batch = NULL;
    TRY(batch_new(reader->schema, &batch, err));
    for (int32_t i = 0; i < reader->schema->count; i++) {
        assert(reader->columns[i].builder.length == reader->rows);
        TRY(builder_finish(&reader->columns[i].builder, &batch->columns[i], err));
        reader->columns[i].text_heap = -1;
        reader->columns[i].json_heap = -1;
    }
    batch->rows = reader->rows;
    reader->rows = 0;
    *ret_batch = TAKE(batch);
    return OK;
}
