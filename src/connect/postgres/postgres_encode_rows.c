/* Rows of binary COPY, column by column in small blocks: what a column is, is asked once per block
 * instead of once per value. First the lengths, then each value to its place. */
#include "connect/postgres/postgres_encode.h"
#include "foundation/base/mem.h"

/* Rows whose places and bytes stay in the nearest cache. */
enum { BLOCK_ROWS = 128, PREFIX_BYTES = 2 + 12 + 12 };

/* Values that aren't a copy of bytes are encoded into `cells` first. */
typedef struct Block {
    PostgresEncoder *encoder;
    const PostgresColumn *columns;
    const Batch *batch;
    int64_t from;
    int32_t count;
    bool good;       /* no value that the target refuses was met */
    int64_t *starts; /* per column: where its cells begin */
    char *at[BLOCK_ROWS];
    int32_t lens[BLOCK_ROWS];
} Block;

/* Bytes of the column's values where all have the same; 0: they differ. */
static int32_t fixed_width(const PostgresColumn *to, const Column *column)
{
    static const int8_t WIDTHS[POSTGRES_KIND_OTHER + 1] = {
        [POSTGRES_KIND_BOOL] = 1,  [POSTGRES_KIND_INT2] = 2,      [POSTGRES_KIND_INT4] = 4,
        [POSTGRES_KIND_INT8] = 8,  [POSTGRES_KIND_FLOAT8] = 8,    [POSTGRES_KIND_DATE] = 4,
        [POSTGRES_KIND_TIME] = 8,  [POSTGRES_KIND_TIMESTAMP] = 8, [POSTGRES_KIND_TIMESTAMPTZ] = 8,
        [POSTGRES_KIND_UUID] = 16,
    };
    bool integer = to->kind == POSTGRES_KIND_INT2 || to->kind == POSTGRES_KIND_INT4;
    bool same = integer ? column->type == TYPE_INT64 : to->route == POSTGRES_ROUTE_SAME;
    return same && to->fraction == 6 ? WIDTHS[to->kind] : 0;
}

static bool is_text(const PostgresColumn *to)
{
    return to->route == POSTGRES_ROUTE_SAME &&
           (to->kind == POSTGRES_KIND_TEXT || to->kind == POSTGRES_KIND_BYTEA ||
            to->kind == POSTGRES_KIND_JSON || to->kind == POSTGRES_KIND_JSONB);
}

/* ---- lengths ---- */

static void fixed_lens(Block *b, const Column *c, int32_t width)
{
    for (int32_t i = 0; i < b->count; i++) b->lens[i] += 4 + width;
    if (!c->valid) return;
    for (int32_t i = 0; i < b->count; i++) {
        b->lens[i] -= column_is_null(c, b->from + i) ? width : 0;
    }
}

static bool has_zero(Str text)
{
    return text.len && memchr(text.ptr, 0, (size_t)text.len) != NULL;
}

static void text_lens(Block *b, const PostgresColumn *to, const Column *c)
{
    bool text = to->kind == POSTGRES_KIND_TEXT;
    int32_t more = to->kind == POSTGRES_KIND_JSONB ? 5 : 4;
    int64_t limit = to->limit ? to->limit : INT32_MAX - 8;
    for (int32_t i = 0; i < b->count; i++) {
        if (column_is_null(c, b->from + i)) {
            b->lens[i] += 4;
            continue;
        }
        Str value = column_text(c, b->from + i);
        b->lens[i] += more + (int32_t)value.len;
        /* More bytes than characters are allowed: that has to be counted. */
        if (text && UNLIKELY(value.len > limit || has_zero(value))) b->good = false;
    }
}

/* Cells as they will stand in the row. */
static Status cells_encode(Block *b, int32_t column, Err *err)
{
    PostgresEncoder *e = b->encoder;
    const Column *c = &b->batch->columns[column];
    Buf *rows = e->out;
    e->out = &e->cells;
    b->starts[column] = e->cells.len;
    Status status = OK;
    for (int32_t i = 0; i < b->count && status == OK && b->good; i++) {
        int64_t before = e->cells.len;
        status = postgres_encode(e, &b->columns[column], c, b->from + i, err);
        b->good = !e->reason;
        b->lens[i] += (int32_t)(e->cells.len - before);
    }
    e->reason = NULL;
    e->out = rows;
    return status;
}

static bool refuses_null(const Block *b, const PostgresColumn *to, const Column *c)
{
    for (int32_t i = 0; to->no_null && c->valid && i < b->count; i++) {
        if (column_is_null(c, b->from + i)) return true;
    }
    return false;
}

static Status lens_add(Block *b, int32_t column, Err *err)
{
    const PostgresColumn *to = &b->columns[column];
    const Column *c = &b->batch->columns[column];
    int32_t width = fixed_width(to, c);
    if (refuses_null(b, to, c)) b->good = false;
    else if (width) fixed_lens(b, c, width);
    else if (is_text(to)) text_lens(b, to, c);
    else return cells_encode(b, column, err);
    return OK;
}

/* ---- values ---- */

/* `put` stores the value of `row` at `to` and gives the place behind. */
#define EACH_ROW(width, put)                                                                       \
    for (int32_t i = 0; i < b->count; i++) {                                                       \
        int64_t row = b->from + i;                                                                 \
        if (UNLIKELY(column_is_null(c, row))) {                                                    \
            b->at[i] = postgres_put32(b->at[i], -1);                                               \
            continue;                                                                              \
        }                                                                                          \
        char *to = postgres_put32(b->at[i], (width));                                              \
        b->at[i] = (put);                                                                          \
    }

static char *put_bool(char *to, bool value)
{
    *to = (char)value;
    return to + 1;
}

static void bools_put(Block *b, const Column *c)
{
    EACH_ROW(1, put_bool(to, column_bool(c, row)));
}

static void integers_put(Block *b, PostgresKind kind, const Column *c)
{
    const int64_t *values = column_int64(c);
    bool good = true;
    if (kind == POSTGRES_KIND_INT2) {
        EACH_ROW(2, (good &= values[row] == (int16_t)values[row],
                     postgres_put16(to, (int16_t)values[row])));
    } else if (kind == POSTGRES_KIND_INT4) {
        EACH_ROW(4, (good &= values[row] == (int32_t)values[row],
                     postgres_put32(to, (int32_t)values[row])));
    } else {
        EACH_ROW(8, postgres_put64(to, values[row]));
    }
    b->good &= good;
}

static void dates_put(Block *b, const Column *c)
{
    const int32_t *values = column_date(c);
    bool good = true;
    EACH_ROW(4, postgres_put32(to, postgres_date(values[row], &good)));
    b->good &= good;
}

static void timestamps_put(Block *b, const Column *c)
{
    const int64_t *values = column_int64(c);
    bool good = true;
    EACH_ROW(8, postgres_put64(to, postgres_timestamp(values[row], &good)));
    b->good &= good;
}

static void doubles_put(Block *b, const Column *c)
{
    /* The bits as they are. */
    const char *values = (const char *)column_double(c);
    int64_t bits;
    EACH_ROW(8, (memcpy(&bits, values + row * 8, 8), postgres_put64(to, bits)));
}

static void uuids_put(Block *b, const Column *c)
{
    const uint8_t *values = column_uuid(c);
    EACH_ROW(16, (memcpy(to, values + row * 16, 16), to + 16));
}

static void texts_put(Block *b, PostgresKind kind, const Column *c)
{
    bool jsonb = kind == POSTGRES_KIND_JSONB;
    for (int32_t i = 0; i < b->count; i++) {
        if (column_is_null(c, b->from + i)) {
            b->at[i] = postgres_put32(b->at[i], -1);
            continue;
        }
        Str value = column_text(c, b->from + i);
        char *to = postgres_put32(b->at[i], (int32_t)value.len + jsonb);
        if (jsonb) to = put_bool(to, true); /* its version, 1 */
        if (value.len) memcpy(to, value.ptr, (size_t)value.len);
        b->at[i] = to + value.len;
    }
}

static void cells_put(Block *b, int32_t column)
{
    const char *cell = b->encoder->cells.data + b->starts[column];
    for (int32_t i = 0; i < b->count; i++) {
        uint32_t swapped;
        memcpy(&swapped, cell, 4);
        int32_t len = (int32_t)__builtin_bswap32(swapped);
        len = 4 + (len > 0 ? len : 0);
        memcpy(b->at[i], cell, (size_t)len);
        cell += len;
        b->at[i] += len;
    }
}

static void column_put(Block *b, int32_t column)
{
    PostgresKind kind = b->columns[column].kind;
    const Column *c = &b->batch->columns[column];
    if (is_text(&b->columns[column])) {
        texts_put(b, kind, c);
        return;
    }
    if (!fixed_width(&b->columns[column], c)) {
        cells_put(b, column);
        return;
    }
    if (kind == POSTGRES_KIND_BOOL) bools_put(b, c);
    else if (kind == POSTGRES_KIND_DATE) dates_put(b, c);
    else if (kind == POSTGRES_KIND_FLOAT8) doubles_put(b, c);
    else if (kind == POSTGRES_KIND_UUID) uuids_put(b, c);
    else if (kind == POSTGRES_KIND_TIMESTAMP || kind == POSTGRES_KIND_TIMESTAMPTZ)
        timestamps_put(b, c);
    else integers_put(b, kind, c);
}

/* ---- rows ---- */

static void prefixes_put(Block *b, const PostgresRowHead *head)
{
    int32_t fields = b->batch->schema->count + (head->staged ? 2 : 0);
    for (int32_t i = 0; i < b->count; i++) {
        char *to = postgres_put16(b->at[i], fields);
        if (head->staged) {
            int64_t row = b->from + i;
            to = postgres_put64(postgres_put32(to, 8), head->first + row);
            to = postgres_put64(postgres_put32(to, 8), batch_ordinal(b->batch, row));
        }
        b->at[i] = to;
    }
}

/* The block's rows behind what is there; `ends` of its rows. */
static Status block_encode(Block *b, const PostgresRowHead *head, int64_t *ends, Err *err)
{
    Buf *out = b->encoder->out;
    buf_clear(&b->encoder->cells);
    int32_t columns = b->batch->schema->count;
    for (int32_t i = 0; i < b->count; i++) b->lens[i] = head->staged ? PREFIX_BYTES : 2;
    for (int32_t i = 0; i < columns && b->good; i++) TRY(lens_add(b, i, err));
    if (!b->good) return OK;
    int64_t total = 0;
    for (int32_t i = 0; i < b->count; i++) total += b->lens[i];
    TRY(buf_reserve(out, total, err));
    for (int32_t i = 0; i < b->count; i++) {
        b->at[i] = out->data + out->len;
        out->len += b->lens[i];
        ends[i] = out->len;
    }
    prefixes_put(b, head);
    for (int32_t i = 0; i < columns; i++) column_put(b, i);
    return OK;
}

static Status blocks_encode(Block *b, const PostgresRowHead *head, int64_t *ends, Err *err)
{
    for (; b->from < b->batch->rows && b->good; b->from += b->count) {
        b->count = (int32_t)int64_min(BLOCK_ROWS, b->batch->rows - b->from);
        TRY(block_encode(b, head, ends + b->from, err));
    }
    return OK;
}

Status postgres_encode_rows(PostgresEncoder *encoder, const PostgresColumn *columns,
                            const Batch *batch, const PostgresRowHead *head, int64_t *ends,
                            bool *ret_done, Err *err)
{
    Block block = {.encoder = encoder, .columns = columns, .batch = batch, .good = true};
    int64_t before = encoder->out->len;
    block.starts = mem_array(batch->schema->count, (int64_t)sizeof *block.starts);
    if (!block.starts) return err_memory(err);
    Status status = blocks_encode(&block, head, ends, err);
    mem_free(block.starts);
    *ret_done = status == OK && block.good;
    if (!*ret_done) encoder->out->len = before;
    return status;
}
