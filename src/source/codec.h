/* Decompressors of streams behind one interface: a state, and a call that moves an input and an
 * output forward. Each state belongs to one thread. */
#ifndef SS_SOURCE_CODEC_H
#define SS_SOURCE_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where a decoder reads and writes: borrowed buffers, of which either may be used up by a
 * call. */
struct ss_source_codec_io {
    const uint8_t *in; /* moves forward over what was used */
    size_t n_in;
    uint8_t *out; /* moves forward over what was made */
    size_t n_out;
    bool in_ended; /* no input follows */
};

/* What became of a call. */
typedef enum ss_source_decoded {
    SS_SOURCE_DECODED_SOME,
    SS_SOURCE_DECODED_END, /* a member ended; another may follow */
    SS_SOURCE_DECODED_BAD,
    SS_SOURCE_DECODED_NEEDS_DICTIONARY, /* one that is not in the data */
    SS_SOURCE_DECODED_TOO_LARGE,        /* it asks for more memory than is allowed */
    SS_SOURCE_DECODED_NO_MEMORY         /* nothing is known of the data */
} ss_source_decoded;

/* A row of the table (codec.c). `matches` looks at the first bytes of the data, up to
 * SS_SOURCE_CODEC_HEAD_BYTES of them; `decode` uses what it can of the input, or fills the
 * output; `stop` accepts NULL and frees the state. */
struct ss_source_codec {
    const char *name;
    bool pads_with_zeros; /* zero bytes after the last member are padding */
    bool (*matches)(const uint8_t *head, size_t n);
    void *(*start)(void); /* NULL when there is no memory */
    ss_source_decoded (*decode)(void *state, struct ss_source_codec_io *io);
    void (*stop)(void *state);
};

enum { SS_SOURCE_CODEC_HEAD_BYTES = 10 };

/* Decompress a whole zstd buffer into exactly n_out bytes: SS_SOURCE_DECODED_END, _BAD or
 * _NO_MEMORY.
 */
ss_source_decoded ss_source_zstd_decode(const uint8_t *in, size_t n_in, uint8_t *out,
                                        size_t n_out);

/* What an error of the library of LZ4 frames means. */
ss_source_decoded ss_source_lz4_failure(size_t result);

/* The codec whose data begins like this, or NULL. */
const struct ss_source_codec *ss_source_codec_find(const uint8_t *head, size_t n);

#endif
