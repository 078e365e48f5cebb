/* Counts are in octaves of eight, made when the first value of that exponent comes:
 * activations use few of the exponents that there are, and the counts of 65,536 features
 * have to fit into memory. */
#include "stats/magnitudes.h"

#include <string.h>

#include "base/mem.h"

enum { BIN_BITS = 3, BIN_MASK = SS_STATS_BINS_PER_OCTAVE - 1 };

ss_status ss_stats_magnitudes_init(struct ss_stats_magnitudes *magnitudes, size_t n_features,
                                   ss_err *err)
{
    *magnitudes = (struct ss_stats_magnitudes){.n_features = n_features};
    SS_ALLOC_OR_RETURN(magnitudes->features, n_features);
    return SS_OK;
}

void ss_stats_magnitudes_release(struct ss_stats_magnitudes *magnitudes)
{
    for (size_t f = 0; magnitudes->features != NULL && f < magnitudes->n_features; f++) {
        ss__free(magnitudes->features[f].octaves);
    }
    ss__free(magnitudes->features);
    *magnitudes = (struct ss_stats_magnitudes){0};
}

/* The octave of an exponent, made if it was not seen before. NULL when memory ran out. A
 * feature uses few octaves, so the search goes through them; they stay sorted, as files have
 * them. */
static struct ss_stats_octave *octave_of(struct ss_stats_magnitude_list *list,
                                         uint32_t exponent)
{
    size_t i = 0;
    while (i < list->n && list->octaves[i].exponent < exponent) {
        i++;
    }
    if (i < list->n && list->octaves[i].exponent == exponent) {
        return &list->octaves[i];
    }
    void *grown = list->octaves;
    if (!ss__grow(&grown, &list->capacity, list->n + 1, sizeof *list->octaves)) {
        return NULL;
    }
    list->octaves = grown;
    memmove(list->octaves + i + 1, list->octaves + i, (list->n - i) * sizeof *list->octaves);
    list->octaves[i] = (struct ss_stats_octave){.exponent = exponent};
    list->n++;
    return &list->octaves[i];
}

/* A bin is the exponent and the upper three bits of the mantissa, as they stand in the
 * float. */
static bool add_count(struct ss_stats_magnitude_list *list, uint32_t bin, uint64_t count)
{
    struct ss_stats_octave *octave = octave_of(list, bin >> BIN_BITS);
    if (octave == NULL) {
        return false;
    }
    octave->counts[bin & BIN_MASK] += count;
    return true;
}

ss_status ss_stats_magnitudes_add(struct ss_stats_magnitudes *magnitudes,
                                  const struct ss_sparse *rows, ss_err *err)
{
    const size_t n = rows->n_rows == 0 ? 0 : rows->offsets[rows->n_rows];
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = 0;
        memcpy(&bits, &rows->values[i], sizeof bits);
        if (!add_count(&magnitudes->features[rows->features[i]], bits >> SS_STATS_BIN_SHIFT,
                       1)) {
            return ss__fail_nomem(err, "a histogram");
        }
    }
    return SS_OK;
}

/* Counts are whole numbers, so merging in any order is the same. */
ss_status ss_stats_magnitudes_merge(struct ss_stats_magnitudes *magnitudes,
                                    const struct ss_stats_magnitudes *other, ss_err *err)
{
    if (magnitudes->n_features != other->n_features) {
        return ss__fail(err, SS_E_SHAPE, "histograms of %zu and of %zu features",
                        magnitudes->n_features, other->n_features);
    }
    for (size_t f = 0; f < other->n_features; f++) {
        const struct ss_stats_magnitude_list *from = &other->features[f];
        for (size_t i = 0; i < from->n; i++) {
            struct ss_stats_octave *octave =
                octave_of(&magnitudes->features[f], from->octaves[i].exponent);
            if (octave == NULL) {
                return ss__fail_nomem(err, "a histogram");
            }
            for (size_t j = 0; j < SS_STATS_BINS_PER_OCTAVE; j++) {
                octave->counts[j] += from->octaves[i].counts[j];
            }
        }
    }
    return SS_OK;
}

/* The bins of a feature that are not empty; without `bins` they are only counted. */
static size_t list_bins(const struct ss_stats_magnitude_list *list, uint32_t *bins,
                        uint64_t *counts)
{
    size_t n = 0;
    for (size_t i = 0; i < list->n; i++) {
        for (uint32_t j = 0; j < SS_STATS_BINS_PER_OCTAVE; j++) {
            const uint64_t count = list->octaves[i].counts[j];
            if (count > 0 && bins != NULL) {
                bins[n] = list->octaves[i].exponent << BIN_BITS | j;
                counts[n] = count;
            }
            n += count > 0;
        }
    }
    return n;
}

/* Two passes, one to count: offsets, bins and counts as evidence.safetensors has them. */
ss_status ss_stats_magnitudes_save(const struct ss_stats_magnitudes *magnitudes,
                                   struct ss_stats_magnitude_bins *out, ss_err *err)
{
    const size_t n_features = magnitudes->n_features;
    *out = (struct ss_stats_magnitude_bins){.n_features = n_features};
    SS_ALLOC_OR_RETURN(out->offsets, n_features + 1);
    for (size_t f = 0; f < n_features; f++) {
        out->offsets[f + 1] = out->offsets[f] + list_bins(&magnitudes->features[f], NULL, NULL);
    }
    SS_ALLOC_OR_RETURN(out->bins, out->offsets[n_features]);
    SS_ALLOC_OR_RETURN(out->counts, out->offsets[n_features]);
    for (size_t f = 0; f < n_features; f++) {
        const size_t at = (size_t)out->offsets[f];
        (void)list_bins(&magnitudes->features[f], out->bins + at, out->counts + at);
    }
    return SS_OK;
}

void ss_stats_magnitude_bins_release(struct ss_stats_magnitude_bins *bins)
{
    ss__free(bins->offsets);
    ss__free(bins->bins);
    ss__free(bins->counts);
    *bins = (struct ss_stats_magnitude_bins){0};
}

/* Of what a file says: offsets rise, bins of a feature rise, and none is empty. Offsets are
 * first checked on their own, since the second loop reads by them. */
bool ss_stats_magnitude_bins_check(const struct ss_stats_magnitude_bins *bins)
{
    bool fits = bins->offsets[0] == 0;
    for (size_t f = 0; f < bins->n_features && fits; f++) {
        fits = bins->offsets[f] <= bins->offsets[f + 1];
    }
    for (size_t f = 0; f < bins->n_features && fits; f++) {
        for (uint64_t i = bins->offsets[f]; i < bins->offsets[f + 1]; i++) {
            fits = fits && bins->counts[i] > 0 &&
                   bins->bins[i] < SS_STATS_N_OCTAVES << BIN_BITS &&
                   (i == bins->offsets[f] || bins->bins[i] > bins->bins[i - 1]);
        }
    }
    return fits;
}

ss_status ss_stats_magnitudes_load(struct ss_stats_magnitudes *magnitudes,
                                   const struct ss_stats_magnitude_bins *bins, ss_err *err)
{
    *magnitudes = (struct ss_stats_magnitudes){0};
    if (!ss_stats_magnitude_bins_check(bins)) {
        return ss__fail(err, SS_E_DATA, "the bins of a histogram are out of order");
    }
    SS_RETURN_IF_ERROR(ss_stats_magnitudes_init(magnitudes, bins->n_features, err));
    for (size_t f = 0; f < bins->n_features; f++) {
        for (uint64_t i = bins->offsets[f]; i < bins->offsets[f + 1]; i++) {
            if (!add_count(&magnitudes->features[f], bins->bins[i], bins->counts[i])) {
                return ss__fail_nomem(err, "a histogram");
            }
        }
    }
    return SS_OK;
}
