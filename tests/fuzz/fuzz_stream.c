/* Compressed data: all of it is read, up to a bound, in takes of odd sizes; then the format is
 * looked for. */
#include "dataset/dataset_files.h"
#include "fuzz_reader.h"

enum { MAX_UNPACKED_BYTES = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct ss_source_stream stream = {0};
    const struct ss_format_reader *reader = NULL;
    ss_err err;
    if (ss_source_stream_open_memory("fuzz", data, n, &stream, &err) == SS_OK &&
        ss_dataset_format_find(&stream, "fuzz", NULL, &reader, &err) == SS_OK) {
        while (ss_source_stream_more(&stream, &err) == SS_OK && !stream.at_end &&
               stream.offset < MAX_UNPACKED_BYTES) {
            ss_source_stream_take(&stream, stream.n_bytes - stream.n_bytes % 7);
        }
    }
    ss_source_stream_close(&stream);
    return 0;
}
