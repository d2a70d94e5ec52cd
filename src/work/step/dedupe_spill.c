/* Rows whose being duplicates is decided at the end: rows in a spool, their hashes partitioned on
 * disk, so that any number of rows is deduplicated exactly inside a budget. */
#include "work/step/dedupe_spill.h"

#include "foundation/base/file.h"
#include "foundation/base/mem.h"
#include "work/step/step_impl.h"

enum {
    SPILL_PARTITIONS = 256,
    SPILL_BLOCK_ENTRIES = 512,
    SPILL_PASSES_MAX = 4096, /* a partition is taken in that many slices at most */
};

/* One spooled row: its hash, and its number among the spooled rows. */
typedef struct SpillEntry {
    Hash128 hash;
    int64_t row;
} SpillEntry;

/* The entries of one range of hashes: full blocks in the file, the rest in memory.
 *     file: [block of p3][block of p0][block of p3]…   blocks[] are their numbers */
typedef struct SpillPartition {
    SpillEntry *open; /* SPILL_BLOCK_ENTRIES of them */
    int64_t open_count;
    int64_t *blocks;
    int64_t block_count, block_capacity;
} SpillPartition;

struct DedupeSpill {
    Spool *spool;
    int fd;
    bool keep_last;
    Budget *budget;
    int64_t rows;   /* spooled so far */
    int64_t blocks; /* written so far */
    SpillPartition partitions[SPILL_PARTITIONS];
    uint64_t *keep; /* decided: one bit per spooled row */
    KeepMask mask;  /* one batch's part of it */
    int64_t read_rows;
};

Status dedupe_spill_new(Str folder, bool keep_last, Budget *budget, DedupeSpill **ret_spill,
                        Err *err)
{
    DedupeSpill *spill = mem_zalloc((int64_t)sizeof *spill);
    if (!spill) return err_memory(err);
    spill->fd = -1;
    spill->keep_last = keep_last;
    spill->budget = budget;
    if (spool_new(folder, &spill->spool, err) != OK ||
        file_temporary(folder, &spill->fd, err) != OK) {
        dedupe_spill_free(spill);
        return FAIL;
    }
    *ret_spill = spill;
    return OK;
}

void dedupe_spill_free(DedupeSpill *spill)
{
    if (!spill) return;
    for (int32_t i = 0; i < SPILL_PARTITIONS; i++) {
        mem_free(spill->partitions[i].open);
        mem_free(spill->partitions[i].blocks);
    }
    if (spill->keep) budget_release(spill->budget, (spill->rows + 63) / 64 * 8);
    mem_free(spill->keep);
    mem_free(spill->mask.bits);
    spool_free(spill->spool);
    if (spill->fd >= 0) file_close(spill->fd);
    mem_free(spill);
}

static Status partition_flush(DedupeSpill *spill, SpillPartition *part, Err *err)
{
    if (part->block_count == part->block_capacity) {
        int64_t capacity = int64_max(16, part->block_capacity * 2);
        int64_t *blocks = mem_realloc(part->blocks, capacity * (int64_t)sizeof *blocks);
        if (!blocks) return err_memory(err);
        part->blocks = blocks;
        part->block_capacity = capacity;
    }
    int64_t size = SPILL_BLOCK_ENTRIES * (int64_t)sizeof(SpillEntry);
    TRY(file_write_at(spill->fd, str_make((const char *)part->open, size), spill->blocks * size,
                      err));
    part->blocks[part->block_count++] = spill->blocks++;
    part->open_count = 0;
    return OK;
}

static Status entry_add(DedupeSpill *spill, Hash128 hash, int64_t row, Err *err)
{
    SpillPartition *part = &spill->partitions[hash.high >> 56];
    if (!part->open) {
        part->open = mem_array(SPILL_BLOCK_ENTRIES, (int64_t)sizeof *part->open);
        if (!part->open) return err_memory(err);
    }
    part->open[part->open_count++] = (SpillEntry){hash, row};
    return part->open_count == SPILL_BLOCK_ENTRIES ? partition_flush(spill, part, err) : OK;
}

Status dedupe_spill_add(DedupeSpill *spill, const Batch *batch, const Hash128 *hashes, Err *err)
{
    TRY(spool_write(spill->spool, batch, err));
    for (int64_t i = 0; i < batch->rows; i++) {
        TRY(entry_add(spill, hashes[i], spill->rows + i, err));
    }
    spill->rows += batch->rows;
    return OK;
}

static void entry_decide(DedupeSpill *spill, DedupeSet *set, const SpillEntry *entry)
{
    if (spill->keep_last) {
        dedupe_set_put(set, entry->hash, entry->row);
    } else if (dedupe_set_add(set, entry->hash)) {
        bit_set((uint8_t *)spill->keep, entry->row);
    }
}

/* The entries of one block whose hash falls into slice `pass` of `passes`. */
static void block_decide(DedupeSpill *spill, DedupeSet *set, const SpillEntry *entries,
                         int64_t count, int64_t pass, int64_t passes)
{
    for (int64_t i = 0; i < count; i++) {
        int64_t slice = (int64_t)((entries[i].hash.high >> 32) & 0xffffff) % passes;
        if (slice == pass) entry_decide(spill, set, &entries[i]);
    }
}

static Status partition_pass(DedupeSpill *spill, DedupeSet *set, const SpillPartition *part,
                             int64_t pass, int64_t passes, Err *err)
{
    SpillEntry block[SPILL_BLOCK_ENTRIES];
    for (int64_t i = 0; i < part->block_count; i++) {
        int64_t len = 0;
        TRY(file_read_at(spill->fd, block, (int64_t)sizeof block,
                         part->blocks[i] * (int64_t)sizeof block, &len, err));
        if (len != (int64_t)sizeof block) {
            return err_set(err, ERR_IO, "the spool of drop_duplicates was cut short");
        }
        block_decide(spill, set, block, SPILL_BLOCK_ENTRIES, pass, passes);
    }
    block_decide(spill, set, part->open, part->open_count, pass, passes);
    for (int64_t i = 0; spill->keep_last && i < set->capacity; i++) {
        if (set->slots[i].low | set->slots[i].high) bit_set((uint8_t *)spill->keep, set->rows[i]);
    }
    return OK;
}

/* A set with room for one slice of the partition, and in how many slices it must be taken. */
static Status slices_reserve(DedupeSet *set, int64_t entries, int64_t *ret_passes, Err *err)
{
    for (int64_t passes = 1; passes <= SPILL_PASSES_MAX; passes *= 2) {
        /* Slices are not all of one size: an eighth more, and some for the small ones. */
        int64_t rows = passes == 1 ? entries : entries / passes * 9 / 8 + 1024;
        bool fits = false;
        TRY(dedupe_set_reserve(set, rows, &fits, err));
        *ret_passes = passes;
        if (fits) return OK;
    }
    (void)err_set(err, ERR_LIMIT, "drop_duplicates has no memory left to decide in");
    return err_hint(err, "raise `memory:`");
}

static Status partition_decide(DedupeSpill *spill, const SpillPartition *part, Err *err)
{
    int64_t entries = part->block_count * SPILL_BLOCK_ENTRIES + part->open_count;
    if (entries == 0) return OK;
    DedupeSet set;
    dedupe_set_init(&set, spill->keep_last, spill->budget);
    int64_t passes = 0;
    Status status = slices_reserve(&set, entries, &passes, err);
    for (int64_t pass = 0; pass < passes && status == OK; pass++) {
        dedupe_set_clear(&set);
        status = partition_pass(spill, &set, part, pass, passes, err);
    }
    dedupe_set_done(&set);
    return status;
}

Status dedupe_spill_decide(DedupeSpill *spill, Err *err)
{
    int64_t words = (spill->rows + 63) / 64;
    spill->keep = mem_array(words, 8);
    if (!spill->keep) return err_memory(err);
    budget_force(spill->budget, words * 8);
    for (int32_t i = 0; i < SPILL_PARTITIONS; i++) {
        TRY(partition_decide(spill, &spill->partitions[i], err));
    }
    return spool_rewind(spill->spool, err);
}

Status dedupe_spill_next(DedupeSpill *spill, Batch **ret_batch, Err *err)
{
    *ret_batch = NULL;
    while (!*ret_batch) {
        CLEANUP(batch_unref_p) Batch *batch = NULL;
        TRY(spool_read(spill->spool, NULL, &batch, err));
        if (!batch) return OK;
        TRY(keep_mask_reserve(&spill->mask, batch->rows, err));
        memset(spill->mask.bits, 0, (size_t)((batch->rows + 63) / 64) * 8);
        for (int64_t i = 0; i < batch->rows; i++) {
            if (bit_get((const uint8_t *)spill->keep, spill->read_rows + i)) {
                bit_set((uint8_t *)spill->mask.bits, i);
            }
        }
        spill->read_rows += batch->rows;
        TRY(step_keep_rows(batch, spill->mask.bits, ret_batch, err));
    }
    return OK;
}
