/* Batches of chosen rows: kept by bits, taken by number. */
#include "engine/column/batch_impl.h"
#include "foundation/base/mem.h"

enum { RUN_LONG = 8 }; /* mean length from which copying runs beats copying rows */

static Status choose_ordinals(const Batch *from, const Choice *choice, Batch *to, Err *err)
{
    TRY(buffer_new(choice->count * 8, NULL, &to->ordinals, err));
    int64_t *ordinals = (int64_t *)(void *)to->ordinals->data;
    if (choice->rows) {
        for (int64_t i = 0; i < choice->count; i++) {
            ordinals[i] = batch_ordinal(from, choice->rows[i]);
        }
        return OK;
    }
    int64_t at = 0;
    for (int64_t i = 0; i < choice->run_count; i++) {
        const Run *run = &choice->runs[i];
        for (int64_t k = 0; k < run->len; k++) ordinals[at++] = batch_ordinal(from, run->from + k);
    }
    return OK;
}

static Status choose(const Batch *batch, const Choice *choice, Batch **ret_batch, Err *err)
{
    CLEANUP(batch_unref_p) Batch *out = NULL;
    TRY(batch_new(batch->schema, &out, err));
    TRY(batch_inherit(batch, out, err));
    out->rows = choice->count;
    int32_t count = batch->schema->count;
    for (int32_t i = 0; i < count; i++) {
        TRY(gather_column(&batch->columns[i], choice, &out->columns[i], err));
    }
    TRY(gather_heaps(batch->columns, count, out->columns, err));
    TRY(choose_ordinals(batch, choice, out, err));
    *ret_batch = TAKE(out);
    return OK;
}

Status batch_take(const Batch *batch, const int64_t *rows, int64_t count, Batch **ret_batch,
                  Err *err)
{
    /* Never NULL: that would mean runs. */
    static const int64_t none = 0;
    Choice choice = {.rows = rows ? rows : &none, .count = count};
    return choose(batch, &choice, ret_batch, err);
}

static Status share_all(const Batch *batch, Batch **ret_batch, Err *err)
{
    CLEANUP(batch_unref_p) Batch *out = NULL;
    TRY(batch_like(batch, batch->schema, batch->rows, &out, err));
    for (int32_t i = 0; i < batch->schema->count; i++) {
        TRY(column_share(&batch->columns[i], &out->columns[i], err));
    }
    *ret_batch = TAKE(out);
    return OK;
}

/* How many rows are kept, and in how many runs. */
static void count_runs(const uint8_t *keep, int64_t rows, int64_t *ret_rows, int64_t *ret_runs)
{
    uint64_t before = 0;
    int64_t kept = 0, runs = 0;
    for (int64_t base = 0; base < rows; base += 64) {
        uint64_t word = bits_load(keep, base, int64_min(64, rows - base));
        kept += __builtin_popcountll(word);
        runs += __builtin_popcountll(word & ~(word << 1 | before));
        before = word >> 63;
    }
    *ret_rows = kept;
    *ret_runs = runs;
}

static void list_rows(const uint8_t *keep, int64_t rows, int64_t *list)
{
    int64_t at = 0;
    for (int64_t base = 0; base < rows; base += 64) {
        uint64_t word = bits_load(keep, base, int64_min(64, rows - base));
        for (; word; word &= word - 1) list[at++] = base + __builtin_ctzll(word);
    }
}

/* Append bits [from, from + len), all set; joins the run before when it touches. */
static int64_t add_run(Run *runs, int64_t count, int64_t from, int64_t len)
{
    if (count && runs[count - 1].from + runs[count - 1].len == from) {
        runs[count - 1].len += len;
        return count;
    }
    runs[count] = (Run){from, len};
    return count + 1;
}

static void list_runs(const uint8_t *keep, int64_t rows, Run *runs)
{
    int64_t count = 0;
    for (int64_t base = 0; base < rows; base += 64) {
        uint64_t word = bits_load(keep, base, int64_min(64, rows - base));
        while (word) {
            int64_t first = __builtin_ctzll(word);
            uint64_t rest = ~(word >> first);
            int64_t len = rest ? __builtin_ctzll(rest) : 64;
            count = add_run(runs, count, base + first, len);
            if (first + len >= 64) break;
            word &= ~UINT64_C(0) << (first + len);
        }
    }
}

Status batch_filter(const Batch *batch, const uint8_t *keep, Batch **ret_batch, Err *err)
{
    int64_t rows = 0, runs = 0;
    count_runs(keep, batch->rows, &rows, &runs);
    if (rows == batch->rows) return share_all(batch, ret_batch, err);
    if (rows < runs * RUN_LONG) {
        CLEANUP(mem_free_p) int64_t *list = mem_array(rows, (int64_t)sizeof *list);
        if (!list) return err_memory(err);
        list_rows(keep, batch->rows, list);
        return batch_take(batch, list, rows, ret_batch, err);
    }
    CLEANUP(mem_free_p) Run *list = mem_array(runs, (int64_t)sizeof *list);
    if (!list) return err_memory(err);
    list_runs(keep, batch->rows, list);
    Choice choice = {.runs = list, .run_count = runs, .count = rows};
    return choose(batch, &choice, ret_batch, err);
}
