/* Hashes: SHA-256 for identities that are recorded, a fast one for tables. */
#ifndef SS_BASE_HASH_H
#define SS_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { SS__SHA256_HEX_BYTES = 65 };

struct ss__sha256; /* a running hash */

SS_MUST_USE ss_status ss__sha256_new(struct ss__sha256 **out, ss_err *err);
void ss__sha256_add(struct ss__sha256 *hash, const void *data, size_t n_bytes);
/* The digest in lower-case hexadecimal, terminated; the hash can not be added to any more. */
void ss__sha256_finish(struct ss__sha256 *hash, char hex[SS__SHA256_HEX_BYTES]);
void ss__sha256_free(struct ss__sha256 *hash);

/* The hash of a whole regular file. */
SS_MUST_USE ss_status ss__sha256_file(const char *path, char hex[SS__SHA256_HEX_BYTES],
                                      ss_err *err);

/* 64 well-mixed bits; the same on every machine. Not against attackers who choose the keys:
 * tables that use it bound their probes or compare whole keys. */
uint64_t ss__hash64(const void *data, size_t n_bytes);

#endif
