/* Rows at the watermark that an earlier run had: known by their hashes, and let go. */
#include "work/step/skip_taken.h"

#include <stdlib.h>

#include "engine/column/cursor_value.h"
#include "engine/expr/row_hash.h"
#include "foundation/base/mem.h"
#include "foundation/codec/json_walk.h"
#include "foundation/codec/json_writer.h"
#include "foundation/codec/uuid.h"
#include "work/step/step_impl.h"

#define SKIP_TAKEN_NAME "taken"
enum { HEX_LEN = 32 };

typedef struct HashList {
    Hash128 *items;
    int64_t count, capacity;
    bool full; /* there were more than SKIP_TAKEN_MAX */
} HashList;

typedef struct SkipTakenStep {
    Step step;
    int32_t cursor;
    bool keyed, tieless;
    CursorValue highest;
    HashList same, outside; /* of this run: at the highest cursor; without a place in the order */
    CursorValue before_cursor;
    Hash128 *before; /* of the run before, ascending */
    int64_t *left;   /* how often each is still to come, at the first of equal ones */
    int64_t before_count;
    int32_t *before_columns; /* by which those are told apart */
    int32_t before_column_count;
    int32_t *columns; /* all */
    KeepMask keep, watched;
    HashRows hashes; /* of the batch at hand */
} SkipTakenStep;

static int compare_hashes(const void *a, const void *b)
{
    const Hash128 *x = a, *y = b;
    if (x->high != y->high) return x->high < y->high ? -1 : 1;
    return (x->low > y->low) - (x->low < y->low);
}

static Status list_add(HashList *list, Hash128 hash, Err *err)
{
    if (list->count == SKIP_TAKEN_MAX) list->full = true;
    if (list->full) return OK;
    if (list->count == list->capacity) {
        int64_t capacity = list->capacity ? list->capacity * 2 : 64;
        Hash128 *items = mem_realloc(list->items, capacity * (int64_t)sizeof *items);
        if (!items) return err_memory(err);
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = hash;
    return OK;
}

/* ---- the run before ---- */

/* A row at its first place in the ascending list; -1: it isn't there. */
static int64_t find_before(const SkipTakenStep *self, Hash128 hash)
{
    int64_t low = 0, high = self->before_count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (compare_hashes(&self->before[middle], &hash) < 0) low = middle + 1;
        else high = middle;
    }
    return low < self->before_count && hash_128_eq(self->before[low], hash) ? low : -1;
}

static uint64_t read_64(const uint8_t *bytes)
{
    uint64_t value = 0;
    for (int32_t i = 0; i < 8; i++) value = value << 8 | bytes[i];
    return value;
}

static bool read_hashes(SkipTakenStep *self, Str hex)
{
    for (int64_t i = 0; i < self->before_count; i++) {
        uint8_t bytes[16];
        if (!uuid_parse(str_slice(hex, i * HEX_LEN, (i + 1) * HEX_LEN), bytes)) return false;
        self->before[i] = (Hash128){.high = read_64(bytes), .low = read_64(bytes + 8)};
    }
    qsort(self->before, (size_t)self->before_count, sizeof *self->before, compare_hashes);
    for (int64_t i = 0; i < self->before_count; i++) {
        self->left[find_before(self, self->before[i])]++;
    }
    return true;
}

/* Numbers of the same value have the same hash, whatever their type. */
static bool same_type(TypeId type, Str name)
{
    bool number = type == TYPE_INT64 || type == TYPE_NUMERIC;
    bool was_number = str_eq(name, str_from(type_name(TYPE_INT64))) ||
                      str_eq(name, str_from(type_name(TYPE_NUMERIC)));
    return (number && was_number) || str_eq(name, str_from(type_name(type)));
}

/* *ret_gone: a column that isn't there any more as it was; empty: none. */
static Status read_columns(SkipTakenStep *self, const JsonSlot *columns, const Schema *in,
                           Str *ret_gone, Err *err)
{
    char name[1 << 10];
    JsonIter iter = json_iter(columns);
    JsonSlot key, type;
    self->before_columns = mem_array(in->count, (int64_t)sizeof *self->before_columns);
    if (!self->before_columns) return err_memory(err);
    while (json_iter_next(&iter, &key, &type)) {
        bool fits = key.text.len <= (int64_t)sizeof name;
        Str column = fits ? str_make(name, json_decode(key.text, name)) : STR_NULL;
        int32_t at = schema_find(in, column);
        bool good = at >= 0 && type.kind == JSON_STRING && self->before_column_count < in->count &&
                    same_type(in->fields[at].type, type.text);
        if (!good) {
            *ret_gone = key.text;
            return OK;
        }
        self->before_columns[self->before_column_count++] = at;
    }
    return OK;
}

static Status read_cursor(SkipTakenStep *self, const JsonSlot *own, Err *err)
{
    JsonSlot cursor = json_get_key(own, STR("cursor"));
    JsonSlot type = json_get_key(own, STR("type"));
    if (cursor.kind != JSON_STRING || type.kind != JSON_STRING) return OK;
    CLEANUP(buf_done) Buf text = buf_make(1 << 20);
    TRY(buf_reserve(&text, cursor.text.len, err));
    text.len = json_decode(cursor.text, text.data);
    for (TypeId id = 0; id < TYPE_COUNT; id++) {
        if (!str_eq(type.text, str_from(type_name(id)))) continue;
        return cursor_value_parse(&self->before_cursor, id, buf_str(&text), err);
    }
    return OK;
}

static Status refuse_columns(Str gone, Err *err)
{
    (void)err_set(err, ERR_CONFIG,
                  "the column \"%.*s\" is gone or has another type: rows at the watermark can't be "
                  "told apart from those of the last run",
                  STR_ARG(gone));
    return err_hint(err, "name a `key`, or select the column as before");
}

/* The step's own among what all steps keep; of another kind than an object: there is none. */
static JsonSlot own_of(Str kept)
{
    JsonSlot root = {0};
    bool good = kept.len > 0 && json_scan(kept, &root, NULL) && root.kind == JSON_OBJECT;
    return good ? json_get_key(&root, STR(SKIP_TAKEN_NAME)) : (JsonSlot){.kind = JSON_MISSING};
}

bool skip_taken_knows(Str kept)
{
    JsonSlot own = own_of(kept);
    return own.kind == JSON_OBJECT && json_get_key(&own, STR("cursor")).kind == JSON_STRING;
}

static Status load(SkipTakenStep *self, Str kept, const Schema *in, Err *err)
{
    JsonSlot own = own_of(kept);
    if (own.kind != JSON_OBJECT) return OK;
    JsonSlot columns = json_get_key(&own, STR("columns"));
    JsonSlot rows = json_get_key(&own, STR("rows"));
    if (columns.kind != JSON_OBJECT || rows.kind != JSON_STRING) return OK;
    int64_t count = rows.text.len / HEX_LEN;
    TRY(read_cursor(self, &own, err));
    if (count == 0) return OK;
    Str gone = STR_NULL;
    TRY(read_columns(self, &columns, in, &gone, err));
    if (gone.ptr) return self->keyed ? OK : refuse_columns(gone, err);
    self->before = mem_array(count, (int64_t)sizeof *self->before);
    self->left = mem_array(count, (int64_t)sizeof *self->left);
    if (!self->before || !self->left) return err_memory(err);
    self->before_count = count;
    if (read_hashes(self, rows.text)) return OK;
    return err_set(err, ERR_DATA, "the rows that are kept with the watermark can't be read");
}

/* ---- rows ---- */

static Status reserve(SkipTakenStep *self, int64_t rows, Err *err)
{
    TRY(keep_mask_reserve(&self->keep, rows, err));
    TRY(keep_mask_reserve(&self->watched, rows, err));
    return hash_rows_reserve(&self->hashes, rows, err);
}

/* Rows that a run from this cursor on reads again: with its value, or outside the order. */
static int64_t watch(SkipTakenStep *self, const CursorValue *cursor, const Batch *batch)
{
    memset(self->watched.bits, 0, (size_t)((batch->rows + 63) / 64) * 8);
    return cursor_value_again(cursor, &batch->columns[self->cursor], (uint8_t *)self->watched.bits);
}

/* A row's hash alone costs as much as some rows of a batch's. */
enum { HASHED_ALONE = 64 };

/* The hashes of the rows that are watched, at the rows' own places. */
static Status hash_watched(SkipTakenStep *self, const Batch *batch, const int32_t *columns,
                           int32_t count, int64_t watched, Err *err)
{
    if (watched > HASHED_ALONE) {
        return row_hash_batch(batch, columns, count, 0, batch->rows, self->hashes.items, err);
    }
    for (int64_t i = 0; i < batch->rows; i++) {
        if (!bit_get((const uint8_t *)self->watched.bits, i)) continue;
        TRY(row_hash_batch(batch, columns, count, i, 1, self->hashes.items + i, err));
    }
    return OK;
}

static Status note(SkipTakenStep *self, const Batch *batch, Err *err)
{
    bool higher = false;
    const Column *column = &batch->columns[self->cursor];
    TRY(cursor_value_note(&self->highest, column, &higher, err));
    if (higher) self->same = (HashList){.items = self->same.items, .capacity = self->same.capacity};
    int64_t watched = watch(self, &self->highest, batch);
    if (watched == 0) return OK;
    TRY(hash_watched(self, batch, self->columns, batch->schema->count, watched, err));
    for (int64_t i = 0; i < batch->rows; i++) {
        if (!bit_get((const uint8_t *)self->watched.bits, i)) continue;
        bool same = cursor_value_place(&self->highest, column, i) == CURSOR_SAME;
        if (same && self->tieless) continue;
        TRY(list_add(same ? &self->same : &self->outside, self->hashes.items[i], err));
    }
    return OK;
}

/* Let those go that the run before had. */
static Status skip(SkipTakenStep *self, Batch *batch, Batch **ret_out, Err *err)
{
    int64_t watched = watch(self, &self->before_cursor, batch);
    if (watched == 0) {
        *ret_out = batch_ref(batch);
        return OK;
    }
    TRY(hash_watched(self, batch, self->before_columns, self->before_column_count, watched, err));
    memset(self->keep.bits, 0, (size_t)((batch->rows + 63) / 64) * 8);
    for (int64_t i = 0; i < batch->rows; i++) {
        bool one = bit_get((const uint8_t *)self->watched.bits, i);
        int64_t at = one ? find_before(self, self->hashes.items[i]) : -1;
        if (at >= 0 && self->left[at] > 0) {
            self->left[at]--;
            self->step.again++;
        } else {
            bit_set((uint8_t *)self->keep.bits, i);
        }
    }
    return step_keep_rows(batch, self->keep.bits, ret_out, err);
}

static Status skip_taken_run(Step *step, const ExprRun *run UNUSED, Batch *in,
                             RejectWriter *rejects UNUSED, Batch **ret_out, Err *err)
{
    SkipTakenStep *self = (SkipTakenStep *)step;
    CLEANUP(batch_unref_p) Batch *batch = in;
    TRY(reserve(self, batch->rows, err));
    TRY(note(self, batch, err));
    if (self->before_count) return skip(self, batch, ret_out, err);
    *ret_out = TAKE(batch);
    return OK;
}

/* ---- kept ---- */

static Status refuse_many(const SkipTakenStep *self, Err *err)
{
    CLEANUP(buf_done) Buf text = buf_make(1 << 20);
    TRY(cursor_value_format(&self->highest, &text, err));
    if (self->outside.full) {
        (void)err_set(err, ERR_CONFIG, "more than %d rows have no cursor or an infinite one",
                      SKIP_TAKEN_MAX);
    } else {
        (void)err_set(err, ERR_CONFIG, "more than %d rows have the highest cursor \"%.*s\"",
                      SKIP_TAKEN_MAX, STR_ARG(buf_str(&text)));
    }
    return err_hint(err, "without a `key` a later run takes them for new ones: name a `key` or "
                         "a finer cursor, or say by `lag` when no more of them come");
}

static void put_hashes(Buf *out, const HashList *list)
{
    for (int64_t i = 0; i < list->count; i++) {
        hash_128_hex(list->items[i], out->data + out->len);
        out->len += HEX_LEN;
    }
}

/* Where nothing was read, all that had the watermark's value is gone: that none is left is known.
 */
static Status put_cursor(const SkipTakenStep *self, JsonWriter *w, Err *err)
{
    CLEANUP(buf_done) Buf text = buf_make(1 << 20);
    const CursorValue *cursor = self->highest.some ? &self->highest : &self->before_cursor;
    if (!cursor->some) return OK;
    TRY(cursor_value_format(cursor, &text, err));
    json_key_text(w, "cursor", buf_str(&text));
    json_key_text(w, "type", str_from(type_name(cursor->type)));
    return OK;
}

static Status skip_taken_save(const Step *step, Buf *out, Err *err)
{
    const SkipTakenStep *self = (const SkipTakenStep *)step;
    bool full = self->same.full || self->outside.full;
    if (full && !self->keyed) return refuse_many(self, err);
    CLEANUP(buf_done) Buf rows = buf_make(2 * SKIP_TAKEN_MAX * HEX_LEN);
    if (!full) {
        TRY(buf_reserve(&rows, (self->same.count + self->outside.count) * HEX_LEN, err));
        put_hashes(&rows, &self->same);
        put_hashes(&rows, &self->outside);
    }
    JsonWriter w = json_writer_make(out, err);
    json_object_begin(&w);
    if (!full && !self->tieless) TRY(put_cursor(self, &w, err));
    json_key(&w, "columns");
    json_object_begin(&w);
    for (int32_t i = 0; i < step->schema->count; i++) {
        const Field *field = &step->schema->fields[i];
        json_key_str(&w, field->name);
        json_write_text(&w, str_from(type_name(field->type)));
    }
    json_object_end(&w);
    json_key_text(&w, "rows", buf_str(&rows));
    json_object_end(&w);
    return json_writer_end(&w);
}

static void skip_taken_free(Step *step)
{
    SkipTakenStep *self = (SkipTakenStep *)step;
    cursor_value_done(&self->highest);
    cursor_value_done(&self->before_cursor);
    mem_free(self->same.items);
    mem_free(self->outside.items);
    mem_free(self->before);
    mem_free(self->left);
    mem_free(self->before_columns);
    mem_free(self->columns);
    mem_free(self->keep.bits);
    mem_free(self->watched.bits);
    mem_free(self->hashes.items);
    mem_free(self);
}

static const StepOps SKIP_TAKEN_OPS = {
    .run = skip_taken_run,
    .save = skip_taken_save,
    .free = skip_taken_free,
};

Status step_skip_taken_new(const SkipTaken *options, const Schema *in, Step **ret_step, Err *err)
{
    assert(options->cursor >= 0 && options->cursor < in->count && !in->open);
    SkipTakenStep *self = mem_zalloc((int64_t)sizeof *self);
    if (!self) return err_memory(err);
    self->cursor = options->cursor;
    self->keyed = options->keyed;
    self->tieless = options->tieless;
    self->step = (Step){.ops = &SKIP_TAKEN_OPS, .schema = schema_ref(in), .name = SKIP_TAKEN_NAME};
    int32_t count = 0;
    Status status = step_columns(NULL, 0, in, &self->columns, &count, err);
    if (status == OK) status = load(self, options->kept, in, err);
    if (status != OK) {
        step_free(&self->step);
        return FAIL;
    }
    *ret_step = &self->step;
    return OK;
}
