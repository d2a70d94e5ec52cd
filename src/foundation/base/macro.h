/* Compiler attributes and the ownership macros that every file may use. */
#ifndef NEURON_MACRO_H
#define NEURON_MACRO_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The result must be looked at. */
#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define UNUSED __attribute__((unused))

/* Run `fn(&variable)` when the variable goes out of scope: CLEANUP(buf_free_p) Buf *b = NULL; */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

/* Give the pointer away: yields its value and leaves NULL behind. */
#define TAKE(p)                                                                                    \
    ({                                                                                             \
        __typeof__(p) take_ = (p);                                                                 \
        (p) = NULL;                                                                                \
        take_;                                                                                     \
    })

/* Define `type_free_p` for CLEANUP from `type_free`. */
#define DEFINE_FREE_P(Type, free_fn)                                                               \
    static inline void free_fn##_p(Type **p)                                                       \
    {                                                                                              \
        free_fn(*p);                                                                               \
        *p = NULL;                                                                                 \
    }

#define COUNT_OF(array) ((int64_t)(sizeof(array) / sizeof((array)[0])))

/* The struct that an interface's object is the first member of. That it is one is what its table
 * says: anything else is a programmer's error. */
#define DOWNCAST(Type, object, is_one) (assert(is_one), (Type *)(object))

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/* A loop that was measured to gain from wider registers: compiled for AVX2 as well, chosen when the
 * program is loaded. clang's and the sanitizers' builds have the one that runs anywhere. */
#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(__clang__) &&                        \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define HOT_LOOP __attribute__((target_clones("avx2", "default"), noinline))
#else
#define HOT_LOOP __attribute__((noinline))
#endif
#define ALWAYS_INLINE inline __attribute__((always_inline))

/* Leave the function when a Status is not OK. */
#define TRY(call)                                                                                  \
    do {                                                                                           \
        Status try_ = (call);                                                                      \
        if (UNLIKELY(try_ != OK)) return try_;                                                     \
    } while (0)

/* A result that is looked away from on purpose; say why beside it. */
#define IGNORE(call)                                                                               \
    do {                                                                                           \
        __typeof__(call) ignored_ = (call);                                                        \
        (void)ignored_;                                                                            \
    } while (0)

static inline int64_t int64_min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t int64_max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

#endif
