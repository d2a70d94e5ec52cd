/* Hashes: XXH3 for rows, keys and checksums; cryptographic digests from libcrypto. */
#ifndef NEURON_HASH_H
#define NEURON_HASH_H

#include "foundation/base/err.h"

typedef struct Hash128 {
    uint64_t low;
    uint64_t high;
} Hash128;

uint64_t hash_64(Str bytes, uint64_t seed);
/* XXH3 128, seed 0. */
Hash128 hash_128(Str bytes);
/* 32 lower-case hex digits, high half first (the canonical form of XXH128). */
void hash_128_hex(Hash128 hash, char ret_hex[32]);

static inline bool hash_128_eq(Hash128 a, Hash128 b)
{
    return a.low == b.low && a.high == b.high;
}

enum { HASH_DIGEST_MAX = 64 };
/* `name` is a digest that libcrypto knows: md5, sha1, sha224, sha256, sha384, sha512. Writes the
 * raw digest and its length. */
MUST_USE Status hash_digest(const char *name, Str bytes, uint8_t ret_digest[HASH_DIGEST_MAX],
                            int64_t *ret_len, Err *err);
/* Random bytes from the system. */
MUST_USE Status hash_random(void *ret_bytes, int64_t len, Err *err);

#endif
