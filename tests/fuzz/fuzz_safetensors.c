/* Any bytes as a safetensors file. */
#include "weights_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    fuzz_weights("fuzz.safetensors", data, n_bytes);
    return 0;
}
