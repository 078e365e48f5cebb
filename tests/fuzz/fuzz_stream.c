/* Compressed data: all of it is read, up to a bound, in takes of odd sizes; then the format is
 * looked for. */
#include "fuzz_reader.h"

enum { MAX_UNPACKED_BYTES = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct ss__stream stream = {0};
    const struct ss__reader *reader = NULL;
    ss_err err;
    if (ss__stream_open_memory("fuzz", data, n, &stream, &err) == SS_OK &&
        ss__format_find(&stream, "fuzz", NULL, &reader, &err) == SS_OK) {
        while (ss__stream_more(&stream, &err) == SS_OK && !stream.at_end &&
               stream.offset < MAX_UNPACKED_BYTES) {
            ss__stream_take(&stream, stream.n_bytes - stream.n_bytes % 7);
        }
    }
    ss__stream_close(&stream);
    return 0;
}
