/* Values that our columns can't hold: the error that names them, or the reject with the whole row.
 */
#include <endian.h>

#include "connect/postgres/postgres_refuse.h"
#include "engine/format/json_write.h"
#include "engine/format/reject.h"
#include "foundation/base/mem.h"
#include "foundation/base/redact.h"
#include "foundation/codec/json_writer.h"

enum { REFUSED_SHOWN_MAX = 100, REFUSED_ROW_MAX = 1 << 26 };

static int16_t word(Str bytes, int64_t at)
{
    uint16_t v;
    memcpy(&v, bytes.ptr + at, sizeof v);
    return (int16_t)be16toh(v);
}

/* One digit of base 10000, where there is one; else zeros. */
static int32_t group(Str bytes, int64_t index)
{
    bool there = index >= 0 && 8 + 2 * index + 2 <= bytes.len;
    return there ? (uint16_t)word(bytes, 8 + 2 * index) % 10000 : 0;
}

/* All digits of a numeric, as PostgreSQL writes them. */
static Status numeric_text(Str bytes, Buf *out, Err *err)
{
    int64_t weight = word(bytes, 2), scale = word(bytes, 6);
    if (word(bytes, 4) != 0) TRY(buf_append_char(out, '-', err));
    TRY(buf_printf(out, err, "%d", weight < 0 ? 0 : group(bytes, 0)));
    for (int64_t i = 1; i <= weight; i++) TRY(buf_printf(out, err, "%04d", group(bytes, i)));
    if (scale <= 0) return OK;
    TRY(buf_append_char(out, '.', err));
    int64_t end = out->len + scale;
    for (int64_t i = weight + 1; out->len < end; i++) {
        TRY(buf_printf(out, err, "%04d", i < 0 ? 0 : group(bytes, i)));
    }
    out->len = end;
    return OK;
}

/* A value as text: numbers with all digits, all else as its bytes. */
static Status value_text(const PostgresSource *self, const PostgresPart *part,
                         const PostgresBad *bad, Buf *out, Err *err)
{
    Str bytes = postgres_rows_value(&part->rows, bad->column, bad->row);
    bool numeric = self->columns.types[bad->column].form == POSTGRES_NUMERIC && bytes.len >= 8;
    if (numeric) return numeric_text(bytes, out, err);
    TRY(buf_append(out, STR("\\x"), err));
    for (int64_t i = 0; i < int64_min(bytes.len, REJECT_VALUE_MAX); i++) {
        TRY(buf_printf(out, err, "%02x", (uint8_t)bytes.ptr[i]));
    }
    return OK;
}

Status postgres_refuse_run(const PostgresSource *self, const PostgresPart *part,
                           const PostgresBad *bad, Err *err)
{
    CLEANUP(buf_done) Buf value = buf_make(REFUSED_ROW_MAX);
    TRY(value_text(self, part, bad, &value, err));
    Str name = self->columns.schema->fields[bad->column].name;
    Str shown = redact_value(str_slice(buf_str(&value), 0, REFUSED_SHOWN_MAX));
    (void)err_set(err, ERR_DATA, "row %lld, column %.*s, value %.*s%s: %s",
                  (long long)(part->ordinal + bad->row + 1), STR_ARG(name), STR_ARG(shown),
                  shown.len < value.len ? "…" : "", bad->reason);
    return err_where(err, "column %.*s", STR_ARG(name));
}

/* The row as a JSON object, the values that can't be held as texts. */
static Status row_json(const PostgresSource *self, const PostgresPart *part, const Batch *batch,
                       const PostgresBads *bads, int64_t row, Buf *out, Err *err)
{
    for (int32_t c = 0; c < self->columns.count; c++) {
        TRY(buf_append_char(out, c ? ',' : '{', err));
        TRY(json_put_text(out, self->columns.schema->fields[c].name, err));
        TRY(buf_append_char(out, ':', err));
        int64_t i = 0;
        while (i < bads->count && (bads->items[i].row != row || bads->items[i].column != c)) i++;
        if (i == bads->count) {
            TRY(json_write_value(&batch->columns[c], row, out, err));
            continue;
        }
        CLEANUP(buf_done) Buf value = buf_make(REFUSED_ROW_MAX);
        TRY(value_text(self, part, &bads->items[i], &value, err));
        TRY(json_put_text(out, buf_str(&value), err));
    }
    return buf_append_char(out, '}', err);
}

static Status reject_add(const PostgresSource *self, const PostgresPart *part, const Batch *batch,
                         const PostgresBads *bads, const PostgresBad *bad, RejectWriter *writer,
                         Err *err)
{
    CLEANUP(buf_done) Buf value = buf_make(REFUSED_ROW_MAX);
    CLEANUP(buf_done) Buf data = buf_make(REFUSED_ROW_MAX);
    TRY(value_text(self, part, bad, &value, err));
    TRY(row_json(self, part, batch, bads, bad->row, &data, err));
    RejectRow row = {
        .stage = STR("read"),
        .column = self->columns.schema->fields[bad->column].name,
        .value = str_slice(buf_str(&value), 0, REJECT_VALUE_MAX),
        .reason = str_from(bad->reason),
        .data = buf_str(&data),
        .part = batch->span.part,
        .row = part->ordinal + bad->row,
    };
    return reject_writer_row(writer, &row, err);
}

/* The first bad value of each row is the reason of its reject. */
static Status rejects_add(const PostgresSource *self, const PostgresPart *part, const Batch *batch,
                          const PostgresBads *bads, uint8_t *keep, RejectWriter *writer, Err *err)
{
    for (int64_t i = 0; i < bads->count; i++) {
        const PostgresBad *bad = &bads->items[i];
        if (!bit_get(keep, bad->row)) continue;
        bit_clear(keep, bad->row);
        TRY(reject_add(self, part, batch, bads, bad, writer, err));
    }
    return OK;
}

Status postgres_refuse_rows(const PostgresSource *self, const PostgresPart *part,
                            const PostgresBads *bads, Batch **batch, Batch **ret_rejects, Err *err)
{
    RejectWriter writer;
    TRY(reject_writer_init(&writer, NULL, 0, err));
    int64_t bytes = ((*batch)->rows + 63) / 64 * 8;
    uint8_t *keep = mem_alloc(bytes);
    Status status = keep ? OK : err_memory(err);
    if (keep) memset(keep, 0xff, (size_t)bytes);
    Batch *kept = NULL;
    if (status == OK) status = rejects_add(self, part, *batch, bads, keep, &writer, err);
    if (status == OK) status = batch_filter(*batch, keep, &kept, err);
    if (status == OK) status = reject_writer_take(&writer, ret_rejects, err);
    reject_writer_done(&writer);
    mem_free(keep);
    if (status != OK) {
        batch_unref(kept);
        return FAIL;
    }
    batch_unref(*batch);
    *batch = kept;
    return OK;
}
