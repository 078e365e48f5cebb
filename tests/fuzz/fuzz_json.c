/* JSON documents: as rows, and through the checker. */
#include "dataset/json_items.h"
#include "fuzz_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct ss__stream stream = {0};
    ss_err err;
    if (ss__stream_open_memory("fuzz", data, n, &stream, &err) == SS_OK &&
        ss__stream_need(&stream, 1, &err) == SS_OK && is_plain(&stream)) {
        (void)!ss__json_check_stream(&stream, &err);
    }
    ss__stream_close(&stream);
    fuzz_reader(&ss__reader_json, data, n);
    return 0;
}
