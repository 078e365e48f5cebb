/* Any bytes as a tar archive, with and without right checksums: what is listed lies inside it,
 * and names end. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fuzz_tar.h"
#include "source/source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void list(const uint8_t *data, size_t n)
{
    struct ss_source_tar tar;
    ss_err err;
    volatile size_t sum = 0;
    if (ss_source_tar_read("fuzz", data, n, &tar, &err) != SS_OK) {
        return;
    }
    for (size_t i = 0; i < tar.n; i++) {
        const struct ss_source_tar_member *member = &tar.members[i];
        if (member->data < data || member->n_bytes > (size_t)(data + n - member->data)) {
            abort();
        }
        sum = sum + strlen(member->name);
    }
    ss_source_tar_release(&tar);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    uint8_t *copy = ss__alloc(n, 1);
    list(data, n);
    if (copy != NULL && n > 0) {
        memcpy(copy, data, n);
        put_sums(copy, n);
        list(copy, n);
    }
    ss__free(copy);
    return 0;
}
