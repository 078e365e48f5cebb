/* Histograms as bytes: what a part of a run hands on.
 *
 *   "SSHIST01", u64 features F, u64 bins that are not empty B
 *   u64 [F + 1]  where the bins of each feature begin
 *   u32 [B]      bins, rising within a feature
 *   u64 [B]      their counts
 *
 * Reading trusts nothing. */
#include "stats/magnitudes.h"
#include "stats/state_bytes.h"

struct head {
    char magic[8];
    uint64_t n_features, n_bins;
};

static const char magic[8] = {'S', 'S', 'H', 'I', 'S', 'T', '0', '1'};

ss_status ss_stats_magnitudes_save_bytes(const struct ss_stats_magnitudes *magnitudes,
                                         ss_status (*write)(void *user, const void *data,
                                                            size_t n_bytes, ss_err *err),
                                         void *user, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_stats_sink sink = {write, user};
    struct ss_stats_magnitude_bins bins = {.n_features = 0};
    SS_TRY(ss_stats_magnitudes_save(magnitudes, &bins, err));
    const size_t n = bins.n_features, n_bins = (size_t)bins.offsets[n];
    struct head head = {.n_features = n, .n_bins = n_bins};
    memcpy(head.magic, magic, sizeof magic);
    SS_TRY(ss_stats_sink_put(&sink, &head, sizeof head, err));
    SS_TRY(ss_stats_sink_put(&sink, bins.offsets, (n + 1) * sizeof *bins.offsets, err));
    SS_TRY(ss_stats_sink_put(&sink, bins.bins, n_bins * sizeof *bins.bins, err));
    SS_TRY(ss_stats_sink_put(&sink, bins.counts, n_bins * sizeof *bins.counts, err));
out:
    ss_stats_magnitude_bins_release(&bins);
    return status;
}

/* Copies, since bytes from outside need not be aligned. */
static ss_status copy_bins(const struct head *head, const uint8_t *const arrays[3],
                           struct ss_stats_magnitude_bins *bins, ss_err *err)
{
    const size_t n = (size_t)head->n_features, n_bins = (size_t)head->n_bins;
    bins->n_features = n;
    SS_ALLOC_OR_RETURN(bins->offsets, n + 1);
    SS_ALLOC_OR_RETURN(bins->bins, n_bins);
    SS_ALLOC_OR_RETURN(bins->counts, n_bins);
    memcpy(bins->offsets, arrays[0], (n + 1) * sizeof *bins->offsets);
    memcpy(bins->bins, arrays[1], n_bins * sizeof *bins->bins);
    memcpy(bins->counts, arrays[2], n_bins * sizeof *bins->counts);
    return SS_OK;
}

ss_status ss_stats_magnitudes_load_bytes(struct ss_stats_magnitudes *magnitudes,
                                         const void *data, size_t n_bytes, const char *name,
                                         ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_stats_source source = {data, (const uint8_t *)data + n_bytes};
    struct ss_stats_magnitude_bins bins = {.n_features = 0};
    struct head head = {.n_features = 0};
    *magnitudes = (struct ss_stats_magnitudes){0};
    const uint8_t *begin = ss_stats_source_next(&source, 1, sizeof head);
    if (begin != NULL) {
        memcpy(&head, begin, sizeof head);
    }
    const bool fits = begin != NULL && memcmp(head.magic, magic, sizeof magic) == 0 &&
                      head.n_features < n_bytes / 8;
    const uint8_t *arrays[3] = {NULL};
    if (fits) {
        arrays[0] = ss_stats_source_next(&source, head.n_features + 1, sizeof *bins.offsets);
        arrays[1] = ss_stats_source_next(&source, head.n_bins, sizeof *bins.bins);
        arrays[2] = ss_stats_source_next(&source, head.n_bins, sizeof *bins.counts);
    }
    if (arrays[0] == NULL || arrays[1] == NULL || arrays[2] == NULL ||
        source.at != source.end) {
        SS_FAIL_FILE(name, SS_E_DATA, "not the state of histograms, or cut off");
    }
    SS_TRY(copy_bins(&head, arrays, &bins, err));
    if (bins.offsets[bins.n_features] != head.n_bins) {
        SS_FAIL_FILE(name, SS_E_DATA, "the bins of its histograms are not all there");
    }
    SS_TRY(ss_stats_magnitudes_load(magnitudes, &bins, err));
out:
    ss_stats_magnitude_bins_release(&bins);
    if (status != SS_OK) {
        ss_stats_magnitudes_release(magnitudes);
    }
    return status;
}
