/* The state of an analysis, in any form: an answer or an error. The hash at its end is made right,
 * so that what stands behind it is reached. */
#include <stdint.h>

#include "base/hash.h"
#include "base/mem.h"
#include "fuzz_folder.h"
#include "pass/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

enum { HASH_BYTES = 64, END_BYTES = 8, MEMORY_BYTES = 1 << 16 };

static void put_hash(uint8_t *bytes, size_t n_bytes)
{
    struct ss__hash *hash = NULL;
    char hex[SS__HASH_HEX_BYTES];
    const size_t n = n_bytes - HASH_BYTES - END_BYTES;
    if (ss__hash_new(SS__HASH_SHA256, &hash, NULL) == SS_OK) {
        ss__hash_add(hash, bytes, n);
        ss__hash_finish(hash, hex);
        memcpy(bytes + n, hex, HASH_BYTES);
    }
    ss__hash_free(hash);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    char path[FUZZ_PATH_BYTES];
    struct ss_pass_state state;
    ss_err err;
    uint8_t *copy = ss__alloc(n_bytes + 1, 1);
    if (copy == NULL) {
        return 0;
    }
    if (n_bytes > 0) {
        memcpy(copy, data, n_bytes);
    }
    if (n_bytes > HASH_BYTES + END_BYTES) {
        put_hash(copy, n_bytes);
    }
    fuzz_put("state", copy, n_bytes);
    (void)!ss_pass_state_read(fuzz_path("state", path), MEMORY_BYTES, &state, &err);
    ss_pass_state_release(&state);
    ss__free(copy);
    return 0;
}
