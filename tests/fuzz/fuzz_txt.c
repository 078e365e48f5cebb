#include "fuzz_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    fuzz_reader(&ss_format_reader_txt, data, n);
    return 0;
}
