/* A bump allocator for things that die together. */
#include "foundation/base/arena.h"

#include <stdio.h>

#include "foundation/base/mem.h"

enum { ARENA_FIRST = 1024, ARENA_BLOCK_MAX = 1 << 20, ARENA_ALIGN = 16 };

/* Blocks form a list, the one in use first: [head | filled … | free …] -> older -> … */
struct ArenaBlock {
    ArenaBlock *next;
    int64_t size; /* of the bytes after the head */
    int64_t filled;
    int64_t pad;
};

void arena_done(Arena *arena)
{
    while (arena->head) {
        ArenaBlock *next = arena->head->next;
        mem_free(arena->head);
        arena->head = next;
    }
    arena->used = 0;
}

void arena_clear(Arena *arena)
{
    ArenaBlock *keep = arena->head;
    if (!keep) return;
    arena->head = keep->next;
    arena_done(arena);
    keep->next = NULL;
    keep->filled = 0;
    arena->head = keep;
}

static bool arena_grow(Arena *arena, int64_t size)
{
    int64_t block_size = arena->head ? int64_min(arena->head->size * 2, ARENA_BLOCK_MAX)
                                     : ARENA_FIRST - (int64_t)sizeof(ArenaBlock);
    block_size = int64_max(block_size, size);
    ArenaBlock *block = mem_alloc((int64_t)sizeof *block + block_size);
    if (!block) return false;
    *block = (ArenaBlock){.next = arena->head, .size = block_size};
    arena->head = block;
    return true;
}

void *arena_raw(Arena *arena, int64_t size)
{
    assert(size >= 0);
    if (size > arena->max - arena->used) return NULL;
    size = (size + ARENA_ALIGN - 1) & ~(int64_t)(ARENA_ALIGN - 1);
    ArenaBlock *block = arena->head;
    if (!block || size > block->size - block->filled) {
        if (!arena_grow(arena, size)) return NULL;
        block = arena->head;
    }
    char *at = (char *)(block + 1) + block->filled;
    block->filled += size;
    arena->used += size;
    return at;
}

void *arena_alloc(Arena *arena, int64_t size)
{
    void *at = arena_raw(arena, size);
    return at ? memset(at, 0, (size_t)size) : NULL;
}

void *arena_array(Arena *arena, int64_t count, int64_t size)
{
    int64_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) return NULL;
    return arena_alloc(arena, bytes);
}

Status arena_copy(Arena *arena, Str text, Str *ret_copy, Err *err)
{
    char *copy = arena_alloc(arena, text.len + 1);
    if (!copy) return err_memory(err);
    if (text.len) memcpy(copy, text.ptr, (size_t)text.len);
    *ret_copy = str_make(copy, text.len);
    return OK;
}

Status arena_printf(Arena *arena, Str *ret_text, Err *err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int64_t len = vsnprintf(NULL, 0, format, args);
    char *text = arena_alloc(arena, len + 1);
    if (text) (void)vsnprintf(text, (size_t)len + 1, format, again);
    va_end(again);
    va_end(args);
    if (!text) return err_memory(err);
    *ret_text = str_make(text, len);
    return OK;
}
