/* Files of a run's families, and families.json read back (docs/formats.md). */
#ifndef SS_FOLDER_FAMILIES_FILE_H
#define SS_FOLDER_FAMILIES_FILE_H

#include "arrow/arrow.h"
#include "describe/describe.h"
#include "folder/descriptions.h"
#include "folder/folder.h"
#include "graph/families_held_out.h"

#define SS_FOLDER_FILE_FAMILIES "families.json"
#define SS_FOLDER_FILE_FAMILY_LISTS "feature_families.json"
#define SS_FOLDER_FILE_PAIRS "pairs.arrow"
#define SS_FOLDER_FAMILY_FILES                                                                 \
    SS_FOLDER_FILE_FAMILIES, SS_FOLDER_FILE_FAMILY_LISTS, SS_FOLDER_FILE_PAIRS,                \
        SS_FOLDER_FILE_MATRIX, "families.svg", "families.png", "family_maps.svg",              \
        "family_maps.png", "coactivation.svg", "coactivation.png", "coactivation_ward.svg",    \
        "coactivation_ward.png", SS_FOLDER_FILE_NEIGHBOURS
#define SS_FOLDER_FILE_NEIGHBOURS "neighbours.arrow"    /* where the SAE is still there */
#define SS_FOLDER_FILE_MATRIX "coactivation_matrix.npy" /* on request */

/* Columns of pairs.arrow, in their order. */
enum {
    SS_FOLDER_PAIR_FEATURE,
    SS_FOLDER_PAIR_PARTNER,
    SS_FOLDER_PAIR_RANK,
    SS_FOLDER_PAIR_ROWS,
    SS_FOLDER_PAIR_OVERLAP,
    SS_FOLDER_PAIR_JACCARD,
    SS_FOLDER_PAIR_LIFT,
    SS_FOLDER_PAIR_PHI,
    SS_FOLDER_PAIR_NPMI,
    SS_FOLDER_PAIR_COSINE,
    SS_FOLDER_PAIR_LOG_P,
    SS_FOLDER_PAIR_Q,
    SS_FOLDER_N_PAIR_COLUMNS
};
extern const struct ss_arrow_output_column ss_folder_pair_columns[SS_FOLDER_N_PAIR_COLUMNS];

/* Columns of neighbours.arrow, in their order. */
enum {
    SS_FOLDER_NEIGHBOUR_FEATURE,
    SS_FOLDER_NEIGHBOUR_NEIGHBOUR,
    SS_FOLDER_NEIGHBOUR_RANK,
    SS_FOLDER_NEIGHBOUR_COSINE,
    SS_FOLDER_NEIGHBOUR_ROWS,
    SS_FOLDER_NEIGHBOUR_PHI,
    SS_FOLDER_NEIGHBOUR_LIFT,
    SS_FOLDER_NEIGHBOUR_KIND,
    SS_FOLDER_N_NEIGHBOUR_COLUMNS
};
extern const struct ss_arrow_output_column
    ss_folder_neighbour_columns[SS_FOLDER_N_NEIGHBOUR_COLUMNS];

/* Phrases that the texts of a family say more often than others. */
struct ss_folder_family_name {
    bool is_named; /* the largest families are */
    struct ss_text phrases;
    struct ss_describe_score score;
    size_t n_texts; /* of the pools, that are the family's */
};

/* What the files are written from. */
struct ss_folder_families {
    const struct ss_graph_table *table;
    struct ss_graph_family_options options;
    struct ss_graph_families found;
    struct ss_graph_held_out_all held_out;   /* by parents only */
    struct ss_graph_significant significant; /* pairs of q 0.01 */
    struct ss_folder_family_name *names;     /* [found.n] NULL: none */
    const ss_descriptions *descriptions;     /* NULL: the run has none */
    const char *dir;                         /* of the run */
    ss_work *work;
    const struct ss_log *log;
    double least_phi; /* of pairs.arrow: all of as much; NaN: the best 50 */
};

/* The file of a run of so many features, read back. Errors: SS_E_DATA, SS_E_IO, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_folder_families_read(const char *path, size_t n_features,
                                              ss_families **out, ss_err *err);
SS_MUST_USE ss_status ss_folder_families_write(const struct ss_folder_families *families,
                                               const char *path, ss_err *err);
/* The list of lists that the Python workflow writes. */
SS_MUST_USE ss_status ss_folder_family_lists_write(const struct ss_folder_families *families,
                                                   const char *path, ss_err *err);
SS_MUST_USE ss_status ss_folder_pairs_write(const struct ss_folder_families *families,
                                            const char *path, ss_err *err);
/* The dense matrix that the Python workflow reads. Errors: SS_E_LIMIT too. */
SS_MUST_USE ss_status ss_folder_matrix_write(const struct ss_folder_families *families,
                                             const char *path, ss_err *err);

#endif
