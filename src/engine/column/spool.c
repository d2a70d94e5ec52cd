/* Batches put aside on disk: an unlinked file with checksums, read back in the order written. */
#include "engine/column/spool.h"

#include "foundation/base/buf.h"
#include "foundation/base/file.h"
#include "foundation/base/hash.h"
#include "foundation/base/mem.h"

#define SPOOL_BLOCK_MAX (INT64_C(1) << 40)

/* The file is a row of blocks: [BlockHead][payload]. A payload is a batch: head, ordinals, columns.
 */
typedef struct BlockHead {
    int64_t length; /* of the payload */
    uint64_t checksum;
} BlockHead;

typedef struct BatchHead {
    int64_t rows, seq, epoch, first, next, bytes, cursor_len;
    int32_t part;
    int32_t has_ordinals;
} BatchHead;

typedef struct ColumnHead {
    int32_t type, scale, child_count, heap_count;
    int64_t length, null_count, valid_size, data_size, aux_size;
} ColumnHead;

struct Spool {
    int fd;
    Schema *schema; /* of the first batch */
    Buf out;        /* one block being written */
    Buf in;         /* one block being read */
    int64_t end;    /* of the file */
    int64_t at;     /* where reading stands */
    int64_t rows;
    Buf folder;
};

Status spool_new(Str folder, Spool **ret_spool, Err *err)
{
    Spool *spool = mem_zalloc((int64_t)sizeof *spool);
    if (!spool) return err_memory(err);
    spool->fd = -1;
    spool->out = buf_make(SPOOL_BLOCK_MAX);
    spool->in = buf_make(SPOOL_BLOCK_MAX);
    spool->folder = buf_make(8192);
    Str name = folder.len ? folder : STR("the temporary folder");
    if (buf_append(&spool->folder, name, err) != OK ||
        file_temporary(folder, &spool->fd, err) != OK) {
        spool_free(spool);
        return FAIL;
    }
    *ret_spool = spool;
    return OK;
}

void spool_free(Spool *spool)
{
    if (!spool) return;
    if (spool->fd >= 0) file_close(spool->fd);
    schema_unref(spool->schema);
    buf_done(&spool->out);
    buf_done(&spool->in);
    buf_done(&spool->folder);
    mem_free(spool);
}

/* ---- writing ---- */

static Status put(Buf *out, const void *bytes, int64_t len, Err *err)
{
    return buf_append(out, str_make(bytes, len), err);
}

/* Rows [offset, offset + length) of validity or booleans: offset is a multiple of 64. */
static int64_t bits_size(const Column *c)
{
    return (c->length + 63) / 64 * 8;
}

static Status put_bits(Buf *out, const Buffer *bits, const Column *c, Err *err)
{
    return put(out, bits->data + c->offset / 8, bits_size(c), err);
}

/* Views with their long texts gathered behind them as one heap. */
static Status put_views(Buf *out, const Column *c, Err *err)
{
    TRY(put(out, column_views(c), c->length * 16, err));
    int64_t heap = 0;
    int64_t views_at = out->len - c->length * 16;
    for (int64_t i = 0; i < c->length; i++) {
        TextView view = column_views(c)[i];
        if (view.len <= 12) continue;
        if (heap + view.len > INT32_MAX) {
            return err_set(err, ERR_LIMIT, "a batch with more than 2 GiB of text in one column");
        }
        view.ref.heap = 0;
        view.ref.offset = (int32_t)heap;
        memcpy(out->data + views_at + i * 16, &view, sizeof view);
        heap += view.len;
    }
    TRY(put(out, &heap, (int64_t)sizeof heap, err));
    for (int64_t i = 0; i < c->length; i++) {
        if (column_views(c)[i].len > 12) TRY(buf_append(out, column_text(c, i), err));
    }
    return OK;
}

static int64_t aux_width(const Column *c)
{
    if (!c->aux) return 0;
    return c->type == TYPE_DYNAMIC ? (int64_t)sizeof(int32_t) : 1;
}

static Status put_column(Buf *out, const Column *c, Err *err)
{
    int64_t data = c->type == TYPE_BOOL ? bits_size(c) : c->length * type_width(c->type);
    ColumnHead head = {
        .type = (int32_t)c->type,
        .scale = c->scale,
        .child_count = c->child_count,
        .length = c->length,
        .null_count = c->null_count,
        .valid_size = c->valid ? bits_size(c) : 0,
        .data_size = data,
        .aux_size = c->length * aux_width(c),
    };
    TRY(put(out, &head, (int64_t)sizeof head, err));
    if (c->valid) TRY(put_bits(out, c->valid, c, err));
    if (c->type == TYPE_BOOL) TRY(put_bits(out, c->data, c, err));
    else if (type_is_view(c->type)) TRY(put_views(out, c, err));
    else TRY(put(out, c->data->data + c->offset * type_width(c->type), data, err));
    if (head.aux_size) {
        TRY(put(out, c->aux->data + c->offset * aux_width(c), head.aux_size, err));
    }
    for (int32_t i = 0; i < c->child_count; i++) TRY(put_column(out, &c->children[i], err));
    return OK;
}

static Status put_batch(Buf *out, const Batch *batch, Err *err)
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
    TRY(put(out, &head, (int64_t)sizeof head, err));
    TRY(buf_append(out, batch->span.cursor, err));
    if (batch->ordinals) TRY(put(out, batch->ordinals->data, batch->rows * 8, err));
    for (int32_t i = 0; i < batch->schema->count; i++) {
        TRY(put_column(out, &batch->columns[i], err));
    }
    return OK;
}

Status spool_write(Spool *spool, const Batch *batch, Err *err)
{
    if (!spool->schema) spool->schema = schema_ref(batch->schema);
    buf_clear(&spool->out);
    BlockHead head = {0};
    TRY(put(&spool->out, &head, (int64_t)sizeof head, err));
    TRY(put_batch(&spool->out, batch, err));
    head.length = spool->out.len - (int64_t)sizeof head;
    Str payload = str_slice(buf_str(&spool->out), (int64_t)sizeof head, spool->out.len);
    head.checksum = hash_64(payload, 0);
    memcpy(spool->out.data, &head, sizeof head);
    if (file_write_at(spool->fd, buf_str(&spool->out), spool->end, err) != OK) {
        (void)err_where(err, "%.*s", STR_ARG(buf_str(&spool->folder)));
        return err_prefix(err, "spool: ");
    }
    spool->end += spool->out.len;
    spool->rows += batch->rows;
    return OK;
}

/* ---- reading ---- */

static Status take(Str *rest, void *to, int64_t len, Err *err)
{
    if (len < 0 || rest->len < len) return err_set(err, ERR_IO, "spool: a block is cut short");
    if (len) memcpy(to, rest->ptr, (size_t)len);
    *rest = str_make(rest->ptr + len, rest->len - len);
    return OK;
}

static Status take_buffer(Str *rest, int64_t size, Budget *budget, Buffer **ret_buffer, Err *err)
{
    if (size < 0 || size > rest->len) return err_set(err, ERR_IO, "spool: a block is cut short");
    TRY(buffer_new(size, budget, ret_buffer, err));
    return take(rest, (*ret_buffer)->data, size, err);
}

static Status take_heap(Str *rest, Column *c, Budget *budget, Err *err)
{
    int64_t size = 0;
    TRY(take(rest, &size, (int64_t)sizeof size, err));
    if (size == 0) return OK;
    c->heaps = mem_array(1, (int64_t)sizeof *c->heaps);
    if (!c->heaps) return err_memory(err);
    TRY(take_buffer(rest, size, budget, &c->heaps[0], err));
    c->heap_count = 1;
    return OK;
}

static Status take_column(Str *rest, Budget *budget, Column *c, Err *err)
{
    ColumnHead head;
    TRY(take(rest, &head, (int64_t)sizeof head, err));
    *c = (Column){
        .type = (TypeId)head.type,
        .scale = (uint8_t)head.scale,
        .length = head.length,
        .null_count = head.null_count,
    };
    if (head.valid_size) TRY(take_buffer(rest, head.valid_size, budget, &c->valid, err));
    TRY(take_buffer(rest, head.data_size, budget, &c->data, err));
    if (type_is_view(c->type)) TRY(take_heap(rest, c, budget, err));
    if (head.aux_size) TRY(take_buffer(rest, head.aux_size, budget, &c->aux, err));
    if (head.child_count == 0) return OK;
    c->children = mem_array(head.child_count, (int64_t)sizeof *c->children);
    if (!c->children) return err_memory(err);
    for (int32_t i = 0; i < head.child_count; i++) {
        TRY(take_column(rest, budget, &c->children[i], err));
        c->child_count++;
    }
    return OK;
}

static Status take_batch(const Spool *spool, Str rest, Budget *budget, Batch *batch, Err *err)
{
    BatchHead head;
    TRY(take(&rest, &head, (int64_t)sizeof head, err));
    batch->rows = head.rows;
    batch->seq = head.seq;
    batch->epoch = head.epoch;
    batch->span = (Span){head.part, head.first, head.next, head.bytes, STR_NULL};
    TRY(arena_copy(&batch->arena, str_slice(rest, 0, head.cursor_len), &batch->span.cursor, err));
    rest = str_slice(rest, head.cursor_len, rest.len);
    if (head.has_ordinals) {
        TRY(take_buffer(&rest, head.rows * 8, budget, &batch->ordinals, err));
    }
    for (int32_t i = 0; i < spool->schema->count; i++) {
        TRY(take_column(&rest, budget, &batch->columns[i], err));
    }
    return OK;
}

Status spool_rewind(Spool *spool, Err *err UNUSED)
{
    spool->at = 0;
    return OK;
}

static Status read_exact(Spool *spool, void *to, int64_t size, int64_t offset, Err *err)
{
    int64_t got = 0;
    TRY(file_read_at(spool->fd, to, size, offset, &got, err));
    if (got == size) return OK;
    return err_set(err, ERR_IO, "spool: the file ends at %lld", (long long)(offset + got));
}

Status spool_read(Spool *spool, Budget *budget, Batch **ret_batch, Err *err)
{
    *ret_batch = NULL;
    if (spool->at == spool->end) return OK;
    BlockHead head;
    TRY(read_exact(spool, &head, (int64_t)sizeof head, spool->at, err));
    if (head.length < 0 || head.length > spool->end - spool->at - (int64_t)sizeof head) {
        return err_set(err, ERR_IO, "spool: a damaged block at %lld", (long long)spool->at);
    }
    buf_clear(&spool->in);
    TRY(buf_reserve(&spool->in, head.length, err));
    TRY(read_exact(spool, spool->in.data, head.length, spool->at + (int64_t)sizeof head, err));
    Str payload = str_make(spool->in.data, head.length);
    if (hash_64(payload, 0) != head.checksum) {
        return err_set(err, ERR_IO, "spool: wrong checksum of the block at %lld",
                       (long long)spool->at);
    }
    CLEANUP(batch_unref_p) Batch *batch = NULL;
    TRY(batch_new(spool->schema, &batch, err));
    TRY(take_batch(spool, payload, budget, batch, err));
    spool->at += (int64_t)sizeof head + head.length;
    *ret_batch = TAKE(batch);
    return OK;
}

int64_t spool_bytes(const Spool *spool)
{
    return spool->end;
}

int64_t spool_rows(const Spool *spool)
{
    return spool->rows;
}
