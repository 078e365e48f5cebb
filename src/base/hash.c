/* The functions are those of libcrypto that allocate nothing, since a hash must not fail for
 * want of memory in the middle of a file. They are deprecated in favour of an interface that
 * looks an algorithm up when it is first used, takes memory for it, and crashes where that
 * finds none. */
#define OPENSSL_SUPPRESS_DEPRECATED /* of struct ss__hash */
#include "base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/md5.h>
#include <openssl/sha.h>
#include <string.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/mem.h"

enum { READ_BYTES = 1 << 18 };

/* A running hash of one of the kinds. */
struct ss__hash {
    ss__hash_kind kind;
    union {
        SHA256_CTX sha256;
        SHA_CTX sha1;
        MD5_CTX md5;
        XXH3_state_t xxh128; /* its place in memory is a multiple of 64 bytes */
    } of;
};

ss_status ss__hash_new(ss__hash_kind kind, struct ss__hash **out, ss_err *err)
{
    struct ss__hash *hash = ss__alloc_aligned(1, sizeof *hash);
    *out = hash;
    if (hash == NULL) {
        return ss__fail_nomem(err, "a hash");
    }
    hash->kind = kind;
    switch (kind) {
    case SS__HASH_SHA1:
        (void)SHA1_Init(&hash->of.sha1);
        break;
    case SS__HASH_MD5:
        (void)MD5_Init(&hash->of.md5);
        break;
    case SS__HASH_XXH128:
        XXH3_INITSTATE(&hash->of.xxh128);
        (void)XXH3_128bits_reset(&hash->of.xxh128);
        break;
    case SS__HASH_SHA256:
        (void)SHA256_Init(&hash->of.sha256);
        break;
    }
    return SS_OK;
}

void ss__hash_add(struct ss__hash *hash, const void *data, size_t n_bytes)
{
    switch (hash->kind) {
    case SS__HASH_SHA1:
        (void)SHA1_Update(&hash->of.sha1, data, n_bytes);
        break;
    case SS__HASH_MD5:
        (void)MD5_Update(&hash->of.md5, data, n_bytes);
        break;
    case SS__HASH_XXH128:
        (void)XXH3_128bits_update(&hash->of.xxh128, data, n_bytes);
        break;
    case SS__HASH_SHA256:
        (void)SHA256_Update(&hash->of.sha256, data, n_bytes);
        break;
    }
}

static size_t write_digest(struct ss__hash *hash, uint8_t bytes[SHA256_DIGEST_LENGTH])
{
    switch (hash->kind) {
    case SS__HASH_SHA1:
        (void)SHA1_Final(bytes, &hash->of.sha1);
        return SHA_DIGEST_LENGTH;
    case SS__HASH_MD5:
        (void)MD5_Final(bytes, &hash->of.md5);
        return MD5_DIGEST_LENGTH;
    case SS__HASH_XXH128:
        XXH128_canonicalFromHash((XXH128_canonical_t *)(void *)bytes,
                                 XXH3_128bits_digest(&hash->of.xxh128));
        return sizeof(XXH128_canonical_t);
    case SS__HASH_SHA256:
        (void)SHA256_Final(bytes, &hash->of.sha256);
        return SHA256_DIGEST_LENGTH;
    }
    return 0;
}

void ss__hash_finish(struct ss__hash *hash, char hex[SS__HASH_HEX_BYTES])
{
    static const char digit[] = "0123456789abcdef";
    uint8_t bytes[SHA256_DIGEST_LENGTH] = {0}; /* of the longest kind */
    const size_t n_bytes = write_digest(hash, bytes);
    for (size_t i = 0; i < n_bytes; i++) {
        hex[2 * i] = digit[bytes[i] >> 4];
        hex[2 * i + 1] = digit[bytes[i] & 15];
    }
    hex[2 * n_bytes] = '\0';
}

void ss__hash_free(struct ss__hash *hash)
{
    ss__free(hash);
}

void ss__sha256_of(struct ss_text first, struct ss_text then, uint8_t digest[SS__SHA256_BYTES])
{
    SHA256_CTX state;
    (void)SHA256_Init(&state);
    (void)SHA256_Update(&state, first.data, first.n_bytes);
    (void)SHA256_Update(&state, then.data, then.n_bytes);
    (void)SHA256_Final(digest, &state);
}

/* Files may be large and on slow disks: a stop is asked for between chunks. */
static ss_status add_file(struct ss__hash *hash, int descriptor, const char *path, char *chunk,
                          struct ss__asking *asking, ss_err *err)
{
    for (;;) {
        const ss_status status = ss__check_stop(asking, err);
        if (status != SS_OK) {
            return status;
        }
        const ssize_t got = read(descriptor, chunk, READ_BYTES);
        if (got == 0) {
            return SS_OK;
        }
        if (got > 0) {
            ss__hash_add(hash, chunk, (size_t)got);
        } else if (errno != EINTR) {
            return ss__fail_errno(err, path, "read", errno);
        }
    }
}

ss_status ss__hash_file(ss__hash_kind kind, const char *path, struct ss__asking *asking,
                        char hex[SS__HASH_HEX_BYTES], ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__hash *hash = NULL;
    char *chunk = NULL;
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        return ss__fail_errno(err, path, "open", errno);
    }
    SS_ALLOC(chunk, READ_BYTES);
    SS_TRY(ss__hash_new(kind, &hash, err));
    SS_TRY(add_file(hash, descriptor, path, chunk, asking, err));
    ss__hash_finish(hash, hex);
out:
    close(descriptor);
    ss__hash_free(hash);
    ss__free(chunk);
    return status;
}

ss_status ss__sha256_file(const char *path, struct ss__asking *asking,
                          char hex[SS__SHA256_HEX_BYTES], ss_err *err)
{
    return ss__hash_file(SS__HASH_SHA256, path, asking, hex, err);
}

/* Both halves of a 128-bit product, folded: every bit of either input reaches every bit of the
 * result (the mixing step of wyhash). */
static uint64_t mix(uint64_t a, uint64_t b)
{
    __extension__ typedef unsigned __int128 wide;
    const wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Words are loaded as the machine has them, little-endian on all that are supported. */
uint64_t ss__hash64(const void *data, size_t n_bytes)
{
    const uint8_t *bytes = data;
    uint64_t state = UINT64_C(0x9E3779B97F4A7C15) ^ n_bytes;
    while (n_bytes > 0) {
        uint64_t word[2] = {0, 0};
        const size_t part = n_bytes < sizeof word ? n_bytes : sizeof word;
        memcpy(word, bytes, part);
        state = mix(word[0] ^ UINT64_C(0xA0761D6478BD642F) ^ state,
                    word[1] ^ UINT64_C(0xE7037ED1A0B428DB));
        bytes += part;
        n_bytes -= part;
    }
    return mix(state ^ UINT64_C(0x8EBC6AF09C88C6E3), UINT64_C(0x589965CC75374CC3));
}
