/* The one door to the heap, so that tests can make any allocation fail. */
#include "foundation/base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* 0: not armed, so that the common path is one relaxed load. */
static _Atomic int64_t fail_at;
static _Atomic int64_t fail_seen;
static _Atomic bool fail_sticky;

void mem_fail_at(int64_t nth, bool sticky)
{
    atomic_store(&fail_seen, 0);
    atomic_store(&fail_sticky, sticky);
    atomic_store(&fail_at, nth);
}

int64_t mem_fail_count(void)
{
    return atomic_load(&fail_seen);
}

static bool mem_must_fail(void)
{
    int64_t at = atomic_load_explicit(&fail_at, memory_order_relaxed);
    if (LIKELY(at == 0)) return false;
    int64_t seen = atomic_fetch_add(&fail_seen, 1) + 1;
    return seen == at || (seen > at && atomic_load(&fail_sticky));
}

void *mem_alloc(int64_t size)
{
    assert(size >= 0);
    if (mem_must_fail()) return NULL;
    return malloc(size ? (size_t)size : 1);
}

void *mem_zalloc(int64_t size)
{
    assert(size >= 0);
    if (mem_must_fail()) return NULL;
    return calloc(1, size ? (size_t)size : 1);
}

void *mem_array(int64_t count, int64_t size)
{
    int64_t bytes;
    assert(count >= 0 && size >= 0);
    if (__builtin_mul_overflow(count, size, &bytes)) return NULL;
    return mem_zalloc(bytes);
}

void *mem_realloc(void *ptr, int64_t size)
{
    assert(size >= 0);
    if (mem_must_fail()) return NULL;
    return realloc(ptr, size ? (size_t)size : 1);
}

void *mem_aligned(int64_t size)
{
    assert(size >= 0);
    if (mem_must_fail()) return NULL;
    int64_t rounded = (size + 63) & ~INT64_C(63);
    return aligned_alloc(64, rounded ? (size_t)rounded : 64);
}

char *mem_strdup(const char *text, int64_t len)
{
    char *copy = mem_alloc(len + 1);
    if (!copy) return NULL;
    if (len) memcpy(copy, text, (size_t)len);
    copy[len] = 0;
    return copy;
}

void mem_free(void *ptr)
{
    free(ptr);
}
