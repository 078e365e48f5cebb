/* The texts that a run kept of each feature, as the public header has them. */
#include <string.h>

#include "base/mem.h"
#include "base/sized.h"
#include "folder/evidence_read.h"
#include "folder/results.h"

_Static_assert((int)SS_N_SAMPLE_KINDS == (int)SS_STATS_N_SAMPLES &&
                   (int)SS_SAMPLE_MISS_SCORE == (int)SS_STATS_SAMPLE_MISS_SCORE,
               "the kinds of the public header are those of the evidence");

struct ss_samples {
    struct ss_folder_evidence evidence;
};

ss_status ss_samples_open(const char *run_dir, ss_samples **out, ss_err *err)
{
    ss_status status = SS_OK;
    ss_run *run = NULL;
    ss_samples *samples = NULL;
    *out = NULL;
    SS_TRY(ss_run_open(run_dir, NULL, &run, err));
    SS_ALLOC(samples, 1);
    SS_TRY(ss_folder_evidence_open(run_dir, run->info.n_features, &samples->evidence, err));
    *out = samples;
    samples = NULL;
out:
    ss__free(samples);
    ss_run_free(run);
    return status;
}

void ss_samples_free(ss_samples *samples)
{
    if (samples != NULL) {
        ss_folder_evidence_release(&samples->evidence);
        ss__free(samples);
    }
}

static struct ss_folder_samples list_of(const ss_samples *samples, size_t feature,
                                        ss_sample_kind kind)
{
    const bool is_there =
        feature < samples->evidence.n_features && (size_t)kind < (size_t)SS_N_SAMPLE_KINDS;
    return is_there ? ss_folder_evidence_samples(&samples->evidence, feature,
                                                 (ss_stats_sample_kind)kind)
                    : (struct ss_folder_samples){0};
}

size_t ss_samples_count(const ss_samples *samples, size_t feature, ss_sample_kind kind)
{
    return list_of(samples, feature, kind).n;
}

ss_status ss_samples_get(const ss_samples *samples, size_t feature, ss_sample_kind kind,
                         size_t rank, struct ss_sample *out)
{
    const struct ss_folder_evidence *evidence = &samples->evidence;
    const struct ss_folder_samples list = list_of(samples, feature, kind);
    if (rank >= list.n) {
        return SS_E_USAGE;
    }
    const uint32_t row = list.texts[rank];
    const struct ss_sample sample = {.struct_size = sizeof sample,
                                     .text = evidence->texts[row],
                                     .kept = evidence->kept[row],
                                     .activation = list.activations[rank],
                                     .row = evidence->positions[row],
                                     .count = evidence->counts[row]};
    return ss__result_write(out, &sample, sizeof sample);
}

/* ---- the histogram ---- */

/* The float at which a bin begins. */
static double begin_of(size_t bin)
{
    const uint32_t bits = (uint32_t)bin << SS_STATS_BIN_SHIFT;
    float value = 0;
    memcpy(&value, &bits, sizeof value);
    return (double)value;
}

size_t ss_samples_histogram(const ss_samples *samples, size_t feature, size_t n_most,
                            struct ss_activation_bin *bins)
{
    if (feature >= samples->evidence.n_features || n_most == 0) {
        return 0;
    }
    const struct ss_folder_bins fine = ss_folder_evidence_bins(&samples->evidence, feature);
    if (fine.n == 0) {
        return 0;
    }
    const size_t first = fine.bins[0];
    const size_t n_fine = fine.bins[fine.n - 1] - first + 1;
    size_t step = 1; /* fine bins in one: what divides an octave, or octaves */
    while (ss__divide_up(n_fine, step) > n_most) {
        step *= 2;
    }
    const size_t n = ss__divide_up(n_fine, step);
    for (size_t i = 0; i < n; i++) {
        bins[i] = (struct ss_activation_bin){.low = begin_of(first + i * step),
                                             .high = begin_of(first + (i + 1) * step)};
    }
    for (size_t i = 0; i < fine.n; i++) {
        bins[(fine.bins[i] - first) / step].count += fine.counts[i];
    }
    return n;
}
