/* The states of pairs and of centroids, in any form: an answer or an error. */
#include <stddef.h>
#include <stdint.h>

#include "stats/centroids.h"
#include "stats/pair_counts.h"

enum { MEMORY_BYTES = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    struct ss_stats_pairs *pairs = NULL;
    struct ss_stats_centroids centroids;
    ss_err err;
    if (ss_stats_pairs_load(data, n_bytes, "pairs", MEMORY_BYTES, &pairs, &err) == SS_OK) {
        ss_stats_pairs_free(pairs);
    }
    (void)!ss_stats_centroids_load(&centroids, data, n_bytes, "centroids", &err);
    ss_stats_centroids_release(&centroids);
    return 0;
}
