/* The one door to the heap, so that tests can make any allocation fail. */
#ifndef NEURON_MEM_H
#define NEURON_MEM_H

#include "foundation/base/macro.h"

/* All return NULL when memory is short (or a test said so); size 0 gives a unique pointer.
 * Sizes are bytes, >= 0. Thread-safe. */
void *mem_alloc(int64_t size) MUST_USE;
void *mem_zalloc(int64_t size) MUST_USE;
/* count * size, checked for overflow; zeroed. */
void *mem_array(int64_t count, int64_t size) MUST_USE;
/* On failure the old block stays valid. */
void *mem_realloc(void *ptr, int64_t size) MUST_USE;
/* 64-byte aligned; freed with mem_free. */
void *mem_aligned(int64_t size) MUST_USE;
/* A NUL-terminated copy. */
char *mem_strdup(const char *text, int64_t len) MUST_USE;
void mem_free(void *ptr);

/* For tests: let the nth allocation from now on (1-based) fail; 0: none. `sticky` lets all later
 * ones fail too. */
void mem_fail_at(int64_t nth, bool sticky);
/* Allocations since the last mem_fail_at. */
int64_t mem_fail_count(void);

static inline void mem_free_p(void *p)
{
    void **at = (void **)p;
    mem_free(*at);
    *at = NULL;
}

#endif
