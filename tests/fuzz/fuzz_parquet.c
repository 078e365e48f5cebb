/* Any bytes as a Parquet file: the check of all text columns, then rows and one text column
 * after the other through the reader, all from memory. */
#include "dataset/parquet_priv.h"
#include "fuzz_map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    ss_err err;
    (void)ss__parquet_check_bytes("fuzz", data, n_bytes, &err);
    fuzz_map(&ss__reader_parquet, data, n_bytes);
    return 0;
}
