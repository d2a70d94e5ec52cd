/* Counts rows that repeat an earlier row, exactly, by their 128-bit hashes, at any size. */
#include "work/quality/repeat_count.h"

#include "foundation/base/file.h"
#include "foundation/base/mem.h"

/* The open blocks of all partitions together fit the cache. */
enum { PARTITIONS = 256, BLOCK_ENTRIES = 100, PASSES_MAX = 4096 };

/* Hashes in the order in which they came; row numbers are base + offset. */
typedef struct Block {
    int64_t base;
    int32_t count;
    uint32_t offsets[BLOCK_ENTRIES];
    Hash128 hashes[BLOCK_ENTRIES];
} Block;

/* A block in memory, or its number in the file of that descriptor. */
typedef struct BlockRef {
    Block *memory;
    int fd;
    int64_t number;
    int64_t row_shift;
} BlockRef;

typedef struct Partition {
    BlockRef *blocks; /* full ones, oldest first */
    int64_t count, capacity;
    Block *open; /* the one that is being filled */
} Partition;

struct RepeatCount {
    Budget *budget;
    Str folder;
    int64_t rows;
    int fd; /* -1: nothing spilled */
    int64_t spilled;
    int *merged_fds; /* files of those that were merged into this */
    int32_t merged_count;
    Partition partitions[PARTITIONS];
};

Status repeat_count_new(Budget *budget, Str folder, RepeatCount **ret_repeats, Err *err)
{
    RepeatCount *r = mem_zalloc((int64_t)sizeof *r);
    if (!r) return err_memory(err);
    r->budget = budget;
    r->folder = folder;
    r->fd = -1;
    *ret_repeats = r;
    return OK;
}

static void block_free(RepeatCount *r, Block *block)
{
    if (!block) return;
    if (r->budget) budget_release(r->budget, (int64_t)sizeof *block);
    mem_free(block);
}

static void partition_free(RepeatCount *r, Partition *part)
{
    for (int64_t i = 0; i < part->count; i++) block_free(r, part->blocks[i].memory);
    block_free(r, part->open);
    mem_free(part->blocks);
    *part = (Partition){0};
}

void repeat_count_free(RepeatCount *r)
{
    if (!r) return;
    for (int32_t i = 0; i < PARTITIONS; i++) partition_free(r, &r->partitions[i]);
    if (r->fd >= 0) file_close(r->fd);
    for (int32_t i = 0; i < r->merged_count; i++) file_close(r->merged_fds[i]);
    mem_free(r->merged_fds);
    mem_free(r);
}

static Status ref_add(Partition *part, BlockRef ref, Err *err)
{
    if (part->count == part->capacity) {
        int64_t capacity = int64_max(8, part->capacity * 2);
        BlockRef *blocks = mem_realloc(part->blocks, capacity * (int64_t)sizeof *blocks);
        if (!blocks) return err_memory(err);
        part->blocks = blocks;
        part->capacity = capacity;
    }
    part->blocks[part->count++] = ref;
    return OK;
}

static Status spill(RepeatCount *r, Partition *part, Err *err)
{
    if (r->fd < 0) TRY(file_temporary(r->folder, &r->fd, err));
    int64_t size = (int64_t)sizeof *part->open;
    TRY(file_write_at(r->fd, str_make((const char *)part->open, size), r->spilled * size, err));
    TRY(ref_add(part, (BlockRef){.fd = r->fd, .number = r->spilled}, err));
    r->spilled++;
    part->open->count = 0;
    return OK;
}

/* An open block with room: the full one is put away, in the file when there is no memory. */
static Status make_room(RepeatCount *r, Partition *part, Err *err)
{
    int64_t size = (int64_t)sizeof *part->open;
    if (part->open) {
        bool fits = !r->budget || budget_reserve(r->budget, size);
        if (!fits) return spill(r, part, err);
        TRY(ref_add(part, (BlockRef){.memory = part->open, .fd = -1}, err));
        part->open = NULL;
    } else if (r->budget) {
        budget_force(r->budget, size);
    }
    part->open = mem_alloc(size);
    if (!part->open) {
        if (r->budget) budget_release(r->budget, size);
        return err_memory(err);
    }
    part->open->count = 0;
    part->open->base = INT64_MAX;
    return OK;
}

static inline Status add_one(RepeatCount *r, Hash128 hash, int64_t row, Err *err)
{
    Partition *part = &r->partitions[hash.high >> 56];
    Block *block = part->open;
    if (UNLIKELY(!block || block->count == BLOCK_ENTRIES || row - block->base > UINT32_MAX)) {
        TRY(make_room(r, part, err));
        block = part->open;
    }
    if (block->count == 0) block->base = row;
    block->offsets[block->count] = (uint32_t)(row - block->base);
    block->hashes[block->count++] = hash;
    return OK;
}

Status repeat_count_add(RepeatCount *r, const Hash128 *hashes, int64_t rows, int64_t first_row,
                        const uint64_t *mask, Err *err)
{
    for (int64_t i = 0; i < rows; i++) {
        if (mask && !((mask[i >> 6] >> (i & 63)) & 1)) continue;
        TRY(add_one(r, hashes[i], first_row + i, err));
    }
    int64_t added = mask ? 0 : rows;
    for (int64_t word = 0; mask && word * 64 < rows; word++) {
        int64_t left = rows - word * 64;
        uint64_t last = left < 64 ? (UINT64_C(1) << left) - 1 : ~UINT64_C(0);
        added += __builtin_popcountll(mask[word] & last);
    }
    r->rows += added;
    return OK;
}

static Status take_file(RepeatCount *r, int fd, Err *err)
{
    int *fds = mem_realloc(r->merged_fds, (r->merged_count + 1) * (int64_t)sizeof *fds);
    if (!fds) return err_memory(err);
    r->merged_fds = fds;
    fds[r->merged_count++] = fd;
    return OK;
}

static Status merge_partition(RepeatCount *r, Partition *part, Partition *from, int64_t row_shift,
                              Err *err)
{
    if (part->open && part->open->count) {
        TRY(ref_add(part, (BlockRef){.memory = part->open, .fd = -1}, err));
        part->open = NULL;
    }
    if (from->open) {
        TRY(ref_add(from, (BlockRef){.memory = from->open, .fd = -1}, err));
        from->open = NULL;
    }
    for (int64_t i = 0; i < from->count; i++) {
        BlockRef ref = from->blocks[i];
        ref.row_shift += row_shift;
        TRY(ref_add(part, ref, err));
        from->blocks[i].memory = NULL;
    }
    partition_free(r, from);
    return OK;
}

Status repeat_count_merge(RepeatCount *r, RepeatCount *next, int64_t row_shift, Err *err)
{
    for (int32_t i = 0; i < next->merged_count; i++) TRY(take_file(r, next->merged_fds[i], err));
    next->merged_count = 0;
    if (next->fd >= 0) TRY(take_file(r, next->fd, err));
    next->fd = -1;
    for (int32_t i = 0; i < PARTITIONS; i++) {
        TRY(merge_partition(r, &r->partitions[i], &next->partitions[i], row_shift, err));
    }
    r->rows += next->rows;
    next->rows = 0;
    return OK;
}

/* ---- deciding ---- */

typedef struct Decision {
    Hash128 *slots; /* {0,0} is free */
    int64_t mask;   /* slots less one */
    int64_t pass, passes;
    int64_t repeats;
    int64_t *first; /* ascending */
    int64_t first_count, first_max;
} Decision;

/* Keep the smallest row numbers. */
static void note_row(Decision *d, int64_t row)
{
    if (d->first_max == 0) return;
    if (d->first_count == d->first_max) {
        if (row >= d->first[d->first_count - 1]) return;
        d->first_count--;
    }
    int64_t at = d->first_count++;
    for (; at > 0 && d->first[at - 1] > row; at--) d->first[at] = d->first[at - 1];
    d->first[at] = row;
}

static void decide_block(Decision *d, const Block *block, int64_t row_shift)
{
    for (int32_t i = 0; i < block->count; i++) {
        Hash128 hash = block->hashes[i];
        if (d->passes > 1 && (int64_t)(hash.high & 0xffffff) % d->passes != d->pass) continue;
        if (!(hash.low | hash.high)) hash.low = 1;
        int64_t slot = (int64_t)(hash.low & (uint64_t)d->mask);
        while ((d->slots[slot].low | d->slots[slot].high) && !hash_128_eq(d->slots[slot], hash)) {
            slot = (slot + 1) & d->mask;
        }
        if (d->slots[slot].low | d->slots[slot].high) {
            d->repeats++;
            note_row(d, block->base + block->offsets[i] + row_shift);
        } else {
            d->slots[slot] = hash;
        }
    }
}

static Status read_block(const BlockRef *ref, Block *to, Err *err)
{
    int64_t len = 0, size = (int64_t)sizeof *to;
    TRY(file_read_at(ref->fd, to, size, ref->number * size, &len, err));
    bool whole = len == size && to->count >= 0 && to->count <= BLOCK_ENTRIES;
    return whole ? OK : err_set(err, ERR_IO, "the file of row hashes was cut short");
}

static Status decide_pass(Decision *d, const Partition *part, Block *buffer, Err *err)
{
    memset(d->slots, 0, (size_t)(d->mask + 1) * sizeof *d->slots);
    for (int64_t i = 0; i < part->count; i++) {
        const BlockRef *ref = &part->blocks[i];
        if (!ref->memory) TRY(read_block(ref, buffer, err));
        decide_block(d, ref->memory ? ref->memory : buffer, ref->row_shift);
    }
    if (part->open) decide_block(d, part->open, 0);
    return OK;
}

static int64_t partition_entries(const Partition *part)
{
    int64_t entries = part->open ? part->open->count : 0;
    for (int64_t i = 0; i < part->count; i++) {
        entries += part->blocks[i].memory ? part->blocks[i].memory->count : BLOCK_ENTRIES;
    }
    return entries;
}

static int64_t slots_for(int64_t entries)
{
    int64_t slots = 64;
    while (slots < entries * 2) slots *= 2;
    return slots;
}

/* As many slots as the budget gives; fewer mean more passes over the partition's entries. */
static Status reserve_slots(const RepeatCount *r, int64_t entries, Decision *d, Err *err)
{
    for (d->passes = 1; d->passes <= PASSES_MAX; d->passes *= 2) {
        /* Slices are not all of one size: twice as many slots as entries leave room for that. */
        int64_t slots = slots_for(entries / d->passes + 64);
        int64_t bytes = slots * (int64_t)sizeof *d->slots;
        bool small = slots <= 8192;
        if (small && r->budget) budget_force(r->budget, bytes);
        else if (r->budget && !budget_reserve(r->budget, bytes)) continue;
        d->slots = mem_alloc(bytes);
        d->mask = slots - 1;
        if (d->slots) return OK;
        if (r->budget) budget_release(r->budget, bytes);
        return err_memory(err);
    }
    (void)err_set(err, ERR_LIMIT, "there is no memory left to count repeated rows in");
    return err_hint(err, "raise `memory:`");
}

static Status decide_partition(RepeatCount *r, Partition *part, Decision *d, Block *buffer,
                               Err *err)
{
    int64_t entries = partition_entries(part);
    if (entries == 0) return OK;
    TRY(reserve_slots(r, entries, d, err));
    Status status = OK;
    for (d->pass = 0; d->pass < d->passes && status == OK; d->pass++) {
        status = decide_pass(d, part, buffer, err);
    }
    if (r->budget) budget_release(r->budget, (d->mask + 1) * (int64_t)sizeof *d->slots);
    mem_free(d->slots);
    d->slots = NULL;
    return status;
}

Status repeat_count_finish(RepeatCount *r, int64_t first_max, RepeatResult *ret, Err *err)
{
    Decision d = {.first_max = first_max};
    Block *buffer = mem_alloc((int64_t)sizeof *buffer);
    d.first = mem_array(first_max + 1, (int64_t)sizeof *d.first);
    Status status = buffer && d.first ? OK : err_memory(err);
    for (int32_t i = 0; i < PARTITIONS && status == OK; i++) {
        status = decide_partition(r, &r->partitions[i], &d, buffer, err);
        partition_free(r, &r->partitions[i]);
    }
    mem_free(buffer);
    if (status != OK) {
        mem_free(d.first);
        return FAIL;
    }
    *ret = (RepeatResult){r->rows, d.repeats, d.first, d.first_count};
    return OK;
}
