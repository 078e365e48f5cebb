/* Any bytes as a .npy array. */
#include "weights_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    fuzz_weights("fuzz.npy", data, n_bytes);
    return 0;
}
