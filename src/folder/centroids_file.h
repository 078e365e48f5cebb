/* centroids.npz of a run: where features lie in the space of the embeddings. */
#ifndef SS_FOLDER_CENTROIDS_FILE_H
#define SS_FOLDER_CENTROIDS_FILE_H

#include "stats/centroids.h"

struct ss_weights;

/* Write the file. Errors: SS_E_IO, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_folder_centroids_write(const struct ss_stats_centroids *centroids,
                                                const char *path, ss_err *err);

/* The file, read back. A zeroed struct is valid to release. */
struct ss_folder_centroids {
    size_t n_features, width;
    const float
        *centroids;    /* [F, width] behind the mean; a row of zeros: it has none. Finite */
    const float *mean; /* [width] of the embeddings of all rows; finite */

    /* The rest belongs to the reader. */
    struct ss_weights *weights;
    float *owned_centroids, *owned_mean;
};

/* Open the file of a run folder whose manifest says n_features. Its content is not trusted.
 *
 * out      gives (ss_folder_centroids_release)
 * Errors   SS_E_NOINPUT (the run has none: the sentence says how to get it), SS_E_DATA, SS_E_IO,
 *          SS_E_NOMEM
 * Threads  any */
SS_MUST_USE ss_status ss_folder_centroids_open(const char *folder, size_t n_features,
                                               struct ss_folder_centroids *out, ss_err *err);
void ss_folder_centroids_release(struct ss_folder_centroids *centroids);

#endif
