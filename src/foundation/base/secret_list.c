/* The registered secrets, and how they are found in a text. */
#include "foundation/base/secret_list.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

#include "foundation/base/mem.h"

enum { WHOLE_WORD_BELOW = 6, MASK_LEN = sizeof REDACT_MASK - 1 };

/* A list that only grows, so that it is read without a lock. */
typedef struct Secret {
    struct Secret *next;
    Str text;
    bool whole_word;
} Secret;

static _Atomic(Secret *) secrets;
static pthread_mutex_t adding = PTHREAD_MUTEX_INITIALIZER;
static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_word(char c)
{
    return is_letter(c) || (c >= '0' && c <= '9');
}

static bool is_letters(Str text)
{
    for (int64_t i = 0; i < text.len; i++) {
        if (!is_letter(text.ptr[i])) return false;
    }
    return true;
}

static bool add_locked(Str text)
{
    assert(text.len > 0 && text.len <= REDACT_SECRET_MAX);
    Secret *first = atomic_load_explicit(&secrets, memory_order_relaxed);
    for (const Secret *at = first; at; at = at->next) {
        if (str_eq(at->text, text)) return true;
    }
    Secret *secret = mem_zalloc((int64_t)sizeof *secret + text.len);
    if (!secret) return false;
    char *copy = (char *)(secret + 1);
    memcpy(copy, text.ptr, (size_t)text.len);
    *secret = (Secret){.next = first,
                       .text = str_make(copy, text.len),
                       .whole_word = text.len < WHOLE_WORD_BELOW || is_letters(text)};
    atomic_store_explicit(&secrets, secret, memory_order_release);
    return true;
}

bool secret_list_add(Str secret)
{
    pthread_mutex_lock(&adding);
    bool added = add_locked(secret);
    pthread_mutex_unlock(&adding);
    return added;
}

/* How many bytes at `at` belong to the secret; 0: it doesn't stand there. */
static int64_t match(const Secret *secret, Str text, int64_t at, bool cut)
{
    Str rest = str_slice(text, at, text.len);
    int64_t len = int64_min(secret->text.len, rest.len);
    if (memcmp(rest.ptr, secret->text.ptr, (size_t)len) != 0) return 0;
    if (len < secret->text.len) return cut && len > 1 ? len : 0;
    if (!secret->whole_word) return len;
    bool before = at > 0 && is_word(text.ptr[at - 1]) && is_word(secret->text.ptr[0]);
    bool after = len < rest.len && is_word(rest.ptr[len]) && is_word(secret->text.ptr[len - 1]);
    return before || after ? 0 : len;
}

int64_t redact_text(char *text, int64_t len, bool cut)
{
    const Secret *first = atomic_load_explicit(&secrets, memory_order_acquire);
    if (!first) return len;
    int64_t out = 0;
    Str whole = str_make(text, len);
    for (int64_t at = 0; at < len;) {
        int64_t longest = 0;
        for (const Secret *secret = first; secret; secret = secret->next) {
            if (secret->text.ptr[0] != text[at]) continue;
            longest = int64_max(longest, match(secret, whole, at, cut));
        }
        if (longest == 0) {
            text[out++] = text[at++];
            continue;
        }
        int64_t stars = int64_min(longest, MASK_LEN);
        memcpy(text + out, REDACT_MASK, (size_t)stars);
        out += stars;
        at += longest;
    }
    return out;
}
