/* JSON documents: as rows, and through the checker. */
#include "format/format.h"
#include "fuzz_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct ss_source_stream stream = {0};
    ss_err err;
    if (ss_source_stream_open_memory("fuzz", data, n, &stream, &err) == SS_OK &&
        ss_source_stream_need(&stream, 1, &err) == SS_OK && is_plain(&stream)) {
        (void)!ss_format_json_check_stream(&stream, &err);
    }
    ss_source_stream_close(&stream);
    fuzz_reader(&ss_format_reader_json, data, n);
    return 0;
}
