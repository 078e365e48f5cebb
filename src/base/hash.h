/* Hashes: SHA-256 for identities that are recorded, SHA-1, MD5 and XXH128 (XXH3 of 128 bits, as
 * its canonical big-endian bytes) where a service names files by them, a fast one for tables.
 */
#ifndef SS_BASE_HASH_H
#define SS_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/stop.h"

typedef enum ss__hash_kind {
    SS__HASH_SHA256,
    SS__HASH_SHA1,
    SS__HASH_MD5,
    SS__HASH_XXH128
} ss__hash_kind;

enum { SS__SHA256_HEX_BYTES = 65, SS__HASH_HEX_BYTES = 65 }; /* with the end of the string */

struct ss__hash; /* a running hash */

/* Begin a hash; gives *out (ss__hash_free). Errors: SS_E_NOMEM. Adding and finishing cannot
 * fail. One thread at a time. */
SS_MUST_USE ss_status ss__hash_new(ss__hash_kind kind, struct ss__hash **out, ss_err *err);
void ss__hash_add(struct ss__hash *hash, const void *data, size_t n_bytes);
/* The digest in lower-case hexadecimal, terminated; nothing can be added to the hash any
 * more. */
void ss__hash_finish(struct ss__hash *hash, char hex[SS__HASH_HEX_BYTES]);
void ss__hash_free(struct ss__hash *hash);

/* The SHA-256 of two runs of bytes, one behind the other. */
enum { SS__SHA256_BYTES = 32 };
void ss__sha256_of(struct ss_text first, struct ss_text then, uint8_t digest[SS__SHA256_BYTES]);

/* The hash of a whole regular file; `asking` is nullable, and may end it with SS_E_STOPPED.
 * Errors: SS_E_NOINPUT, SS_E_IO, SS_E_STOPPED, SS_E_NOMEM. */
SS_MUST_USE ss_status ss__hash_file(ss__hash_kind kind, const char *path,
                                    struct ss__asking *asking, char hex[SS__HASH_HEX_BYTES],
                                    ss_err *err);
SS_MUST_USE ss_status ss__sha256_file(const char *path, struct ss__asking *asking,
                                      char hex[SS__SHA256_HEX_BYTES], ss_err *err);

/* 64 well-mixed bits; the same on every machine. Not against attackers who choose the keys:
 * tables that use it bound their probes or compare whole keys. */
uint64_t ss__hash64(const void *data, size_t n_bytes);

#endif
