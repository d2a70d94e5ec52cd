/* Batches put aside on disk: an unlinked file with checksums, read back in the order written. */
#include "engine/column/spool.h"

#include "engine/column/batch_impl.h"
#include "engine/column/spool_file.h"
#include "foundation/base/mem.h"

enum { VIEWS_AT_ONCE = 256, CURSOR_MAX = 1 << 20 };

/* A batch is [BatchHead][cursor][ordinals][column]…, a column is
 * [ColumnHead][valid][data][heaps][aux][child]… */
typedef struct BatchHead {
    int64_t rows, seq, epoch, first, next, bytes, cursor_len;
    int32_t part;
    int32_t has_ordinals;
} BatchHead;

typedef struct ColumnHead {
    int64_t length, null_count;
    int32_t type, scale, child_count;
    uint8_t has_valid, has_aux, unused[2];
} ColumnHead;

struct Spool {
    SpoolFile file;
    Schema *schema; /* of the first batch */
    int64_t rows;
    int64_t batches;      /* written */
    int64_t batches_read; /* since the start of the file */
};

Status spool_new(Str folder, Spool **ret_spool, Err *err)
{
    CLEANUP(spool_free_p) Spool *spool = mem_zalloc((int64_t)sizeof *spool);
    if (!spool) return err_memory(err);
    spool->file.fd = -1;
    TRY(spool_file_init(&spool->file, folder, err));
    *ret_spool = TAKE(spool);
    return OK;
}

void spool_free(Spool *spool)
{
    if (!spool) return;
    spool_file_done(&spool->file);
    schema_unref(spool->schema);
    mem_free(spool);
}

/* ---- writing ---- */

/* Rows [offset, offset + length) of validity or booleans; offset is a multiple of 64. */
static Status put_bits(SpoolFile *file, const Buffer *bits, const Column *c, Err *err)
{
    return spool_file_put(file, bits->data + c->offset / 8, (c->length + 7) / 8, err);
}

/* Where texts go when they are written one after the other: into heaps of 2 GiB at most. */
typedef struct HeapPlace {
    int32_t heap;
    int64_t offset;
} HeapPlace;

/* True when the next text begins another heap. */
static bool heap_advance(HeapPlace *place, int32_t len)
{
    bool next = place->offset + len > INT32_MAX;
    if (next) *place = (HeapPlace){place->heap + 1, 0};
    place->offset += len;
    return next;
}

static Status put_views(SpoolFile *file, const Column *c, Err *err)
{
    const TextView *views = column_views(c);
    TextView some[VIEWS_AT_ONCE];
    HeapPlace place = {0, 0};
    for (int64_t base = 0; base < c->length; base += VIEWS_AT_ONCE) {
        int64_t count = int64_min(VIEWS_AT_ONCE, c->length - base);
        memcpy(some, views + base, (size_t)count * sizeof *some);
        for (int64_t i = 0; i < count; i++) {
            if (some[i].len <= 12) continue;
            (void)heap_advance(&place, some[i].len);
            some[i].ref.heap = place.heap;
            some[i].ref.offset = (int32_t)(place.offset - some[i].len);
        }
        TRY(spool_file_put(file, some, count * (int64_t)sizeof *some, err));
    }
    return OK;
}

/* Bytes of the heap that begins at *row; moves *row after its last text. */
static int64_t heap_size(const Column *c, int64_t *row)
{
    const TextView *views = column_views(c);
    HeapPlace place = {0, 0};
    int64_t size = 0;
    for (; *row < c->length; ++*row) {
        int32_t len = views[*row].len;
        if (len <= 12) continue;
        if (heap_advance(&place, len)) break;
        size = place.offset;
    }
    return size;
}

/* [size][bytes] for each heap, then a size of 0. */
static Status put_heaps(SpoolFile *file, const Column *c, Err *err)
{
    int64_t size;
    int64_t row = 0;
    do {
        int64_t from = row;
        size = heap_size(c, &row);
        TRY(spool_file_put(file, &size, (int64_t)sizeof size, err));
        for (int64_t i = from; i < row; i++) {
            Str text = column_text(c, i);
            if (text.len > 12) TRY(spool_file_put(file, text.ptr, text.len, err));
        }
    } while (size);
    return OK;
}

static Status put_column(SpoolFile *file, const Column *c, Err *err);

/* Of a slice or an old filter's rows the children may hold much more than the rows use. */
static Status put_dense(SpoolFile *file, const Column *c, Err *err)
{
    Run run = {0, c->length};
    Choice choice = {.runs = &run, .run_count = 1, .count = c->length};
    Column dense = {0};
    Status status = gather_column(c, &choice, &dense, err);
    if (status == OK) status = gather_heaps(c, 1, &dense, err);
    if (status == OK) status = put_column(file, &dense, err);
    column_done(&dense);
    return status;
}

static int64_t child_rows(const Column *c)
{
    int64_t rows = 0;
    for (int32_t i = 0; i < c->child_count; i++) rows += c->children[i].length;
    return rows;
}

static int64_t aux_width(TypeId type)
{
    return type == TYPE_DYNAMIC ? (int64_t)sizeof(int32_t) : 1;
}

static Status put_data(SpoolFile *file, const Column *c, Err *err)
{
    if (c->type == TYPE_BOOL) return put_bits(file, c->data, c, err);
    if (type_is_view(c->type)) {
        TRY(put_views(file, c, err));
        return put_heaps(file, c, err);
    }
    int64_t width = type_width(c->type);
    return spool_file_put(file, c->data->data + c->offset * width, c->length * width, err);
}

static Status put_column(SpoolFile *file, const Column *c, Err *err)
{
    if (child_rows(c) > c->length) return put_dense(file, c, err);
    ColumnHead head = {
        .length = c->length,
        .null_count = c->null_count,
        .type = (int32_t)c->type,
        .scale = c->scale,
        .child_count = c->child_count,
        .has_valid = c->valid != NULL,
        .has_aux = c->aux != NULL,
    };
    TRY(spool_file_put(file, &head, (int64_t)sizeof head, err));
    if (c->valid) TRY(put_bits(file, c->valid, c, err));
    TRY(put_data(file, c, err));
    if (c->aux) {
        int64_t width = aux_width(c->type);
        TRY(spool_file_put(file, c->aux->data + c->offset * width, c->length * width, err));
    }
    for (int32_t i = 0; i < c->child_count; i++) TRY(put_column(file, &c->children[i], err));
    return OK;
}

static Status put_batch(SpoolFile *file, const Batch *batch, Err *err)
{
    BatchHead head = {
        .rows = batch->rows,
        .seq = batch->seq,
        .epoch = batch->epoch,
        .first = batch->span.first,
        .next = batch->span.next,
        .bytes = batch->span.bytes,
        .cursor_len = batch->span.cursor.len,
        .part = batch->span.part,
        .has_ordinals = batch->ordinals != NULL,
    };
    TRY(spool_file_put(file, &head, (int64_t)sizeof head, err));
    TRY(spool_file_put(file, batch->span.cursor.ptr, batch->span.cursor.len, err));
    if (batch->ordinals) TRY(spool_file_put(file, batch->ordinals->data, batch->rows * 8, err));
    for (int32_t i = 0; i < batch->schema->count; i++) {
        TRY(put_column(file, &batch->columns[i], err));
    }
    return OK;
}

Status spool_write(Spool *spool, const Batch *batch, Err *err)
{
    assert(!spool->schema || spool->schema->count == batch->schema->count);
    if (batch->span.cursor.len > CURSOR_MAX) {
        return err_set(err, ERR_LIMIT, "a cursor of %lld bytes", (long long)batch->span.cursor.len);
    }
    if (!spool->schema) spool->schema = schema_ref(batch->schema);
    if (put_batch(&spool->file, batch, err) != OK) {
        /* Half a batch is in the file. */
        spool->file.failed = true;
        return FAIL;
    }
    spool->rows += batch->rows;
    spool->batches++;
    return OK;
}

/* ---- reading ---- */

static Status broken(const char *what, Err *err)
{
    return err_set(err, ERR_IO, "spool: a batch with a wrong %s", what);
}

/* `size` bytes in a buffer whose size is `room`, zeroed after them. */
static Status take_buffer(SpoolFile *file, int64_t size, int64_t room, Budget *budget,
                          Buffer **ret_buffer, Err *err)
{
    if (size < 0 || size > spool_file_left(file)) return broken("size", err);
    TRY(buffer_new(room, budget, ret_buffer, err));
    memset((*ret_buffer)->data + size, 0, (size_t)(room - size));
    return spool_file_take(file, (*ret_buffer)->data, size, err);
}

static Status take_bits(SpoolFile *file, int64_t length, Budget *budget, Buffer **ret_buffer,
                        Err *err)
{
    return take_buffer(file, (length + 7) / 8, (length + 63) / 64 * 8, budget, ret_buffer, err);
}

static Status take_heaps(SpoolFile *file, Budget *budget, Column *c, Err *err)
{
    for (;;) {
        int64_t size = 0;
        TRY(spool_file_take(file, &size, (int64_t)sizeof size, err));
        if (size == 0) return OK;
        int64_t bytes = (c->heap_count + 1) * (int64_t)sizeof(Buffer *);
        Buffer **heaps = mem_realloc(c->heaps, bytes);
        if (!heaps) return err_memory(err);
        c->heaps = heaps;
        heaps[c->heap_count] = NULL;
        Buffer **heap = &heaps[c->heap_count++];
        TRY(take_buffer(file, size, size, budget, heap, err));
    }
}

static Status take_data(SpoolFile *file, Budget *budget, Column *c, Err *err)
{
    if (c->type == TYPE_BOOL) return take_bits(file, c->length, budget, &c->data, err);
    int64_t size = c->length * type_width(c->type);
    TRY(take_buffer(file, size, size, budget, &c->data, err));
    return type_is_view(c->type) ? take_heaps(file, budget, c, err) : OK;
}

static Status check_head(const SpoolFile *file, const ColumnHead *head, Err *err)
{
    if (head->type < 0 || head->type >= TYPE_COUNT) return broken("type", err);
    if (head->length < 0 || head->length / 8 > spool_file_left(file)) return broken("length", err);
    bool parent = head->type == TYPE_DYNAMIC;
    if (head->child_count < 0 || head->child_count > (parent ? INT8_MAX : 0)) {
        return broken("number of children", err);
    }
    return OK;
}

static Status take_column(SpoolFile *file, Budget *budget, Column *c, Err *err)
{
    ColumnHead head;
    TRY(spool_file_take(file, &head, (int64_t)sizeof head, err));
    TRY(check_head(file, &head, err));
    *c = (Column){
        .type = (TypeId)head.type,
        .scale = (uint8_t)head.scale,
        .length = head.length,
        .null_count = head.null_count,
    };
    if (head.has_valid) TRY(take_bits(file, c->length, budget, &c->valid, err));
    TRY(take_data(file, budget, c, err));
    if (head.has_aux) {
        int64_t size = c->length * aux_width(c->type);
        TRY(take_buffer(file, size, size, budget, &c->aux, err));
    }
    if (head.child_count == 0) return OK;
    c->children = mem_array(head.child_count, (int64_t)sizeof *c->children);
    if (!c->children) return err_memory(err);
    c->child_count = head.child_count;
    for (int32_t i = 0; i < c->child_count; i++) {
        TRY(take_column(file, budget, &c->children[i], err));
        if (c->children[i].type == TYPE_DYNAMIC) return broken("child", err);
    }
    return OK;
}

static Status take_cursor(SpoolFile *file, int64_t len, Batch *batch, Err *err)
{
    if (len < 0 || len > CURSOR_MAX) return broken("cursor", err);
    if (len == 0) return OK;
    char *cursor = arena_raw(&batch->arena, len);
    if (!cursor) return err_memory(err);
    batch->span.cursor = str_make(cursor, len);
    return spool_file_take(file, cursor, len, err);
}

static Status take_batch(SpoolFile *file, Budget *budget, Batch *batch, Err *err)
{
    BatchHead head;
    TRY(spool_file_take(file, &head, (int64_t)sizeof head, err));
    batch->rows = head.rows;
    batch->seq = head.seq;
    batch->epoch = head.epoch;
    batch->span = (Span){head.part, head.first, head.next, head.bytes, STR_NULL};
    TRY(take_cursor(file, head.cursor_len, batch, err));
    if (head.has_ordinals) {
        int64_t size = head.rows * 8;
        TRY(take_buffer(file, size, size, budget, &batch->ordinals, err));
    }
    for (int32_t i = 0; i < batch->schema->count; i++) {
        TRY(take_column(file, budget, &batch->columns[i], err));
        if (batch->columns[i].length != batch->rows) return broken("length of a column", err);
    }
    return OK;
}

Status spool_rewind(Spool *spool, Err *err)
{
    TRY(spool_file_flush(&spool->file, err));
    spool_file_seek(&spool->file, (SpoolPlace){0, 0});
    spool->batches_read = 0;
    return OK;
}

Status spool_read(Spool *spool, Budget *budget, Batch **ret_batch, Err *err)
{
    if (spool->batches_read == spool->batches && !spool->file.failed) {
        *ret_batch = NULL;
        return OK;
    }
    SpoolPlace before = spool_file_place(&spool->file);
    CLEANUP(batch_unref_p) Batch *batch = NULL;
    TRY(batch_new(spool->schema, &batch, err));
    if (take_batch(&spool->file, budget, batch, err) != OK) {
        spool_file_seek(&spool->file, before);
        return FAIL;
    }
    spool->batches_read++;
    *ret_batch = TAKE(batch);
    return OK;
}

int64_t spool_bytes(const Spool *spool)
{
    return spool_file_size(&spool->file);
}

int64_t spool_rows(const Spool *spool)
{
    return spool->rows;
}
