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

/* Stores of bytes might change what stands after a pointer, for all the compiler knows: loops hold
 * the column in a copy of their own. */
static void fixed_lens(Block *b, const Column *column, int32_t width)
{
    const Column c = *column;
    for (int32_t i = 0; i < b->count; i++) b->lens[i] += 4 + width;
    if (!c.valid) return;
    for (int32_t i = 0; i < b->count; i++) {
        b->lens[i] -= column_is_null(&c, b->from + i) ? width : 0;
    }
}

/* Eight bytes at a time: most texts are short. */
static inline bool has_zero(const char *p, int64_t len)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t word, found = 0;
    int64_t at = 0;
    for (; at + 8 <= len; at += 8) {
        memcpy(&word, p + at, 8);
        found |= (word - ones) & ~word & (ones << 7);
    }
    for (; at < len; at++) found |= p[at] == 0;
    return found != 0;
}

static void text_lens(Block *b, const PostgresColumn *to, const Column *column)
{
    const Column c = *column;
    bool text = to->kind == POSTGRES_KIND_TEXT, good = true;
    int32_t more = to->kind == POSTGRES_KIND_JSONB ? 5 : 4;
    int64_t limit = to->limit ? to->limit : INT32_MAX - 8;
    for (int32_t i = 0; i < b->count; i++) {
        if (column_is_null(&c, b->from + i)) {
            b->lens[i] += 4;
            continue;
        }
        Str value = column_text(&c, b->from + i);
        b->lens[i] += more + (int32_t)value.len;
        /* More bytes than characters are allowed: that has to be counted. */
        if (text) good &= value.len <= limit && !has_zero(value.ptr, value.len);
    }
    b->good &= good;
}

/* ---- cells ---- */

/* A number of up to 12 digits before and 4 after the point, as most are, and where it ends; NULL:
 * it goes the long way. 20 bytes are free at `at`. */
static inline char *numeric_small(char *at, const PostgresColumn *to, Int128 number, int32_t scale)
{
    bool negative = number < 0;
    uint64_t value = negative ? -(uint64_t)number : (uint64_t)number;
    uint64_t whole = value, behind = 0;
    if (number > INT64_MAX || number < -INT64_MAX || scale > 4) return NULL;
    if (to->precision && (scale != to->scale || value >= to->below)) return NULL;
    if (scale == 1) whole = value / 10, behind = (value - whole * 10) * 1000;
    if (scale == 2) whole = value / 100, behind = (value - whole * 100) * 100;
    if (scale == 3) whole = value / 1000, behind = (value - whole * 1000) * 10;
    if (scale == 4) whole = value / 10000, behind = value - whole * 10000;
    if (whole >= UINT64_C(1000000000000)) return NULL;
    uint32_t high = (uint32_t)(whole / 10000), low = (uint32_t)(whole - (uint64_t)high * 10000);
    uint32_t top = high / 10000, middle = high - top * 10000;
    int32_t count = top ? 3 : middle ? 2 : low ? 1 : 0;
    int32_t kept = behind ? count + 1 : low ? count : middle ? count - 1 : top ? 1 : 0;
    at = postgres_put32(at, 8 + 2 * kept);
    at = postgres_put16(postgres_put16(at, kept), kept ? count - 1 : 0);
    at = postgres_put16(postgres_put16(at, negative ? 0x4000 : 0), scale);
    char *end = at + 2 * (int64_t)kept;
    if (count > 2) at = postgres_put16(at, (int32_t)top);
    if (count > 1) at = postgres_put16(at, (int32_t)middle);
    if (count > 0) at = postgres_put16(at, (int32_t)low);
    (void)postgres_put16(at, (int32_t)behind);
    return end;
}

/* The numerics from row `i` on that are small; returns the first that isn't. Room is reserved. */
static int32_t numerics_encode(Block *b, const PostgresColumn *to, const Column *column, int32_t i)
{
    const Column c = *column;
    const PostgresColumn target = *to;
    const Int128 *values = column_numeric(&c);
    Buf *cells = &b->encoder->cells;
    char *at = cells->data + cells->len;
    for (; i < b->count; i++) {
        int64_t row = b->from + i;
        bool null = column_is_null(&c, row);
        char *end = null ? postgres_put32(at, -1)
                         : numeric_small(at, &target, values[row], column_scale(&c, row));
        if (!end) break;
        b->lens[i] += (int32_t)(end - at);
        at = end;
    }
    cells->len = at - cells->data;
    return i;
}

enum { CELL_ROOM = 24 }; /* of a small numeric, and what may be read after it */

static Status cell_encode(Block *b, int32_t column, int32_t i, Err *err)
{
    PostgresEncoder *e = b->encoder;
    Buf *rows = e->out;
    int64_t before = e->cells.len;
    e->out = &e->cells;
    Status status =
        postgres_encode(e, &b->columns[column], &b->batch->columns[column], b->from + i, err);
    e->out = rows;
    b->good = !e->reason;
    b->lens[i] += (int32_t)(e->cells.len - before);
    e->reason = NULL;
    return status;
}

/* Cells as they will stand in the row. */
static Status cells_encode(Block *b, int32_t column, Err *err)
{
    const PostgresColumn *to = &b->columns[column];
    const Column *c = &b->batch->columns[column];
    Buf *cells = &b->encoder->cells;
    bool numeric = to->kind == POSTGRES_KIND_NUMERIC && c->type == TYPE_NUMERIC;
    b->starts[column] = cells->len;
    for (int32_t i = 0; i < b->count && b->good; i++) {
        TRY(buf_reserve(cells, CELL_ROOM * (int64_t)(b->count - i), err));
        if (numeric) i = numerics_encode(b, to, c, i);
        if (i < b->count) TRY(cell_encode(b, column, i, err));
    }
    return buf_reserve(cells, CELL_ROOM, err);
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

/* `put` stores the value of `row` of column `c` at `to` and gives the place after it. */
#define EACH_ROW(width, put)                                                                       \
    const Column c = *column;                                                                      \
    const int64_t from = b->from, count = b->count;                                                \
    for (int64_t i = 0; i < count; i++) {                                                          \
        const int64_t row = from + i;                                                              \
        if (UNLIKELY(column_is_null(&c, row))) {                                                   \
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

static void bools_put(Block *b, const Column *column)
{
    EACH_ROW(1, put_bool(to, column_bool(&c, row)));
}

static void int2s_put(Block *b, const Column *column)
{
    bool good = true;
    EACH_ROW(2, (good &= column_int64(&c)[row] == (int16_t)column_int64(&c)[row],
                 postgres_put16(to, (int16_t)column_int64(&c)[row])));
    b->good &= good;
}

static void int4s_put(Block *b, const Column *column)
{
    bool good = true;
    EACH_ROW(4, (good &= column_int64(&c)[row] == (int32_t)column_int64(&c)[row],
                 postgres_put32(to, (int32_t)column_int64(&c)[row])));
    b->good &= good;
}

static void int8s_put(Block *b, const Column *column)
{
    EACH_ROW(8, postgres_put64(to, column_int64(&c)[row]));
}

static void dates_put(Block *b, const Column *column)
{
    bool good = true;
    EACH_ROW(4, postgres_put32(to, postgres_date(column_date(&c)[row], &good)));
    b->good &= good;
}

static void timestamps_put(Block *b, const Column *column)
{
    bool good = true;
    EACH_ROW(8, postgres_put64(to, postgres_timestamp(column_int64(&c)[row], &good)));
    b->good &= good;
}

/* The bits as they are. */
static void doubles_put(Block *b, const Column *column)
{
    int64_t bits;
    EACH_ROW(8, (memcpy(&bits, column_double(&c) + row, 8), postgres_put64(to, bits)));
}

static void uuids_put(Block *b, const Column *column)
{
    EACH_ROW(16, (memcpy(to, column_uuid(&c) + row * 16, 16), to + 16));
}

/* A view of up to 12 bytes holds them, zeros after. `loose`: 12 bytes may be written. */
static void texts_put(Block *b, bool jsonb, bool loose, const Column *column)
{
    const Column c = *column;
    for (int32_t i = 0; i < b->count; i++) {
        int64_t row = b->from + i;
        if (column_is_null(&c, row)) {
            b->at[i] = postgres_put32(b->at[i], -1);
            continue;
        }
        Str value = column_text(&c, row);
        char *to = postgres_put32(b->at[i], (int32_t)value.len + jsonb);
        if (jsonb) to = put_bool(to, true); /* its version, 1 */
        if (loose && value.len <= 12) memcpy(to, column_views(&c)[row].inlined, 12);
        else if (value.len) memcpy(to, value.ptr, (size_t)value.len);
        b->at[i] = to + value.len;
    }
}

/* `loose`: up to 7 bytes more may be written; they are there to be read. */
static void cells_put(Block *b, bool loose, int32_t column)
{
    const char *cell = b->encoder->cells.data + b->starts[column];
    for (int32_t i = 0; i < b->count; i++) {
        uint32_t swapped;
        memcpy(&swapped, cell, 4);
        int32_t len = (int32_t)__builtin_bswap32(swapped);
        len = 4 + (len > 0 ? len : 0);
        char *to = b->at[i];
        if (loose && len <= CELL_ROOM) {
            for (int32_t k = 0; k < len; k += 8) memcpy(to + k, cell + k, 8);
        } else {
            memcpy(to, cell, (size_t)len);
        }
        cell += len;
        b->at[i] = to + len;
    }
}

static void fixed_put(Block *b, PostgresKind kind, const Column *c)
{
    static void (*const PUTS[POSTGRES_KIND_OTHER + 1])(Block *, const Column *) = {
        [POSTGRES_KIND_BOOL] = bools_put,
        [POSTGRES_KIND_INT2] = int2s_put,
        [POSTGRES_KIND_INT4] = int4s_put,
        [POSTGRES_KIND_INT8] = int8s_put,
        [POSTGRES_KIND_FLOAT8] = doubles_put,
        [POSTGRES_KIND_DATE] = dates_put,
        [POSTGRES_KIND_TIME] = int8s_put,
        [POSTGRES_KIND_TIMESTAMP] = timestamps_put,
        [POSTGRES_KIND_TIMESTAMPTZ] = timestamps_put,
        [POSTGRES_KIND_UUID] = uuids_put,
    };
    PUTS[kind](b, c);
}

static void column_put(Block *b, int32_t column)
{
    PostgresKind kind = b->columns[column].kind;
    const Column *c = &b->batch->columns[column];
    /* What is written too far is the place of columns to come, of four bytes at least each. */
    bool loose = b->batch->schema->count - column > 3;
    if (is_text(&b->columns[column])) texts_put(b, kind == POSTGRES_KIND_JSONB, loose, c);
    else if (fixed_width(&b->columns[column], c)) fixed_put(b, kind, c);
    else cells_put(b, loose, column);
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

/* The block's rows after what is there; `ends` of its rows. */
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
