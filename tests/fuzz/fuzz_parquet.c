/* Any bytes as a Parquet file: the check of all text columns, then rows and one text column
 * after the other through the reader, all from memory. */
#include "base/mem.h"
#include "fuzz_map.h"
#include "parquet/parquet_priv.h"

/* A few bytes can stand for millions of values, each of which is right and takes its time. */
enum { MAX_ENTRIES = 1 << 17 };

/* Whether the chunks of all columns claim no more values than there is time for. */
static bool claims_little(const uint8_t *data, size_t n_bytes)
{
    struct ss_parquet file;
    struct ss_parquet_groups groups;
    uint64_t n_rows = 0, n_left = MAX_ENTRIES;
    ss_err err;
    bool is_little = ss_parquet_open("fuzz", data, n_bytes, true, &file, &err) == SS_OK;
    struct ss_parquet_chunk *chunks = ss__alloc(file.n_texts, sizeof *chunks);
    if (is_little) {
        ss_parquet_groups_init(&file, &groups);
    }
    while (is_little && groups.index < groups.n_groups &&
           ss_parquet_groups_next(&file, &groups, &n_rows, chunks, &err) == SS_OK) {
        for (size_t i = 0; is_little && i < file.n_texts; i++) {
            const uint64_t n = (uint64_t)chunks[i].meta.n_values;
            is_little = n <= n_left;
            n_left -= is_little ? n : 0;
        }
    }
    ss__free(chunks);
    ss_parquet_release(&file);
    return is_little;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    if (claims_little(data, n_bytes)) {
        fuzz_map(&ss_parquet_reader, data, n_bytes);
    }
    return 0;
}
