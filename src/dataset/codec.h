/* Decompressors of streams behind one interface. */
#ifndef SS_DATASET_CODEC_H
#define SS_DATASET_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ss__codec_io {
    const uint8_t *in; /* moves forward over what was used */
    size_t n_in;
    uint8_t *out; /* moves forward over what was made */
    size_t n_out;
    bool in_ended; /* no input follows */
};

typedef enum ss__decoded {
    SS__DECODED_SOME,
    SS__DECODED_END, /* a member ended; another may follow */
    SS__DECODED_BAD,
    SS__DECODED_NEEDS_DICTIONARY, /* one that is not in the data */
    SS__DECODED_TOO_LARGE,        /* it asks for more memory than is allowed */
    SS__DECODED_NO_MEMORY         /* nothing is known of the data */
} ss__decoded;

struct ss__codec {
    const char *name;
    bool pads_with_zeros; /* zero bytes after the last member are padding */
    bool (*matches)(const uint8_t *head, size_t n);
    void *(*start)(void); /* NULL when there is no memory */
    ss__decoded (*decode)(void *state, struct ss__codec_io *io);
    void (*stop)(void *state);
};

enum { SS__CODEC_HEAD_BYTES = 10 };

/* Decompress a whole zstd buffer into exactly n_out bytes: SS__DECODED_END, _BAD or _NO_MEMORY.
 */
ss__decoded ss__zstd_decode(const uint8_t *in, size_t n_in, uint8_t *out, size_t n_out);

/* What an error of the library of LZ4 frames means. */
ss__decoded ss__lz4_failure(size_t result);

/* The codec whose data begins like this, or NULL. */
const struct ss__codec *ss__codec_find(const uint8_t *head, size_t n);

#endif
