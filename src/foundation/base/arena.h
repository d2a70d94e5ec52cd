/* A bump allocator for things that die together (a batch, a run, a request, a configuration). */
#ifndef NEURON_ARENA_H
#define NEURON_ARENA_H

#include "foundation/base/err.h"

typedef struct ArenaBlock ArenaBlock;

/* Embedded: arena_make … arena_done. One thread at a time. */
typedef struct Arena {
    ArenaBlock *head;
    int64_t used; /* bytes handed out */
    int64_t max;  /* bytes that it may hand out */
} Arena;

static inline Arena arena_make(int64_t max)
{
    return (Arena){NULL, 0, max};
}
void arena_done(Arena *arena);
/* Forget everything, keep one block for reuse. */
void arena_clear(Arena *arena);

/* Zeroed, aligned to 16; NULL when memory is short or the maximum is reached. */
void *arena_alloc(Arena *arena, int64_t size) MUST_USE;
/* As arena_alloc, but not zeroed. */
void *arena_raw(Arena *arena, int64_t size) MUST_USE;
/* count * size checked for overflow. */
void *arena_array(Arena *arena, int64_t count, int64_t size) MUST_USE;
/* Copies; the copy is followed by a NUL that is not counted. */
MUST_USE Status arena_copy(Arena *arena, Str text, Str *ret_copy, Err *err);
MUST_USE Status arena_printf(Arena *arena, Str *ret_text, Err *err, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* One zeroed object of a type, or NULL. */
#define ARENA_NEW(arena, Type) ((Type *)arena_alloc((arena), (int64_t)sizeof(Type)))
#define ARENA_ARRAY(arena, Type, count)                                                            \
    ((Type *)arena_array((arena), (count), (int64_t)sizeof(Type)))

#endif
