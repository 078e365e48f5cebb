/* What the fuzz targets of tar archives share: checksums put right, or nothing would pass them.
 */
#ifndef SS_FUZZ_TAR_H
#define SS_FUZZ_TAR_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { BLOCK_BYTES = 512 };

static inline void put_sum(uint8_t *header)
{
    unsigned sum = 0;
    memset(header + 148, ' ', 8);
    for (size_t i = 0; i < BLOCK_BYTES; i++) {
        sum += header[i];
    }
    for (size_t i = 0; i < 6; i++) {
        header[153 - i] = (uint8_t)('0' + (sum >> 3 * i & 7));
    }
}

/* In every block that looks like a header. */
static inline void put_sums(uint8_t *data, size_t n)
{
    for (size_t at = 0; n - at >= BLOCK_BYTES; at += BLOCK_BYTES) {
        if (memcmp(data + at + 257, "ustar", 5) == 0) {
            put_sum(data + at);
        }
    }
}

#endif
