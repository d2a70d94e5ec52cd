/* Hashes: XXH3 for rows, keys and checksums; cryptographic digests from libcrypto. */
#include "foundation/base/hash.h"

#include <errno.h>
#include <openssl/evp.h>
#include <sys/random.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t hash_64(Str bytes, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes.ptr, (size_t)bytes.len, seed);
}

Hash128 hash_128(Str bytes)
{
    XXH128_hash_t hash = XXH3_128bits(bytes.ptr, (size_t)bytes.len);
    return (Hash128){.low = hash.low64, .high = hash.high64};
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Eight hexadecimal digits at once: the nibbles spread over eight bytes, the first one on top. */
static inline void put_hex_8(uint32_t value, char *to)
{
    uint64_t x = value;
    x = (x | x << 16) & UINT64_C(0x0000ffff0000ffff);
    x = (x | x << 8) & UINT64_C(0x00ff00ff00ff00ff);
    x = (x | x << 4) & EACH(0x0f);
    uint64_t letters = ((x + EACH(0x76)) >> 7) & EACH(1); /* 1 where the nibble is past 9 */
    x += EACH('0') + letters * ('a' - '0' - 10);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    x = __builtin_bswap64(x);
#endif
    memcpy(to, &x, 8);
}

void hash_128_hex(Hash128 hash, char ret_hex[32])
{
    put_hex_8((uint32_t)(hash.high >> 32), ret_hex);
    put_hex_8((uint32_t)hash.high, ret_hex + 8);
    put_hex_8((uint32_t)(hash.low >> 32), ret_hex + 16);
    put_hex_8((uint32_t)hash.low, ret_hex + 24);
}

Status hash_digest(const char *name, Str bytes, uint8_t ret_digest[HASH_DIGEST_MAX],
                   int64_t *ret_len, Err *err)
{
    const EVP_MD *digest = EVP_get_digestbyname(name);
    if (!digest) return err_set(err, ERR_INTERNAL, "no digest named %s", name);
    unsigned int len = 0;
    if (EVP_Digest(bytes.ptr ? bytes.ptr : "", (size_t)bytes.len, ret_digest, &len, digest, NULL) !=
        1) {
        return err_set(err, ERR_INTERNAL, "digest %s failed", name);
    }
    *ret_len = len;
    return OK;
}

Status hash_random(void *ret_bytes, int64_t len, Err *err)
{
    char *at = ret_bytes;
    while (len > 0) {
        ssize_t got = getrandom(at, (size_t)len, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return err_errno(err, errno, "getrandom");
        at += got;
        len -= got;
    }
    return OK;
}
