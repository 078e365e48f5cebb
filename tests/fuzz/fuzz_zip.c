/* Any bytes as a zip archive, whose entries are read whole. */
#include "source/source.h"
#include "weights_fuzz.h"

static int touch(void *user, const struct ss_source_zip_entry *entry)
{
    unsigned *sum = user;
    for (uint64_t i = 0; i < entry->n_bytes; i++) {
        *sum += entry->data[i];
    }
    return entry->name[0] == '!';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    const struct ss_source_bytes source = {.file = "fuzz", .data = data, .n_bytes = n_bytes};
    volatile unsigned sum = 0;
    unsigned here = 0;
    ss_err err;
    if (ss_source_zip_each_memory(&source, touch, &here, &err) == SS_OK) {
        sum = here;
    }
    (void)sum;
    fuzz_weights("fuzz.zip", data, n_bytes);
    return 0;
}
