/* coactivation.npz of a run: how often every pair of features fires together. Its first arrays
 * are those of a sparse matrix of scipy (scipy.sparse.load_npz reads it); docs/formats.md has
 * all of them. */
#ifndef SS_FOLDER_COACTIVATION_FILE_H
#define SS_FOLDER_COACTIVATION_FILE_H

#include "graph/graph.h"
#include "stats/pair_counts.h"

struct ss_weights;

/* Write the file of pairs that were finished. Errors: SS_E_IO, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_folder_coactivation_write(const struct ss_stats_pairs *pairs,
                                                   const char *path, ss_err *err);

/* The file, read back. A zeroed struct is valid to release. */
struct ss_folder_coactivation {
    struct ss_graph_table table;

    /* The rest belongs to the reader. */
    struct ss_weights *weights;
    void *owned[8]; /* copies of arrays that cannot be used where they lie */
};

/* Open the file of a run folder whose manifest says n_features. Its content is not trusted:
 * what the table says is checked, so that whoever walks it stays inside.
 *
 * out      gives (ss_folder_coactivation_release)
 * Errors   SS_E_NOINPUT (the run has none: the sentence says how to get it), SS_E_DATA, SS_E_IO,
 *          SS_E_NOMEM
 * Threads  any */
SS_MUST_USE ss_status ss_folder_coactivation_open(const char *folder, size_t n_features,
                                                  struct ss_folder_coactivation *out,
                                                  ss_err *err);
void ss_folder_coactivation_release(struct ss_folder_coactivation *coactivation);

#endif
