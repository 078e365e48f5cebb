/* How large activations are: per feature, counts of its active values by the bits of the float
 * without the lowest 20, that is by exponent and the first 3 bits of the mantissa. Eight bins
 * from a power of two to the next, without a range that has to be known before; memory is eight
 * counts for each exponent that was seen. */
#ifndef SS_STATS_MAGNITUDES_H
#define SS_STATS_MAGNITUDES_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum { SS_STATS_BINS_PER_OCTAVE = 8, SS_STATS_N_OCTAVES = 255, SS_STATS_BIN_SHIFT = 20 };

struct ss_stats_octave {
    uint32_t exponent; /* biased */
    uint64_t counts[SS_STATS_BINS_PER_OCTAVE];
};

struct ss_stats_magnitude_list {
    struct ss_stats_octave *octaves; /* [n] by rising exponent */
    size_t n, capacity;
};

/* A zeroed struct is valid to release. */
struct ss_stats_magnitudes {
    size_t n_features;
    struct ss_stats_magnitude_list *features; /* [n_features] */
};

/* Errors: SS_E_NOMEM. */
SS_MUST_USE ss_status ss_stats_magnitudes_init(struct ss_stats_magnitudes *magnitudes,
                                               size_t n_features, ss_err *err);
/* Values are finite and > 0. Errors: SS_E_NOMEM. Threads: caller only. */
SS_MUST_USE ss_status ss_stats_magnitudes_add(struct ss_stats_magnitudes *magnitudes,
                                              const struct ss_sparse *rows, ss_err *err);
/* Errors: SS_E_SHAPE, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_stats_magnitudes_merge(struct ss_stats_magnitudes *magnitudes,
                                                const struct ss_stats_magnitudes *other,
                                                ss_err *err);
void ss_stats_magnitudes_release(struct ss_stats_magnitudes *magnitudes);

/* Bins that are not empty, by feature: those of feature f are from offsets[f] on, rising. Also
 * the form in which the state is saved and loaded. */
struct ss_stats_magnitude_bins {
    size_t n_features;
    uint64_t *offsets; /* [n_features + 1] */
    uint32_t *bins;    /* [offsets[n_features]] */
    uint64_t *counts;  /* the same */
};
/* Gives *out. */
SS_MUST_USE ss_status ss_stats_magnitudes_save(const struct ss_stats_magnitudes *magnitudes,
                                               struct ss_stats_magnitude_bins *out,
                                               ss_err *err);
/* Whether offsets rise, and bins rise within a feature and are those of positive finite
 * floats, and counts are not 0. */
bool ss_stats_magnitude_bins_check(const struct ss_stats_magnitude_bins *bins);
/* Into magnitudes that were not set before. Errors: SS_E_DATA, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_stats_magnitudes_load(struct ss_stats_magnitudes *magnitudes,
                                               const struct ss_stats_magnitude_bins *bins,
                                               ss_err *err);
void ss_stats_magnitude_bins_release(struct ss_stats_magnitude_bins *bins);

/* The same as bytes, in the form of docs/formats.md, which are not trusted when they are loaded.
 * Errors: those of `write`; SS_E_DATA, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_stats_magnitudes_save_bytes(
    const struct ss_stats_magnitudes *magnitudes,
    ss_status (*write)(void *user, const void *data, size_t n_bytes, ss_err *err), void *user,
    ss_err *err);
SS_MUST_USE ss_status ss_stats_magnitudes_load_bytes(struct ss_stats_magnitudes *magnitudes,
                                                     const void *data, size_t n_bytes,
                                                     const char *name, ss_err *err);

#endif
