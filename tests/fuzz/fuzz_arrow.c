/* Any bytes as Arrow data: rows, and one text column after the other, all from memory. */
#include "arrow/arrow.h"
#include "fuzz_map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    fuzz_map(&ss_arrow_reader, data, n_bytes);
    return 0;
}
