#include "base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

enum { READ_BYTES = 1 << 18 };

struct ss__sha256 {
    EVP_MD_CTX *context;
};

ss_status ss__sha256_new(struct ss__sha256 **out, ss_err *err)
{
    struct ss__sha256 *hash = ss__alloc(1, sizeof *hash);
    *out = NULL;
    if (hash != NULL) {
        hash->context = EVP_MD_CTX_new();
    }
    if (hash == NULL || hash->context == NULL ||
        EVP_DigestInit_ex(hash->context, EVP_sha256(), NULL) != 1) {
        ss__sha256_free(hash);
        return ss__fail_nomem(err, "a hash");
    }
    *out = hash;
    return SS_OK;
}

void ss__sha256_add(struct ss__sha256 *hash, const void *data, size_t n_bytes)
{
    (void)EVP_DigestUpdate(hash->context, data, n_bytes);
}

void ss__sha256_finish(struct ss__sha256 *hash, char hex[SS__SHA256_HEX_BYTES])
{
    static const char digit[] = "0123456789abcdef";
    uint8_t bytes[32] = {0};
    (void)EVP_DigestFinal_ex(hash->context, bytes, NULL);
    for (size_t i = 0; i < sizeof bytes; i++) {
        hex[2 * i] = digit[bytes[i] >> 4];
        hex[2 * i + 1] = digit[bytes[i] & 15];
    }
    hex[64] = '\0';
}

void ss__sha256_free(struct ss__sha256 *hash)
{
    if (hash != NULL) {
        EVP_MD_CTX_free(hash->context);
        ss__free(hash);
    }
}

static ss_status add_file(struct ss__sha256 *hash, int descriptor, const char *path,
                          char *chunk, ss_err *err)
{
    for (;;) {
        const ssize_t got = read(descriptor, chunk, READ_BYTES);
        if (got == 0) {
            return SS_OK;
        }
        if (got > 0) {
            ss__sha256_add(hash, chunk, (size_t)got);
        } else if (errno != EINTR) {
            return ss__fail_errno(err, path, "read", errno);
        }
    }
}

ss_status ss__sha256_file(const char *path, char hex[SS__SHA256_HEX_BYTES], ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__sha256 *hash = NULL;
    char *chunk = NULL;
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        return ss__fail_errno(err, path, "open", errno);
    }
    SS_ALLOC(chunk, READ_BYTES);
    SS_TRY(ss__sha256_new(&hash, err));
    SS_TRY(add_file(hash, descriptor, path, chunk, err));
    ss__sha256_finish(hash, hex);
out:
    close(descriptor);
    ss__sha256_free(hash);
    ss__free(chunk);
    return status;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    __extension__ typedef unsigned __int128 wide;
    const wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

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
