/* Where features lie in the space of the embeddings: per feature, the sum of the embeddings of
 * the rows in which it fires, each times the activation, and the sum of all embeddings. From
 * them come centroids, sum(a x) / sum(a) - mean(x), which place features and texts in one space.
 *
 * Sums are whole numbers of SS_STATS_CENTROID_UNIT: each term is rounded once, to the nearest,
 * so that they depend neither on the order of rows nor on how parts were merged. */
#ifndef SS_STATS_CENTROIDS_H
#define SS_STATS_CENTROIDS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define SS_STATS_CENTROID_UNIT 0x1p-28

/* A zeroed struct is valid to release. */
struct ss_stats_centroids {
    size_t n_features, width;
    uint64_t n_rows;
    uint64_t *counts;  /* [F] rows in which the feature fires */
    uint64_t *weights; /* [F] sum of a, in units; UINT64_MAX: as much or more */
    uint64_t
        *bounds;    /* [F] sum of a max|x|, in units: no sum of the feature is larger; the same
                          limit. Beyond 2^62 its sums mean nothing */
    int64_t *sums;  /* [F, width] sum of a x, in units */
    uint64_t bound; /* of all rows: sum of max|x| */
    int64_t *all;   /* [width] sum of x */
};

/* Bytes of memory that the sums of so many features take. */
uint64_t ss_stats_centroids_bytes(size_t n_features, size_t width);

/* Zeros for n_features features. Errors: SS_E_NOMEM, which leaves what can be released. */
SS_MUST_USE ss_status ss_stats_centroids_init(struct ss_stats_centroids *centroids,
                                              size_t n_features, size_t width, ss_err *err);
/* Take rows with their embeddings [n, width], which are finite. Threads: caller only. */
void ss_stats_centroids_add(struct ss_stats_centroids *centroids, const struct ss_sparse *rows,
                            const float *embeddings);
/* Errors: SS_E_SHAPE. */
SS_MUST_USE ss_status ss_stats_centroids_merge(struct ss_stats_centroids *centroids,
                                               const struct ss_stats_centroids *other,
                                               ss_err *err);

/* The mean of all embeddings: out [width]; zeros where there are no rows, or where they are so
 * large that their sum does not fit into 62 bits. */
void ss_stats_centroids_mean(const struct ss_stats_centroids *centroids, double *out);
/* The centroid of a feature without that mean: out [width]. False, and zeros, where it has
 * none: it never fires, its activations are a unit or less on average, or its sums are too
 * large. */
bool ss_stats_centroids_get(const struct ss_stats_centroids *centroids, size_t feature,
                            const double *mean, double *out);

/* Save in the form of docs/formats.md; load into centroids that were not set before. Equal sums
 * have equal bytes. Errors: those of `write`; SS_E_DATA, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_stats_centroids_save(const struct ss_stats_centroids *centroids,
                                              ss_status (*write)(void *user, const void *data,
                                                                 size_t n_bytes, ss_err *err),
                                              void *user, ss_err *err);
SS_MUST_USE ss_status ss_stats_centroids_load(struct ss_stats_centroids *centroids,
                                              const void *data, size_t n_bytes,
                                              const char *name, ss_err *err);

void ss_stats_centroids_release(struct ss_stats_centroids *centroids);

#endif
