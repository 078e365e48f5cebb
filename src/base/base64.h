/* Base64 of RFC 4648, with padding. */
#ifndef SS_BASE_BASE64_H
#define SS_BASE_BASE64_H

#include "base/buf.h"

/* Bytes of base64 text into out [capacity]; false if it is not base64, not a multiple of four
 * characters, or does not fit. Strict: no line breaks, and each run of bytes has one text.
 * Threads: any. */
bool ss__base64_decode(const char *text, size_t n_bytes, uint8_t *out, size_t capacity,
                       size_t *n_out);
/* Append bytes as base64 text. */
void ss__base64_add(struct ss__buf *out, const void *data, size_t n_bytes);

#endif
