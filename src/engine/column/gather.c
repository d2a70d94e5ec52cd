/* Copies the chosen rows of columns; text is shared, or compacted where that pays. */
#include <stdlib.h>

#include "engine/column/batch_impl.h"
#include "foundation/base/mem.h"

enum { TAGS_MAX = 128 };

/* Zeroed words for the choice's bits. */
static Status words_new(int64_t count, Buffer **ret_buffer, Err *err)
{
    TRY(buffer_new((count + 63) / 64 * 8, NULL, ret_buffer, err));
    memset((*ret_buffer)->data, 0, (size_t)(*ret_buffer)->size);
    return OK;
}

/* The chosen bits of `from`, whose row 0 is at bit `offset`; how many of them are set. */
static int64_t gather_bits(const uint8_t *from, int64_t offset, const Choice *choice, Buffer *to)
{
    uint64_t *words = (uint64_t *)(void *)to->data;
    int64_t set = 0, at = 0;
    if (!choice->rows) {
        for (int64_t i = 0; i < choice->run_count; i++) {
            const Run *run = &choice->runs[i];
            set += bits_copy(words, at, from, offset + run->from, run->len);
            at += run->len;
        }
        return set;
    }
    for (int64_t base = 0; base < choice->count; base += 64) {
        int64_t end = int64_min(64, choice->count - base);
        uint64_t word = 0;
        for (int64_t i = 0; i < end; i++) {
            word |= (uint64_t)bit_get(from, offset + choice->rows[base + i]) << i;
        }
        words[base / 64] = word;
        set += __builtin_popcountll(word);
    }
    return set;
}

static Status gather_valid(const Column *from, const Choice *choice, Column *to, Err *err)
{
    if (!from->valid || from->null_count == 0) return OK;
    TRY(words_new(choice->count, &to->valid, err));
    to->null_count =
        choice->count - gather_bits(from->valid->data, from->offset, choice, to->valid);
    if (to->null_count == 0) buffer_unref_p(&to->valid);
    return OK;
}

typedef struct Wide {
    uint64_t low, high;
} Wide;

#define GATHER(Type)                                                                               \
    do {                                                                                           \
        const Type *in = (const Type *)(const void *)from;                                         \
        Type *out = (Type *)(void *)to;                                                            \
        for (int64_t i = 0; i < choice->count; i++) out[i] = in[choice->rows[i]];                  \
    } while (0)

static void gather_rows(const uint8_t *from, int32_t width, const Choice *choice, uint8_t *to)
{
    switch (width) {
    case 1:
        GATHER(uint8_t);
        return;
    case 4:
        GATHER(int32_t);
        return;
    case 8:
        GATHER(int64_t);
        return;
    default:
        assert(width == 16);
        GATHER(Wide);
        return;
    }
}

static Status gather_buffer(const Buffer *from, int64_t offset, int32_t width, const Choice *choice,
                            Buffer **ret_to, Err *err)
{
    TRY(buffer_new(choice->count * width, NULL, ret_to, err));
    const uint8_t *in = from->data + offset * width;
    uint8_t *out = (*ret_to)->data;
    if (choice->rows) {
        gather_rows(in, width, choice, out);
        return OK;
    }
    for (int64_t i = 0; i < choice->run_count; i++) {
        const Run *run = &choice->runs[i];
        memcpy(out, in + run->from * width, (size_t)(run->len * width));
        out += run->len * width;
    }
    return OK;
}

/* ---- dynamic ---- */

/* Number the chosen values of each child from 0 (aux), and list their rows in the child: those of
 * tag t are list[starts[t] … starts[t + 1]). Tags of NULL rows become 0. */
static void list_children(const Column *from, const int64_t *rows, Column *to, int64_t *list,
                          int64_t starts[TAGS_MAX + 1])
{
    int64_t next[TAGS_MAX + 1] = {0};
    for (int64_t i = 0; i < to->length; i++) {
        if (column_is_null(to, i)) to->data->data[i] = 0;
        else next[column_tag(to, i) + 1]++;
    }
    for (int32_t tag = 0; tag < TAGS_MAX; tag++) next[tag + 1] += next[tag];
    memcpy(starts, next, sizeof next);
    int32_t *places = (int32_t *)(void *)to->aux->data;
    for (int64_t i = 0; i < to->length; i++) {
        if (column_is_null(to, i)) {
            places[i] = 0;
            continue;
        }
        int8_t tag = column_tag(to, i);
        places[i] = (int32_t)(next[tag] - starts[tag]);
        list[next[tag]++] = column_child_row(from, rows[i]);
    }
}

static Status gather_children(const Column *from, const int64_t *rows, int64_t *list, Column *to,
                              Err *err)
{
    int64_t starts[TAGS_MAX + 1];
    TRY(buffer_new(to->length * (int64_t)sizeof(int32_t), NULL, &to->aux, err));
    list_children(from, rows, to, list, starts);
    if (from->child_count == 0) return OK;
    to->children = mem_array(from->child_count, (int64_t)sizeof *to->children);
    if (!to->children) return err_memory(err);
    to->child_count = from->child_count;
    for (int32_t i = 0; i < from->child_count; i++) {
        Choice choice = {.rows = list + starts[i], .count = starts[i + 1] - starts[i]};
        TRY(gather_column(&from->children[i], &choice, &to->children[i], err));
    }
    return OK;
}

static Status gather_dynamic(const Column *from, const Choice *choice, Column *to, Err *err)
{
    TRY(gather_buffer(from->data, from->offset, 1, choice, &to->data, err));
    CLEANUP(mem_free_p) int64_t *list = mem_alloc((2 * choice->count + 1) * 8);
    if (!list) return err_memory(err);
    int64_t *rows = list + choice->count;
    int64_t at = 0;
    for (int64_t i = 0; i < choice->run_count; i++) {
        for (int64_t k = 0; k < choice->runs[i].len; k++) rows[at++] = choice->runs[i].from + k;
    }
    return gather_children(from, choice->rows ? choice->rows : rows, list, to, err);
}

Status gather_column(const Column *from, const Choice *choice, Column *to, Err *err)
{
    *to = (Column){.type = from->type, .scale = from->scale, .length = choice->count};
    TRY(gather_valid(from, choice, to, err));
    if (from->type == TYPE_DYNAMIC) return gather_dynamic(from, choice, to, err);
    if (from->type == TYPE_BOOL) {
        TRY(words_new(choice->count, &to->data, err));
        (void)gather_bits(from->data->data, from->offset, choice, to->data);
        return OK;
    }
    TRY(gather_buffer(from->data, from->offset, type_width(from->type), choice, &to->data, err));
    if (!from->aux) return OK;
    return gather_buffer(from->aux, from->offset, 1, choice, &to->aux, err);
}

/* ---- heaps ---- */

/* Bytes in heaps that the views of a column point to. */
static int64_t used_bytes(const Column *c)
{
    if (!type_is_view(c->type)) return 0;
    const TextView *views = column_views(c);
    int64_t used = 0;
    for (int64_t i = 0; i < c->length; i++) used += views[i].len > 12 ? views[i].len : 0;
    return used;
}

/* The heaps that columns would keep alive, each perhaps several times. */
typedef struct HeapList {
    const Buffer **items;
    int64_t count, capacity;
    int64_t used; /* bytes in them that are pointed to */
} HeapList;

static Status list_heaps(const Column *from, const Column *to, HeapList *list, Err *err)
{
    for (int32_t i = 0; i < to->child_count; i++) {
        TRY(list_heaps(&from->children[i], &to->children[i], list, err));
    }
    int64_t used = used_bytes(to);
    if (used == 0) return OK;
    list->used += used;
    if (list->count + from->heap_count > list->capacity) {
        int64_t capacity = 2 * list->capacity + from->heap_count;
        const Buffer **items = mem_realloc(list->items, capacity * (int64_t)sizeof *items);
        if (!items) return err_memory(err);
        list->items = items;
        list->capacity = capacity;
    }
    for (int32_t i = 0; i < from->heap_count; i++) list->items[list->count++] = from->heaps[i];
    return OK;
}

static int compare_pointers(const void *a, const void *b)
{
    uintptr_t left = *(const uintptr_t *)a, right = *(const uintptr_t *)b;
    return (left > right) - (left < right);
}

/* Several columns often point into the same heap (a chunk of a file): it counts once. */
static int64_t pinned_bytes(HeapList *list)
{
    if (list->count == 0) return 0;
    qsort(list->items, (size_t)list->count, sizeof *list->items, compare_pointers);
    int64_t pinned = 0;
    for (int64_t i = 0; i < list->count; i++) {
        if (i == 0 || list->items[i] != list->items[i - 1]) pinned += list->items[i]->size;
    }
    return pinned;
}

static Status share_heaps(const Column *from, Column *to, Err *err)
{
    to->heaps = mem_array(from->heap_count, (int64_t)sizeof(Buffer *));
    if (!to->heaps) return err_memory(err);
    for (int32_t i = 0; i < from->heap_count; i++) to->heaps[i] = buffer_ref(from->heaps[i]);
    to->heap_count = from->heap_count;
    return OK;
}

/* Copy the long texts of `to` (which has no heaps yet) out of the heaps of `from` into one. */
static Status copy_heaps(const Column *from, int64_t used, Column *to, Err *err)
{
    to->heaps = mem_array(1, (int64_t)sizeof(Buffer *));
    if (!to->heaps) return err_memory(err);
    TRY(buffer_new(used, NULL, &to->heaps[0], err));
    to->heap_count = 1;
    TextView *views = (TextView *)(void *)to->data->data;
    int64_t at = 0;
    for (int64_t i = 0; i < to->length; i++) {
        if (views[i].len <= 12) continue;
        const uint8_t *bytes = from->heaps[views[i].ref.heap]->data + views[i].ref.offset;
        memcpy(to->heaps[0]->data + at, bytes, (size_t)views[i].len);
        views[i].ref.heap = 0;
        views[i].ref.offset = (int32_t)at;
        at += views[i].len;
    }
    return OK;
}

static Status give_heaps(const Column *from, bool compact, Column *to, Err *err)
{
    for (int32_t i = 0; i < to->child_count; i++) {
        TRY(give_heaps(&from->children[i], compact, &to->children[i], err));
    }
    int64_t used = used_bytes(to);
    if (used == 0) return OK;
    /* What is past one heap's 2 GiB stays where it is. */
    if (compact && used <= INT32_MAX) return copy_heaps(from, used, to, err);
    return share_heaps(from, to, err);
}

Status gather_heaps(const Column *from, int32_t count, Column *to, Err *err)
{
    HeapList list = {0};
    Status status = OK;
    for (int32_t i = 0; i < count && status == OK; i++) {
        status = list_heaps(&from[i], &to[i], &list, err);
    }
    bool compact = list.used < pinned_bytes(&list) / 4;
    mem_free(list.items);
    for (int32_t i = 0; i < count && status == OK; i++) {
        status = give_heaps(&from[i], compact, &to[i], err);
    }
    return status;
}
