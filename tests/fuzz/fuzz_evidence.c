/* The evidence of a run folder, and the state of its reducer: the first byte says which of the
 * files the others are. */
#include <string.h>

#include "base/mem.h"
#include "folder/evidence_files.h"
#include "fuzz_folder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

enum { N_FEATURES = 12, N_TEXTS = 50 };

static void load_state(const uint8_t *data, size_t n_bytes)
{
    struct ss_stats_evidence *evidence = NULL;
    uint8_t *copy = ss__alloc_aligned(n_bytes + 1, 1);
    if (n_bytes > 0) {
        memcpy(copy, data, n_bytes);
    }
    (void)!ss_stats_evidence_load(copy, n_bytes, "state", &evidence, NULL);
    ss_stats_evidence_free(evidence);
    ss__free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    static ss_status (*const readers[])(struct ss_folder_evidence *, const char *, ss_err *) = {
        ss_folder_evidence_read_texts, ss_folder_evidence_read_samples,
        ss_folder_evidence_read_embeddings, ss_folder_evidence_read_histograms};
    char path[FUZZ_PATH_BYTES];
    ss_err err;
    if (n_bytes == 0 || data[0] % 5 == 4) {
        load_state(data + (n_bytes > 0), n_bytes - (n_bytes > 0));
        return 0;
    }
    struct ss_folder_evidence evidence = {.n_features = N_FEATURES};
    if (data[0] % 5 > 0) {
        evidence.n_texts = evidence.first[2] = N_TEXTS;
        evidence.first[1] = N_TEXTS / 2;
    }
    fuzz_put("part", data + 1, n_bytes - 1);
    (void)!readers[data[0] % 5](&evidence, fuzz_path("part", path), &err);
    ss_folder_evidence_release(&evidence);
    return 0;
}
