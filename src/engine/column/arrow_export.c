/* Batches to the Arrow C data interface, sharing their buffers. */
#include "engine/column/arrow_impl.h"
#include "foundation/base/mem.h"

/* What an exported array keeps until its release. Children may be moved away and be released later
 * than their parent: so each holds the batch (for its origin) and its own buffers. */
typedef struct ArrayNode {
    Batch *batch;
    Column column;
    Arena arena;
} ArrayNode;

static void release_array(struct ArrowArray *array)
{
    for (int64_t i = 0; i < array->n_children; i++) {
        struct ArrowArray *child = array->children[i];
        if (child->release) child->release(child);
    }
    ArrayNode *node = array->private_data;
    column_done(&node->column);
    batch_unref(node->batch);
    arena_done(&node->arena);
    mem_free(node);
    array->release = NULL;
}

/* An array without values; after success the caller releases `ret`, whatever else fails. */
static Status node_new(Batch *batch, int64_t length, int64_t buffers, int64_t children,
                       struct ArrowArray *ret, Err *err)
{
    ArrayNode *node = mem_zalloc((int64_t)sizeof *node);
    if (!node) return err_memory(err);
    node->arena = arena_make(1 << 26);
    const void **buffer_list = ARENA_ARRAY(&node->arena, const void *, buffers + 1);
    struct ArrowArray *items = ARENA_ARRAY(&node->arena, struct ArrowArray, children + 1);
    struct ArrowArray **places = ARENA_ARRAY(&node->arena, struct ArrowArray *, children + 1);
    if (!buffer_list || !items || !places) {
        arena_done(&node->arena);
        mem_free(node);
        return err_memory(err);
    }
    for (int64_t i = 0; i < children; i++) places[i] = &items[i];
    node->batch = batch_ref(batch);
    *ret = (struct ArrowArray){
        .length = length,
        .n_buffers = buffers,
        .n_children = children,
        .buffers = buffer_list,
        .children = children ? places : NULL,
        .release = release_array,
        .private_data = node,
    };
    return OK;
}

static Column *node_column(struct ArrowArray *array)
{
    ArrayNode *node = array->private_data;
    return &node->column;
}

static void set_valid(const Column *c, struct ArrowArray *array)
{
    array->offset = c->length ? c->offset : 0;
    array->null_count = c->valid ? c->null_count : 0;
    array->buffers[0] = c->valid ? c->valid->data : NULL;
}

static Status export_plain(Batch *batch, const Column *c, struct ArrowArray *ret, Err *err)
{
    TRY(node_new(batch, c->length, 2, 0, ret, err));
    TRY(column_share(c, node_column(ret), err));
    set_valid(c, ret);
    ret->buffers[1] = c->data->data;
    return OK;
}

/* Views: the heaps follow, and after them their sizes. */
static Status export_views(Batch *batch, const Column *c, struct ArrowArray *ret, Err *err)
{
    TRY(node_new(batch, c->length, 3 + c->heap_count, 0, ret, err));
    TRY(column_share(c, node_column(ret), err));
    ArrayNode *node = ret->private_data;
    int64_t *sizes = ARENA_ARRAY(&node->arena, int64_t, c->heap_count + 1);
    if (!sizes) return err_memory(err);
    set_valid(c, ret);
    ret->buffers[1] = c->data->data;
    for (int32_t i = 0; i < c->heap_count; i++) {
        ret->buffers[2 + i] = c->heaps[i]->data;
        sizes[i] = c->heaps[i]->size;
    }
    ret->buffers[2 + c->heap_count] = sizes;
    return OK;
}

/* Replace the data by a new buffer for rows from 0; validity moves with it. */
static Status own_data(const Column *c, int64_t width, Column *own, Err *err)
{
    *own = (Column){.type = c->type, .length = c->length, .null_count = c->null_count};
    if (c->valid) {
        int64_t bytes = (c->length + 7) / 8;
        TRY(buffer_new((c->length + 63) / 64 * 8, NULL, &own->valid, err));
        memset(own->valid->data, 0, (size_t)own->valid->size);
        memcpy(own->valid->data, c->valid->data + c->offset / 8, (size_t)bytes);
    }
    return buffer_new(c->length * width, NULL, &own->data, err);
}

static Status interval_export(const Column *c, Column *own, Err *err)
{
    const Interval *in = column_interval(c);
    Interval *out = (Interval *)(void *)own->data->data;
    for (int64_t i = 0; i < c->length; i++) {
        out[i] = in[i];
        if (!__builtin_mul_overflow(in[i].us, 1000, &out[i].us)) continue;
        return err_set(err, ERR_DATA, "row %lld: an interval too long to be in nanoseconds",
                       (long long)i);
    }
    return OK;
}

/* Every value with the scale that the column's type declares. */
static Status decimal_export(const Column *c, int32_t scale, Column *own, Err *err)
{
    const Int128 *in = column_numeric(c);
    Int128 *out = (Int128 *)(void *)own->data->data;
    for (int64_t i = 0; i < c->length; i++) {
        uint8_t from = column_scale(c, i);
        Decimal value = {in[i], from};
        bool fits = column_is_null(c, i) || from == scale;
        if (!fits && from != NUMERIC_SCALE_DOUBLE) {
            fits = decimal_round((Decimal){in[i], from}, scale, &value) == DECIMAL_OK &&
                   decimal_compare(value, (Decimal){in[i], from}) == 0;
        }
        if (!fits) {
            return err_set(err, ERR_DATA, "row %lld: the value does not fit numeric(38,%d)",
                           (long long)i, scale);
        }
        out[i] = value.value;
    }
    return OK;
}

static Status export_converted(Batch *batch, const Field *field, const Column *c,
                               struct ArrowArray *ret, Err *err)
{
    TRY(node_new(batch, c->length, 2, 0, ret, err));
    Column *own = node_column(ret);
    TRY(own_data(c, 16, own, err));
    set_valid(own, ret);
    ret->buffers[1] = own->data->data;
    if (c->type == TYPE_INTERVAL) return interval_export(c, own, err);
    return decimal_export(c, field->scale, own, err);
}

/* One child of the struct that stands for a NUMERIC: all rows from the start of its buffer. */
static Status export_part(Batch *batch, int64_t rows, Buffer *values, struct ArrowArray *ret,
                          Err *err)
{
    TRY(node_new(batch, rows, 2, 0, ret, err));
    node_column(ret)->data = buffer_ref(values);
    ret->buffers[1] = values->data;
    return OK;
}

static Status export_numeric(Batch *batch, const Column *c, struct ArrowArray *ret, Err *err)
{
    int64_t rows = c->offset + c->length;
    TRY(node_new(batch, c->length, 1, 2, ret, err));
    TRY(column_share(c, node_column(ret), err));
    set_valid(c, ret);
    TRY(export_part(batch, rows, c->data, ret->children[0], err));
    if (c->aux) return export_part(batch, rows, c->aux, ret->children[1], err);
    CLEANUP(buffer_unref_p) Buffer *scales = NULL;
    TRY(buffer_new(rows, NULL, &scales, err));
    memset(scales->data, c->scale, (size_t)rows);
    return export_part(batch, rows, scales, ret->children[1], err);
}

static Status export_column(Batch *batch, const Field *field, const Column *c,
                            struct ArrowArray *ret, Err *err);

static int32_t type_id(TypeId type)
{
    int32_t id = 0;
    while (ARROW_DYNAMIC_TYPES[id] != type) id++;
    return id;
}

/* Tags as type ids; NULL rows point to the one row of the null child. */
static void export_tags(const Column *c, int8_t *tags, int32_t *places)
{
    for (int64_t i = 0; i < c->length; i++) {
        bool null = column_is_null(c, i);
        tags[i] = (int8_t)ARROW_DYNAMIC_NULL;
        if (!null) tags[i] = (int8_t)type_id(c->children[column_tag(c, i)].type);
        places[i] = null ? 0 : (int32_t)column_child_row(c, i);
    }
}

static Status export_child(Batch *batch, const Column *parent, TypeId type, struct ArrowArray *ret,
                           Err *err)
{
    Field field = {.type = type};
    for (int32_t i = 0; i < parent->child_count; i++) {
        const Column *child = &parent->children[i];
        if (child->type == type) return export_column(batch, &field, child, ret, err);
    }
    Column none = {0};
    TRY(column_nulls(type, 0, &none, err));
    Status status = export_column(batch, &field, &none, ret, err);
    column_done(&none);
    return status;
}

static Status export_dynamic(Batch *batch, const Column *c, struct ArrowArray *ret, Err *err)
{
    TRY(node_new(batch, c->length, 2, ARROW_DYNAMIC_COUNT + 1, ret, err));
    Column *own = node_column(ret);
    TRY(buffer_new(c->length, NULL, &own->data, err));
    TRY(buffer_new(c->length * (int64_t)sizeof(int32_t), NULL, &own->aux, err));
    export_tags(c, (int8_t *)own->data->data, (int32_t *)(void *)own->aux->data);
    ret->buffers[0] = own->data->data;
    ret->buffers[1] = own->aux->data;
    for (int32_t i = 0; i < ARROW_DYNAMIC_COUNT; i++) {
        TRY(export_child(batch, c, ARROW_DYNAMIC_TYPES[i], ret->children[i], err));
    }
    struct ArrowArray *null = ret->children[ARROW_DYNAMIC_NULL];
    TRY(node_new(batch, 1, 0, 0, null, err));
    null->null_count = 1;
    return OK;
}

static Status export_column(Batch *batch, const Field *field, const Column *c,
                            struct ArrowArray *ret, Err *err)
{
    if (type_is_view(c->type)) return export_views(batch, c, ret, err);
    if (c->type == TYPE_DYNAMIC) return export_dynamic(batch, c, ret, err);
    if (c->type == TYPE_INTERVAL) return export_converted(batch, field, c, ret, err);
    if (c->type != TYPE_NUMERIC) return export_plain(batch, c, ret, err);
    if (!field->precision) return export_numeric(batch, c, ret, err);
    if (!c->aux && c->scale == field->scale) return export_plain(batch, c, ret, err);
    return export_converted(batch, field, c, ret, err);
}

Status arrow_export_batch(Batch *batch, struct ArrowArray *ret_array, Err *err)
{
    struct ArrowArray root = {0};
    TRY(node_new(batch, batch->rows, 1, batch->schema->count, &root, err));
    for (int32_t i = 0; i < batch->schema->count; i++) {
        const Field *field = &batch->schema->fields[i];
        if (export_column(batch, field, &batch->columns[i], root.children[i], err) == OK) continue;
        root.release(&root);
        return err_prefix(err, "column %.*s: ", STR_ARG(field->name));
    }
    *ret_array = root;
    return OK;
}
